//! Chains of like layers computed side by side (`tape/simplify/siblings`): the results are those of the chains one by one, to
//! the bit, and what is not alike stays as it is.

use calogen::gpu::Tier;
use calogen::ops::ConvSpec;
use calogen::tape::{Options, Plan, Tape, Var};

use crate::common::{POISON, Random, gpu};
use crate::simplify::{Given, count, same};

/// Extents of a chain of layers as the towers of a generator have them.
#[derive(Clone, Copy, Debug)]
struct Chain {
    inputs: usize,
    channels: [usize; 3],
    cells: [usize; 2],
    kernel: [usize; 2],
    batch: usize,
}

impl Chain {
    fn random(random: &mut Random, batch: usize) -> Self {
        let mut draw = |low: usize, high: usize| low + random.below(high - low + 1);
        Self {
            inputs: draw(3, 13),
            channels: [draw(1, 5), draw(2, 17), draw(1, 3)],
            cells: [draw(2, 4), draw(2, 5)],
            kernel: [draw(2, 3), draw(1, 4)],
            batch,
        }
    }

    /// Dense, transposed convolution with a bias of each cell, convolution with a bias, and a factor that differs.
    fn record<'t>(&self, g: &Given<'t>, x: Var<'t>, factor: f32) -> Var<'t> {
        let ([a, b, c], [h, w], [kh, kw]) = (self.channels, self.cells, self.kernel);
        let of = |shape: &[usize]| g.state(shape);
        let y = x.linear(of(&[a * h * w, self.inputs]), Some(of(&[a * h * w])));
        let y = y.leaky_relu(0.2).reshape(&[a, 1, h, w, self.batch]);
        let up = ConvSpec::of2d([2, 1], [0, 0]);
        let y = y.conv_transpose(of(&[a, b, 1, kh, kw]), None, &up, [0, 1, 0]);
        let cells = y.shape();
        let y = (y + of(&[&cells[..4], &[1]].concat())).leaky_relu(0.1);
        let y = y.conv(of(&[c, b, 1, 2, 1]), Some(of(&[c])), &ConvSpec::default());
        y.relu() * factor
    }
}

const FROZEN: Options = Options {
    frozen: true,
    ..POISON
};

/// The results of chains one by one and joined, to the bit, and the plan of the latter.
fn both(
    options: Options,
    chains: impl for<'t> Fn(&Given<'t>) -> Vec<Var<'t>>,
) -> ([Vec<u32>; 2], Plan) {
    let run = |join: bool| {
        let tape = Tape::new();
        let g = Given::new(&tape);
        let made = match join {
            true => vec![Var::concat(&chains(&g), 0)],
            false => chains(&g),
        };
        let names: Vec<String> = (0..made.len()).map(|i| i.to_string()).collect();
        let outputs: Vec<_> = names.iter().map(String::as_str).zip(made).collect();
        let program = tape.compile(gpu(), &outputs, options).unwrap();
        g.set(&program);
        program.run().unwrap();
        let read = |name: &String| program.read(name).unwrap();
        let bits: Vec<u32> = names.iter().flat_map(read).map(f32::to_bits).collect();
        (bits, program.plan().clone())
    };
    let ((one, _), (all, plan)) = (run(false), run(true));
    ([one, all], plan)
}

#[test]
fn as_one_by_one_to_the_bit() {
    let mut random = Random(11);
    let mut tiers = vec![Tier::Portable];
    tiers.extend(gpu().capabilities().f16.then_some(Tier::Half));
    tiers.extend((gpu().capabilities().matrix).map(|_| Tier::Matrix));
    for tier in tiers {
        let options = Options { tier, ..FROZEN };
        for batch in [1, 3, 8, 36] {
            let mut chain = Chain::random(&mut random, batch);
            if tier != Tier::Portable {
                // Enough outputs for a matrix, and enough cells that each chain by itself is kept as f16 too.
                (chain.channels, chain.cells) = ([5, 19, 9], [4, 5]);
            }
            let count_of = 2 + random.below(6);
            let ([one, all], plan) = both(options, |g| {
                let x = g.input(&[chain.inputs, batch]);
                (0..count_of).map(|_| chain.record(g, x, 1.0)).collect()
            });
            let what = format!("{tier}, {count_of} of {chain:?}: {plan}");
            assert_eq!(one, all, "{what}");
            assert_eq!(
                (count(&plan, "conv"), count(&plan, "move")),
                (3, 0),
                "{what}"
            );
            if tier == Tier::Matrix {
                assert!(count(&plan, "conv_matrix") > 0, "{what}");
            }
        }
    }
}

