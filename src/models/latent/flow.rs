//! Normalising flow on the codes of training showers and on high-level observables, given the incident energy (the closest
//! published form is that of the two-angle BIB-AE, `FLC-QU-hep/Two_Angle_BIBAE`).
//!
//! The flow maps `x = [observables, codes]` to normal noise through blocks of conditional affine couplings with fixed
//! permutations between them, and one conditional spline in the middle of each block. Sampling runs it backwards. Choices of
//! ours: splines are rational quadratic within 4, there rational linear within 3, and every part starts as the identity.

use serde::{Deserialize, Serialize};

use super::Drawn;
use crate::Result;
use crate::losses::Projections;
use crate::models::Build;
use crate::nn::flow::{Coupling, Spline, affine_coupling, spline};
use crate::nn::{Init, Net, Network};
use crate::ops::random;
use crate::tape::Var;

/// Seed of the permutations: part of the architecture, like the order of layers.
const PERMUTATIONS: u64 = 0x666c_6f77;

/// Settings of the flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Blocks of couplings, a spline, and couplings again.
    pub blocks: usize,
    /// Couplings before and after the spline of a block.
    pub couplings: usize,
    /// Width of the couplings' two hidden layers, in features of the flow.
    pub hidden: usize,
    /// Width of the splines' two hidden layers, likewise.
    pub spline_hidden: usize,
    /// Bins of a spline.
    pub bins: usize,
    /// The splines act between minus and plus this.
    pub bound: f32,
    /// Observables that the flow draws together with the codes.
    pub observables: Vec<Observable>,
    /// Cells below this count as empty in the observables, in the file's unit.
    pub threshold: f32,
    /// Factor on the codes before the flow.
    pub code_scale: f32,
    /// Divides the incident energy in GeV.
    pub energy_scale: f32,
    /// Scales each generated shower so that its sum is the one that the flow drew.
    pub rescale: bool,
}

/// One observable as the flow sees it: `(value - offset) scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observable {
    /// What it is.
    pub kind: Kind,
    /// Subtracted first.
    pub offset: f32,
    /// Then multiplied.
    pub scale: f32,
}

/// High-level observables of a shower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sum of all cells over the incident energy.
    Response,
    /// Sum of all cells.
    EnergySum,
    /// Cells that are not empty.
    Hits,
    /// Energy-weighted mean layer.
    CentreZ,
    /// First layer with at least 5 % of the largest layer's energy.
    Start,
}

impl Kind {
    /// Of showers and their energies `[1,N]`: `[1,N]`.
    fn of<'t>(self, showers: &Projections<'t>, energy: Var<'t>) -> Var<'t> {
        let layers = showers.z;
        let z = layers.extent(0);
        let sum = layers.sum_keep(&[0]);
        let index: Vec<f32> = (0..z).map(|i| i as f32).collect();
        let index = layers.tape().constant(&index, &[z, 1]);
        match self {
            Self::Response => sum / energy,
            Self::EnergySum => sum,
            Self::Hits => showers.hits.sum_keep(&[0]),
            Self::CentreZ => (layers * index).sum_keep(&[0]) / sum.maximum(sum * 0.0 + 1e-12),
            Self::Start => {
                let reached = 1.0 - (layers.max_keep(&[0]) * 0.05).greater(layers);
                // Layers that do not reach it count as one beyond the last.
                (index * reached + (1.0 - reached) * z as f32).min_keep(&[0])
            }
        }
    }
}

impl Flow {
    fn width(&self, codes: usize) -> usize {
        self.observables.len() + codes
    }

    pub(super) fn network(&self, codes: usize) -> Result<Network> {
        Network::declare("flow", |net| {
            let t = net.tape();
            let x = t.input("x", &[self.width(codes), 2]);
            self.forward(net, x, t.input("c", &[1, 2]));
        })
    }

    /// Two hidden layers and an output that starts at 0, so that the flow starts as the identity.
    fn dense<'t>(net: &Net<'t>, name: &str, x: Var<'t>, hidden: usize, outputs: usize) -> Var<'t> {
        let mut h = x;
        for i in 0..2 {
            h = net.linear(&format!("{name}_dense{i}"), h, hidden).relu();
        }
        let zero = Init::Constant(0.0);
        net.linear_starting(&format!("{name}_dense2"), h, outputs, zero, zero)
    }

