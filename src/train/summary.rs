//! One pass over the training data: what weights say of it, and what systems take from it.

use crate::data::ShowerSet;
use crate::models::{Condition, DataSummary, Metadata, System};
use crate::{Error, Result};

/// Showers that are read at once hold about this many cells.
const CELLS: usize = 4 << 20;

/// Mean and spread of one condition, summed up.
#[derive(Clone, Copy)]
struct Column {
    min: f32,
    max: f32,
    sum: f64,
    squares: f64,
}

/// What weights trained on `set` are for, and the data's means. `files` names the files.
///
/// # Errors
/// [`Error::Config`] naming a condition that the data lacks.
pub(super) fn summarise(
    system: &dyn System,
    set: &ShowerSet,
    files: &str,
) -> Result<(Metadata, DataSummary)> {
    let info = set.info();
    let names = system.conditions();
    let cells: usize = info.shape.iter().product();
    let mut sums = vec![0.0f64; cells];
    let empty = Column {
        min: f32::INFINITY,
        max: f32::NEG_INFINITY,
        sum: 0.0,
        squares: 0.0,
    };
    let mut columns = vec![empty; names.len()];
    // Sums of squares about the first row, which is near enough to the mean for double precision.
    let mut first_row: Vec<f32> = Vec::new();
    let step = CELLS / cells.max(1) + 1;
    for first in (0..set.len()).step_by(step) {
        let part = set.read(first..set.len().min(first + step))?;
        for shower in part.layers.chunks_exact(cells) {
            sums.iter_mut()
                .zip(shower)
                .for_each(|(s, &e)| *s += f64::from(e));
        }
        for row in part.labels(&names)?.chunks_exact(names.len().max(1)) {
            if first_row.is_empty() {
                first_row = row.to_vec();
            }
            for ((column, &value), &about) in columns.iter_mut().zip(row).zip(&first_row) {
                let d = f64::from(value) - f64::from(about);
                column.min = column.min.min(value);
                column.max = column.max.max(value);
                column.sum += d;
                column.squares += d * d;
            }
        }
    }
    let divides = system.preprocess().is_some_and(|p| p.per_energy);
    if let Some(energy) = columns.first().filter(|c| divides && c.min <= 0.0) {
        return Err(Error::Config(format!(
            "{files}: a shower has an incident energy of {} GeV, by which model {} divides its cells; leave such showers out \
             or set preprocess.per_energy to false",
            energy.min,
            system.name()
        )));
    }
    let n = set.len() as f64;
    let mean_off = |c: &Column| c.sum / n;
    let data = DataSummary {
        mean_cells: sums.iter().map(|s| (s / n) as f32).collect(),
        condition_mean: columns
            .iter()
            .zip(&first_row)
            .map(|(c, &about)| (f64::from(about) + mean_off(c)) as f32)
            .collect(),
        condition_std: columns
            .iter()
            .map(|c| (c.squares / n - mean_off(c).powi(2)).max(0.0).sqrt() as f32)
            .collect(),
    };
    let unit = |name: &str| match name {
        "energy" | "mass" | "px" | "py" | "pz" => "GeV",
        "position_x" | "position_y" | "vx" | "vy" | "vz" => "mm",
        "charge" => "e",
        _ => "",
    };
    let conditions = names.iter().zip(&columns).map(|(name, column)| Condition {
        name: name.clone(),
        unit: unit(name).into(),
        min: column.min,
        max: column.max,
    });
    let metadata = Metadata {
        model: system.name().into(),
        config: system.config(),
        detector: info.detector.clone().unwrap_or_default(),
        unit: info.unit.clone(),
        conditions: conditions.collect(),
        threshold: info.threshold.unwrap_or(0.0),
        cell_size_mm: info.cell_size_mm.clone().unwrap_or_default(),
        trained_on: trained_on(set, files),
        steps: 0,
        quality: String::new(),
    };
    Ok((metadata, data))
}

/// Which showers a network was trained on, so that others can be chosen to judge it.
fn trained_on(set: &ShowerSet, files: &str) -> String {
    let (used, all) = (set.events(), set.files().iter().map(|f| f.len()).sum());
    match used == (0..all) {
        true => format!("{files} ({all} showers)"),
        false => format!("{files} (showers {}:{} of {all})", used.start, used.end),
    }
}

/// The set as `system` sees its showers.
///
/// # Errors
/// [`Error::Config`] if they do not fit, or have another unit than the settings are made for.
pub(super) fn seen_by(system: &dyn System, set: ShowerSet, files: &str) -> Result<ShowerSet> {
    let (model, found) = (system.name(), &set.info().unit);
    let made_for = system.preprocess().and_then(|p| p.file_unit.as_ref());
    if let Some(unit) = made_for.filter(|unit| *unit != found) {
        return Err(Error::Config(format!(
            "{files} holds cells in {found}, but the settings of {model} are made for {unit}: give \
             preprocess.file_unit = \"{found}\" in --config, with unit, threshold, scale and other energies to match"
        )));
    }
    set.viewed(system.shape(), system.origin()).map_err(|e| {
        Error::Config(format!(
            "{files} does not fit model {} as it is configured: {e}",
            system.name()
        ))
    })
}
