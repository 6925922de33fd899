//! Pipelines: created on first use, kept in memory, and by wgpu's pipeline cache on disk where the backend has one.

use std::path::PathBuf;
use std::sync::Arc;

use super::buffer::Buffer;
use super::device::Gpu;
use super::kernel::{Access, Kernel};
use super::turn::Turns;
use crate::{Error, Result};

/// A kernel made ready for one set of overrides.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(super) raw: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// Everything of one dispatch but the pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pipeline: Pipeline,
    group: wgpu::BindGroup,
    grid: [u32; 3],
}

/// The parameter blocks of a program.
#[derive(Debug)]
pub(crate) struct Uniform {
    raw: Option<wgpu::Buffer>,
    turns: Arc<Turns>,
}

impl Uniform {
    fn raw(&self) -> &wgpu::Buffer {
        self.raw
            .as_ref()
            .unwrap_or_else(|| unreachable!("it is there until dropped"))
    }
}

impl Drop for Uniform {
    fn drop(&mut self) {
        let _turn = self.turns.take();
        self.raw = None;
    }
}

impl Gpu {
    /// The pipeline of `kernel` with the given overrides (`WG`, tiles, ...), every one of the file, with the text `inserted` if
    /// it has a mark for one, and f16 in the bindings of `halves` ([`Kernel::text`]).
    ///
    /// # Errors
    /// [`Error::Device`] with the compiler's text if it cannot be made.
    pub(crate) fn pipeline(
        &self,
        kernel: &'static Kernel,
        inserted: Option<&str>,
        halves: u32,
        overrides: &[(&'static str, f64)],
    ) -> Result<Pipeline> {
        let mut key = format!(
            "{}:{} {halves:x} {}",
            kernel.file,
            kernel.entry,
            inserted.unwrap_or_default()
        );
        for (name, value) in overrides {
            key.push_str(&format!(" {name}={value}"));
        }
        let broken = |_| Error::Device("a thread panicked while it made a pipeline".into());
        if let Some(found) = self.pipelines.lock().map_err(broken)?.get(&key) {
            return Ok(found.clone());
        }
        let made = self.make_pipeline(kernel, inserted, halves, overrides)?;
        self.count_allocation();
        self.pipelines
            .lock()
            .map_err(broken)?
            .insert(key, made.clone());
        Ok(made)
    }

    fn make_pipeline(
        &self,
        kernel: &'static Kernel,
        inserted: Option<&str>,
        halves: u32,
        overrides: &[(&'static str, f64)],
    ) -> Result<Pipeline> {
        let _turn = self.turns.take();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let module = self.module(kernel, inserted, halves)?;
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(kernel.entry),
                entries: &layout_entries(kernel),
            });
        let pipeline_layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(kernel.entry),
                bind_group_layouts: &[Some(&layout)],
                ..Default::default()
            });
        let raw = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.entry),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(kernel.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: overrides,
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.disk_cache.as_ref().map(|(cache, _)| cache),
            });
        let errors = [
            pollster::block_on(internal.pop()),
            pollster::block_on(scope.pop()),
        ];
        if let Some(error) = errors.into_iter().flatten().next() {
            return Err(Error::Device(format!(
                "{}::{} {overrides:?}: {error}",
                kernel.file, kernel.entry
            )));
        }
        Ok(Pipeline { raw, layout })
    }

    fn module(
        &self,
        kernel: &'static Kernel,
        inserted: Option<&str>,
        halves: u32,
    ) -> Result<wgpu::ShaderModule> {
        let broken = |_| Error::Device("a thread panicked while it read a shader".into());
        let source = kernel.text(inserted, self.pairs, halves);
        let mut modules = self.modules.lock().map_err(broken)?;
        if let Some(module) = modules.get(&source) {
            return Ok(module.clone());
        }
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(kernel.file),
            source: wgpu::ShaderSource::Wgsl(source.as_str().into()),
        };
        let checks = if self.checked {
            wgpu::ShaderRuntimeChecks::checked()
        } else {
            wgpu::ShaderRuntimeChecks::unchecked()
        };
        // SAFETY: the kernels guard every index themselves; tests run them with NaN-filled outputs, and
        // CALOGEN_CHECKED keeps wgpu's checks.
        let module = unsafe { self.device.create_shader_module_trusted(descriptor, checks) };
        modules.insert(source, module.clone());
        Ok(module)
    }

    /// Binds a pipeline to its parameter block (`uniform` at `offset`, `size` bytes) and its storage buffers
    /// (buffer, offset and size in bytes), in the order of the kernel's bindings.
    pub(crate) fn bind(
        &self,
        pipeline: &Pipeline,
        kernel: &'static Kernel,
        uniform: (&Uniform, u64, u64),
        storage: &[(&Buffer, u64, u64)],
        grid: [u32; 3],
    ) -> Bound {
        assert_eq!(
            storage.len(),
            kernel.bindings.len(),
            "{}: one buffer per binding",
            kernel.entry
        );
        let resource = |buffer, offset, size| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset,
                size: std::num::NonZero::new(size),
            })
        };
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: resource(uniform.0.raw(), uniform.1, uniform.2),
        }];
        for (binding, &(buffer, offset, size)) in kernel.bindings.iter().zip(storage) {
            entries.push(wgpu::BindGroupEntry {
                binding: binding.number,
                resource: resource(buffer.raw(), offset, size),
            });
        }
        self.count_allocation();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.entry),
            layout: &pipeline.layout,
            entries: &entries,
        });
        Bound {
            pipeline: pipeline.clone(),
            group,
            grid,
        }
    }

    /// Records the dispatches into one pass and submits it.
    pub(crate) fn submit(&self, steps: &[Bound]) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for step in steps {
                step.encode(&mut pass);
            }
        }
        self.submit_recorded(encoder);
    }

    /// A uniform buffer with the given contents.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the device has no room for it.
    pub(crate) fn uniform(&self, bytes: &[u8]) -> Result<Uniform> {
        self.count_allocation();
        let buffer = self.in_memory(|| {
            let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("parameters"),
                size: (bytes.len() as u64).next_multiple_of(256).max(256),
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            self.queue.write_buffer(&buffer, 0, bytes);
            buffer
        })?;
        Ok(Uniform {
            raw: Some(buffer),
            turns: self.turns.clone(),
        })
    }

    /// Writes the pipeline cache to the user's cache directory. Failing to do so costs the next start some time only.
    pub(super) fn save_disk_cache(&self) {
        let Some((cache, path)) = &self.disk_cache else {
            return;
        };
        let (Some(data), Some(folder)) = (cache.get_data(), path.parent()) else {
            return;
        };
        let _ = std::fs::create_dir_all(folder);
        let _ = crate::files::write_atomically(path, &data);
    }
}

