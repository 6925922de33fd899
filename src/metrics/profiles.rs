//! Mean energy by layer and by distance from the axis, mean hits by layer.

use serde::Serialize;

use super::jsd::jensen_shannon;
use crate::observables::Observables;

/// A profile of each sample, per shower.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Of the reference.
    pub reference: Vec<f64>,
    /// Of the generated sample.
    pub generated: Vec<f64>,
}

impl Profile {
    /// Jensen-Shannon divergence of the two profiles, each normalised to a sum of 1.
    pub fn jsd(&self) -> Option<f64> {
        jensen_shannon(&self.reference, &self.generated)
    }
}

/// The profiles of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profiles {
    /// Mean energy per layer.
    pub longitudinal: Profile,
    /// Mean energy per ring of one cell about the axis, summed over the layers; of showers on a grid alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radial: Option<Profile>,
    /// Mean number of hits per layer.
    pub occupancy: Profile,
}

/// The profiles of two samples of one geometry.
pub fn profiles(reference: &Observables, generated: &Observables) -> Profiles {
    let of = |sums: &dyn Fn(&Observables) -> Vec<f64>| {
        let [reference, generated] = [reference, generated].map(|sample| {
            sums(sample)
                .iter()
                .map(|sum| sum / sample.events() as f64)
                .collect()
        });
        Profile {
            reference,
            generated,
        }
    };
    Profiles {
        longitudinal: of(&layers),
        radial: reference
            .info
            .geometry
            .grid()
            .map(|shape| of(&|sample| radial(&sample.summed, shape))),
        occupancy: of(&|sample| sample.summed_hits.clone()),
    }
}

/// Energy of each layer, summed over the showers.
fn layers(sample: &Observables) -> Vec<f64> {
    let geometry = &sample.info.geometry;
    let mut cells = sample.summed.iter();
    (0..geometry.layers())
        .map(|z| cells.by_ref().take(geometry.layer_cells(z)).sum())
        .collect()
}

/// Sums of `cells` `[Z, X, Y]` in rings: ring k holds the cells with k ≤ r < k + 1, r the distance from
/// ((X−1)/2, (Y−1)/2) in cells; rings 0 to floor(largest r).
pub fn radial(cells: &[f64], shape: [usize; 3]) -> Vec<f64> {
    let [_, nx, ny] = shape;
    // Twice the distance is the root of an integer, so a cell on a ring's edge falls on its right side.
    let ring = |x: usize, y: usize| {
        let (dx, dy) = ((2 * x + 1).abs_diff(nx), (2 * y + 1).abs_diff(ny));
        (dx * dx + dy * dy).isqrt() / 2
    };
    let mut rings = vec![0.0; if nx * ny > 0 { ring(0, 0) + 1 } else { 0 }];
    for (i, e) in cells.iter().enumerate() {
        rings[ring(i / ny % nx, i % ny)] += e;
    }
    rings
}
