//! How many showers of the reference a generated sample is worth.

use super::Part;
use super::names::Names;
use super::text::{short, strings};
use crate::metrics::{Amplification, Evaluation, Worth};
use crate::report::{Axis, Figure, Plot, Role, Series, Table};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    let found: Vec<(&Amplification, &String)> = all
        .iter()
        .zip(&names.generated)
        .filter_map(|(e, name)| Some((e.amplification.as_ref()?, name)))
        .collect();
    let plot = found
        .first()
        .map(|(first, _)| ("amplification".to_owned(), plot(first, &found)));
    Part {
        heading: "Amplification",
        text: "A sample's deviation is the mean over quantiles of an observable of the squared relative difference of \
               their contents from the truth, for which a random half of the reference stands. The generated sample is \
               worth as many showers of the reference as deviate as much as it does (after Butter et al. 2021).",
        tables: found.iter().map(|(a, name)| table(a, name)).collect(),
        plots: plot.into_iter().collect(),
    }
}

fn table(a: &Amplification, name: &str) -> Table {
    let trained = a
        .trained_on
        .map_or(String::new(), |n| format!(", trained on {n}"));
    let factor = a
        .factor
        .map_or(String::new(), |f| format!(": a factor of {}", short(f)));
    let row = |worth: &Worth| {
        let [low, high] = worth.interval.map(|end| end.map_or("∞".into(), short));
        let events = worth.events.map_or("more than can be told".into(), short);
        vec![
            worth.name.clone(),
            short(worth.generated),
            events,
            format!("{low} to {high}"),
        ]
    };
    Table {
        caption: format!("{name}, {} showers{trained}{factor}", a.generated_events),
        columns: strings(&["Observable", "Deviation", "Worth, showers", "68 %"]),
        rows: a.observables.iter().chain([&a.all]).map(row).collect(),
    }
}

fn plot(first: &Amplification, found: &[(&Amplification, &String)]) -> Plot {
    let curve = &first.all;
    let x: Vec<f64> = curve.sizes.iter().map(|&m| m as f64).collect();
    let ends = [x[0], x[x.len() - 1]];
    let mut figure = Figure::new(
        "Deviation of quantiles",
        Axis::log("Showers of the reference"),
        Axis::log("Mean squared relative deviation"),
    )
    .with(
        Series::line("reference", Role::Reference, x, curve.reference.clone())
            .with_error(curve.reference_error.clone()),
    );
    for (i, (a, name)) in found.iter().enumerate() {
        let role = Role::Generated(i);
        let level = vec![a.all.generated; 2];
        let worth = a.all.events.unwrap_or(ends[1]);
        let across = vec![ends[0].min(worth), ends[1].max(worth)];
        figure = figure.with(Series::line(*name, role, across, level));
        if let Some(m) = a.all.events {
            figure = figure.with(Series::points("", role, vec![m], vec![a.all.generated]));
        }
    }
    figure.into()
}