impl Bound {
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline.raw);
        pass.set_bind_group(0, &self.group, &[]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

fn layout_entries(kernel: &Kernel) -> Vec<wgpu::BindGroupLayoutEntry> {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform)];
    entries.extend(kernel.bindings.iter().map(|b| {
        entry(
            b.number,
            wgpu::BufferBindingType::Storage {
                read_only: b.access == Access::Read,
            },
        )
    }));
    entries
}

/// Where this user's caches lie: `$CALOGEN_CACHE`, else `$XDG_CACHE_HOME/calogen`, else the system's usual place.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let from = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    from("CALOGEN_CACHE")
        .or_else(|| from("XDG_CACHE_HOME").map(|p| p.join("calogen")))
        .or_else(|| from("LOCALAPPDATA").map(|p| p.join("calogen")))
        .or_else(|| {
            from("HOME").map(|p| {
                p.join(if cfg!(target_os = "macos") {
                    "Library/Caches"
                } else {
                    ".cache"
                })
                .join("calogen")
            })
        })
}

pub(super) fn open_disk_cache(
    device: &wgpu::Device,
    info: &wgpu::AdapterInfo,
    features: wgpu::Features,
) -> Option<(wgpu::PipelineCache, PathBuf)> {
    if !features.contains(wgpu::Features::PIPELINE_CACHE) {
        return None;
    }
    let key = wgpu::util::pipeline_cache_key(info)?;
    let driver: String = info
        .driver_info
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let path = cache_folder()?.join(format!("{key}_{driver}"));
    let data = std::fs::read(&path).ok();
    // SAFETY: the data came from `get_data` of the same adapter and driver (both are in the file's name), written whole
    // and renamed; wgpu checks its header, and `fallback` starts afresh if it does not fit.
    let cache = unsafe {
        device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
            label: Some("calogen"),
            data: data.as_deref(),
            fallback: true,
        })
    };
    Some((cache, path))
}
