use calogen::nn::flow::{self, Coupling, Spline};
use calogen::tape::Var;

use crate::common::{Nd, Row, close, evaluate, rms};

/// Knots of one axis from its unconstrained lengths.
fn knots(u: &[f64], least: f64, bound: f64) -> Vec<f64> {
    let sum: f64 = u.iter().map(|v| v.exp()).sum();
    let mut at = vec![-bound];
    for v in u {
        let share = least + (1.0 - u.len() as f64 * least) * v.exp() / sum;
        at.push(at[at.len() - 1] + 2.0 * bound * share);
    }
    at
}

/// Value and ln |dy/dx|, as the paper defines the forward spline.
fn forward(v: f64, params: &[f64], spline: &Spline) -> (f64, f64) {
    let bound = f64::from(spline.bound);
    if v.abs() >= bound {
        return (v, 0.0);
    }
    let bins = (params.len() + 1) / 3;
    let xs = knots(&params[..bins], f64::from(spline.min_width), bound);
    let ys = knots(&params[bins..2 * bins], f64::from(spline.min_height), bound);
    let mut slopes = vec![1.0];
    let softplus = |v: f64| v.exp().ln_1p();
    slopes.extend((params[2 * bins..].iter()).map(|&v| f64::from(spline.min_slope) + softplus(v)));
    slopes.push(1.0);
    let k = (1..bins).filter(|&k| v >= xs[k]).count();
    let (w, h) = (xs[k + 1] - xs[k], ys[k + 1] - ys[k]);
    let (s, d0, d1, t) = (h / w, slopes[k], slopes[k + 1], (v - xs[k]) / w);
    let den = s + (d0 + d1 - 2.0 * s) * t * (1.0 - t);
    let y = ys[k] + h * (s * t * t + d0 * t * (1.0 - t)) / den;
    let m = d1 * t * t + 2.0 * s * t * (1.0 - t) + d0 * (1.0 - t) * (1.0 - t);
    (y, (s * s * m / (den * den)).ln())
}

/// The inverse by bisection, and minus the slope there.
fn inverse(v: f64, params: &[f64], spline: &Spline) -> (f64, f64) {
    let bound = f64::from(spline.bound);
    if v.abs() >= bound {
        return (v, 0.0);
    }
    let (mut low, mut high) = (-bound, bound);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        match forward(middle, params, spline).0 < v {
            true => low = middle,
            false => high = middle,
        }
    }
    (low, -forward(low, params, spline).1)
}

/// `[2, D, N]` of x `[D, N]` and params `[D, 3 bins - 1, N]`.
fn oracle(x: &[Nd], f: impl Fn(f64, &[f64]) -> (f64, f64)) -> Nd {
    let rows = x[1].shape[1];
    let shape = [2, x[0].shape[0], x[0].shape[1]];
    Nd::build(&shape, |at| {
        let params: Vec<f64> = (0..rows).map(|r| x[1].at(&[at[1], r, at[2]])).collect();
        let (y, slope) = f(x[0].at(&at[1..]), &params);
        if at[0] == 0 { y } else { slope }
    })
}

fn stacked<'t>(v: &[Var<'t>], spline: &Spline, inverse: bool) -> Var<'t> {
    let (y, slope) = v[0].rational_quadratic_spline(v[1], spline, inverse);
    let shape = [1, y.extent(0), y.extent(1)];
    Var::concat(&[y.reshape(&shape), slope.reshape(&shape)], 0)
}

#[test]
fn rational_quadratic_spline() {
    let rows: [(&[usize], usize, f32); 4] = [
        (&[3, 7], 5, 1.0),
        (&[1, 1], 1, 2.5),
        (&[5, 2], 2, 0.75),
        (&[2, 67], 8, 3.0),
    ];
    for (shape, bins, bound) in rows {
        let spline = Spline {
            bound,
            ..Default::default()
        };
        for back in [false, true] {
            let name = format!("spline {shape:?} {bins} inverse {back}");
            let params = [shape[0], 3 * bins - 1, shape[1]];
            let row = Row {
                name: &name,
                inputs: &[shape, &params],
                // The place in a bin carries the knots' rounding, 2 bound over the bin's width times that of x.
                terms: 40 * bins * bins,
            };
            let out = 1.2 * f64::from(bound);
            row.ranges(&[(-out, out), (-1.5, 1.5)]).check(
                |v| stacked(v, &spline, back),
                |x| {
                    oracle(x, |v, p| match back {
                        true => inverse(v, p, &spline),
                        false => forward(v, p, &spline),
                    })
                },
            );
        }
    }
}

