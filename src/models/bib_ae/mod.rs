//! The bounded-information-bottleneck autoencoder ("Getting High", arXiv:2005.05334; for hadron showers arXiv:2112.09709;
//! sizes and constants from the code published with them) and the VAE-GAN, which is a part of it.
//!
//! An encoder gives few latent values, to which noise is added; a decoder makes a shower of them. In place of a distance
//! of cells a critic compares that shower with the encoded one, a second critic and a maximum mean discrepancy hold the
//! latent values to N(0, 1), and the Kullback-Leibler divergence to little information. Afterwards a post processor
//! learns to correct cell energies, one at a time. The VAE-GAN has the main critic alone, which sees no difference.

mod config;
mod critic;
mod losses;
mod networks;
mod presets;
mod small;

pub use config::Config;

use super::latent::{self, Drawn};
use super::post::Post;
use super::{Build, Family, LatentSpace, Preprocess, Preset, Progress, Step, System, Turn};
use crate::Result;
use crate::nn::{Mode, Network};
use crate::ops::Optimizer;
use crate::tape::Var;

/// Streams of random numbers: latent values, N(0, 1) to compare them with, and where a gradient is penalised.
const LATENT: u32 = 0;
const PRIOR: u32 = 1;
const INTERPOLATION: u32 = 2;
/// Those of the prior: codes that it learns from, and two for codes that it draws.
const CODES: u32 = 3;
const DRAWN: u32 = 4;

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct BibAe {
    name: &'static str,
    config: Config,
}

/// What a step trains.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The critic of showers, or its twin.
    Critic(&'static str),
    LatentCritic,
    Autoencoder,
    /// The post processor, to give back its input.
    Copy,
    Post,
    /// The distribution of encoded values.
    Prior,
}

impl Kind {
    fn is_critic(self) -> bool {
        matches!(self, Self::Critic(_) | Self::LatentCritic)
    }
}

impl Family for BibAe {
    type Config = Config;

    fn preset(name: &'static str, preset: Preset) -> Config {
        presets::preset(name, preset)
    }

    fn new(name: &'static str, config: Config) -> Result<Self> {
        config.check()?;
        Ok(Self { name, config })
    }
}

impl BibAe {
    /// The critics of showers.
    fn critics(&self) -> &'static [&'static str] {
        if self.config.resetting_twin {
            &["critic", "critic_twin"]
        } else {
            &["critic"]
        }
    }

    /// Kinds of step, in order.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<_> = self.critics().iter().map(|c| Kind::Critic(c)).collect();
        kinds.extend(self.config.latent_critic.iter().map(|_| Kind::LatentCritic));
        kinds.push(Kind::Autoencoder);
        if self.config.post.is_some() {
            kinds.extend([Kind::Copy, Kind::Post]);
        }
        kinds.extend(self.config.prior.iter().map(|_| Kind::Prior));
        kinds
    }

    /// Incident energy as networks see it, `[1,N]`.
    fn energy<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.energy() * (1.0 / self.config.energy_scale)
    }

    /// Mean and logarithm of the variance of the values, `[encoded,N]` each, that the encoder gives for the batch.
    fn encode<'t>(&self, build: &Build<'t>, mode: Mode) -> (Var<'t>, Var<'t>) {
        let net = build.net("encoder", mode);
        self.encoder(
            &net,
            build.real(&self.config.preprocess),
            self.energy(build),
        )
    }

    /// What the decoder sees beside latent values, `[1 + k,N]`: the energy and `observables` `[k,N]`.
    fn condition<'t>(&self, build: &Build<'t>, observables: Option<Var<'t>>) -> Var<'t> {
        let energy = self.energy(build);
        match observables.filter(|_| self.config.decoder.observables) {
            Some(observables) => Var::concat(&[energy, observables], 0),
            None => energy,
        }
    }

    /// What showers are generated from, codes of the length of all latent values.
    fn drawn<'t>(&self, build: &Build<'t>) -> Drawn<'t> {
        let c = &self.config;
        let noise = build.normal(LATENT, &[c.latent, build.batch()]);
        let Some(prior) = &c.prior else {
            return noise.into();
        };
        let mut drawn = prior.model.draw(build, c.encoded, DRAWN);
        if c.latent > c.encoded {
            let noise = noise.slice(0, c.encoded, c.latent);
            drawn.codes = Var::concat(&[drawn.codes, noise], 0);
        }
        drawn
    }

    /// The networks that the prior's step updates.
    fn prior_networks(&self) -> Vec<&'static str> {
        let prior = self.config.prior.as_ref();
        prior.map_or_else(Vec::new, |p| p.model.trained())
    }

    /// The prior learns the encoded values of the data.
    fn prior_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let (mu, logvar) = self.encode(build, Mode::Infer);
        let codes = [mu.detach(), logvar.detach()];
        let prior = self.config.prior.as_ref();
        prior.map_or_else(Vec::new, |p| {
            p.model.losses(build, codes, build.showers(), CODES)
        })
    }
}

