//! The curves of a training run.

use super::{Axis, Figure, Plot, Role, Scale, Series};
use crate::{Error, Result};

/// Loss series over the training step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LossTable {
    /// Steps, ascending.
    pub steps: Vec<f64>,
    /// Name and value at each step; NaN where there is none.
    pub losses: Vec<(String, Vec<f64>)>,
}

/// What a column of this many steps needs before it is smoothed.
const SMOOTH_FROM: usize = 200;
/// Points of a drawn curve.
const DRAWN: usize = 600;

impl LossTable {
    /// Reads comma-separated text whose head names a column `step`; empty cells are read as NaN.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        let names: Vec<&str> = lines
            .next()
            .map(|(_, line)| line.split(',').map(str::trim).collect())
            .unwrap_or_default();
        let Some(step) = names.iter().position(|name| *name == "step") else {
            let found = names.join(", ");
            return Err(Error::Config(format!(
                "losses: expected a column named step, found columns [{found}]"
            )));
        };
        let mut columns = vec![Vec::new(); names.len()];
        for (number, line) in lines {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            if cells.len() != names.len() {
                let (wanted, found, line) = (names.len(), cells.len(), number + 1);
                return Err(Error::Config(format!(
                    "losses, line {line}: expected {wanted} cells, found {found}"
                )));
            }
            for (column, cell) in columns.iter_mut().zip(cells) {
                let value = if cell.is_empty() {
                    Ok(f64::NAN)
                } else {
                    cell.parse()
                };
                column.push(value.map_err(|_| {
                    Error::Config(format!(
                        "losses, line {}: expected a number, found \"{cell}\"",
                        number + 1
                    ))
                })?);
            }
        }
        let steps = columns.remove(step);
        let names = names
            .iter()
            .enumerate()
            .filter(|(k, _)| *k != step)
            .map(|(_, name)| name.to_string());
        Ok(Self {
            steps,
            // Time under another name is no loss.
            losses: names
                .zip(columns)
                .filter(|(name, _)| name != "epoch")
                .collect(),
        })
    }

    /// Every loss as a curve. Long ones are smoothed, with the range of the raw values behind them; the axis is
    /// linear, logarithmic or both-sided logarithmic by what the values span.
    pub fn plot(&self, title: &str) -> Plot {
        // Many names need a place beside the curves.
        let last = self.steps.iter().copied().fold(0.0, f64::max);
        let across = match self.losses.len() {
            0..=4 => Axis::linear("Step"),
            _ => Axis::linear("Step").with_range(0.0, 1.6 * last.max(1.0)),
        };
        let mut figure = Figure::new(title, across, self.axis());
        let mut curves = Vec::new();
        for (i, (name, values)) in self.losses.iter().enumerate() {
            let role = Role::Generated(i);
            let points: Vec<(f64, f64)> = self
                .steps
                .iter()
                .copied()
                .zip(values.iter().copied())
                .collect();
            let points: Vec<_> = points
                .into_iter()
                .filter(|(x, y)| x.is_finite() && y.is_finite())
                .collect();
            if points.len() < SMOOTH_FROM {
                let (x, y) = points.into_iter().unzip();
                curves.push(Series::line(name, role, x, y));
                continue;
            }
            figure.series.push(envelope(&points, role));
            let (x, y) = smoothed(&points).into_iter().unzip();
            curves.push(Series::line(name, role, x, y));
        }
        figure.series.append(&mut curves);
        figure.into()
    }

    fn axis(&self) -> Axis {
        let mut values: Vec<f64> = self
            .losses
            .iter()
            .flat_map(|(_, v)| v.iter().copied())
            .collect();
        values.retain(|v| v.is_finite());
        let label = "Loss";
        if values.is_empty() {
            return Axis::linear(label);
        }
        values.sort_by(f64::total_cmp);
        let share =
            |sorted: &[f64], p: f64| sorted[((sorted.len() - 1) as f64 * p).round() as usize];
        let (low, high) = (share(&values, 0.005), share(&values, 0.995));
        if values[0] > 0.0 && high / low > 30.0 {
            return Axis::log(label);
        }
        let mut sizes: Vec<f64> = values
            .iter()
            .map(|v| v.abs())
            .filter(|v| *v > 0.0)
            .collect();
        sizes.sort_by(f64::total_cmp);
        if !sizes.is_empty() && share(&sizes, 0.995) > 100.0 * share(&sizes, 0.25) {
            let linear = 10f64.powf(share(&sizes, 0.25).log10().floor());
            return Axis {
                label: label.into(),
                scale: Scale::SymLog { linear },
                range: None,
            };
        }
        let margin = 0.08 * (high - low);
        let room = Axis::linear(label);
        // A few outliers of the first steps must not flatten the rest.
        let spread = values[values.len() - 1] - values[0];
        if spread > 2.0 * (high - low) && high > low {
            room.with_range(low - margin, high + 3.0 * margin)
        } else {
            room
        }
    }
}

/// [`LossTable::plot`] of the text of a losses file.
pub fn losses_plot(csv: &str, title: &str) -> Result<Plot> {
    Ok(LossTable::parse(csv)?.plot(title))
}

/// Smallest to largest value in each of a few hundred stretches.
fn envelope(points: &[(f64, f64)], role: Role) -> Series {
    let stretch = points.len().div_ceil(DRAWN / 2).max(2);
    let (mut x, mut middle, mut half) = (Vec::new(), Vec::new(), Vec::new());
    for part in points.chunks(stretch) {
        let low = part.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
        let high = part.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
        x.push(0.5 * (part[0].0 + part[part.len() - 1].0));
        middle.push(0.5 * (low + high));
        half.push(0.5 * (high - low));
    }
    Series::band("", role, x, middle, half)
}

/// The mean over a hundredth of the run about each step, thinned to what can be seen.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let half = points.len().div_ceil(200);
    let stride = points.len().div_ceil(DRAWN);
    let last = points.len() - 1;
    let mean = |k: usize| {
        let part = &points[k.saturating_sub(half)..(k + half + 1).min(points.len())];
        part.iter().map(|p| p.1).sum::<f64>() / part.len() as f64
    };
    let kept = (0..points.len()).filter(|k| k % stride == 0 || *k == last);
    kept.map(|k| (points[k].0, mean(k))).collect()
}
