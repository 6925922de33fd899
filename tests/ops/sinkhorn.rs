use calogen::losses::{self, Sinkhorn};
use calogen::tape::{Options, Tape, Var};

use crate::common::{Nd, POISON, Row, close, evaluate, gpu};

/// Columns of `[D, N]`.
fn points(x: &Nd) -> Vec<Vec<f64>> {
    let point = |n| (0..x.shape[0]).map(|d| x.at(&[d, n])).collect();
    (0..x.shape[1]).map(point).collect()
}

fn costs(x: &Nd, y: &Nd, p: u32) -> Vec<Vec<f64>> {
    let y = points(y);
    let cost = |a: &[f64], b: &[f64]| {
        let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        if p == 1 { square.sqrt() } else { 0.5 * square }
    };
    let row = |a: &Vec<f64>| y.iter().map(|b| cost(a, b)).collect();
    points(x).iter().map(row).collect()
}

fn transposed(c: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let column = |j: usize| c.iter().map(|row| row[j]).collect();
    (0..c[0].len()).map(column).collect()
}

/// `-eps ln sum_j b_j exp((h_j - C_ij) / eps)`
fn softmin(c: &[Vec<f64>], b: &[f64], h: &[f64], eps: f64) -> Vec<f64> {
    let row = |c: &Vec<f64>| {
        let v = |j: usize| (h[j] - c[j]) / eps;
        let all = (0..h.len()).filter(|&j| b[j] > 0.0);
        let top = all.clone().map(v).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = all.map(|j| b[j] * (v(j) - top).exp()).sum();
        -eps * (top + sum.ln())
    };
    c.iter().map(row).collect()
}

fn averaged(old: &mut [f64], new: Vec<f64>) {
    old.iter_mut()
        .zip(new)
        .for_each(|(o, n)| *o = 0.5 * (*o + n));
}

/// GeomLoss' temperatures.
fn schedule(spec: &Sinkhorn) -> Vec<f64> {
    let power = |v: f64| v.powi(spec.p as i32);
    let (blur, scaling) = (f64::from(spec.blur), f64::from(spec.scaling));
    let mut length = f64::from(spec.diameter);
    let mut all = vec![power(length)];
    while length > blur * (1.0 + 1e-9) {
        all.push(power(length));
        length *= scaling;
    }
    all.extend(vec![power(blur); spec.iterations]);
    all
}

/// The potentials of x with weights a and y with weights b after the last soft-min.
fn potentials(c: &[Vec<f64>], a: &[f64], b: &[f64], spec: &Sinkhorn) -> (Vec<f64>, Vec<f64>) {
    let eps = schedule(spec);
    let t = transposed(c);
    let none = |v: &[f64]| vec![0.0; v.len()];
    let mut f = softmin(c, b, &none(b), eps[0]);
    let mut g = softmin(&t, a, &none(a), eps[0]);
    for &eps in &eps {
        let new = (softmin(c, b, &g, eps), softmin(&t, a, &f, eps));
        averaged(&mut f, new.0);
        averaged(&mut g, new.1);
    }
    let eps = eps[eps.len() - 1];
    (softmin(c, b, &g, eps), softmin(&t, a, &f, eps))
}

fn uniform(n: usize) -> Vec<f64> {
    vec![1.0 / n as f64; n]
}

fn dot(a: &[f64], f: &[f64]) -> f64 {
    a.iter().zip(f).map(|(a, f)| a * f).sum()
}

fn transport(x: &Nd, a: &[f64], y: &Nd, b: &[f64], spec: &Sinkhorn) -> f64 {
    let (f, g) = potentials(&costs(x, y, spec.p), a, b, spec);
    dot(a, &f) + dot(b, &g)
}

fn divergence(x: &Nd, a: &[f64], y: &Nd, b: &[f64], spec: &Sinkhorn) -> f64 {
    transport(x, a, y, b, spec) - 0.5 * (transport(x, a, x, a, spec) + transport(y, b, y, b, spec))
}

fn scalar(v: f64) -> Nd {
    Nd::new(&[], vec![v])
}

/// Nothing stops early: the device and the oracle make the same steps.
const EXACT: Sinkhorn = Sinkhorn {
    p: 2,
    blur: 0.5,
    scaling: 0.5,
    diameter: 4.0,
    iterations: 200,
    tolerance: 0.0,
};

