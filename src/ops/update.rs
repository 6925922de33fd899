//! What changes states at the end of a run: storing a value, an optimiser's step, an average over steps.

use std::fmt::Debug;

use crate::Result;
use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Lowering, Slot, State, Tape, Var, shape};

/// A change of states, in place.
pub(crate) trait Update: Debug + Send + Sync + 'static {
    /// The name that plans and profiles use.
    fn name(&self) -> &'static str;

    /// True for the plain store of one value into one state.
    fn is_store(&self) -> bool {
        false
    }

    /// Records the dispatches that change `states`.
    fn lower(&self, lowering: &mut Lowering<'_>, states: &[State], inputs: &[Slot]) -> Result<()>;
}

params! {
    /// See `update.wgsl`.
    UpdateParams { count: u32, a: f32, b: f32, eps: f32 }
}

const SOURCE: &str = wgsl!("update.wgsl", "lib/index.wgsl", "lib/math.wgsl");
static STORE: Kernel = Kernel::new::<UpdateParams>(
    "update.wgsl",
    SOURCE,
    "store",
    &[read(1, "g"), write(2, "q")],
);
static AVERAGE: Kernel = Kernel::new::<UpdateParams>(
    "update.wgsl",
    SOURCE,
    "average",
    &[read(1, "g"), write(2, "q")],
);
static SGD: Kernel = Kernel::new::<UpdateParams>(
    "update.wgsl",
    SOURCE,
    "sgd",
    &[read(1, "g"), write(2, "q"), write(3, "m"), read(5, "h")],
);
static RMSPROP: Kernel = Kernel::new::<UpdateParams>(
    "update.wgsl",
    SOURCE,
    "rmsprop",
    &[read(1, "g"), write(2, "q"), write(3, "m"), read(5, "h")],
);
static ADAM: Kernel = Kernel::new::<UpdateParams>(
    "update.wgsl",
    SOURCE,
    "adam",
    &[
        read(1, "g"),
        write(2, "q"),
        write(3, "m"),
        write(4, "v"),
        read(5, "h"),
    ],
);

pub(super) static KERNELS: &[&Kernel] = &[&STORE, &AVERAGE, &SGD, &RMSPROP, &ADAM];

const WG: usize = 64;

fn elementwise(
    l: &mut Lowering<'_>,
    kernel: &'static Kernel,
    params: UpdateParams,
    slots: &[Slot],
) -> Result<()> {
    let groups = fold((params.count as usize).div_ceil(WG) as u64);
    l.dispatch(kernel, &params, &[("WG", WG as f64)], slots, groups)
}

/// States of one length in pieces that a binding can hold: how many elements, and a slot of each state.
fn pieces(l: &mut Lowering<'_>, states: &[State]) -> Vec<(u32, Vec<Slot>)> {
    let words = shape::len(states[0].shape());
    // A whole number of the largest alignment of a binding, 256 bytes.
    let most = (l.capabilities().max_tensor_bytes() / 256 * 64) as usize;
    let starts = (0..words).step_by(most.max(64));
    starts
        .map(|start| {
            let count = most.min(words - start);
            let slots = states.iter().map(|s| l.state(&s.piece(start, count)));
            (count as u32, slots.collect())
        })
        .collect()
}

#[derive(Debug)]
struct Store;

impl Update for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn is_store(&self) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>, states: &[State], inputs: &[Slot]) -> Result<()> {
        let target = l.state(&states[0]);
        copy(l, inputs[0], target)
    }
}

/// Copies a slot into another of the same size.
pub(crate) fn copy(l: &mut Lowering<'_>, from: Slot, to: Slot) -> Result<()> {
    let params = UpdateParams {
        count: l.slots[to].elements as u32,
        ..Default::default()
    };
    elementwise(l, &STORE, params, &[from, to])
}

/// `states[0] += rate (states[1] - states[0])`
#[derive(Debug)]
struct Average(f32);

impl Update for Average {
    fn name(&self) -> &'static str {
        "average"
    }

    fn lower(&self, l: &mut Lowering<'_>, states: &[State], _: &[Slot]) -> Result<()> {
        for (count, slots) in pieces(l, states) {
            let params = UpdateParams {
                count,
                a: self.0,
                ..Default::default()
            };
            elementwise(l, &AVERAGE, params, &[slots[1], slots[0]])?;
        }
        Ok(())
    }
}

