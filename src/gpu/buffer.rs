//! Device buffers from a pool, and readback through a ring of mapped staging buffers.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, Weak};

use super::device::Gpu;
use super::memory::Memory;
use super::turn::Turns;
use crate::{Error, Result};

/// A storage buffer. Cheap to clone; when the last clone goes, the memory returns to the pool of its device.
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Pooled>);

#[derive(Debug)]
struct Pooled {
    raw: Option<wgpu::Buffer>,
    pool: Weak<Pool>,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let (Some(raw), Some(pool)) = (self.raw.take(), self.pool.upgrade()) {
            pool.give_back(raw);
        }
    }
}

impl Buffer {
    pub(crate) fn raw(&self) -> &wgpu::Buffer {
        self.0
            .raw
            .as_ref()
            .unwrap_or_else(|| unreachable!("a live buffer has its memory"))
    }

    /// Size in bytes, at least what was asked for.
    pub fn size(&self) -> u64 {
        self.raw().size()
    }

    /// True if both are the same memory.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Buffers that nobody uses at present, by size.
#[derive(Debug, Default)]
pub(super) struct Pool {
    free: Mutex<BTreeMap<u64, Vec<wgpu::Buffer>>>,
}

/// Rounds up to one of eight sizes per power of two, so that buffers of similar size can take each other's place.
fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 8).max(256);
    bytes.div_ceil(step) * step
}

impl Pool {
    fn give_back(&self, raw: wgpu::Buffer) {
        if let Ok(mut free) = self.free.lock() {
            free.entry(raw.size()).or_default().push(raw);
        }
    }

    fn take(&self, size: u64) -> Option<wgpu::Buffer> {
        self.free.lock().ok()?.get_mut(&size)?.pop()
    }

    /// The smallest of at least `size` bytes.
    fn take_at_least(&self, size: u64) -> Option<wgpu::Buffer> {
        let mut free = self.free.lock().ok()?;
        let (_, all) = free.range_mut(size..).find(|(_, all)| !all.is_empty())?;
        all.pop()
    }

    /// Frees all of them; how many bytes that were.
    pub(super) fn clear(&self) -> u64 {
        let freed = self.free.lock().map(|mut free| std::mem::take(&mut *free));
        let freed = freed.unwrap_or_default();
        freed
            .iter()
            .map(|(size, all)| size * all.len() as u64)
            .sum()
    }
}

impl Gpu {
    /// A storage buffer of at least `bytes` bytes with arbitrary contents, to be bound whole.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if it exceeds the device's limits or memory.
    pub fn buffer(&self, bytes: u64) -> Result<Buffer> {
        let most = self.capabilities().max_tensor_bytes();
        if bytes > most {
            return Err(Error::OutOfMemory(format!(
                "a tensor of {bytes} bytes does not fit a binding of this device ({most} bytes at most); use a smaller batch"
            )));
        }
        self.allocate(bytes, most)
    }

    /// The same for many tensors together: it may exceed what one binding can hold and is bound in parts.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if it exceeds the largest buffer or the device's memory.
    pub(crate) fn arena(&self, bytes: u64) -> Result<Buffer> {
        let most = self.capabilities().limits.max_buffer_size;
        if bytes > most {
            return Err(Error::OutOfMemory(format!(
                "parameters of {bytes} bytes do not fit a buffer of this device ({most} bytes at most)"
            )));
        }
        self.allocate(bytes, most)
    }

    fn allocate(&self, bytes: u64, most: u64) -> Result<Buffer> {
        let size = size_class(bytes).min(most / 256 * 256);
        let raw = match self.pool.take(size) {
            Some(raw) => raw,
            None => self.create(size)?,
        };
        Ok(Buffer(Arc::new(Pooled {
            raw: Some(raw),
            pool: Arc::downgrade(&self.pool),
        })))
    }

    /// A buffer with the given contents.
    pub(crate) fn upload(&self, words: &[u32]) -> Result<Buffer> {
        let buffer = self.buffer(words.len() as u64 * 4)?;
        self.write(&buffer, 0, bytemuck::cast_slice(words))?;
        Ok(buffer)
    }

    /// Writes `bytes` (a multiple of four) at `offset` before whatever is submitted next.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the device has no room for a copy under way.
    pub fn write(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        self.in_memory(|| self.queue.write_buffer(buffer.raw(), offset, bytes))
    }

