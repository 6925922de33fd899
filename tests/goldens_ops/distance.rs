//! Distances between samples, and couplings of flows, from elementary ops.

use calogen::tape::Var;

use super::{Out, Recorded, Recorder};

/// Squared distances of all pairs: `[N, D]` and `[M, D]` to `[N, M]`.
fn squared<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    let x = x.reshape(&[x.extent(0), 1, x.extent(1)]);
    (x - y.reshape(&[1, y.extent(0), y.extent(1)]))
        .square()
        .sum(&[2])
}

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    Some(match op {
        "mmd_gaussian" => vec![("mmd", Out::Value(mmd_gaussian(r)))],
        "mmd_imq" => vec![("mmd", Out::Value(mmd_imq(r)))],
        "sliced_wasserstein2" => {
            let directions = r.x("directions").permute(&[1, 0]);
            let sorted = |name| r.x(name).matmul(directions).sort_descending(0).0;
            let sw2 = (sorted("x") - sorted("y")).square().mean_all();
            vec![("sw2", Out::Value(sw2))]
        }
        "wasserstein1_1d" => vec![("w1", Out::Value(wasserstein1(r)))],
        "sorted_kernel_mmd" => vec![("mmd", Out::Value(sorted_kernel_mmd(r)))],
        "affine_coupling" => affine_coupling(r),
        _ => return None,
    })
}

fn mmd_gaussian<'t>(r: &Recorder<'t, '_>) -> Var<'t> {
    let (x, y) = (r.x("x"), r.x("y"));
    let pairs = [(x, x, 1.0), (y, y, 1.0), (x, y, -2.0)];
    let mut sum = r.tape.full(0.0, &[]);
    for (a, b, sign) in pairs {
        let d = squared(a, b);
        for alpha in r.numbers("alphas") {
            sum = sum + (d * -alpha).exp().mean_all() * sign;
        }
    }
    sum
}

fn mmd_imq<'t>(r: &Recorder<'t, '_>) -> Var<'t> {
    let (x, y) = (r.x("x"), r.x("y"));
    let n = x.extent(0) as f32;
    let mut sum = r.tape.full(0.0, &[]);
    for scale in r.numbers("scales") {
        let c = 2.0 * x.extent(1) as f32 * scale;
        let kernel = |a, b| (c / (squared(a, b) + c)).sum_all();
        let same = kernel(x, x) + kernel(y, y);
        let same = match r.flag("biased") {
            true => same * (1.0 / (n * n)),
            false => (same - 2.0 * n) * (1.0 / (n * (n - 1.0))),
        };
        sum = sum + same - kernel(x, y) * (2.0 / (n * n));
    }
    sum
}

/// The integral of |Fx^-1 - Fy^-1|: between any two steps both are constant.
fn wasserstein1<'t>(r: &Recorder<'t, '_>) -> Var<'t> {
    let (x, y) = (r.x("x"), r.x("y"));
    let (n, m) = (x.len(), y.len());
    let mut cuts: Vec<usize> = (0..=n)
        .map(|i| i * m)
        .chain((0..=m).map(|j| j * n))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let pick = |v: Var<'t>, step: usize| {
        let index: Vec<u32> = cuts[..cuts.len() - 1]
            .iter()
            .map(|c| (c / step) as u32)
            .collect();
        // Largest first on either side: the integral does not mind.
        v.sort_descending(0)
            .0
            .gather(0, r.tape.indices(&index, &[index.len()]), false)
    };
    let weights: Vec<f32> = cuts
        .windows(2)
        .map(|c| (c[1] - c[0]) as f32 / (n * m) as f32)
        .collect();
    let weights = r.tape.constant(&weights, &[weights.len()]);
    ((pick(x, m) - pick(y, n)).abs() * weights).sum_all()
}

fn sorted_kernel_mmd<'t>(r: &Recorder<'t, '_>) -> Var<'t> {
    let sorted = |name| r.x(name).sort_descending(1).0;
    let (x, y) = (sorted("x"), sorted("y"));
    let (b, p) = (x.extent(0), x.extent(1));
    let alpha = r.number("alpha");
    let kernel = |u: Var<'t>, v: Var<'t>| {
        let l = u.extent(1);
        let d = u.reshape(&[b, l, 1]) - v.reshape(&[b, 1, l]);
        (d.square() * -alpha).exp().mean(&[1, 2])
    };
    let starts: Vec<usize> = (0..r.whole("limit").min(p))
        .step_by(r.whole("stride"))
        .collect();
    let mut sum = r.tape.full(0.0, &[b]);
    for &start in &starts {
        let end = p.min(start + r.whole("kernel_size"));
        let (u, v) = (x.slice(1, start, end), y.slice(1, start, end));
        sum = sum + kernel(u, u) + kernel(v, v) - kernel(u, v) * 2.0;
    }
    sum.mean_all() * (1.0 / starts.len() as f32)
}

fn affine_coupling<'t>(r: &Recorder<'t, '_>) -> Vec<(&'static str, Out<'t>)> {
    let (x, t) = (r.x("x"), r.x("t"));
    let (split, inverse) = (r.whole("split"), r.flag("inverse"));
    let (x1, x2) = (x.slice(1, 0, split), x.slice(1, split, x.extent(1)));
    let log_scale = r.x("s").tanh() * if inverse { 1.0 } else { -1.0 };
    let shift_first = (r.text("form") == "shift_then_scale") != inverse;
    let y2 = match shift_first {
        true => (x2 - t) * log_scale.exp(),
        false => x2 * log_scale.exp() + t,
    };
    let y = Var::concat(&[x1, y2], 1);
    vec![
        ("y", Out::Value(y)),
        ("logdet", Out::Value(log_scale.sum(&[1]))),
    ]
}
