//! What a device can do at most, measured in the run that compares with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use calogen::Result;
use calogen::gpu::{Gpu, Tier};
use calogen::tape::{Options, Program, Tape};
use serde::Serialize;

use super::timing::{Timing, measure};

/// What the device can do at most. The best of several runs each: nothing disturbed it then.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// Multiply-adds from registers, two operations each.
    pub gflop_per_second: f64,
    /// Products of cooperative matrices from registers, f16 operands and f32 sums; none if the device has none.
    pub matrix_gflop_per_second: Option<f64>,
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
        let gflop_per_second = products(gpu, budget, |rounds| {
            let tape = Tape::new();
            let y = tape
                .input("x", &[4])
                .multiply_adds(LANES, rounds, 0.75, 0.25);
            let program = tape.compile(gpu, &[("y", y)], Options::default())?;
            program.set("x", &[0.0, 1.0, 2.0, 3.0])?;
            Ok(program)
        })?;
        let matrix_gflop_per_second = match gpu.capabilities().matrix {
            None => None,
            Some(m) => Some(products(gpu, budget, |rounds| {
                let side = m.size as usize;
                let tape = Tape::new();
                let x = tape.input("x", &[4, side, side]);
                let y = x.matrix_products(LANES / m.subgroup as usize / 4, rounds);
                let options = Options {
                    tier: Tier::Matrix,
                    ..Options::default()
                };
                let program = tape.compile(gpu, &[("y", y)], options)?;
                program.set("x", &vec![0.25; 4 * side * side])?;
                Ok(program)
            })?),
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
        gpu.write(&from, 0, &vec![1; bytes as usize])?;
        let buffer = measure(budget, || gpu.copy(&from, &to, bytes), || gpu.wait())?;
        let read = READ.min(bytes);
        let readback = measure(
            budget,
            || gpu.read_bytes(&from, 0, read).map(drop),
            || Ok(()),
        )?;
        Ok(Self {
            gflop_per_second,
            matrix_gflop_per_second,
            kernel_copy_gb_per_second: rate(2 * bytes, kernel),
            buffer_copy_gb_per_second: rate(2 * bytes, buffer),
            readback_gb_per_second: rate(read, readback),
        })
    }

    /// Operations per second of what a tier's products are made of.
    pub fn of_tier(&self, tier: Tier) -> f64 {
        match (tier, self.matrix_gflop_per_second) {
            (Tier::Matrix, Some(rate)) => rate.max(self.gflop_per_second),
            _ => self.gflop_per_second,
        }
    }

    /// The faster copy, GB/s.
    pub fn copy(&self) -> f64 {
        self.kernel_copy_gb_per_second
            .max(self.buffer_copy_gb_per_second)
    }
}

/// GFLOP/s of a program that does as many rounds as it is told, once these take long enough.
fn products(
    gpu: &Arc<Gpu>,
    budget: Duration,
    compile: impl Fn(usize) -> Result<Program>,
) -> Result<f64> {
    let mut rounds = 8;
    loop {
        let program = compile(rounds)?;
        let t = measure(budget, || program.run(), || gpu.wait())?;
        if t.median > LONG_ENOUGH || rounds >= 1 << 16 {
            return Ok(program.plan().flops() / t.min * 1e-9);
        }
        rounds *= 4;
    }
}

impl fmt::Display for Ceilings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matrices = (self.matrix_gflop_per_second)
            .map(|rate| format!("{rate:.1} GFLOP/s of cooperative matrices, "))
            .unwrap_or_default();
        write!(
            f,
            "ceilings: {:.1} GFLOP/s of multiply-adds, {matrices}{:.1} GB/s copied by a kernel, {:.1} GB/s by the device, \
             {:.1} GB/s read back",
            self.gflop_per_second,
            self.kernel_copy_gb_per_second,
            self.buffer_copy_gb_per_second,
            self.readback_gb_per_second
        )
    }
}