#[test]
fn the_inverse_undoes_the_spline() {
    let spline = Spline {
        bound: 3.0,
        ..Default::default()
    };
    let x = Nd::random(&[11, 101], 1).map(|v| 3.3 * v);
    let params = Nd::random(&[11, 23, 101], 2).map(|v| 3.0 * v);
    let out = evaluate(&[x.clone(), params], |_, v| {
        let (y, up) = v[0].rational_quadratic_spline(v[1], &spline, false);
        let (back, down) = y.rational_quadratic_spline(v[1], &spline, true);
        vec![y, up, back, up + down]
    });
    let moved = |i: usize| -> Vec<f64> {
        let pairs = out[i].iter().zip(&x.data);
        pairs.map(|(&y, x)| f64::from(y) - x).collect()
    };
    assert!(rms(&moved(0)) > 0.1, "the spline does something");
    for (step, &up) in moved(2).iter().zip(&out[1]) {
        // Rounding of y is a larger step of x where the slope is small.
        let tolerance = 1e-5 * f64::from((-up).exp().max(1.0));
        assert!(step.abs() < tolerance, "{step} where ln slope is {up}");
    }
    let difference: Vec<f64> = out[3].iter().map(|&v| f64::from(v)).collect();
    assert!(rms(&difference) < 1e-3, "{}", rms(&difference));
}

#[test]
fn log_determinants_add_up() {
    let spline = Spline::default();
    let inputs = [Nd::random(&[3, 5], 3), Nd::random(&[3, 8, 5], 4)];
    let out = evaluate(&inputs, |_, v| {
        let (_, det) = flow::spline(v[0], v[1], &spline, false);
        let (_, slopes) = v[0].rational_quadratic_spline(v[1], &spline, false);
        vec![det, slopes]
    });
    let slopes: Vec<f64> = out[1].iter().map(|&v| f64::from(v)).collect();
    let want = Nd::new(&[3, 5], slopes).sum(&[0]);
    close("determinant", &out[0], &want.data, 1e-6);
}

#[test]
fn affine_coupling() {
    for (form, inverse) in [
        (Coupling::ShiftThenScale, false),
        (Coupling::ShiftThenScale, true),
        (Coupling::ScaleThenShift, false),
        (Coupling::ScaleThenShift, true),
    ] {
        let name = format!("affine_coupling {form:?} inverse {inverse}");
        let row = Row {
            name: &name,
            inputs: &[&[5, 7], &[3, 7], &[3, 7]],
            terms: 5,
        };
        // The determinants as one more feature.
        row.check(
            |v| {
                let (y, det) = flow::affine_coupling(v[0], v[1], v[2], form, inverse);
                Var::concat(&[y, det.reshape(&[1, 7])], 0)
            },
            |x| {
                let scale = |d: usize, n: usize| (-x[1].at(&[d, n]).tanh()).exp();
                Nd::build(&[6, 7], |at| match *at {
                    [5, n] => {
                        let log = (0..3).map(|d| scale(d, n).ln()).sum::<f64>();
                        if inverse { -log } else { log }
                    }
                    [d, n] if d >= 2 => {
                        let (v, a, b) = (x[0].at(at), scale(d - 2, n), x[2].at(&[d - 2, n]));
                        match (form, inverse) {
                            (Coupling::ShiftThenScale, false) => (v - b) * a,
                            (Coupling::ShiftThenScale, true) => v / a + b,
                            (Coupling::ScaleThenShift, false) => v * a + b,
                            (Coupling::ScaleThenShift, true) => (v - b) / a,
                        }
                    }
                    _ => x[0].at(at),
                })
            },
        );
    }
}
