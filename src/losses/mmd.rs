//! Maximum mean discrepancy of two samples `[D, N]` and `[D, M]`.

use crate::Error;
use crate::tape::Var;

/// `|x_n - y_m|²` of all pairs, `[N, M]`, of samples `[D, N]` and `[D, M]`.
///
/// The differences are squared and added where they are formed, so that near points keep their digits and nothing of
/// extent D N M is stored.
#[track_caller]
pub fn squared_distances<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let (a, b) = (x.shape(), y.shape());
    let (&[d, n], &[e, m]) = (&a[..], &b[..]) else {
        let what = format!("wants [D, N] and [D, M], got {a:?} and {b:?}");
        return x.tape().fail(Error::shape("squared_distances", what));
    };
    if d != e {
        let what = format!("features of {a:?} and {b:?} differ");
        return x.tape().fail(Error::shape("squared_distances", what));
    }
    let difference = x.reshape(&[d, n, 1]) - y.reshape(&[d, 1, m]);
    difference.square().sum(&[0])
}

/// Squared maximum mean discrepancy with Gaussian kernels `k(a,b) = sum over alpha of exp(-alpha |a-b|²)`: the mean of
/// k(x,x') plus that of k(y,y') minus twice that of k(x,y), over all pairs, a point with itself included.
///
/// Samples are `[D, N]` and `[D, M]`. Gretton et al., JMLR 13 (2012) 723, eq. 5. The BIB-AE's latent term
/// (arXiv:2005.05334) has alphas 1 and 0.01.
#[track_caller]
pub fn mmd_gaussian<'t>(x: Var<'t>, y: Var<'t>, alphas: &[f32]) -> Var<'t> {
    let negative: Vec<f32> = alphas.iter().map(|a| -a).collect();
    let negative = column(x, &negative);
    let [xx, yy, xy] = distances(x, y);
    let mean = |d: Var<'t>| (d * negative).exp().sum_all() * (1.0 / d.len() as f32);
    mean(xx) + mean(yy) - mean(xy) * 2.0
}

/// Squared maximum mean discrepancy with inverse multiquadratic kernels `k(a,b) = sum over s of C/(C + |a-b|²)`,
/// `C = 2 D s`, as in Wasserstein autoencoders (arXiv:1711.01558) with s = σ² {0.1, 0.2, 0.5, 1, 2, 5, 10}.
///
/// `biased` takes all pairs; otherwise pairs of a point with itself are left out and the estimate can be negative. Samples
/// are `[D, N]` and `[D, M]`.
#[track_caller]
pub fn mmd_imq<'t>(x: Var<'t>, y: Var<'t>, scales: &[f32], biased: bool) -> Var<'t> {
    let c: Vec<f32> = scales
        .iter()
        .map(|s| 2.0 * x.extent(0) as f32 * s)
        .collect();
    let c = column(x, &c);
    let [xx, yy, xy] = distances(x, y);
    let sum = |d: Var<'t>| (c / (d + c)).sum_all();
    let same = |d: Var<'t>| {
        let n = d.extent(0) as f32;
        match biased {
            true => sum(d) * (1.0 / (n * n)),
            // Of a point with itself every kernel is 1.
            false => (sum(d) - n * scales.len() as f32) * (1.0 / (n * (n - 1.0))),
        }
    };
    same(xx) + same(yy) - sum(xy) * (2.0 / xy.len() as f32)
}

/// Among x, among y, and from x to y.
#[track_caller]
fn distances<'t>(x: Var<'t>, y: Var<'t>) -> [Var<'t>; 3] {
    let xy = squared_distances(x, y);
    [squared_distances(x, x), squared_distances(y, y), xy]
}

/// Numbers along an axis before those of the pairs: `[A, 1, 1]`.
fn column<'t>(of: Var<'t>, values: &[f32]) -> Var<'t> {
    of.tape().constant(values, &[values.len(), 1, 1])
}
