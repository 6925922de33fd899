//! Profiles along the beam and across, and how layers go together.

use super::Part;
use super::curves::RATIO;
use super::names::Names;
use crate::metrics::{Evaluation, Figures, Profile};
use crate::report::{Axis, Figure, Plot, Role, Series};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    let mut plots = profiles(all, names);
    plots.extend(layers(all, names));
    plots.extend(depth(all, names));
    let layered = all.iter().any(|e| e.figures.depth.is_some());
    Part {
        heading: "Profiles",
        text: if !layered {
            "Means per shower. Bars are statistical errors."
        } else {
            "Means per shower; the correlation of the energy in each layer with that in the next; and the mean \
             centre of gravity along the beam by visible energy. Bars are statistical errors."
        },
        tables: Vec::new(),
        plots,
    }
}

/// The reference and the generated samples with their errors.
type Sides<'a> = Vec<(&'a str, Role, &'a [f64], Option<&'a [f64]>)>;

fn sides<'a>(
    all: &'a [Evaluation],
    names: &'a Names,
    of: fn(&Figures) -> Option<&Profile>,
) -> Option<Sides<'a>> {
    let first = all.first()?;
    let error = |e: &'a Evaluation| e.errors.as_ref().and_then(of);
    let mut sides: Sides = vec![(
        &names.reference,
        Role::Reference,
        &of(&first.figures)?.reference,
        error(first).map(|e| e.reference.as_slice()),
    )];
    for (k, e) in all.iter().enumerate() {
        let error = error(e).map(|e| e.generated.as_slice());
        let name = names.generated[k].as_str();
        sides.push((name, Role::Generated(k), &of(&e.figures)?.generated, error));
    }
    Some(sides)
}

/// The mean profiles.
fn profiles(all: &[Evaluation], names: &Names) -> Vec<(String, Plot)> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let energy = format!("Energy per shower [{}]", first.unit);
    let mut plots = Vec::new();
    let mut add = |name: &str, title: &str, x: &str, y: Axis, of| {
        let Some(sides) = sides(all, names, of).filter(|s| s[0].2.len() > 1) else {
            return;
        };
        let shift = if x == "Layer" { 0.5 } else { 0.0 };
        let mut figure = Figure::new(title, Axis::linear(x), y);
        for (label, role, y, error) in sides {
            let edges = (0..=y.len()).map(|k| k as f64 - shift);
            let mut series = Series::steps(label, role, edges.collect(), y.to_vec());
            series.error = error.map(<[f64]>::to_vec);
            figure = figure.with(series);
        }
        plots.push((name.to_owned(), figure.with_ratio(RATIO).into()));
    };
    add(
        "longitudinal",
        "Longitudinal profile",
        "Layer",
        Axis::linear(energy.clone()),
        |f| Some(&f.profiles.longitudinal),
    );
    add(
        "radial",
        "Radial profile",
        "Distance from the axis [cells]",
        Axis::log(energy),
        |f| f.profiles.radial.as_ref(),
    );
    add(
        "occupancy",
        "Hits by layer",
        "Layer",
        Axis::linear("Hits per shower"),
        |f| Some(&f.profiles.occupancy),
    );
    plots
}

/// Values of both samples at common places.
type Places<'a> = (&'a [Option<f64>], &'a [Option<f64>]);

/// The correlation of each layer with the next.
fn layers(all: &[Evaluation], names: &Names) -> Option<(String, Plot)> {
    let first = all.first()?.figures.layer_correlation.as_ref()?;
    let count = first.reference.len();
    let figure = Figure::new(
        "Correlation of a layer with the next",
        Axis::linear("Layer"),
        Axis::linear("Correlation of the energies"),
    );
    let x = |_: &Evaluation| (0..count).map(|z| z as f64).collect();
    let figure = points(figure, all, names, x, |f| {
        let found = f.layer_correlation.as_ref()?;
        Some((&found.reference, &found.generated))
    });
    Some(("layer_correlation".into(), figure.into()))
}

/// Depth by signal.
fn depth(all: &[Evaluation], names: &Names) -> Option<(String, Plot)> {
    let first = all.first()?;
    first.figures.depth.as_ref()?;
    let figure = Figure::new(
        "Depth by signal",
        Axis::linear(format!("Visible energy [{}]", first.unit)),
        Axis::linear("Mean cog z [layers]"),
    );
    let x = |e: &Evaluation| {
        let depth = e.figures.depth.as_ref();
        depth.map_or(Vec::new(), |d| d.visible_energy.clone())
    };
    let figure = points(figure, all, names, x, |f| {
        let found = f.depth.as_ref()?;
        Some((&found.reference, &found.generated))
    });
    Some(("depth".into(), figure.into()))
}

/// Adds the points of the reference and of each generated sample; those of the reference stand where its comparison with the
/// first generated sample has them.
fn points(
    mut figure: Figure,
    all: &[Evaluation],
    names: &Names,
    x: impl Fn(&Evaluation) -> Vec<f64>,
    of: fn(&Figures) -> Option<Places>,
) -> Figure {
    let numbers = |values: &[Option<f64>]| -> Vec<f64> {
        values.iter().map(|v| v.unwrap_or(f64::NAN)).collect()
    };
    for (k, e) in all.iter().enumerate() {
        let (Some(found), errors) = (of(&e.figures), e.errors.as_ref().and_then(of)) else {
            continue;
        };
        let mut add = |name: &str, role, values: &[Option<f64>], errors: Option<&[Option<f64>]>| {
            let mut series = Series::points(name, role, x(e), numbers(values));
            series.error = errors.map(numbers);
            figure.series.push(series);
        };
        if k == 0 {
            let name = &names.reference;
            add(name, Role::Reference, found.0, errors.map(|e| e.0));
        }
        let name = &names.generated[k];
        add(name, Role::Generated(k), found.1, errors.map(|e| e.1));
    }
    figure
}
