//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
#![warn(missing_docs)]

#[cfg(feature = "hdf5")]
pub mod data;
mod error;
pub mod files;
pub mod generate;
pub mod gpu;
pub mod losses;
#[cfg(feature = "report")]
pub mod metrics;
pub mod models;
pub mod nn;
#[cfg(feature = "report")]
pub mod observables;
pub mod ops;
#[cfg(feature = "report")]
pub mod report;
pub mod tape;
#[cfg(all(feature = "train", feature = "hdf5"))]
pub mod train;

pub use error::{Error, Result};
