//! Rewrites of programs with fixed weights (`tape/simplify`): the results are those of the program as it was recorded, to
//! rounding, on random shapes, and the ops that were to go are gone.

use calogen::ops::ConvSpec;
use calogen::tape::{Options, Plan, Program, State, Tape, Var};

use crate::common::{Nd, POISON, Random, close, gpu, rms};

/// Weights and inputs by shape, drawn in the order in which a network asks for them.
pub struct Given<'t> {
    tape: &'t Tape,
    inputs: std::cell::RefCell<Vec<(String, Nd)>>,
    states: std::cell::Cell<usize>,
}

impl<'t> Given<'t> {
    pub fn new(tape: &'t Tape) -> Self {
        Self {
            tape,
            inputs: Default::default(),
            states: Default::default(),
        }
    }

    pub fn state(&self, shape: &[usize]) -> Var<'t> {
        let k = self.states.replace(self.states.get() + 1);
        let values = Nd::random(shape, 100 + k as u64);
        let buffer = gpu().buffer(values.data.len() as u64 * 4).unwrap();
        let state = State::new(buffer, 0, shape, &format!("s{k}"));
        state.set(gpu(), &values.f32()).unwrap();
        self.tape.state(&state)
    }

    pub fn input(&self, shape: &[usize]) -> Var<'t> {
        let mut inputs = self.inputs.borrow_mut();
        let k = inputs.len();
        let name = format!("x{k}");
        inputs.push((name.clone(), Nd::random(shape, k as u64)));
        self.tape.input(&name, shape)
    }

    pub fn set(&self, program: &Program) {
        for (name, values) in self.inputs.borrow().iter() {
            program.set(name, &values.f32()).unwrap();
        }
    }
}

/// Checks that `network` is the same rewritten and as it stands, where `terms` is the length of its longest sum, and
/// returns the plan of the rewritten program.
pub fn same(name: &str, terms: usize, network: impl for<'t> Fn(&Given<'t>) -> Var<'t>) -> Plan {
    let tape = Tape::new();
    let given = Given::new(&tape);
    let y = network(&given);
    let run = |frozen| {
        let options = Options { frozen, ..POISON };
        let program = tape.compile(gpu(), &[("y", y)], options).unwrap();
        given.set(&program);
        program.run().unwrap();
        let y: Vec<f64> = program
            .read("y")
            .unwrap()
            .into_iter()
            .map(f64::from)
            .collect();
        (y, program.plan().clone())
    };
    let ((plain, _), (rewritten, plan)) = (run(false), run(true));
    // Both programs round, each as an op's test allows.
    let tolerance = 16.0 * f64::from(f32::EPSILON) * (terms as f64).sqrt() * rms(&plain).max(1.0);
    let rewritten: Vec<f32> = rewritten.into_iter().map(|v| v as f32).collect();
    close(name, &rewritten, &plain, tolerance);
    plan
}

/// Kernels that run every time.
fn kernels(plan: &Plan) -> Vec<&'static str> {
    let each = plan.steps.iter().filter(|s| !s.once);
    each.map(|s| s.kernel).collect()
}

pub fn count(plan: &Plan, kernel: &str) -> usize {
    let begins = |k: &&&str| k.starts_with(kernel);
    kernels(plan).iter().filter(begins).count()
}

/// Batch norm as the layer records it.
fn norm<'t>(g: &Given<'t>, x: Var<'t>) -> Var<'t> {
    let mut shape = vec![1; x.rank()];
    shape[0] = x.extent(0);
    let [w, b, mean, var] = [(); 4].map(|()| g.state(&[x.extent(0)]).reshape(&shape));
    let scale = w * (var.square() + 0.5).rsqrt();
    x * scale + (b - mean * scale)
}

#[test]
fn batch_norm_moves_into_weights() {
    let spec = ConvSpec::of2d([2, 1], [1, 2]);
    let plan = same("conv, norm, relu", 45, |g| {
        let (w, b) = (g.state(&[5, 3, 1, 3, 5]), g.state(&[5]));
        let y = g.input(&[3, 1, 7, 11, 6]).conv(w, Some(b), &spec);
        norm(g, y.reshape(&[5, 4, 11, 6])).leaky_relu(0.1)
    });
    assert_eq!(count(&plan, "map"), 0, "{plan}");

    let plan = same(
        "transposed conv without bias, bias by position, norm",
        45,
        |g| {
            let w = g.state(&[3, 5, 1, 3, 5]);
            let y = g
                .input(&[3, 1, 5, 6, 7])
                .conv_transpose(w, None, &spec, [0, 1, 0]);
            let all = y.shape();
            let bias = g.state(&[&all[..4], &[1]].concat());
            norm(g, y + bias).relu() * 2.0
        },
    );
    assert_eq!(count(&plan, "map"), 1, "{plan}");

    let plan = same("dense, norm, times and minus numbers", 13, |g| {
        let (w, b) = (g.state(&[9, 13]), g.state(&[9]));
        norm(g, g.input(&[13, 10]).linear(w, Some(b))) * 0.25 - 3.0
    });
    assert_eq!(count(&plan, "map"), 0, "{plan}");
}

