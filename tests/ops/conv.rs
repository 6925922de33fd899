//! Convolutions, transposed ones and dense layers, with tiled and with plain kernels.

use calogen::ops::ConvSpec;
use calogen::tape::{Tape, Var};

use crate::common::{Nd, POISON, Row, close, evaluate, gpu};

/// One geometry: input extents, kernel, stride, padding.
struct Geometry {
    name: &'static str,
    input: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
    padding: [usize; 3],
}

impl Geometry {
    fn spec(&self) -> ConvSpec {
        ConvSpec {
            stride: self.stride,
            padding: self.padding,
        }
    }
}

/// Extents are odd and unequal, strides and padding differ by axis: a swapped axis or a missed remainder cannot pass.
#[rustfmt::skip]
const GEOMETRIES: &[Geometry] = &[
    Geometry { name: "ones", input: [1, 1, 1], kernel: [1, 1, 1], stride: [1, 1, 1], padding: [0, 0, 0] },
    Geometry { name: "pointwise", input: [2, 3, 5], kernel: [1, 1, 1], stride: [1, 1, 1], padding: [0, 0, 0] },
    Geometry { name: "pointwise strided", input: [3, 2, 5], kernel: [1, 1, 1], stride: [2, 1, 3], padding: [0, 0, 0] },
    Geometry { name: "same", input: [2, 3, 7], kernel: [3, 3, 3], stride: [1, 1, 1], padding: [1, 1, 1] },
    Geometry { name: "valid", input: [4, 3, 5], kernel: [3, 2, 4], stride: [1, 1, 1], padding: [0, 0, 0] },
    Geometry { name: "strided", input: [3, 5, 7], kernel: [2, 3, 4], stride: [1, 2, 3], padding: [0, 1, 2] },
    // The last cells of the input are not used.
    Geometry { name: "remainder", input: [4, 6, 6], kernel: [2, 3, 2], stride: [3, 2, 3], padding: [0, 0, 0] },
    Geometry { name: "halving", input: [3, 5, 7], kernel: [4, 4, 4], stride: [2, 2, 2], padding: [1, 1, 1] },
    Geometry { name: "gaps", input: [3, 4, 9], kernel: [1, 2, 2], stride: [2, 3, 4], padding: [0, 1, 1] },
    Geometry { name: "wide kernel", input: [1, 2, 9], kernel: [1, 1, 7], stride: [1, 1, 1], padding: [0, 0, 3] },
    // One voxel to or from all others.
    Geometry { name: "whole", input: [2, 3, 5], kernel: [2, 3, 5], stride: [1, 2, 1], padding: [0, 0, 0] },
    Geometry { name: "more padding than kernel", input: [1, 3, 2], kernel: [1, 2, 2], stride: [1, 1, 2], padding: [1, 2, 3] },
];

/// (inputs, outputs, showers): vectors of showers and without, few channels and more than a tile.
const SIZES: &[(usize, usize, usize)] = &[(1, 2, 1), (3, 5, 3), (2, 9, 4), (5, 3, 8)];

pub fn conv(x: &Nd, w: &Nd, b: Option<&Nd>, g: &ConvSpec) -> Nd {
    let out = |i: usize| (x.shape[1 + i] + 2 * g.padding[i] - w.shape[2 + i]) / g.stride[i] + 1;
    Nd::build(&[w.shape[0], out(0), out(1), out(2), x.shape[4]], |at| {
        let mut sum = b.map_or(0.0, |b| b.at(&at[..1]));
        let from =
            |i: usize, k: usize| (at[1 + i] * g.stride[i] + k) as isize - g.padding[i] as isize;
        for l in 0..w.shape[1] {
            for a in 0..w.shape[2] {
                for b in 0..w.shape[3] {
                    for c in 0..w.shape[4] {
                        let v = [
                            l as isize,
                            from(0, a),
                            from(1, b),
                            from(2, c),
                            at[4] as isize,
                        ];
                        sum += w.at(&[at[0], l, a, b, c]) * x.get(&v);
                    }
                }
            }
        }
        sum
    })
}