    /// The order in which coupling `index` sees `d` features, or its inverse.
    fn order<'t>(x: Var<'t>, index: usize, inverse: bool) -> Var<'t> {
        let d = x.extent(0);
        let key = |j: &u32| random::random_bits(PERMUTATIONS, index as u32, 0, *j);
        let mut order: Vec<u32> = (0..d as u32).collect();
        order.sort_by_key(key);
        if inverse {
            let mut back = vec![0; d];
            for (to, &from) in order.iter().enumerate() {
                back[from as usize] = to as u32;
            }
            order = back;
        }
        x.gather(0, x.tape().indices(&order, &[d]), true)
    }

    fn coupling<'t>(
        &self,
        net: &Net<'t>,
        name: &str,
        x: Var<'t>,
        condition: Var<'t>,
        inverse: bool,
    ) -> (Var<'t>, Var<'t>) {
        let d = x.extent(0);
        let (split, moved) = (d / 2, d - d / 2);
        let seen = Var::concat(&[x.slice(0, 0, split), condition], 0);
        let st = Self::dense(net, name, seen, self.hidden * d, 2 * moved);
        let (s, t) = (st.slice(0, 0, moved), st.slice(0, moved, 2 * moved));
        affine_coupling(x, s, t, Coupling::ShiftThenScale, inverse)
    }

    fn splines<'t>(
        &self,
        net: &Net<'t>,
        name: &str,
        x: Var<'t>,
        condition: Var<'t>,
        inverse: bool,
    ) -> (Var<'t>, Var<'t>) {
        let (d, rows) = (x.extent(0), 3 * self.bins - 1);
        let params = Self::dense(net, name, condition, self.spline_hidden * d, d * rows);
        let shape = Spline {
            bound: self.bound,
            ..Spline::default()
        };
        let params = params.reshape(&[d, rows, x.extent(1)]);
        spline(x, params, &shape, inverse)
    }

    /// The names of all transforms in order; splines have none of the permutations before them.
    fn transforms(&self) -> Vec<(String, bool)> {
        let mut all = Vec::new();
        for block in 0..self.blocks {
            for half in 0..2 {
                for i in 0..self.couplings {
                    let i = half * self.couplings + i;
                    all.push((format!("block{block}_coupling{i}"), true));
                }
                if half == 0 {
                    all.push((format!("block{block}_spline"), false));
                }
            }
        }
        all
    }

    /// `x` `[D,N]` to noise, and the log-determinant `[N]`.
    fn forward<'t>(&self, net: &Net<'t>, x: Var<'t>, condition: Var<'t>) -> (Var<'t>, Var<'t>) {
        let (mut x, mut sum) = (x, None);
        for (index, (name, coupling)) in self.transforms().iter().enumerate() {
            let (y, log_det) = if *coupling {
                self.coupling(net, name, Self::order(x, index, false), condition, false)
            } else {
                self.splines(net, name, x, condition, false)
            };
            x = y;
            sum = Some(sum.map_or(log_det, |s: Var<'t>| s + log_det));
        }
        (x, sum.unwrap_or_else(|| x.sum(&[0]) * 0.0))
    }

    /// Noise `[D,N]` to `x`.
    fn backward<'t>(&self, net: &Net<'t>, noise: Var<'t>, condition: Var<'t>) -> Var<'t> {
        let mut x = noise;
        for (index, (name, coupling)) in self.transforms().iter().enumerate().rev() {
            x = if *coupling {
                let (y, _) = self.coupling(net, name, x, condition, true);
                Self::order(y, index, true)
            } else {
                self.splines(net, name, x, condition, true).0
            };
        }
        x
    }

    /// The observables `[k,N]` of `showers` `[Z,X,Y,N]` as the flow sees them.
    pub(super) fn observed<'t>(&self, build: &Build<'t>, showers: Var<'t>) -> Var<'t> {
        let threshold = build.tape.constant(&[self.threshold], &[1]);
        let (seen, energy) = (Projections::of(showers, threshold), build.energy());
        let row = |o: &Observable| (o.kind.of(&seen, energy) - o.offset) * o.scale;
        let rows: Vec<Var<'t>> = self.observables.iter().map(row).collect();
        Var::concat(&rows, 0)
    }

    /// Negative log-likelihood of codes `[d,N]` and the observables of `showers` `[Z,X,Y,N]`, per feature.
    pub(super) fn losses<'t>(
        &self,
        build: &Build<'t>,
        net: &Net<'t>,
        codes: Var<'t>,
        showers: Var<'t>,
    ) -> Vec<(&'static str, Var<'t>)> {
        let mut x = codes * self.code_scale;
        if !self.observables.is_empty() {
            x = Var::concat(&[self.observed(build, showers), x], 0);
        }
        let d = x.extent(0) as f32;
        let energy = build.energy() * (1.0 / self.energy_scale);
        let (noise, log_det) = self.forward(net, x.detach(), energy);
        let half_log_tau = 0.5 * std::f32::consts::TAU.ln();
        let nll = noise.square().sum(&[0]) * 0.5 - log_det;
        vec![("nll", nll.mean_all() * (1.0 / d) + half_log_tau)]
    }

    /// Codes of length `codes` for the batch's energies, with the observables that belong to them.
    pub(super) fn draw<'t>(
        &self,
        build: &Build<'t>,
        net: &Net<'t>,
        codes: usize,
        stream: u32,
    ) -> Drawn<'t> {
        let (d, first) = (self.width(codes), self.observables.len());
        let energy = build.energy();
        let noise = build.normal(stream, &[d, build.batch()]);
        let x = self.backward(net, noise, energy * (1.0 / self.energy_scale));
        let sum = self.observables.iter().enumerate().find_map(|(i, o)| {
            let value = x.slice(0, i, i + 1) * (1.0 / o.scale) + o.offset;
            match o.kind {
                Kind::Response => Some((value * energy).relu()),
                Kind::EnergySum => Some(value.relu()),
                _ => None,
            }
        });
        Drawn {
            codes: x.slice(0, first, d) * (1.0 / self.code_scale),
            observables: (first > 0).then(|| x.slice(0, 0, first)),
            energy_sum: sum.filter(|_| self.rescale),
        }
    }
}