#[test]
fn what_is_added_to_each_cell_is_a_bias() {
    let mut random = Random(23);
    for case in 0..8 {
        let mut draw = |low: usize, high: usize| low + random.below(high - low + 1);
        // Batches that are walked in fours and one by one, few outputs and many.
        let (i, o, n) = (draw(1, 4), draw(1, 19), [1, 4, 7, 36][case % 4]);
        let (cells, kernel) = (
            [draw(4, 6), draw(3, 5), draw(4, 6)],
            [draw(1, 4), draw(2, 3), draw(1, 3)],
        );
        let spec = ConvSpec {
            stride: [1, draw(1, 2), draw(1, 2)],
            padding: [0, draw(0, 1), 0],
        };
        let name = format!("{i} to {o}, {cells:?} {kernel:?} {spec:?}, batch {n}");
        let up = case % 2 == 1;
        let plan = same(&name, i * kernel.iter().product::<usize>(), |g| {
            let x = g.input(&[i, cells[0], cells[1], cells[2], n]);
            let shape = if up { [i, o] } else { [o, i] };
            let w = g.state(&[&shape[..], &kernel].concat());
            let y = match up {
                true => x.conv_transpose(w, None, &spec, [0; 3]),
                false => x.conv(w, None, &spec),
            };
            let made = y.shape();
            let bias = g.state(&[&made[..4], &[1]].concat());
            (bias + y).leaky_relu(0.1)
        });
        assert_eq!(kernels(&plan).len(), 1, "{name}: {plan}");
    }
    // Of a shower, of a row of cells, behind an activation, behind a layer of kernel 1.
    let stays = |add: &dyn for<'t> Fn(&Given<'t>, Var<'t>) -> Var<'t>| {
        let plan = same("no bias", 9, |g| {
            let y = g.input(&[3, 1, 5, 6, 7]);
            add(
                g,
                y.conv(g.state(&[4, 3, 1, 3, 1]), None, &ConvSpec::default()),
            )
        });
        assert_eq!(count(&plan, "map"), 1, "{plan}");
    };
    stays(&|g, y| y + g.input(&[4, 1, 3, 6, 1]));
    stays(&|g, y| y + g.state(&[4, 1, 1, 6, 1]));
    stays(&|g, y| y.relu() + g.state(&[4, 1, 3, 6, 1]));
    let plan = same("kernel 1", 3, |g| {
        let y = g.input(&[3, 1, 5, 6, 7]);
        let y = y.conv(g.state(&[20, 3, 1, 1, 1]), None, &ConvSpec::default());
        y + g.state(&[20, 1, 5, 6, 1])
    });
    assert_eq!(count(&plan, "map"), 1, "{plan}");
}

#[test]
fn what_is_read_twice_or_does_not_fit_stays() {
    // Behind a norm of the voxels instead of channels, and of a result that is read beside its norm.
    let plan = same("by voxel", 3, |g| {
        let w = g.state(&[5, 3, 1, 1, 1]);
        let y = g
            .input(&[3, 2, 3, 7, 5])
            .conv(w, None, &ConvSpec::default());
        y * g.state(&[2, 3, 7, 1])
    });
    assert_eq!(count(&plan, "map"), 1, "{plan}");
    let plan = same("twice", 6, |g| {
        let w = g.state(&[5, 3, 1, 1, 1]);
        let y = g
            .input(&[3, 2, 3, 7, 5])
            .conv(w, None, &ConvSpec::default());
        norm(g, y) + y.relu()
    });
    assert_eq!(count(&plan, "conv"), 1, "{plan}");
    // The factor changes with the shower.
    same("by shower", 3, |g| {
        let w = g.state(&[5, 3, 1, 1, 1]);
        let y = g
            .input(&[3, 2, 3, 7, 5])
            .conv(w, None, &ConvSpec::default());
        y * g.input(&[5, 1, 1, 1, 5]) + g.input(&[5])
    });
}

/// Norm over voxels as the layer records it.
fn voxel_norm<'t>(g: &Given<'t>, x: Var<'t>) -> Var<'t> {
    let axes = [1, 2, 3];
    let centred = x - x.mean_keep(&axes);
    let y = centred * (centred.square().mean_keep(&axes) + 1e-5).rsqrt();
    let shape = x.shape();
    let [w, b] = [(); 2].map(|()| g.state(&[shape[1], shape[2], shape[3], 1]));
    y * w + b
}

#[test]
fn a_norm_of_one_channel_needs_its_moments_alone() {
    let plan = same("product, norm", 5 * 3 * 7, |g| {
        let (w, b) = (g.state(&[11, 1, 1, 1, 1]), g.state(&[11]));
        let x = g.input(&[1, 5, 3, 7, 4]);
        voxel_norm(g, x.conv(w, Some(b), &ConvSpec::default())).leaky_relu(0.01)
    });
    // Sums of one channel, not of eleven.
    for step in plan.steps.iter().filter(|s| s.kernel.starts_with("reduce")) {
        assert_eq!(step.shape, [1, 1, 1, 1, 4], "{plan}");
    }
    assert_eq!(count(&plan, "conv"), 0, "{plan}");
}

