//! The WGAN with gradient penalty, whose generator a constrainer holds to the incident energy.

mod config;

pub use config::Config;

use config::Constrainer;

use super::{INTERPOLATION, NOISE, SLOPE, rise, start};
use crate::Result;
use crate::losses::{self, PenaltyNorm};
use crate::models::regressor::{self, Layers};
use crate::models::schedule::{epochs, rate};
use crate::models::{Build, Family, Preprocess, Preset, Progress, Step, System, Turn, require};
use crate::nn::{Init, Mode, Net, Network, Norm};
use crate::ops::{ConvSpec, Optimizer};
use crate::tape::Var;

const CRITIC: usize = 0;
const GENERATOR: usize = 1;
const CONSTRAINER: usize = 2;

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct Wgan {
    name: &'static str,
    config: Config,
}

impl Family for Wgan {
    type Config = Config;

    fn preset(_: &'static str, preset: Preset) -> Config {
        config::preset(preset)
    }

    fn new(name: &'static str, config: Config) -> Result<Self> {
        require(
            config.latent > 0 && config.critic_steps > 0,
            "latent and critic_steps must be at least 1",
        )?;
        require(
            !config.generator.is_empty() && !config.critic.is_empty(),
            "generator and critic must not be empty",
        )?;
        require(
            !config.generator_rates.is_empty() && !config.critic_rates.is_empty(),
            "generator_rates and critic_rates must not be empty",
        )?;
        Ok(Self { name, config })
    }
}

impl Wgan {
    fn starting<'t>(&self, net: &Net<'t>) -> Net<'t> {
        let (mean, std) = (0.0, self.config.init);
        net.starting((std > 0.0).then_some(Init::Normal { mean, std }))
    }

    /// Showers `[Z,X,Y,N]` as networks see them of noise `[latent,N]` and energy `[1,N]`.
    fn generator<'t>(&self, net: &Net<'t>, noise: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let (net, c) = (&self.starting(net), &self.config);
        let of_energy = start(net, "start_energy", energy, c.generator[0], c.start);
        let of_noise = start(net, "start_noise", noise, c.generator[0], c.start);
        let x = Var::concat(&[of_energy, of_noise], 0);
        rise(net, x, &c.generator[1..], Norm::Voxel)
    }

    /// One value a shower, `[1,N]`.
    fn critic<'t>(&self, net: &Net<'t>, showers: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let (net, c) = (&self.starting(net), &self.config);
        let [z, x, y] = c.shape;
        let mut h = showers.reshape(&[1, z, x, y, energy.extent(1)]);
        for (i, k) in c.critic.iter().enumerate() {
            let spec = ConvSpec {
                stride: k.stride,
                padding: k.padding,
            };
            h = net.conv3d(&format!("conv{i}"), h, k.channels, k.kernel, &spec, false);
            if k.norm {
                let name = format!("conv{i}_norm");
                h = net.norm(&name, h, Norm::Voxel).leaky_relu(SLOPE);
            }
        }
        h = Var::concat(&[h.flatten(), energy], 0);
        for (i, &width) in c.dense.iter().enumerate() {
            h = net.linear(&format!("dense{i}"), h, width).leaky_relu(SLOPE);
        }
        net.linear("value", h, 1)
    }

    /// Energy `[1,N]`, as networks see it, of showers `[Z,X,Y,N]` in the file's unit.
    fn reconstruct<'t>(&self, net: &Net<'t>, k: &Constrainer, showers: Var<'t>) -> Var<'t> {
        let layers = Layers {
            convs: &k.convs,
            norm: Norm::Voxel,
            dense: &k.dense,
            dropout: &[],
            slope: SLOPE,
        };
        let [_, energy] = regressor::network(&self.starting(net), None, showers, &layers);
        energy
    }

    fn energy<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.energy() * (1.0 / self.config.energy_scale)
    }

    fn noise<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.noise(NOISE, self.config.latent, self.config.normal_noise)
    }
}

