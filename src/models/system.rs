//! What a system must say of itself so that one trainer trains it and one generator samples it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Metadata, Preset, Weights};
use crate::gpu::Gpu;
use crate::nn::{Mode, Net, Network, Parameters};
use crate::ops::Optimizer;
use crate::tape::{Tape, Var};
use crate::{Error, Result};

/// One kind of training step: which networks it updates, and how.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name in logs.
    pub name: &'static str,
    /// The networks whose parameters follow the gradient of its first loss.
    pub networks: Vec<&'static str>,
    /// How they follow.
    pub optimizer: Optimizer,
}

/// A step to take on the present batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Index into [`System::steps`].
    pub step: usize,
    /// Learning rate.
    pub learning_rate: f32,
}

/// Where training stands before an iteration, which is one batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Iterations done.
    pub iteration: u64,
    /// Epochs done, with the fraction of the present one.
    pub epoch: f64,
    /// Share of the whole training that is done, 0 to 1.
    pub share: f64,
}

/// How the labels of a system may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditioning {
    /// Each for itself: energy, impact point.
    Free,
    /// Only together, because they describe one particle: mass, charge, momentum, ...
    Joint,
    /// Not at all: showers follow the training data.
    Unconditional,
}

/// What a regressor says of N showers.
#[derive(Clone, Copy, Debug)]
pub struct Reconstruction<'t> {
    /// Activations of its last hidden layer, `[F,N]`.
    pub features: Var<'t>,
    /// Incident energies in GeV, `[1,N]`.
    pub energy: Var<'t>,
    /// Impact points x, y in mm, `[2,N]`, if it was trained on them.
    pub position: Option<Var<'t>>,
}

/// A generative system: its networks, its steps, its sampler.
pub trait System: Send + Sync {
    /// The name under which the command line knows it.
    fn name(&self) -> &'static str;

    /// The whole configuration.
    fn config(&self) -> serde_json::Value;

    /// Extents of a shower (Z, X, Y).
    fn shape(&self) -> [usize; 3];

    /// Names of the labels a shower is generated for, the energy first: `energy`, `position_x`, `position_y`, or of the
    /// file's conditions. An unconditional system names the energy alone and does not look at it.
    fn conditions(&self) -> Vec<String>;

    /// How those labels may be chosen.
    fn conditioning(&self) -> Conditioning {
        Conditioning::Free
    }

    /// All networks.
    fn networks(&self) -> Result<Vec<Network>>;

    /// Names of the networks that a weights file holds: those that sampling needs, or a regressor itself.
    fn kept(&self) -> Vec<&'static str>;

    /// False for a regressor, which makes no showers.
    fn generates(&self) -> bool {
        true
    }

    /// Where in a larger shower of the data this system's shower lies (z, x, y); `None` for the same place and shape, or
    /// for the sum over layers where [`shape`](Self::shape) has one layer.
    fn origin(&self) -> Option<[usize; 3]> {
        None
    }

    /// Kinds of training step.
    fn steps(&self) -> Vec<Step>;

    /// The steps to take on the next batch, in order.
    fn schedule(&self, at: Progress) -> Vec<Turn>;

    /// Networks that start anew, with initial values of their own, as epoch `epoch` of the data begins; epochs count from
    /// 0, and 0 is not asked for.
    fn restarts(&self, _epoch: u64) -> Vec<&'static str> {
        Vec::new()
    }

    /// Epochs of the whole training, if not told otherwise.
    fn epochs(&self) -> f64;

    /// Showers in a batch, if not told otherwise.
    fn batch(&self) -> usize;

    /// Rate per step of the running mean of the kept networks' parameters, which sampling then uses; 0 keeps none.
    fn average(&self) -> f32 {
        0.0
    }

    /// The losses of one kind of step by name; the first is minimised.
    fn losses<'t>(&self, step: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)>;

    /// Showers `[Z,X,Y,N]` in the unit of the training file.
    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t>;

    /// For a regressor: what it says of the batch's showers. Only [`Build::showers`] may be read.
    fn reconstruct<'t>(&self, _build: &Build<'t>) -> Option<Reconstruction<'t>> {
        None
    }

    /// For a regressor: input and output of each layer between the showers and the energy, all linear but for a bias (a norm,
    /// with the spread of a shower as a constant). Elementwise activations lie between. Only [`Build::showers`] may be
    /// read.
    fn linear_layers<'t>(&self, _build: &Build<'t>) -> Option<Vec<[Var<'t>; 2]>> {
        None
    }

    /// The codes of showers, of a system with an encoder.
    fn latent(&self) -> Option<&dyn LatentSpace> {
        None
    }

    /// Tensors that are taken from the training data rather than trained.
    fn data_tensors(&self, _data: &DataSummary) -> Vec<DataTensor> {
        Vec::new()
    }
}

