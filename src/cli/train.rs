//! `calogen train`: train a model on shower files.

mod watch;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use calogen::models::{Preset, System};
use calogen::report::{Plot, losses_plot, watch_plots};
use calogen::train::{Event, Options, configured, read_config, train};
use calogen::{Error, Result};

use super::Global;
use super::files::{VoxelArgs, events};
use super::output::{Progress, print, print_json, say, stop_on_interrupt};
use super::seconds::seconds;

/// Train a model on shower files
///
/// Writes model.safetensors, checkpoint.safetensors, config.toml, losses.csv and losses.png into a folder. Ctrl-C
/// writes a checkpoint and stops; --resume goes on from it bit for bit.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the model: see `calogen models`
    model: String,
    /// Shower files to train on: HDF5, also of the CaloChallenge, or npz of ALICE ZDC (the responses, with the particles
    /// beside them, or RESPONSES.npz,PARTICLES.npz) and CMS HGCAL; several are joined
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Showers to train on, from A up to and without B, counted through all files: what is left out can judge the weights
    /// (`evaluate --reference-events`) [default: all]
    #[arg(long, value_name = "A:B", value_parser = events)]
    events: Option<Range<usize>>,
    #[command(flatten)]
    voxels: VoxelArgs,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Sizes: paper (as published) or small (two CPU cores, minutes)
    #[arg(long, default_value_t = Preset::Paper, value_name = "paper|small")]
    preset: Preset,
    /// Settings that differ from the preset's: a config.toml of a run, or some of its keys
    /// [default: none]
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Iterations (batches) in all [default: from the epochs]
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    steps: Option<u64>,
    /// Epochs in all [default: the model's own number]
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Showers in a batch [default: the model's own number]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Seed of initial values, noise and the order of batches
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Go on from the folder's checkpoint, to the end that was set; with another --steps or --epochs, rates follow the new end
    #[arg(long)]
    resume: bool,
    /// Seconds between checkpoints
    #[arg(long, default_value = "120", value_name = "SECONDS", value_parser = seconds)]
    checkpoint_every: Duration,
    /// Iterations to a row of losses.csv
    #[arg(long, default_value_t = 20, value_name = "N")]
    log_every: u64,
    /// Print each step's plan (ops, kernels, buffers, bytes, operations, peak memory)
    #[arg(long)]
    plan: bool,
    /// Print the time spent in each kernel at the end; slower
    #[arg(long)]
    profile: bool,
    /// Print a summary as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    watch: watch::WatchArgs,
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    let recorded = match args.resume {
        true => Some(read_config(&args.out.join("config.toml"))?),
        false => None,
    };
    let system = system(args)?;
    let (watch, keep_every) = args.watch.find(recorded.as_ref())?;
    if args.log_every == 0 || args.epochs.is_some_and(|e| e.is_nan() || e <= 0.0) {
        return Err(Error::Config(
            "--log-every and --epochs must be above 0".into(),
        ));
    }
    let gpu = global.gpu()?;
    let stop = stop_on_interrupt("stopping at a checkpoint; once more to stop at once")?;
    let options = Options {
        out: args.out.clone(),
        voxels: args.voxels.voxels()?,
        events: args.events.clone(),
        steps: args.steps,
        epochs: args.epochs,
        batch: args.batch,
        seed: args.seed,
        resume: args.resume,
        checkpoint_every: args.checkpoint_every,
        log_every: args.log_every,
        profile: args.profile,
        watch,
        keep_every,
    };
    let title = format!("{} on {}", args.model, gpu.capabilities().name);
    let plots = Plots {
        folder: args.out.clone(),
        title,
    };
    let mut progress: Option<Progress> = None;
    let mut spoke = Instant::now();
    let start = Instant::now();
    let outcome = train(
        &gpu,
        system,
        &args.data,
        &options,
        &stop,
        &mut |event| match event {
            Event::Ready {
                plans,
                iterations: (done, all),
            } => {
                for (name, plan) in plans {
                    if args.plan {
                        say(&format!("step {name}\n{plan}"));
                    } else {
                        say(&format!(
                            "step {name}: {:.0} MB on the device",
                            plan.peak_bytes() as f64 * 1e-6
                        ));
                    }
                }
                progress = Some(Progress::resumed("train", "batches", all, done));
            }
            Event::Row {
                iteration,
                epoch,
                losses,
                showers_per_second,
            } => {
                if let Some(bar) = &progress {
                    bar.advance(args.log_every.min(iteration));
                }
                if spoke.elapsed() > Duration::from_secs(15) {
                    spoke = Instant::now();
                    let values = losses
                        .iter()
                        .filter_map(|(n, v)| v.map(|v| format!("{n} {v:.4}")));
                    let values = values.collect::<Vec<_>>().join(", ");
                    say(&format!(
                        "epoch {epoch:.1}: {values}; {showers_per_second:.0} showers/s"
                    ));
                }
            }
            Event::Watched {
                iteration,
                seen,
                best,
            } => say(&watch::line(iteration, seen, best)),
            Event::Saved { losses, watch } => {
                plots.draw(losses, |csv, title| {
                    Ok(vec![("losses", losses_plot(csv, title)?)])
                });
                if let Some(watch) = watch {
                    plots.draw(watch, watch_plots);
                }
            }
        },
    )?;
    drop(progress);
    let seconds = start.elapsed().as_secs_f64();
    if let Some(profile) = &outcome.profile {
        say(&profile.to_string());
    }
    if args.json {
        print_json(&serde_json::json!({
            "iterations": outcome.iterations,
            "finished": outcome.finished,
            "seconds": seconds,
            "weights": outcome.weights,
        }))?;
    }
    let (done, weights) = (outcome.iterations, outcome.weights.display());
    match (outcome.finished, args.json) {
        (false, _) => Err(Error::Interrupted(format!(
            "after {done} batches; --resume goes on, weights so far: {weights}"
        ))),
        (true, true) => Ok(()),
        (true, false) => print(&format!(
            "{done} batches in {seconds:.0} s; weights: {weights}"
        )),
    }
}

/// The pictures of a run's tables, drawn anew at each checkpoint. Training does not stop for a plot that fails.
struct Plots {
    folder: PathBuf,
    title: String,
}

impl Plots {
    fn draw(&self, table: &Path, plots: impl Fn(&str, &str) -> Result<Vec<(&'static str, Plot)>>) {
        let draw = || -> Result<()> {
            let csv = std::fs::read_to_string(table).map_err(|e| Error::io(table, e))?;
            for (name, plot) in plots(&csv, &self.title)? {
                plot.png(&self.folder.join(format!("{name}.png")))?;
            }
            Ok(())
        };
        if let Err(error) = draw() {
            say(&format!("calogen: {}: not drawn: {error}", table.display()));
        }
    }
}

/// The system with the preset's configuration, the run's own if it is resumed, and the settings of --config.
fn system(args: &Args) -> Result<Box<dyn System>> {
    let own = args.resume.then(|| args.out.join("config.toml"));
    let files: Vec<&Path> = own
        .iter()
        .chain(&args.config)
        .map(PathBuf::as_path)
        .collect();
    configured(&args.model, args.preset, &files)
}
