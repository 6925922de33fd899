//! Broken files by the thousand: no reader panics, hangs or allocates without bound; each gives its value or one error in
//! words.
//!
//! Files are good ones that were damaged at random (`mutate`), or HDF5 files with odd datasets and attributes (`odd`). They
//! are read in a process of its own, whose memory has a limit; a file that ends it is kept. What was found so far lies in
//! `corpus/TARGET` and is read each time. A run takes half a second for each target here, as long as one likes with
//! `tools/fuzz.sh MINUTES [TARGET]`.
#![cfg(feature = "cli")]

#[path = "../data/archive.rs"]
mod archive;
mod mutate;
mod odd;
mod targets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mutate::Random;
use targets::{TARGETS, Target};

/// Bytes that may be allocated at a time. The largest file has less than one megabyte.
const MEMORY: usize = 768 << 20;
/// Longest time for a file on a busy machine, and the status of a process that took longer.
const TIME: Duration = Duration::from_secs(20);
const ENDLESS: i32 = 97;
/// Status of a process that a C library ended.
const LIBRARY: u8 = 98;
/// Files are small: the time goes into reading, not into damaging them.
const SECONDS: f64 = 0.5;

/// The system's allocator, which gives no more than so many bytes: a reader that allocates by what a file claims ends here.
struct Limited;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator with the same layout; the count alone is our own.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size() > MEMORY {
            ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: it came from `alloc`, that is from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static LIMITED: Limited = Limited;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target)
}

/// Reads a file; the error must be words for a user.
fn read(target: &Target, path: &Path) -> bool {
    match (target.read)(path) {
        Ok(()) => true,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 20_000, "{text}");
            false
        }
    }
}

/// What `child` is to do.
const JOB: &str = "CALOGEN_FUZZ_JOB";

/// Reads damaged files until its time is over: the work of the process that may die. `JOB` is target, folder, seed and
/// seconds with line breaks between.
#[test]
#[ignore = "started by readers_survive_broken_files"]
fn child() {
    let Ok(job) = std::env::var(JOB) else { return };
    let [name, folder, seed, seconds] = job.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{job}")
    };
    let target = TARGETS.iter().find(|t| t.name == name).unwrap();
    calogen::data::explain_crashes("child", LIBRARY);
    let mut random = Random::new(seed.parse().unwrap());
    let seeds = (target.seeds)();
    let path = Path::new(folder).join(format!("input.{}", target.extension));
    // A good one first: a device is opened on the way.
    for seed in &seeds {
        std::fs::write(&path, seed).unwrap();
        read(target, &path);
    }
    let (start, seconds) = (Instant::now(), seconds.parse().unwrap());
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = start.elapsed().as_millis() as u64;
            if now.saturating_sub(BEGUN.load(Ordering::Relaxed)) > TIME.as_millis() as u64 {
                eprintln!("no end in {TIME:?}");
                std::process::exit(ENDLESS);
            }
        }
    });
    let (mut files, mut good) = (0u64, 0u64);
    let mut counted = start;
    let count = |name, files, good| {
        std::fs::write(Path::new(folder).join(name), format!("{files} {good}")).unwrap();
    };
    while start.elapsed().as_secs_f64() < seconds {
        // Some file systems wait for the disk where a file is overwritten.
        let _ = std::fs::remove_file(&path);
        (target.make)(&mut random, &seeds, &path);
        BEGUN.store(start.elapsed().as_millis() as u64, Ordering::Relaxed);
        good += u64::from(read(target, &path));
        files += 1;
        // For the case that the next one ends the process.
        if counted.elapsed() > Duration::from_millis(100) {
            count("counts", files, good);
            counted = Instant::now();
        }
    }
    count("counts", files, good);
    count("done", files, good);
}

/// Whether, and in so many words, a damaged file ended the C library under our reader, or kept it for ever: its own mistakes, for which a reader can
/// do nothing but say so. Rust says what it ends for.
fn in_library(out: &Output) -> bool {
    let err = String::from_utf8_lossy(&out.stderr);
    let ours = ["panicked", "memory allocation of"]
        .iter()
        .any(|s| err.contains(s));
    // The C library's allocator may have had a line before.
    let last = err.lines().next_back().unwrap_or_default();
    let said = || last.starts_with("child: ") && last.contains("input.h5: the HDF5 library ");
    match out.status.code() {
        Some(ENDLESS) => !ours,
        code => !ours && code == Some(LIBRARY.into()) && said(),
    }
}

