//! The tables of the page.

use super::names::Names;
use crate::metrics::{Evaluation, LinearitySide, Resolution};
use crate::report::Table;

const NONE: &str = "–";

/// Four significant digits.
fn short(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".into(),
        v if !v.is_finite() => return NONE.into(),
        v if (1e-4..1e7).contains(&v) => {
            let digits = 3 - v.log10().floor() as i32;
            format!("{value:.*}", digits.max(0) as usize)
        }
        _ => format!("{value:.3e}"),
    };
    text.replace('-', "−")
}

fn number(value: Option<f64>) -> String {
    value.map_or(NONE.into(), short)
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}

/// The files, and the figures that say most.
pub fn summary(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let generated = all.iter().map(|e| &e.generated).zip(&names.generated);
    let files = std::iter::once((&first.reference, &names.reference))
        .chain(generated)
        .map(|(s, name)| vec![name.clone(), s.file.clone(), s.events.to_string()]);
    let jsd = |name: &'static str| move |e: &Evaluation| e.observable(name).and_then(|o| o.jsd);
    let sums = |e: &Evaluation| e.channel_sums.as_ref().map(|s| (s.wasserstein1, s.mae));
    let unit = &first.unit;
    let row = |name: String, of: &dyn Fn(&Evaluation) -> Option<f64>| {
        let figures = all.iter().map(|e| number(of(e)));
        std::iter::once(name).chain(figures).collect::<Vec<_>>()
    };
    let mut figures = vec![
        row("Fidelity score".into(), &|e| e.fidelity_score),
        row("JSD of the visible energy".into(), &jsd("visible_energy")),
        row("JSD of the hits".into(), &jsd("n_hits")),
        row("JSD of the cell energies".into(), &jsd("cell_energy")),
        row("Mean difference of correlations".into(), &|e| {
            e.correlation.mean_abs_difference
        }),
        row("Largest difference of correlations".into(), &|e| {
            e.correlation.max_abs_difference
        }),
    ];
    if first.channel_sums.is_some() {
        figures.push(row(format!("Channel sums, W1 [{unit}]"), &|e| {
            Some(sums(e)?.0)
        }));
        figures.push(row(format!("Channel sums, MAE [{unit}]"), &|e| {
            Some(sums(e)?.1)
        }));
    }
    let columns = std::iter::once("Figure".into()).chain(names.generated.iter().cloned());
    vec![
        Table {
            caption: String::new(),
            columns: strings(&["Sample", "File", "Showers"]),
            rows: files.collect(),
        },
        Table {
            caption: String::new(),
            columns: columns.collect(),
            rows: figures,
        },
    ]
}

/// A figure of one side by energy.
type Figure = fn(&LinearitySide, usize) -> f64;

/// Visible energy, resolution and hits by incident energy, a table for each generated sample.
pub fn by_energy(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let figures: [(&str, Figure); 3] = [
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

/// Energy as a regressor reconstructs it, a table for each generated sample.
pub fn regression(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let with = |e: &Evaluation, name: &String| {
        let r = e.regression.as_ref()?;
        let ratio = |side: &Resolution, k: usize| short(side.sigma90[k] / side.mu90[k]);
        let row = |k: usize| {
            let (a, b) = (&r.reference, &r.generated);
            vec![
                short(r.energies[k]),
                short(a.mu90[k]),
                short(b.mu90[k]),
                ratio(a, k),
                ratio(b, k),
            ]
        };
        Some(Table {
            caption: format!(
                "{name}; Fréchet distance of the features {}, of the reference's halves {}",
                number(r.frechet_distance),
                number(r.reference_frechet_distance)
            ),
            columns: strings(&["GeV", "μ90 ref., GeV", "gen.", "σ90/μ90 ref.", "gen."]),
            rows: (0..r.energies.len()).map(row).collect(),
        })
    };
    let pairs = all.iter().zip(&names.generated);
    pairs.filter_map(|(e, name)| with(e, name)).collect()
}

/// Every observable, a table for each generated sample.
pub fn observables(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let table = |(e, name): (&Evaluation, &String)| Table {
        caption: name.clone(),
        columns: strings(&[
            "Observable",
            "Reference mean",
            "± std",
            "Generated mean",
            "± std",
            "JSD",
            "W1",
            "KS",
        ]),
        rows: e
            .observables
            .iter()
            .map(|o| {
                vec![
                    o.name.clone(),
                    number(o.reference.mean),
                    number(o.reference.std),
                    number(o.generated.mean),
                    number(o.generated.std),
                    number(o.jsd),
                    number(o.wasserstein1),
                    number(o.ks),
                ]
            })
            .collect(),
    };
    all.iter().zip(&names.generated).map(table).collect()
}
