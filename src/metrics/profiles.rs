//! Mean energy by layer and by distance from the axis, mean hits by layer.

use serde::Serialize;

use super::drawn::Drawn;
use super::jsd::jensen_shannon;
use super::leaves::leaves;
use crate::observables::{Replicated, Sums};

/// A profile of each sample, per shower.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Of the reference.
    pub reference: Vec<f64>,
    /// Of the generated sample.
    pub generated: Vec<f64>,
    /// Jensen-Shannon divergence of the two, each normalised to a sum of 1; null where one is 0.
    pub jsd: Option<f64>,
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

leaves!(Profile: reference, generated, jsd);
leaves!(Profiles: longitudinal, occupancy; optional radial);

/// The profiles of two samples of one geometry.
pub(super) fn profiles(reference: &Drawn, generated: &Drawn) -> Profiles {
    let of = |sums: fn(&Sums) -> &Replicated<f64>| {
        let [reference, generated] = [reference, generated].map(|sample| {
            let events = sample.events();
            let sums = sums(sample.sums).draw(sample.replica);
            sums.map(|sum| sum / events).collect::<Vec<_>>()
        });
        Profile {
            jsd: jensen_shannon(&reference, &generated),
            reference,
            generated,
        }
    };
    let grid = reference.kept.info.geometry.grid().is_some();
    Profiles {
        longitudinal: of(|sums| &sums.layers),
        radial: grid.then(|| of(|sums| &sums.rings)),
        occupancy: of(|sums| &sums.layer_hits),
    }
}
