//! WGAN-GP of the CMS HGCAL prototype with energy and position constrainers (Erdmann, Glombitza, Quast, arXiv:1807.01954;
//! sizes and constants from the published code `HGCAL_TB2017_WGAN`).
//!
//! The generator sees noise, impact point and energy; seven towers of transposed convolutions, one a layer, meet in a trunk
//! that ends in a locally connected layer. The critic sees the shower and a plane made of the labels. Two constrainers
//! reconstruct energy and position; they are trained on Geant4 alone, and the generator is held to their errors on Geant4.
//!
//! Not taken over from that code: factors of the critic's norms, which stay at 1 and 0 there because the list of its
//! variables misses them; transposed convolutions that crop the last row and column where PyTorch's crop the first; and
//! the list of dead cells, which are those without energy in the training data here.

mod config;
mod networks;

pub use config::Config;

use super::schedule::{epochs, rate};
use super::{
    Build, DataSummary, DataTensor, Family, Preprocess, Preset, Progress, Step, System, Turn,
    require,
};
use crate::Result;
use crate::losses::{self, PenaltyNorm};
use crate::nn::{Mode, Network};
use crate::ops::Optimizer;
use crate::tape::Var;

/// Slope of every leaky ReLU.
const SLOPE: f32 = 0.2;
/// Streams of random numbers.
const NOISE: u32 = 0;
const INTERPOLATION: u32 = 1;

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct HgcalWgan {
    config: Config,
}

impl HgcalWgan {
    /// Labels as networks see them, `[3,N]`: energy and impact point.
    fn labels<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let (e, p) = (
            1.0 / self.config.energy_scale,
            1.0 / self.config.position_scale,
        );
        build.conditions() * build.tape.constant(&[e, p, p], &[3, 1])
    }

    fn noise<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.noise(NOISE, self.config.latent, self.config.normal_noise)
    }

    /// Mean squared errors of both constrainers on showers with known labels.
    fn constraints<'t>(
        &self,
        build: &Build<'t>,
        showers: Var<'t>,
        labels: Var<'t>,
        mode: Mode,
    ) -> [Var<'t>; 2] {
        let channels = self
            .config
            .constrainer
            .as_ref()
            .map_or([1; 6], |c| c.channels);
        let energy = self.constrainer(&build.net("energy", mode), showers, 1, channels);
        let position = self.constrainer(&build.net("position", mode), showers, 2, channels);
        [
            losses::mse(energy, labels.slice(0, 0, 1)),
            losses::mse(position, labels.slice(0, 1, 3)),
        ]
    }
}

const CRITIC: usize = 0;
const GENERATOR: usize = 1;
const CONSTRAINERS: usize = 2;

impl Family for HgcalWgan {
    type Config = Config;

    fn preset(_: &'static str, preset: Preset) -> Config {
        config::preset(preset)
    }

    fn new(_: &'static str, config: Config) -> Result<Self> {
        require(
            config.latent > 0 && config.critic_steps > 0,
            "latent and critic_steps must be at least 1",
        )?;
        require(
            config.generator.towers <= 1000,
            "generator.towers must be 1000 at most",
        )?;
        require(
            config.generator.towers > 0
                && !config.generator.channels.is_empty()
                && !config.critic.convs.is_empty(),
            "towers, channels and convs must not be empty",
        )?;
        require(
            !config.generator_rates.is_empty() && !config.critic_rates.is_empty(),
            "generator_rates and critic_rates must not be empty",
        )?;
        Ok(Self { config })
    }
}

