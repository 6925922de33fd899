//! Every observable: its distribution in a section for each kind, and a table of all figures.

use super::Part;
use super::curves;
use super::names::Names;
use super::text::{strings, with_error};
use crate::metrics::{Comparison, Evaluation};
use crate::report::Table;

const ENERGY: [&str; 3] = ["visible_energy", "cell_energy", "n_hits"];
const CENTRES: [&str; 6] = ["cog_x", "cog_y", "cog_z", "width_x", "width_y", "width_z"];
const DEVELOPMENT: [&str; 4] = ["e1_fraction", "e2_fraction", "e3_fraction", "shower_start"];
/// Drawn with the figures by energy.
const ELSEWHERE: [&str; 1] = ["response"];

/// Energies and hits.
pub fn energies(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Energies and hits",
        text: "Per shower, and for the cell energies per cell; cells below the threshold count as empty. Bars and the \
             grey band are statistical errors. The outermost 0.1 % of a sample is not drawn where it would stretch \
             the axis.",
        tables: Vec::new(),
        plots: curves::named(all, &ENERGY, names),
    }
}

/// Centres and widths, and what no other section shows.
pub fn centres(all: &[Evaluation], names: &Names) -> Part {
    let known = [&ENERGY[..], &CENTRES, &DEVELOPMENT, &ELSEWHERE].concat();
    let others = all
        .first()
        .map_or(&[][..], |first| &first.figures.observables);
    let others = others.iter().map(|o| o.name.as_str());
    let mut list = CENTRES.to_vec();
    list.extend(others.filter(|name| !known.contains(name) && !of_layer(name)));
    Part {
        heading: "Centre and width",
        text: "The energy-weighted mean of the cell index, and the energy-weighted mean square of its distance from \
             that centre.",
        tables: Vec::new(),
        plots: curves::named(all, &list, names),
    }
}

/// What is computed of a single layer of voxels in r and α stands in a section of its own, and in `report.json`.
fn of_layer(name: &str) -> bool {
    name.contains("_layer_")
}

/// All observables but those of single layers.
fn listed(e: &Evaluation) -> impl Iterator<Item = &Comparison> {
    e.figures.observables.iter().filter(|o| !of_layer(&o.name))
}

/// How showers develop along the beam.
pub fn development(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Longitudinal development",
        text: "The share of the visible energy in each third of the layers, and the layer in which a shower starts.",
        tables: Vec::new(),
        plots: curves::named(all, &DEVELOPMENT, names),
    }
}

/// All figures.
pub fn table(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "All observables",
        text: "JSD is the Jensen-Shannon divergence of the histograms (natural logarithm, at most 0.693), W1 the \
             Wasserstein distance in the observable's unit, KS the Kolmogorov-Smirnov statistic and p its probability \
             for samples of one distribution (cells of one shower are not independent, so that of the cell energies is \
             too small), area half the area between the normalised histograms, separation half the sum of \
             (h1 − h2)²/(h1 + h2). All but p are 0 for equal samples; beside the first three stands the same figure for \
             the two halves of the reference.",
        tables: (all.iter().zip(&names.generated))
            .flat_map(|(e, name)| [moments(e, name), distances(e, name)])
            .collect(),
        plots: Vec::new(),
    }
}

/// A figure of an observable.
type Column = fn(&Comparison) -> Option<f64>;

fn moments(e: &Evaluation, name: &str) -> Table {
    let columns: [(&str, Column); 4] = [
        ("Reference mean", |o| o.reference.mean),
        ("Generated mean", |o| o.generated.mean),
        ("Reference std", |o| o.reference.std),
        ("Generated std", |o| o.generated.std),
    ];
    let row = |o: &Comparison| {
        let errors = e.errors.as_ref().and_then(|e| e.observable(&o.name));
        let mut row = vec![o.name.clone()];
        row.extend(columns.map(|(_, of)| with_error(of(o), errors.and_then(of))));
        row
    };
    Table {
        caption: name.to_owned(),
        columns: std::iter::once("Observable")
            .chain(columns.map(|(name, _)| name))
            .map(String::from)
            .collect(),
        rows: listed(e).map(row).collect(),
    }
}

fn distances(e: &Evaluation, name: &str) -> Table {
    let beside: [Column; 3] = [|o| o.jsd, |o| o.wasserstein1, |o| o.ks];
    let alone: [Column; 3] = [
        |o| o.ks_p_value,
        |o| o.area_difference,
        |o| o.separation_power,
    ];
    let row = |o: &Comparison| {
        let errors = e.errors.as_ref().and_then(|e| e.observable(&o.name));
        let halves = e.halves.as_ref();
        let noise = halves.and_then(|h| h.figures.observable(&o.name));
        let mut row = vec![o.name.clone()];
        for of in beside {
            row.push(with_error(of(o), errors.and_then(of)));
            row.push(with_error(noise.and_then(of), None));
        }
        row.extend(alone.map(|of| with_error(of(o), errors.and_then(of))));
        row
    };
    Table {
        caption: name.to_owned(),
        columns: strings(&[
            "Observable",
            "JSD",
            "halves",
            "W1",
            "halves",
            "KS",
            "halves",
            "p",
            "Area",
            "Separation",
        ]),
        rows: listed(e).map(row).collect(),
    }
}
