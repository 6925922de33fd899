//! Every observable: its distribution in a section for each kind, and a table of all figures.

use super::Part;
use super::curves;
use super::names::Names;
use super::text::{number, strings};
use crate::metrics::Evaluation;
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
    let others = all.first().map_or(&[][..], |first| &first.observables);
    let others = others.iter().map(|o| o.name.as_str());
    let mut list = CENTRES.to_vec();
    list.extend(others.filter(|name| !known.contains(name)));
    Part {
        heading: "Centre and width",
        text: "The energy-weighted mean of the cell index, and the energy-weighted mean square of its distance from \
             that centre.",
        tables: Vec::new(),
        plots: curves::named(all, &list, names),
    }
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
             Wasserstein distance in the observable's unit, KS the Kolmogorov-Smirnov statistic. All are 0 for \
             equal samples.",
        tables: tables(all, names),
        plots: Vec::new(),
    }
}

/// Every observable, a table for each generated sample.
fn tables(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let table = |(e, name): (&Evaluation, &String)| Table {
        caption: name.clone(),
        columns: strings(&[
            "Observable",
            "Reference mean",
            "± std",
            "Generated mean",
            "± std",
            "JSD",
            "W1",
            "KS",
        ]),
        rows: e
            .observables
            .iter()
            .map(|o| {
                vec![
                    o.name.clone(),
                    number(o.reference.mean),
                    number(o.reference.std),
                    number(o.generated.mean),
                    number(o.generated.std),
                    number(o.jsd),
                    number(o.wasserstein1),
                    number(o.ks),
                ]
            })
            .collect(),
    };
    all.iter().zip(&names.generated).map(table).collect()
}
