//! Autoencoders whose code is held to a normal prior, by name: `cond-vae` by the Kullback-Leibler divergence
//! (arXiv:1312.6114), `cond-wae` by the maximum mean discrepancy (arXiv:1711.01558), `sae` by the Sinkhorn divergence
//! (arXiv:1810.01118), `swae` by the sliced Wasserstein distance (arXiv:1804.01947). With conditions, encoder and decoder
//! see them; without, a shower follows the training data.

use serde::{Deserialize, Serialize};

use super::conditions::beside;
use super::images::{Decoder, Encoder};
use super::transport::Transport;
use super::{ADAM, Conditions, PHOTONS, Rates, check, logarithm};
use crate::Result;
use crate::losses;
use crate::models::schedule::{epochs, rate};
use crate::models::{
    Build, Conditioning, DataSummary, DataTensor, Family, LatentSpace, Preprocess, Preset,
    Progress, Step, System, Turn, require,
};
use crate::nn::{Mode, Net, Network};
use crate::ops::Optimizer;
use crate::tape::Var;

/// Streams of random numbers: of the code that is drawn, of the prior's sample, of directions.
const CODE: u32 = 0;
const PRIOR: u32 = 1;
const DIRECTIONS: u32 = 2;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of a shower: one layer, rows, columns.
    pub shape: [usize; 3],
    /// Names of the labels, the energy first; none for an unconditional system.
    pub conditions: Conditions,
    /// How cell energies are seen.
    pub preprocess: Preprocess,
    /// Length of the code.
    pub latent: usize,
    /// The encoder.
    pub encoder: Encoder,
    /// The decoder.
    pub decoder: Decoder,
    /// What holds the code to the prior.
    pub regulariser: Regulariser,
    /// How parameters follow their gradients.
    pub optimizer: Method,
    /// Learning rates: (epochs, rate), one after the other.
    pub rates: Rates,
    /// Showers in a batch.
    pub batch: usize,
}

/// What holds the code to the prior, and its weight beside the squared error of a shower, which is summed over cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Regulariser {
    /// Kullback-Leibler divergence of each shower's normal distribution of codes.
    Kld {
        /// Its weight.
        weight: f32,
    },
    /// Maximum mean discrepancy with inverse multiquadratic kernels, see [`losses::mmd_imq`].
    Mmd {
        /// Its weight.
        weight: f32,
        /// Scales of the kernels.
        scales: Vec<f32>,
        /// Takes pairs of a code with itself as well.
        biased: bool,
    },
    /// Sinkhorn divergence.
    Sinkhorn {
        /// Its weight.
        weight: f32,
        /// How it is computed.
        transport: Transport,
    },
    /// Sliced Wasserstein-2 distance, squared.
    Sliced {
        /// Its weight.
        weight: f32,
        /// Number of directions.
        directions: usize,
    },
}

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Adam with the usual constants.
    Adam,
    /// RMSprop with alpha 0.9.
    RmsProp,
}

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct Autoencoder {
    name: &'static str,
    config: Config,
}

/// The published encoder and decoder (`wide`), or narrow ones.
pub(super) fn sizes(wide: bool, hidden: Vec<usize>) -> (Encoder, Decoder) {
    let encoder = Encoder {
        channels: if wide {
            vec![32, 64, 128]
        } else {
            vec![8, 16, 32]
        },
        kernel: 4,
        inner_slope: if wide { 1.0 } else { 0.1 },
        slope: 0.1,
        hidden,
    };
    let decoder = Decoder {
        channels: match wide {
            true => vec![128, 128, 64, 32],
            false => vec![32, 24, 16, 8],
        },
        kernel: if wide { 4 } else { 3 },
        output_slope: if wide { 0.0 } else { 0.1 },
    };
    (encoder, decoder)
}

impl Family for Autoencoder {
    type Config = Config;

