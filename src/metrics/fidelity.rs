//! One number for a whole comparison (N. M. Werther, 2022), and how epochs of one training rank by it.

use super::drawn::{CELL_ENERGY, Drawn};
use super::profiles::profiles;
use super::{Binning, Comparison, Groups, Profiles, jensen_shannon};
use crate::observables::Sorted;

/// The observables that the score averages, beside the profiles.
const OBSERVABLES: [&str; 4] = ["visible_energy", "n_hits", "cell_energy", "cog_z"];

/// Those of them that the published code of scores by epoch takes energy by energy.
const BY_ENERGY: [&str; 2] = ["visible_energy", "n_hits"];

/// Bins and margins there, of the energy sum and of cells; hits and centres, of which it shows none, go as the energy sum.
const BINS: (usize, [f64; 2]) = (50, [0.9, 1.1]);
const CELL_BINS: (usize, [f64; 2]) = (100, [0.0, 1.1]);

/// How far two samples lie apart in what a score by epoch averages.
#[derive(Debug, Clone, PartialEq)]
pub struct FidelityTerm {
    /// An observable or a profile.
    pub name: &'static str,
    /// √JSD; of `visible_energy` and `n_hits` the mean over the incident energies. `None` where a sample has no value.
    pub root: Option<f64>,
    /// The same of the JSD itself.
    pub jsd: Option<f64>,
}

impl FidelityTerm {
    fn of(name: &'static str, divergences: &[Option<f64>]) -> Self {
        let [root, jsd] = means(divergences);
        Self { name, root, jsd }
    }
}

/// The mean over observables and profiles of the roots of their Jensen-Shannon divergences, and of the divergences; `None`
/// where one of them is.
pub(super) fn fidelity(observables: &[Comparison], profiles: &Profiles) -> [Option<f64>; 2] {
    let jsd = |name| observables.iter().find(|o| o.name == name)?.jsd;
    let mut divergences = OBSERVABLES.map(jsd).to_vec();
    divergences.extend(of_profiles(profiles).map(|(_, jsd)| jsd));
    means(&divergences)
}

/// What a scan averages, as its published code computes it: in bins of the reference alone, so that they are those of every
/// epoch, and at single incident energies (those of [`Groups`]; all showers together where no energy has enough).
pub(super) fn fidelity_terms(
    reference: &Drawn,
    generated: &Drawn,
    groups: &Groups,
) -> Vec<FidelityTerm> {
    let by_energy = |name| -> Vec<Option<f64>> {
        let showers = groups.reference.iter().zip(&groups.generated);
        let pairs = showers.map(|(a, b)| (picked(reference, name, a), picked(generated, name, b)));
        pairs.map(|(a, b)| divergence(&a, &b, BINS)).collect()
    };
    let whole = |name| {
        let k = (0..reference.columns.len()).find(|&k| reference.name(k) == name)?;
        let bins = if k == CELL_ENERGY { CELL_BINS } else { BINS };
        divergence(&reference.columns[k], &generated.columns[k], bins)
    };
    let of = |name| match BY_ENERGY.contains(&name) && !groups.labels.is_empty() {
        true => FidelityTerm::of(name, &by_energy(name)),
        false => FidelityTerm::of(name, &[whole(name)]),
    };
    let profiles = profiles(reference, generated);
    let of_profiles = of_profiles(&profiles).map(|(name, jsd)| FidelityTerm::of(name, &[jsd]));
    OBSERVABLES.into_iter().map(of).chain(of_profiles).collect()
}

/// An observable that every shower has, of some of them.
fn picked(sample: &Drawn, name: &str, showers: &[usize]) -> Sorted {
    let column = sample.kept.column(name).into_iter();
    Sorted::new(
        column
            .flat_map(|c| showers.iter().map(|&s| c.values[s]))
            .collect(),
    )
}

fn divergence(a: &Sorted, b: &Sorted, (bins, margins): (usize, [f64; 2])) -> Option<f64> {
    let bins = Binning::of(a, margins, bins)?;
    jensen_shannon(&bins.count(a), &bins.count(b))
}

/// The divergences of the profiles that count, by name.
fn of_profiles(profiles: &Profiles) -> impl Iterator<Item = (&'static str, Option<f64>)> {
    let radial = profiles
        .radial
        .as_ref()
        .map(|radial| ("radial", radial.jsd));
    std::iter::once(("longitudinal", profiles.longitudinal.jsd)).chain(radial)
}

/// The means of the roots of divergences and of these themselves; `None` where one is.
fn means(divergences: &[Option<f64>]) -> [Option<f64>; 2] {
    let mean = |of: fn(f64) -> f64| {
        let sum: Option<f64> = divergences.iter().map(|jsd| jsd.map(of)).sum();
        sum.map(|sum| sum / divergences.len() as f64)
    };
    [mean(f64::sqrt), mean(|jsd| jsd)]
}

/// The score of each epoch of a training as its code computes it: each observable's distance, such as √JSD, is divided by
/// its mean over the epochs, then averaged over the observables, so that 1 is the average epoch. `epochs[e][o]` is the
/// distance of observable o at epoch e; an observable that is 0 at all epochs counts as average.
pub fn fidelity_by_epoch(epochs: &[Vec<f64>]) -> Vec<f64> {
    let observables = epochs.first().map_or(0, Vec::len);
    let means: Vec<f64> = (0..observables)
        .map(|o| epochs.iter().map(|epoch| epoch[o]).sum::<f64>() / epochs.len() as f64)
        .collect();
    let score = |epoch: &Vec<f64>| {
        let parts = epoch.iter().zip(&means);
        let parts = parts.map(|(v, &mean)| if mean == 0.0 { 1.0 } else { v / mean });
        parts.sum::<f64>() / observables as f64
    };
    epochs.iter().map(score).collect()
}
