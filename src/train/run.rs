//! One run of training in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::checkpoint::{self, Position};
use super::config::difference;
use super::held;
use super::keep::Keeper;
use super::log::{self, Log};
use super::options::{Event, Options, Outcome};
use super::session::Session;
use super::summary;
use crate::data::{Batches, ShowerSet};
use crate::gpu::Gpu;
use crate::models::{self, Metadata, Progress, System};
use crate::{Error, Result};

/// Trains `system` on shower files. Stops at a checkpoint soon after `stop` is set.
///
/// # Errors
/// [`Error::Config`] if data and system do not fit each other, before anything is written; [`Error::NotFinite`] if a loss
/// is NaN, which leaves the last good checkpoint; whatever files and device report.
pub fn train(
    gpu: &Arc<Gpu>,
    system: Box<dyn System>,
    data: &[PathBuf],
    options: &Options,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome> {
    let names = file_names(data);
    let mut set = ShowerSet::open_as(data, &options.voxels)?;
    if let Some(events) = &options.events {
        set = set.limited(events.clone())?;
    }
    let set = summary::seen_by(system.as_ref(), set, &names)?;
    let (mut about, means) = summary::summarise(system.as_ref(), &set, &names)?;
    let batch = options.batch.unwrap_or(system.batch());
    about.config = settings(system.as_ref(), batch);
    let folder = &options.out;
    let at = |name: &str| folder.join(name);
    let (checkpoint_path, losses_path, weights) = (
        at("checkpoint.safetensors"),
        at("losses.csv"),
        at("model.safetensors"),
    );
    // Means tell data apart that have the same name and number of showers.
    let cells = means.mean_cells.iter().map(|&e| f64::from(e));
    let data_key = format!(
        "{} events of {:?} from {names}, on average {} {} at {} GeV",
        match &options.events {
            Some(events) => format!("{}:{}", events.start, events.end),
            None => set.len().to_string(),
        },
        set.info().shape,
        cells.sum::<f64>(),
        about.unit,
        means.condition_mean.first().copied().unwrap_or_default(),
    );

    let stored = match options.resume {
        false => None,
        true => {
            let bytes =
                std::fs::read(&checkpoint_path).map_err(|e| Error::io(&checkpoint_path, e))?;
            let position = checkpoint::position(&checkpoint_path, &bytes)?;
            fits(
                &position,
                system.as_ref(),
                options,
                batch,
                &data_key,
                &checkpoint_path,
            )?;
            Some((bytes, position))
        }
    };
    if stored.is_none() && checkpoint_path.exists() {
        return Err(Error::Config(format!(
            "{} holds a run already; resume it or choose another folder",
            folder.display()
        )));
    }
    let held = held::open(system.as_ref(), options, data, &set)?;
    let mut batches = Batches::with_budget(set, batch, options.seed, Batches::BUDGET)?;
    let steps_per_epoch = batches.steps_per_epoch();
    let per_epoch = steps_per_epoch as f64;
    let wanted = options.epochs.unwrap_or(system.epochs());
    let iterations = options.steps.unwrap_or((wanted * per_epoch).round() as u64);
    if let Some(watch) = options.watch.as_ref().filter(|w| w.keep_best.is_some())
        && stored.is_none()
        && watch.every > iterations
    {
        return Err(Error::Config(format!(
            "nothing would be kept: a look every {} of {iterations} iterations",
            watch.every
        )));
    }
    let mut session = Session::new(gpu, system, batch, options.seed)?;
    if options.profile {
        session.enable_profile();
    }
    let columns = loss_columns(&mut session)?;
    let mut keeper = Keeper::new(&session, options, held.as_ref(), &about, steps_per_epoch)?;
    let (mut iteration, mut log, iterations) = match stored {
        Some((bytes, position)) => {
            keeper.resume(&position)?;
            checkpoint::restore(&checkpoint_path, &bytes, &mut session, &position)?;
            log::truncate(&losses_path, position.iteration)?;
            batches.seek(position.iteration);
            let more = if options.steps.is_some() || options.epochs.is_some() {
                iterations
            } else {
                position.iterations
            };
            (position.iteration, position.log, more)
        }
        None => {
            for t in session.system().data_tensors(&means) {
                session
                    .networks()
                    .get(t.network)?
                    .set(gpu, &t.name, &t.values)?;
            }
            crate::files::make_folder(folder)?;
            write_config(&at("config.toml"), &about, options)?;
            keeper.begin()?;
            let log = Log::new(columns);
            crate::files::write_atomically(&losses_path, log.header().as_bytes())?;
            (0, log, iterations)
        }
    };
    let mut plans = Vec::new();
    for (i, step) in session.system().steps().iter().enumerate() {
        plans.push((step.name, session.plan(i)?));
    }
    tell(Event::Ready {
        plans: &plans,
        iterations: (iteration, iterations),
    });

    let start = (Instant::now(), iteration);
    let mut saved = Instant::now();
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        let done = iteration >= iterations || stopping;
        if done || saved.elapsed() >= options.checkpoint_every {
            while let Some(losses) = session.arrived()? {
                log.add(&losses);
            }
            log.flush(&losses_path)?;
            keeper.flush()?;
            let (taken, turns) = session.counters();
            let position = Position {
                model: session.system().name().into(),
                config: about.config.clone(),
                seed: options.seed,
                iteration,
                iterations,
                taken,
                turns,
                log: log.clone(),
                data: data_key.clone(),
                watch: options.watch.clone(),
                best: keeper.best(),
            };
            checkpoint::save(&checkpoint_path, &session, &position)?;
            checkpoint::save_weights(
                &weights,
                &session,
                Metadata {
                    steps: iteration,
                    ..about.clone()
                },
            )?;
            tell(Event::Saved {
                losses: &losses_path,
                watch: keeper.log(),
            });
            saved = Instant::now();
        }
        if done {
            let finished = iteration >= iterations;
            return Ok(Outcome {
                iterations: iteration,
                finished,
                weights,
                profile: session.profile().cloned(),
            });
        }
        if iteration > 0 && iteration % steps_per_epoch == 0 {
            session.begin_epoch(iteration / steps_per_epoch)?;
        }
        let progress = Progress {
            iteration,
            share: iteration as f64 / iterations as f64,
        };
        let showers = batches.next_batch()?;
        for turn in session.system().schedule(progress) {
            if let Some(losses) = session.take(turn, &showers)? {
                log.add(&losses);
            }
        }
        iteration += 1;
        if iteration % options.log_every == 0 {
            // Whatever is under way belongs to this row: rows do not depend on when the device answered.
            while let Some(losses) = session.arrived()? {
                log.add(&losses);
            }
            let rate =
                ((iteration - start.1) * batch as u64) as f64 / start.0.elapsed().as_secs_f64();
            let means = log.means();
            log.row(iteration, iteration as f64 / per_epoch);
            tell(Event::Row {
                iteration,
                epoch: iteration as f64 / per_epoch,
                losses: &means,
                showers_per_second: rate,
            });
        }
        keeper.after(iteration, &session, tell)?;
    }
}

