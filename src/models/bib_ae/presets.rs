//! Published and small configurations.

use super::config::{
    Config, Conv, Critic, Decoder, Encoder, Kernel, LatentCritic, Loss, Post, Prior, Statistics,
};
use crate::models::latent::{Flow, Kde, Kind, Latent, Observable};
use crate::models::schedule::Decaying;
use crate::models::{Preprocess, Preset};
use crate::nn::Norm;

/// The configuration of a preset of the system `name`.
pub(super) fn preset(name: &str, preset: Preset) -> Config {
    let mut config = match (name, preset) {
        ("bib-ae-hadron", Preset::Paper) => hadron(),
        ("bib-ae-ahcal", Preset::Paper) => ahcal(),
        (_, Preset::Paper) => photons(),
        ("bib-ae-hadron", Preset::Small) => small_pions([48, 25, 25], Some([0, 13, 11])),
        ("bib-ae-ahcal", Preset::Small) => small_pions([37, 24, 24], Some([0; 3])),
        (_, Preset::Small) => small_photons(),
    };
    if name == "vae-gan" {
        config.latent_critic = None;
        (config.loss.latent_critic, config.loss.mmd, config.loss.mse) = (0.0, 0.0, 0.0);
        config.critic.difference = false;
        (config.post, config.prior) = (None, None);
    }
    config
}

fn cubic(channels: usize, kernel: usize, stride: usize, padding: usize) -> Conv {
    conv(channels, [kernel; 3], [stride; 3], [padding; 3])
}

fn conv(channels: usize, kernel: [usize; 3], stride: [usize; 3], padding: [usize; 3]) -> Conv {
    Conv {
        channels,
        kernel,
        stride,
        padding,
        transposed: None,
        norm: Some(Norm::Voxel),
    }
}

fn up(channels: usize, kernel: usize, stride: usize, padding: usize, more: usize) -> Conv {
    Conv {
        transposed: Some([more; 3]),
        ..cubic(channels, kernel, stride, padding)
    }
}

/// Without a norm.
fn bare(conv: Conv) -> Conv {
    Conv { norm: None, ..conv }
}

/// Nothing is changed but the unit, and cells below `threshold` units.
fn plain(unit: f32, threshold: f32) -> Preprocess {
    Preprocess {
        unit,
        threshold,
        per_energy: false,
        scale: 1.0,
        log: false,
    }
}

/// Kernel density of the codes of `points` showers, collected in `epochs`.
fn density(points: usize, epochs: f64) -> Option<Prior> {
    Some(Prior {
        model: Latent::Kde(Kde {
            points,
            bandwidth: 1.0,
        }),
        epochs,
        // It follows no gradient.
        rate: Decaying {
            start: 1e-3,
            factor: 1.0,
        },
    })
}

/// Flow that draws visible energy, hits, depth and start of pion showers along with their codes; the shower is scaled to
/// that energy. `blocks`, couplings in half a block, and widths of hidden layers; offsets and scales are those of pions of
/// 80 to 160 GeV in the CALICE AHCAL, and bring each observable to the size of one.
fn flow(blocks: usize, couplings: usize, [hidden, spline_hidden]: [usize; 2]) -> Latent {
    let observable = |kind, offset, scale| Observable {
        kind,
        offset,
        scale,
    };
    Latent::Flow(Flow {
        blocks,
        couplings,
        hidden,
        spline_hidden,
        bins: 8,
        bound: 4.0,
        observables: vec![
            observable(Kind::Response, 18.0, 0.2),
            observable(Kind::Hits, 600.0, 0.005),
            observable(Kind::CentreZ, 15.0, 0.2),
            observable(Kind::Start, 8.0, 0.15),
        ],
        threshold: 0.2367,
        code_scale: 1.0,
        energy_scale: 160.0,
        rescale: true,
    })
}