impl System for BibAe {
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
        let c = &self.config;
        let [z, x, y] = c.shape;
        let shower = [z, x, y, N];
        let mut all = vec![
            Network::declare("encoder", |net| {
                let t = net.tape();
                self.encoder(net, t.input("x", &shower), t.input("e", &[1, N]));
            })?,
            Network::declare("decoder", |net| {
                let t = net.tape();
                let condition = t.input("e", &[1 + c.observables(), N]);
                self.decoder(net, t.input("z", &[c.latent, N]), condition);
            })?,
        ];
        for name in self.critics() {
            all.push(Network::declare(name, |net| {
                let t = net.tape();
                let shower = t.input("x", &shower);
                self.critic(net, shower, shower, t.input("e", &[1, N]));
            })?);
        }
        if let Some(l) = &c.latent_critic {
            all.push(Network::declare("latent_critic", |net| {
                self.latent_critic(net, &l.widths, net.tape().input("z", &[c.latent, N]));
            })?);
        }
        if let Some(p) = &c.post {
            all.push(Network::declare("post", |net| {
                let t = net.tape();
                p.network(net, t.input("x", &shower), t.input("e", &[1, N]));
            })?);
        }
        if let Some(p) = &c.prior {
            all.extend(p.model.networks(c.encoded)?);
        }
        Ok(all)
    }

    fn kept(&self) -> Vec<&'static str> {
        let mut kept = vec!["decoder"];
        kept.extend(self.config.post.iter().map(|_| "post"));
        kept.extend(self.config.prior.iter().filter_map(|p| p.model.network()));
        kept
    }

    fn steps(&self) -> Vec<Step> {
        let [beta1, beta2] = self.config.betas;
        let step = |kind| {
            let (name, networks) = match kind {
                Kind::Critic(name) => (name, vec![name]),
                Kind::LatentCritic => ("latent_critic", vec!["latent_critic"]),
                Kind::Autoencoder => ("autoencoder", vec!["encoder", "decoder"]),
                Kind::Copy => ("copy", vec!["post"]),
                Kind::Post => ("post", vec!["post"]),
                Kind::Prior => ("prior", self.prior_networks()),
            };
            let optimizer = match kind {
                // As published with the flow.
                Kind::Prior => Optimizer::adam(0.9, 0.999),
                _ => Optimizer::adam(beta1, beta2),
            };
            Step {
                name,
                networks,
                optimizer,
            }
        };
        self.kinds().into_iter().map(step).collect()
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        let c = &self.config;
        let epoch = at.planned_epoch(self.epochs());
        let prior_start = self.epochs() - c.prior.as_ref().map_or(0.0, |p| p.epochs);
        let prior = c.prior.as_ref().filter(|_| epoch >= prior_start);
        let post = c.post.as_ref().filter(|_| epoch >= c.epochs);
        let learns = |kind: &Kind| match (kind, post) {
            _ if prior.is_some() => *kind == Kind::Prior,
            (Kind::Prior, _) => false,
            (Kind::Copy, Some(p)) => epoch < c.epochs + p.copy_epochs,
            (Kind::Post, Some(p)) => epoch >= c.epochs + p.copy_epochs,
            (Kind::Copy | Kind::Post, None) => false,
            (_, Some(p)) => p.joint,
            (_, None) => true,
        };
        let rate = |kind: &Kind| match (kind, post, &c.latent_critic) {
            (Kind::Prior, ..) => prior.map_or(0.0, |p| p.rate.at(epoch - prior_start)),
            (Kind::Copy | Kind::Post, Some(p), _) => p.rate.at(epoch),
            (Kind::LatentCritic, _, Some(l)) => l.rate.at(epoch),
            _ => c.rate.at(epoch),
        };
        let kinds = self.kinds();
        let turns = |critics: bool| -> Vec<Turn> {
            let mine = kinds.iter().enumerate();
            let mine = mine.filter(|(_, k)| learns(k) && k.is_critic() == critics);
            let turn = mine.map(|(step, kind)| Turn {
                step,
                learning_rate: rate(kind),
            });
            turn.collect()
        };
        let mut all = turns(true).repeat(c.critic_steps);
        all.extend(turns(false));
        all
    }

    fn restarts(&self, _: u64) -> Vec<&'static str> {
        self.critics()[1..].to_vec()
    }

    fn epochs(&self) -> f64 {
        let post = self.config.post.as_ref();
        let prior = self.config.prior.as_ref();
        self.config.epochs + post.map_or(0.0, Post::span) + prior.map_or(0.0, |p| p.epochs)
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn average(&self) -> f32 {
        self.config.average
    }

    fn losses<'t>(&self, step: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        match (self.kinds()[step], &self.config.post) {
            (Kind::Critic(name), _) => self.critic_losses(name, build),
            (Kind::LatentCritic, _) => self.latent_losses(build),
            (Kind::Copy, Some(p)) => self.post_losses(p, true, build),
            (Kind::Post, Some(p)) => self.post_losses(p, false, build),
            (Kind::Prior, _) => self.prior_losses(build),
            _ => self.autoencoder_losses(build),
        }
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let drawn = self.drawn(build);
        let cells = self.decoded(build, drawn.codes, drawn.observables);
        match drawn.energy_sum {
            Some(sum) => latent::rescaled(cells, sum),
            None => cells,
        }
    }

    fn latent(&self) -> Option<&dyn LatentSpace> {
        Some(self)
    }
}

impl LatentSpace for BibAe {
    fn code_length(&self) -> usize {
        self.config.encoded
    }

    fn encode_batch<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.encode(build, Mode::Infer).0
    }

    fn draw_codes<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.drawn(build).codes.slice(0, 0, self.config.encoded)
    }

    fn decode_codes<'t>(&self, build: &Build<'t>, codes: Var<'t>) -> Var<'t> {
        let more = self.config.latent - self.config.encoded;
        let z = codes.pad(&[(0, more), (0, 0)], 0.0);
        self.decoded(build, z, self.drawn(build).observables)
    }
}

impl BibAe {
    /// Showers in the file's unit of latent values `[latent,N]` and what the prior drew with them.
    fn decoded<'t>(&self, build: &Build<'t>, z: Var<'t>, observables: Option<Var<'t>>) -> Var<'t> {
        let energy = self.energy(build);
        let condition = self.condition(build, observables);
        let mut seen = self.decoder(&build.trained("decoder"), z, condition);
        if let Some(p) = &self.config.post {
            seen = p.network(&build.trained("post"), seen, energy);
        }
        let cells = self.config.preprocess.backward(seen, build.energy());
        let cut = cells.tape().full(self.config.cut, &[]);
        cells.relu().cut_below(cut)
    }
}
