//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
#![warn(missing_docs)]

pub mod data;
mod error;

pub use error::{Error, Result};