#[test]
fn what_a_norm_takes_away_is_not_computed() {
    let plan = same("features under a norm", 5 * 3 * 7, |g| {
        let w = g.state(&[6, 3, 1, 1, 1]);
        let y = g
            .input(&[3, 5, 3, 7, 4])
            .conv(w, None, &ConvSpec::default());
        let features = g
            .input(&[8, 4])
            .linear(g.state(&[6, 8]), Some(g.state(&[6])));
        voxel_norm(g, y + features.tanh().reshape(&[6, 1, 1, 1, 4]))
    });
    assert_eq!(count(&plan, "conv"), 1, "the dense layer is gone: {plan}");
}

#[test]
fn sums_of_a_factor_and_a_shift() {
    same("sum over two of four axes", 3 * 7, |g| {
        let x = g.input(&[2, 3, 5, 7]) * g.input(&[5, 1]) + g.input(&[2, 1, 5, 1]);
        x.sum_keep(&[1, 3])
    });
    // The factor changes along what is summed; neither operand is whole there.
    same("nothing to take out", 3 * 7, |g| {
        (g.input(&[3, 1, 7]) * g.input(&[1, 5, 7])).sum_keep(&[0, 2])
    });
    same("an outer product", 3 * 7, |g| {
        (g.input(&[3, 1]) * g.input(&[1, 7]))
            .square()
            .sum_keep(&[0, 1])
    });
    same("scaled sum", 7, |g| {
        (g.input(&[3, 7]) + g.input(&[3, 1])).mean_keep(&[1]) * g.input(&[1, 1])
    });
}

#[test]
fn upsampling_and_padding_move_into_a_convolution() {
    let mut random = Random(7);
    for case in 0..12 {
        let mut draw = |low: usize, high: usize| low + random.below(high - low + 1);
        let scale = [draw(1, 2), draw(1, 3), draw(1, 3)];
        let kernel = [draw(1, 3), draw(1, 4), draw(1, 4)];
        let cells = [draw(1, 3), draw(2, 5), draw(2, 5)];
        let (channels, outputs, n) = (draw(1, 5), draw(1, 5), draw(3, 9));
        // Behind at most as many more as a stride leaves room for; before, at most what a kernel reaches.
        let around = [0, 1, 2].map(|d| {
            let before = draw(0, kernel[d] - 1);
            (before, before + draw(0, scale[d] - 1))
        });
        let inner = draw(0, 1);
        let spec = ConvSpec {
            stride: [1; 3],
            padding: kernel.map(|k| if k > 2 { inner } else { 0 }),
        };
        let reach = |d: usize| around[d].0 + spec.padding[d] < kernel[d];
        let fits = |d: usize| {
            let extent = cells[d] * scale[d] + around[d].0 + around[d].1 + 2 * spec.padding[d];
            extent >= kernel[d]
        };
        if !(0..3).all(fits) {
            continue;
        }
        let name = format!("{scale:?} {kernel:?} {cells:?} {around:?} {spec:?}");
        let plan = same(&name, channels * kernel.iter().product::<usize>(), |g| {
            let [d, h, w] = cells;
            let x = g.input(&[channels, d, h, w, n]).upsample_nearest3d(scale);
            let x = x.pad(&[(0, 0), around[0], around[1], around[2], (0, 0)], 0.0);
            let [kd, kh, kw] = kernel;
            let weights = g.state(&[outputs, channels, kd, kh, kw]);
            x.conv(weights, Some(g.state(&[outputs])), &spec)
        });
        if (0..3).all(reach) {
            assert_eq!(
                kernels(&plan).len(),
                count(&plan, "conv"),
                "case {case}, {name}: {plan}"
            );
        }
    }
}

#[test]
fn images_are_upsampled_too() {
    let plan = same("same convolution of a doubled image", 3 * 16, |g| {
        let x = g.input(&[3, 5, 7, 6]).upsample_nearest2d([2, 2]);
        let x = x.pad(&[(0, 0), (1, 2), (1, 2), (0, 0)], 0.0);
        let (w, b) = (g.state(&[4, 3, 1, 4, 4]), g.state(&[4]));
        let [c, h, w_, n] = [0, 1, 2, 3].map(|d| x.extent(d));
        let y = x
            .reshape(&[c, 1, h, w_, n])
            .conv(w, Some(b), &ConvSpec::default());
        norm(g, y.reshape(&[4, 10, 14, n])).relu()
    });
    assert_eq!(kernels(&plan), ["conv_any"], "{plan}");
    // Padding with something else than zeros, and cells read elsewhere too.
    let plan = same("padded with ones", 3 * 9, |g| {
        let x = g.input(&[3, 5, 7, 6]).upsample_nearest2d([2, 2]);
        let x = x.pad(&[(0, 0), (1, 1), (1, 1), (0, 0)], 1.0);
        let w = g.state(&[4, 3, 1, 3, 3]);
        x.reshape(&[3, 1, 12, 16, 6])
            .conv(w, None, &ConvSpec::default())
    });
    assert_eq!(count(&plan, "move") + count(&plan, "pool"), 2, "{plan}");
}
