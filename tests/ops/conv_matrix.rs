//! The tier of cooperative matrices against the definition, where the adapter has them; where it has none, that it says so.
//!
//! Two tests bound it. With operands that f16 holds exactly and sums that f32 holds exactly, nothing is rounded in any
//! order: the result must equal the f64 oracle to the bit. With random operands each of a sum's K products carries the
//! rounding of two operands, 2^-11 each; these add up as a random walk, as the products do, so the error of a sum is some
//! 2^-10.5 of the sums' size whatever K. The tolerance is eight times 2^-11 of their root mean square.

use calogen::gpu::Tier;
use calogen::ops::ConvSpec;
use calogen::tape::{Options, Tape, Var};

use crate::common::{Nd, POISON, Random, close, gpu, run_planned};
use crate::conv::{conv, conv_transpose};
use crate::matmul::matmul;

const MATRIX: Options = Options {
    tier: Tier::Matrix,
    frozen: true,
    ..POISON
};

/// Whether the adapter has the tier. If not, it must be refused.
fn offered() -> bool {
    let about = gpu().capabilities();
    if about.matrix.is_some() {
        return true;
    }
    let tape = Tape::new();
    let y = tape.input("x", &[4, 4]).matmul(tape.input("w", &[4, 4]));
    let error = tape.compile(gpu(), &[("y", y)], MATRIX).unwrap_err();
    let text = error.to_string();
    for part in [
        "tier matrix needs",
        about.name.as_str(),
        "F16->F32",
        "has matrices: ",
    ] {
        assert!(text.contains(part), "no '{part}' in: {text}");
    }
    println!("not run: {text}");
    false
}

/// As [`run_planned`]; whether the matrix kernel ran instead of the plan.
fn run(
    inputs: &[&Nd],
    options: Options,
    f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
) -> (Vec<f32>, bool) {
    let (y, plan) = run_planned(inputs, options, f);
    let used = plan
        .steps
        .iter()
        .any(|s| s.kernel.starts_with("conv_matrix"));
    (y, used)
}

/// Multiples of 1/16 in [-1, 1): sums of 2^16 products of two are exact in f32.
pub(crate) fn sixteenths(shape: &[usize], random: &mut Random) -> Nd {
    let count = shape.iter().product();
    let data = (0..count).map(|_| random.below(32) as f64 / 16.0 - 1.0);
    Nd::new(shape, data.collect())
}

pub(crate) fn uniform(shape: &[usize], random: &mut Random) -> Nd {
    let count = shape.iter().product();
    let data = (0..count).map(|_| f64::from(random.uniform() as f32));
    Nd::new(shape, data.collect())
}

fn tolerance(want: &Nd) -> f64 {
    let square = want.data.iter().map(|v| v * v).sum::<f64>() / want.data.len() as f64;
    8.0 * 2f64.powi(-11) * square.sqrt()
}

fn leaky(v: f64) -> f64 {
    if v < 0.0 { 0.25 * v } else { v }
}

/// One layer: channels, extents, batch.
pub(crate) struct Layer {
    pub(crate) name: String,
    x: Vec<usize>,
    w: Vec<usize>,
    channels: usize,
    spec: ConvSpec,
    transposed: Option<[usize; 3]>,
}

impl Layer {
    /// Odd, unequal extents; kernel, stride and padding of their own on each axis.
    pub(crate) fn random(
        random: &mut Random,
        sizes: (usize, usize, usize),
        transposed: bool,
    ) -> Self {
        let (inputs, outputs, batch) = sizes;
        let pick = |random: &mut Random, of: &[usize]| of[random.below(of.len())];
        let axes = [0; 3];
        let kernel = axes.map(|_| 1 + random.below(4));
        let stride = axes.map(|_| 1 + random.below(3));
        let input = axes.map(|_| pick(random, &[1, 2, 3, 5]));
        let mut padding = kernel.map(|k| random.below(k));
        let mut extra = [0; 3];
        let mut x = vec![inputs];
        for a in 0..3 {
            if transposed {
                extra[a] = random.below(stride[a]);
                if (input[a] - 1) * stride[a] + kernel[a] + extra[a] <= 2 * padding[a] {
                    padding[a] = 0;
                }
                x.push(input[a]);
            } else {
                x.push(input[a].max(kernel[a]));
            }
        }
        x.push(batch);
        let mut w = match transposed {
            true => vec![inputs, outputs],
            false => vec![outputs, inputs],
        };
        w.extend(kernel);
        let spec = ConvSpec { stride, padding };
        Self {
            name: format!("{x:?} with {w:?}, {spec:?}, transposed: {transposed}"),
            x,
            w,
            channels: outputs,
            spec,
            transposed: transposed.then_some(extra),
        }
    }

