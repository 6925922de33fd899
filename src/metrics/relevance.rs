//! Mean relevances of cells for a regressor's energy, by incident energy.

use serde::Serialize;

/// Where in the showers of two samples a regressor's energy comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RelevanceMaps {
    /// The regressor's weights.
    pub regressor: String,
    /// The rule by which relevance is propagated.
    pub rule: &'static str,
    /// Its ε.
    pub epsilon: f64,
    /// Incident energies, or centres of their bins, ascending, GeV.
    pub energies: Vec<f64>,
    /// Extents of what the regressor sees (Z, X, Y).
    pub shape: [usize; 3],
    /// Of the reference, for each energy.
    pub reference: Vec<RelevanceMap>,
    /// Of the generated sample, for each energy.
    pub generated: Vec<RelevanceMap>,
}

/// Means over showers of one energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RelevanceMap {
    /// Number of showers.
    pub events: usize,
    /// Sum of all relevances, GeV.
    pub total: f64,
    /// Relevance of each layer, `[Z]`, GeV.
    pub by_layer: Vec<f64>,
    /// Summed over layers, `[X,Y]`, GeV.
    #[serde(skip)]
    pub front: Vec<f64>,
    /// Summed over x, `[Z,Y]`, GeV.
    #[serde(skip)]
    pub side: Vec<f64>,
}

impl RelevanceMap {
    /// Of no shower yet of extents `shape`.
    pub fn new([z, x, y]: [usize; 3]) -> Self {
        Self {
            events: 0,
            total: 0.0,
            by_layer: vec![0.0; z],
            front: vec![0.0; x * y],
            side: vec![0.0; z * y],
        }
    }

    /// Adds the relevances of a shower, `[Z,X,Y]`.
    pub fn add(&mut self, relevances: &[f32]) {
        let y = self.side.len() / self.by_layer.len();
        let layer = self.front.len();
        self.events += 1;
        for (i, &r) in relevances.iter().enumerate() {
            let (r, z) = (f64::from(r), i / layer);
            self.by_layer[z] += r;
            self.front[i % layer] += r;
            self.side[z * y + i % y] += r;
            self.total += r;
        }
    }

    /// Sums become means.
    pub fn finish(mut self) -> Self {
        let n = self.events.max(1) as f64;
        self.total /= n;
        for values in [&mut self.by_layer, &mut self.front, &mut self.side] {
            values.iter_mut().for_each(|v| *v /= n);
        }
        self
    }
}
