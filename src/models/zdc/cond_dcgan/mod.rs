//! Conditional DCGAN: a generator and a discriminator that both see the labels, binary cross entropy, dropout and batch norm
//! throughout; generated showers have the conditions of the batch in another order, and each step noise of its own (some of
//! the published codes take both gradients at one noise). Layers are those of one published code for 44x44 images, rates
//! those of another for 56x30.
//!
//! Later refinements of the same groups are switches: a regressor that holds the brightest cell to its place, a reward of
//! showers that differ where those of the simulation do (SDI-GAN), one factor on all cells that fits the channel sums.

mod config;
mod measures;
mod networks;

pub use config::Config;

use super::check;
use crate::Result;
use crate::losses;
use crate::models::schedule::{epochs, rate};
use crate::models::{
    Build, Conditioning, DataSummary, DataTensor, Family, Preprocess, Preset, Progress, Step,
    System, Turn, require,
};
use crate::nn::{Mode, Network};
use crate::ops::Optimizer;
use crate::tape::Var;
use measures::{brightest, channel_sums};
use networks::Pass;

/// Streams of random numbers.
const NOISE: u32 = 0;
const OTHER_NOISE: u32 = 1;
const ORDER: u32 = 2;
/// First streams of dropout layers, by run of a network.
const GENERATED: u32 = 0x100;
const GENERATED_AGAIN: u32 = 0x200;
const JUDGED_REAL: u32 = 0x300;
const JUDGED: u32 = 0x400;
const JUDGED_AGAIN: u32 = 0x500;
const LOCATED: u32 = 0x600;

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct CondDcgan {
    config: Config,
}

/// Kinds of step in the order of [`System::steps`].
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Discriminator,
    Generator,
    Coordinates,
    Calibration,
}

