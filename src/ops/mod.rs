//! Operations: one file an op with its shape rule, its gradient rule and its launch; the kernels are in `shaders/`.
//!
//! To add one: `shaders/NAME.wgsl`, `src/ops/NAME.rs`, `tests/ops/NAME.rs`, a line in each of the two lists below,
//! and `mod NAME;` in `tests/ops/main.rs`.

mod arithmetic;
mod ceiling;
mod compact;
pub(crate) mod conv;
pub(crate) mod conv_tiled;
pub mod elementwise;
pub(crate) mod folded;
mod gather;
mod halve;
pub(crate) mod leaf;
mod local;
pub(crate) mod map;
mod matmul;
pub(crate) mod mix;
pub(crate) mod movement;
mod onnx;
pub(crate) mod permute;
pub(crate) mod pool;
pub mod random;
pub(crate) mod reduce;
mod sinkhorn;
mod sort;
mod spline;
pub(crate) mod update;

pub use compact::HitFormat;
pub use conv::ConvSpec;
pub(crate) use sinkhorn::Transport;
pub use spline::Spline;
pub use update::Optimizer;

use crate::gpu::Kernel;

/// Every kernel of the crate, for the test that checks them without a device.
#[doc(hidden)]
pub fn kernels() -> Vec<&'static Kernel> {
    let lists = [
        ceiling::KERNELS,
        compact::KERNELS,
        conv::KERNELS,
        conv_tiled::KERNELS,
        gather::KERNELS,
        halve::KERNELS,
        local::KERNELS,
        map::KERNELS,
        mix::KERNELS,
        movement::KERNELS,
        permute::KERNELS,
        pool::KERNELS,
        random::KERNELS,
        reduce::KERNELS,
        reduce::MOMENTS_KERNELS,
        sinkhorn::KERNELS,
        sort::KERNELS,
        spline::KERNELS,
        update::KERNELS,
    ];
    lists.into_iter().flatten().copied().collect()
}
