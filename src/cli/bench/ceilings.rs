//! What a device can do at most, measured in the run that compares with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use calogen::Result;
use calogen::gpu::Gpu;
use calogen::tape::{Options, Tape};
use serde::Serialize;

use super::timing::{Timing, measure};

/// What the device can do at most. The best of several runs each: nothing disturbed it then.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// Multiply-adds from registers, two operations each.
    pub gflop_per_second: f64,
    /// Bytes read and written by a kernel that copies.
    pub kernel_copy_gb_per_second: f64,
    /// Bytes read and written by the device's own copy.
    pub buffer_copy_gb_per_second: f64,
    /// Bytes that reach the host's memory.
    pub readback_gb_per_second: f64,
}

/// Lanes of the multiply-add kernel: more than any device runs at once.
const LANES: usize = 1 << 19;
/// A measurement of the multiply-add rate is at least this long.
const LONG_ENOUGH: f64 = 0.02;
/// Bytes of a readback: a large batch of showers.
const READ: u64 = 1 << 26;

impl Ceilings {
    /// Measures them, each for about `budget`.
    pub fn measure(gpu: &Arc<Gpu>, budget: Duration) -> Result<Self> {
        let mut rounds = 8;
        let gflop_per_second = loop {
            let tape = Tape::new();
            let y = tape
                .input("x", &[4])
                .multiply_adds(LANES, rounds, 0.75, 0.25);
            let program = tape.compile(gpu, &[("y", y)], Options::default())?;
            program.set("x", &[0.0, 1.0, 2.0, 3.0])?;
            let t = measure(budget, || program.run(), || gpu.wait())?;
            if t.median > LONG_ENOUGH || rounds >= 1 << 16 {
                break program.plan().flops() / t.min * 1e-9;
            }
            rounds *= 4;
        };
        let largest = gpu.capabilities().max_tensor_bytes() / 2;
        let bytes = (1u64 << 28)
            .min(largest.next_power_of_two() / 2)
            .max(1 << 20);
        let words = (bytes / 4) as usize;
        let tape = Tape::new();
        let copied = tape.input("x", &[words]).copied();
        let program = tape.compile(gpu, &[("y", copied)], Options::default())?;
        program.set("x", &vec![1.0; words])?;
        let rate = |bytes: u64, t: Timing| bytes as f64 / t.min * 1e-9;
        let kernel = measure(budget, || program.run(), || gpu.wait())?;
        let (from, to) = (gpu.buffer(bytes)?, gpu.buffer(bytes)?);
        gpu.write(&from, 0, &vec![1; bytes as usize]);
        let buffer = measure(budget, || gpu.copy(&from, &to, bytes), || gpu.wait())?;
        let read = READ.min(bytes);
        let readback = measure(
            budget,
            || gpu.read_bytes(&from, 0, read).map(drop),
            || Ok(()),
        )?;
        Ok(Self {
            gflop_per_second,
            kernel_copy_gb_per_second: rate(2 * bytes, kernel),
            buffer_copy_gb_per_second: rate(2 * bytes, buffer),
            readback_gb_per_second: rate(read, readback),
        })
    }

    /// The faster copy, GB/s.
    pub fn copy(&self) -> f64 {
        self.kernel_copy_gb_per_second
            .max(self.buffer_copy_gb_per_second)
    }
}

impl fmt::Display for Ceilings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ceilings: {:.1} GFLOP/s of multiply-adds, {:.1} GB/s copied by a kernel, {:.1} GB/s by the device, \
             {:.1} GB/s read back",
            self.gflop_per_second,
            self.kernel_copy_gb_per_second,
            self.buffer_copy_gb_per_second,
            self.readback_gb_per_second
        )
    }
}
