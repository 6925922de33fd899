//! Learning rates over a training.

/// The rate at `share` of the whole training, from a list of (epochs, rate), one after the other.
pub fn rate(rates: &[(f64, f32)], share: f64) -> f32 {
    let total: f64 = rates.iter().map(|r| r.0).sum();
    let mut end = 0.0;
    for (epochs, rate) in rates {
        end += epochs / total;
        if share < end {
            return *rate;
        }
    }
    rates.last().map_or(0.0, |r| r.1)
}
