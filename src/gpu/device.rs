//! An open device.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::adapter::{Capabilities, choose, instance, ranked};
use super::buffer::Pool;
use super::memory::Memory;
use super::pipeline::Pipeline;
use super::tune::Tuning;
use super::turn::Turns;
use super::unbounded;
use crate::{Error, Result};

/// Kernels and devices keep the bounds checks of wgpu and the driver.
fn checks_wanted() -> bool {
    std::env::var_os("CALOGEN_CHECKED").is_some()
}

/// An open device: the root of everything that computes. Shared by reference count, usable from several threads.
#[derive(Debug)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    capabilities: Capabilities,
    /// Checked kernels keep wgpu's bounds checks: slower, for debugging.
    pub(super) checked: bool,
    /// Four numbers are loaded as two of 64 bits (`lib/four.wgsl`); checked kernels are those for any device.
    pub(super) pairs: bool,
    pub(super) pool: Arc<Pool>,
    pub(super) staging: Arc<Pool>,
    pub(super) modules: Mutex<HashMap<String, wgpu::ShaderModule>>,
    pub(super) pipelines: Mutex<HashMap<String, Pipeline>>,
    pub(super) tuning: Tuning,
    pub(super) disk_cache: Option<(wgpu::PipelineCache, PathBuf)>,
    fault: Arc<OnceLock<Error>>,
    allocations: AtomicU64,
    /// The device belongs to the host program, and with it the callbacks for errors.
    foreign: bool,
    pub(super) memory: Arc<Memory>,
    pub(super) turns: Arc<Turns>,
}

impl Gpu {
    /// Opens the adapter named by `request` (an index of [`adapters`](super::adapters) or part of a name); else by
    /// `WGPU_ADAPTER_NAME`; else the best one.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if there is none, or none of that name; [`Error::Device`] if it cannot be opened.
    pub fn open(request: Option<&str>) -> Result<Arc<Self>> {
        Self::open_limited(request, |_| ())
    }

