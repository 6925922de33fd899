//! End-to-end Sinkhorn autoencoder (arXiv:2006.06704): encoder, decoder and a noise generator trained together, so that no
//! prior is imposed on the code.
//!
//! The loss is |x - d(e(x))|² + weight S([e(x), c], [n(z, c), c]): the Sinkhorn divergence compares codes of showers with
//! codes made of noise z and conditions c, the conditions beside both, so that the match respects them. A shower is
//! d(n(z, c)). Sizes from a published re-implementation.

use serde::{Deserialize, Serialize};

use super::autoencoder::sizes;
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
use crate::tape::Var;

/// Stream of random numbers.
const NOISE: u32 = 0;

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
    /// Slope of the leaky ReLU behind the code, of encoder and noise generator alike; 0 as published. Above 0 no part of
    /// the code can die, which it does where the divergence outweighs the squared error.
    pub code_slope: f32,
    /// The encoder, which sees the shower alone.
    pub encoder: Encoder,
    /// The decoder, which sees the code alone.
    pub decoder: Decoder,
    /// The noise generator.
    pub noise: Noise,
    /// Weight of the Sinkhorn divergence beside the squared error of a shower, which is summed over cells.
    pub weight: f32,
    /// How it is computed.
    pub transport: Transport,
    /// Factor on the standardised conditions beside the codes.
    pub condition_scale: f32,
    /// Learning rates: (epochs, rate), one after the other.
    pub rates: Rates,
    /// Showers in a batch.
    pub batch: usize,
}

/// Sizes of the noise generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Length of the noise.
    pub length: usize,
    /// Width of the dense layer that sees the noise.
    pub noise_width: usize,
    /// Width of the dense layer that sees the conditions.
    pub condition_width: usize,
    /// Widths of the hidden dense layers that see both.
    pub hidden: Vec<usize>,
    /// Slope of the leaky ReLU behind each of them.
    pub slope: f32,
}

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct E2eSae {
    config: Config,
}

impl Family for E2eSae {
    type Config = Config;

    fn preset(_: &'static str, preset: Preset) -> Config {
        let paper = preset == Preset::Paper;
        let wide = |width: usize| if paper { width } else { width / 4 };
        let (encoder, decoder) = sizes(paper, Vec::new());
        Config {
            shape: [1, 44, 44],
            conditions: Conditions::particle(),
            preprocess: logarithm(PHOTONS),
            latent: 20,
            code_slope: if paper { 0.0 } else { 0.2 },
            encoder,
            decoder,
            noise: Noise {
                length: 10,
                noise_width: wide(256),
                condition_width: wide(128),
                hidden: vec![wide(512); 2],
                slope: 0.2,
            },
            weight: 20.0,
            transport: Transport::usual(),
            condition_scale: 1.0,
            rates: match paper {
                // A later implementation's: up within ten epochs, then down by a cosine, in steps.
                true => vec![
                    (3.0, 5e-5),
                    (4.0, 1.6e-4),
                    (28.0, 2.8e-4),
                    (25.0, 1.9e-4),
                    (20.0, 8e-5),
                    (20.0, 1.5e-5),
                ],
                false => vec![(30.0, 2e-3), (10.0, 5e-4)],
            },
            batch: if paper { 256 } else { 64 },
        }
    }

    fn new(_: &'static str, config: Config) -> Result<Self> {
        check(config.shape, &config.conditions, &config.preprocess)?;
        config.transport.check()?;
        require(
            config.latent > 0 && config.noise.length > 0,
            "latent and noise.length must be at least 1",
        )?;
        require(
            !config.decoder.channels.is_empty() && !config.rates.is_empty(),
            "decoder.channels and rates must not be empty",
        )?;
        Ok(Self { config })
    }
}

impl E2eSae {
    fn encode<'t>(&self, net: &Net<'t>, images: Var<'t>) -> Var<'t> {
        let h = self.config.encoder.features(net, images, None);
        self.code(net, h)
    }

