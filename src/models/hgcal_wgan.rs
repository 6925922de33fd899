//! WGAN-GP of the CMS HGCAL prototype with energy and position constrainers (Erdmann, Glombitza, Quast, arXiv:1807.01954;
//! sizes and constants from the published code `HGCAL_TB2017_WGAN`).
//!
//! The generator sees noise, impact point and energy; seven towers of transposed convolutions, one a layer, meet in a trunk
//! that ends in a locally connected layer. The critic sees the shower and a plane made of the labels. Two constrainers
//! reconstruct energy and position; they are trained on Geant4 alone, and the generator is held to their errors on Geant4.

use serde::{Deserialize, Serialize};

use super::Preset;
use super::preprocess::Preprocess;
use super::system::{Build, Progress, Step, System, Turn};
use crate::losses::{self, PenaltyNorm};
use crate::nn::{Init, Mode, Net, Network, Norm, Window};
use crate::ops::Optimizer;
use crate::tape::Var;
use crate::{Error, Result};

/// Slope of every leaky ReLU.
const SLOPE: f32 = 0.2;
/// Streams of random numbers.
const NOISE: u32 = 0;
const INTERPOLATION: u32 = 1;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of a shower (layers, rows, columns).
    pub shape: [usize; 3],
    /// How cell energies are seen.
    pub preprocess: Preprocess,
    /// Divides the energy label.
    pub energy_scale: f32,
    /// Divides the position labels.
    pub position_scale: f32,
    /// Length of the noise.
    pub latent: usize,
    /// Normal noise; otherwise uniform in (-1, 1).
    pub normal_noise: bool,
    /// The generator.
    pub generator: Generator,
    /// The critic.
    pub critic: Critic,
    /// The constrainers; `None` trains without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constrainer: Option<Constrainer>,
    /// Empties cells that are empty in all of the training data.
    pub mask: bool,
    /// Weight of the gradient penalty.
    pub penalty: f32,
    /// Takes the norm of the whole batch's gradient at once, as the published code does.
    pub legacy_gp: bool,
    /// Critic steps to one generator step.
    pub critic_steps: u64,
    /// Learning rates of the generator: (epochs, rate), one after the other.
    pub generator_rates: Vec<(f64, f32)>,
    /// Learning rates of the critic, likewise.
    pub critic_rates: Vec<(f64, f32)>,
    /// Rate of the running mean of the generator's parameters; 0 keeps none.
    pub average: f32,
    /// Showers in a batch.
    pub batch: usize,
}

/// Sizes of the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// Towers side by side; one serves all layers.
    pub towers: usize,
    /// Width of the first dense layer of a tower.
    pub hidden: usize,
    /// Rows and columns from which a tower starts.
    pub start: [usize; 2],
    /// Channels at the start, then after each doubling.
    pub channels: Vec<usize>,
    /// Kernel of a tower's last convolution, to one channel, unpadded; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tower_kernel: Option<[usize; 2]>,
    /// Convolutions behind the towers.
    pub trunk: Vec<Conv>,
    /// Locally connected last layer; otherwise a convolution, kernel 3.
    pub locally_connected: bool,
    /// Biases per position in the towers.
    pub untied: bool,
}

/// One convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Kernel (rows, columns).
    pub kernel: [usize; 2],
    /// Stride along both axes.
    pub stride: usize,
    /// Zero padding (rows, columns).
    pub padding: [usize; 2],
}

/// Sizes of the critic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Critic {
    /// Width of the dense layer between labels and their plane.
    pub label: usize,
    /// Convolutions; all but the first are normalised.
    pub convs: Vec<Conv>,
    /// Width of the last hidden layer.
    pub hidden: usize,
    /// Shows the critic the energy sum and a soft number of hits of each layer.
    pub observables: bool,
}