impl CondDcgan {
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Discriminator, Kind::Generator];
        kinds.extend(
            self.config
                .coordinates
                .is_some()
                .then_some(Kind::Coordinates),
        );
        kinds.extend(
            self.config
                .calibration
                .is_some()
                .then_some(Kind::Calibration),
        );
        kinds
    }

    fn noise<'t>(&self, build: &Build<'t>, stream: u32) -> Var<'t> {
        build.normal(stream, &[self.config.latent, build.batch()])
    }

    /// The conditions of the batch as networks see them; the generator keeps their mean and spread.
    fn seen<'t>(&self, build: &Build<'t>) -> Option<Var<'t>> {
        let net = build.net("generator", Mode::Infer);
        self.config.conditions.seen(&net, build.conditions())
    }

    fn discriminator_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let (real, seen) = (build.real(&self.config.preprocess), self.seen(build));
        let order = order(build);
        let shuffled = seen.map(|c| c.gather(1, order, true));
        let pass = Pass::new(build.net("generator", Mode::Serve), build, GENERATED);
        let fake = self
            .generator(pass, self.noise(build, NOISE), shuffled)
            .detach();
        let judge = |mode, stream, images, conditions| {
            let pass = Pass::new(build.net("discriminator", mode), build, stream);
            self.judge(pass, images, conditions, 1)[1]
        };
        let real = judge(Mode::Train, JUDGED_REAL, real, seen);
        // Its running statistics follow real showers alone.
        let fake = judge(Mode::Serve, JUDGED, fake, shuffled);
        let loss = towards(real, 1.0) + towards(fake, 0.0);
        vec![
            ("discriminator", loss),
            ("real_score", real.sigmoid().mean_all()),
            ("fake_score", fake.sigmoid().mean_all()),
        ]
    }

    fn generator_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let order = order(build);
        let shuffled = self.seen(build).map(|c| c.gather(1, order, true));
        let noise = self.noise(build, NOISE);
        let pass = Pass::new(build.net("generator", Mode::Train), build, GENERATED);
        let fake = self.generator(pass, noise, shuffled);
        let judge = |stream, images| {
            let pass = Pass::new(build.net("discriminator", Mode::Serve), build, stream);
            self.judge(pass, images, shuffled, 1)
        };
        let [hidden, score] = judge(JUDGED, fake);
        let adversarial = towards(score, 1.0);
        let mut loss = adversarial;
        let mut parts = Vec::new();
        if let Some(c) = &self.config.coordinates {
            let net = build.net("coordinates", Mode::Infer);
            let found = self.judge(Pass::new(net, build, LOCATED), fake, None, 2)[1];
            let wanted = brightest(build.real(&self.config.preprocess)).gather(1, order, true);
            let error = (found - wanted).square().sum(&[0]).mean_all();
            loss = loss + error * c.weight;
            parts.push(("coordinate_error", error));
        }
        if let Some(d) = &self.config.diversity {
            let other_noise = self.noise(build, OTHER_NOISE);
            let net = build.net("generator", Mode::Serve);
            let other = self.generator(
                Pass::new(net, build, GENERATED_AGAIN),
                other_noise,
                shuffled,
            );
            let [other_hidden, _] = judge(JUDGED_AGAIN, other);
            let apart = |a: Var<'t>, b: Var<'t>| (a - b).abs().mean_keep(&[0]);
            let weights = self.diversity(build, d.bandwidth);
            let weights = weights.map_or(build.tape.full(1.0, &[1, build.batch()]), |w| {
                w.gather(1, order, true)
            });
            let ratio = apart(noise, other_noise) / (apart(hidden, other_hidden) + 1e-6);
            let like = (weights * ratio).mean_all();
            loss = loss + like * d.weight;
            parts.push(("diversity", like));
        }
        let mut all = vec![("generator", loss), ("adversarial", adversarial)];
        all.extend(parts);
        all
    }

    /// How much showers of like particles differ, `[1,N]` in 0 to 1: the sum over cells of their standard deviation, where
    /// like particles are those of the batch, weighted by a normal density of the distance of their conditions. (The paper
    /// has many showers of exactly one particle; with conditions that never repeat this is the same quantity smoothed.)
    fn diversity<'t>(&self, build: &Build<'t>, bandwidth: f32) -> Option<Var<'t>> {
        let c = self.seen(build)?;
        let near = (losses::squared_distances(c, c) * (-0.5 / (bandwidth * bandwidth))).exp();
        let near = near / near.sum_keep(&[0]);
        let x = build.real(&self.config.preprocess).flatten();
        let variance = (x.square().matmul(near) - x.matmul(near).square()).relu();
        let spread = variance.sqrt().sum_keep(&[0]);
        let (low, high) = (spread.min_keep(&[1]), spread.max_keep(&[1]));
        Some(((spread - low) / (high - low + 1e-6)).detach())
    }

    /// Distance of the channel sums of generated showers, times the factor, from those of the batch.
    fn calibration_losses<'t>(&self, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let factor = self.factor(&build.net("calibration", Mode::Train));
        let made = channel_sums(self.showers(build)) * factor;
        let distance = losses::wasserstein1(made, channel_sums(build.showers()));
        vec![("channel_sums", distance), ("factor", factor)]
    }

    /// Generated showers in the file's unit, before the factor.
    fn showers<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let net = build.trained("generator");
        let seen = self.config.conditions.seen(&net, build.conditions());
        let pass = Pass::new(net, build, GENERATED);
        let images = self.generator(pass, self.noise(build, NOISE), seen);
        self.config.preprocess.backward(images, build.energy())
    }
}

/// Cross entropy of logits with one target for all.
fn towards<'t>(logits: Var<'t>, target: f32) -> Var<'t> {
    losses::bce_with_logits(logits, logits.tape().full(target, &logits.shape()))
}

/// A random order of the batch, `[N]`.
fn order<'t>(build: &Build<'t>) -> Var<'t> {
    let n = build.batch();
    build
        .uniform(ORDER, &[1, n])
        .reshape(&[n])
        .argsort_descending(0)
}

impl Family for CondDcgan {
    type Config = Config;

    fn preset(_: &'static str, preset: Preset) -> Config {
        config::preset(preset)
    }

