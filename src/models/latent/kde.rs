//! Kernel density of the codes of training showers, given the incident energy ("Decoding Photons", arXiv:2102.12491).
//!
//! A Gaussian kernel sits at every stored point (code, energy), its covariance that of all points times the square of
//! Scott's factor `n^(-1/(d + 5))`. The published code draws from the joint density and keeps what has the wanted energy;
//! here the conditional density is drawn from directly, which is the limit of that for a narrow window: the kernel is
//! chosen with the weight that it has at that energy, and within it the code follows the regression line.
//!
//! Incident energies are above 0, so a point of energy 0 is one that no shower has filled yet: it has no kernel. While fewer
//! than two are filled, as before the density's turn in a training, codes are standard normal.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::models::Build;
use crate::nn::{Net, Network};
use crate::tape::Var;

/// Settings of the density.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kde {
    /// Training showers whose codes are kept.
    pub points: usize,
    /// Factor on Scott's bandwidth.
    pub bandwidth: f32,
}

/// Everything that follows from the points: `[1 or d, points]`, columns points, 0 in those that are empty.
struct Cloud<'t> {
    codes: Var<'t>,
    energy: Var<'t>,
    /// 1 where there is a point, 0 where there is none yet.
    filled: Var<'t>,
    /// 1 if there are two or more, `[1,1]`; else 0, and nothing here makes sense.
    fitted: Var<'t>,
    /// Points, and one less, each at least 1, `[1,1]`.
    count: Var<'t>,
    others: Var<'t>,
    /// Regression of the codes on the energy, `[d,1]`.
    slope: Var<'t>,
    /// What the regression leaves, `[d,points]`.
    rest: Var<'t>,
    /// Variance of the energies, `[1,1]`.
    variance: Var<'t>,
}

impl Kde {
    pub(super) fn network(&self, d: usize) -> Result<Network> {
        Network::declare("kde", |net| {
            self.points(net, d);
        })
    }

    /// The stored points `[d + 1, points]`, energies in GeV last.
    fn points<'t>(&self, net: &Net<'t>, d: usize) -> Var<'t> {
        net.statistic("codes.points", &[d + 1, self.points], 0.0).0
    }

    /// Puts a batch's codes `[d,N]` in front of the stored points; the oldest leave.
    pub(super) fn collect<'t>(
        &self,
        build: &Build<'t>,
        net: &Net<'t>,
        codes: Var<'t>,
    ) -> Vec<(&'static str, Var<'t>)> {
        let (d, n) = (codes.extent(0), codes.extent(1).min(self.points));
        let now = Var::concat(&[codes, build.energy()], 0).slice(1, 0, n);
        let (old, place) = net.statistic("codes.points", &[d + 1, self.points], 0.0);
        let next = if n < self.points {
            Var::concat(&[now, old.slice(1, 0, self.points - n)], 1)
        } else {
            now
        };
        if let Some(place) = place {
            build.tape.store(&place, next.detach());
        }
        let centred = codes - codes.mean_keep(&[1]);
        vec![("code_variance", centred.square().mean_all())]
    }

    fn cloud<'t>(&self, net: &Net<'t>, d: usize) -> Cloud<'t> {
        let points = self.points(net, d);
        let (codes, energy) = (points.slice(0, 0, d), points.slice(0, d, d + 1));
        let number = |value| net.tape().full(value, &[1, 1]);
        let filled = energy.greater(number(0.0));
        let all = filled.sum_keep(&[1]);
        let count = all.maximum(number(1.0));
        let others = (all - 1.0).maximum(number(1.0));
        let centred = |x: Var<'t>| (x - x.sum_keep(&[1]) / count) * filled;
        let (z, e) = (centred(codes), centred(energy));
        // Unbiased, as SciPy's; the small number keeps points of one energy alone finite.
        let variance = e.square().sum_keep(&[1]) / others + 1e-6;
        let slope = (z * e).sum_keep(&[1]) / others / variance;
        Cloud {
            codes,
            energy,
            filled,
            fitted: all.greater(number(1.0)),
            count,
            others,
            slope,
            rest: z - slope * e,
            variance,
        }
    }

    /// Codes `[d,N]` for the batch's energies.
    pub(super) fn draw<'t>(
        &self,
        build: &Build<'t>,
        net: &Net<'t>,
        d: usize,
        stream: u32,
    ) -> Var<'t> {
        let (n, k) = (build.batch(), self.points);
        let cloud = self.cloud(net, d);
        let factor = (cloud.count.log() * (-1.0 / (d as f32 + 5.0))).exp() * self.bandwidth;
        let energy = build.energy();
        // Which kernel: the largest of log weight plus Gumbel noise is a draw by weight.
        let away = energy - cloud.energy.reshape(&[k, 1]);
        let log_weight = away.square() / (cloud.variance * factor.square() * -2.0);
        let empty = (cloud.filled.reshape(&[k, 1]) - 1.0) * 1e30;
        let gumbel = -(-build.uniform(stream, &[k, n]).log()).log();
        let score = log_weight + gumbel + empty;
        // Where kernels of equal energy tie, their mean.
        let largest = 1.0 - score.max_keep(&[0]).greater(score);
        let chosen = largest / largest.sum_keep(&[0]);
        let centre = cloud.codes.matmul(chosen);
        let off = energy - cloud.energy.matmul(chosen);
        // Within the kernel: a normal mixture of the residuals has their covariance, so no matrix needs a root.
        let normal = build.normal(stream + 1, &[k, n]);
        let spread = factor / cloud.others.sqrt();
        let density = centre + cloud.slope * off + cloud.rest.matmul(normal) * spread;
        density * cloud.fitted + build.normal(stream, &[d, n]) * (1.0 - cloud.fitted)
    }
}
