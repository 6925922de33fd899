//! The energies of all cells of all showers, in bounded memory.
//!
//! Mean and standard deviation are exact for any number of values. The values themselves are kept, and everything
//! computed of them is exact, up to a limit; beyond it they are counted in 2^18 equal steps per factor of two. That
//! is a relative width of 4e-6, and moves a distance between two samples by about 1e-3 of itself at most.

use std::sync::Arc;

/// Values kept one by one, 128 MiB. More are counted in steps of a relative width of 4e-6.
pub const EXACT_CELLS: usize = 1 << 24;

/// Low bits of a float32 that are dropped when values are counted.
const DROPPED: u32 = 5;

/// Positive values, collected one shower at a time.
#[derive(Debug, Clone)]
pub struct Spectrum {
    count: u64,
    mean: f64,
    /// Σ (v − mean)².
    squares: f64,
    min: f64,
    max: f64,
    limit: usize,
    values: Vec<f64>,
    /// Counts by step; empty while `values` holds all.
    steps: Vec<u64>,
}

impl Spectrum {
    /// No values yet; `limit` of them are kept one by one.
    pub fn new(limit: usize) -> Self {
        Self {
            count: 0,
            mean: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            limit,
            values: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Adds the cells of a shower, all positive.
    pub fn add(&mut self, cells: &[f64]) {
        let Some(&first) = cells.first() else { return };
        // Moments of this shower, then of both together: no cancellation, whatever the number of cells.
        let (n, old) = (cells.len() as f64, self.count as f64);
        let mean = first + cells.iter().map(|e| e - first).sum::<f64>() / n;
        let squares: f64 = cells.iter().map(|e| (e - mean) * (e - mean)).sum();
        let step = mean - self.mean;
        self.count += cells.len() as u64;
        self.mean += step * n / self.count as f64;
        self.squares += squares + step * step * old * n / self.count as f64;
        for &e in cells {
            self.min = self.min.min(e);
            self.max = self.max.max(e);
        }
        if self.values.len() + cells.len() > self.limit {
            self.coarsen();
        }
        if self.is_exact() {
            self.values.extend_from_slice(cells);
        } else {
            for &e in cells {
                self.steps[step_of(e, DROPPED)] += 1;
            }
        }
    }

    /// Whether every value is kept.
    pub fn is_exact(&self) -> bool {
        self.steps.is_empty()
    }

    /// Counts the values kept in steps from here on. Samples that are compared must both be coarse or both be exact.
    pub fn coarsen(&mut self) {
        if self.is_exact() {
            // Memory is touched only where values are: 2 MiB per factor of two.
            self.steps = vec![0; steps(DROPPED)];
            for e in std::mem::take(&mut self.values) {
                self.steps[step_of(e, DROPPED)] += 1;
            }
        }
    }

    /// Adds the values of another spectrum.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (n, old) = (other.count as f64, self.count as f64);
        let step = other.mean - self.mean;
        self.count += other.count;
        self.mean += step * n / self.count as f64;
        self.squares += other.squares + step * step * old * n / self.count as f64;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.limit += other.limit;
        if !other.is_exact() {
            self.coarsen();
        }
        if self.is_exact() {
            self.values.extend_from_slice(&other.values);
            return;
        }
        for &e in &other.values {
            self.steps[step_of(e, DROPPED)] += 1;
        }
        for (a, b) in self.steps.iter_mut().zip(&other.steps) {
            if *b > 0 {
                *a += b;
            }
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean and standard deviation (divided by n) of the values as they were added.
    pub fn moments(&self) -> Option<(f64, f64)> {
        (self.count > 0).then(|| (self.mean, (self.squares / self.count as f64).sqrt()))
    }

    /// The values in ascending order; those that were counted stand at the middle of their step.
    pub fn into_sorted(self) -> Sorted {
        if self.is_exact() {
            return Sorted::new(self.values);
        }
        let filled = || self.steps.iter().enumerate().filter(|&(_, &n)| n > 0);
        let values = filled()
            .map(|(step, _)| middle_of(step, DROPPED).clamp(self.min, self.max))
            .collect();
        let counts = filled().map(|(_, &n)| n).collect();
        Sorted::counts(Arc::new(values), counts)
    }
}

/// Number of steps in which positive values fall that a float32 without its `dropped` low bits does not tell apart.
pub(super) const fn steps(dropped: u32) -> usize {
    0x7f80_0000 >> dropped
}

/// The step of a value. Bits of positive floats ascend with their value; what is too large for a float32 is in the last step.
pub(super) fn step_of(value: f64, dropped: u32) -> usize {
    ((value as f32).min(f32::MAX).to_bits() >> dropped) as usize
}

/// The middle of a step.
pub(super) fn middle_of(step: usize, dropped: u32) -> f64 {
    f64::from(f32::from_bits(
        ((step as u32) << dropped) | (1 << (dropped - 1)),
    ))
}

/// A sample in ascending order.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    values: Arc<Vec<f64>>,
    /// How often each value occurs, where that is not once.
    counts: Option<Vec<u64>>,
    total: u64,
}

impl Sorted {
    /// Sorts `values`, none of them NaN.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Self {
            total: values.len() as u64,
            values: Arc::new(values),
            counts: None,
        }
    }

    /// Of ascending `values` and how often each occurs, which may be never.
    pub fn counts(values: Arc<Vec<f64>>, counts: Vec<u64>) -> Self {
        Self {
            total: counts.iter().sum(),
            values,
            counts: Some(counts),
        }
    }

    /// Size of the sample.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the sample holds nothing.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The smallest and the largest value.
    pub fn ends(&self) -> Option<(f64, f64)> {
        let mut occurring = (0..self.values.len()).filter(|&i| self.count(i) > 0);
        let first = occurring.next()?;
        let last = occurring.next_back().unwrap_or(first);
        Some((self.values[first], self.values[last]))
    }

    /// The value of a rank, counted from 0 in ascending order.
    pub fn ranked(&self, rank: u64) -> Option<f64> {
        let mut above = rank;
        for (value, n) in self.counted() {
            if n > above {
                return Some(value);
            }
            above -= n;
        }
        None
    }

    /// Each value that occurs, and how often.
    pub fn counted(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let counted = self.values.iter().enumerate();
        counted
            .map(|(i, &value)| (value, self.count(i)))
            .filter(|&(_, n)| n > 0)
    }

    fn count(&self, i: usize) -> u64 {
        self.counts.as_ref().map_or(1, |counts| counts[i])
    }
}