    fn preset(name: &'static str, preset: Preset) -> Config {
        let paper = preset == Preset::Paper;
        let (encoder, decoder) = sizes(paper, vec![if paper { 20 } else { 64 }]);
        let regulariser = match name {
            // Published is 10 beside a twentieth of the squared error (arXiv:1711.01558 and its code).
            "cond-wae" => Regulariser::Mmd {
                weight: if paper { 200.0 } else { 10.0 },
                scales: vec![0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
                biased: false,
            },
            "sae" => Regulariser::Sinkhorn {
                weight: 10.0,
                transport: Transport::usual(),
            },
            "swae" => Regulariser::Sliced {
                weight: 10.0,
                directions: 50,
            },
            _ => Regulariser::Kld { weight: 0.7 },
        };
        Config {
            shape: [1, 44, 44],
            conditions: match name.starts_with("cond-") {
                true => Conditions::particle(),
                false => Conditions::none(),
            },
            preprocess: logarithm(PHOTONS),
            latent: 10,
            encoder,
            decoder,
            regulariser,
            optimizer: if paper { Method::RmsProp } else { Method::Adam },
            rates: match paper {
                true => vec![(300.0, 1e-4)],
                false => vec![(30.0, 2e-3), (10.0, 5e-4)],
            },
            batch: if paper { 128 } else { 64 },
        }
    }

    fn new(name: &'static str, config: Config) -> Result<Self> {
        check(config.shape, &config.conditions, &config.preprocess)?;
        require(
            config.latent > 0 && !config.decoder.channels.is_empty() && !config.rates.is_empty(),
            "latent must be at least 1, decoder.channels and rates must not be empty",
        )?;
        match &config.regulariser {
            Regulariser::Mmd { scales, .. } => require(
                !scales.is_empty() && scales.iter().all(|&s| s > 0.0),
                "scales must hold numbers above 0",
            )?,
            Regulariser::Sliced { directions, .. } => {
                require(*directions > 0, "directions must be at least 1")?;
            }
            Regulariser::Sinkhorn { transport, .. } => transport.check()?,
            Regulariser::Kld { .. } => {}
        }
        Ok(Self { name, config })
    }
}

impl Autoencoder {
    fn variational(&self) -> bool {
        matches!(self.config.regulariser, Regulariser::Kld { .. })
    }

    /// The code of images, `[latent,N]`; of a variational system the mean, and beside it the logarithm of the variance.
    fn encode<'t>(
        &self,
        net: &Net<'t>,
        images: Var<'t>,
        conditions: Option<Var<'t>>,
    ) -> (Var<'t>, Option<Var<'t>>) {
        let c = &self.config;
        let h = c.encoder.features(net, images, conditions);
        let code = net.linear("code", h, c.latent);
        let variance = self
            .variational()
            .then(|| net.linear("log_variance", h, c.latent));
        (code, variance)
    }

    fn decode<'t>(&self, net: &Net<'t>, code: Var<'t>, conditions: Option<Var<'t>>) -> Var<'t> {
        let c = &self.config;
        c.decoder.images(net, c.shape, beside(code, conditions))
    }

    /// Normal random numbers in the place of a code.
    fn drawn<'t>(&self, build: &Build<'t>, stream: u32) -> Var<'t> {
        build.normal(stream, &[self.config.latent, build.batch()])
    }
}

