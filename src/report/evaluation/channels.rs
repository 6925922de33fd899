//! What the photomultipliers of a pixel calorimeter see.

use super::Part;
use super::curves::RATIO;
use super::names::Names;
use crate::metrics::{ChannelSums, Evaluation};
use crate::report::{Axis, Figure, Plot, Role, Series};

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    let count = all.iter().filter_map(|e| e.figures.channel_sums.as_ref());
    let count = count.map(|sums| sums.histograms.len()).min().unwrap_or(0);
    Part {
        heading: "Channel sums",
        text: "Sums over the pixels that share a photomultiplier: four quadrants of the pixels whose indices have an \
             even sum, and all others.",
        tables: Vec::new(),
        plots: (0..count)
            .filter_map(|k| Some((format!("channel_{}", k + 1), channel(all, names, k)?)))
            .collect(),
    }
}

const TITLES: [&str; 5] = [
    "Channel 1: low x, low y",
    "Channel 2: low x, high y",
    "Channel 3: high x, low y",
    "Channel 4: high x, high y",
    "Channel 5: odd pixels",
];

fn channel(all: &[Evaluation], names: &Names, k: usize) -> Option<Plot> {
    let first = all.first()?;
    let x = Axis::linear(format!("Sum of the channel [{}]", first.unit));
    let mut figure = Figure::new(TITLES[k], x, Axis::linear("Share of showers per bin"));
    fn histograms(sums: Option<&ChannelSums>) -> Option<&[crate::metrics::Histogram]> {
        Some(&sums?.histograms)
    }
    for (j, e) in all.iter().enumerate() {
        let found = &histograms(e.figures.channel_sums.as_ref())?[k];
        let errors = histograms(e.errors.as_ref().and_then(|e| e.channel_sums.as_ref()));
        let errors = errors.and_then(|all| all.get(k));
        let mut add = |name: &str, role, counts: &[f64], errors: Option<&[f64]>, events: usize| {
            let share = |n: &f64| n / events as f64;
            let y = counts.iter().map(share).collect();
            let mut series = Series::steps(name, role, found.edges.clone(), y);
            series.error = errors.map(|e| e.iter().map(share).collect());
            figure.series.push(series);
        };
        if j == 0 {
            let errors = errors.map(|e| e.reference.as_slice());
            let (name, events) = (&names.reference, e.reference.events);
            add(name, Role::Reference, &found.reference, errors, events);
        }
        let errors = errors.map(|e| e.generated.as_slice());
        let (name, events) = (&names.generated[j], e.generated.events);
        add(name, Role::Generated(j), &found.generated, errors, events);
    }
    Some(figure.with_ratio(RATIO).into())
}
