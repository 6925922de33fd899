//! Repeated measurement in bounded time.

use std::time::{Duration, Instant};

use calogen::Result;
use serde::Serialize;

/// Repetitions that a median is taken of, if there is time for them.
const REPEATS: usize = 20;
/// Runs before anything is measured, if there is time for them.
const WARM_UPS: usize = 3;
/// Repetitions at least, however long they take.
const LEAST: usize = 3;
/// A sample is as many runs as take about this long, so that submission does not dominate short ones.
const SAMPLE: f64 = 2e-3;
const MOST_RUNS: usize = 64;

/// Seconds of one run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timing {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// Samples taken.
    pub repeats: usize,
}

impl Timing {
    /// Of samples in seconds.
    pub fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let n = samples.len().max(1);
        let at = |i: usize| samples.get(i).copied().unwrap_or(f64::NAN);
        Self {
            median: 0.5 * (at((n - 1) / 2) + at(n / 2)),
            min: at(0),
            max: at(n - 1),
            repeats: samples.len(),
        }
    }
}

/// Times `run`, which starts one piece of work, and `wait`, which waits for all that was started; within about `budget`.
pub fn measure(
    budget: Duration,
    mut run: impl FnMut() -> Result<()>,
    mut wait: impl FnMut() -> Result<()>,
) -> Result<Timing> {
    let mut sample = |runs: usize| -> Result<f64> {
        let start = Instant::now();
        for _ in 0..runs {
            run()?;
        }
        wait()?;
        Ok(start.elapsed().as_secs_f64() / runs as f64)
    };
    let start = Instant::now();
    let mut once = sample(1)?;
    for _ in 1..WARM_UPS {
        if start.elapsed() * 4 > budget {
            break;
        }
        once = sample(1)?;
    }
    let runs = ((SAMPLE / once.max(1e-9)) as usize).clamp(1, MOST_RUNS);
    let mut samples = Vec::with_capacity(REPEATS);
    while samples.len() < REPEATS && (samples.len() < LEAST || start.elapsed() < budget) {
        samples.push(sample(runs)?);
    }
    Ok(Timing::of(samples))
}

/// `n` numbers in [-1, 1), always the same ones.
pub fn numbers(n: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}
