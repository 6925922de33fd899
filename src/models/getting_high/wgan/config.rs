//! Configuration of the WGANs.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::models::post::Post;
use crate::models::spectrum::Spectrum;
use crate::models::volumes::Conv;
use crate::models::{Preprocess, regressor, require};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of what it sees of a shower (layers, rows, columns), to which the generator must lead.
    pub shape: [usize; 3],
    /// Where that lies in the shower; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<[usize; 3]>,
    /// How cell energies are seen by generator and critic.
    pub preprocess: Preprocess,
    /// Divides the incident energy in GeV.
    pub energy_scale: f32,
    /// Cells below this energy, in the unit of the file, are empty in generated showers.
    #[serde(default)]
    pub cut: f32,
    /// Length of the noise.
    pub latent: usize,
    /// Normal noise, as the paper has it; otherwise uniform in (-1, 1), as its code does.
    pub normal_noise: bool,
    /// Extents from which the generator starts.
    pub start: [usize; 3],
    /// Channels there, of noise and of energy each.
    pub start_channels: usize,
    /// Convolutions of the generator. Each ends in a ReLU; the last gives the cells.
    pub generator: Vec<Conv>,
    /// The critic.
    pub critic: Critic,
    /// The constrainer; `None` trains without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constrainer: Option<Constrainer>,
    /// A loss of the generator on sorted cells; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectrum: Option<Spectrum>,
    /// The post processor, which learns when all else is trained; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
    /// Standard deviation with which weights start; 0 starts them as PyTorch does.
    pub init: f32,
    /// Weight of the gradient penalty.
    pub penalty: f32,
    /// Critic steps to one generator step.
    pub critic_steps: u64,
    /// Learning rates of the generator: (epochs, rate), one after the other.
    pub generator_rates: Vec<(f64, f32)>,
    /// Learning rates of the critic, likewise.
    pub critic_rates: Vec<(f64, f32)>,
    /// Rate of the running mean of the generator's parameters; 0 keeps none.
    pub average: f32,
    /// Showers in a batch.
    pub batch: usize,
}

/// Sizes of the critic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Critic {
    /// Convolutions. Those with a norm end in a leaky ReLU, others in nothing.
    pub convs: Vec<Conv>,
    /// Slope of leaky ReLUs.
    pub slope: f32,
    /// Stages of residual blocks behind them (K. He et al., arXiv:1512.03385): the largest of windows of 3 at a stride of 2
    /// goes in, the mean over voxels comes out. With any, convolutions start as that work has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual: Vec<Stage>,
    /// Widths of the hidden dense layers behind them, of which the first sees the energy as well.
    pub dense: Vec<usize>,
}

/// Residual blocks of two convolutions of kernel 3 with instance norms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Their channels.
    pub channels: usize,
    /// Their number.
    pub blocks: usize,
    /// Stride of the first.
    pub stride: usize,
}

/// The network that reconstructs the energy from a shower in the file's unit, how it is trained and used. That of the photon
/// WGAN is the first regressor of the Fréchet Regression Distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constrainer {
    /// Convolutions.
    pub convs: Vec<regressor::Conv>,
    /// Widths of the hidden dense layers.
    pub dense: Vec<usize>,
    /// So many of these, the first, have a batch norm.
    #[serde(default)]
    pub dense_norms: usize,
    /// Dropout behind each of these; none where the list ends.
    #[serde(default)]
    pub dropout: Vec<f32>,
    /// Decay of the means of gradients and of their squares in Adam; `None` trains by plain gradient descent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub betas: Option<[f32; 2]>,
    /// Trained before generator and critic, rather than beside them from their first epoch on.
    #[serde(default)]
    pub first: bool,
    /// Epochs in which it is trained; a shorter training has as large a share of them.
    pub epochs: f64,
    /// Its learning rate.
    pub rate: f32,
    /// Weight of the constraint in the generator's loss.
    pub weight: f32,
}

impl Config {
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with what makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        require(
            self.latent > 0 && self.critic_steps > 0,
            "latent and critic_steps must be at least 1",
        )?;
        require(
            !self.generator.is_empty() && !self.critic.convs.is_empty(),
            "generator and critic.convs must not be empty",
        )?;
        require(
            !self.generator_rates.is_empty() && !self.critic_rates.is_empty(),
            "generator_rates and critic_rates must not be empty",
        )?;
        require(
            (self.critic.residual.iter()).all(|s| (1..=100).contains(&s.blocks)),
            "critic.residual must have stages of 1 to 100 blocks",
        )?;
        let Some(post) = &self.post else {
            return Ok(());
        };
        require(
            !post.joint,
            "post.joint must be false: only the BIB-AE goes on beside it",
        )?;
        post.check()
    }
}