pub(super) fn file_names(data: &[PathBuf]) -> String {
    let names = data.iter().map(|p| {
        p.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    });
    names.collect::<Vec<_>>().join(", ")
}

/// The losses of every kind of step, in order; a name that two kinds share stands once.
fn loss_columns(session: &mut Session) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for step in 0..session.system().steps().len() {
        for name in session.loss_names(step)? {
            if !names.iter().any(|n| n == name) {
                names.push((*name).to_owned());
            }
        }
    }
    Ok(names)
}

/// The configuration of a system with the batch that it is trained in.
fn settings(system: &dyn System, batch: usize) -> serde_json::Value {
    let mut config = system.config();
    if let Some(own) = config.get_mut("batch") {
        *own = batch.into();
    }
    config
}

/// The model with its configuration, and of the run's own settings what shapes its folder.
fn write_config(path: &Path, about: &Metadata, options: &Options) -> Result<()> {
    let mut table = serde_json::json!({ "model": about.model, "config": about.config });
    if let Some(watch) = &options.watch {
        table["watch"] = serde_json::json!(watch);
    }
    if let Some(epochs) = options.keep_every {
        table["keep_every"] = epochs.into();
    }
    let text = toml::to_string(&table).map_err(|e| Error::format(path, e.to_string()))?;
    crate::files::write_atomically(path, text.as_bytes())
}

/// Refuses to go on with another model, configuration, seed or data than the checkpoint's.
fn fits(
    position: &Position,
    system: &dyn System,
    options: &Options,
    batch: usize,
    data: &str,
    path: &Path,
) -> Result<()> {
    let differs = |what: &str, stored: &dyn std::fmt::Display, given: &dyn std::fmt::Display| {
        Err(Error::Config(format!(
            "{}: the run's {what} is {stored}, not {given}",
            path.display()
        )))
    };
    if position.model != system.name() {
        return differs("model", &position.model, &system.name());
    }
    // Opened, so that settings which an older version did not know have their values here too.
    let stored = models::open(&position.model, position.config.clone())
        .map_err(|e| Error::format(path, e.to_string()))?;
    let given = settings(system, batch);
    if let Some((setting, stored, given)) = difference(&stored.config(), &given) {
        return differs(&setting, stored, given);
    }
    if position.seed != options.seed {
        return differs("seed", &position.seed, &options.seed);
    }
    if position.data != data {
        return differs("data", &position.data, &data);
    }
    if position.watch != options.watch {
        let text = |watch: &Option<_>| serde_json::json!(watch).to_string();
        return differs("watch", &text(&position.watch), &text(&options.watch));
    }
    Ok(())
}
