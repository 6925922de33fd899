//! Histograms of two samples over common bins.

use crate::observables::Sorted;

/// Bins of equal width, half-open, the last one closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Binning {
    /// One more than bins, ascending.
    pub edges: Vec<f64>,
}

impl Binning {
    /// `bins` bins from `low` to `high`; around the value where these are equal, from half below to half above.
    pub fn equal(low: f64, high: f64, bins: usize) -> Self {
        let (low, high) = if low == high {
            (low - 0.5, high + 0.5)
        } else {
            (low, high)
        };
        let step = (high - low) / bins as f64;
        let mut edges: Vec<f64> = (0..bins).map(|k| low + k as f64 * step).collect();
        edges.push(high);
        Self { edges }
    }

    /// Number of bins.
    pub fn bins(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// The bin of `value`, if it lies within the edges. The edges decide, not the division that guesses the bin.
    pub fn index(&self, value: f64) -> Option<usize> {
        let (low, high) = (*self.edges.first()?, *self.edges.last()?);
        if !(low..=high).contains(&value) {
            return None;
        }
        let last = self.bins().checked_sub(1)?;
        let guess = (value - low) / (high - low) * self.bins() as f64;
        let mut k = (guess as usize).min(last);
        while k > 0 && value < self.edges[k] {
            k -= 1;
        }
        while k < last && value >= self.edges[k + 1] {
            k += 1;
        }
        Some(k)
    }
}

/// How often each bin occurs in two samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Bin edges in the observable's unit.
    pub edges: Vec<f64>,
    /// Whether the bins are equal in log10 instead.
    pub log: bool,
    /// Counts in the reference.
    pub reference: Vec<u64>,
    /// Counts in the generated sample.
    pub generated: Vec<u64>,
}

impl Histogram {
    /// Over `bins` equal bins from the least to the largest value of both samples; `None` if there is no value.
    pub fn linear(reference: &Sorted, generated: &Sorted, bins: usize) -> Option<Self> {
        Self::over(reference, generated, bins, false, |v| v)
    }

    /// Over `bins` bins equal in log10; all values must be positive.
    pub fn log10(reference: &Sorted, generated: &Sorted, bins: usize) -> Option<Self> {
        Self::over(reference, generated, bins, true, f64::log10)
    }

    fn over(
        reference: &Sorted,
        generated: &Sorted,
        bins: usize,
        log: bool,
        scale: impl Fn(f64) -> f64 + Copy,
    ) -> Option<Self> {
        let ends = |sample: &Sorted| Some((*sample.values().first()?, *sample.values().last()?));
        let (low, high) = match (ends(reference), ends(generated)) {
            (Some(a), Some(b)) => (a.0.min(b.0), a.1.max(b.1)),
            (Some(a), None) => a,
            (None, Some(b)) => b,
            (None, None) => return None,
        };
        let binning = Binning::equal(scale(low), scale(high), bins);
        let count = |sample: &Sorted| {
            let mut counts = vec![0; bins];
            for (value, n) in sample.counted() {
                if let Some(k) = binning.index(scale(value)) {
                    counts[k] += n;
                }
            }
            counts
        };
        let (reference, generated) = (count(reference), count(generated));
        let edges = binning
            .edges
            .iter()
            .map(|&e| if log { 10f64.powf(e) } else { e })
            .collect();
        Some(Self {
            edges,
            log,
            reference,
            generated,
        })
    }
}