/// By scattering: what each input cell adds to the output.
pub fn conv_transpose(x: &Nd, w: &Nd, b: Option<&Nd>, g: &ConvSpec, extra: [usize; 3]) -> Nd {
    let out = |i: usize| {
        (x.shape[1 + i] - 1) * g.stride[i] + w.shape[2 + i] + extra[i] - 2 * g.padding[i]
    };
    let shape = [w.shape[1], out(0), out(1), out(2), x.shape[4]];
    let mut y = Nd::build(&shape, |at| b.map_or(0.0, |b| b.at(&at[..1])));
    x.each(|at, v| {
        w.each(|k, weight| {
            if k[0] != at[0] {
                return;
            }
            let to = |i: usize| (at[1 + i] * g.stride[i] + k[2 + i]).checked_sub(g.padding[i]);
            if let (Some(d), Some(h), Some(w)) = (to(0), to(1), to(2))
                && d < shape[1]
                && h < shape[2]
                && w < shape[3]
            {
                *y.at_mut(&[k[1], d, h, w, at[4]]) += v * weight;
            }
        });
    });
    y
}

/// Length of the longest sum in the value and the gradients.
fn terms(g: &Geometry, inputs: usize, outputs: usize, n: usize) -> usize {
    let taps: usize = g.kernel.iter().product();
    let voxels: usize = g.input.iter().product();
    (inputs.max(outputs) * taps).max(n * voxels)
}

#[test]
fn convolutions() {
    for g in GEOMETRIES {
        for &(l, s, n) in SIZES {
            let (spec, [d, h, w], [kd, kh, kw]) = (g.spec(), g.input, g.kernel);
            let name = format!("conv {}, {l} to {s}, batch {n}", g.name);
            let inputs: [&[usize]; 3] = [&[l, d, h, w, n], &[s, l, kd, kh, kw], &[s]];
            let row = Row {
                name: &name,
                inputs: &inputs,
                terms: terms(g, l, s, n),
            };
            row.check(
                |v| v[0].conv(v[1], Some(v[2]), &spec),
                |x| conv(&x[0], &x[1], Some(&x[2]), &spec),
            );
        }
    }
}

#[test]
fn plain_convolutions() {
    for g in GEOMETRIES {
        let (spec, [d, h, w], [kd, kh, kw]) = (g.spec(), g.input, g.kernel);
        let inputs: [&[usize]; 2] = [&[3, d, h, w, 3], &[2, 3, kd, kh, kw]];
        let row = Row {
            name: g.name,
            inputs: &inputs,
            terms: terms(g, 3, 2, 3),
        };
        row.within(-1.0, 1.0).plain().check(
            |v| v[0].conv(v[1], None, &spec),
            |x| conv(&x[0], &x[1], None, &spec),
        );
    }
}

/// Transposed: the input extents are those of the small side, with the largest output padding that the strides allow
/// and with none.
#[test]
fn transposed_convolutions() {
    for g in GEOMETRIES
        .iter()
        .filter(|g| g.name != "more padding than kernel")
    {
        for (i, &(s, l, n)) in SIZES.iter().enumerate() {
            let spec = g.spec();
            let extra = if i % 2 == 0 {
                [0; 3]
            } else {
                g.stride.map(|s| s - 1)
            };
            let ([d, h, w], [kd, kh, kw]) = ([2, 1, 3], g.kernel);
            if (0..3).any(|a| ([d, h, w][a] - 1) * g.stride[a] + g.kernel[a] <= 2 * g.padding[a]) {
                continue;
            }
            let name = format!("conv_transpose {}, {s} to {l}, batch {n}", g.name);
            let inputs: [&[usize]; 3] = [&[s, d, h, w, n], &[s, l, kd, kh, kw], &[l]];
            let row = Row {
                name: &name,
                inputs: &inputs,
                terms: 4 * terms(g, l, s, n),
            };
            let oracle = |x: &[Nd]| conv_transpose(&x[0], &x[1], Some(&x[2]), &spec, extra);
            let drawn = row.within(-1.0, 1.0);
            let drawn = if i == 1 { drawn.plain() } else { drawn };
            drawn.check(
                |v| v[0].conv_transpose(v[1], Some(v[2]), &spec, extra),
                oracle,
            );
        }
    }
}