#[test]
fn divergence_and_its_gradient() {
    let rows: [(&[usize], &[usize], u32, f32); 5] = [
        (&[3, 7], &[3, 5], 2, 0.5),
        (&[2, 9], &[2, 13], 1, 0.3),
        (&[1, 1], &[1, 1], 2, 0.7),
        (&[17, 3], &[17, 41], 2, 1.0),
        (&[35, 4], &[35, 1], 1, 2.0),
    ];
    for (x, y, p, blur) in rows {
        for debias in [true, false] {
            let spec = Sinkhorn { p, blur, ..EXACT };
            let name = format!("sinkhorn {x:?} {y:?} p {p} debias {debias}");
            let row = Row {
                name: &name,
                inputs: &[x, y],
                // Rounding of the costs is that of the exponents, which are costs over the temperature, here up to 30.
                terms: x[0] * x[1] * y[1] * 9,
            };
            let drawn = row.ranges(&[(-1.0, 1.0), (-0.5, 2.0)]);
            let oracle = |x: &[Nd]| {
                let (a, b) = (uniform(x[0].shape[1]), uniform(x[1].shape[1]));
                scalar(match debias {
                    true => divergence(&x[0], &a, &x[1], &b, &spec),
                    false => transport(&x[0], &a, &x[1], &b, &spec),
                })
            };
            drawn.check(|v| loss(v[0], v[1], &spec, debias), oracle);
            // Computing the costs again in each step instead of storing them.
            drawn
                .plain()
                .check(|v| loss(v[0], v[1], &spec, debias), oracle);
        }
    }
}

fn loss<'t>(x: Var<'t>, y: Var<'t>, spec: &Sinkhorn, debias: bool) -> Var<'t> {
    match debias {
        true => losses::sinkhorn_divergence(x, y, spec),
        false => losses::entropic_transport(x, y, spec),
    }
}

#[test]
fn weights() {
    let spec = Sinkhorn {
        iterations: 300,
        ..EXACT
    };
    let row = Row {
        name: "weighted sinkhorn",
        inputs: &[&[3, 7], &[3, 5]],
        terms: 3 * 7 * 5 * 9,
    };
    // Two points of x weigh nothing.
    let a = [0.3, 0.0, 0.1, 0.2, 0.0, 0.15, 0.25];
    let b = [0.5, 0.125, 0.125, 0.2, 0.05];
    let f32s = |v: &[f64]| -> Vec<f32> { v.iter().map(|&v| v as f32).collect() };
    row.ranges(&[(-1.0, 1.0), (-0.5, 2.0)]).check(
        |v| {
            let weights = |w: &[f64]| v[0].tape().constant(&f32s(w), &[w.len()]);
            losses::weighted_sinkhorn_divergence((v[0], weights(&a)), (v[1], weights(&b)), &spec)
        },
        |x| scalar(divergence(&x[0], &a, &x[1], &b, &spec)),
    );
    // With weights themselves as inputs: the derivative along a direction that keeps their sum.
    let inputs = [
        Nd::random(&[2, 3], 1),
        Nd::new(&[3], vec![0.5, 0.25, 0.25]),
        Nd::random(&[2, 4], 2),
    ];
    let out = evaluate(&inputs, |tape, v| {
        let b = tape.full(0.25, &[4]);
        let value = losses::weighted_sinkhorn_divergence((v[0], v[1]), (v[2], b), &spec);
        tape.gradients(value, &[v[1]])
    });
    let h = 1e-4;
    let at = |t: f64| {
        let a = [0.5 + t, 0.25 - t, 0.25];
        divergence(&inputs[0], &a, &inputs[2], &uniform(4), &spec)
    };
    let want = (at(h) - at(-h)) / (2.0 * h);
    close("weights", &[out[0][0] - out[0][1]], &[want], 1e-5);
}

