//! Images: the mean shower from two sides, and correlation matrices.

use super::names::Names;
use crate::metrics::{Evaluation, SampleSummary};
use crate::report::{Heatmap, Plot};

type Matrix = Vec<Vec<Option<f64>>>;

/// The mean shower from the front and, where there are layers, from the side.
pub fn mean_showers(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let Some([nz, _, ny]) = first.reference.geometry.grid() else {
        return Vec::new();
    };
    let samples = || {
        let generated = all.iter().map(|e| &e.generated).zip(&names.generated);
        std::iter::once((&first.reference, &names.reference)).chain(generated)
    };
    let view = |title: &str, x: &str, of: fn(&SampleSummary) -> Option<Vec<f64>>| {
        let panels = samples().filter_map(|(sample, name)| {
            let image = of(sample)?;
            // Stored with y fastest; drawn with y upwards.
            let rows =
                (0..ny).map(|y| image.iter().skip(y).step_by(ny).map(|&e| Some(e)).collect());
            Some(Heatmap {
                x_label: x.into(),
                ..Heatmap::image(
                    name,
                    rows.collect(),
                    format!("Energy per shower [{}]", first.unit),
                )
            })
        });
        Plot::Heatmaps {
            title: title.into(),
            panels: panels.collect(),
        }
    };
    let mut plots = vec![(
        "mean_front".into(),
        view(
            "Mean shower from the front",
            "x [cells]",
            SampleSummary::front_image,
        ),
    )];
    if nz > 1 {
        plots.push((
            "mean_side".into(),
            view(
                "Mean shower from the side",
                "z [layers]",
                SampleSummary::side_image,
            ),
        ));
    }
    plots
}

/// For each generated sample the two matrices and their difference.
pub fn correlations(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let mut plots = Vec::new();
    for (k, evaluation) in all.iter().enumerate() {
        let correlation = &evaluation.correlation;
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
