//! The GAN: noise times energy, and a discriminator that is trained with binary cross entropy. Each step draws noise and
//! energies of its own; in the published code the generator's step takes those of the discriminator's.

use serde::{Deserialize, Serialize};

use super::{LABELS, NOISE, SLOPE, doublings, rise, spec, start, starting};
use crate::Result;
use crate::losses;
use crate::models::schedule::{epochs, rate};
use crate::models::{Build, Family, Preprocess, Preset, Progress, Step, System, Turn, require};
use crate::nn::{Mode, Net, Network, Norm};
use crate::ops::Optimizer;
use crate::tape::Var;

const DISCRIMINATOR: usize = 0;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of a shower (layers, rows, columns): those of `start`, doubled and two less.
    pub shape: [usize; 3],
    /// How cell energies are seen.
    pub preprocess: Preprocess,
    /// Divides the incident energy in GeV.
    pub energy_scale: f32,
    /// Energies in GeV between which those of generated showers are drawn in training.
    pub energies: [f32; 2],
    /// Length of the noise.
    pub latent: usize,
    /// Normal noise; otherwise uniform in (-1, 1).
    pub normal_noise: bool,
    /// Extents from which the generator starts.
    pub start: [usize; 3],
    /// Channels of the generator at the start, then after each doubling.
    ///
    /// The published code has 256, 128, 64, 32 (4.39 million parameters); half of each gives the 1.5 million of the paper.
    pub generator: Vec<usize>,
    /// Channels of the discriminator's convolutions. All halve; the first and the last have no norm, the last nothing.
    pub discriminator: Vec<usize>,
    /// Widths of its hidden dense layers.
    pub dense: Vec<usize>,
    /// Standard deviation with which weights start; 0 starts them as PyTorch does.
    pub init: f32,
    /// Learning rates of both: (epochs, rate), one after the other.
    pub rates: Vec<(f64, f32)>,
    /// Rate of the running mean of the generator's parameters; 0 keeps none.
    pub average: f32,
    /// Showers in a batch.
    pub batch: usize,
}

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct Gan {
    name: &'static str,
    config: Config,
}

impl Family for Gan {
    type Config = Config;

    fn preset(_: &'static str, preset: Preset) -> Config {
        let paper = Config {
            shape: [30; 3],
            preprocess: Preprocess::NONE,
            energy_scale: 1.0,
            energies: [10.0, 100.0],
            latent: 100,
            normal_noise: false,
            start: [4; 3],
            generator: vec![256, 128, 64, 32],
            discriminator: vec![32, 64, 128, 256, 128],
            dense: vec![64],
            init: 0.02,
            rates: vec![(6.0, 1e-5)],
            average: 0.0,
            batch: 32,
        };
        match preset {
            Preset::Paper => paper,
            Preset::Small => Config {
                preprocess: Preprocess::shares(200.0),
                energy_scale: 50.0,
                latent: 32,
                generator: vec![32, 16, 8, 4],
                discriminator: vec![4, 8, 16, 32, 32],
                dense: vec![32],
                init: 0.0,
                rates: vec![(6.0, 2e-4), (4.0, 1e-4)],
                average: 0.005,
                batch: 16,
                ..paper
            },
        }
    }

    fn new(name: &'static str, config: Config) -> Result<Self> {
        require(
            config.latent > 0 && !config.generator.is_empty() && !config.discriminator.is_empty(),
            "latent must be at least 1, and generator and discriminator must not be empty",
        )?;
        require(
            0.0 < config.energies[0] && config.energies[0] <= config.energies[1],
            "energies must be two, above 0 and in order",
        )?;
        require(!config.rates.is_empty(), "rates must not be empty")?;
        Ok(Self { name, config })
    }
}

