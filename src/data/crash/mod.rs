//! Damaged files that the HDF5 library itself cannot stand: it breaks off by a signal, or goes round for ever, mostly over
//! the heap in which strings of variable length lie. No `Result` can stand for that; a program can at least end in words.

use std::ops::Deref;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
mod endless;
#[cfg(unix)]
mod signals;

#[cfg(not(unix))]
pub(super) use elsewhere::Reading;
#[cfg(unix)]
pub(super) use signals::Reading;

/// From here on a file over which the HDF5 library crashes ends this process with `status` and one line on standard error,
/// `PROGRAM: FILE: what happened`, instead of a signal; so does one over which it computes without end (Linux alone).
///
/// For programs, which have nothing better to do then. It handles SIGSEGV, SIGBUS, SIGFPE and SIGABRT while one of this
/// crate's readers is inside the library, and leaves every other signal to the handler there was. A service that must
/// survive any file reads it in a process of its own. Does nothing on Windows.
pub fn explain_crashes(program: &str, status: u8) {
    #[cfg(unix)]
    signals::install(program, status);
    #[cfg(not(unix))]
    let _ = (program, status);
}

/// Handles of an open file. Closing them may break the library too: its cache goes then.
#[derive(Debug)]
pub(super) struct Held<T> {
    handles: Option<T>,
    path: PathBuf,
}

impl<T> Held<T> {
    pub fn new(path: &Path, handles: T) -> Self {
        Self {
            handles: Some(handles),
            path: path.to_owned(),
        }
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let held = self.handles.as_ref();
        held.unwrap_or_else(|| unreachable!("held until dropped"))
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let _reading = Reading::of(&self.path);
        self.handles = None;
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::path::Path;

    /// Nothing is known to be done here.
    pub struct Reading;

    impl Reading {
        pub fn of(_: &Path) -> Self {
            Self
        }

        pub fn many(_: &Path, _: usize) -> Self {
            Self
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;
    use std::process::{Command, Output};

    use super::{Reading, explain_crashes};

    /// What `child` is to do.
    const JOB: &str = "CALOGEN_CRASH_JOB";

    #[test]
    #[ignore = "started by the others"]
    fn child() {
        let Ok(job) = std::env::var(JOB) else { return };
        explain_crashes("a test", 7);
        let file = Path::new("folder/a file.h5");
        let segfault = || {
            // SAFETY: none. The process is to die of it.
            unsafe { std::ptr::null_mut::<u8>().write_volatile(1) }
        };
        let reading = Reading::of(file);
        match job.as_str() {
            "segfault" => segfault(),
            "abort" => std::process::abort(),
            "inner" => {
                drop(Reading::many(Path::new("another.h5"), 5));
                segfault();
            }
            "thread" => drop(
                std::thread::spawn(move || {
                    let _reading = Reading::of(file);
                    segfault();
                })
                .join(),
            ),
            "endless" => loop {
                std::hint::black_box(0);
            },
            "asleep" => std::thread::sleep(std::time::Duration::from_secs(3)),
            "elsewhere" => drop(std::thread::spawn(segfault).join()),
            "after" => {
                drop(reading);
                std::process::abort();
            }
            other => panic!("{other}"),
        }
    }

    fn run(job: &str) -> (Output, String) {
        let out = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "data::crash::tests::child",
                "--ignored",
                "--nocapture",
            ])
            .env(JOB, job)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        (out, said)
    }

    #[test]
    fn a_crash_inside_the_library_ends_in_words() {
        for job in ["segfault", "abort", "inner", "thread"] {
            let (out, said) = run(job);
            assert_eq!(out.status.code(), Some(7), "{job}: {said}");
            let words = "a test: folder/a file.h5: the HDF5 library broke off while reading this file; it is damaged\n";
            assert_eq!(said, words, "{job}");
        }
    }

    #[test]
    fn a_crash_elsewhere_stays_what_it_was() {
        for job in ["elsewhere", "after"] {
            let (out, said) = run(job);
            assert_eq!(out.status.code(), None, "{job}: {said}");
            assert!(!said.contains("HDF5"), "{job}: {said}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn computing_without_end_ends_in_words_and_waiting_does_not() {
        let (out, said) = run("endless");
        assert_eq!(out.status.code(), Some(7), "{said}");
        let words = "a test: folder/a file.h5: the HDF5 library comes to no end in reading this file; it is damaged\n";
        assert_eq!(said, words);
        let (out, said) = run("asleep");
        assert!(out.status.success(), "{said}");
    }
}
