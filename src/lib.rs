//! Trains and runs generative models of calorimeter showers on hand-written WGSL compute kernels, on any GPU.
//!
//! Kernels run through wgpu on Vulkan, Metal and DirectX 12, and without a GPU on Mesa's software Vulkan. Weights in,
//! showers out:
//!
//! ```no_run
//! use calogen::{generate::Generator, gpu::Gpu};
//! let gpu = Gpu::open(None)?; // the best adapter
//! let mut generator = Generator::load(&gpu, "tools/weights/hgcal-small.safetensors")?;
//! let labels = generator.labels(&[50.0; 100], 1, 0)?; // 100 showers of 50 GeV: seed 1, from event 0 on
//! let showers = generator.generate(&labels, 1, 0)?; // [100, Z, X, Y] cell energies
//! println!("{} cells in {}", showers.len(), generator.metadata().unit);
//! # Ok::<(), calogen::Error>(())
//! ```
//!
//! # Modules
//! Each uses only those above it; what stands in one row does not use its neighbours. But `tape` and `ops` know each other, as
//! rewrites look for certain ops, and `train` watches with regressors of `reconstruct`.
//!
//! | module | what it is |
//! |---|---|
//! | [`files`] | files that are there whole or not at all |
//! | [`gpu`] | adapters, buffers, kernels, pipelines, timing: all that talks to wgpu |
//! | [`onnx`] | the file format of other run times |
//! | [`tape`] | records ops once, differentiates them, compiles them to a program that is run again and again |
//! | [`ops`] | the operations: shape rule, gradient rule, launch; a kernel family is one file of `shaders/` |
//! | [`nn`] | parameters by name, layers, initial values, transforms of flows |
//! | [`losses`] | losses over variables |
//! | [`models`] | the systems; weights files |
//! | [`geometry`], [`hits`] | where the cells of a shower lie; showers as lists of the cells hit |
//! | [`data`] / [`observables`], then [`metrics`] | shower files and batches / what is computed of a shower, what compares two samples |
//! | `latent` | codes of showers, and their pictures in two dimensions |
//! | [`train`] / [`generate`] / [`reconstruct`] / [`classify`] / [`inception`] / [`report`] | the training loop / the generator / regressors / a network that tells samples apart / features of images / plots and the page |
//!
//! Without default features `files` to `models`, `hits`, `generate` and `reconstruct` remain: what an embedding program needs.
//! `train`, `hdf5` (module `data`), `report` (with `classify` and `inception`) and `cli` (the program) are features;
//! `observables` and `metrics` come with `train` and with `report`.
#![warn(missing_docs)]
// The map above names modules that only features bring.
#![cfg_attr(not(feature = "cli"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "report")]
pub mod classify;
#[cfg(feature = "hdf5")]
pub mod data;
mod error;
pub mod files;
pub mod generate;
#[cfg(any(feature = "hdf5", feature = "report"))]
pub mod geometry;
pub mod gpu;
pub mod hits;
#[cfg(feature = "report")]
pub mod inception;
#[cfg(all(feature = "train", feature = "hdf5"))]
pub mod latent;
pub mod losses;
#[cfg(any(feature = "report", feature = "train"))]
pub mod metrics;
pub mod models;
pub mod nn;
#[cfg(any(feature = "report", feature = "train"))]
pub mod observables;
pub mod onnx;
pub mod ops;
pub mod reconstruct;
#[cfg(feature = "report")]
pub mod report;
pub mod tape;
#[cfg(all(feature = "train", feature = "hdf5"))]
pub mod train;

pub use error::{Error, Result};
/// The version of wgpu that [`Gpu::from_device`](gpu::Gpu::from_device) takes a device of.
pub use wgpu;