impl Gan {
    /// Showers `[Z,X,Y,N]` as networks see them of noise `[latent,N]` and energy `[1,N]`.
    fn generator<'t>(&self, net: &Net<'t>, noise: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let (net, c) = (&starting(net, self.config.init), &self.config);
        let x = start(net, "start", noise * energy, c.generator[0], c.start);
        rise(net, x, &doublings(&c.generator[1..], Norm::Batch))
    }

    /// Logits `[1,N]` of being real.
    fn discriminator<'t>(&self, net: &Net<'t>, showers: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let (net, c) = (&starting(net, self.config.init), &self.config);
        let [z, x, y] = c.shape;
        let mut h = showers.reshape(&[1, z, x, y, energy.extent(1)]);
        let last = c.discriminator.len() - 1;
        for (i, &channels) in c.discriminator.iter().enumerate() {
            let padding = match i {
                0 => 3,
                _ if i == last => 0,
                _ => 1,
            };
            h = net.conv3d(
                &format!("conv{i}"),
                h,
                channels,
                [3; 3],
                &spec(2, padding),
                false,
            );
            if i > 0 && i < last {
                h = net.norm(&format!("conv{i}_norm"), h, Norm::Batch);
            }
            if i < last {
                h = h.leaky_relu(SLOPE);
            }
        }
        h = Var::concat(&[h.flatten(), energy], 0);
        for (i, &width) in c.dense.iter().enumerate() {
            h = net.linear(&format!("dense{i}"), h, width).leaky_relu(SLOPE);
        }
        net.linear("real", h, 1)
    }

    /// Generated showers with energies of their own, and these energies as networks see them.
    fn fake<'t>(&self, build: &Build<'t>, mode: Mode) -> [Var<'t>; 2] {
        let c = &self.config;
        let [low, high] = c.energies;
        let energy = build.uniform(LABELS, &[1, build.batch()]) * (high - low) + low;
        let energy = energy * (1.0 / c.energy_scale);
        let noise = build.noise(NOISE, c.latent, c.normal_noise);
        let net = build.net("generator", mode);
        [self.generator(&net, noise, energy), energy]
    }
}

impl System for Gan {
    fn name(&self) -> &'static str {
        self.name
    }

    fn config(&self) -> serde_json::Value {
        crate::models::settings(&self.config)
    }

    fn preprocess(&self) -> Option<&Preprocess> {
        Some(&self.config.preprocess)
    }

    fn shape(&self) -> [usize; 3] {
        self.config.shape
    }

    fn conditions(&self) -> Vec<String> {
        vec!["energy".into()]
    }

    fn networks(&self) -> Result<Vec<Network>> {
        const N: usize = 2;
        let [z, x, y] = self.config.shape;
        Ok(vec![
            Network::declare("generator", |net| {
                let noise = net.tape().input("z", &[self.config.latent, N]);
                let energy = net.tape().input("energy", &[1, N]);
                let showers = self.generator(net, noise, energy);
                showers.reshape(&[z, x, y, N]);
            })?,
            Network::declare("discriminator", |net| {
                let showers = net.tape().input("x", &[z, x, y, N]);
                self.discriminator(net, showers, net.tape().input("energy", &[1, N]));
            })?,
        ])
    }

    fn kept(&self) -> Vec<&'static str> {
        vec!["generator"]
    }

    fn steps(&self) -> Vec<Step> {
        ["discriminator", "generator"]
            .map(|name| Step {
                name,
                networks: vec![name],
                optimizer: Optimizer::adam(0.5, 0.999),
            })
            .to_vec()
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        let learning_rate = rate(&self.config.rates, at.share);
        [0, 1]
            .map(|step| Turn {
                step,
                learning_rate,
            })
            .to_vec()
    }

    fn epochs(&self) -> f64 {
        epochs(&self.config.rates)
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn average(&self) -> f32 {
        self.config.average
    }

    fn losses<'t>(&self, step: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let target = |value| build.tape.full(value, &[1, build.batch()]);
        if step != DISCRIMINATOR {
            let [fake, energy] = self.fake(build, Mode::Train);
            let net = build.net("discriminator", Mode::Serve);
            let logits = self.discriminator(&net, fake, energy);
            return vec![("generator", losses::bce_with_logits(logits, target(1.0)))];
        }
        let c = &self.config;
        let real = build.real(&c.preprocess);
        let energy = build.energy() * (1.0 / c.energy_scale);
        let [fake, wanted] = self.fake(build, Mode::Serve);
        // Each kind of shower meets the batch norm by itself.
        let net = build.net("discriminator", Mode::Train);
        let of_real = self.discriminator(&net, real, energy);
        let net = build.net("discriminator", Mode::Serve);
        let of_fake = self.discriminator(&net, fake.detach(), wanted);
        let on_real = losses::bce_with_logits(of_real, target(1.0));
        let on_fake = losses::bce_with_logits(of_fake, target(0.0));
        vec![
            ("discriminator", on_real + on_fake),
            ("on_real", on_real),
            ("on_fake", on_fake),
        ]
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let c = &self.config;
        let noise = build.noise(NOISE, c.latent, c.normal_noise);
        let energy = build.energy() * (1.0 / c.energy_scale);
        let seen = self.generator(&build.trained("generator"), noise, energy);
        c.preprocess.backward(seen, build.energy())
    }
}
