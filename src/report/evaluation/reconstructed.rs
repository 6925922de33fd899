//! What a regressor says.

use super::Part;
use super::curves::RATIO;
use super::names::Names;
use super::text::{ratio, short, strings, with_error};
use crate::metrics::{ByLabel, DEVIATION, ENERGY, Evaluation, Regression};
use crate::report::{Axis, Figure, Plot, Role, Series, Table};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Reconstructed energy and impact point",
        text: "What a regressor says of both samples: mean and resolution of its energies by incident energy, the deviation \
             of its impact points by the true one where it was trained on them and the files know them, and the Fréchet \
             distance of its last hidden layer.",
        tables: tables(all, names),
        plots: plots(all, names),
    }
}

/// Tables for each generated sample.
fn tables(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let mut tables = Vec::new();
    for (e, name) in all.iter().zip(&names.generated) {
        let Some(r) = &e.regression else {
            continue;
        };
        let errors = r.errors.as_deref();
        let distances = [
            (r.frechet_distance, errors.and_then(|e| e.frechet_distance)),
            (
                r.reference_frechet_distance,
                errors.and_then(|e| e.reference_frechet_distance),
            ),
        ];
        let [distance, noise] = distances.map(|(value, error)| with_error(value, error));
        tables.push(Table {
            caption: format!(
                "{name}; Fréchet distance of the features {distance}, of the reference's halves {noise}"
            ),
            columns: columns("GeV", ["μ90 ref., GeV", "σ90/μ90 ref."]),
            rows: rows(&r.by_energy(), ENERGY, [ratio, ratio]),
        });
        for (axis, found) in ["x", "y"].iter().zip(r.by_coordinate()) {
            if found.labels.is_empty() {
                continue;
            }
            tables.push(Table {
                caption: format!("{name}; reconstructed minus true {axis}"),
                columns: columns(
                    &format!("True {axis}, mm"),
                    ["μ90 ref., mm", "σ90 ref., mm"],
                ),
                // A deviation near 0 has no useful ratio.
                rows: rows(&found, DEVIATION, [|_, _| short(f64::NAN), ratio]),
            });
        }
    }
    tables
}

fn columns(label: &str, [first, second]: [&str; 2]) -> Vec<String> {
    strings(&[label, first, "gen.", "Ratio", second, "gen.", "Ratio"])
}

/// A figure with its error.
type Number = (f64, Option<f64>);

fn rows<T>(
    found: &ByLabel<T>,
    figures: [fn(&T, usize) -> f64; 2],
    ratios: [fn(Number, Number) -> String; 2],
) -> Vec<Vec<String>> {
    let row = |(k, label): (usize, &f64)| {
        let mut row = vec![short(*label)];
        for (of, ratio) in figures.into_iter().zip(ratios) {
            let [a, b] = found.figure(of, k);
            row.extend([a, b].map(|(value, error)| with_error(Some(value), error)));
            row.push(ratio(a, b));
        }
        row
    };
    found.labels.iter().enumerate().map(row).collect()
}

/// Reconstructed labels against the truth.
fn plots(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let mut plots = Vec::new();
    let energy = |r| Some(Regression::by_energy(r));
    let truth = "Incident energy [GeV]";
    let (title, label) = (
        "Reconstructed energy",
        "μ90 of the reconstructed energy [GeV]",
    );
    let drawn = figure(all, names, [title, truth, label], energy, ENERGY[0]);
    plots.extend(drawn.map(|f| ("reconstructed_energy".into(), f.with_ratio(RATIO).into())));
    let title = "Resolution of the regressor";
    let drawn = figure(all, names, [title, truth, "σ90 / μ90"], energy, ENERGY[1]);
    plots.extend(drawn.map(|f| {
        (
            "reconstructed_resolution".into(),
            f.with_ratio(RATIO).into(),
        )
    }));
    for (k, axis) in ["x", "y"].into_iter().enumerate() {
        let along = |r| Regression::by_coordinate(r).into_iter().nth(k);
        let truth = format!("True {axis} [mm]");
        let title = format!("Reconstructed minus true {axis}");
        let drawn = figure(
            all,
            names,
            [&title, &truth, "μ90 [mm]"],
            along,
            DEVIATION[0],
        );
        plots.extend(drawn.map(|f| (format!("reconstructed_{axis}"), f.into())));
        let title = format!("Resolution of the reconstructed {axis}");
        let drawn = figure(
            all,
            names,
            [&title, &truth, "σ90 [mm]"],
            along,
            DEVIATION[1],
        );
        let drawn = drawn.map(|f| f.with_ratio(RATIO).into());
        plots.extend(drawn.map(|f| (format!("reconstructed_{axis}_resolution"), f)));
    }
    plots
}

/// A figure by its label, of every sample that has it; `None` if none has.
fn figure<'a, T: 'a>(
    all: &'a [Evaluation],
    names: &Names,
    [title, x, y]: [&str; 3],
    view: impl Fn(&'a Regression) -> Option<ByLabel<'a, T>>,
    of: fn(&T, usize) -> f64,
) -> Option<Figure> {
    let mut figure = Figure::new(title, Axis::linear(x), Axis::linear(y));
    for (k, e) in all.iter().enumerate() {
        let found = e.regression.as_ref().and_then(&view);
        let Some(found) = found.filter(|f| !f.labels.is_empty()) else {
            continue;
        };
        let mut add = |name: &str, role, side: usize| {
            let every = || (0..found.labels.len()).map(|k| found.figure(of, k)[side]);
            let y = every().map(|(value, _)| value).collect();
            let mut series = Series::points(name, role, found.labels.to_vec(), y);
            series.error = every().map(|(_, error)| error).collect();
            figure.series.push(series);
        };
        if k == 0 {
            add(&names.reference, Role::Reference, 0);
        }
        add(&names.generated[k], Role::Generated(k), 1);
    }
    (!figure.series.is_empty()).then_some(figure)
}
