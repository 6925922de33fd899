//! Wasserstein distances that sorting gives: in one dimension, and averaged over directions.

use crate::Error;
use crate::tape::Var;

/// Exact Wasserstein-1 distance of samples of one dimension, `[.., N]` and `[.., M]`: the integral of `|Fx⁻¹ - Fy⁻¹|` along
/// the last axis, the mean over the others. A scalar in the unit of the samples.
#[track_caller]
pub fn wasserstein1<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let (a, b) = (x.shape(), y.shape());
    if a.is_empty() || b.is_empty() || a[..a.len() - 1] != b[..b.len() - 1] {
        let what = format!("wants [.., N] and [.., M], got {a:?} and {b:?}");
        return x.tape().fail(Error::shape("wasserstein1", what));
    }
    integral(x, y, a.len() - 1, |difference| difference.abs())
}

/// Sliced Wasserstein-2 distance, squared: the mean over directions k of the squared distance of the samples' projections
/// on it, `∫ (Fx⁻¹ - Fy⁻¹)²`. arXiv:1804.01947.
///
/// Samples are `[D, N]` and `[D, M]`, directions of unit length `[D, K]`: see [`directions`].
#[track_caller]
pub fn sliced_wasserstein2<'t>(x: Var<'t>, y: Var<'t>, directions: Var<'t>) -> Var<'t> {
    let (a, b, c) = (x.shape(), y.shape(), directions.shape());
    if a.len() != 2 || b.len() != 2 || c.len() != 2 || a[0] != b[0] || a[0] != c[0] {
        let what =
            format!("wants samples [D, N], [D, M] and directions [D, K], got {a:?}, {b:?}, {c:?}");
        return x.tape().fail(Error::shape("sliced_wasserstein2", what));
    }
    let project = |v: Var<'t>| v.permute(&[1, 0]).matmul(directions);
    integral(project(x), project(y), 0, |difference| difference.square())
}

/// Directions of unit length from normal random numbers `[D, K]`: uniform on the sphere.
#[track_caller]
pub fn directions<'t>(normal: Var<'t>) -> Var<'t> {
    normal * normal.square().sum_keep(&[0]).rsqrt()
}

/// `∫ f(Fx⁻¹ - Fy⁻¹)` over quantiles along `axis`, the mean over the other axes.
#[track_caller]
fn integral<'t>(x: Var<'t>, y: Var<'t>, axis: usize, f: impl Fn(Var<'t>) -> Var<'t>) -> Var<'t> {
    let (n, m) = (x.extent(axis), y.extent(axis));
    // Largest first on either side: the integral does not mind.
    let (x, y) = (x.sort_descending(axis).0, y.sort_descending(axis).0);
    if n == m {
        return f(x - y).mean_all();
    }
    // Between any two steps of either side both are constant; in units of 1/(n m) steps are whole numbers.
    let mut steps: Vec<usize> = (0..=n).map(|i| i * m).collect();
    steps.extend((0..=m).map(|j| j * n));
    steps.sort_unstable();
    steps.dedup();
    let pick = |v: Var<'t>, length: usize| {
        let index: Vec<u32> = (steps[..steps.len() - 1].iter())
            .map(|s| (s / length) as u32)
            .collect();
        v.gather(axis, v.tape().indices(&index, &[index.len()]), false)
    };
    let difference = pick(x, m) - pick(y, n);
    let weights: Vec<f32> = (steps.windows(2))
        .map(|s| (s[1] - s[0]) as f32 / (n * m) as f32)
        .collect();
    let weights = x.tape().constant(&weights, &[weights.len()]);
    let others = difference.len() / weights.len();
    let weights = weights.unsqueeze_to(difference.rank().saturating_sub(axis));
    (f(difference) * weights).sum_all() * (1.0 / others as f32)
}