/// How parameters follow their gradients; formulas and defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// `m = momentum m + g; q -= lr m` (`q -= lr g` for momentum 0)
    Sgd {
        /// Share of the last step's direction that is kept.
        momentum: f32,
    },
    /// `m = alpha m + (1 - alpha) g²; q -= lr g / (sqrt(m) + eps)`
    RmsProp {
        /// Share of the mean square that is kept.
        alpha: f32,
        /// Added to the denominator.
        eps: f32,
    },
    /// `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²; q -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)`
    Adam {
        /// Share of the mean that is kept.
        beta1: f32,
        /// Share of the mean square that is kept.
        beta2: f32,
        /// Added to the denominator.
        eps: f32,
    },
}

impl Optimizer {
    /// Adam with PyTorch's `eps`.
    pub const fn adam(beta1: f32, beta2: f32) -> Self {
        Self::Adam {
            beta1,
            beta2,
            eps: 1e-8,
        }
    }

    /// The three numbers that [`Tape::optimize`] reads at step `t`, counted from 1.
    pub fn hyper(&self, learning_rate: f32, t: u64) -> [f32; 3] {
        match *self {
            Self::Adam { beta1, beta2, .. } => {
                let rest = |beta: f32| (1.0 - f64::from(beta).powf(t as f64)) as f32;
                [learning_rate, rest(beta1), rest(beta2)]
            }
            _ => [learning_rate, 1.0, 1.0],
        }
    }
}

impl Update for Optimizer {
    fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::RmsProp { .. } => "rmsprop",
            Self::Adam { .. } => "adam",
        }
    }

    fn lower(&self, l: &mut Lowering<'_>, states: &[State], inputs: &[Slot]) -> Result<()> {
        let h = inputs[0];
        let (kernel, a, b, eps) = match *self {
            Self::Sgd { momentum } => (&SGD, momentum, 0.0, 0.0),
            Self::RmsProp { alpha, eps } => (&RMSPROP, alpha, 0.0, eps),
            Self::Adam { beta1, beta2, eps } => (&ADAM, beta1, beta2, eps),
        };
        for (count, s) in pieces(l, states) {
            // states: parameters, gradients, first and second moment
            let all = [s[1], s[0], s[2], s[3], h];
            let without_second = [s[1], s[0], s[2], h];
            let slots = match self {
                Self::Adam { .. } => &all[..],
                _ => &without_second[..],
            };
            elementwise(l, kernel, UpdateParams { count, a, b, eps }, slots)?;
        }
        Ok(())
    }
}

impl Tape {
    /// Stores `value` into `state` at the end of each run, after everything that reads the state.
    #[track_caller]
    pub fn store(&self, state: &State, value: Var<'_>) {
        if value.id == crate::tape::BAD {
            return;
        }
        if value.shape() != state.shape() {
            let what = format!("{:?} into a state of {:?}", value.shape(), state.shape());
            self.fail(crate::Error::shape("store", what));
            return;
        }
        self.effect(
            std::sync::Arc::new(Store),
            std::slice::from_ref(state),
            &[value],
        );
    }

    /// Moves `mean` by `rate` towards `now`, of the same length, at the end of each run, after the updates recorded before.
    #[track_caller]
    pub fn average(&self, mean: &State, now: &State, rate: f32) {
        self.change(Average(rate), &[mean, now], &[]);
    }

    /// One step of an optimiser at the end of each run. `states`: parameters, their gradients, first and second moment, all
    /// of one length. `hyper` holds the learning rate, and for Adam the corrections `1 - beta1^t` and `1 - beta2^t` of step t
    /// (counted from 1): see [`Optimizer::hyper`].
    #[track_caller]
    pub fn optimize(&self, optimizer: Optimizer, states: [&State; 4], hyper: Var<'_>) {
        self.change(optimizer, &states, &[hyper]);
    }

    /// Records an update of states of one length.
    #[track_caller]
    fn change(&self, update: impl Update, states: &[&State], inputs: &[Var<'_>]) {
        if states.iter().any(|s| s.bytes() != states[0].bytes()) {
            let shapes: Vec<&[usize]> = states.iter().map(|s| s.shape()).collect();
            let what = format!("states of different lengths: {shapes:?}");
            self.fail(crate::Error::shape(update.name(), what));
            return;
        }
        let states: Vec<State> = states.iter().copied().cloned().collect();
        self.effect(std::sync::Arc::new(update), &states, inputs);
    }
}
