//! The bounded-information-bottleneck autoencoder ("Getting High", arXiv:2005.05334; for hadron showers arXiv:2112.09709;
//! sizes and constants from the code published with them) and the VAE-GAN, which is a part of it.
//!
//! An encoder gives few latent values, to which noise is added; a decoder makes a shower of them. In place of a distance
//! of cells a critic compares that shower with the encoded one, a second critic and a maximum mean discrepancy hold the
//! latent values to N(0, 1), and the Kullback-Leibler divergence to little information. Afterwards a post processor
//! learns to correct cell energies, one at a time. The VAE-GAN has the main critic alone, which sees no difference.

mod config;
mod critic;
mod networks;
mod presets;

pub use config::Config;

use super::Preset;
use super::latent;
use super::system::{Build, Family, Progress, Step, System, Turn};
use crate::Result;
use crate::losses::{self, PenaltyNorm};
use crate::nn::{Mode, Network};
use crate::ops::Optimizer;
use crate::tape::Var;
use config::Post;

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

/// What encoder and decoder make of the showers of a batch.
struct Coded<'t> {
    mu: Var<'t>,
    logvar: Var<'t>,
    /// `[latent, N]`
    z: Var<'t>,
    /// Showers as networks see them.
    decoded: Var<'t>,
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

    /// Showers of the batch as networks see them.
    fn real<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.config
            .preprocess
            .forward(build.showers(), build.energy())
    }

    /// Incident energy as networks see it, `[1,N]`.
    fn energy<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.energy() * (1.0 / self.config.energy_scale)
    }

    /// Mean and logarithm of the variance of the values, `[encoded,N]` each, that the encoder gives for the batch.
    fn encode<'t>(&self, build: &Build<'t>, mode: Mode) -> (Var<'t>, Var<'t>) {
        let net = build.net("encoder", mode);
        self.encoder(&net, self.real(build), self.energy(build))
    }

    /// Latent values `[latent,N]` to generate showers from, and what the prior wants the cells to sum to.
    fn latent<'t>(&self, build: &Build<'t>) -> (Var<'t>, Option<Var<'t>>) {
        let c = &self.config;
        let noise = build.normal(LATENT, &[c.latent, build.batch()]);
        let Some(prior) = &c.prior else {
            return (noise, None);
        };
        let drawn = prior.model.draw(build, c.encoded, DRAWN);
        let mut z = drawn.codes;
        if c.latent > c.encoded {
            z = Var::concat(&[z, noise.slice(0, c.encoded, c.latent)], 0);
        }
        (z, drawn.energy_sum)
    }

    /// Encodes the batch, draws latent values, noise behind the encoded ones, and decodes them.
    fn code<'t>(&self, build: &Build<'t>, mode: Mode) -> Coded<'t> {
        let c = &self.config;
        let (mu, logvar) = self.encode(build, mode);
        let noise = build.normal(LATENT, &[c.latent, build.batch()]);
        let encoded = mu + noise.slice(0, 0, c.encoded) * (logvar * 0.5).exp();
        let z = if c.latent > c.encoded {
            Var::concat(&[encoded, noise.slice(0, c.encoded, c.latent)], 0)
        } else {
            encoded
        };
        // The post processor learns from what it will see.
        let net = match mode {
            Mode::Infer => build.trained("decoder"),
            _ => build.net("decoder", mode),
        };
        let decoded = self.decoder(&net, z, self.energy(build));
        Coded {
            mu,
            logvar,
            z,
            decoded,
        }
    }

    /// `name` learns to tell showers beside themselves from decoded ones beside the encoded.
    fn critic_losses<'t>(
        &self,
        name: &'static str,
        build: &Build<'t>,
    ) -> Vec<(&'static str, Var<'t>)> {
        let (real, energy) = (self.real(build), self.energy(build));
        let fake = self.code(build, Mode::Serve).decoded.detach();
        let net = build.net(name, Mode::Train);
        let estimate = self.critic(&net, real, real, energy).mean_all()
            - self.critic(&net, real, fake, energy).mean_all();
        let [z, x, y] = self.config.shape;
        let shape = [1, z, x, y, build.batch()];
        let share = build.uniform(INTERPOLATION, &[1, 1, 1, build.batch()]);
        let between = (fake + share * (real - fake)).reshape(&shape);
        let penalty = losses::gradient_penalty(
            Var::concat(&[real.reshape(&shape), between], 0),
            |pair| self.critic_of_pair(&net, pair, energy),
            PenaltyNorm::PerShower,
        );
        let loss = penalty * self.config.penalty - estimate;
        if name == "critic" {
            vec![
                ("critic", loss),
                ("wasserstein", estimate),
                ("penalty", penalty),
            ]
        } else {
            vec![
                ("twin", loss),
                ("twin_wasserstein", estimate),
                ("twin_penalty", penalty),
            ]
        }
    }

    /// The latent critic learns to tell N(0, 1) from latent values.
    fn latent_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let widths = self.latent_widths();
        let fake = self.code(build, Mode::Serve).z.detach();
        let real = build.normal(PRIOR, &fake.shape());
        let net = build.net("latent_critic", Mode::Train);
        let critic = |z| self.latent_critic(&net, widths, z);
        let estimate = critic(real).mean_all() - critic(fake).mean_all();
        let share = build.uniform(INTERPOLATION, &[1, build.batch()]);
        let between = fake + share * (real - fake);
        let penalty = losses::gradient_penalty(between, critic, PenaltyNorm::PerShower);
        vec![
            ("latent_critic", penalty * self.config.penalty - estimate),
            ("latent_wasserstein", estimate),
            ("latent_penalty", penalty),
        ]
    }

    fn latent_widths(&self) -> &[usize] {
        self.config
            .latent_critic
            .as_ref()
            .map_or(&[], |l| &l.widths)
    }

    /// Encoder and decoder learn to please the critics.
    fn autoencoder_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let weight = &self.config.loss;
        let (real, energy) = (self.real(build), self.energy(build));
        let coded = self.code(build, Mode::Train);
        let kld = losses::kld(coded.mu, coded.logvar);
        // The same cells' difference is noted even where it has no weight: it tells how training goes.
        let mse = losses::mse(coded.decoded, real);
        let mut loss = kld * weight.kld;
        let mut noted = vec![("kld", kld), ("mse", mse)];
        if weight.mse > 0.0 {
            loss = loss + mse * weight.mse;
        }
        for name in self.critics() {
            let net = build.net(name, Mode::Serve);
            let score = self.critic(&net, real, coded.decoded, energy).mean_all();
            loss = loss - score * weight.critic;
        }
        if self.config.latent_critic.is_some() {
            let net = build.net("latent_critic", Mode::Serve);
            let score = self.latent_critic(&net, self.latent_widths(), coded.z);
            loss = loss - score.mean_all() * weight.latent_critic;
        }
        if weight.mmd > 0.0 {
            let prior = build.normal(PRIOR, &coded.z.shape());
            let mmd = losses::mmd_gaussian(coded.z, prior, &weight.mmd_alphas);
            loss = loss + mmd * weight.mmd;
            noted.push(("mmd", mmd));
        }
        noted.insert(0, ("autoencoder", loss));
        noted
    }

    /// The post processor learns to give back decoded showers and, unless `copy`, to give them the data's cell energies.
    fn post_losses<'t>(
        &self,
        p: &Post,
        copy: bool,
        build: &Build<'t>,
    ) -> Vec<(&'static str, Var<'t>)> {
        let energy = self.energy(build);
        let decoded = self.code(build, Mode::Infer).decoded.detach();
        let y = self.post(&build.net("post", Mode::Train), p, decoded, energy);
        let copied = losses::mse(y, decoded);
        if copy {
            return vec![("copy", copied)];
        }
        let real = self.real(build);
        let mut loss = copied * p.mse;
        let mut noted = vec![("post_mse", copied)];
        let mut add = |weight: f32, name, value| {
            loss = loss + value * weight;
            noted.push((name, value));
        };
        let (cells, wanted) = (y.flatten(), real.flatten());
        let names = ["sorted_kernel", "sorted_kernel_2", "sorted_kernel_3"];
        for (k, name) in p.kernels.iter().zip(names) {
            let value = losses::sorted_kernel_mmd(cells, wanted, &k.spec());
            add(k.weight, name, value);
        }
        let sorted = |x: Var<'t>| x.sort_descending(0).0;
        if p.sorted_mse > 0.0 {
            let value = losses::mse(sorted(cells), sorted(wanted));
            add(p.sorted_mse, "sorted_mse", value);
        }
        if p.sorted_mae > 0.0 {
            let value = losses::l1(sorted(cells), sorted(wanted));
            add(p.sorted_mae, "sorted_mae", value);
        }
        if p.batch_sum > 0.0 {
            let value = losses::mse(cells.sum(&[1]), wanted.sum(&[1]));
            add(p.batch_sum, "batch_sum", value);
        }
        noted.insert(0, ("post", loss));
        noted
    }
}

