//! How to train, and what training tells.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::watch::{Seen, Watch};
use crate::data::Voxels;
use crate::gpu::Profile;
use crate::tape::Plan;

/// How to train.
#[derive(Clone, Debug)]
pub struct Options {
    /// The run's folder.
    pub out: PathBuf,
    /// How the voxels of CaloChallenge files lie.
    pub voxels: Voxels,
    /// Showers to train on, counted through all files; otherwise all.
    pub events: Option<Range<usize>>,
    /// Iterations (batches) in all; otherwise by epochs.
    pub steps: Option<u64>,
    /// Epochs in all; otherwise the system's own number.
    pub epochs: Option<f64>,
    /// Showers in a batch; otherwise the system's own number.
    pub batch: Option<usize>,
    /// Of initial values, noise and order of batches.
    pub seed: u64,
    /// Goes on from the checkpoint in the folder.
    pub resume: bool,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Iterations to a row of the log.
    pub log_every: u64,
    /// Sums times by kernel.
    pub profile: bool,
    /// What is watched.
    pub watch: Option<Watch>,
    /// Epochs between weights that are kept in `epochs/`.
    pub keep_every: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            out: PathBuf::from("run"),
            voxels: Voxels::Recognised,
            events: None,
            steps: None,
            epochs: None,
            batch: None,
            seed: 0,
            resume: false,
            checkpoint_every: Duration::from_secs(120),
            log_every: 20,
            profile: false,
            watch: None,
            keep_every: None,
        }
    }
}

/// What training tells while it works.
#[derive(Debug)]
pub enum Event<'a> {
    /// The programs are compiled.
    Ready {
        /// Name and plan of each kind of step.
        plans: &'a [(&'static str, Plan)],
        /// Iterations done and in all.
        iterations: (u64, u64),
    },
    /// A row of the log was ended.
    Row {
        /// Iterations done.
        iteration: u64,
        /// Epochs done.
        epoch: f64,
        /// Mean losses of the row.
        losses: &'a [(String, Option<f64>)],
        /// Showers trained on per second since the start.
        showers_per_second: f64,
    },
    /// The networks were held against showers whose labels are known.
    Watched {
        /// Iterations done.
        iteration: u64,
        /// The figures watched.
        seen: &'a [Seen],
        /// Whether no weights before were as good: they are in `best.safetensors` now.
        best: bool,
    },
    /// A checkpoint and the weights were written, and the logs are up to date.
    Saved {
        /// The log of losses.
        losses: &'a Path,
        /// The log of what is watched, if anything is.
        watch: Option<&'a Path>,
    },
}

/// How training ended.
#[derive(Debug)]
pub struct Outcome {
    /// Iterations done.
    pub iterations: u64,
    /// False if it was asked to stop before the end.
    pub finished: bool,
    /// The weights file.
    pub weights: PathBuf,
    /// Times by kernel, if asked for.
    pub profile: Option<Profile>,
}
