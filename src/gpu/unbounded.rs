//! A Vulkan device without robust buffer access.
//!
//! wgpu asks every Vulkan device to check each access to a buffer. Where the hardware's descriptors do that (AMD) it is free; where
//! the compiler writes the checks out it is not: Mesa's for NVIDIA splits a load of four numbers into four with a comparison
//! each, and the loop of a convolution has 824 instructions in place of 511 (`benches/RESULTS.md`). Our kernels
//! guard their indices themselves, so they do without. On the other interfaces
//! [`create_shader_module_trusted`](wgpu::Device::create_shader_module_trusted) leaves the checks out already.

/// The device and queue of a Vulkan adapter; `None` if the adapter is of another interface, or its driver does not open so:
/// then wgpu's own way is the one to take.
#[cfg(any(
    windows,
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd"
))]
pub(super) fn open(
    adapter: &wgpu::Adapter,
    wanted: &wgpu::DeviceDescriptor<'_>,
) -> Option<(wgpu::Device, wgpu::Queue)> {
    use ash::{ext, vk};
    use wgpu::hal::api::Vulkan;

    // wgpu takes the first family too: one that every driver lets compute.
    const FAMILY: u32 = 0;
    // SAFETY: the adapter is only read.
    let hal = unsafe { adapter.as_hal::<Vulkan>() }?;
    let mut extensions = hal.required_device_extensions(wanted.required_features);
    extensions.retain(|&name| name != ext::robustness2::NAME);
    let names: Vec<_> = extensions.iter().map(|name| name.as_ptr()).collect();
    let mut features = hal.physical_device_features(&extensions, wanted.required_features);
    let core = features.get_core().robust_buffer_access(false);
    let families = [vk::DeviceQueueCreateInfo::default()
        .queue_family_index(FAMILY)
        .queue_priorities(&[1.0])];
    let info = vk::DeviceCreateInfo::default()
        .queue_create_infos(&families)
        .enabled_extension_names(&names);
    let info = features.add_to_device_create(info).enabled_features(&core);
    let instance = hal.shared_instance().raw_instance();
    // SAFETY: `info` and what it points to live until the call returns; extensions and features are those that wgpu asks
    // for, less the checks.
    let raw = unsafe { instance.create_device(hal.raw_physical_device(), &info, None) }.ok()?;
    // SAFETY: the device was made of this adapter just now, with these extensions and features and a queue of this family;
    // wgpu destroys it.
    let opened = unsafe {
        hal.device_from_raw(
            raw,
            None,
            &extensions,
            wanted.required_features,
            &wanted.required_limits,
            &wanted.memory_hints,
            FAMILY,
            0,
        )
    }
    .ok()?;
    // SAFETY: as above.
    unsafe { adapter.create_device_from_hal::<Vulkan>(opened, wanted) }.ok()
}

/// No Vulkan here.
#[cfg(not(any(
    windows,
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd"
)))]
pub(super) fn open(
    _: &wgpu::Adapter,
    _: &wgpu::DeviceDescriptor<'_>,
) -> Option<(wgpu::Device, wgpu::Queue)> {
    None
}

#[cfg(test)]
mod tests {
    use super::super::adapter::{instance, ranked};

    /// Every Vulkan adapter opens so and computes; one that did not would silently fall back to wgpu's own way.
    #[test]
    fn vulkan_adapters_open_without_checks() {
        for adapter in ranked(&instance()) {
            let info = adapter.get_info();
            let opened = super::open(&adapter, &wgpu::DeviceDescriptor::default());
            assert_eq!(
                opened.is_some(),
                info.backend == wgpu::Backend::Vulkan,
                "{info:?}"
            );
            if let Some((device, queue)) = opened {
                let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: 4,
                    usage: wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                });
                queue.write_buffer(&buffer, 0, &[0; 4]);
                queue.submit([]);
                device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
            }
        }
    }
}
