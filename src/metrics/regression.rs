//! What a regressor says of two samples: reconstructed energy by incident energy, and the Fréchet distance of its features
//! (N. M. Werther, 2022).

use std::fmt;

use serde::Serialize;

use super::summary::{pair, short};
use super::{Groups, frechet_distance, mu_sigma_90};

/// A regressor's energies and features of a sample, in the order of its showers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegressorSample {
    /// Incident energies, GeV.
    pub incident: Vec<f64>,
    /// Reconstructed energies, GeV.
    pub energies: Vec<f32>,
    /// Features, shower by shower.
    pub features: Vec<f32>,
}

/// Reconstructed energy by incident energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regression {
    /// The regressor's weights.
    pub regressor: String,
    /// Incident energies, or centres of their bins, ascending, GeV.
    pub energies: Vec<f64>,
    /// Of the reference.
    pub reference: Resolution,
    /// Of the generated sample.
    pub generated: Resolution,
    /// Fréchet distance of the features; null where a sample has fewer than two showers.
    #[serde(skip)]
    pub frechet_distance: Option<f64>,
    /// The same between the even and the odd showers of the reference: what is noise.
    pub reference_frechet_distance: Option<f64>,
}

/// Mean and standard deviation of the reconstructed energy in the shortest interval that holds 90 % of the showers, GeV.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Resolution {
    /// Mean.
    pub mu90: Vec<f64>,
    /// Standard deviation.
    pub sigma90: Vec<f64>,
}

impl Resolution {
    fn of(energies: &[f32], groups: &[Vec<usize>]) -> Self {
        let mut all = Self::default();
        for group in groups {
            let values = group.iter().map(|&i| f64::from(energies[i])).collect();
            if let Some((mu, sigma, _)) = mu_sigma_90(values) {
                all.mu90.push(mu);
                all.sigma90.push(sigma);
            }
        }
        all
    }
}

/// Compares what `regressor` says of two samples.
pub fn regression(
    regressor: &str,
    reference: &RegressorSample,
    generated: &RegressorSample,
) -> Regression {
    let groups = Groups::of(&reference.incident, &generated.incident);
    let width = reference.features.len() / reference.energies.len().max(1);
    let wide = |f: &[f32]| f.iter().map(|&f| f64::from(f)).collect::<Vec<_>>();
    let half = |odd: usize| {
        let rows = reference.features.chunks_exact(width.max(1));
        let rows: Vec<f32> = rows.skip(odd).step_by(2).flatten().copied().collect();
        wide(&rows)
    };
    let distance = |a: Vec<f64>, b: Vec<f64>| frechet_distance(&a, &b, width);
    Regression {
        regressor: regressor.into(),
        reference: Resolution::of(&reference.energies, &groups.reference),
        generated: Resolution::of(&generated.energies, &groups.generated),
        frechet_distance: distance(wide(&reference.features), wide(&generated.features)),
        reference_frechet_distance: distance(half(0), half(1)),
        energies: groups.energies,
    }
}

impl fmt::Display for Regression {
    /// As a table for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |v: Option<f64>| v.map_or("-".into(), short);
        let (distance, noise) = (self.frechet_distance, self.reference_frechet_distance);
        writeln!(
            f,
            "\nregressor {}: Fréchet distance {}, of the reference's halves {}",
            self.regressor,
            number(distance),
            number(noise)
        )?;
        writeln!(
            f,
            "{:>8} | {:^28} | {:^28}",
            "GeV", "μ90 of the energy, GeV", "σ90/μ90"
        )?;
        for (k, energy) in self.energies.iter().enumerate() {
            let (a, b) = (&self.reference, &self.generated);
            let resolution = |side: &Resolution| side.sigma90[k] / side.mu90[k];
            write!(f, "{:>8}{}", short(*energy), pair(a.mu90[k], b.mu90[k]))?;
            writeln!(f, "{}", pair(resolution(a), resolution(b)))?;
        }
        Ok(())
    }
}
