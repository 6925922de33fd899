//! Shuffled training batches, made on a thread of their own.
//!
//! Which showers batch `step` holds follows from the seed and the step alone, so training resumes with the batches that
//! it would have had. What fits into the budget is held in memory and shuffled as a whole; the rest streams (see
//! `stream.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::stream::Stream;
use super::{ShowerFile, ShowerInfo, ShowerSet, Showers};
use crate::{Error, Result};

/// Batches that wait while the device works on another.
const AHEAD: usize = 3;

/// Batches for ever, epoch after epoch. Every event comes at most once an epoch; the last incomplete batch is dropped.
///
/// An iterator that never ends: after an error, the next call tries the same batch again.
#[derive(Debug)]
pub struct Batches {
    source: Arc<Source>,
    plan: Plan,
    info: ShowerInfo,
    step: u64,
    worker: Option<Worker>,
}

/// What the order of showers depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub events: usize,
    pub batch: usize,
    pub seed: u64,
}

impl Plan {
    /// Batches of an epoch.
    pub fn steps(&self) -> u64 {
        (self.events / self.batch) as u64
    }

    /// Epoch of a step, and the number of showers that its epoch has given before it.
    pub fn position(&self, step: u64) -> (u64, usize) {
        (
            step / self.steps(),
            (step % self.steps()) as usize * self.batch,
        )
    }
}

#[derive(Debug)]
enum Source {
    Memory(Showers),
    File { set: ShowerSet, block: usize },
}

#[derive(Debug)]
struct Worker {
    /// None only while it is dropped.
    batches: Option<Receiver<Result<Showers>>>,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Batches {
    /// Bytes of showers that are held in memory unless the caller says otherwise: 2 GiB.
    pub const BUDGET: usize = 2 << 30;

    /// Batches of `batch` showers of the files, which must agree in shape, unit and labels.
    pub fn new(files: Vec<ShowerFile>, batch: usize, seed: u64) -> Result<Self> {
        Self::with_budget(ShowerSet::new(files)?, batch, seed, Self::BUDGET)
    }

    /// Batches of a set, of which `budget` bytes may be held in memory. The order of a set that fits differs from
    /// that of a set that does not.
    pub fn with_budget(set: ShowerSet, batch: usize, seed: u64, budget: usize) -> Result<Self> {
        let events = set.len();
        if batch == 0 || batch > events {
            let names: Vec<_> = set
                .files()
                .iter()
                .map(|f| f.path().display().to_string())
                .collect();
            let names = names.join(", ");
            return Err(Error::Config(format!(
                "a batch of {batch} showers, but {names} holds {events}"
            )));
        }
        let info = set.info().clone();
        let bytes = set.shower_bytes();
        let source = if events.saturating_mul(bytes) <= budget {
            Source::Memory(set.read(0..events)?)
        } else {
            Source::File {
                set,
                block: Stream::block(bytes, budget),
            }
        };
        Ok(Self {
            source: Arc::new(source),
            plan: Plan {
                events,
                batch,
                seed,
            },
            info,
            step: 0,
            worker: None,
        })
    }

    /// What the first file says of itself.
    pub fn info(&self) -> &ShowerInfo {
        &self.info
    }

    /// Number of showers of the whole set.
    pub fn events(&self) -> usize {
        self.plan.events
    }

    /// Number of showers of a batch.
    pub fn batch(&self) -> usize {
        self.plan.batch
    }

    /// Number of batches in an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.plan.steps()
    }

    /// True where the showers are held in memory, false where they stream from the files.
    pub fn in_memory(&self) -> bool {
        matches!(*self.source, Source::Memory(_))
    }

    /// Number of the batch that comes next, counted from the first of epoch 0.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Makes `step` the batch that comes next. It and all after it are those that skipping to it would give.
    pub fn seek(&mut self, step: u64) {
        if step != self.step {
            self.worker = None;
            self.step = step;
        }
    }

    /// The next batch; waits for it where the thread that reads ahead has none ready.
    pub fn next_batch(&mut self) -> Result<Showers> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.source.clone(), self.plan, self.step)?,
        };
        let batch = worker.receive()?;
        self.worker = Some(worker);
        self.step += 1;
        Ok(batch)
    }
}

impl Iterator for Batches {
    type Item = Result<Showers>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_batch())
    }
}

impl Worker {
    fn start(source: Arc<Source>, plan: Plan, step: u64) -> Result<Self> {
        let (to, batches) = sync_channel(AHEAD);
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let run = move || match &*source {
            Source::Memory(showers) => from_memory(showers, plan, step, &to),
            Source::File { set, block } => from_file(set, *block, plan, step, &to, &told),
        };
        let thread = std::thread::Builder::new()
            .name("calogen-batches".into())
            .spawn(run);
        let thread =
            thread.map_err(|e| Error::Config(format!("no thread to read showers ahead: {e}")))?;
        Ok(Self {
            batches: Some(batches),
            thread: Some(thread),
            stop,
        })
    }

    fn receive(&self) -> Result<Showers> {
        let batch = self.batches.as_ref().and_then(|b| b.recv().ok());
        batch.unwrap_or_else(|| {
            Err(Error::Config(
                "the thread that reads showers ahead has stopped".into(),
            ))
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that waits to send wakes when the receiver goes.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // Whoever waited for a batch has seen a panic of the thread as an error.
            let _ = thread.join();
        }
    }
}

/// A generator for one purpose: the same whatever was drawn elsewhere.
pub(super) fn rng(seed: u64, epoch: u64, part: u64) -> StdRng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    key[16..24].copy_from_slice(&part.to_le_bytes());
    key[24..].copy_from_slice(b"batches\0");
    StdRng::from_seed(key)
}

/// The numbers below `n` in an order that `rng` gives.
pub(super) fn shuffled(n: usize, mut rng: StdRng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut rng);
    order
}

/// Sends batches until nobody listens.
fn from_memory(showers: &Showers, plan: Plan, first: u64, to: &SyncSender<Result<Showers>>) {
    let mut epoch = None;
    let mut order = Vec::new();
    for step in first.. {
        let (now, at) = plan.position(step);
        if epoch != Some(now) {
            order = shuffled(plan.events, rng(plan.seed, now, 0));
            epoch = Some(now);
        }
        if to
            .send(Ok(showers.gather(&order[at..at + plan.batch])))
            .is_err()
        {
            return;
        }
    }
}

/// Sends batches until nobody listens or one cannot be read.
fn from_file(
    set: &ShowerSet,
    block: usize,
    plan: Plan,
    first: u64,
    to: &SyncSender<Result<Showers>>,
    stop: &AtomicBool,
) {
    let mut stream = Stream::new(set, block, plan, first, stop);
    loop {
        let batch = stream.next_batch();
        let failed = batch.is_err();
        if stop.load(Ordering::Relaxed) || to.send(batch).is_err() || failed {
            return;
        }
    }
}
