//! The result of an evaluation: `report.json`, and beside it what plots need.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{ChannelSums, Correlation, Histogram, Linearity, Moments, Profiles, Regression};
use crate::observables::Geometry;

/// How two samples compare. Serialises to `report.json`; what plots need beyond that is skipped there.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// The sample compared with, Geant4 or data.
    pub reference: SampleSummary,
    /// The sample compared.
    pub generated: SampleSummary,
    /// Energy below which a cell counted as 0, in `unit`.
    pub threshold: f64,
    /// Unit of the cell energies.
    pub unit: String,
    /// Definition of the shower start, `fraction` or `calice`.
    pub shower_start_definition: &'static str,
    /// Every observable in the order of the report, an object by name.
    #[serde(serialize_with = "by_name")]
    pub observables: Vec<Comparison>,
    /// Mean profiles.
    pub profiles: Profiles,
    /// Correlations of the observables.
    pub correlation: Correlation,
    /// Response by incident energy.
    pub linearity: Linearity,
    /// Sums over the photomultipliers of a pixel image, where showers are images.
    pub channel_sums: Option<ChannelSums>,
    /// A network that tells the samples apart, where one was asked for.
    pub classifier: Option<Classifier>,
    /// Fréchet distance of a regressor's activations, where one was given.
    pub frechet_regression_distance: Option<f64>,
    /// What that regressor says of both samples.
    pub regression: Option<Regression>,
    /// Mean of the square roots of the Jensen-Shannon divergences of `visible_energy`, `n_hits`, `cell_energy`,
    /// `cog_z` and the longitudinal and (on a grid) radial profiles; null where one of them is. 0 is equality.
    pub fidelity_score: Option<f64>,
}

/// What is said of one of the two samples.
#[derive(Debug, Clone, Serialize)]
pub struct SampleSummary {
    /// Its file.
    pub file: String,
    /// Number of showers.
    pub events: usize,
    /// Where the cells of a shower lie.
    #[serde(skip)]
    pub geometry: Geometry,
    /// The mean shower, cell by cell.
    #[serde(skip)]
    pub mean_shower: Vec<f64>,
}

impl SampleSummary {
    /// The mean shower summed over z, `[X, Y]`; of showers on a grid alone.
    pub fn front_image(&self) -> Option<Vec<f64>> {
        let [_, nx, ny] = self.geometry.grid()?;
        let mut image = vec![0.0; nx * ny];
        for layer in self.mean_shower.chunks_exact((nx * ny).max(1)) {
            image.iter_mut().zip(layer).for_each(|(sum, e)| *sum += e);
        }
        Some(image)
    }

    /// The mean shower summed over x, `[Z, Y]`; of showers on a grid alone.
    pub fn side_image(&self) -> Option<Vec<f64>> {
        let [nz, nx, ny] = self.geometry.grid()?;
        let mut image = vec![0.0; nz * ny];
        for (row, cells) in self.mean_shower.chunks_exact(ny.max(1)).enumerate() {
            image[row / nx * ny..][..ny]
                .iter_mut()
                .zip(cells)
                .for_each(|(sum, e)| *sum += e);
        }
        Some(image)
    }
}

/// How the two samples compare in one observable.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// Moments in the reference.
    pub reference: Moments,
    /// Moments in the generated sample.
    pub generated: Moments,
    /// Jensen-Shannon divergence of the histograms; 0 where all values are equal, null where a sample is empty.
    pub jsd: Option<f64>,
    /// Exact 1-D Wasserstein distance, in the observable's unit.
    pub wasserstein1: Option<f64>,
    /// Kolmogorov-Smirnov statistic.
    pub ks: Option<f64>,
    /// Histograms for drawing, with bins common to all samples compared and without the outermost values, unlike those
    /// of `jsd`; none where no sample has a value.
    #[serde(skip)]
    pub histogram: Option<Histogram>,
}

/// A network trained to tell the two samples apart.
#[derive(Debug, Clone, Serialize)]
pub struct Classifier {
    /// Area under the curve on the showers held out; 0.5 where they cannot be told apart.
    pub auc: f64,
    /// The same figure for two halves of the reference.
    pub reference_auc: f64,
    /// What the network sees of a shower.
    pub inputs: String,
    /// Number of weights.
    pub parameters: usize,
    /// Showers trained on.
    pub train_events: usize,
    /// Showers held out.
    pub test_events: usize,
    /// Seed of split, weights and order.
    pub seed: u64,
}

fn by_name<S: Serializer>(observables: &[Comparison], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(observables.len()))?;
    for observable in observables {
        map.serialize_entry(&observable.name, observable)?;
    }
    map.end()
}

impl Evaluation {
    /// Adds what a regressor says.
    pub fn set_regression(&mut self, regression: Regression) {
        self.frechet_regression_distance = regression.frechet_distance;
        self.regression = Some(regression);
    }

    /// The observable called `name`.
    pub fn observable(&self, name: &str) -> Option<&Comparison> {
        self.observables
            .iter()
            .find(|observable| observable.name == name)
    }
}
