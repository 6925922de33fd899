//! The result of an evaluation: `report.json`, and beside it what plots need.

use serde::Serialize;

use super::drawn::Side;
use super::{
    Amplification, Classifier, Distances, FidelityTerm, Figures, Halves, HighLevel,
    InceptionDistance, Regression, RelevanceMaps,
};
use crate::observables::{Bootstrap, Geometry};

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
    /// What a minimum ionising particle leaves in a cell, in `unit`, where the reference names it.
    #[serde(skip)]
    pub mip: Option<f64>,
    /// Definition of the shower start, `fraction` or `calice`.
    pub shower_start_definition: &'static str,
    /// What is compared.
    #[serde(flatten)]
    pub figures: Figures,
    /// What a scan averages in place of the terms of `fidelity_score`.
    #[serde(skip)]
    pub fidelity_terms: Vec<FidelityTerm>,
    /// High-level features of the CaloChallenge, where showers are voxels in r and α.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calochallenge: Option<HighLevel>,
    /// A network that tells the samples apart, where one was asked for.
    pub classifier: Option<Classifier>,
    /// Fréchet distance of a regressor's activations, where one was given.
    pub frechet_regression_distance: Option<f64>,
    /// What that regressor says of both samples.
    pub regression: Option<Regression>,
    /// Fréchet Inception Distances, where weights of the network were given.
    pub frechet_inception_distance: Option<InceptionDistance>,
    /// Distances over high-level features, where they were asked for.
    pub distances: Option<Distances>,
    /// How many showers of the reference the generated ones are worth, where that was asked for and can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amplification: Option<Amplification>,
    /// Which cells that regressor's energies come from, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relevance: Option<RelevanceMaps>,
    /// How `errors` were found.
    pub bootstrap: Bootstrap,
    /// Statistical error of each of the figures: the standard deviation over Poisson bootstrap replicas of both samples,
    /// null where there is none; absent without replicas.
    pub errors: Option<Figures>,
    /// The figures for the two halves of the reference; none where it has one shower.
    pub halves: Option<Halves>,
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
    /// The share of showers in which each cell is hit.
    #[serde(skip)]
    pub hit_fraction: Vec<f64>,
}

impl SampleSummary {
    pub(super) fn of(side: &Side) -> Self {
        let events = side.kept.events();
        let mean = |sums: &[f64]| sums.iter().map(|sum| sum / events as f64).collect();
        Self {
            mean_shower: mean(&side.sums().energy),
            hit_fraction: mean(&side.sums().hits),
            events,
            geometry: side.kept.info.geometry.clone(),
            file: side.kept.info.file.clone(),
        }
    }

    /// `cells` summed over z, `[X, Y]`; of showers on a grid alone.
    pub fn front_image(&self, cells: &[f64]) -> Option<Vec<f64>> {
        let [_, nx, ny] = self.geometry.grid()?;
        let mut image = vec![0.0; nx * ny];
        for layer in cells.chunks_exact((nx * ny).max(1)) {
            image.iter_mut().zip(layer).for_each(|(sum, e)| *sum += e);
        }
        Some(image)
    }

    /// `cells` summed over x, `[Z, Y]`; of showers on a grid alone.
    pub fn side_image(&self, cells: &[f64]) -> Option<Vec<f64>> {
        let [nz, nx, ny] = self.geometry.grid()?;
        let mut image = vec![0.0; nz * ny];
        for (row, cells) in cells.chunks_exact(ny.max(1)).enumerate() {
            image[row / nx * ny..][..ny]
                .iter_mut()
                .zip(cells)
                .for_each(|(sum, e)| *sum += e);
        }
        Some(image)
    }
}

impl Evaluation {
    /// Adds what a regressor says.
    pub fn set_regression(&mut self, regression: Regression) {
        self.frechet_regression_distance = regression.frechet_distance;
        self.regression = Some(regression);
    }
}
