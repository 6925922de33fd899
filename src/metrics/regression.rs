//! What a regressor says of two samples: reconstructed energy by incident energy, reconstructed impact point by the true
//! one, and the Fréchet distance of its features (N. M. Werther, 2022).

use std::fmt;

use serde::Serialize;

use super::leaves::{errors, leaves};
use super::summary::{both, pair};
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
    /// Impact point x, y, mm: the true one, and as reconstructed. Empty where either is unknown.
    pub positions: Vec<([f32; 2], [f32; 2])>,
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
    /// Deviation of the reconstructed impact point; absent where a sample or the regressor knows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionDeviation>,
    /// Fréchet distance of the features; null where a sample has fewer than two showers.
    pub frechet_distance: Option<f64>,
    /// The same between the two halves of the reference: what is noise.
    pub reference_frechet_distance: Option<f64>,
    /// Statistical errors, in the same form; absent without replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Box<Regression>>,
}

leaves!(Regression: reference, generated, frechet_distance, reference_frechet_distance; optional position);
leaves!(Resolution: mu90, sigma90, resolution);
leaves!(PositionDeviation: x, y);
leaves!(Deviation: reference, generated);
leaves!(Spread: mu90, sigma90);

/// Reconstructed minus true impact point along both axes.
#[derive(Debug, Clone, Serialize)]
pub struct PositionDeviation {
    /// Along x.
    pub x: Deviation,
    /// Along y.
    pub y: Deviation,
}

/// Reconstructed minus true coordinate by the true coordinate.
#[derive(Debug, Clone, Serialize)]
pub struct Deviation {
    /// True coordinates, or centres of their bins, ascending, mm.
    pub coordinates: Vec<f64>,
    /// Of the reference.
    pub reference: Spread,
    /// Of the generated sample.
    pub generated: Spread,
}

/// Mean and standard deviation in the shortest interval that holds 90 % of the showers, mm.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Spread {
    /// Mean.
    pub mu90: Vec<f64>,
    /// Standard deviation.
    pub sigma90: Vec<f64>,
}

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
    /// Of `value` of the showers of each group.
    fn spread(&self, groups: &[Vec<usize>], value: impl Fn(usize) -> f64) -> Spread {
        let mut all = Spread::default();
        for group in groups {
            let times = |i: usize| std::iter::repeat_n(value(i), self.times[i].into());
            let values = group.iter().flat_map(|&i| times(i));
            let (mu, sigma) = mu_sigma_90(values.collect())
                .map_or((f64::NAN, f64::NAN), |(mu, sigma, _)| (mu, sigma));
            all.mu90.push(mu);
            all.sigma90.push(sigma);
        }
        all
    }

    fn resolution(&self, groups: &[Vec<usize>]) -> Resolution {
        let Spread { mu90, sigma90 } = self.spread(groups, |i| self.sample.energies[i].into());
        let both = sigma90.iter().zip(&mu90);
        let resolution = both.map(|(sigma, mu)| Some(sigma / mu).filter(|r| r.is_finite()));
        Resolution {
            resolution: resolution.collect(),
            mu90,
            sigma90,
        }
    }

    /// Of coordinate `axis`.
    fn deviation(&self, groups: &[Vec<usize>], axis: usize) -> Spread {
        self.spread(groups, |i| {
            let (truth, found) = self.sample.positions[i];
            f64::from(found[axis]) - f64::from(truth[axis])
        })
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
    let known = !reference.positions.is_empty() && !generated.positions.is_empty();
    let by_coordinate = [0, 1].map(|axis| {
        let truths = |sample: &RegressorSample| -> Vec<f64> {
            let truths = sample.positions.iter().map(|(truth, _)| truth[axis].into());
            truths.collect()
        };
        Groups::of(&truths(reference), &truths(generated))
    });
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
            energies: groups.labels.clone(),
            reference: a.resolution(&groups.reference),
            generated: b.resolution(&groups.generated),
            position: known.then(|| {
                let [x, y] = [0, 1].map(|axis| {
                    let groups = &by_coordinate[axis];
                    Deviation {
                        coordinates: groups.labels.clone(),
                        reference: a.deviation(&groups.reference, axis),
                        generated: b.deviation(&groups.generated, axis),
                    }
                });
                PositionDeviation { x, y }
            }),
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
        let energies = self.by_energy();
        heading(f, "GeV", ["μ90 of the energy, GeV", "σ90/μ90"])?;
        energies.rows(f, ENERGY.map(|of| (of, true)))?;
        for (axis, found) in ["x", "y"].into_iter().zip(self.by_coordinate()) {
            // As of samples that share no bin with enough showers.
            if found.labels.is_empty() {
                continue;
            }
            let what = ["μ90 of found - true, mm", "σ90, mm"];
            heading(f, &format!("{axis} in mm"), what)?;
            // A deviation near 0 has no useful ratio.
            let [mean, spread] = DEVIATION;
            found.rows(f, [(mean, false), (spread, true)])?;
        }
        Ok(())
    }
}