    fn code<'t>(&self, net: &Net<'t>, features: Var<'t>) -> Var<'t> {
        let code = net.linear("code", features, self.config.latent);
        code.leaky_relu(self.config.code_slope)
    }

    fn decode<'t>(&self, net: &Net<'t>, code: Var<'t>) -> Var<'t> {
        self.config.decoder.images(net, self.config.shape, code)
    }

    /// The code of noise and conditions.
    fn noise<'t>(&self, net: &Net<'t>, noise: Var<'t>, conditions: Option<Var<'t>>) -> Var<'t> {
        let n = &self.config.noise;
        let dense = |name: &str, x, width| net.linear(name, x, width).leaky_relu(n.slope);
        let conditions = conditions.map(|c| dense("conditions", c, n.condition_width));
        let mut h = beside(dense("noise", noise, n.noise_width), conditions);
        for (i, &width) in n.hidden.iter().enumerate() {
            h = dense(&format!("dense{i}"), h, width);
        }
        self.code(net, h)
    }

    fn drawn<'t>(&self, build: &Build<'t>) -> Var<'t> {
        build.normal(NOISE, &[self.config.noise.length, build.batch()])
    }
}

impl System for E2eSae {
    fn name(&self) -> &'static str {
        "e2e-sae"
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
                self.encode(net, net.tape().input("x", &[1, x, y, 2]));
            })?,
            Network::declare("decoder", |net| {
                self.decode(net, net.tape().input("z", &[self.config.latent, 2]));
            })?,
            Network::declare("noise", |net| {
                let labels = net.tape().input("c", &[labels, 2]);
                let seen = self.config.conditions.seen(net, labels);
                let noise = net.tape().input("z", &[self.config.noise.length, 2]);
                self.noise(net, noise, seen);
            })?,
        ])
    }

    fn kept(&self) -> Vec<&'static str> {
        vec!["decoder", "noise"]
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step {
            name: "autoencoder",
            networks: vec!["encoder", "decoder", "noise"],
            optimizer: ADAM,
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
        let [encoder, decoder, noise] =
            ["encoder", "decoder", "noise"].map(|name| build.net(name, Mode::Train));
        let seen = c.conditions.seen(&noise, build.conditions());
        let code = self.encode(&encoder, images);
        let made = self.noise(&noise, self.drawn(build), seen);
        let cells = images.len() as f32 / build.batch() as f32;
        let error = losses::mse(self.decode(&decoder, code), images) * cells;
        let scaled = seen.map(|c| c * self.config.condition_scale);
        let (code, made) = (beside(code, scaled), beside(made, scaled));
        let divergence = losses::sinkhorn_divergence(code, made, &c.transport.spec());
        vec![
            ("loss", error + divergence * c.weight),
            ("squared_error", error),
            ("sinkhorn", divergence),
        ]
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        self.decode_codes(build, self.draw_codes(build))
    }

    fn latent(&self) -> Option<&dyn LatentSpace> {
        Some(self)
    }

    fn data_tensors(&self, data: &DataSummary) -> Vec<DataTensor> {
        self.config.conditions.data_tensors("noise", data)
    }
}

impl LatentSpace for E2eSae {
    fn code_length(&self) -> usize {
        self.config.latent
    }

    fn encode_batch<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let images = build.real(&self.config.preprocess);
        self.encode(&build.trained("encoder"), images)
    }

    fn draw_codes<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let net = build.trained("noise");
        let seen = self.config.conditions.seen(&net, build.conditions());
        self.noise(&net, self.drawn(build), seen)
    }

    fn decode_codes<'t>(&self, build: &Build<'t>, codes: Var<'t>) -> Var<'t> {
        let images = self.decode(&build.trained("decoder"), codes);
        self.config
            .preprocess
            .backward(images.relu(), build.energy())
    }
}
