//! Learning rates over a training.

use serde::{Deserialize, Serialize};

/// The epochs of a list of (epochs, rate).
pub fn epochs(rates: &[(f64, f32)]) -> f64 {
    rates.iter().map(|r| r.0).sum()
}

/// The rate at `share` of the whole training, from a list of (epochs, rate), one after the other.
pub fn rate(rates: &[(f64, f32)], share: f64) -> f32 {
    let total = epochs(rates);
    let mut end = 0.0;
    for (epochs, rate) in rates {
        end += epochs / total;
        if share < end {
            return *rate;
        }
    }
    rates.last().map_or(0.0, |r| r.1)
}

/// A learning rate that shrinks by the same factor after every epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decaying {
    /// Rate of the first epoch.
    pub start: f32,
    /// Rate of an epoch over that of the one before.
    pub factor: f32,
}

impl Decaying {
    /// The rate when `epoch` epochs are done, with the fraction of the present one.
    pub fn at(self, epoch: f64) -> f32 {
        self.start * self.factor.powi(epoch as i32)
    }
}
