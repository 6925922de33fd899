//! Configuration of the variational autoencoders, as the names stand for it and small.

use serde::{Deserialize, Serialize};

use crate::models::{Preprocess, Preset};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of an image (layers, rows, columns), 1 or more layers. They are channels of the convolutions, and a shower of
    /// more is summed over blocks of them.
    pub shape: [usize; 3],
    /// How cell energies are seen.
    pub preprocess: Preprocess,
    /// Divides the incident energy in GeV.
    pub energy_scale: f32,
    /// The encoder (and the critic) sees the incident energy and predicts it as one more latent, which the decoder takes; when
    /// sampling, the energy asked for is put in its place. Otherwise energies are those of the training data.
    pub conditional: bool,
    /// Length of the latent.
    pub latent: usize,
    /// Sizes of encoder and decoder.
    pub networks: Sizes,
    /// The losses and their weights.
    pub losses: Terms,
    /// A critic of reconstructions; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adversary: Option<Adversary>,
    /// Decay rates of Adam's moments.
    pub betas: [f32; 2],
    /// Learning rates of encoder and decoder: (epochs, rate), one after the other.
    pub rates: Vec<(f64, f32)>,
    /// Rate of the running mean of the decoder's parameters; 0 keeps none.
    pub average: f32,
    /// Showers in a batch.
    pub batch: usize,
}

/// Sizes of the encoder; the decoder mirrors it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Convolutions before the dense layers; none makes a dense network.
    pub convs: Vec<Conv>,
    /// Widths of the hidden dense layers.
    pub hidden: Vec<usize>,
    /// Slope of leaky ReLUs; 0 makes them ReLUs.
    pub slope: f32,
}

/// A square convolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Kernel along each axis.
    pub kernel: usize,
    /// Stride along each axis.
    pub stride: usize,
    /// Zero padding along each axis.
    pub padding: usize,
}

/// The losses of a reconstruction, each with its weight; 0 leaves one out. Sums of energies are multiplied by `sum_scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Mean over pixels of (x - x')², as networks see them.
    pub mse: f32,
    /// The same after average pooling.
    pub pooled: Vec<Pooled>,
    /// Kullback-Leibler divergence of the latent from N(0,1), summed over latents.
    pub kld: f32,
    /// Steps in which the weight of `kld` grows from 0; 0 starts with all of it.
    pub kld_warm_up: u64,
    /// Factor of energy sums, in 1 / the file's unit.
    pub sum_scale: f32,
    /// ΔE: squared difference of energy sums.
    pub energy_sum: f32,
    /// Its absolute value.
    pub energy_sum_l1: f32,
    /// Squared difference of the logarithms of energy sums.
    pub energy_log_sum: f32,
    /// Squared difference of the sums of pixels as networks see them.
    pub energy_sum_log: f32,
    /// Squared difference of predicted and incident energy, both divided by `energy_scale`.
    pub energy_prediction: f32,
    /// Pixels below this energy count as 0 in the next two.
    pub cutoff: f32,
    /// Squared difference of sums of the energies above the cutoff, which have no factor.
    pub cut_sum: f32,
    /// Its absolute value.
    pub cut_sum_l1: f32,
    /// Kernel distance of the batches' radial profiles as shares of the energy sum.
    pub radial_mmd: Mmd,
    /// Rings of one cell in a radial profile.
    pub rings: usize,
    /// Kernel distance of the batches' energy sums.
    pub energy_mmd: Mmd,
    /// Mean over pixels of the squared difference of variances over the batch.
    pub pixel_variance: f32,
    /// Mean squared difference of pixels sorted by size, largest first.
    pub sort_mse: f32,
    /// Mean absolute difference of the same.
    pub sort_mae: f32,
    /// Mean over pixels of the squared difference of sums over the batch.
    pub batch_sum: f32,
    /// The same of their logarithms, above 1e-4.
    pub batch_sum_log: f32,
    /// Squared difference of smooth numbers of hits, as shares of the pixels.
    pub occupancy: f32,
    /// Energy from which a pixel counts as a hit.
    pub hit: f32,
}

/// A mean squared error after average pooling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pooled {
    /// Rows and columns of a window.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
    /// Weight.
    pub weight: f32,
}

/// A maximum mean discrepancy with Gaussian kernels `exp(-alpha d²)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mmd {
    /// Weight.
    pub weight: f32,
    /// One kernel each.
    pub alphas: Vec<f32>,
    /// Multiplies what is compared.
    pub scale: f32,
}

/// A critic that tells reconstructions from images; Wasserstein distance with gradient penalty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adversary {
    /// Weight in the loss of encoder and decoder.
    pub weight: f32,
    /// Shows it the image beside the reconstruction, and the image twice as the real pair.
    pub pairs: bool,
    /// Shows it logarithms of ring energies and of the energy sum, and a smooth number of hits.
    pub observables: bool,
    /// Convolutions.
    pub convs: Vec<Conv>,
    /// Widths of the hidden dense layers.
    pub hidden: Vec<usize>,
    /// Weight of the gradient penalty.
    pub penalty: f32,
    /// Critic steps to one step of encoder and decoder.
    pub steps: u64,
    /// Learning rates: (epochs, rate), one after the other.
    pub rates: Vec<(f64, f32)>,
}

fn conv(channels: usize, kernel: usize) -> Conv {
    Conv {
        channels,
        kernel,
        stride: 2,
        padding: 1,
    }
}

