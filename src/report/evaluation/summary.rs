//! The files, and the figures that say most.

use super::Part;
use super::names::Names;
use super::text::number;
use super::text::strings;
use crate::metrics::Evaluation;
use crate::report::Table;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Summary",
        text: "All figures but the channel sums' mean absolute error are 0 for samples of one distribution and endless \
             size. The fidelity score is the mean, over energies, hits, cog z and profiles, of the square root of the \
             Jensen-Shannon divergence (JSD).",
        tables: tables(all, names),
        plots: Vec::new(),
    }
}

fn tables(all: &[Evaluation], names: &Names) -> Vec<Table> {
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