    pub(crate) fn draw(
        &self,
        random: &mut Random,
        of: impl Fn(&[usize], &mut Random) -> Nd,
    ) -> [Nd; 3] {
        [
            of(&self.x, random),
            of(&self.w, random),
            of(&[self.channels], random),
        ]
    }

    pub(crate) fn want(&self, [x, w, b]: &[Nd; 3]) -> Nd {
        match self.transposed {
            Some(extra) => conv_transpose(x, w, Some(b), &self.spec, extra),
            None => conv(x, w, Some(b), &self.spec),
        }
        .map(leaky)
    }

    /// The layer of `x`, weights and bias, with its activation.
    pub(crate) fn record<'t>(&self, [x, w, b]: [Var<'t>; 3]) -> Var<'t> {
        match self.transposed {
            Some(extra) => x.conv_transpose(w, Some(b), &self.spec, extra),
            None => x.conv(w, Some(b), &self.spec),
        }
        .leaky_relu(0.25)
    }

    fn run(&self, inputs: &[Nd; 3], options: Options) -> (Vec<f32>, bool) {
        run(&inputs.each_ref(), options, |v| {
            self.record([v[0], v[1], v[2]])
        })
    }
}

/// (inputs, outputs, showers): fewer channels than a matrix and more than a tile, batches with and without whole vectors.
pub(crate) const SIZES: &[(usize, usize, usize)] = &[
    (17, 8, 8),
    (3, 19, 5),
    (9, 33, 12),
    (23, 65, 1),
    (31, 13, 11),
    (8, 71, 4),
    (16, 16, 16),
    (5, 37, 24),
];

#[test]
fn exact_operands_give_exact_sums() {
    if !offered() {
        return;
    }
    let mut random = Random(11);
    let mut used = 0;
    for transposed in [false, true] {
        for &sizes in SIZES {
            let layer = Layer::random(&mut random, sizes, transposed);
            let inputs = layer.draw(&mut random, sixteenths);
            let (got, by_matrices) = layer.run(&inputs, MATRIX);
            used += usize::from(by_matrices);
            close(&layer.name, &got, &layer.want(&inputs).data, 0.0);
        }
    }
    // Some draws have fewer terms than a matrix.
    assert!(used > SIZES.len(), "{used} layers by matrices");
}

/// A lane keeps a bit for each tap of an axis, and one to spare.
#[test]
fn kernels_of_thirty_one_taps_an_axis() {
    if !offered() {
        return;
    }
    let mut random = Random(12);
    for (axis, taps, transposed) in [
        (0, 31, false),
        (1, 31, true),
        (2, 31, false),
        (2, 32, false),
        (0, 32, true),
    ] {
        let (mut extents, mut kernel) = ([2, 3, 1], [1, 2, 1]);
        (extents[axis], kernel[axis]) = (if transposed { 9 } else { 33 }, taps);
        let mut spec = ConvSpec::default();
        (spec.stride[axis], spec.padding[axis]) = (2, 15);
        let channels = if transposed { [7, 19] } else { [19, 7] };
        let layer = Layer {
            name: format!("{taps} taps along axis {axis}, transposed: {transposed}"),
            x: [&[7], &extents[..], &[5]].concat(),
            w: [&channels[..], &kernel].concat(),
            channels: 19,
            spec,
            transposed: transposed.then_some([0; 3]),
        };
        let inputs = layer.draw(&mut random, sixteenths);
        let (got, by_matrices) = layer.run(&inputs, MATRIX);
        assert_eq!(by_matrices, taps < 32, "{}", layer.name);
        close(&layer.name, &got, &layer.want(&inputs).data, 0.0);
    }
}

