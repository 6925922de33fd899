//! What samples and observables are called in legends, tables and on axes.

use std::path::Path;

use crate::metrics::Evaluation;

/// Names of the samples.
pub struct Names {
    /// `reference: NAME`.
    pub reference: String,
    /// `generated: NAME`, one for each evaluation.
    pub generated: Vec<String>,
}

impl Names {
    pub fn of(evaluations: &[Evaluation]) -> Self {
        let stem = |file: &str| {
            let stem = Path::new(file).file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        };
        let stems: Vec<String> = evaluations
            .iter()
            .map(|e| stem(&e.generated.file))
            .collect();
        let generated = evaluations.iter().zip(&stems).map(|(evaluation, name)| {
            let folder = Path::new(&evaluation.generated.file).parent();
            let folder = folder.and_then(Path::file_name).unwrap_or_default();
            // Files of one name in several folders are told apart by these.
            if stems.iter().filter(|other| *other == name).count() > 1 && !folder.is_empty() {
                format!("generated: {}/{name}", folder.to_string_lossy())
            } else {
                format!("generated: {name}")
            }
        });
        Self {
            generated: generated.collect(),
            reference: evaluations.first().map_or(String::new(), |e| {
                format!("reference: {}", stem(&e.reference.file))
            }),
        }
    }

    /// What is compared, in one line.
    pub fn title(&self) -> String {
        let bare = |name: &str| {
            name.split_once(": ")
                .map_or("", |(_, name)| name)
                .to_owned()
        };
        let generated: Vec<String> = self.generated.iter().map(|name| bare(name)).collect();
        format!(
            "{} compared with {}",
            generated.join(", "),
            bare(&self.reference)
        )
    }
}

/// Title of the plot of an observable and label of its axis.
pub fn observable(name: &str, evaluation: &Evaluation) -> (String, String) {
    let unit = &evaluation.unit;
    let layers = evaluation.reference.geometry.layers();
    let third = |k: usize| {
        let range = match (k * layers / 3, (k + 1) * layers / 3) {
            (from, to) if to <= from + 1 => format!("layer {from}"),
            (from, to) => format!("layers {from} to {}", to - 1),
        };
        (
            format!("Energy fraction, {range}"),
            "Share of the visible energy".to_owned(),
        )
    };
    let axis = |a: &str| if a == "z" { "layers" } else { "cells" };
    match name {
        "visible_energy" => ("Visible energy".into(), format!("Visible energy [{unit}]")),
        "n_hits" => ("Number of hits".into(), "Hits per shower".into()),
        "cell_energy" => ("Cell energies".into(), format!("Cell energy [{unit}]")),
        "response" => (
            "Response".into(),
            format!("Visible / incident energy [{unit}/GeV]"),
        ),
        "e1_fraction" => third(0),
        "e2_fraction" => third(1),
        "e3_fraction" => third(2),
        "shower_start" => ("Shower start".into(), "Layer".into()),
        _ => match name.split_once('_') {
            Some(("cog", a)) if a.len() == 1 => (
                format!("Centre of gravity in {a}"),
                format!("cog {a} [{}]", axis(a)),
            ),
            Some(("width", a)) if a.len() == 1 => (
                format!("Width in {a}"),
                format!("Second central moment in {a} [{}²]", axis(a)),
            ),
            _ => (name.into(), name.into()),
        },
    }
}
