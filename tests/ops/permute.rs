//! Axes in another order; where the last two change places, of an expression as well.

use crate::common::{Nd, POISON, Row, run_planned};

/// Every order of `n` axes.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    let insert = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, n - 1);
        order
    };
    (0..n)
        .flat_map(|at| shorter.iter().map(move |o| insert(o, at)))
        .collect()
}

fn permute(shape: &[usize], order: &[usize]) {
    let name = format!("permute {shape:?} {order:?}");
    Row {
        name: &name,
        inputs: &[shape],
        terms: 1,
    }
    .check(|v| v[0].permute(order), |x| x[0].permute(order));
}

#[test]
fn permutations() {
    for order in orders(3) {
        permute(&[3, 5, 7], &order);
    }
    for order in orders(4) {
        permute(&[2, 3, 1, 5], &order);
    }
    for order in [
        [4, 0, 1, 2, 3],
        [1, 2, 3, 4, 0],
        [4, 3, 2, 1, 0],
        [2, 0, 4, 1, 3],
        [0, 1, 3, 2, 4],
    ] {
        permute(&[2, 3, 4, 5, 7], &order);
    }
}

#[test]
fn transpositions_around_a_tile() {
    for shape in [
        [1, 1],
        [1, 40],
        [15, 17],
        [16, 16],
        [16, 33],
        [65, 31],
        [3, 200],
    ] {
        permute(&shape, &[1, 0]);
        permute(&[3, shape[0], shape[1]], &[0, 2, 1]);
    }
    permute(&[5, 16, 1, 17], &[0, 3, 2, 1]);
    permute(&[3, 12, 20], &[0, 2, 1]);
}

#[test]
fn batch_last_and_first() {
    Row {
        name: "batch_last",
        inputs: &[&[4, 2, 3, 5]],
        terms: 1,
    }
    .check(|v| v[0].batch_last(), |x| x[0].permute(&[1, 2, 3, 0]));
    Row {
        name: "batch_first",
        inputs: &[&[2, 3, 5, 4]],
        terms: 1,
    }
    .check(|v| v[0].batch_first(), |x| x[0].permute(&[3, 0, 1, 2]));
    Row {
        name: "there and back",
        inputs: &[&[4, 2, 3]],
        terms: 1,
    }
    .check(|v| v[0].batch_last().batch_first(), |x| x[0].clone());
}

/// (cells, showers): in fours or not, about a tile of the kernel, single ones.
const SIZES: &[(usize, usize)] = &[
    (35, 4),
    (12, 8),
    (16, 16),
    (44, 20),
    (33, 7),
    (17, 36),
    (1, 5),
    (9, 1),
];

#[test]
fn transpositions_of_expressions() {
    for &(cells, n) in SIZES {
        // The values: a gradient has no such expression. As large as the result, the same for all cells, the same for all showers, the same for all.
        let shapes: [&[usize]; 4] = [&[cells, n], &[1, n], &[cells, 1], &[1, 1]];
        Row {
            name: &format!("{cells} cells of {n} showers"),
            inputs: &shapes,
            terms: cells * n,
        }
        .check_value(
            |v| ((v[0] * v[1] - v[2]).tanh() + v[3]).batch_first(),
            |x| {
                let y = x[0].zip(&x[1], |a, b| a * b);
                let y = y.zip(&x[2], |y, c| (y - c).tanh());
                y.zip(&x[3], |y, d| y + d).permute(&[1, 0])
            },
        );
    }
    // Behind an axis that stays; with a factor by channel, which has a stride of its own.
    Row {
        name: "a stack of expressions",
        inputs: &[&[3, 8, 12], &[3, 1, 12], &[8, 1]],
        terms: 288,
    }
    .check(
        |v| (v[0] * v[1] + v[2]).permute(&[0, 2, 1]),
        |x| {
            let y = x[0].zip(&x[1], |a, b| a * b);
            y.zip(&x[2], |y, c| y + c).permute(&[0, 2, 1])
        },
    );
    Row {
        name: "a factor by channel",
        inputs: &[&[3, 5, 8], &[3, 1, 1]],
        terms: 120,
    }
    .check(
        |v| (v[0] * v[1] - 1.0).batch_first(),
        |x| {
            let y = x[0].zip(&x[1], |a, b| a * b - 1.0);
            y.permute(&[2, 0, 1])
        },
    );
}

#[test]
fn an_expression_and_its_transposition_are_one_kernel() {
    for n in [8, 7] {
        let x = Nd::random(&[2, 3, 2, n], 31);
        let s = Nd::random(&[1, 1, 1, n], 32);
        let (_, plan) = run_planned(&[&x, &s], POISON, |v| (v[0] * v[1]).relu().batch_first());
        let names: Vec<&str> = plan.steps.iter().map(|s| s.op).collect();
        assert_eq!(names, ["permute"], "{n} showers");
    }
}

#[test]
fn one_shower_is_moved_by_no_kernel() {
    let x = Nd::random(&[2, 3, 5, 1], 33);
    let (got, plan) = run_planned(&[&x], POISON, |v| v[0].relu().batch_first().relu());
    let want: Vec<f32> = x.data.iter().map(|v| v.max(0.0) as f32).collect();
    assert_eq!(got, want);
    assert!(plan.steps.iter().all(|s| s.op != "permute"), "{plan}");
    // Axes of extent 1 between others.
    for (shape, order) in [([4, 1, 3, 1], [1, 0, 3, 2]), ([1, 4, 1, 3], [1, 3, 2, 0])] {
        permute(&shape, &order);
        let (_, plan) = run_planned(&[&Nd::random(&shape, 34)], POISON, |v| v[0].permute(&order));
        assert!(plan.steps.is_empty(), "{plan}");
    }
    permute(&[1, 4, 1, 3], &[0, 3, 2, 1]);
}