    /// The same with limits that `lower` makes narrower than the adapter's: shows what a smaller device would do.
    #[doc(hidden)]
    pub fn open_limited(
        request: Option<&str>,
        lower: impl FnOnce(&mut wgpu::Limits),
    ) -> Result<Arc<Self>> {
        let instance = instance();
        let mut found = ranked(&instance);
        let names: Vec<String> = found.iter().map(|a| a.get_info().name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let adapter = found.swap_remove(choose(&names, request)?);
        let mut capabilities = Capabilities::of(&adapter);
        lower(&mut capabilities.limits);
        // SAFETY: of the experimental features only cooperative matrices are asked for, whose kernels keep to the shapes
        // that the adapter lists.
        let experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
        let wanted = wgpu::DeviceDescriptor {
            label: Some("calogen"),
            experimental_features,
            required_features: capabilities.features,
            required_limits: capabilities.limits.clone(),
            ..Default::default()
        };
        let unbounded = match checks_wanted() {
            true => None,
            false => unbounded::open(&adapter, &wanted),
        };
        let (device, queue) = match unbounded {
            Some(opened) => opened,
            None => pollster::block_on(adapter.request_device(&wanted)).map_err(|e| {
                Error::Device(format!("{} cannot be opened: {e}", capabilities.name))
            })?,
        };

        let fault = Arc::new(OnceLock::new());
        let uncaptured = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            // Only the first fault is kept: later ones mostly follow from it.
            let _ = uncaptured.set(described(&error));
        }));
        let lost = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed || !message.is_empty() {
                let _ = lost.set(Error::Device(format!("lost ({reason:?}): {message}")));
            }
        });
        Ok(Arc::new(Self::new(device, queue, capabilities, fault)))
    }

    /// Computes on a device that the host program opened: its buffers and queue can then be shared with
    /// [`Generator::generate_on_device`](crate::generate::Generator::generate_on_device).
    ///
    /// A device of wgpu's default limits and no features will do; `SHADER_F16` (for the tier `half`), `SUBGROUP`,
    /// `TIMESTAMP_QUERY`, `PIPELINE_CACHE` and, on processors, `SHADER_INT64` are used if it has them. The host keeps its own
    /// callbacks for errors: what [`Generator`](crate::generate::Generator) does is caught in error scopes and returned.
    ///
    /// Make one `Gpu` of a device and share it. Threads that share it take turns where the backend needs that; on wgpu's GL
    /// backend a thread of the host's that calls wgpu itself may wait for one dispatch of calogen's, and wgpu panics there
    /// after 6 s.
    ///
    /// ```no_run
    /// # use calogen::{generate::Generator, gpu::Gpu};
    /// # fn host_device() -> (wgpu::Device, wgpu::Queue) { unimplemented!() }
    /// let (device, queue) = host_device(); // of `calogen::wgpu`, the version of wgpu that calogen is built with
    /// let gpu = Gpu::from_device(device, queue)?;
    /// let mut generator = Generator::load(&gpu, "hgcal.safetensors")?;
    /// # Ok::<(), calogen::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if the device cannot run compute shaders with eight storage buffers.
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Result<Arc<Self>> {
        let capabilities =
            Capabilities::new(device.adapter_info(), device.features(), device.limits());
        let limits = &capabilities.limits;
        if limits.max_compute_invocations_per_workgroup < 256
            || limits.max_storage_buffers_per_shader_stage < 8
        {
            return Err(Error::NoAdapter(format!(
                "the device of {} was opened for {} invocations in a workgroup and {} storage buffers; 256 and 8 are needed",
                capabilities.name,
                limits.max_compute_invocations_per_workgroup,
                limits.max_storage_buffers_per_shader_stage
            )));
        }
        let mut gpu = Self::new(device, queue, capabilities, Arc::default());
        gpu.foreign = true;
        Ok(Arc::new(gpu))
    }

    fn new(
        device: wgpu::Device,
        queue: wgpu::Queue,
        capabilities: Capabilities,
        fault: Arc<OnceLock<Error>>,
    ) -> Self {
        let info = device.adapter_info();
        let disk_cache = super::pipeline::open_disk_cache(&device, &info, capabilities.features);
        let checked = checks_wanted();
        let pairs = !checked && capabilities.features.contains(wgpu::Features::SHADER_INT64);
        let tuning = Tuning::open(&capabilities, super::pipeline::cache_folder());
        Self {
            device,
            queue,
            turns: Turns::new(&capabilities),
            capabilities,
            tuning,
            checked,
            pairs,
            pool: Arc::default(),
            staging: Arc::default(),
            modules: Mutex::default(),
            pipelines: Mutex::default(),
            disk_cache,
            fault,
            allocations: AtomicU64::new(0),
            foreign: false,
            memory: Arc::default(),
        }
    }

    /// wgpu's device, for host programs that compute on it too. One that [`Gpu::open`] opened has no bounds checks in its
    /// driver, which wgpu counts on for the kernels of others: a host whose own kernels rely on them opens the device and
    /// hands it in ([`Gpu::from_device`]).
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// wgpu's queue: work submitted here runs in order with that of calogen.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// Runs `work`; on a device of the host program its errors are caught before they reach the host's callbacks.
    pub(crate) fn guarded<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if !self.foreign {
            return work();
        }
        let scope = |filter| self.device.push_error_scope(filter);
        let internal = scope(wgpu::ErrorFilter::Internal);
        let validation = scope(wgpu::ErrorFilter::Validation);
        let memory = scope(wgpu::ErrorFilter::OutOfMemory);
        let done = work();
        // Last opened, first closed.
        let memory = pollster::block_on(memory.pop());
        let validation = pollster::block_on(validation.pop());
        let internal = pollster::block_on(internal.pop());
        let done = done?;
        match [memory, validation, internal].into_iter().flatten().next() {
            None => Ok(done),
            Some(error) => Err(described(&error)),
        }
    }

    /// Runs `work`, which takes memory of the device. That there is none is returned and not kept: a smaller batch may fit.
    pub(super) fn in_memory<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let _turn = self.turns.take();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = work();
        match pollster::block_on(scope.pop()) {
            None => Ok(made),
            Some(error) => Err(described(&error)),
        }
    }

    /// What the device can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The first error that the device reported, if any.
    pub fn check(&self) -> Result<()> {
        match self.fault.get() {
            None => Ok(()),
            Some(Error::OutOfMemory(what)) => Err(Error::OutOfMemory(what.clone())),
            Some(Error::Device(what)) => Err(Error::Device(what.clone())),
            Some(other) => Err(Error::Device(other.to_string())),
        }
    }

    pub(super) fn count_allocation(&self) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
    }

    /// How many buffers, pipelines and bind groups were created so far: constant in the steady state.
    #[doc(hidden)]
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// Destroys the device, as a driver crash would: every later call is an error. For tests of failure.
    #[doc(hidden)]
    pub fn destroy(&self) {
        let _ = self.fault.set(Error::Device("lost: destroyed".into()));
        self.device.destroy();
    }
}

fn described(error: &wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory(error.to_string()),
        other => Error::Device(other.to_string()),
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.save_disk_cache();
    }
}
