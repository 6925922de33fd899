//! Wasserstein-1 distance of two samples, and the walk over their distribution functions.

use crate::observables::Sorted;

/// `∫ |F(x) − G(x)| dx`, exact, in the unit of the values; `None` where a sample is empty.
pub fn wasserstein1(a: &Sorted, b: &Sorted) -> Option<f64> {
    let mut distance = 0.0;
    let mut last = None;
    walk(a, b, |value, difference| {
        if let Some((from, height)) = last.replace((value, difference)) {
            distance += height * (value - from);
        }
    })?;
    Some(distance)
}

/// Calls `visit` with each value x that occurs, ascending, and |F(x) − G(x)| there; `None` where a sample is empty.
pub(super) fn walk(a: &Sorted, b: &Sorted, mut visit: impl FnMut(f64, f64)) -> Option<()> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut rest_a, mut rest_b) = (a.counted().peekable(), b.counted().peekable());
    let (mut below_a, mut below_b) = (0, 0);
    loop {
        let value = match (rest_a.peek(), rest_b.peek()) {
            (Some(&(a, _)), Some(&(b, _))) => a.min(b),
            (Some(&(v, _)), None) | (None, Some(&(v, _))) => v,
            (None, None) => return Some(()),
        };
        while let Some((_, n)) = rest_a.next_if(|&(v, _)| v == value) {
            below_a += n;
        }
        while let Some((_, n)) = rest_b.next_if(|&(v, _)| v == value) {
            below_b += n;
        }
        let difference = below_a as f64 / a.total() as f64 - below_b as f64 / b.total() as f64;
        visit(value, difference.abs());
    }
}
