//! Choosing an adapter and opening a device on it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::buffer::Pool;
use super::pipeline::Cached;
use crate::{Error, Result};

/// What an adapter offers, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Name of the adapter.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// `DiscreteGpu`, `IntegratedGpu`, `VirtualGpu`, `Cpu` or `Other`.
    pub device_type: String,
    /// f16 in shaders.
    pub f16: bool,
    /// Smallest and largest subgroup size, if subgroup operations exist.
    pub subgroup: Option<(u32, u32)>,
    /// Cooperative matrix shapes as `MxNxK a->c`.
    pub cooperative: Vec<String>,
    /// Timestamps around a compute pass.
    pub timestamps: bool,
    /// wgpu's limits of the adapter; the device is opened with them.
    pub limits: wgpu::Limits,
    features: wgpu::Features,
}

/// Optional features that the kernels or the engine can use.
const WANTED: wgpu::Features = wgpu::Features::SUBGROUP
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::PIPELINE_CACHE);

impl Capabilities {
    fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let features = adapter.features();
        let wanted = if info.device_type == wgpu::DeviceType::Cpu {
            WANTED | wgpu::Features::SHADER_INT64 // see lib/four.wgsl
        } else {
            WANTED
        };
        let driver = [info.driver.as_str(), info.driver_info.as_str()].map(str::trim);
        let cooperative = adapter.cooperative_matrix_properties();
        Self {
            name: info.name,
            backend: info.backend.to_str().to_owned(),
            driver: driver
                .into_iter()
                .filter(|s| !s.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
            device_type: format!("{:?}", info.device_type),
            f16: features.contains(wgpu::Features::SHADER_F16),
            subgroup: features
                .contains(wgpu::Features::SUBGROUP)
                .then_some((info.subgroup_min_size, info.subgroup_max_size)),
            cooperative: cooperative
                .iter()
                .map(|c| {
                    format!(
                        "{}x{}x{} {:?}->{:?}",
                        c.m_size, c.n_size, c.k_size, c.ab_type, c.cr_type
                    )
                })
                .collect(),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            limits: adapter.limits(),
            features: features & wanted,
        }
    }

    /// Largest tensor in bytes that one binding can hold.
    pub fn max_tensor_bytes(&self) -> u64 {
        self.limits
            .max_storage_buffer_binding_size
            .min(self.limits.max_buffer_size)
    }
}

fn instance() -> wgpu::Instance {
    // WGPU_BACKEND, WGPU_VALIDATION and the like are wgpu's own switches and are honoured here.
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

/// Adapters that can compute, best first: discrete, integrated, virtual, then software; native interfaces before GL.
fn ranked(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    let low_power = wgpu::PowerPreference::from_env() == Some(wgpu::PowerPreference::LowPower);
    let mut found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    found.retain(|a| {
        a.get_downlevel_capabilities()
            .flags
            .contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    });
    found.sort_by_key(|a| {
        let info = a.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu if low_power => 1,
            wgpu::DeviceType::IntegratedGpu if low_power => 0,
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Cpu => 3,
            wgpu::DeviceType::Other => 4,
        };
        (kind, info.backend == wgpu::Backend::Gl)
    });
    found
}

/// Every adapter that can compute, in the order that `--device INDEX` counts. The first is used by default.
pub fn adapters() -> Vec<Capabilities> {
    ranked(&instance()).iter().map(Capabilities::of).collect()
}

/// Index of the adapter that [`Gpu::open`] takes of [`adapters`]: the one named by `request` (an index or part of a name);
/// else by `WGPU_ADAPTER_NAME`; else the first.
///
/// # Errors
/// [`Error::NoAdapter`] if there is none, or none of that name.
pub fn preferred(found: &[Capabilities], request: Option<&str>) -> Result<usize> {
    let names: Vec<&str> = found.iter().map(|c| c.name.as_str()).collect();
    choose(&names, request)
}