impl System for HgcalWgan {
    fn name(&self) -> &'static str {
        "hgcal-wgan"
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
        ["energy", "position_x", "position_y"]
            .map(String::from)
            .to_vec()
    }

    fn networks(&self) -> Result<Vec<Network>> {
        const N: usize = 2;
        let [z, x, y] = self.config.shape;
        let mut all = vec![
            Network::declare("generator", |net| {
                let t = net.tape();
                self.generator(
                    net,
                    t.input("z", &[self.config.latent, N]),
                    t.input("c", &[3, N]),
                )
                .reshape(&[z, x, y, N]);
            })?,
            Network::declare("critic", |net| {
                let t = net.tape();
                self.critic(net, t.input("x", &[z, x, y, N]), t.input("c", &[3, N]));
            })?,
        ];
        if let Some(k) = &self.config.constrainer {
            for (name, outputs) in [("energy", 1), ("position", 2)] {
                all.push(Network::declare(name, |net| {
                    self.constrainer(
                        net,
                        net.tape().input("x", &[z, x, y, N]),
                        outputs,
                        k.channels,
                    );
                })?);
            }
        }
        Ok(all)
    }

    fn kept(&self) -> Vec<&'static str> {
        vec!["generator"]
    }

    fn steps(&self) -> Vec<Step> {
        let adam = Optimizer::adam;
        let mut steps = vec![
            Step {
                name: "critic",
                networks: vec!["critic"],
                optimizer: adam(0.0, 0.9),
            },
            Step {
                name: "generator",
                networks: vec!["generator"],
                optimizer: adam(0.0, 0.9),
            },
        ];
        if self.config.constrainer.is_some() {
            let networks = vec!["energy", "position"];
            steps.push(Step {
                name: "constrainers",
                networks,
                optimizer: adam(0.9, 0.999),
            });
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
        let constrainers = trained.map(|k| Turn {
            step: CONSTRAINERS,
            learning_rate: k.rate,
        });
        let critic = Turn {
            step: CRITIC,
            learning_rate: rate(&c.critic_rates, at.share),
        };
        [critic].into_iter().chain(constrainers).collect()
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
        let labels = self.labels(build);
        let real = build.real(&self.config.preprocess);
        match step {
            CRITIC => {
                // As published, running statistics follow every batch that the generator makes, for the critic too.
                let net = build.net("generator", Mode::Train);
                let fake = self.generator(&net, self.noise(build), labels).detach();
                let net = build.net("critic", Mode::Train);
                let share = build.uniform(INTERPOLATION, &[1, 1, 1, build.batch()]);
                let norm = if self.config.legacy_gp {
                    PenaltyNorm::WholeBatch
                } else {
                    PenaltyNorm::PerShower
                };
                let [loss, estimate, penalty] = losses::wasserstein_critic(
                    |x| self.critic(&net, x, labels),
                    [real, fake],
                    share,
                    (self.config.penalty, norm),
                );
                vec![
                    ("critic", loss),
                    ("wasserstein", estimate),
                    ("penalty", penalty),
                ]
            }
            GENERATOR => {
                let fake = self.generator(
                    &build.net("generator", Mode::Train),
                    self.noise(build),
                    labels,
                );
                let score = self
                    .critic(&build.net("critic", Mode::Serve), fake, labels)
                    .mean_all();
                let Some(k) = &self.config.constrainer else {
                    return vec![("generator", -score)];
                };
                let of_fake = self.constraints(build, fake, labels, Mode::Infer);
                let of_real = self.constraints(build, real, labels, Mode::Infer);
                // Means over the batch first, the absolute value last, as published.
                let [energy, position] = [0, 1].map(|i| (of_real[i] - of_fake[i]).abs());
                vec![
                    ("generator", (energy + position) * k.weight - score),
                    ("energy_constraint", energy),
                    ("position_constraint", position),
                ]
            }
            _ => {
                let [energy, position] = self.constraints(build, real, labels, Mode::Train);
                vec![
                    ("constrainers", energy + position),
                    ("energy_mse", energy),
                    ("position_mse", position),
                ]
            }
        }
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let net = build.trained("generator");
        let seen = self.generator(&net, self.noise(build), self.labels(build));
        self.config.preprocess.backward(seen, build.energy())
    }

    fn data_tensors(&self, data: &DataSummary) -> Vec<DataTensor> {
        if !self.config.mask {
            return Vec::new();
        }
        let live = data.mean_cells.iter();
        let live = live.map(|&e| if e > 0.0 { 1.0 } else { 0.0 }).collect();
        vec![DataTensor::new("generator", "mask.mask", live)]
    }
}
