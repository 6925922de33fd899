//! Systems for the ALICE zero degree calorimeters: images of a fibre calorimeter and the particle that made them
//! (Deja, Dubiński, Nowak, Wenzel, Trzciński, arXiv:2006.06704; layer lists from later published codes of the same groups).
//!
//! [`Autoencoder`] is a family that differs in what holds the latent code to its prior, [`E2eSae`] learns the prior with a
//! noise generator, [`CondDcgan`] is adversarial. They share the labels ([`Conditions`]) and the autoencoders their two
//! networks, so that one comparison of them is fair. Everything but the channels follows from the extents of an image: 44x44
//! of the neutron calorimeter, 56x30 of the proton calorimeter or 28x28 digits need another `shape` and nothing else.
//!
//! Choices of ours where these codes follow their libraries (Keras, Flax): weights and biases start as PyTorch's, and batch
//! norms keep 0.9 of their running statistics a step with 1e-5 under the root, there 0.99, in Keras with 1e-3.

mod autoencoder;
mod cond_dcgan;
mod conditions;
mod e2e_sae;
mod images;
mod transport;

pub use autoencoder::Autoencoder;
pub use cond_dcgan::CondDcgan;
pub use conditions::Conditions;
pub use e2e_sae::E2eSae;

use super::{Preprocess, require};
use crate::Result;
use crate::ops::Optimizer;

/// Learning rates of a training: (epochs, rate), one after the other.
type Rates = Vec<(f64, f32)>;

/// Adam with the usual constants.
const ADAM: Optimizer = Optimizer::adam(0.9, 0.999);

/// Photons to an MeV: scales our simulation, 0.65 MeV a cell on average, to the published data, 0.23 photons a cell, so that
/// the logarithm bends both alike.
const PHOTONS: f32 = 0.35;

/// ln(1 + scale x) of cells in the file's unit.
fn logarithm(scale: f32) -> Preprocess {
    Preprocess {
        file_unit: Some("MeV".into()),
        scale,
        log: true,
        ..Preprocess::NONE
    }
}

/// What all systems here ask of their settings.
fn check(shape: [usize; 3], conditions: &Conditions, preprocess: &Preprocess) -> Result<()> {
    conditions.check()?;
    require(
        shape[0] == 1 && shape[1] > 0 && shape[2] > 0,
        "shape must be one layer: [1, X, Y]",
    )?;
    require(
        !(preprocess.per_energy && conditions.is_empty()),
        "per_energy needs conditions, because an unconditional system knows no energy",
    )
}
