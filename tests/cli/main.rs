//! The program itself: what it writes where, how it fails, and what its help says.
#![cfg(feature = "cli")]

mod challenge;
mod crash;
mod evaluate;
mod features;
mod merge;
mod particles;
mod production;
mod sample;
mod sparse;
mod studies;
mod tiers;
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use calogen::data::{Labels, ShowerInfo, ShowerWriter, Showers};

/// A file of 1000 showers of shape [7, 12, 15].
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hgcal_sample.h5");

/// What a run left behind.
struct Run {
    status: i32,
    out: String,
    err: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_calogen"));
    command.args(args);
    command
}

fn calogen(args: &[&str]) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command(args).output().unwrap();
    let run = Run {
        status: status.code().expect("ended by a signal"),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    };
    for word in ["panicked", "backtrace", "internal error"] {
        assert!(!run.err.contains(word), "{args:?}: {}", run.err);
    }
    run
}

/// Runs what must fail with `status`; its message.
fn fails(status: i32, args: &[&str]) -> String {
    let run = calogen(args);
    assert_eq!(run.status, status, "{args:?}: {}", run.err);
    assert_eq!(run.out, "", "{args:?} prints a result and fails");
    run.err
}

/// Runs what must fail with one line that begins with the program's name and contains all of `parts`.
fn complains(status: i32, args: &[&str], parts: &[&str]) {
    let message = fails(status, args);
    assert!(message.starts_with("calogen: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

/// The bundled sample compared with itself, to `out`.
fn evaluate_sample(out: &str) -> [&str; 7] {
    [
        "evaluate",
        "--reference",
        SAMPLE,
        "--generated",
        SAMPLE,
        "--out",
        out,
    ]
}

/// Some showers of one shape, different for different seeds.
fn write(path: &Path, info: &ShowerInfo, events: usize, seed: u32) -> PathBuf {
    let cells: usize = info.shape.iter().product();
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let showers = Showers {
        shape: info.shape,
        layers: (0..events * cells).map(|_| random()).collect(),
        energy: (0..events).map(|k| 10.0 + (k % 2) as f32).collect(),
        position: None,
        conditions: None,
        condition_names: Vec::new(),
    };
    let mut writer = ShowerWriter::create(path, info, Labels::default()).unwrap();
    writer.append(&showers).unwrap();
    writer.finish().unwrap();
    path.to_path_buf()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
