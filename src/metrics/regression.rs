//! What a regressor says of two samples: reconstructed energy by incident energy, and the Fréchet distance of its features
//! (N. M. Werther, 2022).

use std::fmt;

use serde::Serialize;

use super::leaves::{errors, leaves};
use super::summary::pair;
use super::text::short;
use super::text::with_error;
use super::{Groups, frechet_distance, mu_sigma_90};
use crate::observables::{Bootstrap, half};

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
#[derive(Debug, Clone, Serialize)]
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
    pub frechet_distance: Option<f64>,
    /// The same between the two halves of the reference: what is noise.
    pub reference_frechet_distance: Option<f64>,
    /// Statistical errors, in the same form; absent without replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Box<Regression>>,
}

leaves!(Regression: reference, generated, frechet_distance, reference_frechet_distance);
leaves!(Resolution: mu90, sigma90, resolution);

/// Mean and standard deviation of the reconstructed energy in the shortest interval that holds 90 % of the showers, GeV.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Resolution {
    /// Mean.
    pub mu90: Vec<f64>,
    /// Standard deviation.
    pub sigma90: Vec<f64>,
    /// `sigma90 / mu90`; null where μ90 is 0.
    pub resolution: Vec<Option<f64>>,
}

/// One sample, a half or a replica of it: how often it holds each shower.
struct Drawn<'a> {
    sample: &'a RegressorSample,
    times: Vec<u8>,
}

impl Drawn<'_> {
    fn resolution(&self, groups: &[Vec<usize>]) -> Resolution {
        let mut all = Resolution::default();
        for group in groups {
            let values = group.iter().flat_map(|&i| {
                let energy = f64::from(self.sample.energies[i]);
                std::iter::repeat_n(energy, self.times[i].into())
            });
            let (mu, sigma) = mu_sigma_90(values.collect())
                .map_or((f64::NAN, f64::NAN), |(mu, sigma, _)| (mu, sigma));
            all.mu90.push(mu);
            all.sigma90.push(sigma);
            let resolution = sigma / mu;
            (all.resolution).push(resolution.is_finite().then_some(resolution));
        }
        all
    }

    /// Features row by row, of one half alone if it is named.
    fn features(&self, width: usize, part: Option<usize>) -> Vec<f64> {
        let rows = self.sample.features.chunks_exact(width.max(1)).enumerate();
        let rows = rows.filter(|&(i, _)| part.is_none_or(|part| half(i) == part));
        rows.flat_map(|(i, row)| std::iter::repeat_n(row, self.times[i].into()))
            .flatten()
            .map(|&v| v.into())
            .collect()
    }
}

/// Compares what `regressor` says of two samples.
pub fn regression(
    regressor: &str,
    reference: &RegressorSample,
    generated: &RegressorSample,
    bootstrap: Bootstrap,
) -> Regression {
    let groups = Groups::of(&reference.incident, &generated.incident);
    let width = reference.features.len() / reference.energies.len().max(1);
    let replica = |replica: usize| {
        let draw = |sample, number| Drawn {
            sample,
            times: bootstrap.column(number, sample.energies.len(), replica),
        };
        let (a, b) = (draw(reference, 0), draw(generated, 1));
        let distance = |a: Vec<f64>, b: Vec<f64>| frechet_distance(&a, &b, width);
        Regression {
            regressor: regressor.into(),
            energies: groups.energies.clone(),
            reference: a.resolution(&groups.reference),
            generated: b.resolution(&groups.generated),
            frechet_distance: distance(a.features(width, None), b.features(width, None)),
            reference_frechet_distance: distance(
                a.features(width, Some(0)),
                a.features(width, Some(1)),
            ),
            errors: None,
        }
    };
    let mut found = replica(0);
    found.errors = errors(&found, bootstrap, replica).map(Box::new);
    found
}

impl fmt::Display for Regression {
    /// As a table for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.errors.as_deref();
        writeln!(
            f,
            "\nregressor {}: Fréchet distance {}, of the reference's halves {}",
            self.regressor,
            with_error(
                self.frechet_distance,
                errors.and_then(|e| e.frechet_distance)
            ),
            with_error(
                self.reference_frechet_distance,
                errors.and_then(|e| e.reference_frechet_distance)
            )
        )?;
        writeln!(
            f,
            "{:>8} | {:^34} | {:^34}",
            "GeV", "μ90 of the energy, GeV", "σ90/μ90"
        )?;
        for (k, energy) in self.energies.iter().enumerate() {
            write!(f, "{:>8}", short(*energy))?;
            for of in [
                (|side, k| side.mu90[k]) as fn(&Resolution, usize) -> f64,
                |side, k| side.resolution[k].unwrap_or(f64::NAN),
            ] {
                let a = (of(&self.reference, k), errors.map(|e| of(&e.reference, k)));
                let b = (of(&self.generated, k), errors.map(|e| of(&e.generated, k)));
                write!(f, "{}", pair(a, b))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
