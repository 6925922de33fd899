//! The page and the plots of a scan over a training.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Axis, Figure, Page, Plot, Role, Section, Series, Table};
use crate::Result;
use crate::metrics::{Scan, TERM};

/// Everything that is shown of a scan.
#[derive(Debug, Clone)]
pub struct ScanReport {
    /// The page, with all plots inside.
    pub page: Page,
    /// The same plots by name, in the order of the page.
    pub plots: Vec<(String, Plot)>,
}

/// Figures that stand in the plots, by name and legend.
const SCORES: [(&str, &str); 3] = [
    ("fidelity_score_by_epoch", "√JSD, over its mean"),
    ("fidelity_score_by_epoch_jsd", "JSD, over its mean"),
    ("frd", "FRD, over its mean"),
];

impl ScanReport {
    /// Shows a scan.
    pub fn new(scan: &Scan) -> Self {
        let plots: Vec<(String, Plot)> = [
            ("scan-scores", Some(scores(scan))),
            ("scan-unit", unit(scan)),
            ("scan-divergences", Some(divergences(scan))),
        ]
        .into_iter()
        .filter_map(|(name, plot)| Some((name.to_owned(), plot?)))
        .collect();
        let regressor = scan.regressor.as_deref().unwrap_or("none");
        let meta = [
            ("Reference", scan.reference.as_str()),
            ("Showers", &scan.events.to_string()),
            ("Seed", &scan.seed.to_string()),
            ("Regressor", regressor),
        ];
        let page = Page {
            title: "A generator over its training".into(),
            subtitle: format!("{} weights", scan.epochs.len()),
            meta: meta.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            sections: vec![
                Section {
                    heading: "Scores by epoch".into(),
                    text: "The fidelity score by epoch divides each observable's divergence by its mean over the epochs, \
                           then takes the mean over the observables: 1 is the average epoch, less is better. Bins are \
                           those of the reference alone, and what lies beyond them counts; energy sum and hits are \
                           averaged over the incident energies. FRD is the Fréchet Regression Distance over its mean. \
                           Curves of unit sum are comparable in shape alone."
                        .into(),
                    tables: Vec::new(),
                    plots: plots.iter().map(|(_, plot)| plot.clone()).collect(),
                },
                Section {
                    heading: "Best epochs".into(),
                    text: format!(
                        "Where each figure is least, the same figure of two halves of the reference with {} showers \
                         each, and Spearman's rank correlation of its epochs with the fidelity score by epoch: 1 where \
                         both put the epochs in one order.",
                        scan.halves_events
                    ),
                    tables: vec![best(scan)],
                    plots: Vec::new(),
                },
            ],
        };
        Self { page, plots }
    }

    /// Writes `scan.html` and a PNG for each plot into `folder`, each file whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (name, plot) in &self.plots {
            plot.png(&folder.join(format!("{name}.png")))?;
        }
        self.page.write(&folder.join("scan.html"))
    }
}

/// Positions of the weights, by epoch where all names tell it.
fn across(scan: &Scan) -> (Vec<f64>, Axis) {
    let epochs: Option<Vec<f64>> = scan
        .epochs
        .iter()
        .map(|e| e.epoch.map(|n| n as f64))
        .collect();
    let (x, label) = match epochs {
        Some(epochs) => (epochs, "Epoch"),
        None => (scan.epochs.iter().map(|e| e.step as f64).collect(), "Step"),
    };
    let (first, last) = (
        x.iter().copied().fold(f64::INFINITY, f64::min),
        x.iter().copied().fold(0.0, f64::max),
    );
    // Whole markers at the ends.
    let margin = 0.04 * (last - first).max(1.0);
    let axis = Axis::linear(label).with_range(first.min(last) - margin, last + margin);
    (x, axis)
}

fn column(scan: &Scan, name: &str) -> Option<Vec<f64>> {
    let values = scan.metrics.get(name)?;
    values
        .iter()
        .any(Option::is_some)
        .then(|| values.iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

fn scaled(values: &[f64], mean: bool) -> Vec<f64> {
    let filled: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let by = filled.iter().sum::<f64>() / if mean { filled.len() as f64 } else { 1.0 };
    values.iter().map(|v| v / by).collect()
}

fn figure(scan: &Scan, label: &str, curves: Vec<(String, Vec<f64>)>) -> Figure {
    let (x, axis) = across(scan);
    let mut figure = Figure::new("", axis, Axis::linear(label));
    for (k, (name, y)) in curves.into_iter().enumerate() {
        figure = figure.with(Series::line(name, Role::Generated(k), x.clone(), y));
    }
    figure
}

fn scores(scan: &Scan) -> Plot {
    let curve = |&(name, legend): &(&str, &str)| {
        Some((legend.to_owned(), scaled(&column(scan, name)?, true)))
    };
    let mut figure = figure(
        scan,
        "Score over its mean",
        SCORES.iter().filter_map(curve).collect(),
    );
    figure.title = "Fidelity score and FRD by epoch".into();
    figure.into()
}

/// As the published comparison of metrics draws them: each curve of unit sum.
fn unit(scan: &Scan) -> Option<Plot> {
    let names = [
        "fidelity_score_by_epoch",
        "frd",
        "fpd",
        "visible_energy:w1",
        "n_hits:w1",
        "cog_z:w1",
    ];
    let curve = |name: &&str| {
        let y = column(scan, name).filter(|y| y.iter().any(|v| *v > 0.0))?;
        Some(((*name).to_owned(), scaled(&y, false)))
    };
    let curves: Vec<_> = names.iter().filter_map(curve).collect();
    (curves.len() > 1).then(|| {
        let mut figure = figure(scan, "Value over its sum", curves);
        figure.title = "Metrics of unit sum".into();
        figure.into()
    })
}

fn divergences(scan: &Scan) -> Plot {
    let curve = |name: &String| {
        let term = name.strip_prefix(TERM)?;
        // Observables that every shower of one layer has alike say nothing.
        let y = column(scan, name).filter(|y| y.iter().any(|v| *v > 0.0))?;
        Some((term.to_owned(), y))
    };
    let curves = scan.metrics.keys().filter_map(curve).collect();
    let mut figure = figure(scan, "√JSD", curves);
    figure.title = "Observables of the fidelity score".into();
    figure.into()
}

fn best(scan: &Scan) -> Table {
    let row = |(name, best): (&String, &crate::metrics::Best)| {
        let of = |all: &BTreeMap<String, Option<f64>>| all.get(name).copied().flatten();
        let (halves, rank) = (of(&scan.halves), of(&scan.rank_correlation));
        vec![
            name.clone(),
            best.epoch.map_or("–".into(), |e| e.to_string()),
            best.step.to_string(),
            format!("{:.5}", best.value),
            halves.map_or("–".into(), |v| format!("{v:.5}").replace('-', "−")),
            rank.map_or("–".into(), |r| format!("{r:.2}").replace('-', "−")),
        ]
    };
    Table {
        caption: String::new(),
        columns: [
            "Figure",
            "Epoch",
            "Step",
            "Value",
            "Halves",
            "Rank correlation",
        ]
        .map(String::from)
        .into(),
        rows: scan.best.iter().map(row).collect(),
    }
}
