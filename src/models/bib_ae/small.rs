//! Small configurations, which train on two cores.

use super::config::{Config, Critic, Decoder, Encoder, LatentCritic, Loss, Prior, Statistics};
use super::presets::{self, density, flow};
use crate::models::Preprocess;
use crate::models::post::Post;
use crate::models::schedule::Decaying;
use crate::models::spectrum::Spectrum;
use crate::models::volumes::{bare, conv, cubic, transposed, up};

/// Logarithms of cell energies over the incident energy, few channels, and the cells' own difference in the loss, which
/// leads encoder and decoder to a shower within a few epochs.
pub(super) fn photons() -> Config {
    let base = presets::photons();
    let rate = Decaying {
        start: 1e-3,
        factor: 0.95,
    };
    Config {
        preprocess: Preprocess::shares(200.0),
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
            observables: false,
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
            mse: 100.0,
            ..base.loss
        },
        rate,
        epochs: 10.0,
        // Scott's rule makes codes of 12 numbers a quarter wider than they are with so few points.
        prior: density(2048, 0.5, 0.5),
        post: base.post.map(|p| p.narrow(1.0, rate)),
        average: 0.02,
        batch: 10,
        ..base
    }
}

/// The same with the critics of hadron showers.
pub(super) fn pions(shape: [usize; 3], origin: Option<[usize; 3]>) -> Config {
    let base = photons();
    let wide = shape[1] > 24;
    // Doubles all extents, or leads from 8 rows to 13 and 25.
    let to_25 = |channels, padding| match wide {
        false => up(channels, 4, 2, 1, 0),
        true => transposed(conv(channels, [4, 3, 3], [2; 3], padding), 0),
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
        cut: 0.0,
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
            observables: !wide,
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
                .map(|alpha| Spectrum::new(5.0, alpha, [25, 25, 1000]))
                .to_vec(),
            sorted_mse: 1.0,
            sorted_mae: 1.0,
            batch_sum: 1e-4,
            ..p
        }),
        prior: match wide {
            true => base.prior,
            false => Some(Prior {
                model: flow(1, 2, [4, 2], 1.0),
                epochs: 8.0,
                rate: Decaying {
                    start: 2e-3,
                    factor: 0.7,
                },
            }),
        },
        epochs: 30.0,
        batch: 8,
        ..base
    }
}