#[test]
fn rounding_is_that_of_the_operands() {
    if !offered() {
        return;
    }
    let mut random = Random(12);
    for (i, &sizes) in SIZES[..5].iter().enumerate() {
        let layer = Layer::random(&mut random, sizes, i % 2 == 1);
        let inputs = layer.draw(&mut random, uniform);
        let want = layer.want(&inputs);
        let (got, _) = layer.run(&inputs, MATRIX);
        let (portable, _) = layer.run(&inputs, POISON);
        let worst = close(&layer.name, &got, &want.data, tolerance(&want));
        let portable: Vec<f64> = portable.iter().map(|&v| v.into()).collect();
        close(&layer.name, &got, &portable, tolerance(&want));
        println!("{}: {:.1} % of the tolerance", layer.name, 100.0 * worst);
    }
}

#[test]
fn dense_layers_and_stacks_of_products() {
    if !offered() {
        return;
    }
    let mut random = Random(13);
    for (n, k, m) in [(33, 129, 7), (8, 500, 64), (70, 16, 3)] {
        let (a, b) = (
            sixteenths(&[n, k], &mut random),
            sixteenths(&[k, m], &mut random),
        );
        let (got, used) = run(&[&a, &b], MATRIX, |v| v[0].matmul(v[1]));
        close("product", &got, &matmul(&a, &b).data, 0.0);
        assert!(used, "{n} {k} {m}: not by matrices");
    }
    for (z, n, k, m) in [(3, 19, 17, 8), (2, 9, 31, 5)] {
        let a = sixteenths(&[z, n, k], &mut random);
        let b = sixteenths(&[z, k, m], &mut random);
        let (got, used) = run(&[&a, &b], MATRIX, |v| v[0].matmul(v[1]));
        close("stack", &got, &matmul(&a, &b).data, 0.0);
        assert!(used, "{z} {n} {k} {m}: not by matrices");
    }
}

/// A shower is the same, to the bit, beside any others: the tile changes, the order of a sum does not.
#[test]
fn a_shower_is_the_same_in_any_batch() {
    if !offered() {
        return;
    }
    let mut random = Random(14);
    let (w, b) = (
        uniform(&[40, 24, 3, 3, 3], &mut random),
        uniform(&[40], &mut random),
    );
    let whole = uniform(&[24, 3, 5, 7, 200], &mut random);
    let spec = ConvSpec {
        stride: [1, 2, 1],
        padding: [1, 0, 1],
    };
    let results: Vec<Vec<f32>> = [200, 40, 8, 3]
        .map(|batch| {
            let x = Nd::build(&[24, 3, 5, 7, batch], |at| whole.at(at));
            let (y, used) = run(&[&x, &w, &b], MATRIX, |v| {
                v[0].conv(v[1], Some(v[2]), &spec)
            });
            assert!(used, "not by matrices");
            y.chunks(batch)
                .map(|row| row[..3].to_vec())
                .collect::<Vec<_>>()
                .concat()
        })
        .into();
    for other in &results[1..] {
        assert_eq!(&results[0], other);
    }
}

#[test]
fn every_tile_gives_the_same_bits() {
    if !offered() {
        return;
    }
    let mut random = Random(15);
    for (transposed, batch) in [(false, 12), (true, 5)] {
        let layer = Layer::random(&mut random, (23, 71, batch), transposed);
        let inputs = layer.draw(&mut random, uniform);
        let (first, used) = layer.run(&inputs, MATRIX);
        assert!(used, "{}: not by matrices", layer.name);
        for trial in [1, 2, 4, 7, 11, 17, 23, 29] {
            let options = Options {
                trial: Some(trial),
                ..MATRIX
            };
            let (got, _) = layer.run(&inputs, options);
            assert_eq!(got, first, "{}: candidate {trial}", layer.name);
        }
    }
}