#[test]
fn second_order() {
    for g in &GEOMETRIES[3..6] {
        let (spec, [kd, kh, kw]) = (g.spec(), g.kernel);
        let [d, h, w] = g.input.map(|e| e.clamp(2, 4));
        let inputs: [&[usize]; 3] = [&[2, d, h, w, 2], &[3, 2, kd, kh, kw], &[3]];
        let row = Row {
            name: g.name,
            inputs: &inputs,
            terms: 8 * terms(g, 2, 3, 2),
        };
        row.check_second(
            |v| v[0].conv(v[1], Some(v[2]), &spec).sigmoid(),
            |x| conv(&x[0], &x[1], Some(&x[2]), &spec).map(|v| 1.0 / (1.0 + (-v).exp())),
        );
    }
    let spec = ConvSpec {
        stride: [1, 2, 3],
        padding: [0, 1, 1],
    };
    let inputs: [&[usize]; 2] = [&[3, 1, 2, 2, 2], &[3, 2, 2, 3, 4]];
    Row {
        name: "conv_transpose",
        inputs: &inputs,
        terms: 500,
    }
    .check_second(
        |v| v[0].conv_transpose(v[1], None, &spec, [0, 1, 0]).tanh(),
        |x| conv_transpose(&x[0], &x[1], None, &spec, [0, 1, 0]).map(f64::tanh),
    );
}

/// An activation is computed on the way out.
#[test]
fn activations() {
    let spec = ConvSpec {
        stride: [1, 1, 2],
        padding: [1, 1, 1],
    };
    let inputs: [&[usize]; 3] = [&[2, 2, 3, 5, 4], &[3, 2, 3, 3, 3], &[3]];
    for slope in [0.0f32, 0.2] {
        let name = format!("conv and leaky_relu {slope}");
        let row = Row {
            name: &name,
            inputs: &inputs,
            terms: 300,
        };
        let oracle = |x: &[Nd]| {
            let y = conv(&x[0], &x[1], Some(&x[2]), &spec);
            y.map(|v| if v > 0.0 { v } else { f64::from(slope) * v })
        };
        row.check(
            |v| v[0].conv(v[1], Some(v[2]), &spec).leaky_relu(slope),
            oracle,
        );
        row.within(-1.0, 1.0).plain().check(
            |v| v[0].conv(v[1], Some(v[2]), &spec).leaky_relu(slope),
            oracle,
        );
    }
    let tape = Tape::new();
    let (x, w) = (
        tape.input("x", &[2, 1, 1, 5, 4]),
        tape.input("w", &[3, 2, 1, 1, 3]),
    );
    let y = x.conv(w, None, &ConvSpec::default()).relu();
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    assert!(
        program.plan().steps.iter().all(|s| s.kernel != "map"),
        "{}",
        program.plan()
    );
}

/// `<conv(x), y> = <x, conv_transpose(y)>` at sizes that fill tiles.
#[test]
fn adjoints() {
    let spec = ConvSpec {
        stride: [2, 1, 2],
        padding: [1, 2, 0],
    };
    let x = Nd::random(&[13, 5, 9, 11, 12], 1);
    let w = Nd::random(&[20, 13, 3, 5, 4], 2);
    let y = Nd::random(&[20, 3, 9, 4, 12], 3);
    let found = evaluate(&[x, w, y], |_, v| {
        let forth = v[0].conv(v[1], None, &spec) * v[2];
        // 11 = (4 - 1) 2 + 4 + 1
        let back = v[2].conv_transpose(v[1], None, &spec, [0, 0, 1]) * v[0];
        vec![forth.sum_all(), back.sum_all(), forth.square().mean_all()]
    });
    let size = f64::from(found[2][0] * (20 * 3 * 9 * 4 * 12) as f32).sqrt();
    close("adjoint", &found[0], &[f64::from(found[1][0])], 1e-6 * size);
}

