//! Chains of elementwise ops, which the compiler folds: the result is that of the ops one by one.

use calogen::tape::{Tape, Var};

use crate::common::{Nd, POISON, Row, evaluate, gpu};

const SIX: &[&[usize]] = &[&[3, 5], &[5], &[3, 1], &[], &[2, 3, 5], &[2, 1, 1]];

#[test]
fn a_long_chain() {
    // More steps than one kernel holds.
    Row {
        name: "long chain",
        inputs: &[&[3, 5, 7]],
        terms: 40,
    }
    .check(
        |v| {
            let mut y = v[0];
            for i in 0..20 {
                y = (y * 0.5 + 0.125 * i as f32).tanh() + v[0];
            }
            y
        },
        |x| x[0].map(|v| (0..20).fold(v, |y, i| (y * 0.5 + 0.125 * f64::from(i)).tanh() + v)),
    );
}

#[test]
fn many_inputs() {
    // More than a kernel can bind, each of another shape.
    let shapes: Vec<&[usize]> = SIX.iter().chain(SIX).copied().collect();
    Row {
        name: "many inputs",
        inputs: &shapes,
        terms: 60,
    }
    .check(
        |v| {
            v.iter()
                .skip(1)
                .enumerate()
                .fold(v[0], |y, (i, &x)| y * 0.5 + x * x * (i as f32 + 1.0))
        },
        |x| {
            x.iter()
                .skip(1)
                .enumerate()
                .fold(x[0].clone(), |y, (i, x)| {
                    y.zip(x, |y, x| y * 0.5 + x * x * (i as f64 + 1.0))
                })
        },
    );
}

#[test]
fn six_inputs_make_one_kernel() {
    let tape = Tape::new();
    let x: Vec<Var> = (SIX.iter().enumerate())
        .map(|(i, s)| tape.input(&format!("x{i}"), s))
        .collect();
    let y = x[1..].iter().fold(x[0], |y, &x| y * x);
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    assert_eq!(program.plan().steps.len(), 1, "{}", program.plan());
    let y = x[1..].iter().fold(x[0], |y, &x| y * x).sum_all();
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    assert_eq!(program.plan().steps.len(), 1, "{}", program.plan());
}

#[test]
fn one_operand_twice() {
    Row {
        name: "twice",
        inputs: &[&[3, 5]],
        terms: 20,
    }
    .check(
        |v| {
            let s = v[0].sigmoid();
            (s * s + s) / (s + 1.0) - (v[0] - v[0]) * v[0]
        },
        |x| x[0].map(|v| 1.0 / (1.0 + (-v).exp())),
    );
}

#[test]
fn stretched_chains() {
    // Each operand is itself an expression of a smaller shape.
    Row {
        name: "stretched chains",
        inputs: &[&[3, 1], &[5], &[2, 1, 5]],
        terms: 60,
    }
    .check(
        |v| ((v[0] * 2.0 + 1.0) * (v[1] - 0.5).tanh() + v[2]).square() - v[1] * v[0],
        |x| {
            let a = x[0].map(|v| v * 2.0 + 1.0);
            let b = a.zip(&x[1].map(|v| (v - 0.5).tanh()), |a, b| a * b);
            let c = b.zip(&x[2], |b, c| (b + c) * (b + c));
            c.zip(&x[0].zip(&x[1], |a, b| a * b), |c, d| c - d)
        },
    );
}

#[test]
fn reductions_of_chains() {
    Row {
        name: "reduced chain",
        inputs: &[&[4, 1, 7], &[5, 1]],
        terms: 200,
    }
    .check(
        |v| (v[0] * v[1] + v[0]).exp().sum(&[0, 2]),
        |x| {
            let y = x[0].zip(&x[1], |a, b| (a * b + a).exp());
            y.sum(&[0, 2]).reshape(&[5])
        },
    );
    // Seven inputs and more steps than fit beside the reduction.
    let shapes: Vec<&[usize]> = SIX.iter().chain(&SIX[..3]).copied().collect();
    Row {
        name: "reduced long chain",
        inputs: &shapes,
        terms: 200,
    }
    .check(
        |v| {
            let y = v[1..].iter().fold(v[0], |y, &x| (y * x + 0.5).tanh());
            y.mean(&[1])
        },
        |x| {
            let y = x[1..]
                .iter()
                .fold(x[0].clone(), |y, x| y.zip(x, |y, x| (y * x + 0.5).tanh()));
            y.mean(&[1]).reshape(&[2, 5])
        },
    );
}

