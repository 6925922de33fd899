//! μ90 and σ90 of the visible energy by incident energy.

use serde::Serialize;

use super::drawn::Drawn;
use super::histogram::Binning;
use super::leaves::leaves;
use super::moments::{Moments, mean_and_std};

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
    /// `sigma90 / mu90`; null where μ90 is 0.
    pub resolution: Vec<Option<f64>>,
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

leaves!(Linearity: reference, generated);
leaves!(LinearitySide: mu90, sigma90, resolution, mean_visible_energy, mean_n_hits);

/// μ90 and σ90 of the visible energy by incident energy, in groups made of the samples without replicas.
pub(super) fn linearity(reference: &Drawn, generated: &Drawn, groups: &Groups) -> Linearity {
    Linearity {
        reference: LinearitySide::of(reference, &groups.reference),
        generated: LinearitySide::of(generated, &groups.generated),
        energies: groups.labels.clone(),
    }
}

/// The groups of what is drawn of two samples, by the showers' numbers in their files.
pub(super) fn groups(reference: &Drawn, generated: &Drawn) -> Groups {
    let incident = |sample: &Drawn| -> Vec<f64> {
        let members = sample.members.iter();
        members.map(|&i| sample.kept.incident[i as usize]).collect()
    };
    let mut groups = Groups::of(&incident(reference), &incident(generated));
    for (side, members) in [
        (&mut groups.reference, reference.members),
        (&mut groups.generated, generated.members),
    ] {
        for shower in side.iter_mut().flatten() {
            *shower = members[*shower] as usize;
        }
    }
    groups
}

/// Showers of two samples by a label, such as the incident energy. Labels count as discrete where some label, equal as float32, has
/// [`MIN_SHOWERS`] in both samples, and are put into ten bins over the reference's range otherwise; groups with fewer are
/// left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Groups {
    /// Labels, or centres of their bins, ascending.
    pub labels: Vec<f64>,
    /// Indices of the reference's showers, group by group.
    pub reference: Vec<Vec<usize>>,
    /// Of the generated.
    pub generated: Vec<Vec<usize>>,
}

impl Groups {
    /// Of the labels of two samples.
    pub fn of(reference: &[f64], generated: &[f64]) -> Self {
        let discrete = |label: f64| f64::from(label as f32);
        let mut distinct: Vec<f64> = reference.iter().map(|&e| discrete(e)).collect();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup_by(|a, b| a == b); // -0 too
        let find = |label: f64| {
            let at = distinct.partition_point(|&e| e < discrete(label));
            distinct
                .get(at)
                .filter(|&&e| e == discrete(label))
                .map(|_| at)
        };
        let groups = Self::by(reference, generated, &distinct, find);
        if !groups.labels.is_empty() {
            return groups;
        }
        let [low, high] = [f64::min, f64::max].map(|end| reference.iter().copied().reduce(end));
        let (Some(low), Some(high)) = (low, high) else {
            return groups;
        };
        if low == high {
            return groups;
        }
        let bins = Binning::equal(low, high, BINS);
        let centres: Vec<f64> = bins.edges.windows(2).map(|e| 0.5 * (e[0] + e[1])).collect();
        Self::by(reference, generated, &centres, |label| bins.index(label))
    }

    /// Groups by `find` and keeps the `labels` that have enough in both samples.
    fn by(
        reference: &[f64],
        generated: &[f64],
        labels: &[f64],
        find: impl Fn(f64) -> Option<usize>,
    ) -> Self {
        let group = |of: &[f64]| {
            let mut groups = vec![Vec::new(); labels.len()];
            for (shower, &label) in of.iter().enumerate() {
                if let Some(at) = find(label) {
                    groups[at].push(shower);
                }
            }
            groups
        };
        let mut all = Self::default();
        for ((&label, a), b) in labels.iter().zip(group(reference)).zip(group(generated)) {
            if a.len() >= MIN_SHOWERS && b.len() >= MIN_SHOWERS {
                all.labels.push(label);
                all.reference.push(a);
                all.generated.push(b);
            }
        }
        all
    }
}

impl LinearitySide {
    fn of(sample: &Drawn, groups: &[Vec<usize>]) -> Self {
        let mut side = Self::default();
        for group in groups {
            let pick = |values: &[f64]| {
                let values: Vec<f64> = group.iter().map(|&shower| values[shower]).collect();
                sample.repeated(&values, group.iter().map(|&shower| shower as u32))
            };
            let visible = pick(sample.kept.visible_energy());
            let hits = pick(sample.kept.n_hits());
            let mean = |values: &[f64]| Moments::of(values).mean.unwrap_or(f64::NAN);
            side.events.push(visible.len());
            side.mean_visible_energy.push(mean(&visible));
            side.mean_n_hits.push(mean(&hits));
            let (mu, sigma) =
                mu_sigma_90(visible).map_or((f64::NAN, f64::NAN), |(mu, sigma, _)| (mu, sigma));
            side.mu90.push(mu);
            side.sigma90.push(sigma);
            let resolution = sigma / mu;
            side.resolution
                .push(resolution.is_finite().then_some(resolution));
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
