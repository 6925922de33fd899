//! What a classifier tells apart.

use super::Part;
use super::distances::estimate;
use super::names::Names;
use super::text::strings;
use crate::metrics::Evaluation;
use crate::report::Table;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Classifier",
        text: "A network trained to tell generated showers from the reference. AUC is the area under its curve on showers \
             that it has not seen: 0.5 where it cannot tell them apart, 1 where it always can, never below 0.5. JSD is the \
             Jensen-Shannon divergence over ln 2 as far as the calibrated network sees it: 0 where it tells nothing apart, 1 \
             where it tells all; of few showers the estimate may fall below 0. The last row is the same for two halves of \
             the reference, each with half the showers.",
        tables: table(all, names).into_iter().collect(),
        plots: Vec::new(),
    }
}

fn table(all: &[Evaluation], names: &Names) -> Option<Table> {
    let found: Option<Vec<_>> = all.iter().map(|e| e.classifier.as_ref()).collect();
    let found = found?;
    let first = *found.first()?;
    let mut sides: Vec<_> = names
        .generated
        .iter()
        .cloned()
        .zip(found.iter().map(|c| &c.generated))
        .collect();
    sides.push(("reference's halves".to_owned(), &first.reference_halves));
    let rows = sides.into_iter().map(|(name, s)| {
        let mut row = vec![
            name,
            estimate(Some(s.area())),
            estimate(Some(s.divergence())),
        ];
        row.extend(s.events.map(|n| n.to_string()));
        row
    });
    Some(Table {
        caption: format!(
            "{} inputs ({}), three hidden layers of {}, {} parameters, {} epochs, batches of {}, seed {}",
            first.features,
            first.inputs,
            first.width,
            first.generated.parameters,
            first.epochs,
            first.batch,
            first.seed
        ),
        columns: strings(&[
            "Sample",
            "AUC",
            "JSD / ln 2",
            "Showers trained on",
            "tested",
            "validated",
        ]),
        rows: rows.collect(),
    })
}
