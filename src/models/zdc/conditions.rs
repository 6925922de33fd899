//! The labels of a particle as networks see them.

use serde::{Deserialize, Serialize};

use crate::models::{Conditioning, DataSummary, DataTensor, require};
use crate::nn::Net;
use crate::tape::Var;
use crate::{Error, Result};

/// What the published conditional systems know of a particle: energy, mass, charge, momentum, vertex.
const PARTICLE: [&str; 9] = [
    "energy", "mass", "charge", "px", "py", "pz", "vx", "vy", "vz",
];

/// Names of the conditions, the energy first; none for an unconditional system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conditions(Vec<String>);

impl Conditions {
    /// The nine of a particle.
    pub fn particle() -> Self {
        Self(PARTICLE.map(String::from).to_vec())
    }

    /// None.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// True for an unconditional system.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn check(&self) -> Result<()> {
        require(
            self.0.first().is_none_or(|name| name == "energy"),
            "the first of the conditions must be energy",
        )?;
        match (1..self.0.len()).find(|&i| self.0[..i].contains(&self.0[i])) {
            Some(i) => Err(Error::Config(format!(
                "conditions name '{}' twice",
                self.0[i]
            ))),
            None => Ok(()),
        }
    }

    /// The labels of an event: an unconditional system carries the energy along and does not look at it.
    pub(super) fn labels(&self) -> Vec<String> {
        match self.is_empty() {
            true => vec!["energy".into()],
            false => self.0.clone(),
        }
    }

    /// Energy and impact point can be chosen freely; mass, charge and momentum belong to one particle.
    pub(super) fn conditioning(&self) -> Conditioning {
        let free = |name: &String| ["energy", "position_x", "position_y"].contains(&name.as_str());
        if self.is_empty() {
            Conditioning::Unconditional
        } else if self.0.iter().all(free) {
            Conditioning::Free
        } else {
            Conditioning::Joint
        }
    }

    /// `labels` `[C,N]` less their mean over their standard deviation, which `net` keeps.
    #[track_caller]
    pub(super) fn seen<'t>(&self, net: &Net<'t>, labels: Var<'t>) -> Option<Var<'t>> {
        if self.is_empty() {
            return None;
        }
        let c = [self.0.len()];
        let (mean, _) = net.statistic("conditions.mean", &c, 0.0);
        let (std, _) = net.statistic("conditions.std", &c, 1.0);
        Some((labels - mean.unsqueeze_to(2)) / std.unsqueeze_to(2))
    }

    /// What [`Conditions::seen`] reads. A column that is constant in the data is centred and left unscaled.
    pub(super) fn data_tensors(
        &self,
        network: &'static str,
        data: &DataSummary,
    ) -> Vec<DataTensor> {
        if self.is_empty() {
            return Vec::new();
        }
        let scale = data.condition_mean.iter().zip(&data.condition_std);
        let scale = scale.map(|(&mean, &std)| match std > 1e-6 * mean.abs() {
            true => std,
            false => 1.0,
        });
        let scale = scale.collect();
        vec![
            DataTensor::new(network, "conditions.mean", data.condition_mean.clone()),
            DataTensor::new(network, "conditions.std", scale),
        ]
    }
}

/// `x` with the conditions behind it, if there are any.
#[track_caller]
pub(super) fn beside<'t>(x: Var<'t>, conditions: Option<Var<'t>>) -> Var<'t> {
    match conditions {
        Some(c) => Var::concat(&[x, c], 0),
        None => x,
    }
}