/// The plain kernel is the oracle where f64 loops are too slow; sizes of the models.
#[test]
fn tiled_agrees_with_plain() {
    type Case = (&'static str, [usize; 5], [usize; 5], [usize; 3], [usize; 3]);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("critic", [1, 30, 15, 15, 4], [16, 1, 4, 4, 4], [2, 2, 2], [1, 1, 1]),
        ("middle", [32, 7, 7, 7, 8], [64, 32, 3, 3, 3], [1, 1, 1], [1, 1, 1]),
        ("deep", [128, 1, 2, 2, 3], [130, 128, 1, 2, 2], [1, 1, 1], [0, 0, 0]),
        ("dense", [300, 1, 1, 1, 16], [70, 300, 1, 1, 1], [1, 1, 1], [0, 0, 0]),
        ("dense with many columns", [20, 3, 5, 7, 13], [9, 20, 1, 1, 1], [1, 1, 1], [0, 0, 0]),
        ("one shower", [24, 6, 6, 9, 1], [12, 24, 3, 3, 3], [1, 1, 1], [1, 1, 1]),
        ("one output", [6, 3, 13, 11, 8], [1, 6, 2, 4, 5], [1, 1, 1], [1, 1, 2]),
        ("one output of long rows", [5, 2, 7, 19, 12], [1, 5, 1, 3, 9], [1, 1, 1], [0, 2, 0]),
        ("from one output", [1, 3, 13, 11, 8], [7, 1, 3, 3, 5], [1, 1, 1], [1, 2, 0]),
        // Tiles of twelve outputs, the last of which are not there; and of sixteen.
        ("ten outputs", [10, 3, 5, 7, 12], [10, 10, 3, 2, 4], [1, 1, 1], [1, 0, 1]),
        ("twenty outputs", [20, 3, 5, 7, 3], [20, 20, 1, 3, 3], [1, 2, 1], [0, 1, 1]),
        ("fourteen outputs", [14, 1, 9, 5, 16], [14, 14, 1, 3, 3], [1, 1, 1], [0, 1, 1]),
        // Walked in another order of axes.
        ("most taps along d", [3, 11, 6, 7, 8], [5, 3, 7, 2, 2], [1, 2, 2], [2, 1, 0]),
        ("most taps along h", [4, 3, 12, 5, 3], [6, 4, 2, 5, 2], [2, 1, 2], [0, 1, 1]),
        ("one output, most taps along d", [5, 12, 7, 6, 4], [1, 5, 6, 3, 2], [1, 1, 1], [1, 0, 1]),
        ("stride of two", [6, 9, 7, 14, 8], [9, 6, 2, 3, 4], [2, 2, 2], [0, 1, 1]),
        ("stride of three, few outputs", [5, 2, 3, 40, 12], [3, 5, 1, 2, 10], [1, 1, 3], [0, 1, 4]),
        ("stride of two along d", [4, 15, 5, 3, 3], [17, 4, 6, 2, 2], [2, 2, 1], [3, 0, 1]),
        ("one shower, most taps along d", [4, 9, 5, 7, 1], [3, 4, 5, 1, 3], [1, 1, 3], [2, 0, 1]),
    ];
    for &(name, x, w, stride, padding) in cases {
        let spec = ConvSpec { stride, padding };
        let (xs, ws) = (Nd::random(&x, 4).f32(), Nd::random(&w, 5).f32());
        let run = |plain: bool| {
            let tape = Tape::new();
            let v = [tape.input("x", &x), tape.input("w", &w)];
            let y = v[0].conv(v[1], None, &spec);
            let c = tape.constant(&Nd::random(&y.shape(), 6).f32(), &y.shape());
            let g = tape.pullback(&[(y, c)], &v);
            let outputs = [("y", y), ("dx", g[0]), ("dw", g[1])];
            let options = calogen::tape::Options { plain, ..POISON };
            let program = tape.compile(gpu(), &outputs, options).unwrap();
            program.set("x", &xs).unwrap();
            program.set("w", &ws).unwrap();
            program.run().unwrap();
            ["y", "dx", "dw"].map(|n| program.read(n).unwrap())
        };
        let (tiled, plain) = (run(false), run(true));
        // Terms of the longest sum: the weight gradient's.
        let terms = (x[1] * x[2] * x[3] * x[4]).max(w[0].max(w[1]) * w[2] * w[3] * w[4]);
        for (what, (t, p)) in ["y", "dx", "dw"].iter().zip(tiled.iter().zip(&plain)) {
            let want: Vec<f64> = p.iter().map(|&v| f64::from(v)).collect();
            let tolerance = 8.0 * f64::from(f32::EPSILON) * (terms as f64).sqrt();
            close(
                &format!("{name} {what}"),
                t,
                &want,
                tolerance * crate::common::rms(&want),
            );
        }
    }
}

