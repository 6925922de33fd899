//! Settings of the Sinkhorn divergence.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::losses::Sinkhorn;
use crate::models::require;

/// How the Sinkhorn divergence with cost |x - y|²/2 is computed; see [`Sinkhorn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transport {
    /// Length below which differences blur.
    pub blur: f32,
    /// Ratio of successive lengths on the way there, below 1.
    pub scaling: f32,
    /// Length at which that way starts.
    pub diameter: f32,
    /// Steps at the final length, at most.
    pub iterations: usize,
    /// The steps end when every marginal is right to this fraction.
    pub tolerance: f32,
}

impl Transport {
    /// GeomLoss' defaults for codes of a few units.
    pub(super) fn usual() -> Self {
        Self {
            blur: 0.05,
            scaling: 0.5,
            diameter: 50.0,
            iterations: 1,
            tolerance: 1e-3,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let lengths = self.blur > 0.0 && self.diameter.is_finite() && self.diameter > 0.0;
        require(
            lengths && self.scaling > 0.0 && self.scaling < 1.0 && self.iterations > 0,
            "transport needs blur and diameter above 0, scaling between 0 and 1, iterations of at least 1",
        )
    }

    pub(super) fn spec(&self) -> Sinkhorn {
        Sinkhorn {
            p: 2,
            blur: self.blur,
            scaling: self.scaling,
            diameter: self.diameter,
            iterations: self.iterations,
            tolerance: self.tolerance,
        }
    }
}
