//! The tensors of a network on the device, all trainable ones in one buffer, so that one kernel updates them all.

use std::collections::HashMap;
use std::sync::Arc;

use super::network::{Init, Network, TensorSpec};
use crate::gpu::Gpu;
use crate::ops::{Optimizer, random};
use crate::tape::{State, Var, shape};
use crate::{Error, Result};

/// Elements to which each tensor's start is rounded: 256 bytes, the largest alignment of a binding.
const ALIGN: usize = 64;

/// What an optimiser keeps beside the parameters, each of the parameters' size.
#[derive(Debug)]
struct OptimizerState {
    /// Gradients of the last step.
    gradient: State,
    /// First moment.
    first: State,
    /// Second moment.
    second: State,
}

/// A network's tensors on a device.
#[derive(Debug)]
pub struct Parameters {
    network: Network,
    /// All trainable tensors.
    values: State,
    /// All running statistics.
    statistics: State,
    /// Running mean of `values` over steps, if kept.
    mean: Option<State>,
    /// Start of each tensor in its buffer, in elements.
    starts: HashMap<String, (usize, TensorSpec)>,
    optimizer_state: Option<OptimizerState>,
    seed: u64,
}

fn arena(gpu: &Gpu, words: usize, key: &str) -> Result<State> {
    let words = words.max(ALIGN);
    let state = State::new(gpu.arena(words as u64 * 4)?, 0, &[words], key);
    state.set(gpu, &vec![0.0; words])?;
    Ok(state)
}

impl Parameters {
    /// Parameters with the initial values that `seed` gives. `average` keeps a running mean of them as well.
    pub fn new(gpu: &Arc<Gpu>, network: Network, seed: u64, average: bool) -> Result<Self> {
        let mut starts = HashMap::new();
        let mut ends = [0usize; 2];
        for tensor in &network.tensors {
            let end = &mut ends[usize::from(!tensor.trainable)];
            if starts
                .insert(tensor.name.clone(), (*end, tensor.clone()))
                .is_some()
            {
                return Err(Error::Config(format!(
                    "{}: two tensors are named '{}'",
                    network.name, tensor.name
                )));
            }
            let words = shape::len(&tensor.shape);
            let most = gpu.capabilities().max_tensor_bytes();
            if words as u64 * 4 > most {
                return Err(Error::OutOfMemory(format!(
                    "{}.{} of {:?} does not fit a binding of this device ({most} bytes at most)",
                    network.name, tensor.name, tensor.shape
                )));
            }
            *end += words.next_multiple_of(ALIGN);
        }
        let key = |what: &str| format!("{}/{what}", network.name);
        let values = arena(gpu, ends[0], &key("values"))?;
        let statistics = arena(gpu, ends[1], &key("statistics"))?;
        let mean = if average {
            Some(arena(gpu, ends[0], &key("mean"))?)
        } else {
            None
        };
        let this = Self {
            network,
            values,
            statistics,
            mean,
            starts,
            optimizer_state: None,
            seed,
        };
        this.initialise(gpu, 0)?;
        Ok(this)
    }

    fn initialise(&self, gpu: &Gpu, round: u64) -> Result<()> {
        for (i, tensor) in self.network.tensors.iter().enumerate() {
            self.set(
                gpu,
                &tensor.name,
                &initial(tensor, self.seed, round, i as u32),
            )?;
        }
        Ok(())
    }

    /// Initial values again, others for each `round`, of which the first were 0; the optimiser forgets.
    pub fn restart(&self, gpu: &Gpu, round: u64) -> Result<()> {
        self.initialise(gpu, round)?;
        let kept = self.optimizer_state.iter();
        for state in kept.flat_map(|o| [&o.first, &o.second]) {
            state.set(gpu, &vec![0.0; state.shape()[0]])?;
        }
        Ok(())
    }

    /// Adds what training needs: gradients and moments.
    pub fn with_optimizer_state(mut self, gpu: &Arc<Gpu>) -> Result<Self> {
        let words = self.values.shape()[0];
        let make = |what: &str| arena(gpu, words, &format!("{}/{what}", self.network.name));
        self.optimizer_state = Some(OptimizerState {
            gradient: make("gradient")?,
            first: make("first")?,
            second: make("second")?,
        });
        Ok(self)
    }

    /// The declaration.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// All trainable tensors as one state.
    pub fn values(&self) -> &State {
        &self.values
    }

    /// The running mean of the trainable tensors, if kept.
    pub fn mean(&self) -> Option<&State> {
        self.mean.as_ref()
    }

