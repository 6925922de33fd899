//! Regressors of the incident energy, and on request of the impact point: those of the Fréchet Regression Distance (N. M. Werther, 2022; the first is the constrainer of the "Getting
//! High" WGAN, arXiv:2005.05334): three-dimensional convolutions, then dense layers, of which the one before the last is
//! 100 wide in every variant and gives the distance its features. The impact point, of which that work has none, is one
//! more dense layer on these features. The published weights are those of the epoch whose energies were best, by mean
//! absolute error, on showers held back: `calogen train --keep-best
//! energy_mae` keeps such.

use serde::{Deserialize, Serialize};

use super::schedule::{epochs, rate};
use super::{Build, Family, Preset, Progress, Reconstruction, Step, System, Turn, require};
use crate::losses;
use crate::nn::{Init, Mode, Net, Network, Norm};
use crate::ops::{ConvSpec, Optimizer};
use crate::tape::Var;
use crate::{Error, Result};

/// Streams of random numbers of the dropout layers.
const DROPOUT: u32 = 0;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Extents of what it sees of a shower (layers, rows, columns).
    pub shape: [usize; 3],
    /// Where that lies in the shower; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<[usize; 3]>,
    /// Divides the energy label in GeV.
    pub energy_scale: f32,
    /// Divides the position label in mm; `None` to reconstruct no position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_scale: Option<f32>,
    /// Convolutions.
    pub convs: Vec<Conv>,
    /// Norm behind convolutions that have one.
    pub norm: Norm,
    /// Widths of the hidden dense layers.
    pub dense: Vec<usize>,
    /// Dropout behind each hidden dense layer.
    pub dropout: Vec<f32>,
    /// Slope of leaky ReLUs.
    pub slope: f32,
    /// Learning rates: (epochs, rate), one after the other.
    pub rates: Vec<(f64, f32)>,
    /// Showers in a batch.
    pub batch: usize,
}

/// A cubic convolution without bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Kernel along each axis.
    pub kernel: usize,
    /// Stride along each axis.
    pub stride: usize,
    /// Zero padding along each axis.
    pub padding: usize,
    /// Followed by a norm and a leaky ReLU; otherwise by nothing.
    pub norm: bool,
}

pub(super) fn conv(
    channels: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    norm: bool,
) -> Conv {
    Conv {
        channels,
        kernel,
        stride,
        padding,
        norm,
    }
}

/// The system. See the module.
#[derive(Clone, Debug)]
pub struct Regressor {
    name: &'static str,
    config: Config,
}

impl Family for Regressor {
    type Config = Config;

    fn preset(name: &'static str, preset: Preset) -> Config {
        let small = preset == Preset::Small;
        // Channels of the published network, or a quarter of them.
        let c = |channels: usize| if small { channels / 4 } else { channels };
        let (variant, core) = match name.strip_suffix("-core") {
            Some(variant) => (variant, true),
            None => (name, false),
        };
        let mut convs = vec![
            conv(c(16), 3, 2, 0, true),
            conv(c(32), 3, 2, 0, true),
            conv(c(16), 2, 1, 0, false),
        ];
        let (mut norm, mut dense, mut dropout) = (Norm::Voxel, vec![100], vec![0.0]);
        match variant {
            "regressor-bn" => norm = Norm::Batch,
            "regressor-plus" => {
                // Layers not published; a choice.
                let layers = [(16, 2), (32, 1), (64, 2), (64, 1), (32, 1)];
                convs = layers.map(|(n, s)| conv(c(n), 3, s, 1, true)).to_vec();
                (norm, dense, dropout) = (Norm::Batch, vec![c(512), 100], vec![0.2, 0.1]);
            }
            "regressor-deep" => {
                // Likewise.
                convs.insert(2, conv(c(32), 3, 1, 1, true));
                (dense, dropout) = (vec![c(200), 100], vec![0.0, 0.0]);
            }
            _ => {}
        }
        Config {
            shape: if core { [15; 3] } else { [30; 3] },
            origin: core.then_some([7; 3]),
            energy_scale: if small || variant == "regressor-deep" {
                100.0
            } else {
                1.0
            },
            position_scale: None,
            convs,
            norm,
            dense,
            dropout,
            slope: 0.2,
            rates: if small {
                vec![(10.0, 1e-3), (5.0, 2e-4)]
            } else {
                vec![(200.0, 1e-3)]
            },
            batch: 64,
        }
    }

    fn new(name: &'static str, config: Config) -> Result<Self> {
        require(
            config.dense.len() == config.dropout.len() && !config.dense.is_empty(),
            "dense and dropout must be of one length, at least 1",
        )?;
        require(!config.rates.is_empty(), "rates must not be empty")?;
        require(
            config
                .position_scale
                .is_none_or(|s| s.is_finite() && s > 0.0),
            "position_scale must be above 0",
        )?;
        Ok(Self { name, config })
    }
}

/// The layers of a regressor, wherever they are configured.
pub(super) struct Layers<'a> {
    /// Convolutions.
    pub convs: &'a [Conv],
    /// Norm behind convolutions that have one.
    pub norm: Norm,
    /// Widths of the hidden dense layers.
    pub dense: &'a [usize],
    /// So many of these, the first, have a batch norm.
    pub dense_norms: usize,
    /// Dropout behind them; none where it ends.
    pub dropout: &'a [f32],
    /// Slope of leaky ReLUs.
    pub slope: f32,
}

