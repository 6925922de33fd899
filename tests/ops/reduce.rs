//! Sums, maxima, minima and what is made of them.

use calogen::tape::{Tape, Var};

use crate::common::{Drawn, Nd, POISON, Row, close, evaluate, gpu};

const SHAPE: &[usize] = &[2, 3, 5, 7];

fn subsets() -> impl Iterator<Item = Vec<usize>> {
    (0..16).map(|bits| (0..4).filter(|d| bits >> d & 1 == 1).collect())
}

fn dropped(x: Nd, axes: &[usize]) -> Nd {
    let shape: Vec<usize> = (0..x.shape.len())
        .filter(|d| !axes.contains(d))
        .map(|d| x.shape[d])
        .collect();
    x.reshape(&shape)
}

#[test]
fn every_set_of_axes() {
    for axes in subsets() {
        let axes = &axes[..];
        let terms = axes.iter().map(|&a| SHAPE[a]).product();
        let name = |op| format!("{op} over {axes:?}");
        let row = |name: &str, f: &dyn Fn(&Row)| {
            f(&Row {
                name,
                inputs: &[SHAPE],
                terms,
            });
        };
        row(&name("sum"), &|r| {
            r.check(|v| v[0].sum(axes), |x| dropped(x[0].sum(axes), axes));
        });
        row(&name("mean"), &|r| {
            r.check(|v| v[0].mean_keep(axes), |x| x[0].mean(axes));
        });
        row(&name("max"), &|r| {
            r.check(
                |v| v[0].max_keep(axes),
                |x| x[0].reduce(axes, f64::NEG_INFINITY, f64::max),
            );
        });
        row(&name("min"), &|r| {
            r.check(
                |v| v[0].min_keep(axes),
                |x| x[0].reduce(axes, f64::INFINITY, f64::min),
            );
        });
    }
}

#[test]
fn lengths_around_the_limits_of_a_lane_and_a_workgroup() {
    for n in [1, 2, 15, 16, 17, 63, 64, 65, 1023, 1024, 1025, 5000, 70_000] {
        let name = |op| format!("{op} of {n}");
        // Terms of mean 1/4: the sum grows with their number, its relative error hardly. Even of 70000 terms the tolerance
        // is a small part of one.
        let row = |name: &str, inputs: &[&[usize]], f: &dyn Fn(&Drawn)| {
            let row = Row {
                name,
                inputs,
                terms: 16,
            };
            f(&row.within(-0.5, 1.0));
        };
        // One output; few, last axis reduced; many, last axis kept.
        row(&name("sum"), &[&[n]], &|r| {
            r.check(|v| v[0].sum_all(), |x| dropped(x[0].sum(&[0]), &[0]))
        });
        row(&name("rows"), &[&[3, n]], &|r| {
            r.check(|v| v[0].sum_keep(&[1]), |x| x[0].sum(&[1]))
        });
        row(&name("columns"), &[&[n, 11]], &|r| {
            r.check(|v| v[0].mean(&[0]), |x| dropped(x[0].mean(&[0]), &[0]))
        });
        row(&name("max"), &[&[n]], &|r| {
            r.check(
                |v| v[0].max_keep(&[0]),
                |x| x[0].reduce(&[0], f64::NEG_INFINITY, f64::max),
            );
        });
    }
    Row {
        name: "many outputs",
        inputs: &[&[3, 4000]],
        terms: 3,
    }
    .check(|v| v[0].sum(&[0]), |x| dropped(x[0].sum(&[0]), &[0]));
    Row {
        name: "many long outputs",
        inputs: &[&[200, 300]],
        terms: 300,
    }
    .check(
        |v| v[0].min_keep(&[1]),
        |x| x[0].reduce(&[1], f64::INFINITY, f64::min),
    );
    Row {
        name: "both ends",
        inputs: &[&[70, 11, 130]],
        terms: 70 * 130,
    }
    .check(
        |v| v[0].sum(&[0, 2]),
        |x| dropped(x[0].sum(&[0, 2]), &[0, 2]),
    );
}

/// Terms that are neighbours and taken four at once, of factors that stretch over them: many results with a lane each, few
/// whose lanes share them, and some so long that they are cut.
#[test]
fn neighbouring_terms() {
    for shape in [[3, 700, 8], [2, 40, 1028], [5, 9, 12], [1, 3, 20_000]] {
        let [c, v, n] = shape;
        let name = format!("of {shape:?}");
        Row {
            name: &name,
            inputs: &[&shape, &[1, v, 1], &[c, 1, n]],
            terms: c * n,
        }
        .check(
            |v| (v[0] * v[1] * v[2]).sum_keep(&[0, 2]),
            |x| {
                let product = x[0].zip(&x[1], |a, b| a * b).zip(&x[2], |a, b| a * b);
                product.sum(&[0, 2])
            },
        );
        Row {
            name: &name,
            inputs: &[&shape],
            terms: 1,
        }
        .check(
            |v| v[0].max_keep(&[0, 2]),
            |x| x[0].reduce(&[0, 2], f64::NEG_INFINITY, f64::max),
        );
    }
}

