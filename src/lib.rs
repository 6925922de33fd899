//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
#![warn(missing_docs)]

pub mod data;
mod error;
pub mod gpu;
pub mod ops;
#[cfg(feature = "report")]
pub mod report;
pub mod tape;
pub mod metrics;
pub mod observables;

pub use error::{Error, Result};
