//! Devices.

use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::Arc;

use generator::gpu::Gpu;

use crate::border::{
    CALOGEN_INVALID, CALOGEN_OK, c_string, calogen_error, calogen_status, free, get, give, guard,
    string,
};

pub struct calogen_gpu {
    pub gpu: Arc<Gpu>,
    name: CString,
}

#[unsafe(no_mangle)]
pub extern "C" fn calogen_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_gpu_open(
    name: *const c_char,
    gpu: *mut *mut calogen_gpu,
    error: *mut calogen_error,
) -> calogen_status {
    let open = || {
        let name = match name.is_null() {
            true => None,
            false => Some(unsafe { string(name, "name") }?),
        };
        let gpu = Gpu::open(name)?;
        let name = c_string(&gpu.capabilities().name);
        Ok(calogen_gpu { gpu, name })
    };
    unsafe { guard(error, || give(gpu, "gpu", open)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_gpu_name(gpu: *const calogen_gpu) -> *const c_char {
    unsafe { get(gpu, null(), |gpu| gpu.name.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_gpu_limit_memory(
    gpu: *const calogen_gpu,
    bytes: u64,
) -> calogen_status {
    let limit = Some(bytes).filter(|&b| b > 0);
    unsafe {
        get(gpu, CALOGEN_INVALID, |gpu| {
            gpu.gpu.limit_memory(limit);
            CALOGEN_OK
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calogen_gpu_free(gpu: *mut calogen_gpu) {
    unsafe { free(gpu) }
}
