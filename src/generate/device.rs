//! Showers that stay on the device, for host programs that compute there.

use super::batches::Batches;
use super::{Form, Generator, LabelRows};
use crate::{Error, Result};

impl Generator {
    /// Showers in a new buffer on the device: f32 `[events, Z, X, Y]` from its start on, Y fastest, 4 bytes a cell and
    /// nothing between. Its usages are `STORAGE`, `COPY_SRC` and `COPY_DST`; it belongs to the caller.
    ///
    /// Returns when all work is submitted, not when it is done: what the caller submits to the same queue afterwards sees the
    /// showers. Nothing is read back, so a cell that is not finite is not noticed here.
    ///
    /// ```no_run
    /// # use calogen::{generate::Generator, gpu::Gpu};
    /// # let gpu = Gpu::open(None)?;
    /// # let mut generator = Generator::load(&gpu, "hgcal.safetensors")?;
    /// let labels = generator.labels(&[50.0; 100], 1, 0)?;
    /// let showers: wgpu::Buffer = generator.generate_on_device(&labels, 1, 0)?;
    /// let (device, queue) = (gpu.device(), gpu.queue()); // bind `showers` in a pass of your own
    /// # let _ = (showers, device, queue);
    /// # Ok::<(), calogen::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`generate_into`](Self::generate_into).
    pub fn generate_on_device(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
    ) -> Result<wgpu::Buffer> {
        let bytes = self.bytes(labels)?;
        let showers = self.gpu.host_buffer(bytes.max(4))?;
        self.generate_into(labels, seed, first_event, &showers, 0)?;
        Ok(showers)
    }

    /// Showers in a buffer of the caller, of usage `COPY_DST`, from byte `offset` on (a multiple of 4), laid out as by
    /// [`generate_on_device`](Self::generate_on_device).
    ///
    /// # Errors
    /// [`Error::Config`] if the buffer is too small, cannot be copied to, or the labels are wrong; [`Error::OutOfMemory`];
    /// [`Error::Device`].
    pub fn generate_into(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
        showers: &wgpu::Buffer,
        offset: u64,
    ) -> Result<()> {
        let bytes = self.bytes(labels)?;
        let room = showers.size().checked_sub(offset);
        if room.is_none_or(|room| room < bytes) || !offset.is_multiple_of(4) {
            return Err(Error::Config(format!(
                "{bytes} bytes of showers do not fit a buffer of {} bytes from byte {offset} on (a multiple of 4)",
                showers.size()
            )));
        }
        if !showers.usage().contains(wgpu::BufferUsages::COPY_DST) {
            let what = "the buffer for the showers lacks the usage COPY_DST";
            return Err(Error::Config(what.into()));
        }
        let each = self.cells() as u64 * 4;
        let mut batches = Batches::new(self, labels, seed, first_event, Form::Cells)?;
        while let Some(started) = batches.start(|program, computed| {
            let at = offset + computed.first as u64 * each;
            program.copy_to(
                Form::Cells.output(),
                computed.events as u64 * each,
                showers,
                at,
            )
        }) {
            started?;
        }
        Ok(())
    }

    fn bytes(&self, labels: &LabelRows) -> Result<u64> {
        let cells = labels.events().checked_mul(self.cells());
        let bytes = cells.and_then(|c| (c as u64).checked_mul(4));
        bytes.ok_or_else(|| Error::OutOfMemory("showers of more than 2^64 bytes".into()))
    }
}
