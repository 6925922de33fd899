//! Timing the choices of a program: the same program compiled with one candidate after another, each dispatch timed by the
//! device's own clock on the real shapes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::program::Program;
use crate::gpu::Gpu;
use crate::{Error, Result};

/// A choice that a program made for one of its dispatches.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// What it is remembered under.
    pub key: String,
    /// What could be taken, the default first. All give the same bits.
    pub candidates: Vec<Vec<u32>>,
}

/// What tuning did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tuned {
    /// Distinct choices of the program.
    pub choices: usize,
    /// Those for which something other than the default is faster.
    pub changed: usize,
    /// Candidates timed, of all.
    pub timed: usize,
    /// Candidates there are.
    pub candidates: usize,
}

/// A candidate must be this much faster than the default: less may be noise.
const MARGIN: f64 = 0.97;
/// Times each candidate is run.
const ROUNDS: usize = 3;
/// Times the default and the choice are run side by side.
const CONFIRMED: usize = 7;

/// Times the candidates of every choice that `compile` makes, `compile(None)` being the program as it is, within about
/// `budget`, and remembers the fastest. `progress` hears of each program (done, all).
///
/// # Errors
/// [`Error::Config`] if the device has no timestamps.
pub(crate) fn tune(
    gpu: &Gpu,
    mut compile: impl FnMut(Option<usize>) -> Result<Program>,
    budget: Duration,
    mut progress: impl FnMut(usize, usize),
) -> Result<Tuned> {
    if !gpu.capabilities().timestamps {
        let what = format!("{} has no clock to tune by", gpu.capabilities().name);
        return Err(Error::Config(what));
    }
    let start = Instant::now();
    let mut times: BTreeMap<String, (Vec<Vec<u32>>, Vec<f64>)> = BTreeMap::new();
    let (mut trial, mut trials, mut longest) = (0, 1, Duration::ZERO);
    while trial < trials {
        // The default always; another only if there should be time for it.
        if trial > 0 && start.elapsed() + longest > budget {
            break;
        }
        let began = Instant::now();
        let program = compile(Some(trial))?;
        for c in program.choices() {
            trials = trials.max(c.candidates.len());
            let new = || (c.candidates.clone(), Vec::new());
            times.entry(c.key.clone()).or_insert_with(new);
        }
        for _ in 0..ROUNDS {
            for (choice, seconds) in program.time_choices()? {
                let c = &program.choices()[choice];
                let Some((_, best)) = times.get_mut(&c.key).filter(|_| trial < c.candidates.len())
                else {
                    continue;
                };
                best.resize(trial + 1, f64::INFINITY);
                best[trial] = best[trial].min(seconds);
            }
        }
        trial += 1;
        longest = longest.max(began.elapsed());
        progress(trial, trials);
    }
    let mut done = Tuned {
        choices: times.len(),
        ..Tuned::default()
    };
    let mut found = BTreeMap::new();
    for (key, (candidates, seconds)) in &times {
        done.candidates += candidates.len();
        done.timed += seconds.len();
        let fastest = (0..seconds.len()).min_by(|&a, &b| seconds[a].total_cmp(&seconds[b]));
        found.insert(key.clone(), candidates[fastest.unwrap_or(0)].clone());
    }
    gpu.remember(found.clone());
    // On a busy device the fastest may have been the luckiest: side by side with the default once more.
    let (default, chosen) = match compile(Some(0)).and_then(|d| Ok((d, compile(None)?))) {
        Ok(both) => both,
        // No room for two.
        Err(Error::OutOfMemory(_)) => return Ok(done),
        Err(error) => return Err(error),
    };
    let mut both: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for _ in 0..CONFIRMED {
        for (which, program) in [&default, &chosen].into_iter().enumerate() {
            for (choice, seconds) in program.time_choices()? {
                let best = both
                    .entry(&program.choices()[choice].key)
                    .or_insert([f64::INFINITY; 2]);
                best[which] = best[which].min(seconds);
            }
        }
    }
    for (key, taken) in &mut found {
        let candidates = &times[key].0;
        let [before, now] = both.get(key.as_str()).copied().unwrap_or_default();
        if now < MARGIN * before {
            done.changed += usize::from(*taken != candidates[0]);
        } else {
            taken.clone_from(&candidates[0]);
        }
    }
    gpu.remember(found);
    Ok(done)
}
