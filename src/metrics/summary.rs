//! The evaluation as a table for a terminal.

use std::fmt;

use super::text::{ratio, short, with_error};
use super::{Comparison, Evaluation, Figures, LinearitySide};

impl fmt::Display for Evaluation {
    /// Response, resolution and hits by incident energy with the ratio generated / reference, the longitudinal profile,
    /// the observables, then what sums up; optional parts between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (role, sample) in [
            ("reference", &self.reference),
            ("generated", &self.generated),
        ] {
            writeln!(f, "{role}: {} ({} showers)", sample.file, sample.events)?;
        }
        writeln!(f, "threshold: {} {}", self.threshold, self.unit)?;
        if self.errors.is_some() {
            writeln!(
                f,
                "1.234(12) is 1.234 ± 0.012, a statistical error from {} replicas of both samples",
                self.bootstrap.replicas
            )?;
        }
        if let Some(halves) = &self.halves {
            writeln!(
                f,
                "halves: the two halves of the reference ({} and {} showers) compared; for samples of the sizes above \
                 noise is {} times that, for JSD and separation {} times",
                halves.reference.events,
                halves.generated.events,
                short(1.0 / halves.noise_factor),
                short(halves.noise_factor.powi(-2))
            )?;
        }
        self.by_energy(f)?;
        self.by_layer(f)?;
        self.by_observable(f)?;
        // Optional parts, a table each that begins with an empty line.
        if let Some(high) = &self.calochallenge {
            write!(f, "{high}")?;
        }
        if let Some(regression) = &self.regression {
            write!(f, "{regression}")?;
        }
        if let Some(classifier) = &self.classifier {
            write!(f, "{classifier}")?;
        }
        if let Some(distances) = &self.distances {
            write!(f, "{distances}")?;
        }
        if let Some(distance) = &self.frechet_inception_distance {
            write!(f, "{distance}")?;
        }
        if let Some(amplification) = &self.amplification {
            write!(f, "{amplification}")?;
        }
        self.sums_up(f)
    }
}

/// Most rows of the longitudinal profile.
const LAYER_ROWS: usize = 10;

/// A figure of one side by energy.
type Figure = fn(&LinearitySide, usize) -> f64;

