//! Published configurations and small ones.

use super::config::{Config, Constrainer, Critic, Stage};
use crate::models::getting_high::doublings;
use crate::models::post::Post;
use crate::models::schedule::Decaying;
use crate::models::volumes::{self, Conv, bare, transposed};
use crate::models::{Preprocess, Preset, regressor};
use crate::nn::Norm;

/// The configuration of a preset of the system `name`.
pub(super) fn preset(name: &str, preset: Preset) -> Config {
    match (name, preset) {
        ("wgan-hadron", Preset::Paper) => hadrons(),
        ("wgan-hadron", Preset::Small) => small_hadrons(),
        ("wgan-post", Preset::Paper) => processed(photons(), post()),
        ("wgan-post", Preset::Small) => processed(small_photons(), small_post()),
        (_, Preset::Paper) => photons(),
        (_, Preset::Small) => small_photons(),
    }
}

/// A layer of the photon critic.
fn flat(channels: usize, depth: usize, stride: usize, padding: usize) -> Conv {
    let [stride, padding] = [[1, stride, stride], [0, padding, padding]];
    volumes::conv(channels, [depth, 2, 2], stride, padding)
}

/// The photon critic with `c` times fewer channels.
fn photon_critic(c: usize, dense: &[usize]) -> Critic {
    Critic {
        convs: vec![
            flat(32 / c, 10, 2, 1),
            flat(64 / c, 6, 2, 0),
            flat(128 / c, 4, 2, 0),
            bare(flat(1, 4, 1, 0)),
        ],
        slope: 0.2,
        residual: Vec::new(),
        dense: dense.to_vec(),
    }
}

/// The convolutions of the photon constrainer with `c` times fewer channels.
fn photon_constrainer(c: usize) -> Vec<regressor::Conv> {
    vec![
        regressor::conv(16 / c, 3, 2, 0, true),
        regressor::conv(32 / c, 3, 2, 0, true),
        regressor::conv(16 / c, 2, 1, 0, false),
    ]
}

/// "Getting High", arXiv:2005.05334.
fn photons() -> Config {
    Config {
        shape: [30; 3],
        origin: None,
        preprocess: Preprocess::NONE,
        energy_scale: 1.0,
        cut: 0.0,
        latent: 100,
        normal_noise: false,
        start: [4; 3],
        start_channels: 128,
        generator: doublings(&[128, 64, 32], Norm::Voxel),
        critic: photon_critic(1, &[100, 200, 100, 75]),
        constrainer: Some(Constrainer {
            convs: photon_constrainer(1),
            dense: vec![100],
            dense_norms: 0,
            dropout: Vec::new(),
            betas: None,
            first: false,
            // 30 of the 131 thousand steps of 20 epochs.
            epochs: 4.6,
            rate: 1e-5,
            weight: 0.01,
        }),
        spectrum: None,
        post: None,
        init: 0.02,
        penalty: 5.0,
        critic_steps: 5,
        // Divided by ten at 50 and 100 of 131 thousand steps.
        generator_rates: vec![(7.6, 1e-4), (7.6, 1e-5), (4.8, 1e-6)],
        critic_rates: vec![(7.6, 1e-5), (12.4, 1e-6)],
        average: 0.0,
        // 50 on each of three devices.
        batch: 150,
    }
}

fn small_photons() -> Config {
    let paper = photons();
    Config {
        preprocess: Preprocess::shares(200.0),
        energy_scale: 50.0,
        latent: 32,
        normal_noise: true,
        start_channels: 16,
        generator: doublings(&[16, 8, 4], Norm::Voxel),
        critic: photon_critic(8, &[64, 32]),
        constrainer: paper.constrainer.map(|k| Constrainer {
            convs: photon_constrainer(4),
            betas: Some([0.9, 0.999]),
            epochs: 4.0,
            rate: 1e-3,
            ..k
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

/// `config` with a post processor behind it.
fn processed(config: Config, post: Post) -> Config {
    Config {
        cut: 0.1,
        post: Some(post),
        ..config
    }
}

/// That of the published code. The rate of the last of several trainings is known, 75 thousand steps with 1e-7; those before
/// it are not. It falls to that here, after an epoch of copying as the BIB-AE's has.
fn post() -> Post {
    let rate = Decaying {
        start: 1e-4,
        factor: 0.178,
    };
    Post {
        epochs: 4.0,
        ..Post::photons(50, rate)
    }
}

fn small_post() -> Post {
    let rate = Decaying {
        start: 1e-3,
        factor: 0.5,
    };
    post().narrow(2.0, rate)
}

/// A layer that leads the hadron generator on: transposed, padded by 1.
fn lead(channels: usize, kernel: [usize; 3], stride: [usize; 3]) -> Conv {
    transposed(volumes::conv(channels, kernel, stride, [1; 3]), 0)
}

/// From 4 x 4 x 4 to 48 x 25 x 25 in six steps.
fn hadron_generator(channels: [usize; 5]) -> Vec<Conv> {
    let [a, b, c, d, e] = channels;
    vec![
        lead(a, [4, 2, 2], [2; 3]),
        lead(b, [4, 2, 2], [2; 3]),
        lead(c, [4; 3], [2, 1, 1]),
        lead(d, [10, 4, 4], [1; 3]),
        lead(e, [8, 3, 3], [1, 2, 2]),
        bare(lead(1, [7, 5, 5], [1; 3])),
    ]
}

/// The first half of a residual network of 34 layers, or less of it.
fn hadron_critic(channels: usize, blocks: [usize; 2]) -> Critic {
    let stage = |i: usize| Stage {
        channels: channels << i,
        blocks: blocks[i],
        stride: 1 << i,
    };
    Critic {
        convs: vec![Conv {
            norm: Some(Norm::Instance),
            ..volumes::conv(channels, [4, 5, 5], [1, 2, 2], [2, 3, 3])
        }],
        slope: 0.0,
        residual: vec![stage(0), stage(1)],
        dense: Vec::new(),
    }
}

/// Hadron showers, arXiv:2112.09709 and the code published with it: the core of a 48 x 48 x 48 shower.
fn hadrons() -> Config {
    let base = photons();
    Config {
        shape: [48, 25, 25],
        origin: Some([0, 13, 11]),
        start_channels: 128,
        generator: hadron_generator([128, 64, 32, 10, 5]),
        critic: hadron_critic(64, [3, 4]),
        constrainer: Some(Constrainer {
            convs: Vec::new(),
            dense: vec![5000, 1000, 100],
            dense_norms: 2,
            dropout: vec![0.2, 0.1],
            betas: Some([0.5, 0.9]),
            first: true,
            // Its file is of step 123,000, of 100 of 510 thousand showers each.
            epochs: 24.0,
            rate: 1e-4,
            weight: 1.0,
        }),
        penalty: 25.0,
        critic_steps: 10,
        // Files are of step 204,000 and later: eleven batches each.
        generator_rates: vec![(440.0, 1e-5)],
        critic_rates: vec![(440.0, 1e-5)],
        batch: 100,
        ..base
    }
}

fn small_hadrons() -> Config {
    let base = small_photons();
    Config {
        shape: [48, 25, 25],
        origin: Some([0, 13, 11]),
        preprocess: Preprocess {
            scale: 500.0,
            threshold: 1e-4,
            ..base.preprocess
        },
        energy_scale: 100.0,
        cut: 0.1,
        start_channels: 16,
        generator: hadron_generator([16, 8, 8, 4, 4]),
        critic: hadron_critic(8, [1, 1]),
        constrainer: base.constrainer.map(|k| Constrainer { first: true, ..k }),
        critic_steps: 5,
        ..base
    }
}
