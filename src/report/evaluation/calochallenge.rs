//! High-level features of the CaloChallenge: separation powers and distributions by layer.

use super::Part;
use super::curves::RATIO;
use super::names::Names;
use super::text::{strings, with_error};
use crate::metrics::{
    Counts, Evaluation, FeatureMoments, HighLevel, HighLevelFigures, Moments, SeparationPowers,
};
use crate::observables::Quantity;
use crate::report::{Axis, Figure, Plot, Role, Series, Table};

/// Most layers whose distributions are all drawn; of more, so many spread over the depth.
const ALL_LAYERS: usize = 7;
const SOME_LAYERS: usize = 3;

/// What is computed of a layer, in the order of the section.
const QUANTITIES: [Quantity; 8] = [
    Quantity::Energy,
    Quantity::Sparsity,
    Quantity::CentreEta,
    Quantity::CentrePhi,
    Quantity::CentreR,
    Quantity::WidthEta,
    Quantity::WidthPhi,
    Quantity::WidthR,
];

/// The section; empty where showers lie on a grid.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    let found: Vec<&HighLevel> = all
        .iter()
        .filter_map(|e| e.calochallenge.as_ref())
        .collect();
    let unit = all.first().map_or("", |e| &e.unit);
    let mut plots = Vec::new();
    if let Some(first) = found.first() {
        plots.extend(whole(&found, first, names, unit));
        for quantity in QUANTITIES {
            plots.extend(by_layer(all, first, quantity, names));
            plots.extend(distributions(&found, first, quantity, names, unit));
        }
    }
    Part {
        heading: "High-level features in r and α",
        text: "Separation power is ½ Σ (a − b)² / (a + b) of histograms of unit sum, in the CaloChallenge's ranges: 0 for \
               equal histograms, 1 for such that nowhere overlap. Halves are those of the reference: \
               what chance alone gives for samples of half its size. Centre of energy and width are the \
               energy-weighted mean of a layer and its standard deviation, with η = r cos α and φ = r sin α in mm.",
        tables: tables(&found, names),
        plots,
    }
}

/// A separation power among all.
type Of<'a> = &'a dyn Fn(&SeparationPowers) -> Option<f64>;

/// Name in tables and titles, and label of the axis.
fn words(quantity: Quantity, unit: &str) -> (&'static str, String) {
    match quantity {
        Quantity::Energy => ("Layer energy", format!("Energy in the layer [{unit}]")),
        Quantity::Total => ("Visible energy", format!("Visible energy [{unit}]")),
        Quantity::Sparsity => ("Sparsity", "Share of voxels without energy".into()),
        Quantity::CentreEta => ("Centre of energy in η", "Centre of energy in η [mm]".into()),
        Quantity::CentrePhi => ("Centre of energy in φ", "Centre of energy in φ [mm]".into()),
        Quantity::CentreR => ("Centre of energy in r", "Centre of energy in r [mm]".into()),
        Quantity::WidthEta => ("Width in η", "Width in η [mm]".into()),
        Quantity::WidthPhi => ("Width in φ", "Width in φ [mm]".into()),
        Quantity::WidthR => ("Width in r", "Width in r [mm]".into()),
    }
}

/// Separation powers, those of layers as their mean and largest, a table for each generated sample.
fn tables(found: &[&HighLevel], names: &Names) -> Vec<Table> {
    let table = |(high, name): (&&HighLevel, &String)| {
        let errors = high.errors.as_ref();
        let own = |f: &'_ HighLevelFigures, of: Of| of(&f.separation_power);
        let noise = |f: &'_ HighLevelFigures, of: Of| of(&f.reference_halves);
        let row = |name: String, largest: String, of: Of| {
            let figure = |side: fn(&HighLevelFigures, Of) -> Option<f64>| {
                with_error(side(&high.figures, of), errors.and_then(|e| side(e, of)))
            };
            vec![name, figure(own), largest, figure(noise)]
        };
        let single = |name: &str, of: Of| row(name.into(), String::new(), of);
        let mut rows = vec![
            single("Visible / incident energy", &|s| s.e_tot_over_e_inc),
            single("Voxel energy", &|s| s.voxel_energy),
        ];
        for quantity in QUANTITIES {
            let of_layers = high.figures.separation_power.layers.get(quantity.name());
            let known = of_layers.into_iter().flatten();
            let known = known.filter_map(|(&id, &power)| Some((id, power?)));
            let largest = known.max_by(|a, b| a.1.total_cmp(&b.1));
            let largest = largest.map_or(String::new(), |(id, power)| {
                let errors = errors.and_then(|e| e.separation_power.layers.get(quantity.name()));
                let error = errors.and_then(|e| *e.get(&id)?);
                format!("{} in layer {id}", with_error(Some(power), error))
            });
            let name = format!("{}, mean of layers", words(quantity, "").0);
            let mean = |s: &SeparationPowers| *s.mean_of_layers.get(quantity.name())?;
            rows.push(row(name, largest, &mean));
        }
        Table {
            caption: format!("Separation power, {name}"),
            columns: strings(&[
                "Quantity",
                "Generated",
                "Largest",
                "Halves of the reference",
            ]),
            rows,
        }
    };
    found.iter().zip(&names.generated).map(table).collect()
}

/// Distributions that belong to no layer.
fn whole(
    found: &[&HighLevel],
    first: &HighLevel,
    names: &Names,
    unit: &str,
) -> Vec<(String, Plot)> {
    let titles = [
        (
            "e_tot_over_e_inc",
            "Visible over incident energy",
            "Visible / incident energy".to_owned(),
        ),
        (
            "voxel_energy",
            "Voxel energies",
            format!("Voxel energy [{unit}]"),
        ),
    ];
    let plot = |(name, title, label): (&str, &str, String)| {
        let counts = first.histograms.iter().find(|c| c.name == name)?;
        let plot = distribution(found, counts, title.into(), label, names);
        Some((name.to_owned(), plot))
    };
    titles.into_iter().filter_map(plot).collect()
}