fn heading(f: &mut fmt::Formatter<'_>, label: &str, what: [&str; 2]) -> fmt::Result {
    writeln!(f, "{label:>8} | {:^34} | {:^34}", what[0], what[1])
}

/// What is shown of energies.
pub(crate) const ENERGY: [Of<Resolution>; 2] = [
    |side, k| side.mu90[k],
    |side, k| side.resolution[k].unwrap_or(f64::NAN),
];
/// What is shown of deviations.
pub(crate) const DEVIATION: [Of<Spread>; 2] = [|side, k| side.mu90[k], |side, k| side.sigma90[k]];

/// A figure of label `k`.
type Of<T> = fn(&T, usize) -> f64;

/// Figures of both sides by a label.
pub(crate) struct ByLabel<'a, T> {
    /// Labels, or centres of their bins.
    pub labels: &'a [f64],
    /// Of the reference and the generated sample.
    pub sides: [&'a T; 2],
    /// Their statistical errors.
    pub errors: Option<[&'a T; 2]>,
}

impl<T> ByLabel<'_, T> {
    /// A figure of label `k` and its error, of the reference and the generated sample.
    pub fn figure(&self, of: Of<T>, k: usize) -> [(f64, Option<f64>); 2] {
        [0, 1].map(|side| (of(self.sides[side], k), self.errors.map(|e| of(e[side], k))))
    }

    /// A line for each label; figures with their ratio or without.
    fn rows(&self, f: &mut fmt::Formatter<'_>, figures: [(Of<T>, bool); 2]) -> fmt::Result {
        for (k, label) in self.labels.iter().enumerate() {
            write!(f, "{:>8}", short(*label))?;
            for (of, with_ratio) in figures {
                let [a, b] = self.figure(of, k);
                write!(f, "{}", if with_ratio { pair(a, b) } else { both(a, b) })?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl PositionDeviation {
    fn axes(&self) -> [&Deviation; 2] {
        [&self.x, &self.y]
    }
}

impl Regression {
    /// Reconstructed energies by incident energy.
    pub(crate) fn by_energy(&self) -> ByLabel<'_, Resolution> {
        let errors = self.errors.as_ref();
        ByLabel {
            labels: &self.energies,
            sides: [&self.reference, &self.generated],
            errors: errors.map(|e| [&e.reference, &e.generated]),
        }
    }

    /// Deviations along x and y by the true coordinate, if positions are known.
    pub(crate) fn by_coordinate(&self) -> Vec<ByLabel<'_, Spread>> {
        let Some(found) = &self.position else {
            return Vec::new();
        };
        let errors = self.errors.as_ref().and_then(|e| e.position.as_ref());
        let mut all = Vec::new();
        for (axis, found) in found.axes().into_iter().enumerate() {
            let errors = errors.map(|e| e.axes()[axis]);
            all.push(ByLabel {
                labels: &found.coordinates,
                sides: [&found.reference, &found.generated],
                errors: errors.map(|e| [&e.reference, &e.generated]),
            });
        }
        all
    }
}