/// Runs `child` under a limit of memory for the C library too, where the system has one.
fn run(target: &Target, folder: &Path, seed: u64, seconds: f64) -> Output {
    let me = std::env::current_exe().unwrap();
    let mut command = match cfg!(target_os = "linux") && !target.device {
        true => {
            let mut command = Command::new("sh");
            command
                .args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""])
                .arg(me);
            command
        }
        false => Command::new(me),
    };
    let job = format!("{}\n{}\n{seed}\n{seconds}", target.name, folder.display());
    command.args(["--exact", "child", "--ignored", "--nocapture"]);
    command.env(JOB, job).output().unwrap()
}

#[test]
fn readers_survive_broken_files() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<f64>().ok());
    let minutes = number("CALOGEN_FUZZ_MINUTES");
    let only = std::env::var("CALOGEN_FUZZ_TARGET").unwrap_or_default();
    let first = number("CALOGEN_FUZZ_SEED").unwrap_or(1.0) as u64;
    let mut found = Vec::new();
    for target in TARGETS.iter().filter(|t| t.name.contains(&only)) {
        let begin = Instant::now();
        let seconds = minutes.map_or(SECONDS, |m| 60.0 * m);
        let (mut files, mut good, mut library, mut seed) = (0, 0, 0, first);
        while begin.elapsed().as_secs_f64() < seconds {
            let folder = tempfile::tempdir().unwrap();
            let left = (seconds - begin.elapsed().as_secs_f64()).min(30.0);
            let out = run(target, folder.path(), seed, left);
            seed += 1;
            if let Ok(counts) = std::fs::read_to_string(folder.path().join("counts")) {
                let counts: Vec<u64> = counts.split(' ').map(|n| n.parse().unwrap()).collect();
                (files, good) = (files + counts[0], good + counts[1]);
            }
            if folder.path().join("done").exists() {
                continue;
            } else if in_library(&out) && target.library {
                library += 1;
            } else {
                let name = format!("{}.{}", seed - 1, target.extension);
                let kept = corpus(target.name).join(name);
                std::fs::create_dir_all(corpus(target.name)).unwrap();
                let input = folder.path().join(format!("input.{}", target.extension));
                std::fs::copy(input, &kept).unwrap();
                let err = String::from_utf8_lossy(&out.stderr);
                let said: Vec<_> = err
                    .lines()
                    .filter(|l| !l.trim().is_empty())
                    .take(4)
                    .collect();
                found.push(format!(
                    "{}: {}: {}",
                    kept.display(),
                    out.status,
                    said.join(" ")
                ));
                if found.len() > 20 {
                    break;
                }
            }
        }
        println!(
            "{}: {files} files, {good} of them readable; {library} broke the library below",
            target.name
        );
        assert!(
            files > 0 || library > 0 || !found.is_empty(),
            "{}",
            target.name
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What was found once stays repaired.
#[test]
fn what_was_found_is_read_or_refused() {
    for target in &TARGETS {
        let Ok(files) = std::fs::read_dir(corpus(target.name)) else {
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            let begin = Instant::now();
            read(target, &path);
            assert!(begin.elapsed() < TIME, "{}", path.display());
        }
    }
}

/// Undamaged files are read: else nothing behind the first check would ever be reached.
#[test]
fn undamaged_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for target in &TARGETS {
        let path = folder.path().join(format!("good.{}", target.extension));
        for seed in (target.seeds)() {
            std::fs::write(&path, seed).unwrap();
            (target.read)(&path).unwrap_or_else(|e| panic!("{}: {e}", target.name));
        }
    }
}

/// The harness must be able to fail: a reader that panics, one that allocates what it is told, and one that does not end.
#[test]
fn a_bad_reader_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["panics", "allocates"] {
        let target = targets::bad(name);
        let out = run(&target, folder.path(), 1, 20.0);
        assert!(!out.status.success(), "{name}");
        assert!(
            !in_library(&out) && !folder.path().join("done").exists(),
            "{name}"
        );
    }
}
