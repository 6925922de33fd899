//! Signals that the library's mistakes end in.

use std::cell::Cell;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

const SIGNALS: [libc::c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGABRT];

/// What to say and do; the handlers that were there before.
struct Explained {
    program: String,
    status: libc::c_int,
    before: [Option<libc::sigaction>; SIGNALS.len()],
}

static EXPLAINED: OnceLock<Explained> = OnceLock::new();

thread_local! {
    /// The path of the file that this thread reads. Without a destructor, so that a signal handler can look at it.
    static FILE: Cell<Option<(*const u8, usize)>> = const { Cell::new(None) };
}

/// While it lives, its thread is inside the library with a file.
pub struct Reading<'a> {
    _path: &'a Path,
    outer: Option<(*const u8, usize)>,
    #[cfg(target_os = "linux")]
    _watched: super::endless::Watched,
}

impl<'a> Reading<'a> {
    /// For what takes no time that depends on the file's length, such as opening it.
    pub fn of(path: &'a Path) -> Self {
        Self::many(path, 0)
    }

    /// For reading so many bytes.
    pub fn many(path: &'a Path, bytes: usize) -> Self {
        let name = path.as_os_str().as_bytes();
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
        Self {
            _path: path,
            outer: FILE.replace(Some((name.as_ptr(), name.len()))),
            #[cfg(target_os = "linux")]
            _watched: super::endless::Watched::new(path, bytes),
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        FILE.set(self.outer);
    }
}

pub fn install(program: &str, status: u8) {
    let mut new = false;
    EXPLAINED.get_or_init(|| {
        new = true;
        // A progress bar may stand in the line.
        let clear = match std::io::stderr().is_terminal() {
            true => "\r\x1b[2K",
            false => "",
        };
        Explained {
            program: format!("{clear}{program}: "),
            status: status.into(),
            before: SIGNALS.map(before),
        }
    });
    if !new {
        return;
    }
    for signal in SIGNALS {
        // SAFETY: all zeros is a valid `sigaction`, and the handler keeps to what a signal handler may do. Threads of
        // Rust have a stack of their own for it; on others it runs on theirs.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = broke_off as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
    // A file beyond the limit of its size is an error of the write, not the end of the process.
    // SAFETY: no handler, only a disposition.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    #[cfg(target_os = "linux")]
    super::endless::watch();
}

/// The present handler of a signal.
fn before(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: all zeros is a valid `sigaction`, which the call overwrites.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let asked = libc::sigaction(signal, std::ptr::null(), &mut action);
        (asked == 0).then_some(action)
    }
}

/// Does nothing but loads of atomics and thread-locals, `writev`, `_exit` and `sigaction`: all else is forbidden here.
extern "C" fn broke_off(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system passes a valid description.
    let code = unsafe { (*info).si_code };
    // Another process sent it.
    let sent = cfg!(target_os = "linux") && code == 0;
    if let (Some((name, len)), false) = (FILE.get(), sent) {
        // SAFETY: `Reading` borrows the path as long as it stands here.
        let file = unsafe { std::slice::from_raw_parts(name, len) };
        end(
            file,
            "the HDF5 library broke off while reading this file; it is damaged",
        );
    }
    // Not ours: as it was before, and the same signal comes again.
    let place = SIGNALS.iter().position(|&s| s == signal);
    let before = EXPLAINED
        .get()
        .and_then(|e| e.before[place?].as_ref())
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: an action that was in force before.
    unsafe {
        if before.is_null() {
            libc::signal(signal, libc::SIG_DFL);
        } else {
            libc::sigaction(signal, before, std::ptr::null_mut());
        }
        if sent {
            libc::raise(signal);
        }
    }
}

/// Ends the process with words about a file. Nothing is done on the way out: the library may hold its lock for ever.
pub fn end(file: &[u8], what: &str) {
    let Some(explained) = EXPLAINED.get() else {
        return;
    };
    let parts = [
        explained.program.as_bytes(),
        file,
        b": ",
        what.as_bytes(),
        b"\n",
    ];
    let parts = parts.map(|part| libc::iovec {
        iov_base: part.as_ptr().cast_mut().cast(),
        iov_len: part.len(),
    });
    // SAFETY: the parts live until the calls are over; `_exit` may be called anywhere.
    unsafe {
        libc::writev(2, parts.as_ptr(), parts.len() as libc::c_int);
        libc::_exit(explained.status);
    }
}
