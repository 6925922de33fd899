//! From a file's cell energies to what networks see, and back.

use serde::{Deserialize, Serialize};

use super::require;
use crate::Result;
use crate::tape::Var;

/// The transformation: `x = e / unit`, 0 below 0 and below `threshold`; divided by the incident energy in GeV if `per_energy`; times
/// `scale`; then ln(1 + x) if `log`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// The unit of the file, such as `MeV`, that the numbers below are made for; `None` for whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_unit: Option<String>,
    /// File units per unit of the networks, such as MeV per MIP.
    pub unit: f32,
    /// In units of the networks: smaller cells count as empty, in data and in generated showers.
    pub threshold: f32,
    /// Divides by the incident energy: the response then moves alike at all energies.
    pub per_energy: bool,
    /// Factor before the logarithm.
    pub scale: f32,
    /// Takes ln(1 + x).
    pub log: bool,
}

impl Preprocess {
    /// Cells as the file has them.
    pub(super) const NONE: Self = Self {
        file_unit: None,
        unit: 1.0,
        threshold: 0.0,
        per_energy: false,
        scale: 1.0,
        log: false,
    };

    /// ln(1 + `scale` e / E) of a cell's energy e and the incident energy E in GeV.
    pub(super) fn shares(scale: f32) -> Self {
        Self {
            per_energy: true,
            scale,
            log: true,
            ..Self::NONE
        }
    }

    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with what makes no sense.
    pub(super) fn check(&self) -> Result<()> {
        let positive = |v: f32| v > 0.0 && v.is_finite();
        require(
            positive(self.unit) && positive(self.scale),
            "preprocess.unit and preprocess.scale must be above 0",
        )?;
        require(
            self.threshold >= 0.0 && self.threshold.is_finite(),
            "preprocess.threshold must not be below 0",
        )
    }

    /// `showers` `[Z,X,Y,N]` in file units to what networks see; `energy` `[1,N]` in GeV.
    pub fn forward<'t>(&self, showers: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let mut x = showers.relu() * (1.0 / self.unit);
        if self.threshold > 0.0 {
            x = x.cut_below(x.tape().full(self.threshold, &[]));
        }
        x = x * self.scale;
        if self.per_energy {
            x = x / energy;
        }
        if self.log { x.log1p() } else { x }
    }

    /// The inverse.
    pub fn backward<'t>(&self, seen: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let mut x = if self.log { seen.expm1() } else { seen };
        if self.per_energy {
            x = x * energy;
        }
        x = x * (1.0 / self.scale);
        if self.threshold > 0.0 {
            x = x.cut_below(x.tape().full(self.threshold, &[]));
        }
        x * self.unit
    }

    /// What one unit of the networks, unscaled, is in the networks' view at incident energy 1: `forward` of `unit x`.
    pub fn seen(&self, x: f32) -> f32 {
        let x = x * self.scale;
        if self.log { x.ln_1p() } else { x }
    }
}
