//! Operations: one file an op with its shape rule, its gradient rule and its launch; the kernels are in `shaders/`.
//!
//! To add one: `shaders/NAME.wgsl`, `src/ops/NAME.rs`, `tests/ops/NAME.rs`, and a line in each of the two lists below.

pub mod elementwise;
pub(crate) mod leaf;
pub(crate) mod map;
mod movement;
pub(crate) mod reduce;
pub(crate) mod update;

pub use update::Optimizer;

use crate::gpu::Kernel;

/// Every kernel of the crate, for the test that checks them without a device.
pub fn kernels() -> Vec<&'static Kernel> {
    let lists = [
        elementwise::KERNELS,
        leaf::KERNELS,
        map::KERNELS,
        movement::KERNELS,
        reduce::KERNELS,
        update::KERNELS,
    ];
    lists.into_iter().flatten().copied().collect()
}