    /// Copies the first `bytes` (a multiple of four) of a buffer into another, after whatever was submitted before.
    pub fn copy(&self, from: &Buffer, to: &Buffer, bytes: u64) -> Result<()> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from.raw(), 0, to.raw(), 0, bytes);
        self.submit_recorded(encoder);
        self.check()
    }

    /// Copies `bytes` at `offset` of a buffer to `at` of one of the host program, after whatever was submitted before.
    pub(crate) fn copy_out(
        &self,
        from: &Buffer,
        offset: u64,
        bytes: u64,
        to: &wgpu::Buffer,
        at: u64,
    ) -> Result<()> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from.raw(), offset, to, at, bytes);
        self.submit_recorded(encoder);
        self.check()
    }

    /// Starts to copy `len` bytes at `offset` of `buffer` to the host, after whatever was submitted before.
    ///
    /// Several may be under way, so that the transfer of one batch overlaps the computation of the next.
    pub fn start_read(&self, buffer: &Buffer, offset: u64, len: u64) -> Result<Readback> {
        let most = self.capabilities().limits.max_buffer_size;
        if len > most {
            return Err(Error::OutOfMemory(format!(
                "{len} bytes to read at once do not fit a buffer of this device ({most} bytes at most)"
            )));
        }
        let size = size_class(len).min(most / 256 * 256).max(len);
        // Lengths differ from batch to batch where only hits are read: a larger buffer does as well.
        let staging = match self.staging.take_at_least(size) {
            Some(raw) => raw,
            None => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                self.counted(size, Some("staging"), usage)?
            }
        };
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer.raw(), offset, &staging, 0, len);
        let submission = self.submit_recorded(encoder);
        let (send, mapped) = mpsc::channel();
        staging
            .slice(..len)
            .map_async(wgpu::MapMode::Read, move |result| {
                // The receiver is gone if the read was abandoned; nothing is lost then.
                let _ = send.send(result);
            });
        Ok(Readback {
            staging: Some(staging),
            len,
            submission,
            mapped,
            ring: Arc::downgrade(&self.staging),
            memory: self.memory.clone(),
            turns: self.turns.clone(),
        })
    }

    /// Reads `len` bytes at `offset` of `buffer`, waiting for the device.
    pub fn read_bytes(&self, buffer: &Buffer, offset: u64, len: u64) -> Result<Mapped> {
        self.start_read(buffer, offset, len)?.wait(self)
    }
}

/// A copy to the host under way.
#[derive(Debug)]
pub struct Readback {
    staging: Option<wgpu::Buffer>,
    len: u64,
    submission: wgpu::SubmissionIndex,
    mapped: mpsc::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
    ring: Weak<Pool>,
    memory: Arc<Memory>,
    turns: Arc<Turns>,
}

impl Drop for Readback {
    fn drop(&mut self) {
        // Given up before its end: a buffer that is still being written does not go back to the ring.
        if let Some(staging) = self.staging.take() {
            self.memory.freed(staging.size());
            let _turn = self.turns.take();
            drop(staging);
        }
    }
}

impl Readback {
    /// Waits for the copy.
    pub fn wait(mut self, gpu: &Gpu) -> Result<Mapped> {
        let answer = loop {
            if let Ok(answer) = self.mapped.try_recv() {
                break answer;
            }
            gpu.wait_for(Some(self.submission.clone()))?;
        };
        // Why: the device may be lost, between any two calls.
        let failed = |e: &dyn std::fmt::Display| match gpu.check() {
            Err(why) => why,
            Ok(()) => Error::Device(format!("reading back failed: {e}")),
        };
        answer.map_err(|e| failed(&e))?;
        let bytes = |staging: &wgpu::Buffer| staging.slice(..self.len).get_mapped_range();
        let view = self.staging.as_ref().map(bytes).transpose();
        let mapped = Mapped {
            view: view.map_err(|e| failed(&e))?,
            staging: self.staging.take(),
            ring: self.ring.clone(),
            turns: self.turns.clone(),
        };
        gpu.check()?;
        Ok(mapped)
    }
}

/// Bytes that were copied to the host, where the device put them: nothing is copied again. When they are dropped, their
/// memory is used for the next copy.
#[derive(Debug)]
pub struct Mapped {
    // Before `staging`: a buffer is not unmapped while it is seen.
    view: Option<wgpu::BufferView>,
    staging: Option<wgpu::Buffer>,
    ring: Weak<Pool>,
    turns: Arc<Turns>,
}

impl std::ops::Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.view.as_deref().unwrap_or_default()
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.view = None;
        let _turn = self.turns.take();
        if let Some(staging) = self.staging.take() {
            staging.unmap();
            if let Some(ring) = self.ring.upgrade() {
                ring.give_back(staging);
            }
        }
    }
}
