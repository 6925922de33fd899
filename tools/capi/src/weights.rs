//! Weights: loading them, and what they say of themselves.

use std::ffi::{CString, c_char};
use std::ptr::null;

use generator::generate::{Generator, LabelRows};

use crate::border::{
    CALOGEN_INVALID, CALOGEN_OK, c_string, calogen_error, calogen_status, free, get, give, guard,
    put, shared, slice, slice_mut, string,
};
use crate::gpu::calogen_gpu;

pub struct calogen_generator {
    pub generator: Generator,
    model: CString,
    detector: CString,
    unit: CString,
    hash: CString,
    /// Name and unit of each label.
    labels: Vec<[CString; 2]>,
}

impl calogen_generator {
    fn new(generator: Generator) -> Self {
        let about = generator.metadata();
        let labels = about.conditions.iter();
        Self {
            model: c_string(&about.model),
            detector: c_string(&about.detector),
            unit: c_string(&about.unit),
            hash: c_string(generator.hash()),
            labels: labels
                .map(|c| [c_string(&c.name), c_string(&c.unit)])
                .collect(),
            generator,
        }
    }

    /// The rows at `labels`.
    ///
    /// # Safety
    /// `labels` is null or holds the labels of `events` events.
    pub unsafe fn rows(&self, labels: *const f32, events: usize) -> generator::Result<LabelRows> {
        let columns = self.labels.len();
        // Too many are refused by `slice`.
        let count = events.saturating_mul(columns);
        let values = unsafe { slice(labels, count, "labels") }?.to_vec();
        Ok(LabelRows { values, columns })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_load(
    gpu: *const calogen_gpu,
    path: *const c_char,
    generator: *mut *mut calogen_generator,
    error: *mut calogen_error,
) -> calogen_status {
    let load = || {
        let (gpu, path) = unsafe { (shared(gpu, "gpu")?, string(path, "path")?) };
        Generator::load(&gpu.gpu, path).map(calogen_generator::new)
    };
    unsafe { guard(error, || give(generator, "generator", load)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_load_bytes(
    gpu: *const calogen_gpu,
    bytes: *const u8,
    size: usize,
    generator: *mut *mut calogen_generator,
    error: *mut calogen_error,
) -> calogen_status {
    let load = || {
        let (gpu, bytes) = unsafe { (shared(gpu, "gpu")?, slice(bytes, size, "bytes")?) };
        Generator::from_bytes(&gpu.gpu, bytes).map(calogen_generator::new)
    };
    unsafe { guard(error, || give(generator, "generator", load)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_free(generator: *mut calogen_generator) {
    unsafe { free(generator) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_model(
    generator: *const calogen_generator,
) -> *const c_char {
    unsafe { get(generator, null(), |g| g.model.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_detector(
    generator: *const calogen_generator,
) -> *const c_char {
    unsafe { get(generator, null(), |g| g.detector.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_unit(
    generator: *const calogen_generator,
) -> *const c_char {
    unsafe { get(generator, null(), |g| g.unit.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_hash(
    generator: *const calogen_generator,
) -> *const c_char {
    unsafe { get(generator, null(), |g| g.hash.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_shape(
    generator: *const calogen_generator,
    shape: *mut usize,
) -> calogen_status {
    let found = unsafe { get(generator, None, |g| Some(g.generator.shape())) };
    match (found, unsafe { slice_mut(shape, 3, "shape") }) {
        (Some(found), Ok(shape)) => {
            shape.copy_from_slice(&found);
            CALOGEN_OK
        }
        _ => CALOGEN_INVALID,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_cells(generator: *const calogen_generator) -> usize {
    unsafe { get(generator, 0, |g| g.generator.shape().iter().product()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_cell_size(
    generator: *const calogen_generator,
    size_mm: *mut f32,
) -> calogen_status {
    let found = unsafe {
        get(generator, None, |g| {
            Some(&g.generator.metadata().cell_size_mm)
        })
    };
    match (found.map(Vec::as_slice), unsafe {
        slice_mut(size_mm, 2, "size_mm")
    }) {
        (Some(&[x, y, ..]), Ok(size)) => {
            size.copy_from_slice(&[x, y]);
            CALOGEN_OK
        }
        _ => CALOGEN_INVALID,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_recorded_threshold(
    generator: *const calogen_generator,
) -> f32 {
    unsafe { get(generator, 0.0, |g| g.generator.metadata().threshold) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_labels(generator: *const calogen_generator) -> usize {
    unsafe { get(generator, 0, |g| g.labels.len()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_label(
    generator: *const calogen_generator,
    index: usize,
    name: *mut *const c_char,
    unit: *mut *const c_char,
    min: *mut f32,
    max: *mut f32,
) -> calogen_status {
    let found = |g: &calogen_generator| {
        let [name, unit] = g.labels.get(index)?;
        let range = g.generator.metadata().conditions.get(index)?;
        Some((name.as_ptr(), unit.as_ptr(), range.min, range.max))
    };
    match unsafe { get(generator, None, found) } {
        Some(found) => unsafe {
            put(name, found.0);
            put(unit, found.1);
            put(min, found.2);
            put(max, found.3);
            CALOGEN_OK
        },
        None => CALOGEN_INVALID,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_draw_labels(
    generator: *const calogen_generator,
    energies: *const f32,
    events: usize,
    seed: u64,
    first_event: u64,
    labels: *mut f32,
    error: *mut calogen_error,
) -> calogen_status {
    let draw = || {
        let generator = unsafe { shared(generator, "generator") }?;
        let energies = unsafe { slice(energies, events, "energies") }?;
        let rows = generator.generator.labels(energies, seed, first_event)?;
        let labels = unsafe { slice_mut(labels, rows.values.len(), "labels") }?;
        labels.copy_from_slice(&rows.values);
        Ok(())
    };
    unsafe { guard(error, draw) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_outside(
    generator: *const calogen_generator,
    labels: *const f32,
    events: usize,
) -> usize {
    unsafe {
        get(generator, 0, |g: &calogen_generator| {
            let rows = g.rows(labels, events);
            rows.map_or(0, |rows| g.generator.outside(&rows).count())
        })
    }
}