/// Potentials against the oracle, and marginals of the plan, over sizes, dimensions and temperatures.
#[test]
fn plans_have_the_marginals() {
    // n, m, d, eps, steps at the end
    let rows = [
        (1, 1, 1, 1.0, 5),
        (1, 37, 3, 0.1, 5),
        (64, 65, 1, 1e-3, 4000),
        (101, 67, 10, 1e-2, 3000),
        (255, 256, 64, 1.0, 200),
        (301, 512, 20, 0.1, 800),
        (2048, 1023, 2, 0.05, 40),
    ];
    for (n, m, d, eps, iterations) in rows {
        let spec = Sinkhorn {
            blur: f32::sqrt(eps),
            scaling: 0.7,
            diameter: 2.0 * f32::sqrt(d as f32),
            iterations,
            tolerance: 2e-3,
            ..EXACT
        };
        let inputs = [
            Nd::random(&[d, n], 1),
            Nd::random(&[d, m], 2).map(|v| 0.8 * v + 0.1),
        ];
        let out = evaluate(&inputs, |_, v| {
            let (f, g) = losses::transport_potentials(v[0], v[1], &spec);
            vec![f, g, losses::entropic_transport(v[0], v[1], &spec)]
        });
        let c = costs(&inputs[0], &inputs[1], 2);
        let eps = f64::from(spec.blur).powi(2);
        let (mut rows, mut columns) = (vec![0.0; n], vec![0.0; m]);
        let (mut primal, mut mass) = (0.0, 0.0);
        for i in 0..n {
            for j in 0..m {
                let value = f64::from(out[0][i]) + f64::from(out[1][j]);
                let p = ((value - c[i][j]) / eps).exp() / (n * m) as f64;
                rows[i] += p * n as f64;
                columns[j] += p * m as f64;
                primal += p * value;
                mass += p;
            }
        }
        let what = format!("{n} {m} {d} {eps:.3}");
        let worst = (rows.iter().chain(&columns)).fold(0.0f64, |w, s| w.max((s - 1.0).abs()));
        println!("{what}: marginals to {worst:.1e}, mass {mass:.6}");
        assert!(worst < 1e-2, "{what}: a marginal is off by {worst}");
        // The dual value is the plan's, to the error of the marginals.
        let size = c.iter().flatten().sum::<f64>() / (n * m) as f64;
        close(&what, &out[2], &[primal], 1e-2 * (size + eps));
        assert!(out[2][0].is_finite());
    }
}

/// The same steps in f64, at sizes that no short loop reaches.
#[test]
fn potentials_of_many_showers() {
    for (n, m, d, p) in [(513, 300, 10, 2), (130, 1030, 5, 1)] {
        let spec = Sinkhorn {
            p,
            blur: 0.2,
            iterations: 3,
            ..EXACT
        };
        let inputs = [
            Nd::random(&[d, n], 3),
            Nd::random(&[d, m], 4).map(|v| 0.8 * v + 0.1),
        ];
        let out = evaluate(&inputs, |_, v| {
            let (f, g) = losses::transport_potentials(v[0], v[1], &spec);
            vec![f, g, losses::sinkhorn_divergence(v[0], v[1], &spec)]
        });
        let c = costs(&inputs[0], &inputs[1], p);
        let (f, g) = potentials(&c, &uniform(n), &uniform(m), &spec);
        // Costs are of order 3 and rounded, steps add up.
        let worst = close("f", &out[0], &f, 1e-5).max(close("g", &out[1], &g, 1e-5));
        println!("{n} {m}: {:.1} % of the tolerance", 100.0 * worst);
        let want = divergence(&inputs[0], &uniform(n), &inputs[1], &uniform(m), &spec);
        close("divergence", &out[2], &[want], 2e-6);
    }
}

fn value_and_gradient(x: &Nd, y: &Nd, spec: &Sinkhorn) -> (f32, Vec<f32>) {
    let out = evaluate(&[x.clone(), y.clone()], |tape, v| {
        let value = losses::sinkhorn_divergence(v[0], v[1], spec);
        let grads = tape.gradients(value, v);
        vec![value, grads[0], grads[1]]
    });
    (out[0][0], [&out[1][..], &out[2][..]].concat())
}

#[test]
fn equal_samples_are_at_no_distance() {
    for (n, p) in [(1, 2), (33, 2), (100, 1)] {
        let x = Nd::random(&[5, n], 5);
        let spec = Sinkhorn {
            p,
            ..Sinkhorn::default()
        };
        let (value, grads) = value_and_gradient(&x, &x, &spec);
        assert_eq!(value, 0.0, "{n}");
        assert!(grads.iter().all(|g| g.abs() < 1e-6), "{n}: {grads:?}");
    }
}

#[test]
fn never_nan() {
    let near = Nd::random(&[3, 9], 6);
    let point = Nd::zeros(&[3, 5]);
    let samples = [
        near.clone(),
        point.clone(),
        near.map(|v| v * 1e6),
        near.map(|v| v * 1e15 + 1e18),
        near.map(|v| v * 1e30),
        point.map(|v| v - 3e38),
        near.map(|v| v * 1e-30),
    ];
    for p in [1, 2] {
        for blur in [1e-3, 1.0] {
            let spec = Sinkhorn {
                p,
                blur,
                scaling: 0.5,
                iterations: 3,
                ..Sinkhorn::default()
            };
            for x in &samples {
                let (value, grads) = value_and_gradient(x, &point, &spec);
                let finite = value.is_finite() && grads.iter().all(|g| g.is_finite());
                assert!(finite, "p {p} blur {blur}: {value} {grads:?} of {x:?}");
            }
        }
    }
}

