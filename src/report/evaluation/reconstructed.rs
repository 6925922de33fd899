//! What a regressor says.

use super::Part;
use super::curves::RATIO;
use super::names::Names;
use super::text::{ratio, short, strings, with_error};
use crate::metrics::{Evaluation, Resolution};
use crate::report::{Axis, Figure, Plot, Role, Series, Table};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Reconstructed energy",
        text: "What a regressor says of both samples: mean and resolution of its energies by incident energy, and the \
             Fréchet distance of its last hidden layer.",
        tables: tables(all, names),
        plots: plots(all, names),
    }
}

/// A figure of one side by energy.
type Column = fn(&Resolution, usize) -> f64;

const COLUMNS: [Column; 2] = [
    |side, k| side.mu90[k],
    |side, k| side.resolution[k].unwrap_or(f64::NAN),
];

/// Energy as a regressor reconstructs it, a table for each generated sample.
fn tables(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let with = |e: &Evaluation, name: &String| {
        let r = e.regression.as_ref()?;
        let errors = r.errors.as_deref();
        let row = |k: usize| {
            let mut row = vec![short(r.energies[k])];
            for of in COLUMNS {
                let a = (of(&r.reference, k), errors.map(|e| of(&e.reference, k)));
                let b = (of(&r.generated, k), errors.map(|e| of(&e.generated, k)));
                row.extend([a, b].map(|(value, error)| with_error(Some(value), error)));
                row.push(ratio(a, b));
            }
            row
        };
        let distances = [
            (r.frechet_distance, errors.and_then(|e| e.frechet_distance)),
            (
                r.reference_frechet_distance,
                errors.and_then(|e| e.reference_frechet_distance),
            ),
        ];
        let [distance, noise] = distances.map(|(value, error)| with_error(value, error));
        Some(Table {
            caption: format!(
                "{name}; Fréchet distance of the features {distance}, of the reference's halves {noise}"
            ),
            columns: strings(&[
                "GeV",
                "μ90 ref., GeV",
                "gen.",
                "Ratio",
                "σ90/μ90 ref.",
                "gen.",
                "Ratio",
            ]),
            rows: (0..r.energies.len()).map(row).collect(),
        })
    };
    let pairs = all.iter().zip(&names.generated);
    pairs.filter_map(|(e, name)| with(e, name)).collect()
}

/// Reconstructed energy and resolution against the truth.
fn plots(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let plot = |title: &str, label: &str, of: Column| -> Option<Plot> {
        let mut figure = Figure::new(
            title,
            Axis::linear("Incident energy [GeV]"),
            Axis::linear(label),
        );
        for (k, e) in all.iter().enumerate() {
            let r = e.regression.as_ref().filter(|r| !r.energies.is_empty())?;
            let errors = r.errors.as_deref();
            let mut add = |name: &str, role, side: &Resolution, errors: Option<&Resolution>| {
                let every = || 0..r.energies.len();
                let y = every().map(|k| of(side, k)).collect();
                let mut series = Series::points(name, role, r.energies.clone(), y);
                series.error = errors.map(|e| every().map(|k| of(e, k)).collect());
                figure.series.push(series);
            };
            if k == 0 {
                let errors = errors.map(|e| &e.reference);
                add(&names.reference, Role::Reference, &r.reference, errors);
            }
            let errors = errors.map(|e| &e.generated);
            let name = &names.generated[k];
            add(name, Role::Generated(k), &r.generated, errors);
        }
        (!figure.series.is_empty()).then(|| figure.with_ratio(RATIO).into())
    };
    let named = [
        (
            "reconstructed_energy",
            plot(
                "Reconstructed energy",
                "μ90 of the reconstructed energy [GeV]",
                COLUMNS[0],
            ),
        ),
        (
            "reconstructed_resolution",
            plot("Resolution of the regressor", "σ90 / μ90", COLUMNS[1]),
        ),
    ];
    let drawn = named.into_iter();
    drawn
        .filter_map(|(name, plot)| Some((name.to_owned(), plot?)))
        .collect()
}
