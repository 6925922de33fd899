//! How much memory a device holds, and how much it may.

use std::sync::atomic::{AtomicU64, Ordering};

use super::device::Gpu;
use crate::{Error, Result};

/// Bytes of the buffers that a device holds, and how many it may.
#[derive(Debug)]
pub(super) struct Memory {
    held: AtomicU64,
    limit: AtomicU64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            held: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
        }
    }
}

impl Memory {
    pub fn freed(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Gpu {
    /// Keeps tensors and staging buffers together below `bytes`, so that a host program has the rest of the device's memory:
    /// what does not fit is [`Error::OutOfMemory`], and [`Generator`](crate::generate::Generator) then takes a smaller
    /// batch. `None` for no limit but the device's own, as at first.
    pub fn limit_memory(&self, bytes: Option<u64>) {
        self.memory
            .limit
            .store(bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes of all tensors and staging buffers that are held, used or kept for later use.
    pub fn memory_held(&self) -> u64 {
        self.memory.held.load(Ordering::Relaxed)
    }

    /// Frees the buffers that nobody uses.
    pub fn trim(&self) {
        let _turn = self.turns.take();
        let freed = self.pool.clear() + self.staging.clear();
        self.memory.freed(freed);
    }

    pub(super) fn create(&self, size: u64) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        self.counted(size, None, usage)
    }

    /// A new buffer that counts as held.
    pub(super) fn counted(
        &self,
        size: u64,
        label: Option<&str>,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        let limit = self.memory.limit.load(Ordering::Relaxed);
        let reserve = || {
            let held = self.memory.held.fetch_add(size, Ordering::Relaxed);
            let fits = held.saturating_add(size) <= limit;
            if !fits {
                self.memory.freed(size);
            }
            fits
        };
        if !reserve() {
            self.trim();
            if !reserve() {
                return Err(Error::OutOfMemory(format!(
                    "{size} more bytes do not fit the limit of {limit}, of which {} are used",
                    self.memory_held()
                )));
            }
        }
        let create = || {
            self.in_memory(|| {
                self.device.create_buffer(&wgpu::BufferDescriptor {
                    label,
                    size,
                    usage,
                    mapped_at_creation: false,
                })
            })
        };
        let made = create().or_else(|_| {
            // Buffers of other sizes may be what fills the device, some of them until its work on them is done.
            self.trim();
            self.wait()?;
            create()
        });
        match made {
            Ok(raw) => {
                self.count_allocation();
                Ok(raw)
            }
            Err(error) => {
                self.memory.freed(size);
                let what = format!("no buffer of {size} bytes: {error}");
                Err(Error::OutOfMemory(what))
            }
        }
    }

    /// A buffer that the caller keeps, of exactly `bytes` (a multiple of four).
    pub(crate) fn host_buffer(&self, bytes: u64) -> Result<wgpu::Buffer> {
        let most = self.capabilities().limits.max_buffer_size;
        if bytes > most {
            return Err(Error::OutOfMemory(format!(
                "{bytes} bytes do not fit a buffer of this device ({most} bytes at most); ask for fewer showers at once"
            )));
        }
        let raw = self.create(bytes)?;
        self.memory.freed(bytes);
        Ok(raw)
    }
}