/// "Getting High", arXiv:2005.05334.
fn photons() -> Config {
    let rate = Decaying {
        start: 0.5e-3,
        factor: 0.95,
    };
    Config {
        shape: [30; 3],
        origin: None,
        padded: None,
        preprocess: plain(1.0, 0.0),
        energy_scale: 1.0,
        cut: 0.1,
        latent: 512,
        encoded: 24,
        encoder: Encoder {
            convs: vec![
                cubic(8, 4, 2, 2),
                cubic(16, 4, 2, 2),
                cubic(32, 4, 2, 2),
                cubic(64, 3, 1, 1),
            ],
            dense: vec![4000, 768],
        },
        decoder: Decoder {
            dense: vec![768, 4000],
            start: [8, 10, 10, 10],
            convs: vec![
                up(8, 3, 3, 1, 2),
                up(16, 3, 2, 1, 1),
                cubic(8, 2, 2, 0),
                cubic(16, 3, 1, 1),
                cubic(32, 3, 1, 1),
                cubic(16, 3, 1, 1),
                bare(cubic(1, 3, 1, 1)),
            ],
        },
        critic: Critic {
            convs: vec![
                cubic(128, 3, 2, 0),
                cubic(128, 3, 2, 0),
                bare(cubic(128, 3, 1, 0)),
            ],
            linear_scale: 1.0,
            log_scale: 1.0,
            difference: true,
            log_difference: false,
            difference_slope: 0.01,
            statistics: None,
            width: 64,
            dense: vec![256, 256, 256],
        },
        resetting_twin: false,
        latent_critic: Some(LatentCritic {
            widths: vec![50, 100, 50],
            rate: Decaying {
                start: 2e-3,
                factor: 0.95,
            },
        }),
        critic_steps: 5,
        penalty: 10.0,
        loss: Loss {
            critic: 1.0,
            latent_critic: 100.0,
            kld: 0.05,
            mmd: 100.0,
            mmd_alphas: vec![1.0, 0.01],
            mse: 0.0,
        },
        betas: [0.5, 0.9],
        rate,
        epochs: 35.0,
        post: Some(Post {
            channels: 128,
            layers: 6,
            sum_scale: 1.0,
            residual: false,
            copy_epochs: 1.0,
            epochs: 3.0,
            joint: false,
            rate,
            mse: 1.0,
            kernels: vec![kernel(5.0, 200.0, [100, 25, 2000])],
            sorted_mse: 0.0,
            sorted_mae: 0.0,
            batch_sum: 0.0,
        }),
        // "Decoding Photons", arXiv:2102.12491.
        prior: density(20_000, 1.0),
        slope: 0.2,
        average: 0.0,
        batch: 8,
    }
}

fn kernel(weight: f32, alpha: f32, [size, stride, limit]: [usize; 3]) -> Kernel {
    Kernel {
        weight,
        alpha,
        size,
        stride,
        limit,
    }
}

/// Hadron showers, arXiv:2112.09709: the core of a 48 x 48 x 48 shower.
fn hadron() -> Config {
    let rate = Decaying {
        start: 0.5e-4,
        factor: 0.97,
    };
    let base = photons();
    Config {
        shape: [48, 25, 25],
        origin: Some([0, 13, 11]),
        preprocess: plain(1.0, 1e-4),
        encoder: Encoder {
            convs: vec![
                conv(8, [2; 3], [2, 1, 1], [0; 3]),
                cubic(16, 2, 2, 0),
                cubic(32, 4, 2, 1),
                cubic(32, 4, 1, 1),
            ],
            dense: vec![800, 512],
        },
        decoder: Decoder {
            dense: vec![512, 800],
            start: [8, 12, 7, 7],
            convs: vec![
                up(8, 4, 2, 1, 0),
                up(8, 4, 2, 1, 0),
                conv(8, [1, 2, 2], [1; 3], [0; 3]),
                conv(8, [3; 3], [1; 3], [1, 0, 0]),
                cubic(8, 3, 1, 1),
                cubic(16, 3, 1, 1),
                cubic(32, 3, 1, 1),
                cubic(16, 3, 1, 1),
                bare(cubic(1, 3, 1, 1)),
            ],
        },
        critic: Critic {
            convs: vec![
                conv(64, [2; 3], [2, 1, 1], [0; 3]),
                cubic(64, 2, 2, 0),
                bare(cubic(64, 4, 2, 1)),
            ],
            linear_scale: 0.001,
            // e⁵
            log_scale: 148.413_16,
            difference: true,
            log_difference: true,
            difference_slope: 0.2,
            statistics: Some(Statistics {
                widths: vec![64, 64, 16],
                sum_scale: 1.0,
            }),
            width: 64,
            dense: vec![256, 256],
        },
        resetting_twin: true,
        latent_critic: base.latent_critic.map(|l| LatentCritic {
            rate: Decaying {
                start: 2e-4,
                factor: 0.97,
            },
            ..l
        }),
        loss: Loss {
            kld: 0.1,
            ..base.loss
        },
        rate,
        epochs: 49.0,
        post: base.post.map(|p| Post {
            layers: 10,
            rate,
            kernels: [40.0, 4.0]
                .map(|alpha| kernel(5.0, alpha, [150, 25, 1000]))
                .to_vec(),
            sorted_mse: 10.0,
            sorted_mae: 10.0,
            batch_sum: 1e-4,
            ..p
        }),
        batch: 16,
        ..base
    }
}

/// The CALICE AHCAL's test beam: the networks of [`hadron`] with extents that fit. Nothing is published.
fn ahcal() -> Config {
    let base = hadron();
    Config {
        // 37 of 39 layers; the last two are coarse in the test beam.
        shape: [37, 24, 24],
        origin: Some([0; 3]),
        padded: Some([40, 24, 24]),
        // In minimum ionising particles, of which a cell must hold half.
        preprocess: plain(0.4734, 0.5),
        cut: 0.0,
        energy_scale: 160.0,
        encoder: Encoder {
            convs: vec![
                conv(8, [2, 3, 3], [2, 1, 1], [0, 1, 1]),
                cubic(16, 2, 2, 0),
                cubic(32, 4, 2, 1),
                cubic(32, 4, 1, 1),
            ],
            ..base.encoder
        },
        decoder: Decoder {
            start: [8, 10, 6, 6],
            convs: vec![
                up(8, 4, 2, 1, 0),
                up(8, 4, 2, 1, 0),
                cubic(8, 3, 1, 1),
                cubic(16, 3, 1, 1),
                cubic(32, 3, 1, 1),
                cubic(16, 3, 1, 1),
                bare(cubic(1, 3, 1, 1)),
            ],
            ..base.decoder
        },
        prior: Some(Prior {
            model: flow(8, 3, [10, 4]),
            epochs: 20.0,
            rate: Decaying {
                start: 1e-4,
                factor: 1.0,
            },
        }),
        ..base
    }
}

