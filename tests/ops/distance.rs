//! Distances between samples: compositions of `calogen::losses`.

use calogen::losses::{self, SortedKernel};
use calogen::tape::{Plan, Tape, Var};

use crate::common::{Nd, POISON, Row, gpu};

fn scalar(v: f64) -> Nd {
    Nd::new(&[], vec![v])
}

/// Columns of `[D, N]`.
fn points(x: &Nd) -> Vec<Vec<f64>> {
    let point = |n| (0..x.shape[0]).map(|d| x.at(&[d, n])).collect();
    (0..x.shape[1]).map(point).collect()
}

/// `(mean over pairs of a and a', b and b', a and b)` of `k(|a-b|²)`; with `other`, pairs of a point with itself are left out.
fn means(x: &Nd, y: &Nd, other: bool, k: impl Fn(f64) -> f64) -> [f64; 3] {
    let (x, y) = (points(x), points(y));
    let mean = |a: &[Vec<f64>], b: &[Vec<f64>], same: bool| {
        let (mut sum, mut count) = (0.0, 0.0);
        for (i, p) in a.iter().enumerate() {
            for (j, q) in b.iter().enumerate() {
                if !(same && other && i == j) {
                    sum += k(p.iter().zip(q).map(|(p, q)| (p - q) * (p - q)).sum());
                    count += 1.0;
                }
            }
        }
        sum / count
    };
    [mean(&x, &x, true), mean(&y, &y, true), mean(&x, &y, false)]
}

/// `xx + yy - 2 xy`
fn discrepancy([xx, yy, xy]: [f64; 3]) -> Nd {
    scalar(xx + yy - 2.0 * xy)
}

const SAMPLES: [[&[usize]; 2]; 4] = [
    [&[3, 7], &[3, 5]],
    [&[1, 1], &[1, 1]],
    [&[7, 11], &[7, 11]],
    [&[1, 13], &[1, 2]],
];

#[test]
fn mmd_gaussian() {
    for (i, inputs) in SAMPLES.iter().enumerate() {
        for alphas in [&[0.7][..], &[1.0, 0.01], &[2.0, 0.5, 0.125]] {
            let name = format!("mmd_gaussian {i} {}", alphas.len());
            let row = Row {
                name: &name,
                inputs,
                // The difference of means of order 1 is of order 0.1.
                terms: 100 * inputs[0][1] * inputs[1][1],
            };
            let kernel = |d: f64| alphas.iter().map(|a| (-f64::from(*a) * d).exp()).sum();
            row.ranges(&[(-1.0, 1.0), (-0.5, 2.0)]).check(
                |v| losses::mmd_gaussian(v[0], v[1], alphas),
                |x| discrepancy(means(&x[0], &x[1], false, kernel)),
            );
        }
    }
}

#[test]
fn mmd_imq() {
    let scales = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
    for (i, inputs) in SAMPLES.iter().enumerate() {
        for biased in [true, false] {
            // Among single points there are no pairs without repetition.
            if inputs[0][1] == 1 && !biased {
                continue;
            }
            let name = format!("mmd_imq {i} biased {biased}");
            let row = Row {
                name: &name,
                inputs,
                // As above, with sums of seven kernels.
                terms: 100 * inputs[0][1] * inputs[1][1] * 7,
            };
            let d = inputs[0][0] as f64;
            let kernel = |distance: f64| {
                let c = scales.map(|s| 2.0 * d * f64::from(s));
                c.iter().map(|c| c / (c + distance)).sum()
            };
            row.ranges(&[(-1.0, 1.0), (-0.5, 2.0)]).check(
                |v| losses::mmd_imq(v[0], v[1], &scales, biased),
                |x| discrepancy(means(&x[0], &x[1], !biased, kernel)),
            );
        }
    }
}

#[test]
fn second_derivatives_of_mmd() {
    let row = Row {
        name: "mmd_gaussian",
        inputs: &[&[3, 5], &[3, 7]],
        terms: 100 * 35,
    };
    row.check_second(
        |v| losses::mmd_gaussian(v[0], v[1], &[1.0]),
        |x| discrepancy(means(&x[0], &x[1], false, |d| (-d).exp())),
    );
}

