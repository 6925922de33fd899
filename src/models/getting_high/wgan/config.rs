//! Configuration of the WGAN, published and small.

use serde::{Deserialize, Serialize};

use crate::models::spectrum::Spectrum;
use crate::models::{Preprocess, Preset, regressor};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of a shower (layers, rows, columns): those of `start`, doubled and two less.
    pub shape: [usize; 3],
    /// How cell energies are seen by generator and critic.
    pub preprocess: Preprocess,
    /// Divides the incident energy in GeV.
    pub energy_scale: f32,
    /// Length of the noise.
    pub latent: usize,
    /// Normal noise, as the paper has it; otherwise uniform in (-1, 1), as its code does.
    pub normal_noise: bool,
    /// Extents from which the generator starts.
    pub start: [usize; 3],
    /// Channels of the generator: at the start for noise and for energy each, then after each doubling.
    pub generator: Vec<usize>,
    /// Convolutions of the critic.
    pub critic: Vec<Conv>,
    /// Widths of its hidden dense layers.
    pub dense: Vec<usize>,
    /// The constrainer; `None` trains without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constrainer: Option<Constrainer>,
    /// A loss of the generator on sorted cells; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectrum: Option<Spectrum>,
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

/// A convolution of the critic, without bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Kernel (layers, rows, columns).
    pub kernel: [usize; 3],
    /// Stride, likewise.
    pub stride: [usize; 3],
    /// Zero padding, likewise.
    pub padding: [usize; 3],
    /// Followed by a norm over voxels and a leaky ReLU; otherwise by nothing.
    pub norm: bool,
}

/// The network that reconstructs the energy from a shower in the file's unit, how it is trained and used. The published one
/// is the first regressor of the Fréchet Regression Distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constrainer {
    /// Convolutions.
    pub convs: Vec<regressor::Conv>,
    /// Widths of the hidden dense layers.
    pub dense: Vec<usize>,
    /// Trained by Adam; otherwise by plain gradient descent.
    pub adam: bool,
    /// Epochs of the rates' in which it is trained; a shorter training has as large a share of them.
    pub epochs: f64,
    /// Its learning rate.
    pub rate: f32,
    /// Weight of the constraint in the generator's loss.
    pub weight: f32,
}

fn conv(channels: usize, depth: usize, stride: usize, padding: usize, norm: bool) -> Conv {
    Conv {
        channels,
        kernel: [depth, 2, 2],
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        norm,
    }
}

/// The published configuration, or a small one.
pub fn preset(preset: Preset) -> Config {
    let small = preset == Preset::Small;
    let constrainer = |c: usize| {
        vec![
            regressor::conv(16 / c, 3, 2, 0, true),
            regressor::conv(32 / c, 3, 2, 0, true),
            regressor::conv(16 / c, 2, 1, 0, false),
        ]
    };
    let paper = Config {
        shape: [30; 3],
        preprocess: Preprocess::NONE,
        energy_scale: 1.0,
        latent: 100,
        normal_noise: false,
        start: [4; 3],
        generator: vec![128, 128, 64, 32],
        critic: vec![
            conv(32, 10, 2, 1, true),
            conv(64, 6, 2, 0, true),
            conv(128, 4, 2, 0, true),
            conv(1, 4, 1, 0, false),
        ],
        dense: vec![100, 200, 100, 75],
        constrainer: Some(Constrainer {
            convs: constrainer(1),
            dense: vec![100],
            adam: false,
            // 30 of the 131 thousand steps of 20 epochs.
            epochs: 4.6,
            rate: 1e-5,
            weight: 0.01,
        }),
        spectrum: None,
        init: 0.02,
        penalty: 5.0,
        critic_steps: 5,
        // Divided by ten at 50 and 100 of 131 thousand steps.
        generator_rates: vec![(7.6, 1e-4), (7.6, 1e-5), (4.8, 1e-6)],
        critic_rates: vec![(7.6, 1e-5), (12.4, 1e-6)],
        average: 0.0,
        batch: 50,
    };
    if !small {
        return paper;
    }
    Config {
        preprocess: Preprocess {
            per_energy: true,
            scale: 200.0,
            log: true,
            ..paper.preprocess
        },
        energy_scale: 50.0,
        latent: 32,
        normal_noise: true,
        generator: vec![16, 16, 8, 4],
        critic: vec![
            conv(4, 10, 2, 1, true),
            conv(8, 6, 2, 0, true),
            conv(16, 4, 2, 0, true),
            conv(1, 4, 1, 0, false),
        ],
        dense: vec![64, 32],
        constrainer: Some(Constrainer {
            convs: constrainer(4),
            dense: vec![100],
            adam: true,
            epochs: 4.0,
            rate: 1e-3,
            weight: 0.01,
        }),
        init: 0.0,
        critic_steps: 3,
        generator_rates: vec![(8.0, 1e-3), (4.0, 3e-4)],
        critic_rates: vec![(8.0, 1e-3), (4.0, 3e-4)],
        average: 0.01,
        batch: 16,
        ..paper
    }
}
