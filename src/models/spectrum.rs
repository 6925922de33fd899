//! The spectrum of cell energies as a loss of several systems.

use serde::{Deserialize, Serialize};

use crate::losses::SortedKernel;

/// A weighted sorted-kernel maximum mean discrepancy: see [`SortedKernel`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spectrum {
    /// Its weight.
    pub weight: f32,
    /// Of the kernel exp(-alpha (a-b)²).
    pub alpha: f32,
    /// Ranks in a window.
    pub size: usize,
    /// Ranks from one window's start to the next.
    pub stride: usize,
    /// Windows start below this rank.
    pub limit: usize,
}

impl Spectrum {
    /// With windows of `[size, stride, limit]` ranks.
    pub fn new(weight: f32, alpha: f32, [size, stride, limit]: [usize; 3]) -> Self {
        Self {
            weight,
            alpha,
            size,
            stride,
            limit,
        }
    }

    /// The windows and kernel, without the weight.
    pub fn windows(&self) -> SortedKernel {
        SortedKernel {
            size: self.size,
            stride: self.stride,
            limit: self.limit,
            alpha: self.alpha,
        }
    }
}
