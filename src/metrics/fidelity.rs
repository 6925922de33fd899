//! One number for a whole comparison (N. M. Werther, 2022), and how epochs of one training rank by it.

use super::{Comparison, Profiles};

/// The observables that the score averages, beside the profiles.
const OBSERVABLES: [&str; 4] = ["visible_energy", "n_hits", "cell_energy", "cog_z"];

/// The mean over observables and profiles of the roots of their Jensen-Shannon divergences, and of the divergences; `None`
/// where one of them is.
pub(super) fn fidelity(observables: &[Comparison], profiles: &Profiles) -> [Option<f64>; 2] {
    let terms = fidelity_terms(observables, profiles);
    let mean = |of: fn(f64) -> f64| {
        let sum: Option<f64> = terms.iter().map(|(_, jsd)| jsd.map(of)).sum();
        sum.map(|sum| sum / terms.len() as f64)
    };
    [mean(f64::sqrt), mean(|jsd| jsd)]
}

/// The divergences that the scores average, by name.
pub fn fidelity_terms(
    observables: &[Comparison],
    profiles: &Profiles,
) -> Vec<(&'static str, Option<f64>)> {
    let jsd = |name| observables.iter().find(|o| o.name == name)?.jsd;
    let mut terms: Vec<_> = OBSERVABLES.map(|name| (name, jsd(name))).into();
    terms.push(("longitudinal", profiles.longitudinal.jsd));
    terms.extend(
        profiles
            .radial
            .as_ref()
            .map(|radial| ("radial", radial.jsd)),
    );
    terms
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