    /// Every state that a checkpoint must hold, with a name.
    pub fn states(&self) -> Vec<(&'static str, &State)> {
        let mut states = vec![("values", &self.values), ("statistics", &self.statistics)];
        states.extend(self.mean.iter().map(|m| ("mean", m)));
        states.extend(
            self.optimizer_state
                .iter()
                .flat_map(|o| [("first", &o.first), ("second", &o.second)]),
        );
        states
    }

    /// One tensor; from the running mean if `mean` and there is one.
    pub(super) fn state(&self, name: &str, mean: bool) -> Option<State> {
        let (start, tensor) = self.starts.get(name)?;
        let arena = match (tensor.trainable, &self.mean) {
            (false, _) => &self.statistics,
            (true, Some(average)) if mean => average,
            (true, _) => &self.values,
        };
        Some(self.part(arena, *start, tensor))
    }

    fn part(&self, arena: &State, start: usize, tensor: &TensorSpec) -> State {
        let key = format!("{}.{}", arena.key, tensor.name);
        State::new(
            arena.buffer.clone(),
            arena.offset + start as u64 * 4,
            &tensor.shape,
            &key,
        )
    }

    /// The trainable tensors with the place of each one's gradient.
    pub fn gradients(&self) -> Vec<(State, State)> {
        let Some(kept) = &self.optimizer_state else {
            return Vec::new();
        };
        let trainable = self.network.tensors.iter().filter(|t| t.trainable);
        trainable
            .filter_map(|t| {
                let (start, tensor) = self.starts.get(&t.name)?;
                let value = self.part(&self.values, *start, tensor);
                Some((value, self.part(&kept.gradient, *start, tensor)))
            })
            .collect()
    }

    /// Stores the gradients of `loss` at the end of each run, for [`optimize`](Self::optimize).
    #[track_caller]
    pub fn store_gradients(&self, loss: Var<'_>) {
        let (tape, pairs) = (loss.tape(), self.gradients());
        let values: Vec<Var<'_>> = pairs.iter().map(|(value, _)| tape.state(value)).collect();
        for ((_, place), gradient) in pairs.iter().zip(tape.gradients(loss, &values)) {
            tape.store(place, gradient);
        }
    }

    /// One step by the stored gradients at the end of each run: [`Tape::optimize`](crate::tape::Tape::optimize).
    #[track_caller]
    pub fn optimize(&self, optimizer: Optimizer, hyper: Var<'_>) {
        if let Some(o) = &self.optimizer_state {
            let states = [&self.values, &o.gradient, &o.first, &o.second];
            hyper.tape().optimize(optimizer, states, hyper);
        }
    }

    /// Overwrites a tensor, and its running mean.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no such tensor, [`Error::Shape`] if the number of values is wrong.
    pub fn set(&self, gpu: &Gpu, name: &str, values: &[f32]) -> Result<()> {
        for mean in [false, true] {
            let state = self.state(name, mean);
            let missing = || Error::Config(format!("{} has no tensor '{name}'", self.network.name));
            state.ok_or_else(missing)?.set(gpu, values)?;
        }
        Ok(())
    }

    /// Reads a tensor back; from the running mean if `mean` and there is one.
    pub fn get(&self, gpu: &Gpu, name: &str, mean: bool) -> Result<Vec<f32>> {
        let missing = || Error::Config(format!("{} has no tensor '{name}'", self.network.name));
        self.state(name, mean).ok_or_else(missing)?.get(gpu)
    }
}

/// Initial values: the numbers at address (seed, stream of the tensor, round, element).
fn initial(tensor: &TensorSpec, seed: u64, round: u64, index: u32) -> Vec<f32> {
    // Streams of training noise start at 0 and stay small.
    let stream = 0x8000_0000 | index;
    let count = shape::len(&tensor.shape) as u32;
    let normal = |mean: f32, std: f32| -> Vec<f32> {
        (0..count)
            .map(|e| mean + std * random::normal(seed, stream, round, e))
            .collect()
    };
    match tensor.init {
        Init::Constant(value) => vec![value; count as usize],
        Init::Uniform(bound) => (0..count)
            .map(|e| (2.0 * random::uniform(seed, stream, round, e) - 1.0) * bound)
            .collect(),
        Init::Normal { mean, std } => normal(mean, std),
        Init::FanOut => {
            let inputs = tensor.shape.get(1).copied().unwrap_or(1).max(1);
            normal(0.0, (2.0 * inputs as f32 / count as f32).sqrt())
        }
    }
}
