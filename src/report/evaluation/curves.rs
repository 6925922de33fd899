//! Curves: histograms of the observables, profiles, response and resolution by energy.

use super::names::{self, Names};
use crate::metrics::{Evaluation, LinearitySide, Profile};
use crate::report::{Axis, Figure, Plot, Role, Series};

const RATIO: &str = "gen. / ref.";

/// The distribution of an observable in all samples; none if they have no such observable, or no values of it.
pub fn observable(all: &[Evaluation], name: &str, names: &Names) -> Option<Plot> {
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

/// The mean profiles.
pub fn profiles(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let energy = Axis::log(format!("Energy per shower [{}]", first.unit));
    let mut plots = Vec::new();
    let mut add =
        |name: &str, title: &str, x: &str, y: Axis, of: fn(&Evaluation) -> Option<&Profile>| {
            let steps = |label: &str, role, y: &[f64]| {
                let edges = (0..=y.len()).map(|k| k as f64);
                let shift = if x == "Layer" { 0.5 } else { 0.0 };
                Series::steps(label, role, edges.map(|e| e - shift).collect(), y.to_vec())
            };
            let Some(profile) = of(first).filter(|p| p.reference.len() > 1) else {
                return;
            };
            let mut figure = Figure::new(title, Axis::linear(x), y).with(steps(
                &names.reference,
                Role::Reference,
                &profile.reference,
            ));
            for (k, profile) in all
                .iter()
                .enumerate()
                .filter_map(|(k, e)| Some((k, of(e)?)))
            {
                figure = figure.with(steps(
                    &names.generated[k],
                    Role::Generated(k),
                    &profile.generated,
                ));
            }
            plots.push((name.to_owned(), figure.with_ratio(RATIO).into()));
        };
    add(
        "longitudinal",
        "Longitudinal profile",
        "Layer",
        Axis::linear(energy.label.clone()),
        |e| Some(&e.profiles.longitudinal),
    );
    add(
        "radial",
        "Radial profile",
        "Distance from the axis [cells]",
        energy,
        |e| e.profiles.radial.as_ref(),
    );
    add(
        "occupancy",
        "Occupancy",
        "Layer",
        Axis::linear("Hits per shower"),
        |e| Some(&e.profiles.occupancy),
    );
    plots
}

/// A figure by energy with its error.
type Point = fn(&LinearitySide, usize) -> (f64, f64);

/// Mean and resolution by incident energy.
pub fn linearity(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let mut energies: Vec<f64> = all
        .iter()
        .flat_map(|e| e.linearity.energies.clone())
        .collect();
    energies.sort_by(f64::total_cmp);
    energies.dedup();
    if energies.is_empty() {
        return Vec::new();
    }
    let mean: Point = |side, k| (side.mu90[k], side.mu90_error[k]);
    let resolution: Point = |side, k| {
        let value = side.sigma90[k] / side.mu90[k];
        let relative =
            (side.sigma90_error[k] / side.sigma90[k]).hypot(side.mu90_error[k] / side.mu90[k]);
        (value, value * relative)
    };
    let plot = |title: &str, label: String, of: Point| -> Plot {
        let series = |name: &str, role, own: &[f64], side: &LinearitySide| {
            // Every series has a place for every energy, so that ratios find their partner.
            let points = energies.iter().map(|energy| {
                let k = own.iter().position(|e| e == energy);
                k.map_or((f64::NAN, 0.0), |k| of(side, k))
            });
            let (y, error) = points.unzip();
            Series::points(name, role, energies.clone(), y).with_error(error)
        };
        let x = Axis::linear("Incident energy [GeV]");
        let widest = all.iter().max_by_key(|e| e.linearity.energies.len());
        let mut figure = Figure::new(title, x, Axis::linear(label));
        if let Some(e) = widest {
            let (own, side) = (&e.linearity.energies, &e.linearity.reference);
            figure = figure.with(series(&names.reference, Role::Reference, own, side));
        }
        for (k, e) in all.iter().enumerate() {
            let (own, side) = (&e.linearity.energies, &e.linearity.generated);
            figure = figure.with(series(&names.generated[k], Role::Generated(k), own, side));
        }
        figure.with_ratio(RATIO).into()
    };
    vec![
        (
            "linearity".into(),
            plot(
                "Linearity",
                format!("μ90 of the visible energy [{}]", first.unit),
                mean,
            ),
        ),
        (
            "resolution".into(),
            plot("Resolution", "σ90 / μ90".into(), resolution),
        ),
    ]
}
