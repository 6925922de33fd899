//! Distributions of observables as plots.

use super::names::{self, Names};
use crate::metrics::Evaluation;
use crate::report::{Axis, Figure, Plot, Role, Series};

/// Name of the axis of ratios.
pub const RATIO: &str = "gen. / ref.";

/// The distributions of those observables of `list` that have one, by name.
pub fn named(all: &[Evaluation], list: &[&str], names: &Names) -> Vec<(String, Plot)> {
    list.iter()
        .filter_map(|&name| Some((name.to_owned(), observable(all, name, names)?)))
        .collect()
}

/// The distribution of an observable in all samples; none if they have no such observable, or no values of it.
fn observable(all: &[Evaluation], name: &str, names: &Names) -> Option<Plot> {
    let first = all.first()?;
    let of_first = first.observable(name)?.histogram.as_ref()?;
    // One value in all samples, such as the layer of an image: nothing to see.
    if !of_first.log && of_first.edges.len() <= 2 {
        return None;
    }
    let (title, label) = names::observable(name, first);
    let (x, y) = if of_first.log {
        (Axis::log(label), Axis::log("Cells per shower and bin"))
    } else {
        (
            Axis::linear(label),
            Axis::linear("Share of showers per bin"),
        )
    };
    let series = |label: &str, role, counts: &[u64], total: f64| {
        let share = |n: f64| n / total.max(1.0);
        let y = counts.iter().map(|&n| share(n as f64)).collect();
        let error = counts.iter().map(|&n| share((n as f64).sqrt())).collect();
        Series::steps(label, role, of_first.edges.clone(), y).with_error(error)
    };
    let events = |n: usize| n as f64;
    let mut figure = Figure::new(title, x, y).with(series(
        &names.reference,
        Role::Reference,
        &of_first.reference,
        events(first.reference.events),
    ));
    for (k, evaluation) in all.iter().enumerate() {
        if let Some(histogram) = evaluation
            .observable(name)
            .and_then(|o| o.histogram.as_ref())
        {
            figure = figure.with(series(
                &names.generated[k],
                Role::Generated(k),
                &histogram.generated,
                events(evaluation.generated.events),
            ));
        }
    }
    Some(figure.with_ratio(RATIO).into())
}