fn dense(x: &Nd, w: &Nd, b: Option<&Nd>) -> Nd {
    let mut shape = x.shape.clone();
    shape[0] = w.shape[0];
    Nd::build(&shape, |at| {
        let mut from = at.to_vec();
        let sum: f64 = (0..w.shape[1])
            .map(|i| {
                from[0] = i;
                w.at(&[at[0], i]) * x.at(&from)
            })
            .sum();
        sum + b.map_or(0.0, |b| b.at(&at[..1]))
    })
}

#[test]
fn linear() {
    for (x, w) in [
        (&[7, 5][..], [3, 7]),
        (&[1, 1], [1, 1]),
        (&[65, 8], [17, 65]),
        (&[130, 3], [9, 130]),
        (&[3, 2, 5], [4, 3]),
        (&[6], [5, 6]),
    ] {
        let name = format!("linear {w:?} on {x:?}");
        let terms = w[0].max(w[1]).max(x[1..].iter().product());
        let row = Row {
            name: &name,
            inputs: &[x, &w, &w[..1]],
            terms,
        };
        row.check(
            |v| v[0].linear(v[1], Some(v[2])),
            |x| dense(&x[0], &x[1], Some(&x[2])),
        );
    }
    let row = Row {
        name: "linear",
        inputs: &[&[4, 3], &[2, 4]],
        terms: 50,
    };
    row.check_second(
        |v| v[0].linear(v[1], None).tanh(),
        |x| dense(&x[0], &x[1], None).map(f64::tanh),
    );
}

#[test]
fn errors_name_op_shapes_and_place() {
    type Wrong = for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>;
    let cases: &[(&str, Wrong)] = &[
        // x [2, 3, 4, 5, 6], w [3, 2, 2, 2, 2]
        (
            "conv: the kernel is larger than the padded input",
            |x, w| x.slice(1, 0, 1).conv(w, None, &ConvSpec::default()),
        ),
        (
            "conv: operands do not fit each other: [[3, 3, 4, 5, 6]",
            |x, w| Var::concat(&[x, x.slice(0, 0, 1)], 0).conv(w, None, &ConvSpec::default()),
        ),
        ("conv: expected a bias of [3], got [6]", |x, w| {
            x.conv(
                w,
                Some(x.slice(0, 0, 1).sum(&[0, 1, 2, 3])),
                &ConvSpec::default(),
            )
        }),
        (
            "conv: expected [C,D,H,W,N] and five axes of weights",
            |x, w| x.conv(w.reshape(&[3, 2, 8]), None, &ConvSpec::default()),
        ),
        ("conv_transpose: operands do not fit each other", |x, w| {
            x.conv_transpose(w, None, &ConvSpec::default(), [0; 3])
        }),
        ("conv: expected a bias of [3], got [3, 2, 3, 4]", |x, w| {
            let cells = x.tape().full(1.0, &[3, 2, 3, 4]);
            x.conv(w, Some(cells), &ConvSpec::default())
        }),
        ("linear: expected x [I,..,N] and weights [O,I]", |x, w| {
            x.linear(w.reshape(&[6, 8]), None)
        }),
    ];
    for (start, f) in cases {
        let tape = Tape::new();
        let y = f(
            tape.input("x", &[2, 3, 4, 5, 6]),
            tape.input("w", &[3, 2, 2, 2, 2]),
        );
        let error = tape
            .compile(gpu(), &[("y", y)], POISON)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(start), "{error}");
        assert!(error.contains("tests/ops/conv.rs:"), "{error}");
    }
}

/// Padding that leaves nothing of a result.
#[test]
fn a_result_without_elements_is_named() {
    let tape = Tape::new();
    let (x, w) = (
        tape.input("x", &[2, 1, 1, 1, 3]),
        tape.input("w", &[2, 3, 1, 2, 2]),
    );
    let spec = ConvSpec {
        padding: [0, 1, 1],
        ..ConvSpec::default()
    };
    let y = x.conv_transpose(w, None, &spec, [0; 3]);
    let error = tape.compile(gpu(), &[("y", y)], POISON);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("[3, 1, 0, 0, 3]"), "{error}");
}