    fn new(_: &'static str, config: Config) -> Result<Self> {
        check(config.shape, &config.conditions, &config.preprocess)?;
        require(config.latent > 0, "latent must be at least 1")?;
        require(
            !config.discriminator.dense.is_empty(),
            "discriminator.dense must not be empty",
        )?;
        require(
            !config.generator_rates.is_empty() && !config.discriminator_rates.is_empty(),
            "generator_rates and discriminator_rates must not be empty",
        )?;
        require(
            (0.0..1.0).contains(&config.dropout),
            "dropout must be at least 0 and below 1",
        )?;
        require(
            config.diversity.as_ref().is_none_or(|d| d.bandwidth > 0.0),
            "diversity.bandwidth must be above 0",
        )?;
        Ok(Self { config })
    }
}

impl System for CondDcgan {
    fn name(&self) -> &'static str {
        "cond-dcgan"
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
        self.config.conditions.labels()
    }

    fn conditioning(&self) -> Conditioning {
        self.config.conditions.conditioning()
    }

    fn networks(&self) -> Result<Vec<Network>> {
        const N: usize = 2;
        let [z, x, y] = self.config.shape;
        let labels = self.conditions().len();
        let judge = |name, outputs, conditional| {
            Network::declare(name, |net| {
                let images = net.tape().input("x", &[z, x, y, N]);
                let seen = net.tape().input("c", &[labels, N]);
                let seen = (conditional && !self.config.conditions.is_empty()).then_some(seen);
                self.judge(Pass::declared(net), images, seen, outputs);
            })
        };
        let mut all = vec![
            Network::declare("generator", |net| {
                let labels = net.tape().input("c", &[labels, N]);
                let seen = self.config.conditions.seen(net, labels);
                let noise = net.tape().input("z", &[self.config.latent, N]);
                self.generator(Pass::declared(net), noise, seen);
            })?,
            judge("discriminator", 1, true)?,
        ];
        if self.config.coordinates.is_some() {
            all.push(judge("coordinates", 2, false)?);
        }
        if self.config.calibration.is_some() {
            all.push(Network::declare("calibration", |net| {
                self.factor(net);
            })?);
        }
        Ok(all)
    }

    fn kept(&self) -> Vec<&'static str> {
        let mut kept = vec!["generator"];
        kept.extend(self.config.calibration.is_some().then_some("calibration"));
        kept
    }

    fn steps(&self) -> Vec<Step> {
        let [beta1, beta2] = self.config.betas;
        let adam = Optimizer::adam(beta1, beta2);
        let step = |kind: Kind| {
            let name = match kind {
                Kind::Discriminator => "discriminator",
                Kind::Generator => "generator",
                Kind::Coordinates => "coordinates",
                Kind::Calibration => "calibration",
            };
            Step {
                name,
                networks: vec![name],
                optimizer: adam,
            }
        };
        self.kinds().into_iter().map(step).collect()
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        let c = &self.config;
        let rate = |kind| match kind {
            Kind::Discriminator => Some(rate(&c.discriminator_rates, at.share)),
            Kind::Generator => Some(rate(&c.generator_rates, at.share)),
            Kind::Coordinates => c.coordinates.as_ref().map(|k| k.rate),
            Kind::Calibration => c
                .calibration
                .as_ref()
                .filter(|k| at.share >= k.from)
                .map(|k| k.rate),
        };
        let turn = |(step, kind)| {
            rate(kind).map(|learning_rate| Turn {
                step,
                learning_rate,
            })
        };
        self.kinds()
            .into_iter()
            .enumerate()
            .filter_map(turn)
            .collect()
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
        match self.kinds()[step] {
            Kind::Discriminator => self.discriminator_losses(build),
            Kind::Generator => self.generator_losses(build),
            Kind::Coordinates => {
                let real = build.real(&self.config.preprocess);
                let net = build.net("coordinates", Mode::Train);
                let found = self.judge(Pass::new(net, build, LOCATED), real, None, 2)[1];
                let error = (found - brightest(real)).square().sum(&[0]).mean_all();
                vec![("coordinates", error)]
            }
            Kind::Calibration => self.calibration_losses(build),
        }
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let showers = self.showers(build);
        match self.config.calibration {
            Some(_) => showers * self.factor(&build.trained("calibration")),
            None => showers,
        }
    }

    fn data_tensors(&self, data: &DataSummary) -> Vec<DataTensor> {
        self.config.conditions.data_tensors("generator", data)
    }
}