/// `∫ f(Fx⁻¹ - Fy⁻¹)` by walking along both sorted lists.
fn integral(mut x: Vec<f64>, mut y: Vec<f64>, f: impl Fn(f64) -> f64) -> f64 {
    x.sort_by(f64::total_cmp);
    y.sort_by(f64::total_cmp);
    let (mut i, mut j, mut at, mut sum) = (0, 0, 0.0, 0.0);
    while i < x.len() && j < y.len() {
        let (a, b) = (
            (i + 1) as f64 / x.len() as f64,
            (j + 1) as f64 / y.len() as f64,
        );
        sum += f(x[i] - y[j]) * (a.min(b) - at);
        at = a.min(b);
        // Both at once where both end, to rounding.
        let both = (a - b).abs() < 1e-12;
        i += usize::from(both || a < b);
        j += usize::from(both || b < a);
    }
    sum
}

#[test]
fn wasserstein1() {
    let shapes: [[&[usize]; 2]; 5] = [
        [&[7], &[7]],
        [&[1], &[13]],
        [&[16], &[12]],
        [&[3, 11], &[3, 5]],
        [&[1], &[1]],
    ];
    for inputs in shapes {
        let name = format!("wasserstein1 {inputs:?}");
        let row = Row {
            name: &name,
            inputs: &inputs,
            terms: 2 * inputs[0].iter().product::<usize>(),
        };
        row.ranges(&[(-1.0, 1.0), (2.5, 5.0)]).check(
            |v| losses::wasserstein1(v[0], v[1]),
            |x| {
                let lists = |x: &Nd| -> Vec<Vec<f64>> {
                    x.data
                        .chunks(x.shape[x.shape.len() - 1])
                        .map(<[f64]>::to_vec)
                        .collect()
                };
                let (a, b) = (lists(&x[0]), lists(&x[1]));
                let count = a.len() as f64;
                let all = a.into_iter().zip(b);
                scalar(all.map(|(a, b)| integral(a, b, f64::abs)).sum::<f64>() / count)
            },
        );
    }
}

#[test]
fn sliced_wasserstein2() {
    let shapes: [[&[usize]; 3]; 3] = [
        [&[3, 7], &[3, 7], &[3, 5]],
        [&[2, 11], &[2, 3], &[2, 4]],
        [&[1, 5], &[1, 5], &[1, 1]],
    ];
    for inputs in shapes {
        let name = format!("sliced_wasserstein2 {inputs:?}");
        let row = Row {
            name: &name,
            inputs: &inputs,
            terms: inputs[0][0] * inputs[0][1],
        };
        row.check(
            |v| losses::sliced_wasserstein2(v[0], v[1], losses::directions(v[2])),
            |x| {
                let directions = points(&x[2]);
                let along = |x: &Nd, direction: &[f64]| -> Vec<f64> {
                    let norm = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
                    let dot = |p: &Vec<f64>| -> f64 {
                        p.iter().zip(direction).map(|(p, d)| p * d / norm).sum()
                    };
                    points(x).iter().map(dot).collect()
                };
                let one = |d: &Vec<f64>| integral(along(&x[0], d), along(&x[1], d), |v| v * v);
                let sum: f64 = directions.iter().map(one).sum();
                scalar(sum / directions.len() as f64)
            },
        );
    }
}

/// The definition, window by window.
fn sorted_kernel_oracle(x: &[Nd], spec: &SortedKernel) -> Nd {
    let alpha = f64::from(spec.alpha);
    let sorted = |x: &Nd, n: usize| {
        let mut list: Vec<f64> = (0..x.shape[0]).map(|p| x.at(&[p, n])).collect();
        list.sort_by(|a, b| b.total_cmp(a));
        list
    };
    let (mut sum, mut count) = (0.0, 0.0);
    for n in 0..x[0].shape[1] {
        let (u, v) = (sorted(&x[0], n), sorted(&x[1], n));
        for start in (0..spec.limit.min(u.len())).step_by(spec.stride) {
            let end = u.len().min(start + spec.size);
            let mean = |a: &[f64], b: &[f64]| {
                let k = |a: f64, b: f64| (-alpha * (a - b) * (a - b)).exp();
                let sum: f64 = a
                    .iter()
                    .flat_map(|&a| b.iter().map(move |&b| k(a, b)))
                    .sum();
                sum / (a.len() * b.len()) as f64
            };
            let (u, v) = (&u[start..end], &v[start..end]);
            sum += mean(u, u) + mean(v, v) - 2.0 * mean(u, v);
            count += 1.0;
        }
    }
    scalar(sum / count)
}

