//! Fréchet Inception Distances.

use super::Part;
use super::names::Names;
use super::text::{strings, with_error};
use crate::metrics::Evaluation;
use crate::report::Table;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Fréchet Inception Distance",
        text: "Of the pooled features of Inception v3, which was trained on photographs and reads the showers as images whose \
             pixels are energies. Beside it the distance of two halves of the reference, each with half the showers: a distance \
             of few showers is too large.",
        tables: table(all, names).into_iter().collect(),
        plots: Vec::new(),
    }
}

fn table(all: &[Evaluation], names: &Names) -> Option<Table> {
    let found: Option<Vec<_>> =
        (all.iter().map(|e| e.frechet_inception_distance.as_ref())).collect();
    let found = found?;
    let first = *found.first()?;
    let rows = found.iter().zip(&names.generated).flat_map(|(d, name)| {
        let pairs = [
            ("summed over layers", Some(d.summed)),
            ("mean of layers", d.layerwise_mean),
        ];
        pairs.into_iter().filter_map(move |(images, pair)| {
            let pair = pair?;
            let figures = [pair.generated, pair.reference_halves].map(|d| with_error(d, None));
            let [generated, halves] = figures;
            Some(vec![
                name.clone(),
                images.into(),
                generated,
                halves,
                d.events[1].to_string(),
            ])
        })
    });
    Some(Table {
        caption: format!(
            "Weights {} ({}), {} × {} pixels",
            first.weights, first.variant, first.size, first.size
        ),
        columns: strings(&[
            "Sample",
            "Images",
            "Distance",
            "Reference's halves",
            "Showers",
        ]),
        rows: rows.collect(),
    })
}
