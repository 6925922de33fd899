//! The evaluation as a table for a terminal.

use std::fmt;

use super::{Evaluation, LinearitySide, Moments};

impl fmt::Display for Evaluation {
    /// Response, resolution and hits by incident energy with the ratio generated / reference, the longitudinal profile,
    /// then the observables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (role, sample) in [
            ("reference", &self.reference),
            ("generated", &self.generated),
        ] {
            writeln!(f, "{role}: {} ({} showers)", sample.file, sample.events)?;
        }
        writeln!(f, "threshold: {} {}", self.threshold, self.unit)?;
        self.by_energy(f)?;
        self.by_layer(f)?;
        self.by_observable(f)?;
        // Optional parts, a table each that begins with an empty line.
        if let Some(regression) = &self.regression {
            write!(f, "{regression}")?;
        }
        if let Some(sums) = &self.channel_sums {
            writeln!(
                f,
                "channel sums: W1 {:.5}, MAE {:.5} {}",
                sums.wasserstein1, sums.mae, self.unit
            )?;
        }
        let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.5}"));
        let correlation = &self.correlation;
        let (mean, max) = (
            correlation.mean_abs_difference,
            correlation.max_abs_difference,
        );
        writeln!(
            f,
            "correlation difference: mean {}, max {}",
            number(mean),
            number(max)
        )?;
        write!(f, "fidelity score: {}", number(self.fidelity_score))
    }
}

/// Most rows of the longitudinal profile.
const LAYER_ROWS: usize = 10;

/// A figure of one side by energy.
type Figure = fn(&LinearitySide, usize) -> f64;

impl Evaluation {
    fn by_energy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { linearity, .. } = self;
        if linearity.energies.is_empty() {
            return Ok(());
        }
        let figures: [(String, Figure); 3] = [
            (format!("visible energy, {}", self.unit), |side, k| {
                side.mean_visible_energy[k]
            }),
            ("σ90/μ90".into(), |side, k| side.sigma90[k] / side.mu90[k]),
            ("hits".into(), |side, k| side.mean_n_hits[k]),
        ];
        write!(f, "\n{:>8}", "GeV")?;
        for (name, _) in &figures {
            write!(f, " | {name:^28}")?;
        }
        write!(f, "\n{:>8}", "")?;
        for _ in &figures {
            write!(
                f,
                " | {:>10} {:>10} {:>6}",
                "reference", "generated", "ratio"
            )?;
        }
        writeln!(f)?;
        let whole = linearity.energies.iter().all(|e| e.fract() == 0.0);
        for (k, energy) in linearity.energies.iter().enumerate() {
            let energy = match whole {
                true => energy.to_string(),
                false => short(*energy),
            };
            write!(f, "{energy:>8}")?;
            for (_, figure) in &figures {
                let [a, b] =
                    [&linearity.reference, &linearity.generated].map(|side| figure(side, k));
                write!(f, "{}", pair(a, b))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// The longitudinal profile, long ones with several layers to a row; nothing of images.
    fn by_layer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = &self.profiles.longitudinal;
        let layers = profile.reference.len();
        if layers < 2 {
            return Ok(());
        }
        let together = layers.div_ceil(LAYER_ROWS);
        let name = format!("energy, {}", self.unit);
        writeln!(f, "\n{:>8} | {name:^28}", "layer")?;
        writeln!(
            f,
            "{:>8} | {:>10} {:>10} {:>6}",
            "", "reference", "generated", "ratio"
        )?;
        let rows = profile.reference.chunks(together);
        for (k, (a, b)) in rows.zip(profile.generated.chunks(together)).enumerate() {
            let first = k * together;
            let name = match a.len() {
                1 => first.to_string(),
                n => format!("{first}-{}", first + n - 1),
            };
            let [a, b] = [a, b].map(|layers| layers.iter().sum());
            writeln!(f, "{name:>8}{}", pair(a, b))?;
        }
        Ok(())
    }

    fn by_observable(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\n{:<15} {:>23} {:>23}",
            "observable", "reference mean ± std", "generated mean ± std"
        )?;
        writeln!(f, " {:>10} {:>10} {:>10}", "JSD", "W1", "KS")?;
        let moments = |m: &Moments| match (m.mean, m.std) {
            (Some(mean), Some(std)) => format!("{} ± {}", short(mean), short(std)),
            _ => "-".into(),
        };
        let number = |v: Option<f64>| v.map_or("-".into(), short);
        for o in &self.observables {
            write!(
                f,
                "{:<15} {:>23} {:>23}",
                o.name,
                moments(&o.reference),
                moments(&o.generated)
            )?;
            writeln!(
                f,
                " {:>10} {:>10} {:>10}",
                number(o.jsd),
                number(o.wasserstein1),
                number(o.ks)
            )?;
        }
        Ok(())
    }
}

/// A figure of the two sides and the ratio generated / reference, as columns.
pub(super) fn pair(reference: f64, generated: f64) -> String {
    let ratio = generated / reference;
    let ratio = if ratio.is_finite() {
        format!("{ratio:.3}")
    } else {
        "-".into()
    };
    let [a, b] = [reference, generated].map(short);
    format!(" | {a:>10} {b:>10} {ratio:>6}")
}

/// Four significant digits, without an exponent where that is short; a dash for 0 / 0.
pub(super) fn short(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => return "0".into(),
        v if !v.is_finite() => return "-".into(),
        v if !(1e-4..1e7).contains(&v) => return format!("{value:.3e}"),
        v => 3 - v.log10().floor() as i32,
    };
    format!("{value:.*}", digits.max(0) as usize)
}
