//! Reshape, slice, pad, crop, concat.

use calogen::tape::{Tape, Var};

use crate::common::{Nd, POISON, Row, gpu};

#[test]
fn reshapes() {
    Row {
        name: "reshape",
        inputs: &[&[4, 2, 3]],
        terms: 2,
    }
    .check(
        |v| v[0].reshape(&[2, 12]) * 2.0,
        |x| x[0].reshape(&[2, 12]).map(|v| v * 2.0),
    );
    Row {
        name: "view",
        inputs: &[&[4, 2, 3]],
        terms: 2,
    }
    .check(|v| v[0].reshape(&[24]), |x| x[0].reshape(&[24]));
    Row {
        name: "flatten",
        inputs: &[&[4, 2, 3]],
        terms: 2,
    }
    .check(
        |v| v[0].flatten() + 1.0,
        |x| x[0].reshape(&[8, 3]).map(|v| v + 1.0),
    );
    Row {
        name: "squeeze",
        inputs: &[&[4, 1, 3, 1]],
        terms: 2,
    }
    .check(
        |v| v[0].squeeze(&[1, 3]).exp(),
        |x| x[0].reshape(&[4, 3]).map(f64::exp),
    );
    Row {
        name: "unsqueeze",
        inputs: &[&[4], &[4, 2, 3]],
        terms: 12,
    }
    .check(
        |v| v[0].unsqueeze_to(3) * v[1],
        |x| x[0].reshape(&[4, 1, 1]).zip(&x[1], |a, b| a * b),
    );
}

/// Coordinate c of the result holds coordinate c - low of the source, `fill` outside.
fn window(x: &Nd, low: &[isize], shape: &[usize], fill: f64) -> Nd {
    Nd::build(shape, |at| {
        let from: Vec<isize> = at.iter().zip(low).map(|(&c, l)| c as isize - l).collect();
        let inside = (from.iter().zip(&x.shape)).all(|(&c, &e)| c >= 0 && (c as usize) < e);
        if inside { x.get(&from) } else { fill }
    })
}

#[test]
fn slices() {
    for (axis, start, end) in [
        (0, 0, 1),
        (0, 1, 3),
        (1, 2, 3),
        (1, 0, 5),
        (2, 3, 7),
        (2, 6, 7),
    ] {
        let shape = [3, 5, 7];
        let name = format!("slice [{start}, {end}) of axis {axis}");
        Row {
            name: &name,
            inputs: &[&shape],
            terms: 1,
        }
        .check(
            |v| v[0].slice(axis, start, end),
            |x| {
                let (mut low, mut to) = ([0; 3], shape);
                low[axis] = -(start as isize);
                to[axis] = end - start;
                window(&x[0], &low, &to, 0.0)
            },
        );
    }
}

#[test]
fn pads() {
    for (around, fill) in [
        ([(1, 2), (0, 3), (4, 0)], 0.0),
        ([(0, 0), (0, 0), (0, 1)], -2.5),
        ([(2, 2), (2, 2), (2, 2)], 1.0),
        ([(0, 0), (1, 0), (0, 0)], f64::from(f32::NEG_INFINITY)),
    ] {
        let name = format!("pad {around:?} {fill}");
        let shape = [2, 3, 5];
        let oracle = |x: &[Nd]| {
            let low = around.map(|(before, _)| before as isize);
            let to: Vec<usize> = (0..3)
                .map(|d| shape[d] + around[d].0 + around[d].1)
                .collect();
            window(&x[0], &low, &to, fill)
        };
        let row = Row {
            name: &name,
            inputs: &[&shape],
            terms: 1,
        };
        if fill.is_finite() {
            row.check(|v| v[0].pad(&around, fill as f32), oracle);
            continue;
        }
        // An infinite border, as before max pooling.
        let finite = |x: &[Nd]| oracle(x).map(|v| v.max(-3.0));
        row.check(|v| v[0].pad(&around, fill as f32).clamp(-3.0, 3.0), finite);
    }
    Row {
        name: "pad in second order",
        inputs: &[&[2, 3]],
        terms: 4,
    }
    .check_second(
        |v| v[0].pad(&[(1, 0), (2, 1)], 0.5).square() * v[0].slice(0, 1, 2).slice(1, 0, 1),
        |x| window(&x[0], &[1, 2], &[3, 6], 0.5).map(|v| v * v * x[0].at(&[1, 0])),
    );
}

#[test]
fn crops() {
    let cases = [
        ([0, 0, 0], [3, 5, 7]),
        ([1, 2, 3], [1, 2, 3]),
        ([2, 4, 6], [1, 1, 1]),
        ([0, 1, 0], [3, 3, 7]),
    ];
    for (start, size) in cases {
        let name = format!("crop {size:?} at {start:?}");
        Row {
            name: &name,
            inputs: &[&[3, 5, 7]],
            terms: 1,
        }
        .check(
            |v| v[0].crop(&start, &size),
            |x| window(&x[0], &start.map(|s| -(s as isize)), &size, 0.0),
        );
    }
    // Five axes, none of which merges with another.
    Row {
        name: "crop of five axes",
        inputs: &[&[3, 4, 5, 3, 4]],
        terms: 1,
    }
    .check(
        |v| v[0].crop(&[1, 1, 1, 1, 1], &[2, 2, 3, 1, 2]),
        |x| window(&x[0], &[-1; 5], &[2, 2, 3, 1, 2], 0.0),
    );
    // And six, of which two stay whole.
    Row {
        name: "crop of six axes",
        inputs: &[&[3, 4, 2, 2, 3, 4]],
        terms: 1,
    }
    .check(
        |v| v[0].crop(&[1, 1, 0, 0, 1, 1], &[2, 2, 2, 2, 2, 2]),
        |x| window(&x[0], &[-1, -1, 0, 0, -1, -1], &[2; 6], 0.0),
    );
    Row {
        name: "crop of a pad",
        inputs: &[&[3, 5]],
        terms: 1,
    }
    .check(
        |v| v[0].pad(&[(2, 2), (2, 2)], 0.25).crop(&[0, 3], &[3, 6]),
        |x| window(&x[0], &[2, -1], &[3, 6], 0.25),
    );
}