/// Sizes of the constrainers and how they are trained and used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constrainer {
    /// Channels of the six convolutions.
    pub channels: [usize; 6],
    /// Epochs in which they are trained.
    pub epochs: f64,
    /// Their learning rate.
    pub rate: f32,
    /// Weight of each constraint in the generator's loss.
    pub weight: f32,
}

impl Conv {
    fn window(&self) -> Window {
        Window {
            kernel: self.kernel,
            stride: [self.stride; 2],
            padding: self.padding,
        }
    }
}

fn conv(channels: usize, kernel: [usize; 2], stride: usize, padding: [usize; 2]) -> Conv {
    Conv {
        channels,
        kernel,
        stride,
        padding,
    }
}

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct HgcalWgan {
    config: Config,
}

impl HgcalWgan {
    /// The configuration of a preset.
    pub fn preset(preset: Preset) -> Self {
        let config = match preset {
            Preset::Paper => Config {
                shape: [7, 12, 15],
                // Cells below two minimum ionising particles count as empty (0.0856 MeV each in this detector).
                preprocess: Preprocess {
                    unit: 0.0856,
                    threshold: 2.0,
                    per_energy: false,
                    scale: 1.0,
                    log: false,
                },
                energy_scale: 1.0,
                position_scale: 1.0,
                latent: 10,
                normal_noise: false,
                generator: Generator {
                    towers: 7,
                    hidden: 10,
                    start: [3, 4],
                    channels: vec![16, 16, 32, 64],
                    tower_kernel: Some([5, 9]),
                    trunk: vec![
                        conv(64, [3, 3], 1, [1, 1]),
                        conv(128, [5, 6], 1, [0, 0]),
                        conv(14, [3, 3], 1, [0, 0]),
                    ],
                    locally_connected: true,
                    untied: true,
                },
                critic: Critic {
                    label: 10,
                    convs: vec![
                        conv(256, [5, 5], 1, [2, 2]),
                        conv(128, [3, 3], 1, [1, 1]),
                        conv(64, [3, 3], 1, [1, 1]),
                        conv(32, [3, 3], 1, [1, 1]),
                        conv(16, [3, 3], 1, [1, 1]),
                    ],
                    hidden: 10,
                    observables: false,
                },
                constrainer: Some(Constrainer {
                    channels: [1, 16, 16, 32, 32, 64],
                    epochs: 50.0,
                    rate: 5e-5,
                    weight: 0.01,
                }),
                mask: true,
                penalty: 5.0,
                legacy_gp: false,
                critic_steps: 9,
                generator_rates: vec![(70.0, 1e-3), (20.0, 5e-4), (10.0, 2e-4), (50.0, 1e-4)],
                critic_rates: vec![(60.0, 5e-4), (20.0, 2e-4), (20.0, 1e-4), (50.0, 5e-5)],
                average: 0.0,
                batch: 256,
            },
            Preset::Small => Config {
                shape: [7, 12, 15],
                preprocess: Preprocess {
                    unit: 1.0,
                    threshold: 0.0,
                    per_energy: true,
                    scale: 200.0,
                    log: true,
                },
                energy_scale: 50.0,
                position_scale: 20.0,
                latent: 16,
                normal_noise: true,
                generator: Generator {
                    towers: 1,
                    hidden: 128,
                    start: [3, 4],
                    channels: vec![32, 32, 16],
                    tower_kernel: None,
                    trunk: vec![conv(16, [3, 3], 1, [1, 1]), conv(16, [3, 4], 1, [1, 1])],
                    locally_connected: false,
                    untied: false,
                },
                critic: Critic {
                    label: 10,
                    convs: vec![
                        conv(16, [5, 5], 1, [2, 2]),
                        conv(16, [3, 3], 1, [1, 1]),
                        conv(16, [3, 3], 2, [1, 1]),
                        conv(16, [3, 3], 1, [1, 1]),
                    ],
                    hidden: 64,
                    observables: true,
                },
                constrainer: Some(Constrainer {
                    channels: [1, 4, 4, 8, 8, 16],
                    epochs: 10.0,
                    rate: 1e-3,
                    weight: 0.01,
                }),
                mask: false,
                penalty: 5.0,
                legacy_gp: false,
                critic_steps: 4,
                generator_rates: vec![(100.0, 1e-3), (60.0, 3e-4), (40.0, 1e-4)],
                critic_rates: vec![(100.0, 1e-3), (60.0, 3e-4), (40.0, 1e-4)],
                average: 0.005,
                batch: 64,
            },
        };
        Self { config }
    }

