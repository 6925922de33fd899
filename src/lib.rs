//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
#![warn(missing_docs)]

mod error;
pub mod gpu;
pub mod ops;
pub mod tape;
#[cfg(feature = "report")]
pub mod report;

pub use error::{Error, Result};
