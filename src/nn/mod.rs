//! Networks: parameters by name, layers over [`Var`](crate::tape::Var), initial values.
//!
//! A network is a function that takes a [`Net`] and variables. Run on a [`Net`] that declares, it lists its parameters and
//! layers without a device; run on one that holds [`Parameters`], it computes.

pub mod flow;
mod layers;
mod network;
mod parameters;

pub use layers::{Norm, Window};
pub use network::{Init, Layer, Mode, Net, Network, TensorSpec};
pub use parameters::Parameters;
