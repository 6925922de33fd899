//! What a system must say of itself so that one trainer trains it and one generator samples it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Build, Preprocess, Preset};
use crate::Result;
use crate::nn::Network;
use crate::ops::Optimizer;
use crate::tape::Var;

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
    /// Share of the whole training that is done, 0 to 1.
    pub share: f64,
}

impl Progress {
    /// The epoch of a training planned for `epochs`: a shorter or longer one goes through all its phases as well.
    pub fn planned_epoch(&self, epochs: f64) -> f64 {
        self.share * epochs
    }
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

    /// How networks see cell energies, if the configuration says so.
    fn preprocess(&self) -> Option<&Preprocess> {
        None
    }

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

    /// Where in a larger shower of the data this system's shower lies (z, x, y); `None` for the same place and shape. Where
    /// [`shape`](Self::shape) has fewer layers, each is then the sum of as many neighbouring ones of the data: five of
    /// thirty are sums of six, one is the sum of all.
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
