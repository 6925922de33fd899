//! Pearson correlation of the observables of each sample, and how far two such matrices lie apart.

use serde::Serialize;

use super::drawn::Drawn;
use super::leaves::leaves;

/// Columns of the matrix; those that a sample does not have are left out.
const NAMES: [&str; 12] = [
    "cog_x",
    "cog_y",
    "cog_z",
    "width_x",
    "width_y",
    "width_z",
    "visible_energy",
    "incident_energy",
    "n_hits",
    "e1_fraction",
    "e2_fraction",
    "e3_fraction",
];

/// Two correlation matrices, row by row; entries of a constant column are `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlation {
    /// Rows and columns.
    pub names: Vec<&'static str>,
    /// Of the reference.
    pub reference: Vec<Vec<Option<f64>>>,
    /// Of the generated sample.
    pub generated: Vec<Vec<Option<f64>>>,
    /// Mean of |reference − generated| below the diagonal, where both have an entry.
    pub mean_abs_difference: Option<f64>,
    /// Largest of these.
    pub max_abs_difference: Option<f64>,
}

leaves!(Correlation: reference, generated, mean_abs_difference, max_abs_difference);

/// Compares the correlations of two samples over their showers with ΣE > 0.
pub(super) fn correlation(reference: &Drawn, generated: &Drawn) -> Correlation {
    let columns = |sample: &Drawn| -> Vec<(&'static str, Vec<f64>)> {
        let named = NAMES.iter();
        let named = named.filter_map(|&name| Some((name, column(sample, name)?)));
        named.collect()
    };
    let (a, b) = (columns(reference), columns(generated));
    let matrix = |columns: &[(_, Vec<f64>)]| pearson(columns.iter().map(|(_, v)| v.as_slice()));
    let (reference, generated) = (matrix(&a), matrix(&b));
    let mut differences = Vec::new();
    for (i, (r, g)) in reference.iter().zip(&generated).enumerate() {
        let below = r[..i].iter().zip(&g[..i]);
        differences.extend(below.filter_map(|(r, g)| Some(((*r)? - (*g)?).abs())));
    }
    let n = differences.len() as f64;
    Correlation {
        names: a.iter().map(|(name, _)| *name).collect(),
        reference,
        generated,
        mean_abs_difference: (n > 0.0).then(|| differences.iter().sum::<f64>() / n),
        max_abs_difference: differences.iter().copied().reduce(f64::max),
    }
}

/// The values of an observable in showers with ΣE > 0.
fn column(sample: &Drawn, name: &str) -> Option<Vec<f64>> {
    let visible = sample.kept.visible_energy();
    let lit = |&(_, shower): &(f64, u32)| visible[shower as usize] > 0.0;
    let (values, showers): (Vec<f64>, Vec<u32>) = if name == "incident_energy" {
        let every = sample.kept.incident.iter().copied().zip(0..);
        every.filter(lit).unzip()
    } else {
        let column = sample.kept.column(name)?;
        let values = column.values.iter().copied();
        values
            .zip(column.showers.iter().copied())
            .filter(lit)
            .unzip()
    };
    Some(sample.repeated(&values, showers.into_iter()))
}

/// Pearson matrix of columns of equal length: `Σ (a − ā)(b − b̄) / √(Σ (a − ā)² Σ (b − b̄)²)`. Entries of a column
/// whose largest value equals its smallest are `None`.
pub fn pearson<'a>(columns: impl Iterator<Item = &'a [f64]>) -> Vec<Vec<Option<f64>>> {
    let units: Vec<Option<Vec<f64>>> = columns.map(standardised).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let entry = |a: &Option<Vec<f64>>, b: &Option<Vec<f64>>| {
        Some(dot(a.as_ref()?, b.as_ref()?).clamp(-1.0, 1.0))
    };
    let mut matrix: Vec<Vec<_>> = units
        .iter()
        .map(|a| units.iter().map(|b| entry(a, b)).collect())
        .collect();
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] = row[i].map(|_| 1.0);
    }
    matrix
}

/// A column less its mean, of norm 1.
fn standardised(column: &[f64]) -> Option<Vec<f64>> {
    let first = *column.first()?;
    if column.iter().all(|&v| v == first) {
        return None;
    }
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let norm = column
        .iter()
        .map(|v| (v - mean) * (v - mean))
        .sum::<f64>()
        .sqrt();
    (norm > 0.0).then(|| column.iter().map(|v| (v - mean) / norm).collect())
}
