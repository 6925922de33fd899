//! Layers of kernel 1 with few channels on an elementwise chain, which the compiler makes one kernel: the result is that of
//! the ops one by one, the same for a shower in any batch.

use calogen::ops::ConvSpec;
use calogen::tape::{Options, Tape, Var};

use crate::common::{Nd, POISON, Row, gpu};

/// `x * a + b` per voxel and per shower as a norm has it, a layer, an activation; with its kernels' names.
fn network<'t>(v: &[Var<'t>], transposed: bool) -> Var<'t> {
    let f = ((v[0] - v[1]) * v[2]).leaky_relu(0.2);
    let f = f * v[3] + 0.5;
    let (w, bias) = (v[4], v.get(5).copied());
    let y = match transposed {
        true => f.conv_transpose(w, bias, &ConvSpec::default(), [0; 3]),
        false => f.conv(w, bias, &ConvSpec::default()),
    };
    y.leaky_relu(0.1)
}

fn oracle(x: &[Nd], transposed: bool) -> Nd {
    let leaky = |v: f64, slope: f64| if v >= 0.0 { v } else { slope * v };
    let f = x[0].zip(&x[1], |x, m| x - m).zip(&x[2], |x, s| x * s);
    let f = f
        .map(|v| leaky(v, 0.2))
        .zip(&x[3], |f, w| f * w)
        .map(|f| f + 0.5);
    let (inputs, w) = (f.shape[0], &x[4]);
    let outputs = w.shape[if transposed { 1 } else { 0 }];
    let shape = [&[outputs], &f.shape[1..]].concat();
    Nd::build(&shape, |at| {
        let mut from = at.to_vec();
        let sum: f64 = (0..inputs)
            .map(|i| {
                from[0] = i;
                let by = if transposed { [i, at[0]] } else { [at[0], i] };
                f.at(&from) * w.at(&[by[0], by[1], 0, 0, 0])
            })
            .sum();
        leaky(sum + x.get(5).map_or(0.0, |b| b.at(&[at[0]])), 0.1)
    })
}

#[test]
fn a_norm_and_the_layer_behind_it() {
    // Fours with short rows, whole rows, and showers that make no fours; all numbers of channels about a quad.
    for (inputs, outputs, n, transposed, biased) in [
        (5, 7, 12, false, true),
        (3, 16, 5, false, false),
        (16, 1, 36, true, true),
        (1, 4, 2, true, false),
        (7, 9, 64, false, true),
        (2, 3, 1, false, true),
    ] {
        let name = format!("{inputs} to {outputs}, {n} showers, transposed {transposed}");
        let voxels = [3, 5, 2];
        let x = [&[inputs], &voxels[..], &[n]].concat();
        let moments = [inputs, 1, 1, 1, n];
        let by_voxel = [3, 5, 2, 1];
        let weight = if transposed {
            [inputs, outputs, 1, 1, 1]
        } else {
            [outputs, inputs, 1, 1, 1]
        };
        let bias = [outputs];
        let mut shapes: Vec<&[usize]> = vec![&x, &moments, &moments, &by_voxel, &weight];
        shapes.extend(biased.then_some(&bias[..]));
        Row {
            name: &name,
            inputs: &shapes,
            terms: 4 * inputs,
        }
        .check_value(|v| network(v, transposed), |x| oracle(x, transposed));

        let tape = Tape::new();
        let v: Vec<Var> = (shapes.iter().enumerate())
            .map(|(i, s)| tape.input(&format!("x{i}"), s))
            .collect();
        let y = network(&v, transposed);
        let plan = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
        let plan = plan.plan();
        let kernels: Vec<&str> = plan.steps.iter().map(|s| s.kernel).collect();
        let mixed = kernels.iter().filter(|k| k.starts_with("mix")).count();
        assert_eq!(mixed, 1, "{name}: {plan}");
        let left = |k: &&&str| k.starts_with("map") || k.starts_with("conv");
        assert_eq!(kernels.iter().filter(left).count(), 0, "{name}: {plan}");
    }
}

#[test]
fn more_channels_or_operands_than_a_lane_holds_stay_apart() {
    let tape = Tape::new();
    let kernels = |y| {
        let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
        let steps = program.plan().steps.iter();
        steps.map(|s| s.kernel).collect::<Vec<_>>()
    };
    let spec = ConvSpec::default();
    let x = tape.input("x", &[17, 1, 2, 3, 4]);
    let w = tape.input("w", &[3, 17, 1, 1, 1]);
    let of = kernels((x * 2.0 + 1.0).conv(w, None, &spec));
    assert!(of.iter().any(|k| k.starts_with("conv")), "{of:?}");

    // Six operands leave no room for a bias: the sixth is taken in before.
    let x: Vec<Var> = (0..6)
        .map(|i| tape.input(&format!("x{i}"), &[3, 1, 2, 3, 4]))
        .collect();
    let w = tape.input("v", &[5, 3, 1, 1, 1]);
    let b = tape.input("b", &[5]);
    let sum = x.iter().skip(1).fold(x[0], |y, &x| y * x);
    assert_eq!(kernels(sum.conv(w, None, &spec)).len(), 2); // with the packing of weights
    assert_eq!(kernels(sum.conv(w, Some(b), &spec)).len(), 3);

    // What is read elsewhere too is made once.
    let f = (x[0] * x[1]).tanh();
    let both = f.conv(w, None, &spec).sum_all() + f.sum_all();
    let of = kernels(both);
    assert!(of.iter().any(|k| k.starts_with("conv")), "{of:?}");
}

#[test]
fn a_shower_is_the_same_in_any_batch() {
    let (inputs, outputs, voxels) = (6, 5, 7);
    let all = Nd::random(&[inputs, 1, 1, voxels, 12], 1);
    let weight = Nd::random(&[outputs, inputs, 1, 1, 1], 2);
    let run = |first: usize, n: usize| {
        let x = Nd::build(&[inputs, 1, 1, voxels, n], |at| {
            all.at(&[at[0], 0, 0, at[3], first + at[4]])
        });
        let tape = Tape::new();
        let v = tape.input("x", &[inputs, 1, 1, voxels, n]);
        let w = tape.input("w", &weight.shape);
        let y = (v * 1.7 + 0.3).leaky_relu(0.1) * v;
        let y = y.conv(w, None, &ConvSpec::default());
        let options = Options {
            frozen: true,
            ..POISON
        };
        let program = tape.compile(gpu(), &[("y", y)], options).unwrap();
        program.set("x", &x.f32()).unwrap();
        program.set("w", &weight.f32()).unwrap();
        program.run().unwrap();
        program.read("y").unwrap()
    };
    let whole = run(0, 12);
    for (first, n) in [(0, 4), (5, 1), (9, 3), (2, 10)] {
        let part = run(first, n);
        for (k, value) in part.iter().enumerate() {
            let (cell, shower) = (k / n, first + k % n);
            let there = whole[cell * 12 + shower];
            assert_eq!(value.to_bits(), there.to_bits(), "{first}, {n}: {k}");
        }
    }
}