/// The sum of positive terms: the tolerance grows with the square root of their number only.
#[test]
fn long_sums_keep_their_digits() {
    let n = 1 << 20;
    let tape = Tape::new();
    let x = tape.input("x", &[n]);
    let program = tape
        .compile(
            gpu(),
            &[
                ("all", x.sum_all()),
                ("rows", x.reshape(&[2, n / 2]).mean(&[1])),
            ],
            POISON,
        )
        .unwrap();
    let values = Nd::random(&[n], 5).map(|v| 0.6 + 0.4 * v).f32();
    program.set("x", &values).unwrap();
    program.run().unwrap();
    let sum = |v: &[f32]| v.iter().map(|&v| f64::from(v)).sum::<f64>();
    let want = sum(&values);
    close("sum", &program.read("all").unwrap(), &[want], 1e-6 * want);
    let means: Vec<f64> = values
        .chunks(n / 2)
        .map(|c| sum(c) / (n / 2) as f64)
        .collect();
    close("mean", &program.read("rows").unwrap(), &means, 1e-6);
}

#[test]
fn ties_share_the_gradient() {
    let x = Nd::new(&[2, 4], vec![1.0, 3.0, 3.0, 2.0, 5.0, 5.0, 5.0, 5.0]);
    let found = evaluate(&[x], |t, v| {
        fn of(y: Var<'_>) -> Var<'_> {
            (y * y.tape().constant(&[1.0, 2.0], &[2, 1])).sum_all()
        }
        let (top, low) = (v[0].max_keep(&[1]), v[0].min_keep(&[1]));
        vec![
            top,
            t.gradients(of(top), v)[0],
            low,
            t.gradients(of(low), v)[0],
        ]
    });
    assert_eq!(found[0], [3.0, 5.0]);
    assert_eq!(found[1], [0.0, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5, 0.5]);
    assert_eq!(found[2], [1.0, 5.0]);
    assert_eq!(found[3], [1.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5]);
}

#[test]
fn extremes_of_infinities() {
    let inf = f64::INFINITY;
    let x = Nd::new(&[3, 2], vec![-inf, -inf, inf, 1.0, inf, inf]);
    let found = evaluate(&[x], |_, v| vec![v[0].max_keep(&[1]), v[0].min_keep(&[1])]);
    assert_eq!(found[0], [f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY]);
    assert_eq!(found[1], [f32::NEG_INFINITY, 1.0, f32::INFINITY]);
}

/// As in PyTorch, wherever it stands and whichever kernel comes to it.
#[test]
fn extremes_of_nan_are_nan() {
    for (shape, axis) in [([3, 7], 1), ([7, 3], 0), ([600, 4], 0), ([4, 600], 1)] {
        for place in [0, shape[axis] / 2, shape[axis] - 1] {
            let mut x = Nd::random(&shape, 3);
            let at = [place, 1];
            *x.at_mut(&if axis == 0 { at } else { [1, place] }) = f64::NAN;
            let found = evaluate(&[x.clone()], |_, v| {
                vec![v[0].max_keep(&[axis]), v[0].min_keep(&[axis])]
            });
            for (values, largest) in found.iter().zip([true, false]) {
                let join = if largest { f64::max } else { f64::min };
                let start = if largest { -2.0 } else { 2.0 };
                let want = x.reduce(&[axis], start, join).f32();
                for (i, (got, want)) in values.iter().zip(want).enumerate() {
                    let right = if i == 1 { got.is_nan() } else { *got == want };
                    assert!(right, "{shape:?} over {axis}, {place}: {got} at {i}");
                }
            }
        }
    }
}

fn variance(x: &Nd, axes: &[usize]) -> Nd {
    x.zip(&x.mean(axes), |x, m| (x - m) * (x - m)).mean(axes)
}

#[test]
fn variances() {
    for axes in [&[3][..], &[1, 2, 3], &[0, 2], &[0, 1, 2, 3]] {
        let name = format!("var over {axes:?}");
        let row = Row {
            name: &name,
            inputs: &[SHAPE],
            terms: 210,
        };
        row.within(-1.0, 3.0)
            .check(|v| v[0].var_keep(axes), |x| variance(&x[0], axes));
    }
    Row {
        name: "var",
        inputs: &[&[3, 5]],
        terms: 15,
    }
    .check_second(|v| v[0].var_keep(&[1]), |x| variance(&x[0], &[1]));
    Row {
        name: "normalised",
        inputs: &[&[3, 5]],
        terms: 40,
    }
    .check_second(
        |v| (v[0] - v[0].mean_keep(&[1])) * (v[0].var_keep(&[1]) + 0.01).rsqrt(),
        |x| {
            let scale = variance(&x[0], &[1]).map(|v| 1.0 / (v + 0.01).sqrt());
            x[0].zip(&x[0].mean(&[1]), |x, m| x - m)
                .zip(&scale, |x, s| x * s)
        },
    );
}

fn logsumexp(x: &Nd, axes: &[usize]) -> Nd {
    let top = x.reduce(axes, f64::NEG_INFINITY, f64::max);
    let sum = x.zip(&top, |x, t| (x - t).exp()).sum(axes);
    sum.zip(&top, |s, t| s.ln() + t)
}

#[test]
fn logsumexp_and_softmax() {
    for (name, shift) in [("plain", 0.0), ("at 100", 100.0), ("at -100", -100.0)] {
        // f32 holds values near 100 to 2^-18: the exponentials lose that much.
        let terms = if shift == 0.0 { 35 } else { 35 * 64 };
        Row {
            name,
            inputs: &[&[3, 5, 7]],
            terms,
        }
        .within(shift - 3.0, shift + 3.0)
        .check(
            |v| v[0].logsumexp_keep(&[1, 2]),
            |x| logsumexp(&x[0], &[1, 2]),
        );
        Row {
            name,
            inputs: &[&[3, 5, 7]],
            terms: 4 * terms,
        }
        .within(shift - 3.0, shift + 3.0)
        .check(
            |v| v[0].softmax(1),
            |x| x[0].zip(&logsumexp(&x[0], &[1]), |x, l| (x - l).exp()),
        );
    }
    Row {
        name: "softmax",
        inputs: &[&[3, 5]],
        terms: 50,
    }
    .check_second(
        |v| v[0].softmax(1),
        |x| x[0].zip(&logsumexp(&x[0], &[1]), |x, l| (x - l).exp()),
    );
    Row {
        name: "logsumexp",
        inputs: &[&[3, 5]],
        terms: 50,
    }
    .check_second(|v| v[0].logsumexp_keep(&[0]), |x| logsumexp(&x[0], &[0]));
    // Values 200 apart.
    let x = Nd::new(&[2, 2], vec![100.0, -100.0, -100.0, -100.0]);
    let found = evaluate(&[x], |_, v| {
        vec![v[0].softmax(1), v[0].logsumexp_keep(&[1])]
    });
    assert_eq!(found[0][..2], [1.0, 0.0]);
    close("softmax", &found[0][2..], &[0.5, 0.5], 1e-5);
    close("logsumexp", &found[1], &[100.0, -100.0 + 2f64.ln()], 1e-5);
}

/// One term far above the others, at each end and in the middle.
#[test]
fn extremes_at_any_place() {
    for at in [0, 63, 64, 999, 1999] {
        let mut x = Nd::random(&[2000], 9);
        x.data[at] = 5.0;
        Row {
            name: "peak",
            inputs: &[&[2000]],
            terms: 1,
        }
        .given(&[x])
        .check(
            |v| v[0].max_keep(&[0]),
            |x| x[0].reduce(&[0], f64::NEG_INFINITY, f64::max),
        );
    }
}

#[test]
fn results_are_the_same_bit_for_bit() {
    let tape = Tape::new();
    let x = tape.input("x", &[7, 9999]);
    let y = x.exp().sum(&[1]);
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    program.set("x", &Nd::random(&[7, 9999], 3).f32()).unwrap();
    let mut runs = (0..5).map(|_| {
        program.run().unwrap();
        program.read_u32("y").unwrap()
    });
    let first = runs.next().unwrap();
    assert!(runs.all(|r| r == first));
}

#[test]
fn errors_name_op_shapes_and_place() {
    for (axis, f) in [
        (
            "sum",
            (|v| v.sum(&[0, 2])) as for<'t> fn(Var<'t>) -> Var<'t>,
        ),
        ("max", |v| v.max_keep(&[2])),
        ("min", |v| v.min_keep(&[2])),
        ("sum", |v| v.softmax(2)),
    ] {
        let tape = Tape::new();
        let y = f(tape.input("x", &[2, 3]));
        let error = tape
            .compile(gpu(), &[("y", y)], POISON)
            .unwrap_err()
            .to_string();
        let start = format!("{axis}: no axis 2 in [2, 3]");
        assert!(
            error.starts_with(&start) || axis == "sum" && error.contains("no axis 2"),
            "{error}"
        );
        assert!(error.contains("tests/ops/reduce.rs:"), "{error}");
    }
}

#[test]
fn sums_of_whole_rows() {
    // The last axis is kept and a multiple of four: four neighbours at once, or a row a workgroup; also in parts.
    for n in [4, 36] {
        for shape in [[3, 5, n], [600, 1, n]] {
            for axes in [&[0][..], &[1], &[0, 1]] {
                let [a, b, _] = shape;
                let terms = axes.iter().map(|&d| shape[d]).product::<usize>().max(4);
                Row {
                    name: &format!("{shape:?} over {axes:?}"),
                    inputs: &[&shape, &[b, 1], &[a, 1, n]],
                    terms,
                }
                .check(
                    |v| (v[0] * v[1] + v[2]).mean_keep(axes),
                    |x| {
                        let y = x[0].zip(&x[1], |a, b| a * b).zip(&x[2], |a, b| a + b);
                        y.mean(axes)
                    },
                );
            }
        }
    }
}
