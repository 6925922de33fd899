//! Distances over high-level features.

use super::Part;
use super::names::Names;
use super::text::with_error;
use crate::metrics::{DistanceFigures, Estimate, Evaluation};
use crate::report::Table;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Distances over features",
        text: "Every shower as a vector of high-level features, each divided by its largest magnitude in the reference. \
             FPD and KPD are the Fréchet and the kernel physics distance, KD the kernel distance of degree 3, MMD the squared \
             maximum mean discrepancy with a Gaussian kernel: all 0 for samples of one distribution. Precision, recall, \
             density and coverage count neighbourhoods of five showers, and are compared with those of the reference's \
             halves, each of which has half the showers.",
        tables: table(all, names).into_iter().collect(),
        plots: Vec::new(),
    }
}

/// A row for each distance, a column for each sample and one for the reference's halves.
fn table(all: &[Evaluation], names: &Names) -> Option<Table> {
    let found: Option<Vec<_>> = all.iter().map(|e| e.distances.as_ref()).collect();
    let found = found?;
    let first = *found.first()?;
    let mut sides: Vec<&DistanceFigures> = found.iter().map(|d| &d.generated).collect();
    sides.push(&first.reference_halves);
    let rows = first.generated.estimates().map(|(name, _)| name);
    let rows = rows.iter().enumerate().map(|(k, name)| {
        let figures = sides.iter().map(|side| estimate(side.estimates()[k].1));
        std::iter::once((*name).to_owned()).chain(figures).collect()
    });
    let halves = "reference's halves".to_owned();
    let columns = std::iter::once("Figure".to_owned());
    let [low, high] = first.generated.fpd_sizes;
    Some(Table {
        caption: format!(
            "{} features; batches of {low} to {high} showers for FPD, of {} for KPD, KD and MMD; seed {}",
            first.features.len(),
            first.generated.kernel_size,
            first.seed
        ),
        columns: columns
            .chain(names.generated.iter().cloned())
            .chain([halves])
            .collect(),
        rows: rows.collect(),
    })
}

/// A figure and its error.
pub fn estimate(found: Option<Estimate>) -> String {
    with_error(found.map(|e| e.value), found.map(|e| e.error))
}
