//! Readers that compute and compute.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Processor time that a thread may spend inside the library: so much, and more by what it unpacks. The time on the
/// wall says nothing: a file system may keep a reader waiting.
const MOST: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
const BYTES_PER_SECOND: usize = 4 << 20;

struct Call {
    id: u64,
    file: PathBuf,
    clock: libc::clockid_t,
    until: Duration,
}

static WATCHING: AtomicBool = AtomicBool::new(false);
static CALLS: Mutex<(u64, Vec<Call>)> = Mutex::new((0, Vec::new()));

fn calls() -> MutexGuard<'static, (u64, Vec<Call>)> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread inside the library, until dropped.
pub struct Watched(Option<u64>);

impl Watched {
    pub fn new(file: &Path, bytes: usize) -> Self {
        if !WATCHING.load(Ordering::Relaxed) {
            return Self(None);
        }
        let mut clock = 0;
        // SAFETY: the thread that asks is alive, and `clock` is the call's to write.
        let found = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
        let Some(now) = (found == 0).then(|| spent(clock)).flatten() else {
            return Self(None);
        };
        let most = MOST + Duration::from_secs((bytes / BYTES_PER_SECOND) as u64);
        let mut calls = calls();
        // What contains this call may take as much longer.
        for outer in calls.1.iter_mut().filter(|c| c.clock == clock) {
            outer.until += most;
        }
        calls.0 += 1;
        let id = calls.0;
        calls.1.push(Call {
            id,
            file: file.to_owned(),
            clock,
            until: now + most,
        });
        Self(Some(id))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            calls().1.retain(|call| call.id != id);
        }
    }
}

/// Processor time of a thread.
fn spent(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is the call's to write; a clock of a thread that has ended is an error.
    let read = unsafe { libc::clock_gettime(clock, &mut time) };
    (read == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// Looks at all calls every second, until the process ends.
pub fn watch() {
    let look = || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            for call in &calls().1 {
                if spent(call.clock).is_some_and(|now| now > call.until) {
                    super::signals::end(
                        call.file.as_os_str().as_bytes(),
                        "the HDF5 library comes to no end in reading this file; it is damaged",
                    );
                }
            }
        }
    };
    // Without it such a file takes for ever, as before.
    let begun = std::thread::Builder::new()
        .name("hdf5 watch".into())
        .spawn(look);
    WATCHING.store(begun.is_ok(), Ordering::Relaxed);
}