#[test]
fn converged_steps_end() {
    let (x, y) = (Nd::random(&[3, 21], 7), Nd::random(&[3, 34], 8));
    let with = |iterations, tolerance| {
        let spec = Sinkhorn {
            iterations,
            tolerance,
            ..Sinkhorn::default()
        };
        value_and_gradient(&x, &y, &spec)
    };
    // Stopped at once, bit for bit what one step gives; stopped never, what all give.
    assert_eq!(with(40, f32::INFINITY), with(1, 0.0));
    assert_ne!(with(40, 0.0), with(1, 0.0));
    let (stopped, all) = (with(400, 1e-3).0, with(400, 0.0).0);
    assert!((stopped - all).abs() < 1e-3 * all, "{stopped} {all}");
}

/// Points that are constants are packed once, but the potentials start anew in every run.
#[test]
fn runs_are_alike_with_constant_points() {
    let (x, y) = (Nd::random(&[3, 21], 7), Nd::random(&[3, 34], 8));
    let spec = Sinkhorn {
        iterations: 30,
        tolerance: 1e-3,
        ..Sinkhorn::default()
    };
    let weights = |n: usize, seed| Nd::random(&[n], seed).map(|v| (v + 2.0) / 40.0).f32();
    let (a, b) = (weights(21, 1), weights(34, 2));
    let run = |fixed: bool| {
        let tape = Tape::new();
        let points = |name: &str, x: &Nd| match fixed {
            true => tape.constant(&x.f32(), &x.shape),
            false => tape.input(name, &x.shape),
        };
        let (px, py) = (points("x", &x), points("y", &y));
        let (wa, wb) = (tape.input("a", &[21]), tape.input("b", &[34]));
        let value = losses::weighted_sinkhorn_divergence((px, wa), (py, wb), &spec);
        let outputs = [("loss", value)];
        let program = tape.compile(gpu(), &outputs, Options::default()).unwrap();
        if !fixed {
            program.set("x", &x.f32()).unwrap();
            program.set("y", &y.f32()).unwrap();
        }
        program.set("a", &a).unwrap();
        program.set("b", &b).unwrap();
        [(); 3].map(|()| {
            program.run().unwrap();
            program.read("loss").unwrap()[0].to_bits()
        })
    };
    let (constant, given) = (run(true), run(false));
    assert_eq!(constant, given);
    assert!(given.iter().all(|v| *v == given[0]), "{given:?}");
}

/// One dispatch a step whatever the number of showers, no matrix stored above the limit, nothing but the steps grows.
#[test]
fn the_plan_is_short() {
    let plan = |n: usize, d: usize| {
        let tape = Tape::new();
        let (x, y) = (tape.input("x", &[d, n]), tape.input("y", &[d, n]));
        let value = losses::sinkhorn_divergence(x, y, &EXACT);
        let outputs = [("loss", value), ("dx", tape.gradients(value, &[x])[0])];
        let program = tape.compile(gpu(), &outputs, Options::default()).unwrap();
        program.plan().clone()
    };
    let (small, large) = (plan(128, 10), plan(4096, 10));
    let count = |kernel| small.steps.iter().filter(|s| s.kernel == kernel).count();
    assert_eq!(count("sinkhorn_step"), 1 + 4 + 200 + 1, "{small}");
    assert_eq!(count("sinkhorn_cost"), 1);
    assert!(small.steps.len() < 206 + 12, "{small}");
    assert!(small.peak_bytes() < 600_000, "{small}");
    assert!(large.steps.iter().all(|s| s.kernel != "sinkhorn_cost"));
    assert!(large.peak_bytes() < 4_000_000, "{large}");
}

#[test]
fn wrong_settings_are_named() {
    let tape = Tape::new();
    let (x, y) = (tape.input("x", &[3, 7]), tape.input("y", &[2, 7]));
    losses::sinkhorn_divergence(x, y, &Sinkhorn::default());
    let error = tape.check().unwrap_err().to_string();
    assert!(
        error.contains("[3, 7]") && error.contains("sinkhorn.rs"),
        "{error}"
    );
    let spec = Sinkhorn {
        scaling: 1.0,
        ..Sinkhorn::default()
    };
    losses::sinkhorn_divergence(x, x, &spec);
    let error = tape.check().unwrap_err().to_string();
    assert!(error.contains("scaling: 1.0"), "{error}");
    let value = losses::sinkhorn_divergence(x, x, &Sinkhorn::default());
    let slope = tape.gradients(value, &[x])[0];
    tape.gradients(slope.square().sum_all(), &[x]);
    let error = tape
        .compile(gpu(), &[("value", value)], POISON)
        .unwrap_err();
    assert!(error.to_string().contains("first derivatives"), "{error}");
}
