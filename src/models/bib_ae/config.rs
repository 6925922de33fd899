//! Configuration of the BIB-AE and of the VAE-GAN.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::models::latent::Latent;
use crate::models::post::Post;
use crate::models::schedule::Decaying;
use crate::models::volumes::Conv;
use crate::models::{Preprocess, require};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of what it sees of a shower (layers, rows, columns).
    pub shape: [usize; 3],
    /// Where that lies in the shower; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<[usize; 3]>,
    /// Extents to which encoder and decoder extend the shower with empty cells behind the last ones; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padded: Option<[usize; 3]>,
    /// How cell energies are seen.
    pub preprocess: Preprocess,
    /// Divides the energy label in GeV.
    pub energy_scale: f32,
    /// Cells below this energy, in the unit of the file, are empty in generated showers.
    pub cut: f32,
    /// Numbers that the decoder sees.
    pub latent: usize,
    /// As many of them come from the encoder; the others are noise.
    pub encoded: usize,
    /// The encoder.
    pub encoder: Encoder,
    /// The decoder.
    pub decoder: Decoder,
    /// The critic.
    pub critic: Critic,
    /// Whether a second critic of the same kind starts anew every epoch, as the paper has it. (In its code the call that
    /// should restart the weights does nothing, and only the optimiser forgets.)
    pub resetting_twin: bool,
    /// The critic of latent values; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latent_critic: Option<LatentCritic>,
    /// Steps of each critic before a step of encoder and decoder, on the same showers.
    pub critic_steps: usize,
    /// Weight of the gradient penalties.
    pub penalty: f32,
    /// Weights of what encoder and decoder minimise.
    pub loss: Loss,
    /// Decay of the means of gradients and of their squares in Adam.
    pub betas: [f32; 2],
    /// Learning rate of encoder, decoder and critics.
    pub rate: Decaying,
    /// Epochs of encoder and decoder before those of the post processor.
    pub epochs: f64,
    /// The post processor; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
    /// What the encoded values are drawn from when it generates; `None` for N(0, 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
    /// Slope of leaky ReLUs.
    pub slope: f32,
    /// Rate of the running mean of the parameters that sampling uses; 0 keeps none.
    pub average: f32,
    /// Showers in a batch.
    pub batch: usize,
}

/// The distribution of encoded values, fitted when all else is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// Kernel density or normalising flow.
    pub model: Latent,
    /// Epochs in which it is fitted, the last ones.
    pub epochs: f64,
    /// Learning rate, which shrinks from its own first epoch on.
    pub rate: Decaying,
}

/// Sizes of the encoder. Every layer ends in a leaky ReLU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// Convolutions.
    pub convs: Vec<Conv>,
    /// Widths of the dense layers behind them, of which the first sees the energy as well.
    pub dense: Vec<usize>,
}

/// Sizes of the decoder. Every layer ends in a leaky ReLU, the last in a ReLU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decoder {
    /// Widths of the dense layers, of which the first sees latent values and energy.
    pub dense: Vec<usize>,
    /// Channels and extents to which a last dense layer leads.
    pub start: [usize; 4],
    /// Convolutions; the last gives the cells.
    pub convs: Vec<Conv>,
    /// Whether it sees beside the energy the observables that the prior draws: those of the shower itself in training.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observables: bool,
}

/// Sizes of the critic: streams side by side, joined by dense layers. It sees a shower and a candidate for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Critic {
    /// Convolutions of two streams, one of which sees the candidate, the other its logarithm.
    pub convs: Vec<Conv>,
    /// Factor of cells x before the first of them.
    pub linear_scale: f32,
    /// The logarithm is ln(1 + `log_scale` x): with e⁵ that is ln(x + e⁻⁵) + 5.
    pub log_scale: f32,
    /// A dense stream that sees the candidate less the shower.
    pub difference: bool,
    /// Likewise of logarithms.
    pub log_difference: bool,
    /// Slope of the leaky ReLU of these two.
    pub difference_slope: f32,
    /// Two streams that see how a candidate differs from the others of its batch; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
    /// Width of each stream.
    pub width: usize,
    /// Widths of the dense layers behind them.
    pub dense: Vec<usize>,
}

/// Standard deviation and sum of a shower's cells, less those of every shower of the batch, embedded, and the mean and
/// standard deviation of that over the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Widths of the layers that embed a difference.
    pub widths: Vec<usize>,
    /// Factor of the sums.
    pub sum_scale: f32,
}

/// The critic of latent values, which sees one at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentCritic {
    /// Widths of its hidden layers.
    pub widths: Vec<usize>,
    /// Its learning rate.
    pub rate: Decaying,
}

/// Weights of what encoder and decoder minimise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Of the critic's opinion, and of its twin's.
    pub critic: f32,
    /// Of the latent critic's opinion.
    pub latent_critic: f32,
    /// Of the Kullback-Leibler divergence of the encoded values from N(0, 1).
    pub kld: f32,
    /// Of the maximum mean discrepancy between the latent values and N(0, 1).
    pub mmd: f32,
    /// Its kernels exp(-alpha |a-b|²).
    pub mmd_alphas: Vec<f32>,
    /// Of the mean squared difference of cells; published trainings have none.
    pub mse: f32,
}

impl Config {
    /// How many observables the decoder sees.
    pub(super) fn observables(&self) -> usize {
        let prior = self.prior.as_ref().filter(|_| self.decoder.observables);
        prior.map_or(0, |p| p.model.observables())
    }

    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with what makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        require(
            (1..=self.latent).contains(&self.encoded),
            "encoded must be at least 1 and at most latent",
        )?;
        require(self.critic_steps > 0, "critic_steps must be at least 1")?;
        require(
            !self.decoder.convs.is_empty() && self.critic.width > 0,
            "the decoder needs convolutions and the critic a width",
        )?;
        require(
            self.loss.mmd == 0.0 || !self.loss.mmd_alphas.is_empty(),
            "mmd needs mmd_alphas",
        )?;
        require(
            self.latent_critic.is_some() || self.loss.latent_critic == 0.0,
            "loss.latent_critic must be 0 where there is no latent_critic",
        )?;
        if let Some(padded) = self.padded {
            require(
                padded.iter().zip(self.shape).all(|(&p, s)| p >= s),
                "padded must be no smaller than shape",
            )?;
        }
        if let Some(s) = &self.critic.statistics {
            require(!s.widths.is_empty(), "statistics.widths must not be empty")?;
        }
        require(
            !self.decoder.observables || self.observables() > 0,
            "decoder.observables needs a prior that draws some",
        )?;
        if let Some(prior) = &self.prior {
            prior.model.check()?;
            require(
                prior.model != Latent::Normal && prior.epochs > 0.0,
                "prior.model must be a kde or a flow, and prior.epochs above 0",
            )?;
        }
        self.post.as_ref().map_or(Ok(()), Post::check)
    }
}
