//! How the energy of a layer goes with that of the next, and the depth of a shower with its signal.

use serde::Serialize;

use super::drawn::Drawn;
use super::histogram::Binning;
use super::leaves::leaves;
use crate::observables::Column;

/// Pearson's coefficient of the energies of each layer and the next, over all showers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerCorrelation {
    /// Of the reference, `[Z − 1]`; null where a layer's energy is constant.
    pub reference: Vec<Option<f64>>,
    /// Of the generated sample.
    pub generated: Vec<Option<f64>>,
}

leaves!(LayerCorrelation: reference, generated);

/// The coefficients of two samples; `None` of showers with one layer.
pub(super) fn layer_correlation(reference: &Drawn, generated: &Drawn) -> Option<LayerCorrelation> {
    let several = reference.kept.info.geometry.layers() > 1;
    several.then(|| LayerCorrelation {
        reference: neighbours(reference),
        generated: neighbours(generated),
    })
}

/// A variance below this share of the mean square is rounding: differences from the first shower are exactly 0 in a layer
/// whose energy is constant, and replicas may hold equal showers alone.
const ROUNDING: f64 = 1e-12;

fn neighbours(sample: &Drawn) -> Vec<Option<f64>> {
    let n = sample.events();
    let sums: Vec<f64> = sample.sums.neighbours.draw(sample.replica).collect();
    let layers = sums.len() / 3;
    let [first, square, product] = [0, 1, 2].map(|k| &sums[k * layers..][..layers]);
    let variance = |z: usize| square[z] / n - (first[z] / n).powi(2);
    (1..layers)
        .map(|z| {
            let varies = |z: usize| variance(z) > ROUNDING * square[z] / n;
            let covariance = product[z - 1] / n - first[z - 1] / n * first[z] / n;
            let r = covariance / (variance(z - 1) * variance(z)).sqrt();
            (varies(z - 1) && varies(z)).then_some(r.clamp(-1.0, 1.0))
        })
        .collect()
}

/// Bins of the visible energy.
const BINS: usize = 10;

/// Mean depth of showers by their signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Depth {
    /// Centres of ten equal bins of the visible energy, over the showers with ΣE > 0 of both samples.
    pub visible_energy: Vec<f64>,
    /// Mean `cog_z` of the reference in each bin; null where it is empty.
    pub reference: Vec<Option<f64>>,
    /// Of the generated sample.
    pub generated: Vec<Option<f64>>,
}

leaves!(Depth: reference, generated);

/// The bins for two samples without replicas.
pub(super) fn depth_bins(reference: &Drawn, generated: &Drawn) -> Option<Binning> {
    let mut energies = Vec::new();
    for sample in [reference, generated] {
        let visible = sample.kept.visible_energy();
        let members = sample
            .members
            .iter()
            .map(|&shower| visible[shower as usize]);
        energies.extend(members.filter(|&e| e > 0.0));
    }
    let [low, high] = [f64::min, f64::max].map(|end| energies.iter().copied().reduce(end));
    Some(Binning::equal(low?, high?, BINS))
}

/// Depth by signal in these bins; `None` of showers with one layer.
pub(super) fn depth(reference: &Drawn, generated: &Drawn, bins: &Binning) -> Option<Depth> {
    let several = reference.kept.info.geometry.layers() > 1;
    several.then(|| Depth {
        visible_energy: bins.edges.windows(2).map(|e| 0.5 * (e[0] + e[1])).collect(),
        reference: depths(reference, bins),
        generated: depths(generated, bins),
    })
}

fn depths(sample: &Drawn, bins: &Binning) -> Vec<Option<f64>> {
    let (mut sums, mut counts) = (vec![0.0; bins.bins()], vec![0.0; bins.bins()]);
    let visible = sample.kept.visible_energy();
    if let Some(Column {
        values, showers, ..
    }) = sample.kept.column("cog_z")
    {
        for (&depth, &shower) in values.iter().zip(showers) {
            let n = f64::from(sample.times[shower as usize]);
            if let Some(k) = bins.index(visible[shower as usize]).filter(|_| n > 0.0) {
                sums[k] += n * depth;
                counts[k] += n;
            }
        }
    }
    let means = sums.iter().zip(&counts);
    means.map(|(sum, &n)| (n > 0.0).then(|| sum / n)).collect()
}
