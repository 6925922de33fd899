//! Monotonic rational quadratic splines, element by element with parameters of their own.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Cost, Exported, Lowering, Op, Shape, Site, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `spline.wgsl`.
    SplineParams { count: u32, n: u32, bound: f32, min_width: f32, min_height: f32, min_slope: f32 }
}

const SOURCE: &str = wgsl!(
    "spline.wgsl",
    "lib/index.wgsl",
    "lib/math.wgsl",
    "lib/functions.wgsl"
);
static FORWARD: Kernel = Kernel::new::<SplineParams>(
    "spline.wgsl",
    SOURCE,
    "spline_forward",
    &[read(1, "x"), read(2, "params"), write(4, "y")],
);
static GRADIENT: Kernel = Kernel::new::<SplineParams>(
    "spline.wgsl",
    SOURCE,
    "spline_gradient",
    &[
        read(1, "x"),
        read(2, "params"),
        read(3, "dy"),
        write(5, "grad"),
    ],
);

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &GRADIENT];

const WG: usize = 64;

/// The constants of a rational quadratic spline. Defaults are those of nflows with linear tails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spline {
    /// The spline acts on `(-bound, bound)` of either axis; outside it is the identity.
    pub bound: f32,
    /// Least width of a bin as a share of the whole.
    pub min_width: f32,
    /// Least height of a bin as a share of the whole.
    pub min_height: f32,
    /// Least slope at an inner knot.
    pub min_slope: f32,
}

impl Default for Spline {
    fn default() -> Self {
        Self {
            bound: 1.0,
            min_width: 1e-3,
            min_height: 1e-3,
            min_slope: 1e-3,
        }
    }
}

/// Value and log-determinant, `[2, D, N]`, of x `[D, N]` with parameters `[D, 3 bins - 1, N]`.
#[derive(Clone, Copy, Debug)]
struct Forward {
    spline: Spline,
    inverse: bool,
}

/// Gradients of the parameters and, in the last row, of x: `[D, 3 bins, N]`. The third input is the gradient of the result.
#[derive(Clone, Copy, Debug)]
struct Gradient(Forward);

/// Number of bins for which `params` fits `x`.
fn bins(x: &[usize], params: &[usize]) -> Option<usize> {
    match (x, params) {
        (&[d, n], &[e, rows, m]) if d == e && n == m && rows % 3 == 2 => Some((rows + 1) / 3),
        _ => None,
    }
}

impl Forward {
    fn dispatch(
        &self,
        l: &mut Lowering<'_>,
        kernel: &'static Kernel,
        slots: &[Slot],
    ) -> Result<()> {
        let (x, params) = (l.input_shape(0), l.input_shape(1));
        let (count, n) = (shape::len(x), x[1]);
        let overrides = [
            ("WG", WG as f64),
            ("BINS", params[1].div_ceil(3) as f64),
            ("INVERSE", f64::from(u8::from(self.inverse))),
        ];
        let params = SplineParams {
            count: count as u32,
            n: n as u32,
            bound: self.spline.bound,
            min_width: self.spline.min_width,
            min_height: self.spline.min_height,
            min_slope: self.spline.min_slope,
        };
        let grid = fold(count.div_ceil(WG) as u64);
        l.dispatch(kernel, &params, &overrides, slots, grid)
    }
}

impl Op for Forward {
    fn name(&self) -> &'static str {
        "rational_quadratic_spline"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let wrong = |what: String| Err(Error::shape(self.name(), what));
        let Some(bins) = bins(x[0], x[1]) else {
            return wrong(format!("wants [D, N] and [D, 3 bins - 1, N], got {x:?}"));
        };
        let Spline {
            bound,
            min_width,
            min_height,
            ..
        } = self.spline;
        if !(bound > 0.0 && bins as f32 * min_width < 1.0 && bins as f32 * min_height < 1.0) {
            return wrong(format!("{:?} leaves no room for {bins} bins", self.spline));
        }
        Ok(vec![2, x[0][0], x[0][1]])
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let inputs = [at.inputs[0], at.inputs[1], at.dy];
        let all = at.dy.tape().record(Gradient(*self), &inputs);
        let rows = at.inputs[1].extent(1);
        vec![
            at.want(0, || all.slice(1, rows, rows + 1).squeeze(&[1])),
            at.want(1, || all.slice(1, 0, rows)),
        ]
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let (x, params) = (site.leading(0, 1), site.leading(1, 2));
        let bins = site.input_shape(1)[1].div_ceil(3);
        let y = super::onnx::spline(site, &self.spline, self.inverse, &x, &params, bins);
        if site.events() == Some(2) {
            return Ok(site.made_leading(y));
        }
        let y = site.permuted(&y, &[1, 2, 0]);
        Ok(site.made_plain(y))
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        self.dispatch(l, &FORWARD, &[x[0], x[1], y])
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        // A softmax of either axis, about ten operations an exponential.
        Cost::new(15.0 * shape::len(x[1]) as f64, x, y)
    }
}

impl Op for Gradient {
    fn name(&self) -> &'static str {
        "rational_quadratic_spline_gradient"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let rows = x[1][1];
        Ok(vec![x[0][0], rows + 1, x[0][1]])
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let what = "has first derivatives only";
        let bad = at.dy.tape().fail(Error::shape(Op::name(&self.0), what));
        at.wants.iter().map(|w| w.then_some(bad)).collect()
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        self.0.dispatch(l, &GRADIENT, &[x[0], x[1], x[2], y])
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        Cost::new(30.0 * shape::len(x[1]) as f64, x, y)
    }
}

impl<'t> Var<'t> {
    /// Monotonic rational quadratic spline of `[D, N]` (arXiv:1906.04032) and `ln |dy/dx|`, both `[D, N]`; with `inverse`
    /// the inverse function and its own log-determinant.
    ///
    /// `params` is `[D, 3 bins - 1, N]`: for each element `bins` widths, `bins` heights and `bins - 1` slopes, all
    /// unconstrained. The widths become shares `min_width + (1 - bins min_width) softmax(widths)` of `[-bound, bound]`,
    /// heights alike; slopes `min_slope + softplus(slopes)` at the inner knots and 1 at the outer ones. First derivatives
    /// only.
    #[track_caller]
    pub fn rational_quadratic_spline(
        self,
        params: Self,
        spline: &Spline,
        inverse: bool,
    ) -> (Self, Self) {
        let forward = Forward {
            spline: *spline,
            inverse,
        };
        let both = self.tape.record(forward, &[self, params]);
        let part = |i| both.slice(0, i, i + 1).squeeze(&[0]);
        (part(0), part(1))
    }
}
