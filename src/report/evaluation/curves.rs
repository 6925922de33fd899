//! Distributions of observables as plots.

use super::names::{self, Names};
use super::text::short;
use crate::metrics::{Evaluation, Figures, Histogram};
use crate::report::{Axis, Figure, Plot, Region, Role, Series};

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
    let of_first = first.figures.observable(name)?.histogram.as_ref()?;
    // One value in all samples, such as the layer of an image: nothing to see.
    if !of_first.log && of_first.edges.len() <= 2 {
        return None;
    }
    let (title, mut label) = names::observable(name, first);
    let mip = first.mip.filter(|_| name == "cell_energy");
    if let Some(mip) = mip {
        label += &format!(
            "; shaded: half to twice one MIP, {} {}",
            short(mip),
            first.unit
        );
    }
    let (x, y) = if of_first.log {
        (Axis::log(label), Axis::log("Cells per shower and bin"))
    } else {
        (
            Axis::linear(label),
            Axis::linear("Share of showers per bin"),
        )
    };
    let series = |label: &str, role, counts: &[f64], errors: Option<&Vec<f64>>, events: usize| {
        let share = |n: f64| n / (events as f64).max(1.0);
        let poisson: Vec<f64> = counts.iter().map(|n| n.sqrt()).collect();
        let errors = errors.unwrap_or(&poisson).iter().map(|&e| share(e));
        let y = counts.iter().map(|&n| share(n)).collect();
        Series::steps(label, role, of_first.edges.clone(), y).with_error(errors.collect())
    };
    fn histogram<'a>(figures: &'a Figures, name: &str) -> Option<&'a Histogram> {
        figures.observable(name)?.histogram.as_ref()
    }
    let errors = |e: &'_ Evaluation| histogram(e.errors.as_ref()?, name).cloned();
    let mut figure = Figure::new(title, x, y).with(series(
        &names.reference,
        Role::Reference,
        &of_first.reference,
        errors(first).map(|e| e.reference).as_ref(),
        first.reference.events,
    ));
    for (k, evaluation) in all.iter().enumerate() {
        if let Some(found) = histogram(&evaluation.figures, name) {
            figure = figure.with(series(
                &names.generated[k],
                Role::Generated(k),
                &found.generated,
                errors(evaluation).map(|e| e.generated).as_ref(),
                evaluation.generated.events,
            ));
        }
    }
    figure.regions.extend(mip.map(|mip| Region {
        from: 0.5 * mip,
        at: mip,
        to: 2.0 * mip,
    }));
    Some(figure.with_ratio(RATIO).into())
}
