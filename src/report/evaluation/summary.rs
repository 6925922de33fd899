//! The files, and the figures that say most.

use super::Part;
use super::names::Names;
use super::text::{short, strings, with_error};
use crate::metrics::{Evaluation, Figures};
use crate::report::Table;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Summary",
        text: "1.234(12) is 1.234 ± 0.012, the standard deviation over bootstrap replicas of both samples. All figures but \
             the two mean absolute errors of channel sums and response centre are 0 for samples of one distribution and \
             endless size; for samples of a size they are noise, and their errors do not tell by how much they are above \
             0. What is noise stands in the column of the halves: the reference's showers divided at random in two, and \
             these compared. The fidelity score is the mean, over energies, hits, cog z and profiles, of the square root \
             of the Jensen-Shannon divergence (JSD), or of the divergence itself.",
        tables: tables(all, names),
        plots: Vec::new(),
    }
}

/// A row of the table.
type Row = (String, fn(&Figures) -> Option<f64>);

fn tables(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let generated = all.iter().map(|e| &e.generated).zip(&names.generated);
    let files = std::iter::once((&first.reference, &names.reference))
        .chain(generated)
        .map(|(s, name)| vec![name.clone(), s.file.clone(), s.events.to_string()]);
    let unit = &first.unit;
    let mut rows: Vec<Row> = vec![
        ("Fidelity score, √JSD".into(), |f| f.fidelity_score),
        ("Fidelity score, JSD".into(), |f| f.fidelity_score_jsd),
        ("JSD of the visible energy".into(), |f| {
            jsd(f, "visible_energy")
        }),
        ("JSD of the hits".into(), |f| jsd(f, "n_hits")),
        ("JSD of the cell energies".into(), |f| jsd(f, "cell_energy")),
        ("Mean difference of correlations".into(), |f| {
            f.correlation.mean_abs_difference
        }),
        ("Largest difference of correlations".into(), |f| {
            f.correlation.max_abs_difference
        }),
    ];
    if first.figures.channel_sums.is_some() {
        rows.push((format!("Channel sums, W1 [{unit}]"), |f| {
            Some(f.channel_sums.as_ref()?.wasserstein1)
        }));
        rows.push((format!("Channel sums, MAE [{unit}]"), |f| {
            f.channel_sums.as_ref()?.mae
        }));
        rows.push(("Response centre, MAE [cells]".into(), |f| {
            f.channel_sums.as_ref()?.response_centre_mae
        }));
    }
    let row = |(name, of): &Row| {
        let figure = |figures: &Figures, errors: Option<&Figures>| {
            with_error(of(figures), errors.and_then(of))
        };
        let mut row = vec![name.clone()];
        row.extend(all.iter().map(|e| figure(&e.figures, e.errors.as_ref())));
        let halves = first.halves.as_ref();
        row.extend(halves.map(|h| figure(&h.figures, h.errors.as_ref())));
        row
    };
    let mut columns = vec!["Figure".to_owned()];
    columns.extend(names.generated.iter().cloned());
    columns.extend(
        first
            .halves
            .as_ref()
            .map(|_| "halves of the reference".into()),
    );
    vec![
        Table {
            caption: String::new(),
            columns: strings(&["Sample", "File", "Showers"]),
            rows: files.collect(),
        },
        Table {
            caption: noise(all, names),
            columns,
            rows: rows.iter().map(row).collect(),
        },
    ]
}

/// How the sizes of the samples compare with those of the halves.
fn noise(all: &[Evaluation], names: &Names) -> String {
    let factors = all.iter().zip(&names.generated).filter_map(|(e, name)| {
        let halves = e.halves.as_ref()?;
        Some(format!(
            "{name}: {}, for JSD and separation {}",
            short(1.0 / halves.noise_factor),
            short(halves.noise_factor.powi(-2))
        ))
    });
    let factors: Vec<String> = factors.collect();
    let sizes = all.first().and_then(|e| e.halves.as_ref());
    sizes.map_or(String::new(), |halves| {
        format!(
            "The halves hold {} and {} showers; of samples as large as those compared noise is this many times as large: {}",
            halves.reference.events,
            halves.generated.events,
            factors.join("; ")
        )
    })
}

fn jsd(figures: &Figures, name: &str) -> Option<f64> {
    figures.observable(name)?.jsd
}
