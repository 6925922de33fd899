//! Time spent in each kernel, by timestamps of the device.

use std::collections::HashMap;

use super::device::Gpu;
use super::pipeline::Bound;
use crate::{Error, Result};

/// Time of one kernel, summed over its dispatches.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// The kernel's entry point.
    pub name: String,
    /// Number of dispatches.
    pub calls: u64,
    /// Seconds on the device.
    pub seconds: f64,
    /// Floating point operations, a multiply-add counted as two.
    pub flops: f64,
    /// Bytes read and written at least once.
    pub bytes: f64,
}

/// Times by kernel, longest first.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// One entry a kernel.
    pub kernels: Vec<KernelTime>,
}

impl Profile {
    pub(crate) fn new(rows: impl Iterator<Item = (&'static str, f64, f64, f64)>) -> Self {
        let mut sums: HashMap<&str, KernelTime> = HashMap::new();
        for (name, seconds, flops, bytes) in rows {
            let row = sums.entry(name).or_insert(KernelTime {
                name: name.to_owned(),
                calls: 0,
                seconds: 0.0,
                flops: 0.0,
                bytes: 0.0,
            });
            row.calls += 1;
            row.seconds += seconds;
            row.flops += flops;
            row.bytes += bytes;
        }
        let mut kernels: Vec<_> = sums.into_values().collect();
        kernels.sort_by(|a, b| {
            b.seconds
                .total_cmp(&a.seconds)
                .then_with(|| a.name.cmp(&b.name))
        });
        Self { kernels }
    }

    /// Adds the times of another profile.
    pub fn merge(&mut self, other: Self) {
        for row in other.kernels {
            match self.kernels.iter_mut().find(|k| k.name == row.name) {
                Some(mine) => {
                    mine.calls += row.calls;
                    mine.seconds += row.seconds;
                    mine.flops += row.flops;
                    mine.bytes += row.bytes;
                }
                None => self.kernels.push(row),
            }
        }
        self.kernels.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: f64 = self.kernels.iter().map(|k| k.seconds).sum();
        writeln!(
            f,
            "{:<28}{:>8}{:>12}{:>8}{:>10}{:>9}",
            "kernel", "calls", "ms", "share", "GFLOP/s", "GB/s"
        )?;
        for k in &self.kernels {
            let rate = |x: f64| {
                if k.seconds > 0.0 {
                    x / k.seconds * 1e-9
                } else {
                    0.0
                }
            };
            writeln!(
                f,
                "{:<28}{:>8}{:>12.3}{:>7.1}%{:>10.1}{:>9.2}",
                k.name,
                k.calls,
                k.seconds * 1e3,
                100.0 * k.seconds / total.max(1e-12),
                rate(k.flops),
                rate(k.bytes)
            )?;
        }
        write!(
            f,
            "{:<28}{:>8}{:>12.3}",
            "total",
            self.kernels.iter().map(|k| k.calls).sum::<u64>(),
            total * 1e3
        )
    }
}

/// Dispatches of a query set, which holds two timestamps of each and 4096 at most.
const MOST_TIMED: usize = 1024;

impl Gpu {
    /// Runs each dispatch in a pass of its own between two timestamps; seconds per dispatch.
    pub(crate) fn time(&self, steps: &[Bound]) -> Result<Vec<f64>> {
        if !self.capabilities().timestamps {
            return Err(Error::Device("this adapter has no timestamps".into()));
        }
        let period = f64::from(self.queue.get_timestamp_period()) * 1e-9;
        let _turn = self.turns.take();
        let mut times = Vec::with_capacity(steps.len());
        for chunk in steps.chunks(MOST_TIMED) {
            let count = chunk.len() as u32 * 2;
            let set = self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count,
            });
            let size = u64::from(count) * 8;
            let resolved = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            });
            let target = self.buffer(size)?;
            let mut encoder = self.device.create_command_encoder(&Default::default());
            for (i, step) in chunk.iter().enumerate() {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                        query_set: &set,
                        beginning_of_pass_write_index: Some(i as u32 * 2),
                        end_of_pass_write_index: Some(i as u32 * 2 + 1),
                    }),
                });
                step.encode(&mut pass);
            }
            encoder.resolve_query_set(&set, 0..count, &resolved, 0);
            encoder.copy_buffer_to_buffer(&resolved, 0, target.raw(), 0, size);
            self.submit_recorded(encoder);
            let bytes = self.read_bytes(&target, 0, size)?;
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
            let pairs = ticks.chunks_exact(2);
            times.extend(pairs.map(|pair| pair[1].saturating_sub(pair[0]) as f64 * period));
        }
        Ok(times)
    }
}
