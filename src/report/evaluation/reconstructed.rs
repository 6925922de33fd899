//! What a regressor says.

use super::Part;
use super::names::Names;
use super::text::{number, short, strings};
use crate::metrics::{Evaluation, Resolution};
use crate::report::Table;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    Part {
        heading: "Reconstructed energy",
        text: "What a regressor says of both samples: mean and resolution of its energies by incident energy, and the \
             Fréchet distance of its last hidden layer.",
        tables: tables(all, names),
        plots: Vec::new(),
    }
}

/// Energy as a regressor reconstructs it, a table for each generated sample.
fn tables(all: &[Evaluation], names: &Names) -> Vec<Table> {
    let with = |e: &Evaluation, name: &String| {
        let r = e.regression.as_ref()?;
        let ratio = |side: &Resolution, k: usize| short(side.sigma90[k] / side.mu90[k]);
        let row = |k: usize| {
            let (a, b) = (&r.reference, &r.generated);
            vec![
                short(r.energies[k]),
                short(a.mu90[k]),
                short(b.mu90[k]),
                ratio(a, k),
                ratio(b, k),
            ]
        };
        Some(Table {
            caption: format!(
                "{name}; Fréchet distance of the features {}, of the reference's halves {}",
                number(r.frechet_distance),
                number(r.reference_frechet_distance)
            ),
            columns: strings(&["GeV", "μ90 ref., GeV", "gen.", "σ90/μ90 ref.", "gen."]),
            rows: (0..r.energies.len()).map(row).collect(),
        })
    };
    let pairs = all.iter().zip(&names.generated);
    pairs.filter_map(|(e, name)| with(e, name)).collect()
}