/// Whichever tile is taken, the sums are made in the same order: tuning changes no bit.
#[test]
fn every_tile_gives_the_same_bits() {
    for (name, outputs, transposed, batch) in [
        ("same", 9, false, 12),
        ("halving", 5, true, 12),
        ("strided", 17, false, 12),
        ("same", 10, false, 12),
        // Not by fours: the other kernel.
        ("same", 9, false, 3),
        ("halving", 5, true, 1),
    ] {
        let g = GEOMETRIES.iter().find(|g| g.name == name).unwrap();
        let (spec, [d, h, w], [kd, kh, kw]) = (g.spec(), g.input, g.kernel);
        let x = Nd::random(&[3, d, h, w, batch], 1);
        let kernel = match transposed {
            true => [3, outputs, kd, kh, kw],
            false => [outputs, 3, kd, kh, kw],
        };
        let weight = Nd::random(&kernel, 2);
        let run = |trial: Option<usize>| {
            let tape = Tape::new();
            let x_in = tape.input("x", &x.shape);
            let weight = tape.constant(&weight.f32(), &kernel);
            let y = match transposed {
                true => x_in.conv_transpose(weight, None, &spec, [0; 3]),
                false => x_in.conv(weight, None, &spec),
            };
            let options = calogen::tape::Options {
                trial,
                frozen: true,
                ..POISON
            };
            let program = tape.compile(gpu(), &[("y", y)], options).unwrap();
            program.set("x", &x.f32()).unwrap();
            program.run().unwrap();
            let grid = program.plan().steps.last().unwrap().grid;
            (program.read("y").unwrap(), grid)
        };
        let (first, grid) = run(Some(0));
        let mut other_grids = 0;
        // Candidates by nearness to the default: these are near and far.
        for trial in [1, 2, 3, 5, 8, 13] {
            let (got, other) = run(Some(trial));
            assert_eq!(got, first, "{name}: candidate {trial}");
            other_grids += usize::from(other != grid);
        }
        assert!(
            other_grids > 1,
            "{name}, {batch}: hardly another tile was tried"
        );
    }
}

/// Layers of one output, whose lanes take neighbours along h and w together where there are enough of them.
#[test]
fn a_shower_of_one_output_is_the_same_in_any_batch() {
    const ALL: usize = 16;
    type Case = (&'static str, bool, [usize; 5], [usize; 5], [usize; 3]);
    let cases: &[Case] = &[
        (
            "conv",
            false,
            [3, 3, 13, 11, ALL],
            [1, 3, 2, 5, 3],
            [1, 1, 1],
        ),
        (
            "conv_transpose",
            true,
            [3, 2, 6, 7, ALL],
            [3, 1, 3, 4, 4],
            [1, 2, 2],
        ),
        (
            "most taps along d",
            false,
            [3, 9, 5, 6, ALL],
            [1, 3, 5, 3, 2],
            [1, 1, 1],
        ),
        (
            "conv_transpose, most taps along h",
            true,
            [3, 3, 6, 4, ALL],
            [3, 1, 3, 7, 4],
            [2, 1, 2],
        ),
        (
            "stride along h",
            false,
            [3, 2, 13, 11, ALL],
            [1, 3, 2, 5, 3],
            [1, 2, 1],
        ),
    ];
    for &(name, transposed, x, kernel, stride) in cases {
        let spec = ConvSpec {
            stride,
            padding: [1, 2, 1],
        };
        let values = Nd::random(&x, 3).f32();
        let weight = Nd::random(&kernel, 4).f32();
        let run = |showers: std::ops::Range<usize>| {
            let n = showers.len();
            let shape = [x[0], x[1], x[2], x[3], n];
            let tape = Tape::new();
            let (x_in, w) = (tape.input("x", &shape), tape.constant(&weight, &kernel));
            let y = match transposed {
                true => x_in.conv_transpose(w, None, &spec, [0; 3]),
                false => x_in.conv(w, None, &spec),
            };
            let options = calogen::tape::Options {
                frozen: true,
                ..POISON
            };
            let program = tape.compile(gpu(), &[("y", y)], options).unwrap();
            let part: Vec<f32> = (values.chunks(ALL).flat_map(|row| &row[showers.clone()]))
                .copied()
                .collect();
            program.set("x", &part).unwrap();
            program.run().unwrap();
            program.read("y").unwrap()
        };
        let all = run(0..ALL);
        for showers in [0..1, 2..5, 4..12, 13..16] {
            let want: Vec<f32> = (all.chunks(ALL).flat_map(|row| &row[showers.clone()]))
                .copied()
                .collect();
            assert_eq!(run(showers.clone()), want, "{name}: {showers:?}");
        }
    }
}