impl System for Wgan {
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
        let mut all = vec![
            Network::declare("generator", |net| {
                let noise = net.tape().input("z", &[self.config.latent, N]);
                let energy = net.tape().input("energy", &[1, N]);
                let showers = self.generator(net, noise, energy);
                showers.reshape(&[z, x, y, N]);
            })?,
            Network::declare("critic", |net| {
                let showers = net.tape().input("x", &[z, x, y, N]);
                self.critic(net, showers, net.tape().input("energy", &[1, N]));
            })?,
        ];
        if let Some(k) = &self.config.constrainer {
            all.push(Network::declare("constrainer", |net| {
                self.reconstruct(net, k, net.tape().input("x", &[z, x, y, N]));
            })?);
        }
        Ok(all)
    }

    fn kept(&self) -> Vec<&'static str> {
        vec!["generator"]
    }

    fn steps(&self) -> Vec<Step> {
        let adam = Optimizer::adam;
        let step = |name, optimizer| Step {
            name,
            networks: vec![name],
            optimizer,
        };
        let mut steps = vec![
            step("critic", adam(0.5, 0.9)),
            step("generator", adam(0.5, 0.9)),
        ];
        if let Some(k) = &self.config.constrainer {
            let optimizer = match k.adam {
                true => adam(0.9, 0.999),
                false => Optimizer::Sgd { momentum: 0.0 },
            };
            steps.push(step("constrainer", optimizer));
        }
        steps
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        let c = &self.config;
        if at.iteration % (c.critic_steps + 1) == c.critic_steps {
            return vec![Turn {
                step: GENERATOR,
                learning_rate: rate(&c.generator_rates, at.share),
            }];
        }
        let epoch = at.planned_epoch(self.epochs());
        let trained = c.constrainer.as_ref().filter(|k| epoch < k.epochs);
        let constrainer = trained.map(|k| Turn {
            step: CONSTRAINER,
            learning_rate: k.rate,
        });
        let critic = Turn {
            step: CRITIC,
            learning_rate: rate(&c.critic_rates, at.share),
        };
        constrainer.into_iter().chain([critic]).collect()
    }

    fn epochs(&self) -> f64 {
        epochs(&self.config.generator_rates)
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn average(&self) -> f32 {
        self.config.average
    }

    fn losses<'t>(&self, step: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let c = &self.config;
        let (showers, energy) = (build.showers(), self.energy(build));
        match (step, &c.constrainer) {
            (CRITIC, _) => {
                let real = build.real(&c.preprocess);
                let net = build.net("generator", Mode::Serve);
                let fake = self.generator(&net, self.noise(build), energy).detach();
                let net = build.net("critic", Mode::Train);
                let [loss, estimate, penalty] = losses::wasserstein_critic(
                    |x| self.critic(&net, x, energy),
                    [real, fake],
                    build.uniform(INTERPOLATION, &[1, 1, 1, build.batch()]),
                    (c.penalty, PenaltyNorm::PerShower),
                );
                vec![
                    ("critic", loss),
                    ("wasserstein", estimate),
                    ("penalty", penalty),
                ]
            }
            (CONSTRAINER, Some(k)) => {
                let net = build.net("constrainer", Mode::Train);
                let found = self.reconstruct(&net, k, showers);
                vec![("constrainer", losses::l1(found, energy))]
            }
            (_, constrainer) => {
                let net = build.net("generator", Mode::Train);
                let seen = self.generator(&net, self.noise(build), energy);
                let net = build.net("critic", Mode::Serve);
                let score = self.critic(&net, seen, energy).mean_all();
                let fake = c.preprocess.backward(seen, build.energy());
                let mut sum = -score;
                let mut parts = Vec::new();
                if let Some(k) = constrainer {
                    let net = build.net("constrainer", Mode::Serve);
                    let error = |x| (self.reconstruct(&net, k, x) - energy).square();
                    // The absolute value shower by shower, as published.
                    let difference = losses::l1(error(fake), error(showers));
                    sum = sum + difference * k.weight;
                    parts.push(("energy_constraint", difference));
                }
                if let Some(s) = &c.spectrum {
                    let (x, y) = (fake.flatten(), showers.flatten());
                    let distance = losses::sorted_kernel_mmd(x, y, &s.windows());
                    sum = sum + distance * s.weight;
                    parts.push(("spectrum", distance));
                }
                [("generator", sum)].into_iter().chain(parts).collect()
            }
        }
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let net = build.trained("generator");
        let seen = self.generator(&net, self.noise(build), self.energy(build));
        self.config.preprocess.backward(seen, build.energy())
    }
}
