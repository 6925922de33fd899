//! The device and everything that talks to wgpu: adapter choice, buffers, kernels, pipelines, timing.
//!
//! Everything above this module speaks of kernels, buffers and grids; no other module names a wgpu type in its public
//! interface, but for showers left in a buffer on the device. Errors that wgpu would panic on arrive as
//! [`Error::Device`](crate::Error::Device).

mod adapter;
mod buffer;
mod device;
mod kernel;
mod memory;
mod pipeline;
mod profile;
mod tier;
mod tune;
mod turn;
mod unbounded;

pub use adapter::{Capabilities, adapters, preferred, several};
pub use buffer::{Buffer, Mapped, Readback};
pub use device::Gpu;
pub use kernel::{Access, Binding, Field, Kernel, Params, Scalar, fold, read, write};
pub(crate) use kernel::{params, wgsl};
pub(crate) use pipeline::{Bound, Uniform};
pub use profile::{KernelTime, Profile};
pub use tier::{Element, Matrix, Tier};
pub(crate) use tune::hash as text_hash;
