//! The curves of what is watched while a system trains.

use super::{Axis, Figure, LossTable, Plot, Role, Series};
use crate::Result;

/// Before the name of a mean, the column of the reference's mean.
const REFERENCE: &str = "reference_";

/// Plots of the text of a run's `watch.csv`, by name: `watch`, means of generated showers over those of the reference, and
/// `watch-distances`. What the run does not watch is left out.
pub fn watch_plots(csv: &str, title: &str) -> Result<Vec<(&'static str, Plot)>> {
    let table = LossTable::parse(csv)?;
    let column = |name: &str| Some(&table.losses.iter().find(|(n, _)| n == name)?.1);
    let (mut means, mut distances) = (Vec::new(), Vec::new());
    for (name, values) in &table.losses {
        if name.starts_with(REFERENCE) {
            continue;
        }
        match column(&format!("{REFERENCE}{name}")) {
            Some(of) => {
                let ratio = values.iter().zip(of).map(|(v, r)| v / r).collect();
                means.push((name, ratio));
            }
            None => distances.push((name, values.clone())),
        }
    }
    let figure = |label: &str, curves: Vec<(&String, Vec<f64>)>, one: bool| {
        let last = table.steps.iter().copied().fold(1.0, f64::max);
        // Names stand beside the curves.
        let across = Axis::linear("Step").with_range(0.0, 1.4 * last);
        let positive = curves
            .iter()
            .flat_map(|(_, y)| y)
            .all(|y| *y > 0.0 || y.is_nan());
        let up = match positive && !one {
            true => Axis::log(label),
            false => Axis::linear(label),
        };
        let mut figure = Figure::new(title, across, up);
        if one {
            let (x, y) = (vec![0.0, last], vec![1.0, 1.0]);
            figure = figure.with(Series::line("reference", Role::Reference, x, y));
        }
        for (k, (name, y)) in curves.into_iter().enumerate() {
            let role = Role::Generated(k);
            figure = figure.with(Series::line(name, role, table.steps.clone(), y));
        }
        Plot::from(figure)
    };
    let mut plots = Vec::new();
    if !means.is_empty() {
        plots.push((
            "watch",
            figure("Mean of generated / mean of reference", means, true),
        ));
    }
    if !distances.is_empty() {
        plots.push((
            "watch-distances",
            figure("Distance from the reference", distances, false),
        ));
    }
    Ok(plots)
}
