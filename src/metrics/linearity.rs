//! μ90 and σ90 of the visible energy by incident energy.

use serde::Serialize;

use super::histogram::Binning;
use super::moments::mean_and_std;
use crate::observables::Observables;

/// An energy is listed if both samples have this many showers of it.
pub const MIN_SHOWERS: usize = 50;
/// Bins of a continuous spectrum of incident energies.
const BINS: usize = 10;

/// Response to each incident energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Linearity {
    /// Incident energies, or centres of their bins, ascending, GeV.
    pub energies: Vec<f64>,
    /// Of the reference.
    pub reference: LinearitySide,
    /// Of the generated sample.
    pub generated: LinearitySide,
}

/// One sample's figures, an entry per energy.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct LinearitySide {
    /// Mean visible energy in the shortest interval that holds 90 % of the showers.
    pub mu90: Vec<f64>,
    /// Standard deviation there.
    pub sigma90: Vec<f64>,
    /// Statistical error of `mu90`, σ90/√n90.
    #[serde(skip)]
    pub mu90_error: Vec<f64>,
    /// Statistical error of `sigma90`, σ90/√(2 n90).
    #[serde(skip)]
    pub sigma90_error: Vec<f64>,
    /// Number of showers.
    #[serde(skip)]
    pub events: Vec<usize>,
    /// Mean visible energy of all showers.
    #[serde(skip)]
    pub mean_visible_energy: Vec<f64>,
    /// Mean number of hits of all showers.
    #[serde(skip)]
    pub mean_n_hits: Vec<f64>,
}

/// μ90 and σ90 by incident energy. The energies count as discrete where some energy, equal as float32, has
/// [`MIN_SHOWERS`] in both samples, and are put into ten bins over the reference's range otherwise.
pub fn linearity(reference: &Observables, generated: &Observables) -> Linearity {
    let discrete = |energy: f64| f64::from(energy as f32);
    let mut distinct: Vec<f64> = reference.incident.iter().map(|&e| discrete(e)).collect();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup_by(|a, b| a == b); // -0 too
    let find = |energy: f64| {
        let at = distinct.partition_point(|&e| e < discrete(energy));
        distinct
            .get(at)
            .filter(|&&e| e == discrete(energy))
            .map(|_| at)
    };
    let groups = Linearity::of(reference, generated, &distinct, find);
    if !groups.energies.is_empty() {
        return groups;
    }
    let [low, high] =
        [f64::min, f64::max].map(|end| reference.incident.iter().copied().reduce(end));
    let (Some(low), Some(high)) = (low, high) else {
        return groups;
    };
    if low == high {
        return groups;
    }
    let bins = Binning::equal(low, high, BINS);
    let centres: Vec<f64> = bins.edges.windows(2).map(|e| 0.5 * (e[0] + e[1])).collect();
    Linearity::of(reference, generated, &centres, |energy| bins.index(energy))
}

impl Linearity {
    /// Groups the showers by `find` and keeps the `energies` that have enough in both samples.
    fn of(
        reference: &Observables,
        generated: &Observables,
        energies: &[f64],
        find: impl Fn(f64) -> Option<usize>,
    ) -> Self {
        let group = |sample: &Observables| {
            let mut groups = vec![Vec::new(); energies.len()];
            for (shower, &energy) in sample.incident.iter().enumerate() {
                if let Some(at) = find(energy) {
                    groups[at].push(shower);
                }
            }
            groups
        };
        let (a, b) = (group(reference), group(generated));
        let enough = |&k: &usize| a[k].len() >= MIN_SHOWERS && b[k].len() >= MIN_SHOWERS;
        let kept: Vec<usize> = (0..energies.len()).filter(enough).collect();
        Self {
            energies: kept.iter().map(|&k| energies[k]).collect(),
            reference: LinearitySide::of(reference, kept.iter().map(|&k| a[k].as_slice())),
            generated: LinearitySide::of(generated, kept.iter().map(|&k| b[k].as_slice())),
        }
    }
}

impl LinearitySide {
    fn of<'a>(sample: &Observables, groups: impl Iterator<Item = &'a [usize]>) -> Self {
        let mut side = Self::default();
        for group in groups {
            let pick = |values: &[f64]| {
                group
                    .iter()
                    .map(|&shower| values[shower])
                    .collect::<Vec<_>>()
            };
            let (visible, hits) = (pick(sample.visible_energy()), pick(sample.n_hits()));
            side.events.push(group.len());
            side.mean_visible_energy.push(mean_and_std(&visible).0);
            side.mean_n_hits.push(mean_and_std(&hits).0);
            if let Some((mu, sigma, n)) = mu_sigma_90(visible) {
                side.mu90.push(mu);
                side.sigma90.push(sigma);
                side.mu90_error.push(sigma / (n as f64).sqrt());
                side.sigma90_error.push(sigma / (2.0 * n as f64).sqrt());
            }
        }
        side
    }
}

/// Mean, standard deviation (divided by n) and number of the values in the shortest interval that holds
/// ceil(0.9·n) of them, the lowest of equally short ones; `None` if there is no value.
pub fn mu_sigma_90(mut values: Vec<f64>) -> Option<(f64, f64, usize)> {
    values.sort_unstable_by(f64::total_cmp);
    let held = (9 * values.len()).div_ceil(10);
    let width = |w: &[f64]| w[held - 1] - w[0];
    // The first of equal minima is kept.
    let shortest = values
        .windows(held.max(1))
        .reduce(|a, b| if width(b) < width(a) { b } else { a })?;
    let (mean, std) = mean_and_std(shortest);
    Some((mean, std, held))
}