/// The latent space of a system with an encoder. Codes are `[d,N]`.
pub trait LatentSpace {
    /// Length d of a code.
    fn code_length(&self) -> usize;

    /// Codes of the batch's showers; of an encoder that gives distributions, their means.
    fn encode_batch<'t>(&self, build: &Build<'t>) -> Var<'t>;

    /// Codes as sampling draws them.
    fn draw_codes<'t>(&self, build: &Build<'t>) -> Var<'t>;

    /// Showers `[Z,X,Y,N]` of codes, in the unit of the training file. What the decoder sees beside the code, such as further
    /// noise, is at its mean.
    fn decode_codes<'t>(&self, build: &Build<'t>, codes: Var<'t>) -> Var<'t>;
}

/// A kind of system with its configuration: what [`open`](super::open) and [`preset`](super::preset) need. One family may
/// serve several names, which differ in their presets.
pub trait Family: System + Sized + 'static {
    /// All its settings.
    type Config: Serialize + DeserializeOwned;

    /// The settings of a preset of the system `name`.
    fn preset(name: &'static str, preset: Preset) -> Self::Config;

    /// The system `name` with these settings, whose values are checked. Shapes need no check: the networks are declared
    /// right after, and an impossible shape is an error there.
    fn new(name: &'static str, config: Self::Config) -> Result<Self>;
}

/// What training data say as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSummary {
    /// Mean energy of each cell, `[Z,X,Y]`.
    pub mean_cells: Vec<f32>,
    /// Mean of each condition.
    pub condition_mean: Vec<f32>,
    /// Standard deviation of each condition.
    pub condition_std: Vec<f32>,
}

/// A tensor taken from the training data.
#[derive(Clone, Debug, PartialEq)]
pub struct DataTensor {
    /// The network it belongs to.
    pub network: &'static str,
    /// Its name there.
    pub name: String,
    /// Its values.
    pub values: Vec<f32>,
}

impl DataTensor {
    /// Tensor `name` of `network`.
    pub fn new(network: &'static str, name: &str, values: Vec<f32>) -> Self {
        let name = name.to_owned();
        Self {
            network,
            name,
            values,
        }
    }
}

/// The networks of a system on a device.
#[derive(Debug, Default)]
pub struct Networks(BTreeMap<String, Parameters>);

impl Networks {
    /// The networks of `system` named by `only` (all if empty), with initial values, ready for training if `train`.
    pub fn new(
        gpu: &Arc<Gpu>,
        system: &dyn System,
        only: &[&str],
        seed: u64,
        train: bool,
    ) -> Result<Self> {
        let kept = system.kept();
        let mut all = BTreeMap::new();
        for (i, network) in system.networks()?.into_iter().enumerate() {
            if !only.is_empty() && !only.contains(&network.name.as_str()) {
                continue;
            }
            let average = train && system.average() > 0.0 && kept.contains(&network.name.as_str());
            let name = network.name.clone();
            let mut parameters =
                Parameters::new(gpu, network, seed.wrapping_add((i as u64) << 32), average)?;
            if train {
                parameters = parameters.with_moments(gpu)?;
            }
            all.insert(name, parameters);
        }
        Ok(Self(all))
    }

    /// The system, the networks and the metadata of a weights file, ready to sample; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Format`] naming the tensor or the condition that is missing, of the wrong shape or superfluous.
    pub fn load(
        gpu: &Arc<Gpu>,
        weights: Weights,
        path: &Path,
    ) -> Result<(Box<dyn System>, Self, Metadata)> {
        let metadata = weights.metadata;
        let wrong = |what: String| Error::format(path, what);
        let system = super::open(&metadata.model, metadata.config.clone())
            .map_err(|e| wrong(e.to_string()))?;
        let names: Vec<&str> = metadata
            .conditions
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        if names != system.conditions() {
            let wanted = system.conditions();
            return Err(wrong(format!(
                "its conditions are {names:?}, the model's {wanted:?}"
            )));
        }
        let mut tensors = weights.tensors;
        // All shapes first: what the configuration claims is allocated only if the file holds it.
        let kept = system.kept();
        let mut rest: BTreeSet<&str> = tensors.keys().map(String::as_str).collect();
        for network in system.networks().map_err(|e| wrong(e.to_string()))? {
            if !kept.contains(&network.name.as_str()) {
                continue;
            }
            for tensor in &network.tensors {
                let full = format!("{}.{}", network.name, tensor.name);
                let (shape, _) = tensors
                    .get(&full)
                    .ok_or_else(|| wrong(format!("tensor '{full}' is missing")))?;
                if *shape != tensor.shape {
                    let wanted = &tensor.shape;
                    return Err(wrong(format!(
                        "tensor '{full}' has shape {shape:?}, expected {wanted:?}"
                    )));
                }
                rest.remove(full.as_str());
            }
        }
        if let Some(name) = rest.first() {
            return Err(wrong(format!(
                "tensor '{name}' belongs to no layer of {}",
                metadata.model
            )));
        }
        let networks = Self::new(gpu, system.as_ref(), &kept, 0, false)?;
        for (name, parameters) in networks.iter() {
            for tensor in &parameters.network().tensors {
                let full = format!("{name}.{}", tensor.name);
                if let Some((_, values)) = tensors.remove(&full) {
                    parameters.set(gpu, &tensor.name, &values)?;
                }
            }
        }
        Ok((system, networks, metadata))
    }

