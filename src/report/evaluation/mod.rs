//! The page and the plots of an evaluation: one or several generated samples beside one reference.
//!
//! A section is a file with a function from the evaluations to its [`Part`]; what a geometry does not have is left out.

mod amplification;
mod calochallenge;
mod channels;
mod classifier;
mod correlations;
mod curves;
mod distances;
mod inception;
mod mean_shower;
mod names;
mod observables;
mod profiles;
mod reconstructed;
mod relevance;
mod response;
mod summary;
mod text;

use std::path::Path;

use super::{Page, Plot, Section, Table};
use crate::Result;
use crate::metrics::Evaluation;
use names::Names;

/// Everything that is shown of a comparison.
#[derive(Debug, Clone)]
pub struct EvaluationReport {
    /// The page, with all plots inside.
    pub page: Page,
    /// The same plots by name, in the order of the page.
    pub plots: Vec<(String, Plot)>,
}

/// A section of the page; one without tables and plots is left out.
struct Part {
    heading: &'static str,
    text: &'static str,
    tables: Vec<Table>,
    /// By the names of their files.
    plots: Vec<(String, Plot)>,
}

/// From the top of the page to its end.
const PARTS: &[fn(&[Evaluation], &Names) -> Part] = &[
    summary::part,
    response::part,
    reconstructed::part,
    relevance::part,
    classifier::part,
    distances::part,
    inception::part,
    observables::energies,
    profiles::part,
    observables::centres,
    observables::development,
    calochallenge::part,
    channels::part,
    mean_shower::part,
    correlations::part,
    amplification::part,
    observables::table,
];

impl EvaluationReport {
    /// Shows `evaluations`, all of one reference, with further lines for the head of the page.
    pub fn new(evaluations: &[Evaluation], facts: &[(String, String)]) -> Self {
        let names = Names::of(evaluations);
        let mut report = Self {
            page: Page {
                title: "Calorimeter showers compared".into(),
                ..Page::default()
            },
            plots: Vec::new(),
        };
        let Some(first) = evaluations.first() else {
            return report;
        };
        report.page.subtitle = names.title();
        let cells = match first.reference.geometry.grid() {
            Some([z, x, y]) => format!("{z} × {x} × {y} in z, x, y"),
            None => first.reference.geometry.to_string(),
        };
        let start = match first.shower_start_definition {
            "fraction" => "first layer with 5 % of the largest",
            other => other,
        };
        let threshold = format!("{} {}", first.threshold, first.unit);
        report.page.meta = [
            ("Cells", cells.as_str()),
            ("Unit", &first.unit),
            ("Threshold", &threshold),
            ("Shower start", start),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        report.page.meta.extend_from_slice(facts);
        PARTS
            .iter()
            .for_each(|part| report.add(part(evaluations, &names)));
        report
    }

    fn add(&mut self, part: Part) {
        if part.tables.is_empty() && part.plots.is_empty() {
            return;
        }
        self.page.sections.push(Section {
            heading: part.heading.into(),
            text: part.text.into(),
            tables: part.tables,
            plots: part.plots.iter().map(|(_, plot)| plot.clone()).collect(),
        });
        self.plots.extend(part.plots);
    }

    /// Writes `report.html` and a PNG for each plot into `folder`, each file whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (name, plot) in &self.plots {
            plot.png(&folder.join(format!("{name}.png")))?;
        }
        self.page.write(&folder.join("report.html"))
    }
}
