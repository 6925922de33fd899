//! The page and the plots of an evaluation: one or several generated samples beside one reference.
//!
//! A plot is listed once, with a name and the section in which it stands; what a geometry does not have is left out.

mod curves;
mod images;
mod names;
mod tables;

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

/// Observables that stand in sections of their own; the rest follows in the last of them.
const ENERGY: [&str; 3] = ["visible_energy", "cell_energy", "n_hits"];
const CENTRES: [&str; 6] = ["cog_x", "cog_y", "cog_z", "width_x", "width_y", "width_z"];
const DEVELOPMENT: [&str; 4] = ["e1_fraction", "e2_fraction", "e3_fraction", "shower_start"];

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
        report.compose(evaluations, first, &names);
        report
    }

    fn compose(&mut self, all: &[Evaluation], first: &Evaluation, names: &Names) {
        let curve = |name: &str| Some((name.to_owned(), curves::observable(all, name, names)?));
        let several = |list: &[&str]| list.iter().copied().filter_map(curve).collect::<Vec<_>>();
        let is_known = |name: &str| {
            let known = [&ENERGY[..], &CENTRES, &DEVELOPMENT, &["response"]];
            known.iter().any(|list| list.contains(&name))
        };

        self.add(
            "Summary",
            "All figures but the channel sums' mean absolute error are 0 for samples of one distribution and endless \
             size. The fidelity score is the mean, over energies, hits, cog z and profiles, of the square root of the \
             Jensen-Shannon divergence (JSD).",
            tables::summary(all, names),
            Vec::new(),
        );
        let mut plots = curves::linearity(all, names);
        plots.extend(curve("response"));
        self.add(
            "Response and resolution",
            "μ90 and σ90 are mean and standard deviation of the visible energy in the shortest interval that holds \
             90 % of the showers.",
            tables::by_energy(all, names),
            plots,
        );
        self.add(
            "Reconstructed energy",
            "What a regressor says of both samples: mean and resolution of its energies by incident energy, and the \
             Fréchet distance of its last hidden layer.",
            tables::regression(all, names),
            Vec::new(),
        );
        self.add(
            "Energies and hits",
            "Per shower, and for the cell energies per cell; cells below the threshold count as empty. Bars and the \
             grey band are statistical errors. The outermost 0.1 % of a sample is not drawn where it would stretch \
             the axis.",
            Vec::new(),
            several(&ENERGY),
        );
        self.add(
            "Profiles",
            "Means per shower.",
            Vec::new(),
            curves::profiles(all, names),
        );
        let mut plots = several(&CENTRES);
        let others: Vec<_> = first.observables.iter().map(|o| o.name.as_str()).collect();
        plots.extend(
            several(&others)
                .into_iter()
                .filter(|(name, _)| !is_known(name)),
        );
        self.add(
            "Centre and width",
            "The energy-weighted mean of the cell index, and the energy-weighted mean square of its distance from \
             that centre.",
            Vec::new(),
            plots,
        );
        self.add(
            "Longitudinal development",
            "The share of the visible energy in each third of the layers, and the layer in which a shower starts.",
            Vec::new(),
            several(&DEVELOPMENT),
        );
        self.add(
            "Mean shower",
            "Energy per shower, summed along the line of sight, on one logarithmic scale.",
            Vec::new(),
            images::mean_showers(all, names),
        );
        self.add(
            "Correlations",
            "Pearson's coefficient of the observables, over the showers with visible energy. Grey where an \
             observable is constant.",
            Vec::new(),
            images::correlations(all, names),
        );
        self.add(
            "All observables",
            "JSD is the Jensen-Shannon divergence of the histograms (natural logarithm, at most 0.693), W1 the \
             Wasserstein distance in the observable's unit, KS the Kolmogorov-Smirnov statistic. All are 0 for \
             equal samples.",
            tables::observables(all, names),
            Vec::new(),
        );
    }

    /// A section, unless there is nothing to show in it.
    fn add(&mut self, heading: &str, text: &str, tables: Vec<Table>, plots: Vec<(String, Plot)>) {
        if tables.is_empty() && plots.is_empty() {
            return;
        }
        self.page.sections.push(Section {
            heading: heading.into(),
            text: text.into(),
            tables,
            plots: plots.iter().map(|(_, plot)| plot.clone()).collect(),
        });
        self.plots.extend(plots);
    }

    /// Writes `report.html` and a PNG for each plot into `folder`, each file whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (name, plot) in &self.plots {
            plot.png(&folder.join(format!("{name}.png")))?;
        }
        self.page.write(&folder.join("report.html"))
    }
}
