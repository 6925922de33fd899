//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
#![warn(missing_docs)]

mod error;
pub mod metrics;
pub mod observables;

pub use error::{Error, Result};
