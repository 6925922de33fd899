//! Response and resolution by incident energy.

use super::Part;
use super::curves::{self, RATIO};
use super::names::Names;
use super::text::{ratio, short, strings, with_error};
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
        ("σ90/μ90", |side, k| {
            side.resolution[k].unwrap_or(f64::NAN)
        }),
        ("Hits", |side, k| side.mean_n_hits[k]),
    ];
    let mut tables = Vec::new();
    for (e, name) in all.iter().zip(&names.generated) {
        let linearity = &e.figures.linearity;
        if linearity.energies.is_empty() {
            continue;
        }
        let errors = e.errors.as_ref().map(|errors| &errors.linearity);
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
                let a = (of(a, k), errors.map(|e| of(&e.reference, k)));
                let b = (of(b, k), errors.map(|e| of(&e.generated, k)));
                row.extend([a, b].map(|(value, error)| with_error(Some(value), error)));
                row.push(ratio(a, b));
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

/// A figure of one side.
type Points = fn(&LinearitySide, usize) -> f64;

/// Mean and resolution by incident energy.
fn linearity(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let mut energies: Vec<f64> = all
        .iter()
        .flat_map(|e| e.figures.linearity.energies.clone())
        .collect();
    energies.sort_by(f64::total_cmp);
    energies.dedup();
    if energies.is_empty() {
        return Vec::new();
    }
    let plot = |title: &str, label: String, of: Points| -> Plot {
        let series = |name: &str,
                      role,
                      own: &[f64],
                      side: &LinearitySide,
                      errors: Option<&LinearitySide>| {
            // Every series has a place for every energy, so that ratios find their partner.
            let place = |energy: &f64| own.iter().position(|e| e == energy);
            let y = (energies.iter()).map(|e| place(e).map_or(f64::NAN, |k| of(side, k)));
            let error = |e: &f64| {
                place(e)
                    .zip(errors)
                    .map_or(0.0, |(k, errors)| of(errors, k))
            };
            Series::points(name, role, energies.clone(), y.collect())
                .with_error(energies.iter().map(error).collect())
        };
        let x = Axis::linear("Incident energy [GeV]");
        let widest = all
            .iter()
            .max_by_key(|e| e.figures.linearity.energies.len());
        let mut figure = Figure::new(title, x, Axis::linear(label));
        if let Some(e) = widest {
            let linearity = &e.figures.linearity;
            let errors = e.errors.as_ref().map(|e| &e.linearity.reference);
            let (own, side) = (&linearity.energies, &linearity.reference);
            figure = figure.with(series(&names.reference, Role::Reference, own, side, errors));
        }
        for (k, e) in all.iter().enumerate() {
            let linearity = &e.figures.linearity;
            let errors = e.errors.as_ref().map(|e| &e.linearity.generated);
            let (own, side) = (&linearity.energies, &linearity.generated);
            let (name, role) = (&names.generated[k], Role::Generated(k));
            figure = figure.with(series(name, role, own, side, errors));
        }
        figure.with_ratio(RATIO).into()
    };
    vec![
        (
            "linearity".into(),
            plot(
                "Linearity",
                format!("μ90 of the visible energy [{}]", first.unit),
                |side, k| side.mu90[k],
            ),
        ),
        (
            "resolution".into(),
            plot("Resolution", "σ90 / μ90".into(), |side, k| {
                side.resolution[k].unwrap_or(f64::NAN)
            }),
        ),
    ]
}
