//! Correlations of the observables.

use super::Part;
use super::names::Names;
use crate::metrics::Evaluation;
use crate::report::{Heatmap, Plot};

type Matrix = Vec<Vec<Option<f64>>>;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Correlations",
        text: "Pearson's coefficient of the observables, over the showers with visible energy. Grey where an \
             observable is constant.",
        tables: Vec::new(),
        plots: correlations(all, names),
    }
}

/// For each generated sample the two matrices and their difference.
fn correlations(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let mut plots = Vec::new();
    for (k, evaluation) in all.iter().enumerate() {
        let correlation = &evaluation.figures.correlation;
        // A column that is constant in both, such as the layer of an image, says nothing.
        let kept: Vec<usize> = (0..correlation.names.len())
            .filter(|&i| {
                correlation.reference[i][i].is_some() || correlation.generated[i][i].is_some()
            })
            .collect();
        let part = |of: &dyn Fn(usize, usize) -> Option<f64>| -> Matrix {
            kept.iter()
                .map(|&i| kept.iter().map(|&j| of(i, j)).collect())
                .collect()
        };
        let labels: Vec<String> = kept
            .iter()
            .map(|&i| correlation.names[i].replace('_', " "))
            .collect();
        let (a, b) = (&correlation.reference, &correlation.generated);
        let difference = part(&|i, j| Some(b[i][j]? - a[i][j]?));
        let largest = correlation.max_abs_difference.unwrap_or(0.0);
        let range = [0.05, 0.1, 0.2, 0.5, 1.0]
            .into_iter()
            .find(|&range| largest <= range)
            .unwrap_or(2.0);
        let suffix = if k > 0 {
            format!("-{}", k + 1)
        } else {
            String::new()
        };
        let name = format!("correlation{suffix}");
        let both = Plot::Heatmaps {
            title: "Correlation of the observables".into(),
            panels: vec![
                Heatmap::correlation(&names.reference, &labels, part(&|i, j| a[i][j])),
                Heatmap::correlation(&names.generated[k], &labels, part(&|i, j| b[i][j])),
                Heatmap {
                    range: Some((-range, range)),
                    bar_label: "Difference".into(),
                    ..Heatmap::correlation("generated − reference", &labels, difference)
                },
            ],
        };
        plots.push((name, both));
    }
    plots
}
