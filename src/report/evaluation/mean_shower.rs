//! The mean shower and the occupancy of the cells, from two sides.

use super::Part;
use super::names::Names;
use crate::metrics::{Evaluation, SampleSummary};
use crate::report::{Heatmap, Plot};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    let mut plots = views(all, names, &ENERGY);
    plots.extend(views(all, names, &HITS));
    Part {
        heading: "Mean shower",
        text: "Energy per shower, and hits per shower: the share of showers in which a cell is hit, both summed along \
             the line of sight and on one logarithmic scale.",
        tables: Vec::new(),
        plots,
    }
}

/// What is shown of the cells.
struct Quantity {
    name: &'static str,
    title: &'static str,
    bar: &'static str,
    has_unit: bool,
    of: fn(&SampleSummary) -> &[f64],
}

const ENERGY: Quantity = Quantity {
    name: "mean",
    title: "Mean shower",
    bar: "Energy per shower",
    has_unit: true,
    of: |sample| &sample.mean_shower,
};

const HITS: Quantity = Quantity {
    name: "occupancy",
    title: "Occupancy",
    bar: "Hits per shower",
    has_unit: false,
    of: |sample| &sample.hit_fraction,
};

/// From the front and, where there are layers, from the side.
fn views(all: &[Evaluation], names: &Names, quantity: &Quantity) -> Vec<(String, Plot)> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let Some([nz, _, ny]) = first.reference.geometry.grid() else {
        return Vec::new();
    };
    let bar = match quantity.has_unit {
        true => format!("{} [{}]", quantity.bar, first.unit),
        false => quantity.bar.into(),
    };
    let samples = || {
        let generated = all.iter().map(|e| &e.generated).zip(&names.generated);
        std::iter::once((&first.reference, &names.reference)).chain(generated)
    };
    let view = |side: &str, x: &str, of: fn(&SampleSummary, &[f64]) -> Option<Vec<f64>>| {
        let panels = samples().filter_map(|(sample, name)| {
            let image = of(sample, (quantity.of)(sample))?;
            // Stored with y fastest; drawn with y upwards.
            let rows =
                (0..ny).map(|y| image.iter().skip(y).step_by(ny).map(|&e| Some(e)).collect());
            Some(Heatmap {
                x_label: x.into(),
                ..Heatmap::image(name, rows.collect(), bar.clone())
            })
        });
        let plot = Plot::Heatmaps {
            title: format!("{} from the {side}", quantity.title),
            panels: panels.collect(),
        };
        (format!("{}_{side}", quantity.name), plot)
    };
    let mut plots = vec![view("front", "x [cells]", SampleSummary::front_image)];
    if nz > 1 {
        plots.push(view("side", "z [layers]", SampleSummary::side_image));
    }
    plots
}
