//! What an autoencoder's codes are drawn from when it generates: normal noise, a kernel density, or a normalising flow. The
//! last two are fitted to the codes of training showers after the autoencoder is trained.

mod flow;
mod kde;

pub use flow::{Flow, Kind, Observable};
pub use kde::Kde;
use serde::{Deserialize, Serialize};

use super::{Build, require};
use crate::Result;
use crate::nn::{Mode, Network};
use crate::tape::Var;

/// The distribution of codes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Latent {
    /// Standard normal noise.
    #[default]
    Normal,
    /// Kernel density of stored codes, given the energy.
    Kde(Kde),
    /// Normalising flow, given the energy.
    Flow(Flow),
}

/// Codes that were drawn.
pub struct Drawn<'t> {
    /// `[d,N]`
    pub codes: Var<'t>,
    /// The observables that belong to them as [`Latent::observed`] gives them, if the distribution has some.
    pub observables: Option<Var<'t>>,
    /// What the shower's cells shall sum to, `[1,N]` in the file's unit, if the distribution says so.
    pub energy_sum: Option<Var<'t>>,
}

impl<'t> From<Var<'t>> for Drawn<'t> {
    /// Codes alone.
    fn from(codes: Var<'t>) -> Self {
        Self {
            codes,
            observables: None,
            energy_sum: None,
        }
    }
}

impl Latent {
    /// Checks the settings.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Normal => Ok(()),
            Self::Kde(kde) => require(
                kde.points > 1 && kde.bandwidth > 0.0,
                "latent.kde: points must be at least 2 and bandwidth above 0",
            ),
            Self::Flow(flow) => {
                require(
                    flow.blocks > 0 && flow.hidden > 0 && flow.spline_hidden > 0 && flow.bins > 1,
                    "latent.flow: blocks, hidden and spline_hidden must be at least 1, bins at least 2",
                )?;
                require(
                    flow.blocks.max(flow.couplings) <= 100 && flow.bins <= 1000,
                    "latent.flow: at most 100 blocks and couplings and 1000 bins",
                )?;
                let positive = [flow.bound, flow.code_scale, flow.energy_scale];
                require(
                    positive.iter().all(|&v| v > 0.0)
                        && flow.observables.iter().all(|o| o.scale != 0.0),
                    "latent.flow: bound, code_scale and energy_scale must be above 0, no scale 0",
                )
            }
        }
    }

    /// The network that holds the distribution of codes of length `d`, if it has one.
    pub fn networks(&self, d: usize) -> Result<Vec<Network>> {
        Ok(match self {
            Self::Normal => Vec::new(),
            Self::Kde(kde) => vec![kde.network(d)?],
            Self::Flow(flow) => vec![flow.network(d)?],
        })
    }

    /// The name of that network.
    pub fn network(&self) -> Option<&'static str> {
        match self {
            Self::Normal => None,
            Self::Kde(_) => Some("kde"),
            Self::Flow(_) => Some("flow"),
        }
    }

    /// The networks that follow a gradient when the distribution is fitted: none where it only stores codes.
    pub fn trained(&self) -> Vec<&'static str> {
        match self {
            Self::Normal | Self::Kde(_) => Vec::new(),
            Self::Flow(_) => vec!["flow"],
        }
    }

    /// How many observables it draws together with the codes.
    pub fn observables(&self) -> usize {
        match self {
            Self::Normal | Self::Kde(_) => 0,
            Self::Flow(flow) => flow.observables.len(),
        }
    }

    /// These observables `[k,N]`, as the distribution scales them, of `showers` `[Z,X,Y,N]` in the file's unit; none if it
    /// draws none.
    pub fn observed<'t>(&self, build: &Build<'t>, showers: Var<'t>) -> Option<Var<'t>> {
        match self {
            Self::Flow(flow) if !flow.observables.is_empty() => Some(flow.observed(build, showers)),
            _ => None,
        }
    }

    /// The losses of the step that fits the distribution to codes as the decoder saw them: drawn, at random stream `stream`,
    /// from the `mean` and `log_variance` `[d,N]` that the encoder gave for `showers` `[Z,X,Y,N]` in the file's unit.
    pub fn losses<'t>(
        &self,
        build: &Build<'t>,
        [mean, log_variance]: [Var<'t>; 2],
        showers: Var<'t>,
        stream: u32,
    ) -> Vec<(&'static str, Var<'t>)> {
        let noise = build.normal(stream, &mean.shape());
        let codes = mean + (log_variance * 0.5).exp() * noise;
        match self {
            Self::Normal => Vec::new(),
            Self::Kde(kde) => kde.collect(build, &build.net("kde", Mode::Train), codes),
            Self::Flow(flow) => flow.losses(build, &build.net("flow", Mode::Train), codes, showers),
        }
    }

    /// Codes of length `d` for the batch's energies. Takes random streams `stream` and `stream + 1`.
    pub fn draw<'t>(&self, build: &Build<'t>, d: usize, stream: u32) -> Drawn<'t> {
        let codes = match self {
            Self::Normal => build.normal(stream, &[d, build.batch()]),
            Self::Kde(kde) => kde.draw(build, &build.trained("kde"), d, stream),
            Self::Flow(flow) => return flow.draw(build, &build.trained("flow"), d, stream),
        };
        codes.into()
    }
}

/// `showers` `[Z,X,Y,N]` scaled so that each sums to `energy_sum` `[1,N]`; an empty shower stays empty.
pub fn rescaled<'t>(showers: Var<'t>, energy_sum: Var<'t>) -> Var<'t> {
    let sum = showers.sum_keep(&[0, 1, 2]);
    let n = showers.extent(3);
    // The floor is far below a cell that counts; where the sum is 0, so is every cell.
    let floor = showers.tape().full(1e-20, &sum.shape());
    showers * (energy_sum.reshape(&[1, 1, 1, n]) / sum.maximum(floor))
}
