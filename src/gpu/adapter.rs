//! Adapters: what they can do, and which one is taken.

use super::tier::Matrix;
use crate::{Error, Result};

/// The largest binding of Vulkan and DirectX 12, in bytes.
const MOST_BYTES: u64 = i32::MAX as u64 & !255;

/// What an adapter offers, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Name of the adapter.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// Address on the PCI bus, empty where it is not known.
    pub bus: String,
    /// `DiscreteGpu`, `IntegratedGpu`, `VirtualGpu`, `Cpu` or `Other`.
    pub device_type: String,
    /// Kernels and tiles are those made for a processor: software Vulkan, unless `CALOGEN_GPU_KERNELS` is set, which asks for
    /// those of a GPU there too, to test them; as a number from 128 to 256 it says how many `registers` to count on.
    pub on_cpu: bool,
    /// Registers of 32 bits that a lane can have before a compiler keeps its variables in memory: 128 on Intel's and Apple's
    /// GPUs, 256 on others.
    pub registers: u32,
    /// f16 in shaders.
    pub f16: bool,
    /// Smallest and largest subgroup size, if subgroup operations exist.
    pub subgroup: Option<(u32, u32)>,
    /// Cooperative matrix shapes as `MxNxK a->c`.
    pub cooperative: Vec<String>,
    /// Those that the matrix tier computes with.
    pub matrix: Option<Matrix>,
    /// Timestamps around a compute pass.
    pub timestamps: bool,
    /// wgpu's limits of the adapter; the device is opened with them.
    pub limits: wgpu::Limits,
    pub(super) features: wgpu::Features,
}

/// Optional features that the kernels or the engine can use.
const WANTED: wgpu::Features = wgpu::Features::SUBGROUP
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX)
    .union(wgpu::Features::PIPELINE_CACHE);

impl Capabilities {
    pub(super) fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let listed = adapter.cooperative_matrix_properties();
        let matrix = Matrix::of(&listed, adapter.features(), &info);
        let cooperative = listed
            .iter()
            .map(|c| {
                format!(
                    "{}x{}x{} {:?}->{:?}",
                    c.m_size, c.n_size, c.k_size, c.ab_type, c.cr_type
                )
            })
            .collect();
        let about = Self::new(info, adapter.features(), adapter.limits());
        let matrix = match about.is_software() && !about.on_cpu {
            true => matrix.map(Matrix::as_on_a_gpu),
            false => matrix,
        };
        Self {
            cooperative,
            matrix,
            ..about
        }
    }

    fn is_software(&self) -> bool {
        self.device_type == "Cpu"
    }

    pub(super) fn new(
        info: wgpu::AdapterInfo,
        features: wgpu::Features,
        limits: wgpu::Limits,
    ) -> Self {
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let asked = std::env::var("CALOGEN_GPU_KERNELS").ok();
        let on_cpu = software && asked.is_none();
        let registers = match asked.filter(|_| software).and_then(|n| n.parse().ok()) {
            Some(n @ 128..=256) => n,
            _ => registers(&info),
        };
        let wanted = if on_cpu {
            WANTED | wgpu::Features::SHADER_INT64 // see lib/four.wgsl
        } else {
            WANTED
        };
        let driver = [info.driver.as_str(), info.driver_info.as_str()].map(str::trim);
        Self {
            name: info.name,
            backend: info.backend.to_str().to_owned(),
            driver: driver
                .into_iter()
                .filter(|s| !s.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
            bus: info.device_pci_bus_id,
            device_type: format!("{:?}", info.device_type),
            on_cpu,
            registers,
            f16: features.contains(wgpu::Features::SHADER_F16),
            subgroup: features
                .contains(wgpu::Features::SUBGROUP)
                .then_some((info.subgroup_min_size, info.subgroup_max_size)),
            cooperative: Vec::new(),
            matrix: None,
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            limits,
            features: features & wanted,
        }
    }

    /// Largest tensor in bytes that one binding can hold: at most 2 GiB, as kernels count cells in 32 bits and Metal's bindings
    /// are as large as its memory.
    pub fn max_tensor_bytes(&self) -> u64 {
        self.limits
            .max_storage_buffer_binding_size
            .min(self.limits.max_buffer_size)
            .min(MOST_BYTES)
    }
}

/// Registers of a lane by the maker of its GPU. Intel's lanes have 128 at the widths that compilers choose (Mesa's statistics of
/// the kernels), Apple's 256 of 16 bits. Metal does not tell a vendor's number, so names count too.
fn registers(info: &wgpu::AdapterInfo) -> u32 {
    const INTEL: u32 = 0x8086;
    let few = info.vendor == INTEL || ["Intel", "Apple"].iter().any(|n| info.name.contains(n));
    if few { 128 } else { 256 }
}

pub(super) fn instance() -> wgpu::Instance {
    // WGPU_BACKEND, WGPU_VALIDATION and the like are wgpu's own switches and are honoured here.
    let mut how = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    // Windows moves to slow memory what does not fit, and never fails by itself.
    how.memory_budget_thresholds.for_resource_creation = Some(95);
    wgpu::Instance::new(how)
}