/// The last hidden features `[100,N]` and the energy `[1,N]`, in the unit of the labels, of showers `[Z,X,Y,N]` in the file's.
pub(super) fn network<'t>(
    net: &Net<'t>,
    build: Option<&Build<'t>>,
    x: Var<'t>,
    layers: &Layers<'_>,
) -> [Var<'t>; 2] {
    traced(net, build, x, layers, &mut Vec::new())
}

/// The same; `trace` gets input and output of every layer that is linear but for its bias.
fn traced<'t>(
    net: &Net<'t>,
    build: Option<&Build<'t>>,
    x: Var<'t>,
    layers: &Layers<'_>,
    trace: &mut Vec<[Var<'t>; 2]>,
) -> [Var<'t>; 2] {
    let mut shape = x.shape();
    shape.insert(0, 1);
    let mut x = x.reshape(&shape);
    for (i, k) in layers.convs.iter().enumerate() {
        let spec = ConvSpec {
            stride: [k.stride; 3],
            padding: [k.padding; 3],
        };
        let (name, kernel) = (format!("conv{i}"), [k.kernel; 3]);
        let y = net.conv3d(&name, x, k.channels, kernel, &spec, false);
        trace.push([x, y]);
        x = y;
        if k.norm {
            let y = net.norm(&format!("conv{i}_norm"), x, layers.norm);
            trace.push([x, y]);
            x = y.leaky_relu(layers.slope);
        }
    }
    x = x.flatten();
    for (i, &width) in layers.dense.iter().enumerate() {
        let name = format!("dense{i}");
        if i < layers.dense_norms {
            let y = net.before_batch_norm().linear(&name, x, width);
            trace.push([x, y]);
            x = net.norm(&format!("{name}_norm"), y, Norm::Batch);
            trace.push([y, x]);
        } else {
            let y = net.linear(&name, x, width);
            trace.push([x, y]);
            x = y;
        }
        x = x.leaky_relu(layers.slope);
        if let (Some(build), Some(&p)) = (build, layers.dropout.get(i)) {
            x = build.dropout(net, x, p, DROPOUT + i as u32);
        }
    }
    // Starts above 0, where the last ReLU has a slope.
    let (weight, bias) = (Init::fan_in(x.extent(0)), Init::Constant(0.5));
    let y = net.linear_starting("energy", x, 1, weight, bias);
    trace.push([x, y]);
    [x, y.relu()]
}

impl Regressor {
    fn layers(&self) -> Layers<'_> {
        let c = &self.config;
        Layers {
            convs: &c.convs,
            norm: c.norm,
            dense: &c.dense,
            dense_norms: 0,
            dropout: &c.dropout,
            slope: c.slope,
        }
    }

    /// What it says of showers, in units of the scales; `build` where dropout is to act.
    fn network<'t>(
        &self,
        net: &Net<'t>,
        build: Option<&Build<'t>>,
        x: Var<'t>,
    ) -> Reconstruction<'t> {
        let [features, energy] = network(net, build, x, &self.layers());
        let position = self.config.position_scale;
        Reconstruction {
            features,
            energy,
            position: position.map(|_| net.linear("position", features, 2)),
        }
    }
}

impl System for Regressor {
    fn name(&self) -> &'static str {
        self.name
    }

    fn config(&self) -> serde_json::Value {
        crate::models::settings(&self.config)
    }

    fn shape(&self) -> [usize; 3] {
        self.config.shape
    }

    fn origin(&self) -> Option<[usize; 3]> {
        self.config.origin
    }

    fn conditions(&self) -> Vec<String> {
        let position = ["position_x", "position_y"];
        let position = self.config.position_scale.map_or(&[][..], |_| &position);
        let all = ["energy"].iter().chain(position);
        all.map(|name| name.to_string()).collect()
    }

    fn networks(&self) -> Result<Vec<Network>> {
        let [z, x, y] = self.config.shape;
        Ok(vec![Network::declare("regressor", |net| {
            self.network(net, None, net.tape().input("x", &[z, x, y, 2]));
        })?])
    }

    fn kept(&self) -> Vec<&'static str> {
        vec!["regressor"]
    }

    fn generates(&self) -> bool {
        false
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step {
            name: "regressor",
            networks: vec!["regressor"],
            optimizer: Optimizer::adam(0.9, 0.999),
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
        let net = build.net("regressor", Mode::Train);
        let found = self.network(&net, Some(build), build.showers());
        let label = build.energy() * (1.0 / self.config.energy_scale);
        let energy = losses::l1(found.energy, label);
        let Some((position, scale)) = found.position.zip(self.config.position_scale) else {
            return vec![("l1", energy)];
        };
        let label = build.conditions().slice(0, 1, 3) * (1.0 / scale);
        let position = losses::l1(position, label);
        vec![
            ("l1", energy + position),
            ("energy_l1", energy),
            ("position_l1", position),
        ]
    }

    fn reconstruct<'t>(&self, build: &Build<'t>) -> Option<Reconstruction<'t>> {
        let net = build.trained("regressor");
        let found = self.network(&net, None, build.showers());
        let position = found.position.zip(self.config.position_scale);
        Some(Reconstruction {
            energy: found.energy * self.config.energy_scale,
            position: position.map(|(position, scale)| position * scale),
            ..found
        })
    }

    fn linear_layers<'t>(&self, build: &Build<'t>) -> Option<Vec<[Var<'t>; 2]>> {
        let net = build.trained("regressor").with_constant_spreads();
        let mut trace = Vec::new();
        traced(&net, None, build.showers(), &self.layers(), &mut trace);
        Some(trace)
    }

    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let what = format!("{} generates no showers", self.name);
        build.tape.fail(Error::Config(what))
    }
}
