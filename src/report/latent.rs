//! Pictures of codes: points of groups, and rows of decoded images.

use super::{Axis, Figure, Heatmap, Plot, Role, Series};

/// Points of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The name in the legend.
    pub label: String,
    /// Positions.
    pub points: Vec<[f64; 2]>,
}

/// Groups of points in two dimensions.
pub fn latent_plot(title: &str, [x, y]: [&str; 2], groups: &[Group]) -> Plot {
    let all = || groups.iter().flat_map(|g| &g.points);
    let span = |k: usize| {
        let ends = all()
            .map(|p| p[k])
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                (a.min(v), b.max(v))
            });
        let margin = 0.04 * (ends.1 - ends.0).max(f64::MIN_POSITIVE);
        (ends.0 - margin, ends.1 + margin)
    };
    let (across, up) = (span(0), span(1));
    // Names stand above the points.
    let up = (
        up.0,
        up.1 + 0.06 * (2 + groups.len()) as f64 * (up.1 - up.0),
    );
    let mut figure = Figure::new(
        title,
        Axis::linear(x).with_range(across.0, across.1),
        Axis::linear(y).with_range(up.0, up.1),
    );
    for (k, group) in groups.iter().enumerate() {
        let (x, y) = group.points.iter().map(|p| (p[0], p[1])).unzip();
        figure = figure.with(Series::points(&group.label, Role::Generated(k), x, y));
    }
    figure.into()
}

/// Showers `[n,Z,X,Y]` side by side, each summed over its layers, on one logarithmic scale. `titles` names them.
pub fn row_of_images(
    title: &str,
    showers: &[f32],
    [z, x, y]: [usize; 3],
    titles: &[String],
    unit: &str,
) -> Plot {
    let panel = |(shower, name): (&[f32], &String)| {
        let sum = |i: usize| {
            (0..z)
                .map(|k| f64::from(shower[k * x * y + i]))
                .sum::<f64>()
        };
        // Stored with y fastest; drawn with y upwards.
        let row = |j: usize| (0..x).map(|i| Some(sum(i * y + j))).collect();
        Heatmap {
            small: true,
            ..Heatmap::image(name, (0..y).map(row).collect(), format!("Energy [{unit}]"))
        }
    };
    Plot::Heatmaps {
        title: title.into(),
        panels: showers
            .chunks_exact(z * x * y)
            .zip(titles)
            .map(panel)
            .collect(),
    }
}