impl System for Autoencoder {
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
        self.config.conditions.labels()
    }

    fn conditioning(&self) -> Conditioning {
        self.config.conditions.conditioning()
    }

    fn networks(&self) -> Result<Vec<Network>> {
        let [_, x, y] = self.config.shape;
        let labels = self.conditions().len();
        Ok(vec![
            Network::declare("encoder", |net| {
                let seen = net.tape().input("c", &[labels, 2]);
                let seen = (!self.config.conditions.is_empty()).then_some(seen);
                self.encode(net, net.tape().input("x", &[1, x, y, 2]), seen);
            })?,
            Network::declare("decoder", |net| {
                let labels = net.tape().input("c", &[labels, 2]);
                let seen = self.config.conditions.seen(net, labels);
                let code = net.tape().input("z", &[self.config.latent, 2]);
                self.decode(net, code, seen);
            })?,
        ])
    }

    fn kept(&self) -> Vec<&'static str> {
        vec!["decoder"]
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step {
            name: "autoencoder",
            networks: vec!["encoder", "decoder"],
            optimizer: match self.config.optimizer {
                Method::Adam => ADAM,
                Method::RmsProp => Optimizer::RmsProp {
                    alpha: 0.9,
                    eps: 1e-7,
                },
            },
        }]
    }

    fn schedule(&self, at: Progress) -> Vec<Turn> {
        vec![Turn {
            step: 0,
            learning_rate: rate(&self.config.rates, at.share),
        }]
    }

    fn epochs(&self) -> f64 {
        epochs(&self.config.rates)
    }

    fn batch(&self) -> usize {
        self.config.batch
    }

    fn losses<'t>(&self, _: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let c = &self.config;
        let images = build.real(&c.preprocess);
        let (encoder, decoder) = (
            build.net("encoder", Mode::Train),
            build.net("decoder", Mode::Train),
        );
        let seen = c.conditions.seen(&decoder, build.conditions());
        let (mean, variance) = self.encode(&encoder, images, seen);
        let code = match variance {
            Some(log) => mean + (log * 0.5).exp() * self.drawn(build, CODE),
            None => mean,
        };
        let cells = images.len() as f32 / build.batch() as f32;
        let error = losses::mse(self.decode(&decoder, code, seen), images) * cells;
        let prior = || self.drawn(build, PRIOR);
        let (name, weight, distance) = match &c.regulariser {
            Regulariser::Kld { weight } => {
                let log = variance.unwrap_or(mean);
                let kld = (mean.square() + log.exp() - log - 1.0).sum_all();
                ("kld", *weight, kld * (0.5 / build.batch() as f32))
            }
            Regulariser::Mmd {
                weight,
                scales,
                biased,
            } => {
                let mmd = losses::mmd_imq(code, prior(), scales, *biased);
                ("mmd", *weight, mmd)
            }
            Regulariser::Sinkhorn { weight, transport } => {
                let divergence = losses::sinkhorn_divergence(code, prior(), &transport.spec());
                ("sinkhorn", *weight, divergence)
            }
            Regulariser::Sliced { weight, directions } => {
                let normal = build.normal(DIRECTIONS, &[c.latent, *directions]);
                let directions = losses::directions(normal);
                let sliced = losses::sliced_wasserstein2(code, prior(), directions);
                ("sliced", *weight, sliced)
            }
        };
        vec![
            ("loss", error + distance * weight),
            ("squared_error", error),
            (name, distance),
        ]
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.decode_codes(build, self.draw_codes(build))
    }

    fn latent(&self) -> Option<&dyn LatentSpace> {
        Some(self)
    }

    fn data_tensors(&self, data: &DataSummary) -> Vec<DataTensor> {
        self.config.conditions.data_tensors("decoder", data)
    }
}

impl LatentSpace for Autoencoder {
    fn code_length(&self) -> usize {
        self.config.latent
    }

    fn encode_batch<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let c = &self.config;
        let images = build.real(&c.preprocess);
        let seen = c
            .conditions
            .seen(&build.trained("decoder"), build.conditions());
        self.encode(&build.trained("encoder"), images, seen).0
    }

    fn draw_codes<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.drawn(build, CODE)
    }

    fn decode_codes<'t>(&self, build: &Build<'t>, codes: Var<'t>) -> Var<'t> {
        let net = build.trained("decoder");
        let seen = self.config.conditions.seen(&net, build.conditions());
        let images = self.decode(&net, codes, seen);
        self.config
            .preprocess
            .backward(images.relu(), build.energy())
    }
}
