//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
#![warn(missing_docs)]

#[cfg(feature = "hdf5")]
pub mod data;
mod error;
pub mod gpu;
#[cfg(feature = "report")]
pub mod metrics;
#[cfg(feature = "report")]
pub mod observables;
pub mod ops;
#[cfg(feature = "report")]
pub mod report;
pub mod tape;

pub use error::{Error, Result};
