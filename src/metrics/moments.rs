//! Mean and standard deviation.

use serde::Serialize;

use super::leaves::leaves;
use crate::observables::Sorted;

/// Mean and standard deviation of a sample, null where it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Moments {
    /// Σv / n.
    pub mean: Option<f64>,
    /// √(Σ(v − mean)² / n).
    pub std: Option<f64>,
}

impl Moments {
    /// Of `values`, in two passes.
    pub fn of(values: &[f64]) -> Self {
        Self::from((!values.is_empty()).then(|| mean_and_std(values)))
    }

    /// Of `values` of which each occurs as often as `times` says, in two passes.
    pub(super) fn repeated(values: &[f64], times: &[u8]) -> Self {
        let Some(&first) = values.first() else {
            return Self::default();
        };
        let n: f64 = times.iter().map(|&t| f64::from(t)).sum();
        let mean_of = |term: &dyn Fn(f64) -> f64| {
            let terms = values
                .iter()
                .zip(times)
                .map(|(&v, &t)| f64::from(t) * term(v));
            terms.sum::<f64>() / n
        };
        let mean = mean_of(&|v| v - first);
        let variance = mean_of(&|v| (v - first - mean) * (v - first - mean));
        Self::from((n > 0.0).then(|| (first + mean, variance.sqrt())))
    }

    /// Of a sample, in two passes over its values counted from the first, so that the deviation of equal values is
    /// exactly 0.
    pub fn of_sorted(sample: &Sorted) -> Self {
        let Some((first, _)) = sample.counted().next() else {
            return Self::default();
        };
        let n = sample.total() as f64;
        let mean_of = |term: &dyn Fn(f64) -> f64| {
            sample
                .counted()
                .map(|(v, k)| k as f64 * term(v))
                .sum::<f64>()
                / n
        };
        let mean = mean_of(&|v| v - first);
        let variance = mean_of(&|v| (v - first - mean) * (v - first - mean));
        Self::from(Some((first + mean, variance.sqrt())))
    }
}

leaves!(Moments: mean, std);

impl From<Option<(f64, f64)>> for Moments {
    fn from(moments: Option<(f64, f64)>) -> Self {
        Self {
            mean: moments.map(|(mean, _)| mean),
            std: moments.map(|(_, std)| std),
        }
    }
}

/// Mean and standard deviation of a sample that is not empty. Values are counted from the first of them, so that the
/// deviation of equal values is exactly 0.
pub(super) fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let first = values[0];
    let mean = values.iter().map(|v| v - first).sum::<f64>() / n;
    let squares: f64 = values
        .iter()
        .map(|v| (v - first - mean) * (v - first - mean))
        .sum();
    (first + mean, (squares / n).sqrt())
}
