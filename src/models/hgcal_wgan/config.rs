//! Configuration of the HGCAL WGAN, published and small.

use serde::{Deserialize, Serialize};

use crate::models::{Preprocess, Preset};
use crate::nn::Window;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of a shower (layers, rows, columns).
    pub shape: [usize; 3],
    /// How cell energies are seen.
    pub preprocess: Preprocess,
    /// Divides the energy label.
    pub energy_scale: f32,
    /// Divides the position labels.
    pub position_scale: f32,
    /// Length of the noise.
    pub latent: usize,
    /// Normal noise; otherwise uniform in (-1, 1).
    pub normal_noise: bool,
    /// The generator.
    pub generator: Generator,
    /// The critic.
    pub critic: Critic,
    /// The constrainers; `None` trains without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constrainer: Option<Constrainer>,
    /// Bound of the uniform numbers that weights start from; 0 for PyTorch's default, by the layer's fan-in.
    #[serde(default)]
    pub init: f32,
    /// Empties cells that are empty in all of the training data.
    pub mask: bool,
    /// Weight of the gradient penalty.
    pub penalty: f32,
    /// Takes the norm of the whole batch's gradient at once, as the published code does.
    pub legacy_gp: bool,
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

/// Sizes of the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// Towers side by side; one serves all layers.
    pub towers: usize,
    /// Width of the first dense layer of a tower.
    pub hidden: usize,
    /// Rows and columns from which a tower starts.
    pub start: [usize; 2],
    /// Channels at the start, then after each doubling.
    pub channels: Vec<usize>,
    /// Kernel of a tower's last convolution, to one channel, unpadded; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tower_kernel: Option<[usize; 2]>,
    /// Convolutions behind the towers.
    pub trunk: Vec<Conv>,
    /// Locally connected last layer; otherwise a convolution, kernel 3.
    pub locally_connected: bool,
    /// Biases per position in the towers.
    pub untied: bool,
}

/// One convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Kernel (rows, columns).
    pub kernel: [usize; 2],
    /// Stride along both axes.
    pub stride: usize,
    /// Zero padding (rows, columns).
    pub padding: [usize; 2],
}

/// Sizes of the critic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Critic {
    /// Width of the dense layer between labels and their plane.
    pub label: usize,
    /// Convolutions; all but the first are normalised.
    pub convs: Vec<Conv>,
    /// Width of the last hidden layer.
    pub hidden: usize,
    /// Shows the critic the energy sum and a soft number of hits of each layer.
    pub observables: bool,
}

/// Sizes of the constrainers and how they are trained and used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constrainer {
    /// Channels of the six convolutions.
    pub channels: [usize; 6],
    /// Epochs of the rates' in which they are trained; a shorter training has as large a share of them.
    pub epochs: f64,
    /// Their learning rate.
    pub rate: f32,
    /// Weight of each constraint in the generator's loss.
    pub weight: f32,
}

impl Conv {
    pub(super) fn window(&self) -> Window {
        Window {
            kernel: self.kernel,
            stride: [self.stride; 2],
            padding: self.padding,
        }
    }
}

pub(super) fn conv(
    channels: usize,
    kernel: [usize; 2],
    stride: usize,
    padding: [usize; 2],
) -> Conv {
    Conv {
        channels,
        kernel,
        stride,
        padding,
    }
}

/// The published configuration, or a small one.
pub fn preset(preset: Preset) -> Config {
    match preset {
        Preset::Paper => Config {
            shape: [7, 12, 15],
            // Cells below two minimum ionising particles count as empty (0.0856 MeV each in this detector).
            preprocess: Preprocess {
                file_unit: Some("MeV".into()),
                unit: 0.0856,
                threshold: 2.0,
                ..Preprocess::NONE
            },
            energy_scale: 1.0,
            position_scale: 1.0,
            latent: 10,
            normal_noise: false,
            generator: Generator {
                towers: 7,
                hidden: 10,
                start: [3, 4],
                channels: vec![16, 16, 32, 64],
                tower_kernel: Some([5, 9]),
                trunk: vec![
                    conv(64, [3, 3], 1, [1, 1]),
                    conv(128, [5, 6], 1, [0, 0]),
                    conv(14, [3, 3], 1, [0, 0]),
                ],
                locally_connected: true,
                untied: true,
            },
            critic: Critic {
                label: 10,
                convs: vec![
                    conv(256, [5, 5], 1, [2, 2]),
                    conv(128, [3, 3], 1, [1, 1]),
                    conv(64, [3, 3], 1, [1, 1]),
                    conv(32, [3, 3], 1, [1, 1]),
                    conv(16, [3, 3], 1, [1, 1]),
                ],
                hidden: 10,
                observables: false,
            },
            constrainer: Some(Constrainer {
                channels: [1, 16, 16, 32, 32, 64],
                epochs: 50.0,
                rate: 5e-5,
                weight: 0.01,
            }),
            init: 0.1,
            mask: true,
            penalty: 5.0,
            legacy_gp: false,
            critic_steps: 9,
            generator_rates: vec![(70.0, 1e-3), (20.0, 5e-4), (10.0, 2e-4), (50.0, 1e-4)],
            critic_rates: vec![(60.0, 5e-4), (20.0, 2e-4), (20.0, 1e-4), (50.0, 5e-5)],
            average: 0.0,
            batch: 256,
        },
        Preset::Small => Config {
            shape: [7, 12, 15],
            preprocess: Preprocess::shares(200.0),
            energy_scale: 50.0,
            position_scale: 20.0,
            latent: 16,
            normal_noise: true,
            generator: Generator {
                towers: 1,
                hidden: 128,
                start: [3, 4],
                channels: vec![32, 32, 16],
                tower_kernel: None,
                trunk: vec![conv(16, [3, 3], 1, [1, 1]), conv(16, [3, 4], 1, [1, 1])],
                locally_connected: false,
                untied: false,
            },
            critic: Critic {
                label: 10,
                convs: vec![
                    conv(16, [5, 5], 1, [2, 2]),
                    conv(16, [3, 3], 1, [1, 1]),
                    conv(16, [3, 3], 2, [1, 1]),
                    conv(16, [3, 3], 1, [1, 1]),
                ],
                hidden: 64,
                observables: true,
            },
            constrainer: Some(Constrainer {
                channels: [1, 4, 4, 8, 8, 16],
                epochs: 10.0,
                rate: 1e-3,
                weight: 0.01,
            }),
            init: 0.0,
            mask: false,
            penalty: 5.0,
            legacy_gp: false,
            critic_steps: 4,
            generator_rates: vec![(100.0, 1e-3), (60.0, 3e-4), (40.0, 1e-4)],
            critic_rates: vec![(100.0, 1e-3), (60.0, 3e-4), (40.0, 1e-4)],
            average: 0.005,
            batch: 64,
        },
    }
}