/// Logarithms of cell energies over the incident energy, few channels, and the cells' own difference in the loss, which
/// leads encoder and decoder to a shower within a few epochs.
fn small_photons() -> Config {
    let base = photons();
    let rate = Decaying {
        start: 1e-3,
        factor: 0.95,
    };
    Config {
        preprocess: Preprocess {
            unit: 1.0,
            threshold: 0.0,
            per_energy: true,
            scale: 200.0,
            log: true,
        },
        energy_scale: 100.0,
        latent: 32,
        encoded: 12,
        encoder: Encoder {
            convs: vec![cubic(8, 4, 2, 1), cubic(8, 3, 2, 1), cubic(16, 3, 2, 1)],
            dense: vec![96],
        },
        decoder: Decoder {
            dense: vec![64],
            start: [16, 5, 5, 5],
            convs: vec![
                up(8, 3, 3, 0, 0),
                bare(up(4, 4, 2, 1, 0)),
                bare(cubic(1, 3, 1, 1)),
            ],
        },
        critic: Critic {
            convs: vec![
                cubic(8, 3, 3, 0),
                cubic(8, 3, 2, 1),
                bare(cubic(8, 3, 2, 1)),
            ],
            width: 16,
            dense: vec![48, 32],
            ..base.critic
        },
        latent_critic: Some(LatentCritic {
            widths: vec![16, 32, 16],
            rate,
        }),
        critic_steps: 1,
        loss: Loss {
            latent_critic: 1.0,
            kld: 0.02,
            mmd: 10.0,
            mse: 20.0,
            ..base.loss
        },
        rate,
        epochs: 10.0,
        prior: density(2048, 1.0),
        post: base.post.map(|p| Post {
            channels: 8,
            layers: 4,
            sum_scale: 1e-3,
            residual: true,
            copy_epochs: 0.2,
            epochs: 1.0,
            rate,
            kernels: vec![kernel(5.0, 20.0, [25, 25, 1000])],
            ..p
        }),
        average: 0.02,
        batch: 16,
        ..base
    }
}

/// The same with the critics of hadron showers.
fn small_pions(shape: [usize; 3], origin: Option<[usize; 3]>) -> Config {
    let base = small_photons();
    let wide = shape[1] > 24;
    // Doubles all extents, or leads from 8 rows to 13 and 25.
    let to_25 = |channels, padding| match wide {
        false => up(channels, 4, 2, 1, 0),
        true => Conv {
            transposed: Some([0; 3]),
            ..conv(channels, [4, 3, 3], [2; 3], padding)
        },
    };
    Config {
        shape,
        origin,
        padded: (!wide).then_some([40, 24, 24]),
        preprocess: Preprocess {
            scale: 500.0,
            threshold: if wide { 1e-4 } else { 0.2367 },
            ..base.preprocess
        },
        energy_scale: if wide { 100.0 } else { 160.0 },
        cut: if wide { 0.1 } else { 0.0 },
        encoder: Encoder {
            convs: vec![cubic(8, 4, 2, 1), cubic(8, 4, 2, 1), cubic(16, 4, 2, 1)],
            ..base.encoder
        },
        decoder: Decoder {
            start: if wide { [16, 6, 4, 4] } else { [16, 5, 3, 3] },
            convs: vec![
                up(8, 4, 2, 1, 0),
                to_25(8, [1, 2, 2]),
                bare(to_25(4, [1; 3])),
                bare(cubic(1, 3, 1, 1)),
            ],
            ..base.decoder
        },
        critic: Critic {
            log_difference: true,
            statistics: Some(Statistics {
                widths: vec![16, 8],
                sum_scale: 1e-2,
            }),
            ..base.critic
        },
        resetting_twin: true,
        post: base.post.map(|p| Post {
            kernels: [40.0, 4.0]
                .map(|alpha| kernel(5.0, alpha, [25, 25, 1000]))
                .to_vec(),
            sorted_mse: 1.0,
            sorted_mae: 1.0,
            batch_sum: 1e-4,
            ..p
        }),
        prior: match wide {
            true => base.prior,
            false => Some(Prior {
                model: flow(1, 2, [4, 2]),
                epochs: 10.0,
                rate: Decaying {
                    start: 2e-3,
                    factor: 0.8,
                },
            }),
        },
        epochs: 30.0,
        ..base
    }
}
