//! What crosses the border: status codes, messages, strings, handles.

use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use generator::{Error, Result};

pub type calogen_status = i32;
pub const CALOGEN_OK: calogen_status = 0;
pub const CALOGEN_INVALID: calogen_status = 1;
pub const CALOGEN_NO_ADAPTER: calogen_status = 2;
pub const CALOGEN_DEVICE: calogen_status = 3;
pub const CALOGEN_OUT_OF_MEMORY: calogen_status = 4;
pub const CALOGEN_IO: calogen_status = 5;
pub const CALOGEN_FORMAT: calogen_status = 6;
pub const CALOGEN_NOT_FINITE: calogen_status = 7;
pub const CALOGEN_INTERNAL: calogen_status = 8;

const MESSAGE: usize = 508;

/// The caller's room for a message.
#[repr(C)]
pub struct calogen_error {
    pub status: calogen_status,
    pub message: [c_char; MESSAGE],
}

fn status(error: &Error) -> calogen_status {
    match error {
        Error::NoAdapter(_) => CALOGEN_NO_ADAPTER,
        Error::Device(_) => CALOGEN_DEVICE,
        Error::OutOfMemory(_) => CALOGEN_OUT_OF_MEMORY,
        Error::Io { .. } => CALOGEN_IO,
        Error::Format { .. } => CALOGEN_FORMAT,
        Error::NotFinite(_) => CALOGEN_NOT_FINITE,
        Error::Config(_) | Error::Shape { .. } => CALOGEN_INVALID,
        _ => CALOGEN_INTERNAL,
    }
}

/// Runs `work`; its error, or its panic, goes to `error`.
///
/// # Safety
/// `error` is null or writable.
pub unsafe fn guard(
    error: *mut calogen_error,
    work: impl FnOnce() -> Result<()>,
) -> calogen_status {
    let done = catch_unwind(AssertUnwindSafe(work));
    let (code, text) = match done {
        Ok(Ok(())) => (CALOGEN_OK, String::new()),
        Ok(Err(error)) => (status(&error), error.to_string()),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let text = format!("internal error: {}", text.unwrap_or("unknown"));
            // Dropping a payload may panic in its turn; it is small and rare.
            std::mem::forget(payload);
            (CALOGEN_INTERNAL, text)
        }
    };
    if !error.is_null() {
        // Cut between characters, and leave room for the 0.
        let end = text.floor_char_boundary(MESSAGE - 1);
        let mut message = [0 as c_char; MESSAGE];
        for (to, from) in message.iter_mut().zip(&text.as_bytes()[..end]) {
            *to = *from as c_char;
        }
        // SAFETY: not null, and the caller's for writing; it need not be initialised.
        unsafe {
            error.write(calogen_error {
                status: code,
                message,
            })
        };
    }
    code
}

/// What `read` says of a handle, or `otherwise` for a null one.
///
/// # Safety
/// `handle` is null or valid.
pub unsafe fn get<'a, H: 'a, T>(
    handle: *const H,
    otherwise: T,
    read: impl FnOnce(&'a H) -> T,
) -> T {
    // SAFETY: as the caller says.
    match unsafe { handle.as_ref() } {
        None => otherwise,
        Some(handle) => catch_unwind(AssertUnwindSafe(|| read(handle))).unwrap_or(otherwise),
    }
}

fn null(name: &str) -> Error {
    Error::Config(format!("'{name}' is NULL"))
}

/// # Safety
/// `handle` is null or valid.
pub unsafe fn shared<'a, T>(handle: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: as the caller says.
    unsafe { handle.as_ref() }.ok_or_else(|| null(name))
}

/// # Safety
/// `handle` is null, or valid and not used by anybody else.
pub unsafe fn unique<'a, T>(handle: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: as the caller says.
    unsafe { handle.as_mut() }.ok_or_else(|| null(name))
}

/// Gives a new handle to the caller.
///
/// # Safety
/// `to` is null or writable.
pub unsafe fn give<T>(to: *mut *mut T, name: &str, make: impl FnOnce() -> Result<T>) -> Result<()> {
    if to.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null, so writable. A caller that goes on after an error finds NULL.
    unsafe { to.write(std::ptr::null_mut()) };
    let made = Box::into_raw(Box::new(make()?));
    // SAFETY: likewise.
    unsafe { to.write(made) };
    Ok(())
}

/// Takes a handle back.
///
/// # Safety
/// `handle` is null or came from `give` and is not used again.
pub unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: as the caller says. A panic on the way leaks what is left.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(handle) })));
    }
}

/// # Safety
/// `text` is null or ends with a 0.
pub unsafe fn string<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null, and ends with a 0.
    let text = unsafe { CStr::from_ptr(text) }.to_str();
    text.map_err(|_| Error::Config(format!("'{name}' is no UTF-8")))
}

/// `count` values at `data`, which may be null if there are none.
///
/// # Safety
/// `data` is null or holds `count` values.
pub unsafe fn slice<'a, T>(data: *const T, count: usize, name: &str) -> Result<&'a [T]> {
    match (data.is_null(), fits::<T>(count)) {
        (_, true) if count == 0 => Ok(&[]),
        (true, _) => Err(null(name)),
        (_, false) => Err(Error::Config(format!(
            "{count} values of '{name}' fit no memory"
        ))),
        // SAFETY: not null, and holds that many.
        (false, true) => Ok(unsafe { std::slice::from_raw_parts(data, count) }),
    }
}

/// The same to write; what is there must be initialised.
///
/// # Safety
/// `data` is null or holds `count` values that nobody else uses.
pub unsafe fn slice_mut<'a, T>(data: *mut T, count: usize, name: &str) -> Result<&'a mut [T]> {
    match (data.is_null(), fits::<T>(count)) {
        (_, true) if count == 0 => Ok(&mut []),
        (true, _) => Err(null(name)),
        (_, false) => Err(Error::Config(format!(
            "{count} values of '{name}' fit no memory"
        ))),
        // SAFETY: not null, and holds that many.
        (false, true) => Ok(unsafe { std::slice::from_raw_parts_mut(data, count) }),
    }
}

fn fits<T>(count: usize) -> bool {
    count
        .checked_mul(size_of::<T>())
        .is_some_and(|bytes| bytes <= isize::MAX as usize)
}

/// Writes `value` where the caller wants it; null if not.
///
/// # Safety
/// `to` is null or writable.
pub unsafe fn put<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: not null, so writable.
        unsafe { to.write(value) };
    }
}

/// Text as C has it: up to the first 0, if there is one inside.
pub fn c_string(text: &str) -> CString {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}