impl Evaluation {
    fn by_energy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let linearity = &self.figures.linearity;
        if linearity.energies.is_empty() {
            return Ok(());
        }
        let figures: [(String, Figure); 3] = [
            (format!("visible energy, {}", self.unit), |side, k| {
                side.mean_visible_energy[k]
            }),
            ("σ90/μ90".into(), |side, k| {
                side.resolution[k].unwrap_or(f64::NAN)
            }),
            ("hits".into(), |side, k| side.mean_n_hits[k]),
        ];
        write!(f, "\n{:>8}", "GeV")?;
        for (name, _) in &figures {
            write!(f, " | {name:^34}")?;
        }
        write!(f, "\n{:>8}", "")?;
        for _ in &figures {
            write!(f, "{}", columns("reference", "generated", "ratio"))?;
        }
        writeln!(f)?;
        let errors = self.errors.as_ref().map(|errors| &errors.linearity);
        let whole = linearity.energies.iter().all(|e| e.fract() == 0.0);
        for (k, energy) in linearity.energies.iter().enumerate() {
            let energy = match whole {
                true => energy.to_string(),
                false => short(*energy),
            };
            write!(f, "{energy:>8}")?;
            for (_, figure) in &figures {
                let a = (
                    figure(&linearity.reference, k),
                    errors.map(|e| figure(&e.reference, k)),
                );
                let b = (
                    figure(&linearity.generated, k),
                    errors.map(|e| figure(&e.generated, k)),
                );
                write!(f, "{}", pair(a, b))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// The longitudinal profile, long ones with several layers to a row; nothing of images.
    fn by_layer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = &self.figures.profiles.longitudinal;
        let layers = profile.reference.len();
        if layers < 2 {
            return Ok(());
        }
        let together = layers.div_ceil(LAYER_ROWS);
        let name = format!("energy, {}", self.unit);
        writeln!(f, "\n{:>8} | {name:^34}", "layer")?;
        writeln!(f, "{:>8}{}", "", columns("reference", "generated", "ratio"))?;
        let errors = self.errors.as_ref().map(|e| &e.profiles.longitudinal);
        for first in (0..layers).step_by(together) {
            let last = (first + together).min(layers);
            let name = match last - first {
                1 => first.to_string(),
                _ => format!("{first}-{}", last - 1),
            };
            let sum = |layers: &[f64]| layers[first..last].iter().sum::<f64>();
            // Errors of layers summed up are not independent of each other.
            let errors = errors.filter(|_| together == 1);
            let a = (sum(&profile.reference), errors.map(|e| e.reference[first]));
            let b = (sum(&profile.generated), errors.map(|e| e.generated[first]));
            writeln!(f, "{name:>8}{}", pair(a, b))?;
        }
        Ok(())
    }

    /// All observables but those of single layers of voxels, which stand in report.json.
    fn listed(&self) -> impl Iterator<Item = &Comparison> {
        let all = self.figures.observables.iter();
        all.filter(|o| !o.name.contains("_layer_"))
    }

    fn by_observable(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            "reference mean",
            "generated mean",
            "reference std",
            "generated std",
        ];
        write!(f, "\n{:<15}", "observable")?;
        for name in names {
            write!(f, " {name:>16}")?;
        }
        writeln!(f)?;
        for o in self.listed() {
            write!(f, "{:<15}", o.name)?;
            let e = observable(self.errors.as_ref(), &o.name);
            for of in [
                (|o| o.reference.mean) as fn(&Comparison) -> Option<f64>,
                |o| o.generated.mean,
                |o| o.reference.std,
                |o| o.generated.std,
            ] {
                write!(f, " {:>16}", with_error(of(o), e.and_then(of)))?;
            }
            writeln!(f)?;
        }
        let names = [
            "JSD",
            "halves",
            "W1",
            "halves",
            "KS",
            "halves",
            "p(KS)",
            "area",
            "separation",
        ];
        write!(f, "\n{:<15}", "distance")?;
        for name in names {
            write!(f, " {name:>11}")?;
        }
        writeln!(f)?;
        let halves = self.halves.as_ref().map(|halves| &halves.figures);
        for o in self.listed() {
            write!(f, "{:<15}", o.name)?;
            let e = observable(self.errors.as_ref(), &o.name);
            let noise = observable(halves, &o.name);
            for of in [
                (|o| o.jsd) as fn(&Comparison) -> Option<f64>,
                |o| o.wasserstein1,
                |o| o.ks,
            ] {
                write!(f, " {:>11}", with_error(of(o), e.and_then(of)))?;
                write!(f, " {:>11}", with_error(noise.and_then(of), None))?;
            }
            write!(f, " {:>11}", with_error(o.ks_p_value, None))?;
            for of in [
                (|o| o.area_difference) as fn(&Comparison) -> Option<f64>,
                |o| o.separation_power,
            ] {
                write!(f, " {:>11}", with_error(of(o), e.and_then(of)))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// Figures of which there is one, beside those of the halves.
    fn sums_up(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = &self.unit;
        let rows: [(String, One); 7] = [
            (format!("channel sums, W1 [{unit}]"), |f| {
                Some(f.channel_sums.as_ref()?.wasserstein1)
            }),
            (format!("channel sums, MAE [{unit}]"), |f| {
                f.channel_sums.as_ref()?.mae
            }),
            ("response centre, MAE [cells]".into(), |f| {
                f.channel_sums.as_ref()?.response_centre_mae
            }),
            ("correlations, mean |difference|".into(), |f| {
                f.correlation.mean_abs_difference
            }),
            ("correlations, max |difference|".into(), |f| {
                f.correlation.max_abs_difference
            }),
            ("fidelity score (√JSD)".into(), |f| f.fidelity_score),
            ("fidelity score (JSD)".into(), |f| f.fidelity_score_jsd),
        ];
        write!(f, "\n{:<34} {:>12} {:>12}", "", "figure", "halves")?;
        for (name, of) in rows {
            if self.figures.channel_sums.is_none() && of(&self.figures).is_none() {
                continue;
            }
            let error = self.errors.as_ref().and_then(of);
            let halves = self.halves.as_ref();
            let noise = with_error(
                halves.and_then(|h| of(&h.figures)),
                halves.and_then(|h| of(h.errors.as_ref()?)),
            );
            let figure = with_error(of(&self.figures), error);
            write!(f, "\n{name:<34} {figure:>12} {noise:>12}")?;
        }
        Ok(())
    }
}

/// A figure of which there is one.
type One = fn(&Figures) -> Option<f64>;

fn observable<'a>(figures: Option<&'a Figures>, name: &str) -> Option<&'a Comparison> {
    figures?.observable(name)
}

fn columns(reference: &str, generated: &str, ratio: &str) -> String {
    format!(" | {reference:>11} {generated:>11} {ratio:>10}")
}

/// A figure of the two sides with its error, as columns.
pub(super) fn both(reference: (f64, Option<f64>), generated: (f64, Option<f64>)) -> String {
    let [a, b] = [reference, generated].map(|(value, error)| with_error(Some(value), error));
    columns(&a, &b, "")
}

/// A figure of the two sides with its error and the ratio generated / reference, as columns.
pub(super) fn pair(reference: (f64, Option<f64>), generated: (f64, Option<f64>)) -> String {
    let [a, b] = [reference, generated].map(|(value, error)| with_error(Some(value), error));
    columns(&a, &b, &ratio(reference, generated))
}