#[test]
fn against_the_program_as_recorded() {
    let mut random = Random(5);
    for batch in [1, 4, 7] {
        let chain = Chain::random(&mut random, batch);
        let plan = same(&format!("{chain:?}"), 20 * chain.inputs, |g| {
            let x = g.input(&[chain.inputs, batch]);
            let chains = [(); 5].map(|()| chain.record(g, x, 0.5));
            Var::concat(&chains, 0).square()
        });
        assert_eq!(count(&plan, "conv"), 3, "{plan}");
    }
}

/// A factor behind the towers, which one layer of several groups cannot take into its weights.
#[test]
fn a_factor_behind_transposed_convolutions() {
    for b in [1, 2] {
        let plan = same(&format!("{b} channels"), 100, |g| {
            let x = g.input(&[7, 5]);
            let towers = [(); 2].map(|()| {
                let y = x
                    .linear(g.state(&[3 * 6, 7]), None)
                    .relu()
                    .reshape(&[3, 1, 2, 3, 5]);
                let up = ConvSpec::of2d([1, 2], [0, 0]);
                y.conv_transpose(g.state(&[3, b, 1, 3, 3]), None, &up, [0; 3])
            });
            Var::concat(&towers, 0) * 0.5
        });
        assert_eq!(count(&plan, "conv"), 2, "{plan}");
    }
}

#[test]
fn what_differs_stays() {
    let chain = Chain::random(&mut Random(3), 5);
    let convolutions = |network: &dyn for<'t> Fn(&Given<'t>, Var<'t>) -> Var<'t>| {
        let plan = same("different chains", 20 * chain.inputs, |g| {
            network(g, g.input(&[chain.inputs, 5]))
        });
        count(&plan, "conv")
    };
    // Another number at the end; another number of channels; a chain that is read elsewhere too.
    assert_eq!(
        convolutions(&|g, x| Var::concat(&[chain.record(g, x, 1.0), chain.record(g, x, 2.0)], 0)),
        6
    );
    let mut wider = chain;
    wider.channels[1] += 1;
    assert_eq!(
        convolutions(&|g, x| Var::concat(&[chain.record(g, x, 1.0), wider.record(g, x, 1.0)], 0)),
        6
    );
    assert_eq!(
        convolutions(&|g, x| {
            let (a, b) = (chain.record(g, x, 1.0), chain.record(g, x, 1.0));
            Var::concat(&[a, b], 0).sum_keep(&[0]) + a.sum_keep(&[0])
        }),
        6
    );
    // Each of an input of its own; along another axis; larger than one after the other is good for.
    assert_eq!(
        convolutions(&|g, x| {
            let other = g.input(&[chain.inputs, 5]);
            Var::concat(&[chain.record(g, x, 1.0), chain.record(g, other, 1.0)], 0)
        }),
        6
    );
    assert_eq!(
        convolutions(&|g, x| Var::concat(&[chain.record(g, x, 1.0), chain.record(g, x, 1.0)], 2)),
        6
    );
    let plan = same("many outputs", 3, |g| {
        let x = g.input(&[3, 2]);
        let layer = |_| x.linear(g.state(&[1 << 20, 3]), None).relu();
        Var::concat(&[0, 1, 2].map(layer), 0)
    });
    // What is too large for a processor is not for a GPU.
    let wanted = if gpu().capabilities().on_cpu { 3 } else { 1 };
    assert_eq!(count(&plan, "conv"), wanted, "{plan}");
}

#[test]
fn branches_of_one_input_and_stretched_operands() {
    // Convolutions of one input; a number of each part along all its channels; a shared one.
    let plan = |outputs: usize| {
        let ([one, all], plan) = both(FROZEN, |g| {
            let x = g.input(&[3, 1, 7, 6, 3]);
            let shared = g.input(&[1, 1, 7, 6, 3]);
            let branch = |_| {
                let spec = ConvSpec::of2d([1, 1], [1, 1]);
                let w = g.state(&[outputs, 3, 1, 3, 3]);
                let y = x.conv(w, Some(g.state(&[outputs])), &spec);
                (y * shared).tanh() + g.state(&[outputs, 1, 1, 1, 1])
            };
            (0..3).map(branch).collect()
        });
        assert_eq!(one, all, "{outputs} outputs: {plan}");
        plan
    };
    let joined = plan(5);
    assert_eq!(
        (count(&joined, "conv"), count(&joined, "map")),
        (1, 1),
        "{joined}"
    );
    // So few outputs are added up in another order than many.
    let apart = plan(4);
    assert_eq!(count(&apart, "conv"), 3, "{apart}");
}