#[test]
fn sorted_kernel_mmd() {
    // Windows that overlap, that end at the end, that run over it, that leave gaps, that are longer than the list.
    let rows = [
        (17, 3, 6, 2, 11),
        (20, 2, 5, 5, 20),
        (13, 5, 5, 3, 40),
        (19, 1, 3, 7, 15),
        (7, 3, 100, 25, 2000),
        (1, 1, 1, 1, 1),
    ];
    for (cells, showers, size, stride, limit) in rows {
        let spec = SortedKernel {
            size,
            stride,
            limit,
            alpha: 3.0,
        };
        let shape = [cells, showers];
        let name = format!("sorted_kernel_mmd {shape:?} {size} {stride} {limit}");
        let row = Row {
            name: &name,
            inputs: &[&shape, &shape],
            // A small difference of means of order 1.
            terms: 100 * size.min(cells).pow(2),
        };
        row.ranges(&[(0.0, 2.0), (0.5, 1.5)]).check(
            |v| losses::sorted_kernel_mmd(v[0], v[1], &spec),
            |x| sorted_kernel_oracle(x, &spec),
        );
    }
}

/// The plan of a loss of two samples and of its gradients.
fn plan(shapes: [&[usize]; 2], loss: impl for<'t> Fn(Var<'t>, Var<'t>) -> Var<'t>) -> Plan {
    let tape = Tape::new();
    let (x, y) = (tape.input("x", shapes[0]), tape.input("y", shapes[1]));
    let value = loss(x, y);
    let grads = tape.gradients(value, &[x, y]);
    let outputs = [("loss", value), ("dx", grads[0]), ("dy", grads[1])];
    let program = tape.compile(gpu(), &outputs, POISON).unwrap();
    program.plan().clone()
}

/// Pairs are never stored feature by feature, nor are those of windows, and no op is needed for each window.
#[test]
fn pairs_are_folded_into_the_sums() {
    let (d, n, m) = (64, 512, 513);
    let (x, y) = ([d, n], [d, m]);
    for (name, plan) in [
        (
            "gaussian",
            plan([&x, &y], |x, y| losses::mmd_gaussian(x, y, &[1.0, 0.01])),
        ),
        (
            "imq",
            plan([&x, &y], |x, y| losses::mmd_imq(x, y, &[0.5, 2.0], true)),
        ),
    ] {
        let largest = plan.buffers.iter().max().unwrap();
        assert!(
            *largest <= (4 * 2 * m * m) as u64,
            "{name}: {largest} bytes for {d} features\n{plan}"
        );
    }
    let spec = SortedKernel::default();
    let cells = [2500, 3];
    let plan = plan([&cells, &cells], |x, y| {
        losses::sorted_kernel_mmd(x, y, &spec)
    });
    let largest = plan.buffers.iter().max().unwrap();
    // 80 windows of 100 cells of 3 showers.
    assert!(*largest <= 4 * 80 * 100 * 3, "{largest} bytes\n{plan}");
    assert!(plan.steps.len() < 160, "{plan}");
}

#[test]
fn wrong_shapes_are_named() {
    let tape = Tape::new();
    let (x, y) = (tape.input("x", &[3, 7]), tape.input("y", &[2, 7]));
    losses::mmd_gaussian(x, y, &[1.0]);
    let error = tape.check().unwrap_err().to_string();
    assert!(
        error.contains("[3, 7]") && error.contains("distance.rs"),
        "{error}"
    );
    losses::sliced_wasserstein2(x, x, y);
    assert!(tape.check().unwrap_err().to_string().contains("directions"));
    losses::wasserstein1(x, y);
    assert!(
        tape.check()
            .unwrap_err()
            .to_string()
            .contains("wasserstein1")
    );
}