/// Adapters that can compute, best first: discrete, integrated, virtual, then software; native interfaces before GL.
pub(super) fn ranked(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
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

/// Index of the adapter that [`Gpu::open`](super::Gpu::open) takes of [`adapters`]: the one named by `request` (an index
/// or part of a name); else by `WGPU_ADAPTER_NAME`; else the first.
///
/// # Errors
/// [`Error::NoAdapter`] if there is none, or none of that name.
pub fn preferred(found: &[Capabilities], request: Option<&str>) -> Result<usize> {
    let names: Vec<&str> = found.iter().map(|c| c.name.as_str()).collect();
    choose(&names, request)
}

/// Indices of the adapters of [`adapters`] that `request` names: several indices or parts of names with commas between, or
/// `all`, that is every GPU once: one interface (that of the first adapter), one driver for each, and software adapters
/// only where there is nothing else.
///
/// # Errors
/// [`Error::NoAdapter`] if there is none, or none of a name.
pub fn several(found: &[Capabilities], request: &str) -> Result<Vec<usize>> {
    if request.trim() != "all" {
        let one = |name: &str| preferred(found, Some(name.trim()));
        return request.split(',').map(one).collect();
    }
    let first = preferred(found, Some("0"))?;
    let (backend, software) = (&found[first].backend, found[first].is_software());
    let mut all: Vec<usize> = Vec::new();
    for (index, adapter) in found.iter().enumerate() {
        let again = |&i: &usize| !adapter.bus.is_empty() && found[i].bus == adapter.bus;
        if adapter.backend == *backend
            && adapter.is_software() == software
            && !all.iter().any(again)
        {
            all.push(index);
        }
    }
    Ok(all)
}

pub(super) fn choose(names: &[&str], request: Option<&str>) -> Result<usize> {
    if names.is_empty() {
        return Err(Error::NoAdapter(
            "none was found; install a Vulkan driver (on Debian: apt install libvulkan1 mesa-vulkan-drivers)".into(),
        ));
    }
    let by_environment = std::env::var("WGPU_ADAPTER_NAME").ok();
    let by_environment = by_environment.filter(|name| !name.is_empty());
    let Some(wanted) = request.or(by_environment.as_deref()) else {
        return Ok(0);
    };
    let index = match wanted.parse::<usize>() {
        Ok(index) => Some(index).filter(|&i| i < names.len()),
        Err(_) => names
            .iter()
            .position(|n| !wanted.is_empty() && n.to_lowercase().contains(&wanted.to_lowercase())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::{Backend, DeviceType};

    fn adapter(name: &str, backend: Backend, device_type: DeviceType, bus: &str) -> Capabilities {
        let mut info = wgpu::AdapterInfo::new(device_type, backend);
        info.name = name.into();
        info.device_pci_bus_id = bus.into();
        Capabilities::new(info, wgpu::Features::empty(), wgpu::Limits::default())
    }

    #[test]
    fn intel_and_apple_have_half_the_registers() {
        use DeviceType::{DiscreteGpu, IntegratedGpu};
        for (name, vendor, backend, kind, wanted) in [
            (
                "Intel(R) Arc(tm) A770 Graphics (DG2)",
                0x8086,
                Backend::Vulkan,
                DiscreteGpu,
                128,
            ),
            (
                "UHD Graphics 770",
                0x8086,
                Backend::Dx12,
                IntegratedGpu,
                128,
            ),
            (
                "Intel(R) Iris(TM) Plus Graphics",
                0,
                Backend::Metal,
                IntegratedGpu,
                128,
            ),
            ("Apple M3 Max", 0, Backend::Metal, IntegratedGpu, 128),
            (
                "Apple M1 (G13G B1)",
                0x10005,
                Backend::Vulkan,
                IntegratedGpu,
                128,
            ),
            ("AMD Radeon Pro 5500M", 0, Backend::Metal, DiscreteGpu, 256),
            ("NVIDIA H200", 0x10de, Backend::Vulkan, DiscreteGpu, 256),
        ] {
            let mut info = wgpu::AdapterInfo::new(kind, backend);
            (info.name, info.vendor) = (name.into(), vendor);
            assert_eq!(registers(&info), wanted, "{name}");
        }
    }

    #[test]
    fn all_is_each_gpu_once_and_software_only_where_there_is_nothing_else() {
        let hardware = [
            adapter("A", Backend::Vulkan, DeviceType::DiscreteGpu, "1:0.0"),
            adapter(
                "A, other driver",
                Backend::Vulkan,
                DeviceType::DiscreteGpu,
                "1:0.0",
            ),
            adapter("A", Backend::Vulkan, DeviceType::DiscreteGpu, "2:0.0"),
            adapter("A", Backend::Gl, DeviceType::DiscreteGpu, ""),
            adapter("I", Backend::Vulkan, DeviceType::IntegratedGpu, "0:0.0"),
        ];
        let software = [
            adapter("llvmpipe", Backend::Vulkan, DeviceType::Cpu, ""),
            adapter("SwiftShader", Backend::Vulkan, DeviceType::Cpu, ""),
            adapter("llvmpipe", Backend::Gl, DeviceType::Cpu, ""),
        ];
        let both: Vec<_> = hardware.iter().chain(&software).cloned().collect();
        for (found, request, wanted) in [
            (&hardware[..], "all", vec![0, 2, 4]),
            (&software, "all", vec![0, 1]),
            (&both, " all ", vec![0, 2, 4]),
            (&both, "1,6", vec![1, 6]),
            (&both, "swift, 0,0", vec![6, 0, 0]),
        ] {
            assert_eq!(several(found, request).unwrap(), wanted, "{request}");
        }
        for (found, request, part) in [
            (&both[..], "0,9", "'9' is none of 0: A"),
            (&both, "0,", "''"),
            (&[], "all", "Vulkan driver"),
        ] {
            let message = several(found, request).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
