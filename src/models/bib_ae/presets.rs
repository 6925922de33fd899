//! Published configurations.

use super::config::{Config, Critic, Decoder, Encoder, LatentCritic, Loss, Prior, Statistics};
use super::small;
use crate::models::latent::{Flow, Kde, Kind, Latent, Observable};
use crate::models::post::Post;
use crate::models::schedule::Decaying;
use crate::models::spectrum::Spectrum;
use crate::models::volumes::{bare, conv, cubic, up};
use crate::models::{Preprocess, Preset};

/// The configuration of a preset of the system `name`.
pub(super) fn preset(name: &str, preset: Preset) -> Config {
    let mut config = match (name, preset) {
        ("bib-ae-hadron", Preset::Paper) => hadron(),
        ("bib-ae-ahcal", Preset::Paper) => ahcal(),
        (_, Preset::Paper) => photons(),
        ("bib-ae-hadron", Preset::Small) => small::pions([48, 25, 25], Some([0, 13, 11])),
        ("bib-ae-ahcal", Preset::Small) => small::pions([37, 24, 24], Some([0; 3])),
        (_, Preset::Small) => small::photons(),
    };
    if name == "vae-gan" {
        config.latent_critic = None;
        (config.loss.latent_critic, config.loss.mmd, config.loss.mse) = (0.0, 0.0, 0.0);
        config.critic.difference = false;
        (config.post, config.prior) = (None, None);
    }
    config
}

/// Nothing is changed but the unit, and cells below `threshold` units.
fn plain(unit: f32, threshold: f32) -> Preprocess {
    Preprocess {
        unit,
        threshold,
        ..Preprocess::NONE
    }
}

/// Kernel density of the codes of `points` showers, collected in `epochs`, with kernels `bandwidth` times as wide as Scott's.
pub(super) fn density(points: usize, bandwidth: f32, epochs: f64) -> Option<Prior> {
    Some(Prior {
        model: Latent::Kde(Kde { points, bandwidth }),
        epochs,
        // It follows no gradient.
        rate: Decaying {
            start: 1e-3,
            factor: 1.0,
        },
    })
}

/// Flow that draws visible energy, hits, depth and start of pion showers along with their codes; the shower is scaled to
/// that energy. `blocks`, couplings in half a block, widths of hidden layers, and the factor on codes; offsets and scales
/// of observables are those of pions of 80 to 160 GeV in the CALICE AHCAL, and bring each to the size of one.
pub(super) fn flow(
    blocks: usize,
    couplings: usize,
    [hidden, spline_hidden]: [usize; 2],
    code_scale: f32,
) -> Latent {
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
        code_scale,
        energy_scale: 160.0,
        rescale: true,
    })
}

/// "Getting High", arXiv:2005.05334.
pub(super) fn photons() -> Config {
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
            observables: false,
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
        // Joint in the published script; in that of hadrons all else is frozen.
        post: Some(Post {
            joint: true,
            ..Post::photons(25, rate)
        }),
        // "Decoding Photons", arXiv:2102.12491; how many points it has is not published.
        prior: density(20_000, 1.0, 1.0),
        slope: 0.2,
        average: 0.0,
        batch: 8,
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
        // Published showers are generated without a cut.
        cut: 0.0,
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
            ..base.decoder
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
            joint: false,
            rate,
            kernels: [40.0, 4.0]
                .map(|alpha| Spectrum::new(5.0, alpha, [150, 25, 1000]))
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
        preprocess: Preprocess {
            file_unit: Some("MeV".into()),
            ..plain(0.4734, 0.5)
        },
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
            observables: true,
            ..base.decoder
        },
        prior: Some(Prior {
            // Codes over ten, as published.
            model: flow(8, 3, [10, 4], 0.1),
            // Published: 200 epochs in batches of 2048, a thirteenth of these steps.
            epochs: 20.0,
            rate: Decaying {
                start: 1e-4,
                factor: 1.0,
            },
        }),
        ..base
    }
}