impl BibAe {
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
        serde_json::to_value(&self.config).unwrap_or_default()
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
                self.decoder(net, t.input("z", &[c.latent, N]), t.input("e", &[1, N]));
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
                self.post(net, p, t.input("x", &shower), t.input("e", &[1, N]));
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
            Step {
                name,
                networks,
                optimizer: Optimizer::Adam {
                    beta1,
                    beta2,
                    eps: 1e-8,
                },
            }
        };
        self.kinds().into_iter().map(step).collect()
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        let c = &self.config;
        // Epochs as planned: a shorter training goes through all of them as well.
        let epoch = at.share * self.epochs();
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
            (Kind::Copy | Kind::Post, Some(p), _) => p.rate.at(epoch - c.epochs),
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
        self.config.epochs
            + post.map_or(0.0, |p| p.copy_epochs + p.epochs)
            + prior.map_or(0.0, |p| p.epochs)
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn average(&self) -> Option<f32> {
        (self.config.average > 0.0).then_some(self.config.average)
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
        let energy = self.energy(build);
        let (z, energy_sum) = self.latent(build);
        let mut seen = self.decoder(&build.trained("decoder"), z, energy);
        if let Some(p) = &self.config.post {
            seen = self.post(&build.trained("post"), p, seen, energy);
        }
        let cells = self.config.preprocess.backward(seen, build.energy());
        let below = cells
            .tape()
            .full(self.config.cut, &cells.shape())
            .greater(cells);
        let cells = cells.relu() * (1.0 - below);
        match energy_sum {
            Some(sum) => latent::rescaled(cells, sum),
            None => cells,
        }
    }
}
