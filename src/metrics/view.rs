//! Bins for the eye: common to all samples compared, without stray values at the ends, and right for whole numbers.

use super::Histogram;
use crate::observables::{Sorted, bin};

/// Share of a sample that may lie beyond each end of the range drawn.
const STRAY: f64 = 1e-3;
/// Smallest and largest number of bins.
const BINS: (f64, f64) = (30.0, 60.0);

/// Bin edges for drawing `samples` together; `None` if they hold no value. Whole numbers get bins about whole numbers.
pub(super) fn edges(samples: &[&Sorted], log: bool) -> Option<Vec<f64>> {
    let filled: Vec<&Sorted> = samples.iter().copied().filter(|s| !s.is_empty()).collect();
    let all = range(&filled, 0.0)?;
    let whole = filled
        .iter()
        .all(|s| s.counted().all(|(v, _)| v.fract() == 0.0));
    let few = whole && all.1 - all.0 < BINS.1;
    let (low, high) = if log || few {
        all
    } else {
        range(&filled, STRAY)?
    };
    let fewest = filled.iter().map(|s| s.total()).min()? as f64;
    let bins = (1.5 * fewest.sqrt()).clamp(BINS.0, BINS.1).round();
    if !log && whole {
        let width = ((high - low + 1.0) / BINS.1).ceil();
        let count = ((high - low + 1.0) / width).ceil() as usize;
        return Some((0..=count).map(|k| low - 0.5 + k as f64 * width).collect());
    }
    let (from, to) = match (log, low == high) {
        (true, _) => (low.log10(), high.log10()),
        (false, true) => {
            let half = if low == 0.0 { 0.5 } else { 0.1 * low.abs() };
            (low - half, high + half)
        }
        (false, false) => (low, high),
    };
    let (from, to) = if from == to {
        (from - 0.5, to + 0.5)
    } else {
        (from, to)
    };
    let edge = |k: usize| from + (to - from) * k as f64 / bins;
    let edges = (0..=bins as usize).map(edge);
    Some(if log {
        edges.map(|e| 10f64.powf(e)).collect()
    } else {
        edges.collect()
    })
}

/// The range that holds all but the stray values of each sample, or all where that is not much wider.
fn range(samples: &[&Sorted], stray: f64) -> Option<(f64, f64)> {
    let span = |stray: f64| {
        let ends = samples.iter().filter_map(|s| {
            let cut = (stray * s.total() as f64) as u64;
            Some((s.ranked(cut)?, s.ranked(s.total().checked_sub(cut + 1)?)?))
        });
        ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    };
    let (all, most) = (span(0.0)?, span(stray)?);
    if all.1 - all.0 <= 1.25 * (most.1 - most.0) {
        Some(all)
    } else {
        Some(most)
    }
}

/// Counts of two samples in given bins.
pub(super) fn histogram(
    edges: &[f64],
    log: bool,
    reference: &Sorted,
    generated: &Sorted,
) -> Histogram {
    let bins = edges.len().saturating_sub(1);
    let count = |sample: &Sorted| {
        let mut counts = vec![0.0; bins];
        for (value, n) in sample.counted() {
            if let Some(k) = bin(edges, value) {
                counts[k] += n as f64;
            }
        }
        counts
    };
    Histogram {
        edges: edges.to_vec(),
        log,
        reference: count(reference),
        generated: count(generated),
    }
}