    /// The network `name`.
    pub fn get(&self, name: &str) -> Result<&Parameters> {
        self.0
            .get(name)
            .ok_or_else(|| Error::Config(format!("there is no network '{name}'")))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Parameters)> {
        self.0.iter().map(|(name, p)| (name.as_str(), p))
    }
}

/// What a step or a sampler is built from: a tape, the networks, and a batch's inputs.
///
/// The inputs of the program are `showers` `[N,Z,X,Y]`, `conditions` `[N,C]` in the order of [`System::conditions`], and
/// `random`, four words: the seed, and the number of the first event or of the step.
pub struct Build<'t> {
    /// The tape.
    pub tape: &'t Tape,
    networks: &'t Networks,
    shape: [usize; 3],
    conditions: usize,
    batch: usize,
}

impl<'t> Build<'t> {
    /// For batches of `batch` showers of `system`.
    pub fn new(tape: &'t Tape, networks: &'t Networks, system: &dyn System, batch: usize) -> Self {
        Self {
            tape,
            networks,
            shape: system.shape(),
            conditions: system.conditions().len(),
            batch,
        }
    }

    /// Showers in the batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The showers of the batch, `[Z,X,Y,N]` in the unit of the file.
    pub fn showers(&self) -> Var<'t> {
        let [z, x, y] = self.shape;
        self.tape
            .input("showers", &[self.batch, z, x, y])
            .batch_last()
    }

    /// The conditions of the batch, `[C,N]`, the incident energy in GeV first.
    pub fn conditions(&self) -> Var<'t> {
        self.tape
            .input("conditions", &[self.batch, self.conditions])
            .batch_last()
    }

    /// Incident energy in GeV, `[1,N]`.
    pub fn energy(&self) -> Var<'t> {
        self.conditions().slice(0, 0, 1)
    }

    /// Network `name`, run in `mode`.
    pub fn net(&self, name: &str, mode: Mode) -> Net<'t> {
        self.find(name, |p| Net::new(self.tape, p, mode))
    }

    /// Network `name` as sampling runs it: running statistics, and the running mean of its parameters if kept.
    pub fn trained(&self, name: &str) -> Net<'t> {
        self.find(name, |p| Net::averaged(self.tape, p, Mode::Infer))
    }

    fn find(&self, name: &str, make: impl FnOnce(&'t Parameters) -> Net<'t>) -> Net<'t> {
        match self.networks.get(name) {
            Ok(parameters) => make(parameters),
            Err(_) => panic!("the system asks for a network '{name}' that it did not declare"),
        }
    }

    /// Drops each element of `x` with probability `p` where `net` trains; see [`Net::dropout`].
    #[track_caller]
    pub fn dropout(&self, net: &Net<'t>, x: Var<'t>, p: f32, stream: u32) -> Var<'t> {
        net.dropout(x, p, self.tape.input_u32("random", &[4]), stream)
    }

    /// Uniform numbers in (0, 1) of shape `[.., N]`, at stream `stream` of this step or these events.
    #[track_caller]
    pub fn uniform(&self, stream: u32, shape: &[usize]) -> Var<'t> {
        self.tape
            .uniform(self.tape.input_u32("random", &[4]), stream, shape)
    }

    /// Standard normal numbers, likewise.
    #[track_caller]
    pub fn normal(&self, stream: u32, shape: &[usize]) -> Var<'t> {
        self.tape
            .normal(self.tape.input_u32("random", &[4]), stream, shape)
    }
}
