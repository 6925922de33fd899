//! Transforms of normalising flows. Each takes `[D, N]` and gives the result with the logarithm of the absolute determinant
//! of its Jacobian; a flow's log-likelihood is that of the base at the end plus the sum of them.

use crate::Error;
use crate::tape::Var;

pub use crate::ops::Spline;

/// Which step of an affine coupling comes first on the way forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coupling {
    /// `y = (x - t) e^l`
    ShiftThenScale,
    /// `y = x e^l + t`
    ScaleThenShift,
}

/// Affine coupling (arXiv:1605.08803) of `[D, N]` with the log-scale `l = -tanh(s)`: the first features pass, the last ones
/// are scaled and shifted. Returns the result `[D, N]` and the log-determinant `[N]`.
///
/// `s` and `t` are `[S, N]` for the last S features, computed from the first D - S and the condition. With `inverse` the
/// inverse function and its own log-determinant.
#[track_caller]
pub fn affine_coupling<'t>(
    x: Var<'t>,
    s: Var<'t>,
    t: Var<'t>,
    form: Coupling,
    inverse: bool,
) -> (Var<'t>, Var<'t>) {
    let (shape, scaled) = (x.shape(), s.shape());
    let fits = |scaled: &[usize]| {
        scaled.len() == 2 && shape.len() == 2 && scaled[1] == shape[1] && scaled[0] < shape[0]
    };
    if !fits(&scaled) || t.shape() != scaled {
        let what = format!(
            "wants [D, N] and s, t [S, N] with S < D, got {shape:?}, {scaled:?}, {:?}",
            t.shape()
        );
        let bad = x.tape().fail(Error::shape("affine_coupling", what));
        return (bad, bad);
    }
    let split = shape[0] - scaled[0];
    let (passed, moved) = (x.slice(0, 0, split), x.slice(0, split, shape[0]));
    let log_scale = s.tanh() * if inverse { 1.0 } else { -1.0 };
    let shift_first = (form == Coupling::ShiftThenScale) != inverse;
    let moved = match shift_first {
        true => (moved - t) * log_scale.exp(),
        false => moved * log_scale.exp() + t,
    };
    let y = Var::concat(&[passed, moved], 0);
    (y, log_scale.sum(&[0]))
}

/// Elementwise rational quadratic spline of `[D, N]`: see [`Var::rational_quadratic_spline`]. Returns the result `[D, N]`
/// and the log-determinant `[N]`.
#[track_caller]
pub fn spline<'t>(
    x: Var<'t>,
    params: Var<'t>,
    spline: &Spline,
    inverse: bool,
) -> (Var<'t>, Var<'t>) {
    let (y, slopes) = x.rational_quadratic_spline(params, spline, inverse);
    (y, slopes.sum(&[0]))
}
