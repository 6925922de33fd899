//! Histograms of two samples over common bins.

use super::leaves::leaves;
use crate::observables::Sorted;

/// Bins of equal width in a value or its log10, half-open, the last one closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Binning {
    /// One more than bins, ascending; of log10 of the value where `log`.
    pub edges: Vec<f64>,
    /// Whether the bins are equal in log10.
    pub log: bool,
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
        Self { edges, log: false }
    }

    /// `bins` bins from the least to the largest value of both samples, equal in log10 if `log`; `None` if there is no
    /// value.
    pub fn common(a: &Sorted, b: &Sorted, bins: usize, log: bool) -> Option<Self> {
        let ends = a.ends().into_iter().chain(b.ends());
        let (low, high) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let [low, high] = [low, high].map(|end| if log { end.log10() } else { end });
        Some(Self {
            log,
            ..Self::equal(low, high, bins)
        })
    }

    /// Bins of `reference` alone, the same whatever is compared with it: `bins` equal ones from its least to its largest
    /// value times `margins`, and one below and one above without an end, where outliers are counted. `None` if it is empty.
    pub fn of(reference: &Sorted, margins: [f64; 2], bins: usize) -> Option<Self> {
        let (least, largest) = reference.ends()?;
        let mut all = Self::equal(margins[0] * least, margins[1] * largest, bins);
        all.edges.insert(0, f64::NEG_INFINITY);
        all.edges.push(f64::INFINITY);
        Some(all)
    }

    /// Number of bins.
    pub fn bins(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// The bin of `value`, if it lies within the edges. The edges decide, not the division that guesses the bin.
    pub fn index(&self, value: f64) -> Option<usize> {
        let value = if self.log { value.log10() } else { value };
        let (low, high) = (*self.edges.first()?, *self.edges.last()?);
        if !(low..=high).contains(&value) {
            return None;
        }
        let last = self.bins().checked_sub(1)?;
        // NaN, which is the first bin, where the outermost have no end.
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

    /// How many values of a sample each bin holds.
    pub fn count(&self, sample: &Sorted) -> Vec<f64> {
        let mut counts = vec![0.0; self.bins()];
        for (value, n) in sample.counted() {
            if let Some(k) = self.index(value) {
                counts[k] += n as f64;
            }
        }
        counts
    }
}

/// How often each bin occurs in two samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Bin edges in the observable's unit.
    pub edges: Vec<f64>,
    /// Whether the bins are for a logarithmic axis.
    pub log: bool,
    /// Counts in the reference.
    pub reference: Vec<f64>,
    /// Counts in the generated sample.
    pub generated: Vec<f64>,
}

leaves!(Histogram: reference, generated);
