//! Response and resolution by incident energy.

use super::Part;
use super::curves::{self, RATIO};
use super::names::Names;
use super::text::{NONE, short, strings};
use crate::metrics::{Evaluation, LinearitySide};
use crate::report::{Axis, Figure, Plot, Role, Series, Table};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    let mut plots = linearity(all, names);
    plots.extend(curves::named(all, &["response"], names));
    Part {
        heading: "Response and resolution",
        text: "μ90 and σ90 are mean and standard deviation of the visible energy in the shortest interval that holds \
             90 % of the showers.",
        tables: tables(all, names),
        plots,
    }
}

/// A figure of one side by energy.
type Column = fn(&LinearitySide, usize) -> f64;

/// Visible energy, resolution and hits by incident energy, a table for each generated sample.
fn tables(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let figures: [(&str, Column); 3] = [
        ("Visible energy", |side, k| side.mean_visible_energy[k]),
        ("σ90/μ90", |side, k| side.sigma90[k] / side.mu90[k]),
        ("Hits", |side, k| side.mean_n_hits[k]),
    ];
    let mut tables = Vec::new();
    for (e, name) in all.iter().zip(&names.generated) {
        let linearity = &e.linearity;
        if linearity.energies.is_empty() {
            continue;
        }
        let mut columns = strings(&["GeV", "Showers ref.", "gen."]);
        for (name, _) in &figures {
            columns.extend([format!("{name} ref."), "gen.".into(), "Ratio".into()]);
        }
        let whole = linearity.energies.iter().all(|e| e.fract() == 0.0);
        let energy = |e: f64| if whole { e.to_string() } else { short(e) };
        let row = |k: usize| {
            let (a, b) = (&linearity.reference, &linearity.generated);
            let mut row = vec![
                energy(linearity.energies[k]),
                a.events[k].to_string(),
                b.events[k].to_string(),
            ];
            for (_, of) in &figures {
                let (a, b) = (of(a, k), of(b, k));
                let ratio = if (b / a).is_finite() {
                    format!("{:.3}", b / a)
                } else {
                    NONE.into()
                };
                row.extend([short(a), short(b), ratio]);
            }
            row
        };
        tables.push(Table {
            caption: format!(
                "{name}; visible energy in {}, means over all showers",
                e.unit
            ),
            columns,
            rows: (0..linearity.energies.len()).map(row).collect(),
        });
    }
    tables
}

/// A figure by energy with its error.
type Point = fn(&LinearitySide, usize) -> (f64, f64);

/// Mean and resolution by incident energy.
fn linearity(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let mut energies: Vec<f64> = all
        .iter()
        .flat_map(|e| e.linearity.energies.clone())
        .collect();
    energies.sort_by(f64::total_cmp);
    energies.dedup();
    if energies.is_empty() {
        return Vec::new();
    }
    let mean: Point = |side, k| (side.mu90[k], side.mu90_error[k]);
    let resolution: Point = |side, k| {
        let value = side.sigma90[k] / side.mu90[k];
        let relative =
            (side.sigma90_error[k] / side.sigma90[k]).hypot(side.mu90_error[k] / side.mu90[k]);
        (value, value * relative)
    };
    let plot = |title: &str, label: String, of: Point| -> Plot {
        let series = |name: &str, role, own: &[f64], side: &LinearitySide| {
            // Every series has a place for every energy, so that ratios find their partner.
            let points = energies.iter().map(|energy| {
                let k = own.iter().position(|e| e == energy);
                k.map_or((f64::NAN, 0.0), |k| of(side, k))
            });
            let (y, error) = points.unzip();
            Series::points(name, role, energies.clone(), y).with_error(error)
        };
        let x = Axis::linear("Incident energy [GeV]");
        let widest = all.iter().max_by_key(|e| e.linearity.energies.len());
        let mut figure = Figure::new(title, x, Axis::linear(label));
        if let Some(e) = widest {
            let (own, side) = (&e.linearity.energies, &e.linearity.reference);
            figure = figure.with(series(&names.reference, Role::Reference, own, side));
        }
        for (k, e) in all.iter().enumerate() {
            let (own, side) = (&e.linearity.energies, &e.linearity.generated);
            figure = figure.with(series(&names.generated[k], Role::Generated(k), own, side));
        }
        figure.with_ratio(RATIO).into()
    };
    vec![
        (
            "linearity".into(),
            plot(
                "Linearity",
                format!("μ90 of the visible energy [{}]", first.unit),
                mean,
            ),
        ),
        (
            "resolution".into(),
            plot("Resolution", "σ90 / μ90".into(), resolution),
        ),
    ]
}
