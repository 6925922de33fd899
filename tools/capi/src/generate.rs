//! Showers and hits.

use std::ptr::null;

use generator::Error;
use generator::generate::Hits;

use crate::border::{
    CALOGEN_INVALID, CALOGEN_OK, calogen_error, calogen_status, free, get, give, guard, slice_mut,
    unique,
};
use crate::weights::calogen_generator;

pub struct calogen_hits(Hits);

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_set_batch(
    generator: *mut calogen_generator,
    batch: usize,
) -> calogen_status {
    match unsafe { unique(generator, "generator") } {
        Ok(g) if batch > 0 => {
            g.generator.set_batch(batch);
            CALOGEN_OK
        }
        _ => CALOGEN_INVALID,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generator_set_threshold(
    generator: *mut calogen_generator,
    threshold: f32,
) -> calogen_status {
    match unsafe { unique(generator, "generator") } {
        Ok(g) if threshold.is_finite() && threshold >= 0.0 => {
            g.generator.set_threshold(threshold);
            CALOGEN_OK
        }
        _ => CALOGEN_INVALID,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generate(
    generator: *mut calogen_generator,
    labels: *const f32,
    events: usize,
    seed: u64,
    first_event: u64,
    showers: *mut f32,
    capacity: usize,
    error: *mut calogen_error,
) -> calogen_status {
    let generate = || {
        let g = unsafe { unique(generator, "generator") }?;
        let rows = unsafe { g.rows(labels, events) }?;
        let cells: usize = g.generator.shape().iter().product();
        let needed = events.checked_mul(cells).filter(|&n| n <= capacity);
        let needed = needed.ok_or_else(|| {
            Error::Config(format!(
                "{events} showers of {cells} cells do not fit room for {capacity} floats"
            ))
        })?;
        // Nothing of the caller's array is read, which may be uninitialised: it is written by pointer.
        unsafe {
            slice_mut(
                showers.cast::<std::mem::MaybeUninit<f32>>(),
                needed,
                "showers",
            )
        }?;
        g.generator.stream(&rows, seed, first_event, |block| {
            let at = showers.wrapping_add(block.first * cells);
            // SAFETY: the block lies within the `needed` floats at `showers`, and is calogen's own memory.
            unsafe { at.copy_from_nonoverlapping(block.showers.as_ptr(), block.showers.len()) };
            Ok(())
        })
    };
    unsafe { guard(error, generate) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_generate_hits(
    generator: *mut calogen_generator,
    labels: *const f32,
    events: usize,
    seed: u64,
    first_event: u64,
    hits: *mut *mut calogen_hits,
    error: *mut calogen_error,
) -> calogen_status {
    let generate = || {
        let g = unsafe { unique(generator, "generator") }?;
        let rows = unsafe { g.rows(labels, events) }?;
        g.generator.hits(&rows, seed, first_event).map(calogen_hits)
    };
    unsafe { guard(error, || give(hits, "hits", generate)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_hits_showers(hits: *const calogen_hits) -> usize {
    unsafe { get(hits, 0, |hits| hits.0.showers()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_hits_offsets(hits: *const calogen_hits) -> *const usize {
    unsafe { get(hits, null(), |hits| hits.0.offsets.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_hits_cells(hits: *const calogen_hits) -> *const u32 {
    unsafe { get(hits, null(), |hits| hits.0.cells.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_hits_energies(hits: *const calogen_hits) -> *const f32 {
    unsafe { get(hits, null(), |hits| hits.0.energies.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_hits_free(hits: *mut calogen_hits) {
    unsafe { free(hits) }
}
