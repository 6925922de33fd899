//! The mean shower from two sides.

use super::Part;
use super::names::Names;
use crate::metrics::{Evaluation, SampleSummary};
use crate::report::{Heatmap, Plot};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Mean shower",
        text: "Energy per shower, summed along the line of sight, on one logarithmic scale.",
        tables: Vec::new(),
        plots: mean_showers(all, names),
    }
}

/// The mean shower from the front and, where there are layers, from the side.
fn mean_showers(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
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