#[test]
fn five_axes_of_different_strides() {
    let shapes: &[&[usize]] = &[&[2, 1, 3, 1, 5], &[1, 3, 1, 2, 1], &[2, 3, 3, 2, 5]];
    Row {
        name: "five axes",
        inputs: shapes,
        terms: 60,
    }
    .check(
        |v| v[0] * v[1] + v[2],
        |x| x[0].zip(&x[1], |a, b| a * b).zip(&x[2], |a, b| a + b),
    );
}

#[test]
fn more_axes_than_a_kernel_walks_is_an_error() {
    let tape = Tape::new();
    let (a, b) = (
        tape.input("a", &[2, 1, 2, 1, 2, 1]),
        tape.input("b", &[1, 2, 1, 2, 1, 2]),
    );
    let error = tape
        .compile(gpu(), &[("y", a + b)], POISON)
        .unwrap_err()
        .to_string();
    assert!(error.contains("[2, 1, 2, 1, 2, 1]"), "{error}");
}

#[test]
fn numbers_alone() {
    let found = evaluate(&[Nd::zeros(&[1])], |t, _| {
        let y = t.full(2.0, &[3, 2]).exp() + t.full(1.0, &[2]);
        vec![y, y.sum_all()]
    });
    let want = 2f32.exp() + 1.0;
    assert!(
        found[0].iter().all(|v| (v - want).abs() < 1e-6),
        "{:?}",
        found[0]
    );
    assert!((found[1][0] - 6.0 * want).abs() < 1e-5, "{:?}", found[1]);
}

#[test]
fn sizes_around_a_workgroup() {
    for n in [1, 63, 64, 65, 255, 257, 16383, 16384, 16385, 65537] {
        let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
        let tape = Tape::new();
        let y = tape.input("x", &[n]) * 2.0;
        let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
        program.set("x", &x).unwrap();
        program.run().unwrap();
        let got = program.read("y").unwrap();
        assert!(
            got.iter().zip(&x).all(|(y, x)| *y == 2.0 * x),
            "{n} elements"
        );
    }
}

/// More workgroups than one dimension of a grid may have.
#[test]
fn grids_are_folded() {
    let n = 20_000_003;
    let tape = Tape::new();
    let y = tape.input("x", &[n]) + 0.5;
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    let [across, down, _] = program.plan().steps[0].grid;
    assert!(across <= 65535 && down > 1, "{across} by {down}");
    let x: Vec<f32> = (0..n).map(|i| (i % 8_000_000) as f32).collect();
    program.set("x", &x).unwrap();
    program.run().unwrap();
    let y = program.read("y").unwrap();
    let wrong = (0..n).find(|&i| y[i] != x[i] + 0.5);
    assert_eq!(wrong, None);
}

#[test]
fn four_neighbours_at_once_and_whole_rows() {
    // Every way in which an operand can lie along the last axis, which is a multiple of four: long enough for rows or not;
    // and along the one before it, which is long enough for strips of cells or not.
    for (cells, n) in [(5, 4), (5, 12), (5, 36), (67, 4), (301, 12)] {
        let shapes: [&[usize]; 6] = [
            &[3, 2, cells, n],
            &[3, 1, 1, 1],
            &[2, cells, 1],
            &[cells, n],
            &[3, 1, cells, n],
            &[n],
        ];
        Row {
            name: &format!("{cells} rows of {n}"),
            inputs: &shapes,
            terms: 6 * n * cells / 5,
        }
        .check(
            |v| v[0] * v[1] + v[2] * v[3] - v[4] * v[5].tanh(),
            |x| {
                let (ab, cd) = (x[0].zip(&x[1], |a, b| a * b), x[2].zip(&x[3], |c, d| c * d));
                let ef = x[4].zip(&x[5], |e, f| e * f.tanh());
                ab.zip(&cd, |a, c| a + c).zip(&ef, |a, e| a - e)
            },
        );
    }
}

#[test]
fn indices_of_large_tensors_are_exact() {
    // Odd extents, extents beyond 2^20, rows and fours: each divides its indices in another way.
    for [rows, columns] in [[1049, 2003], [2, 1_048_583], [2051, 1024], [3, 1_048_584]] {
        let tape = Tape::new();
        let (a, b) = (tape.input("a", &[rows, 1]), tape.input("b", &[columns]));
        let program = tape
            .compile(gpu(), &[("y", a * 2048.0 + b)], POISON)
            .unwrap();
        let at = |i: usize| (i % 2039) as f32;
        let list = |n: usize| (0..n).map(at).collect::<Vec<f32>>();
        program.set("a", &list(rows)).unwrap();
        program.set("b", &list(columns)).unwrap();
        program.run().unwrap();
        let y = program.read("y").unwrap();
        let wrong =
            (0..rows * columns).find(|i| y[*i] != at(i / columns) * 2048.0 + at(i % columns));
        assert_eq!(wrong, None, "of {rows} x {columns}");
    }
}