    /// From a whole configuration.
    ///
    /// # Errors
    /// [`Error::Config`] naming an unknown, missing or impossible key.
    pub fn from_json(value: serde_json::Value) -> Result<Self> {
        let config: Config = serde_json::from_value(value)
            .map_err(|e| Error::Config(format!("configuration of hgcal-wgan: {e}")))?;
        let wrong = |what: &str| {
            Err(Error::Config(format!(
                "configuration of hgcal-wgan: {what}"
            )))
        };
        if config.batch < 2 || config.latent == 0 || config.critic_steps == 0 {
            return wrong("batch must be at least 2, latent and critic_steps at least 1");
        }
        if config.generator.towers == 0
            || config.generator.channels.is_empty()
            || config.critic.convs.is_empty()
        {
            return wrong("towers, channels and convs must not be empty");
        }
        if config.generator_rates.is_empty() || config.critic_rates.is_empty() {
            return wrong("generator_rates and critic_rates must not be empty");
        }
        let this = Self { config };
        this.networks()?;
        Ok(this)
    }

    /// Labels as networks see them, `[3,N]`: energy and impact point.
    fn labels<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let (e, p) = (
            1.0 / self.config.energy_scale,
            1.0 / self.config.position_scale,
        );
        build.conditions() * build.tape.constant(&[e, p, p], &[3, 1])
    }

    fn noise<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let shape = [self.config.latent, build.batch()];
        if self.config.normal_noise {
            build.normal(NOISE, &shape)
        } else {
            build.uniform(NOISE, &shape) * 2.0 - 1.0
        }
    }

    /// `[latent + 3, N]` to showers `[Z,X,Y,N]` as networks see them.
    fn generator<'t>(&self, net: &Net<'t>, noise: Var<'t>, labels: Var<'t>) -> Var<'t> {
        let g = &self.config.generator;
        let seed = Var::concat(&[noise, labels], 0);
        let towers: Vec<_> = (0..g.towers)
            .map(|i| self.tower(net, &format!("tower{i}"), seed))
            .collect();
        let mut h = Var::concat(&towers, 0);
        for (i, c) in g.trunk.iter().enumerate() {
            let name = format!("trunk{i}");
            h = net.conv2d(&name, h, c.channels, c.window(), true);
            h = net
                .batch_norm(&format!("{name}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        let [z, x, y] = self.config.shape;
        h = if g.locally_connected {
            let h = net.locally_connected2d("cells", h, z, [3, 3]);
            net.untied_bias("cells_bias", h)
        } else {
            net.conv2d("cells", h, z, conv(z, [3, 3], 1, [1, 1]).window(), true)
        };
        if self.config.mask {
            let (mask, _) = net.statistic("mask.mask", &[z, x, y], 1.0);
            h = h * mask.unsqueeze_to(4);
        }
        h.relu()
    }

    fn tower<'t>(&self, net: &Net<'t>, name: &str, seed: Var<'t>) -> Var<'t> {
        let g = &self.config.generator;
        let [rows, columns] = g.start;
        let mut h = net
            .linear(&format!("{name}_dense0"), seed, g.hidden)
            .leaky_relu(SLOPE);
        h = net
            .linear(&format!("{name}_dense1"), h, g.channels[0] * rows * columns)
            .leaky_relu(SLOPE);
        h = h.reshape(&[g.channels[0], rows, columns, seed.extent(1)]);
        let doubling = conv(0, [3, 3], 2, [1, 1]).window();
        for (i, &channels) in g.channels.iter().enumerate().skip(1) {
            let name = format!("{name}_up{i}");
            // As published, the last doubling before a convolution has no bias.
            let bias = !(g.untied && i + 1 == g.channels.len());
            let tied = bias && !g.untied;
            h = net.conv_transpose2d(&name, h, channels, (doubling, [1, 1]), tied);
            if bias && g.untied {
                h = net.untied_bias(&format!("{name}_bias"), h);
            }
            h = net
                .batch_norm(&format!("{name}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        if let Some(kernel) = g.tower_kernel {
            let name = format!("{name}_layer");
            h = net.conv2d(&name, h, 1, conv(1, kernel, 1, [0, 0]).window(), !g.untied);
            if g.untied {
                h = net.untied_bias(&format!("{name}_bias"), h);
            }
            h = net
                .batch_norm(&format!("{name}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        h
    }

    /// One value a shower, `[1,N]`.
    fn critic<'t>(&self, net: &Net<'t>, showers: Var<'t>, labels: Var<'t>) -> Var<'t> {
        let c = &self.config.critic;
        let [_, x, y] = self.config.shape;
        let n = labels.extent(1);
        let mut plane = net.linear("label0", labels, c.label).leaky_relu(SLOPE);
        plane = net
            .linear("label1", plane, x * y)
            .leaky_relu(SLOPE)
            .reshape(&[1, x, y, n]);
        let mut h = Var::concat(&[showers, plane], 0);
        for (i, k) in c.convs.iter().enumerate() {
            h = net.conv2d(&format!("conv{i}"), h, k.channels, k.window(), true);
            if i > 0 {
                h = net.norm(&format!("conv{i}_norm"), h, Norm::Layer);
            }
            h = h.leaky_relu(SLOPE);
        }
        h = h.flatten();
        if c.observables {
            h = Var::concat(&[h, self.sums(showers), self.soft_hits(showers)], 0);
        }
        h = net.linear("dense0", h, c.hidden).leaky_relu(SLOPE);
        net.linear("dense1", h, 1)
    }

    /// Energy of each layer, `[Z,N]`, of the size of one.
    fn sums<'t>(&self, showers: Var<'t>) -> Var<'t> {
        let p = &self.config.preprocess;
        // Bounded, so that a wild cell of an untrained generator does not overflow.
        let cells = if p.log {
            showers.clamp(-1.0, 7.0).expm1()
        } else {
            showers
        };
        cells.sum(&[1, 2]) * (1.0 / p.scale)
    }

    /// A smooth number of hits of each layer, `[Z,N]`, of the size of one.
    fn soft_hits<'t>(&self, showers: Var<'t>) -> Var<'t> {
        const EDGE: f32 = 0.4;
        ((showers - EDGE) * 10.0).sigmoid().sum(&[1, 2]) * (1.0 / 30.0)
    }

    /// Reconstructs labels from showers: energy `[1,N]` (`outputs` 1, not negative) or position `[2,N]`.
    fn constrainer<'t>(
        &self,
        net: &Net<'t>,
        showers: Var<'t>,
        outputs: usize,
        channels: [usize; 6],
    ) -> Var<'t> {
        let [z, x, y] = self.config.shape;
        let n = showers.extent(3);
        let mut h = showers.reshape(&[1, z, x, y, n]);
        let spec = |padding| crate::ops::ConvSpec {
            stride: [1; 3],
            padding,
        };
        h = net.conv3d("conv0", h, channels[0], [3, 3, 3], &spec([1; 3]), false);
        h = net.batch_norm("conv0_norm", h, 0.1).leaky_relu(SLOPE);
        for (i, &c) in channels.iter().enumerate().take(5).skip(1) {
            h = net.conv3d(&format!("conv{i}"), h, c, [2, 3, 3], &spec([0; 3]), false);
            h = net
                .batch_norm(&format!("conv{i}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        h = net.conv3d("conv5", h, channels[5], [2, 3, 5], &spec([0; 3]), false);
        h = net.untied_bias("conv5_bias", h).leaky_relu(SLOPE).flatten();
        if outputs > 1 {
            return net.linear("dense", h, outputs);
        }
        // Starts above 0, where the last ReLU has a slope.
        net.linear_starting(
            "dense",
            h,
            outputs,
            Init::fan_in(h.extent(0)),
            Init::Constant(1.0),
        )
        .relu()
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

    fn real<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.config
            .preprocess
            .forward(build.showers(), build.energy())
    }
}

/// The rate at `epoch` of a list of (epochs, rate).
fn rate(rates: &[(f64, f32)], share: f64) -> f32 {
    let total: f64 = rates.iter().map(|r| r.0).sum();
    let mut end = 0.0;
    for (epochs, rate) in rates {
        end += epochs / total;
        if share < end {
            return *rate;
        }
    }
    rates.last().map_or(0.0, |r| r.1)
}

const CRITIC: usize = 0;
const GENERATOR: usize = 1;
const CONSTRAINERS: usize = 2;

impl System for HgcalWgan {
    fn name(&self) -> &'static str {
        "hgcal-wgan"
    }

    fn config(&self) -> serde_json::Value {
        serde_json::to_value(&self.config).unwrap_or_default()
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

    fn generators(&self) -> Vec<&'static str> {
        vec!["generator"]
    }

    fn steps(&self) -> Vec<Step> {
        let adam = |beta1, beta2| Optimizer::Adam {
            beta1,
            beta2,
            eps: 1e-8,
        };
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
        let mut turns = Vec::new();
        if let Some(k) = self
            .config
            .constrainer
            .as_ref()
            .filter(|k| at.epoch < k.epochs)
        {
            turns.push(Turn {
                step: CONSTRAINERS,
                learning_rate: k.rate,
            });
        }
        turns.push(
            if at.iteration % (self.config.critic_steps + 1) == self.config.critic_steps {
                Turn {
                    step: GENERATOR,
                    learning_rate: rate(&self.config.generator_rates, at.share),
                }
            } else {
                Turn {
                    step: CRITIC,
                    learning_rate: rate(&self.config.critic_rates, at.share),
                }
            },
        );
        turns
    }

    fn epochs(&self) -> f64 {
        self.config.generator_rates.iter().map(|r| r.0).sum()
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn average(&self) -> Option<f32> {
        (self.config.average > 0.0).then_some(self.config.average)
    }

    fn losses<'t>(&self, step: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let labels = self.labels(build);
        let real = self.real(build);
        match step {
            CRITIC => {
                let fake = self
                    .generator(
                        &build.net("generator", Mode::Serve),
                        self.noise(build),
                        labels,
                    )
                    .detach();
                let net = build.net("critic", Mode::Train);
                let critic = |x| self.critic(&net, x, labels);
                let between = build.uniform(INTERPOLATION, &[1, 1, 1, build.batch()]);
                let norm = if self.config.legacy_gp {
                    PenaltyNorm::WholeBatch
                } else {
                    PenaltyNorm::PerShower
                };
                let penalty =
                    losses::gradient_penalty(fake + between * (real - fake), critic, norm);
                let estimate = critic(real).mean_all() - critic(fake).mean_all();
                vec![
                    ("critic", penalty * self.config.penalty - estimate),
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

    fn data_tensors(&self, mean_cells: &[f32]) -> Vec<(&'static str, String, Vec<f32>)> {
        if !self.config.mask {
            return Vec::new();
        }
        let live = mean_cells
            .iter()
            .map(|&e| if e > 0.0 { 1.0 } else { 0.0 })
            .collect();
        vec![("generator", "mask.mask".into(), live)]
    }
}
