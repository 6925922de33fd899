//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
#![warn(missing_docs)]

mod error;
#[cfg(feature = "report")]
pub mod report;

pub use error::{Error, Result};