/// The distributions of a quantity in some layers.
fn distributions(
    found: &[&HighLevel],
    first: &HighLevel,
    quantity: Quantity,
    names: &Names,
    unit: &str,
) -> Vec<(String, Plot)> {
    let all: Vec<&Counts> = first
        .histograms
        .iter()
        .filter(|c| c.name == quantity.name())
        .collect();
    let spread = |k: usize| all[(2 * k + 1) * all.len() / (2 * SOME_LAYERS)];
    let chosen: Vec<&Counts> = match all.len() {
        0..=ALL_LAYERS => all.clone(),
        _ => (0..SOME_LAYERS).map(spread).collect(),
    };
    let (title, label) = words(quantity, unit);
    let plot = |counts: &Counts| {
        let layer = counts.layer?;
        let title = format!("{title}, layer {layer}");
        let plot = distribution(found, counts, title, label.clone(), names);
        let name = counts.name.trim_end_matches("_layer");
        Some((format!("{name}_layer_{layer}"), plot))
    };
    chosen.into_iter().filter_map(plot).collect()
}

/// One histogram in all samples; `counts` is that of the first comparison.
fn distribution(
    found: &[&HighLevel],
    counts: &Counts,
    title: String,
    label: String,
    names: &Names,
) -> Plot {
    let x = match counts.log {
        true => Axis::log(label),
        false => Axis::linear(label),
    };
    let share = |n: f64, all: &[u64]| n / (all.iter().sum::<u64>() as f64).max(1.0);
    let series = |name: &str, role, own: &[u64]| {
        let y = own.iter().map(|&n| share(n as f64, own)).collect();
        let error = own.iter().map(|&n| share((n as f64).sqrt(), own)).collect();
        Series::steps(name, role, counts.edges.clone(), y).with_error(error)
    };
    let mut figure = Figure::new(title, x, Axis::linear("Share per bin")).with(series(
        &names.reference,
        Role::Reference,
        &counts.reference,
    ));
    for (k, high) in found.iter().enumerate() {
        let same = |c: &&Counts| c.name == counts.name && c.layer == counts.layer;
        if let Some(own) = high.histograms.iter().find(same) {
            figure = figure.with(series(
                &names.generated[k],
                Role::Generated(k),
                &own.generated,
            ));
        }
    }
    figure.with_ratio(RATIO).into()
}

/// Separation power and mean of a quantity by layer, where there is more than one.
fn by_layer(
    all: &[Evaluation],
    first: &HighLevel,
    quantity: Quantity,
    names: &Names,
) -> Vec<(String, Plot)> {
    let found = || all.iter().filter_map(|e| e.calochallenge.as_ref());
    let name = quantity.name();
    let layers = first.figures.separation_power.layers.get(name);
    let Some(layers) = layers.filter(|l| l.len() > 1) else {
        return Vec::new();
    };
    let (title, label) = words(quantity, "");
    let x: Vec<f64> = layers.keys().map(|&id| id as f64).collect();
    let powers =
        |label: &str, role, high: &HighLevel, of: fn(&HighLevelFigures) -> &SeparationPowers| {
            let powers = |figures: &HighLevelFigures| -> Vec<f64> {
                let own = of(figures).layers.get(name);
                let power = |id| own.and_then(|own| *own.get(id)?).unwrap_or(f64::NAN);
                layers.keys().map(power).collect()
            };
            let mut series = Series::points(label, role, x.clone(), powers(&high.figures));
            series.error = high.errors.as_ref().map(powers);
            series
        };
    let mut separation = Figure::new(
        format!("Separation power by layer: {title}"),
        Axis::linear("Layer"),
        Axis::log("Separation power"),
    )
    .with(powers(
        "halves of the reference",
        Role::Reference,
        first,
        |f| &f.reference_halves,
    ));
    for (k, high) in found().enumerate() {
        let (name, role) = (&names.generated[k], Role::Generated(k));
        separation = separation.with(powers(name, role, high, |f| &f.separation_power));
    }
    let mut plots = vec![(format!("separation_{name}"), separation.into())];
    // The mean energies are the longitudinal profile.
    if quantity == Quantity::Energy {
        return plots;
    }
    let scale = if quantity == Quantity::Sparsity {
        1.0
    } else {
        100.0
    };
    let prefix = format!("{name}_layer_");
    let features = &first.figures.features.names;
    let places: Vec<usize> = (0..features.len())
        .filter(|&i| features[i].starts_with(&prefix))
        .collect();
    let means = |label: &str, role, high: &HighLevel, of: fn(&FeatureMoments) -> &[Moments]| {
        let means = |figures: &HighLevelFigures| -> Vec<f64> {
            let mean = |&i: &usize| {
                of(&figures.features)[i]
                    .mean
                    .map_or(f64::NAN, |m| m * scale)
            };
            places.iter().map(mean).collect()
        };
        let mut series = Series::points(label, role, x.clone(), means(&high.figures));
        series.error = high.errors.as_ref().map(means);
        series
    };
    let mut mean = Figure::new(
        format!("Mean by layer: {title}"),
        Axis::linear("Layer"),
        Axis::linear(format!("Mean: {label}")),
    )
    .with(means(&names.reference, Role::Reference, first, |f| {
        &f.reference
    }));
    for (k, high) in found().enumerate() {
        let (name, role) = (&names.generated[k], Role::Generated(k));
        mean = mean.with(means(name, role, high, |f| &f.generated));
    }
    plots.push((format!("mean_{name}"), mean.into()));
    plots
}