#[test]
fn concats() {
    for axis in 0..3 {
        let (mut a, mut b) = ([2, 3, 5], [2, 3, 5]);
        (a[axis], b[axis]) = (4, 1);
        let shapes: [&[usize]; 3] = [&a, &[2, 3, 5], &b];
        let name = format!("concat along {axis}");
        Row {
            name: &name,
            inputs: &shapes,
            terms: 1,
        }
        .check(
            |v| Var::concat(v, axis),
            |x| {
                let mut shape = x[0].shape.clone();
                shape[axis] = x.iter().map(|x| x.shape[axis]).sum();
                Nd::build(&shape, |at| {
                    let (mut at, mut part) = (at.to_vec(), 0);
                    while at[axis] >= x[part].shape[axis] {
                        at[axis] -= x[part].shape[axis];
                        part += 1;
                    }
                    x[part].at(&at)
                })
            },
        );
    }
    // The same tensor twice, and a stretched one, which must be written out first.
    Row {
        name: "concat with itself",
        inputs: &[&[2, 3], &[3]],
        terms: 4,
    }
    .check(
        |v| Var::concat(&[v[0], v[0], v[1].expand(&[1, 3])], 0),
        |x| {
            Nd::build(&[5, 3], |at| {
                if at[0] < 4 {
                    x[0].at(&[at[0] % 2, at[1]])
                } else {
                    x[1].at(&[at[1]])
                }
            })
        },
    );
    Row {
        name: "concat of one",
        inputs: &[&[2, 3]],
        terms: 1,
    }
    .check(|v| Var::concat(&v[..1], 1) * 2.0, |x| x[0].map(|v| v * 2.0));
}

#[test]
fn errors_name_op_shapes_and_place() {
    type Wrong = for<'t> fn(Var<'t>) -> Var<'t>;
    let cases: &[(&str, Wrong)] = &[
        ("reshape: [7] does not hold the elements of [2, 3]", |v| {
            v.reshape(&[7])
        }),
        ("reshape: [2] does not hold the elements of [2, 3]", |v| {
            v.squeeze(&[1])
        }),
        ("permute: [0, 0] is no order of the axes of [2, 3]", |v| {
            v.permute(&[0, 0])
        }),
        ("permute: [0] is no order of the axes of [2, 3]", |v| {
            v.permute(&[0])
        }),
        ("slice: [1, 1) of axis 0 of [2, 3]", |v| v.slice(0, 1, 1)),
        ("slice: [0, 4) of axis 1 of [2, 3]", |v| v.slice(1, 0, 4)),
        ("slice: [0, 1) of axis 2 of [2, 3]", |v| v.slice(2, 0, 1)),
        ("pad: 1 pairs for [2, 3]", |v| v.pad(&[(1, 1)], 0.0)),
        ("crop: [2, 3] from [1, 0] of [2, 3]", |v| {
            v.crop(&[1, 0], &[2, 3])
        }),
        ("crop: [0, 3] from [0, 0] of [2, 3]", |v| {
            v.crop(&[0, 0], &[0, 3])
        }),
        ("concat: shapes [[2, 3], [2, 2]] along axis 0", |v| {
            Var::concat(&[v, v.slice(1, 0, 2)], 0)
        }),
        ("concat: shapes [[2, 3], [2, 3]] along axis 2", |v| {
            Var::concat(&[v, v], 2)
        }),
    ];
    for (start, f) in cases {
        let tape = Tape::new();
        let y = f(tape.input("x", &[2, 3]));
        let error = tape
            .compile(gpu(), &[("y", y)], POISON)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(start), "{error}");
        assert!(error.contains("tests/ops/movement.rs:"), "{error}");
    }
}

#[test]
fn moves_in_fours() {
    // Rows of a multiple of four elements that lie together; the last also where a row begins in between.
    Row {
        name: "pad and slice",
        inputs: &[&[3, 5, 8]],
        terms: 1,
    }
    .check(
        |v| v[0].pad(&[(1, 0), (2, 1), (0, 0)], 0.0).slice(1, 1, 6),
        |x| {
            Nd::build(&[4, 5, 8], |at| {
                x[0].get(&[at[0] as isize - 1, at[1] as isize - 1, at[2] as isize])
            })
        },
    );
    for (n, m) in [(8, 12), (8, 3)] {
        Row {
            name: "concatenation",
            inputs: &[&[3, n, 4], &[3, m, 4]],
            terms: 1,
        }
        .check(
            |v| Var::concat(v, 1),
            |x| {
                Nd::build(&[3, n + m, 4], |at| match at[1] < n {
                    true => x[0].at(at),
                    false => x[1].at(&[at[0], at[1] - n, at[2]]),
                })
            },
        );
    }
}

#[test]
fn no_gradient_flows_through_detach() {
    Row {
        name: "detach",
        inputs: &[&[3, 5]],
        terms: 1,
    }
    .check_value(
        |v| {
            let y = (v[0] * v[0].detach()).sum_all();
            v[0].tape().gradients(y, v)[0]
        },
        |x| x[0].clone(),
    );
}
