//! Configuration of the conditional DCGAN, published and small.

use serde::{Deserialize, Serialize};

use crate::models::zdc::{Conditions, PHOTONS, Rates, logarithm};
use crate::models::{Preprocess, Preset};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of a shower: one layer, rows, columns.
    pub shape: [usize; 3],
    /// Names of the labels, the energy first; none for an unconditional system.
    pub conditions: Conditions,
    /// How cell energies are seen.
    pub preprocess: Preprocess,
    /// Length of the noise.
    pub latent: usize,
    /// The generator.
    pub generator: Generator,
    /// The discriminator; the coordinate regressor has its layers.
    pub discriminator: Discriminator,
    /// Dropout behind every hidden layer.
    pub dropout: f32,
    /// Slope of every leaky ReLU.
    pub slope: f32,
    /// Holds the brightest cell of generated showers to its place; `None` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<Coordinates>,
    /// Rewards showers that differ for different noise (SDI-GAN); `None` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<Diversity>,
    /// Fits one factor on all generated cells to the channel sums of the training data; `None` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Shares of both moments that Adam keeps.
    pub betas: [f32; 2],
    /// Learning rates of the generator: (epochs, rate), one after the other.
    pub generator_rates: Rates,
    /// Learning rates of the discriminator, likewise.
    pub discriminator_rates: Rates,
    /// Rate of the running mean of the generator's parameters; 0 keeps none.
    pub average: f32,
    /// Showers in a batch.
    pub batch: usize,
}

/// Sizes of the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// Width of the first dense layer.
    pub dense: usize,
    /// Channels from which the image starts.
    pub channels: usize,
    /// Rows and columns from which it starts.
    pub start: [usize; 2],
    /// Convolutions; one more, to one channel, takes away the rows and columns that are too much.
    pub convs: Vec<Growth>,
}

/// Repeated cells and an unpadded convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// How often each cell is repeated along rows and columns.
    pub upsample: [usize; 2],
    /// Output channels.
    pub channels: usize,
    /// Kernel along both axes.
    pub kernel: usize,
}

/// Sizes of the discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discriminator {
    /// Convolutions.
    pub convs: Vec<Pooled>,
    /// Widths of the hidden dense layers, which see the conditions as well.
    pub dense: Vec<usize>,
}

/// An unpadded convolution and the maximum over windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pooled {
    /// Output channels.
    pub channels: usize,
    /// Kernel along both axes.
    pub kernel: usize,
    /// Extents of the windows.
    pub pool: [usize; 2],
}

/// A network that finds the row and the column of the brightest cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinates {
    /// Weight in the generator's loss of its squared error, in cells, on a generated shower against the real shower of the
    /// same conditions.
    pub weight: f32,
    /// Its learning rate.
    pub rate: f32,
}

/// A reward of showers that differ for different noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diversity {
    /// Weight in the generator's loss.
    pub weight: f32,
    /// Distance of standardised conditions within which real showers count as made by like particles.
    pub bandwidth: f32,
}

/// One factor within 0.9 and 1.1 on all generated cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Share of the training after which it is fitted.
    pub from: f64,
    /// Its learning rate.
    pub rate: f32,
}

fn growth(upsample: [usize; 2], channels: usize, kernel: usize) -> Growth {
    Growth {
        upsample,
        channels,
        kernel,
    }
}

fn pooled(channels: usize) -> Pooled {
    Pooled {
        channels,
        kernel: 3,
        pool: [2, 2],
    }
}

/// The published configuration for 44x44, or a small one.
pub fn preset(preset: Preset) -> Config {
    let paper = preset == Preset::Paper;
    Config {
        shape: [1, 44, 44],
        conditions: Conditions::particle(),
        preprocess: logarithm(PHOTONS),
        latent: 10,
        generator: Generator {
            dense: if paper { 256 } else { 64 },
            channels: if paper { 128 } else { 12 },
            start: [13, 13],
            convs: match paper {
                true => vec![growth([2, 2], 128, 3), growth([2, 2], 64, 3)],
                false => vec![growth([2, 2], 12, 3), growth([2, 2], 6, 3)],
            },
        },
        discriminator: Discriminator {
            convs: match paper {
                true => vec![pooled(32), pooled(16)],
                false => vec![pooled(8), pooled(16)],
            },
            dense: vec![128, 64],
        },
        // On two cores its random numbers cost as much as the convolutions.
        dropout: if paper { 0.2 } else { 0.0 },
        slope: 0.1,
        coordinates: None,
        diversity: None,
        calibration: None,
        betas: if paper { [0.9, 0.999] } else { [0.5, 0.9] },
        generator_rates: match paper {
            true => vec![(300.0, 1e-4)],
            false => vec![(30.0, 1e-3), (10.0, 2e-4)],
        },
        discriminator_rates: match paper {
            true => vec![(300.0, 1e-5)],
            false => vec![(30.0, 5e-4), (10.0, 1e-4)],
        },
        average: if paper { 0.0 } else { 0.005 },
        batch: if paper { 128 } else { 64 },
    }
}
