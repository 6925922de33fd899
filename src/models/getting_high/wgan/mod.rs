//! The WGAN with gradient penalty, whose generator a constrainer holds to the incident energy: of photon showers, where a
//! post processor may follow, and of hadron showers.

mod config;
mod networks;
mod presets;

pub use config::Config;

use super::{INTERPOLATION, NOISE};
use crate::Result;
use crate::losses::{self, PenaltyNorm};
use crate::models::post::Post;
use crate::models::schedule::{epochs, rate};
use crate::models::{Build, Family, Preprocess, Preset, Progress, Step, System, Turn};
use crate::nn::{Mode, Network};
use crate::ops::Optimizer;
use crate::tape::Var;

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct Wgan {
    name: &'static str,
    config: Config,
}

/// What a step trains.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Critic,
    Generator,
    Constrainer,
    /// The post processor, to give back its input.
    Copy,
    Post,
}

impl Family for Wgan {
    type Config = Config;

    fn preset(name: &'static str, preset: Preset) -> Config {
        presets::preset(name, preset)
    }

    fn new(name: &'static str, config: Config) -> Result<Self> {
        config.check()?;
        Ok(Self { name, config })
    }
}

impl Wgan {
    /// Kinds of step, in order.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Critic, Kind::Generator];
        kinds.extend(self.config.constrainer.iter().map(|_| Kind::Constrainer));
        if self.config.post.is_some() {
            kinds.extend([Kind::Copy, Kind::Post]);
        }
        kinds
    }

    /// Epochs before those of generator and critic.
    fn before(&self) -> f64 {
        let constrainer = self.config.constrainer.as_ref();
        constrainer.filter(|k| k.first).map_or(0.0, |k| k.epochs)
    }

    fn energy<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.energy() * (1.0 / self.config.energy_scale)
    }

    fn noise<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.noise(NOISE, self.config.latent, self.config.normal_noise)
    }

    /// Showers as networks see them, of the trained generator.
    fn made<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let net = build.trained("generator");
        self.generator(&net, self.noise(build), self.energy(build))
    }

    fn critic_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let c = &self.config;
        let (real, energy) = (build.real(&c.preprocess), self.energy(build));
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

    fn generator_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let c = &self.config;
        let (showers, energy) = (build.showers(), self.energy(build));
        let net = build.net("generator", Mode::Train);
        let seen = self.generator(&net, self.noise(build), energy);
        let net = build.net("critic", Mode::Serve);
        let score = self.critic(&net, seen, energy).mean_all();
        let fake = c.preprocess.backward(seen, build.energy());
        let mut sum = -score;
        let mut parts = Vec::new();
        if let Some(k) = &c.constrainer {
            let net = build.net("constrainer", Mode::Infer);
            let error = |x| (self.reconstruct(&net, None, k, x) - energy).square();
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

    fn constrainer_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let net = build.net("constrainer", Mode::Train);
        let constrainer = self.config.constrainer.iter();
        let loss = constrainer.map(|k| {
            let found = self.reconstruct(&net, Some(build), k, build.showers());
            ("constrainer", losses::l1(found, self.energy(build)))
        });
        loss.collect()
    }

    fn post_losses<'t>(&self, copy: bool, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let Some(p) = &self.config.post else {
            return Vec::new();
        };
        let both = [self.made(build), build.real(&self.config.preprocess)];
        p.losses(copy, build, both, self.energy(build))
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

    fn origin(&self) -> Option<[usize; 3]> {
        self.config.origin
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
                let showers = net.tape().input("x", &[z, x, y, N]);
                self.reconstruct(net, None, k, showers);
            })?);
        }
        if let Some(p) = &self.config.post {
            all.push(Network::declare("post", |net| {
                let showers = net.tape().input("x", &[z, x, y, N]);
                p.network(net, showers, net.tape().input("energy", &[1, N]));
            })?);
        }
        Ok(all)
    }

    fn kept(&self) -> Vec<&'static str> {
        let post = self.config.post.iter().map(|_| "post");
        ["generator"].into_iter().chain(post).collect()
    }

    fn steps(&self) -> Vec<Step> {
        let adam = Optimizer::adam(0.5, 0.9);
        let betas = self.config.constrainer.as_ref().and_then(|k| k.betas);
        let step = |kind| {
            let (name, network, optimizer) = match kind {
                Kind::Critic => ("critic", "critic", adam),
                Kind::Generator => ("generator", "generator", adam),
                Kind::Constrainer => {
                    let own = match betas {
                        Some([beta1, beta2]) => Optimizer::adam(beta1, beta2),
                        None => Optimizer::Sgd { momentum: 0.0 },
                    };
                    ("constrainer", "constrainer", own)
                }
                Kind::Copy => ("copy", "post", adam),
                Kind::Post => ("post", "post", adam),
            };
            Step {
                name,
                networks: vec![network],
                optimizer,
            }
        };
        self.kinds().into_iter().map(step).collect()
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        let c = &self.config;
        let epoch = at.planned_epoch(self.epochs()) - self.before();
        let span = epochs(&c.generator_rates);
        let kinds = self.kinds();
        let turn = |kind, learning_rate| {
            let step = kinds.iter().position(|&k| k == kind);
            step.map(|step| Turn {
                step,
                learning_rate,
            })
        };
        let constrainer = || {
            let k = c.constrainer.as_ref();
            let k = k.filter(|k| epoch < if k.first { 0.0 } else { k.epochs });
            k.and_then(|k| turn(Kind::Constrainer, k.rate))
        };
        let share = epoch / span;
        let turns = match &c.post {
            _ if epoch < 0.0 => [constrainer(), None],
            Some(p) if epoch >= span => {
                let since = epoch - span;
                let copies = since < p.copy_epochs;
                let kind = if copies { Kind::Copy } else { Kind::Post };
                [turn(kind, p.rate.at(since)), None]
            }
            _ if at.iteration % (c.critic_steps + 1) == c.critic_steps => {
                [turn(Kind::Generator, rate(&c.generator_rates, share)), None]
            }
            _ => {
                let critic = turn(Kind::Critic, rate(&c.critic_rates, share));
                [constrainer(), critic]
            }
        };
        turns.into_iter().flatten().collect()
    }

    fn epochs(&self) -> f64 {
        let post = self.config.post.as_ref().map_or(0.0, Post::span);
        self.before() + epochs(&self.config.generator_rates) + post
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn average(&self) -> f32 {
        self.config.average
    }

    fn losses<'t>(&self, step: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        match self.kinds()[step] {
            Kind::Critic => self.critic_losses(build),
            Kind::Generator => self.generator_losses(build),
            Kind::Constrainer => self.constrainer_losses(build),
            Kind::Copy => self.post_losses(true, build),
            Kind::Post => self.post_losses(false, build),
        }
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let (c, made) = (&self.config, self.made(build));
        let seen = match &c.post {
            Some(p) => p.network(&build.trained("post"), made, self.energy(build)),
            None => made,
        };
        let cells = c.preprocess.backward(seen, build.energy());
        if c.post.is_none() && c.cut == 0.0 {
            return cells;
        }
        let cut = cells.tape().full(c.cut, &[]);
        cells.relu().cut_below(cut)
    }
}
