//! Profiles along the beam and across.

use super::Part;
use super::curves::RATIO;
use super::names::Names;
use crate::metrics::{Evaluation, Profile};
use crate::report::{Axis, Figure, Plot, Role, Series};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Profiles",
        text: "Means per shower.",
        tables: Vec::new(),
        plots: profiles(all, names),
    }
}

/// The mean profiles.
fn profiles(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
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
