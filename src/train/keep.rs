//! What a run keeps beside its checkpoint: the log of what is watched, the best weights, weights of every few epochs.

use std::path::{Path, PathBuf};

use super::checkpoint::{self, Position};
use super::log::{self, Rows, header};
use super::options::{Event, Options};
use super::session::Session;
use super::watch::Watcher;
use crate::data::ShowerSet;
use crate::files::write_atomically;
use crate::models::Metadata;
use crate::{Error, Result};

/// What is looked at and kept as iterations go by. It follows from the iteration alone, so that a resumed run keeps the same.
pub(super) struct Keeper {
    about: Metadata,
    steps_per_epoch: u64,
    /// Where weights of epochs are kept, and how many epochs lie between them.
    epochs: Option<(PathBuf, u64)>,
    watcher: Option<(Watcher, u64)>,
    log: PathBuf,
    columns: Vec<String>,
    rows: Rows,
    best_path: PathBuf,
    best: Option<(u64, f64)>,
}

impl Keeper {
    /// For a run of `session`, held against the showers `held` if it is watched, whose weights say `about` of themselves.
    pub fn new(
        session: &Session,
        options: &Options,
        held: Option<&ShowerSet>,
        about: &Metadata,
        steps_per_epoch: u64,
    ) -> Result<Self> {
        let folder = &options.out;
        let watcher = match options.watch.as_ref().zip(held) {
            None => None,
            Some((watch, held)) => {
                let watcher = Watcher::new(session, watch, held, options.seed)?;
                Some((watcher, watch.every))
            }
        };
        if options.keep_every == Some(0) {
            return Err(Error::Config(
                "weights are kept every epoch or less often: expected at least 1".into(),
            ));
        }
        Ok(Self {
            columns: watcher.as_ref().map_or_else(Vec::new, |(w, _)| w.columns()),
            watcher,
            epochs: options.keep_every.map(|n| (folder.join("epochs"), n)),
            about: about.clone(),
            steps_per_epoch,
            log: folder.join("watch.csv"),
            rows: Rows::default(),
            best_path: folder.join("best.safetensors"),
            best: None,
        })
    }

    /// Begins a run.
    pub fn begin(&self) -> Result<()> {
        if let Some((folder, _)) = &self.epochs {
            crate::files::make_folder(folder)?;
        }
        match self.watcher {
            Some(_) => write_atomically(&self.log, header(&self.columns).as_bytes()),
            None => Ok(()),
        }
    }

    /// Goes on where a checkpoint stands.
    pub fn resume(&mut self, position: &Position) -> Result<()> {
        self.best = position.best;
        if let Some((folder, _)) = &self.epochs {
            crate::files::make_folder(folder)?;
        }
        log::truncate(&self.log, position.iteration)
    }

    /// Iteration and value of the best weights so far.
    pub fn best(&self) -> Option<(u64, f64)> {
        self.best
    }

    /// Brings the log up to date.
    pub fn flush(&mut self) -> Result<()> {
        match self.watcher {
            Some(_) => self.rows.flush(&self.log, &self.columns),
            None => Ok(()),
        }
    }

    /// The log, if anything is watched.
    pub fn log(&self) -> Option<&Path> {
        self.watcher.as_ref().map(|_| self.log.as_path())
    }

    /// Looks and keeps what is due after `iteration`.
    pub fn after(
        &mut self,
        iteration: u64,
        session: &Session,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        if let Some((folder, every)) = &self.epochs
            && iteration.is_multiple_of(every * self.steps_per_epoch)
        {
            let epoch = iteration / self.steps_per_epoch;
            self.save(
                &folder.join(format!("epoch-{epoch:05}.safetensors")),
                iteration,
                "",
                session,
            )?;
        }
        let Some((watcher, every)) = &self.watcher else {
            return Ok(());
        };
        if !iteration.is_multiple_of(*every) {
            return Ok(());
        }
        let seen = watcher.look()?;
        let score = watcher.score(&seen);
        let best = score.is_some_and(|s| self.best.is_none_or(|(_, least)| s < least));
        self.rows.push(
            iteration,
            iteration as f64 / self.steps_per_epoch as f64,
            &watcher.row(&seen),
        );
        if let Some(value) = score.filter(|_| best) {
            let name = watcher.best_name();
            self.best = Some((iteration, value));
            let quality = format!("best of its run: {name} {value:.5}");
            self.save(&self.best_path, iteration, &quality, session)?;
        }
        tell(Event::Watched {
            iteration,
            seen: &seen,
            best,
        });
        Ok(())
    }

    fn save(&self, path: &Path, steps: u64, quality: &str, session: &Session) -> Result<()> {
        let metadata = Metadata {
            steps,
            quality: quality.into(),
            ..self.about.clone()
        };
        checkpoint::save_weights(path, session, metadata)
    }
}