fn pooled(kernel: usize, stride: usize, weight: f32) -> Pooled {
    Pooled {
        kernel,
        stride,
        weight,
    }
}

/// Every loss switched off, with the constants of the published code.
fn nothing() -> Terms {
    let mmd = |alphas: &[f32], scale| Mmd {
        weight: 0.0,
        alphas: alphas.to_vec(),
        scale,
    };
    Terms {
        mse: 0.0,
        pooled: Vec::new(),
        kld: 0.0,
        kld_warm_up: 0,
        sum_scale: 1e-4,
        energy_sum: 0.0,
        energy_sum_l1: 0.0,
        energy_log_sum: 0.0,
        energy_sum_log: 0.0,
        energy_prediction: 0.0,
        cutoff: 0.1,
        cut_sum: 0.0,
        cut_sum_l1: 0.0,
        radial_mmd: mmd(&[0.1, 1.0, 10.0, 100.0], 1.0),
        rings: 24,
        energy_mmd: mmd(&[0.1, 1.0, 100.0, 1000.0], 1000.0),
        pixel_variance: 0.0,
        sort_mse: 0.0,
        sort_mae: 0.0,
        batch_sum: 0.0,
        batch_sum_log: 0.0,
        occupancy: 0.0,
        hit: 0.1,
    }
}

/// The default autoencoder.
///
/// The published losses have no weights. Beside a mean over pixels, the divergence is divided by their number, which makes
/// one sum of both.
fn base() -> Config {
    Config {
        shape: [1, 30, 30],
        preprocess: Preprocess {
            log: true,
            ..Preprocess::NONE
        },
        energy_scale: 100.0,
        conditional: false,
        latent: 24,
        networks: Sizes {
            convs: Vec::new(),
            hidden: vec![400, 200],
            slope: 0.0,
        },
        losses: Terms {
            mse: 1.0,
            kld: 1.0 / 900.0,
            kld_warm_up: 2000,
            ..nothing()
        },
        adversary: None,
        betas: [0.9, 0.999],
        rates: vec![(100.0, 1e-3)],
        average: 0.0,
        batch: 128,
    }
}

fn adversary() -> Adversary {
    Adversary {
        weight: 1.0,
        pairs: false,
        observables: false,
        convs: vec![conv(32, 3), conv(64, 3), conv(128, 3)],
        hidden: vec![128],
        penalty: 10.0,
        steps: 5,
        rates: vec![(100.0, 1e-4)],
    }
}

/// The configuration of `name`.
pub fn preset(name: &str, preset: Preset) -> Config {
    let mut c = base();
    match name {
        "vae-pooled" => {
            c.losses.energy_sum = 1.0;
            c.losses.pooled = vec![pooled(3, 2, 1.0), pooled(5, 3, 1.0), pooled(10, 5, 1.0)];
        }
        "vae-adversarial" => {
            c.losses = Terms {
                kld: 1.0,
                ..nothing()
            };
            c.adversary = Some(adversary());
            c.betas = [0.5, 0.9];
            c.rates = vec![(100.0, 1e-4)];
        }
        "vae-energy" => {
            c.conditional = true;
            c.networks = Sizes {
                convs: vec![conv(16, 4), conv(32, 4), conv(64, 4)],
                hidden: vec![128],
                slope: 0.2,
            };
            // Weights that the published code names in a comment; there the radial term has none.
            c.losses.pooled = vec![pooled(10, 5, 20.0)];
            c.losses.kld = 10.0;
            c.losses.energy_prediction = 100.0;
            c.losses.energy_sum = 20.0;
            c.losses.radial_mmd.weight = 1.0;
        }
        _ => {}
    }
    if preset == Preset::Small {
        shrink(name, &mut c);
    }
    c
}

/// Narrow networks, and settings with which a few minutes of training lead somewhere.
fn shrink(name: &str, c: &mut Config) {
    c.latent = 16;
    c.networks.hidden = vec![256, 128];
    c.losses.kld_warm_up = 500;
    c.rates = vec![(40.0, 1e-3), (20.0, 3e-4), (20.0, 1e-4)];
    match name {
        "vae-adversarial" => {
            c.losses.kld = 0.01;
            c.losses.kld_warm_up = 0;
            if let Some(a) = &mut c.adversary {
                a.observables = true;
                a.convs = vec![conv(8, 3), conv(16, 3), conv(16, 3)];
                a.hidden = vec![64];
                a.rates = vec![(100.0, 1e-3), (50.0, 3e-4), (50.0, 1e-4)];
                c.rates = a.rates.clone();
            }
            c.average = 0.005;
            c.batch = 64;
        }
        "vae-energy" => {
            c.networks.hidden = vec![128];
            c.rates = vec![(80.0, 1e-3), (40.0, 3e-4), (30.0, 1e-4)];
            // Pixels move alike at all energies, and are those of a shower of 50 GeV.
            c.preprocess.per_energy = true;
            c.preprocess.scale = 50.0;
            // Energy sums in GeV, so that they are of the size of one.
            c.losses.sum_scale = 1e-3;
            c.losses.energy_sum = 1.0;
            c.losses.kld = 10.0 / 900.0;
            c.losses.pooled[0].weight = 1.0;
            c.losses.energy_prediction = 10.0;
            c.losses.radial_mmd.weight = 0.1;
        }
        _ => {}
    }
}
