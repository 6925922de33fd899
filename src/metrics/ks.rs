//! Two-sample Kolmogorov-Smirnov statistic.

use super::wasserstein::walk;
use crate::observables::Sorted;

/// `max |F(x) − G(x)|`, 0 to 1; `None` where a sample is empty.
pub fn kolmogorov_smirnov(a: &Sorted, b: &Sorted) -> Option<f64> {
    let mut largest = 0.0_f64;
    walk(a, b, |_, difference| largest = largest.max(difference))?;
    Some(largest)
}