fn choose(names: &[&str], request: Option<&str>) -> Result<usize> {
    if names.is_empty() {
        return Err(Error::NoAdapter(
            "none was found; install a Vulkan driver (on Debian: apt install libvulkan1 mesa-vulkan-drivers)".into(),
        ));
    }
    let by_environment = std::env::var("WGPU_ADAPTER_NAME").ok();
    let Some(wanted) = request.or(by_environment.as_deref()) else {
        return Ok(0);
    };
    let index = match wanted.parse::<usize>() {
        Ok(index) => Some(index).filter(|&i| i < names.len()),
        Err(_) => names
            .iter()
            .position(|n| n.to_lowercase().contains(&wanted.to_lowercase())),
    };
    index.ok_or_else(|| {
        let origin = if request.is_none() {
            "WGPU_ADAPTER_NAME "
        } else {
            ""
        };
        let list: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(i, n)| format!("{i}: {n}"))
            .collect();
        Error::NoAdapter(format!("{origin}'{wanted}' is none of {}", list.join(", ")))
    })
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
    pub(super) pipelines: Mutex<HashMap<String, Cached>>,
    pub(super) disk_cache: Option<(wgpu::PipelineCache, PathBuf)>,
    fault: Arc<OnceLock<Error>>,
    allocations: AtomicU64,
}

impl Gpu {
    /// Opens the adapter named by `request` (an index of [`adapters`] or part of a name); else by `WGPU_ADAPTER_NAME`;
    /// else the best one.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if there is none, or none of that name; [`Error::Device`] if it cannot be opened.
    pub fn open(request: Option<&str>) -> Result<Arc<Self>> {
        Self::open_limited(request, |_| ())
    }

    /// The same with limits that `lower` makes narrower than the adapter's: shows what a smaller device would do.
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
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("calogen"),
            required_features: capabilities.features,
            required_limits: capabilities.limits.clone(),
            ..Default::default()
        }))
        .map_err(|e| Error::Device(format!("{} cannot be opened: {e}", capabilities.name)))?;

        let fault = Arc::new(OnceLock::new());
        let uncaptured = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let error = match error {
                wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory(error.to_string()),
                other => Error::Device(other.to_string()),
            };
            // Only the first fault is kept: later ones mostly follow from it.
            let _ = uncaptured.set(error);
        }));
        let lost = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed || !message.is_empty() {
                let _ = lost.set(Error::Device(format!("lost ({reason:?}): {message}")));
            }
        });
        let disk_cache =
            super::pipeline::open_disk_cache(&device, &adapter.get_info(), capabilities.features);
        let checked = std::env::var_os("CALOGEN_CHECKED").is_some();
        let pairs = !checked && capabilities.features.contains(wgpu::Features::SHADER_INT64);
        Ok(Arc::new(Self {
            device,
            queue,
            capabilities,
            checked,
            pairs,
            pool: Arc::default(),
            staging: Arc::default(),
            modules: Mutex::default(),
            pipelines: Mutex::default(),
            disk_cache,
            fault,
            allocations: AtomicU64::new(0),
        }))
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
            Some(other) => Err(Error::Device(other.to_string())),
        }
    }

    /// Waits until everything submitted is done.
    pub fn wait(&self) -> Result<()> {
        self.wait_for(None)
    }

    pub(super) fn wait_for(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        self.device
            .poll(wgpu::PollType::Wait {
                submission_index,
                timeout: None,
            })
            .map_err(|e| Error::Device(format!("waiting for it failed: {e}")))?;
        self.check()
    }

    pub(super) fn count_allocation(&self) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
    }

    /// How many buffers and pipelines were created so far: constant in the steady state.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// Destroys the device, as a driver crash would: every later call is an error. For tests of failure.
    pub fn destroy(&self) {
        let _ = self.fault.set(Error::Device("lost: destroyed".into()));
        self.device.destroy();
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.save_disk_cache();
    }
}
