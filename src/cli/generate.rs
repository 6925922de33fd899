//! `calogen generate`: showers from weights into a file.

mod devices;

use std::path::PathBuf;

use calogen::data::{Labels, Provenance, ShowerInfo, ShowerWriter, Showers};
use calogen::generate::{Generator, LabelRows, stream_hits_several, stream_several};
use calogen::models::Weights;
use calogen::{Error, Result};

use super::Global;
use super::files::StorageArgs;
use super::labels::{Source, Wanted};
use super::output::{
    Progress, UNWRITTEN, not_an_input, not_stopped, peak_host_bytes, print, print_json, say,
    stop_on_interrupt,
};
use super::tier::Tiers;
use super::weights::find;

/// Generate showers into a file
///
/// Event i of seed s is the same whatever the batch, and whether made in one run or in several ranges.
#[derive(clap::Args)]
pub struct Args {
    /// A weights file, a run's folder, or the name of weights that ship with the program (`calogen weights`)
    weights: String,
    /// Number of showers
    #[arg(long, value_name = "N")]
    events: u64,
    /// File to write (HDF5) [required]
    #[arg(long, value_name = "FILE", required_unless_present = "discard")]
    out: Option<PathBuf>,
    #[command(flatten)]
    wanted: Wanted,
    /// Leave out an optional part of the model, such as the `post` processor or the `prior` of a BIB-AE; several times for
    /// several [default: none]
    #[arg(long, value_name = "PART")]
    without: Vec<String>,
    /// Showers computed at once
    #[arg(long, default_value_t = calogen::generate::BATCH, value_name = "N")]
    batch: usize,
    #[command(flatten)]
    tiers: Tiers,
    /// Empty cells below this, in the unit of the file [default: the threshold that the weights record]
    #[arg(long, value_name = "E")]
    threshold: Option<f32>,
    #[command(flatten)]
    storage: StorageArgs,
    /// Bring energies to the host as float16, half the bytes: each is rounded to 11 bits, then compared with the threshold
    #[arg(long)]
    half: bool,
    /// Write nothing: what the rate to a file is compared with
    #[arg(long, hide = true, conflicts_with = "out")]
    discard: bool,
    /// Number of the first event
    #[arg(long, default_value_t = 0, value_name = "K")]
    first_event: u64,
    /// Compute on several adapters at once, one file in the order of events: `all` GPUs (software adapters only where there
    /// is none), or indices or names with commas between, as for --device. Equal adapters make equal bits, others agree to
    /// rounding; the file names them [default: the one of --device]
    #[arg(long, value_name = "all|LIST")]
    devices: Option<String>,
    /// Print the plan (ops, kernels, buffers, bytes, operations, peak memory)
    #[arg(long)]
    plan: bool,
    /// Print the time spent in each kernel, of one batch
    #[arg(long)]
    profile: bool,
    /// Print a summary as one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    let wrong = |what: String| Err(Error::Config(what));
    if args.events == 0 || args.batch == 0 {
        return wrong("--events and --batch must be at least 1".into());
    }
    let Some(end) = args.first_event.checked_add(args.events) else {
        return wrong("--first-event and --events reach beyond the last event, 2^64 - 1".into());
    };
    if args.threshold.is_some_and(|t| !t.is_finite() || t < 0.0) {
        return wrong("--threshold must be a number not below 0".into());
    }
    args.tiers.check()?;
    let gpus = devices::open(args.devices.as_deref(), global)?;
    let path = find(&args.weights)?;
    if let Some(out) = &args.out {
        let read = [Some(path.as_path()), args.wanted.conditions.as_deref()];
        not_an_input(out, &read.into_iter().flatten().collect::<Vec<_>>())?;
    }
    let mut weights = Weights::read(&path)?;
    for part in &args.without {
        weights = weights.without(part)?;
    }
    let mut generators = Vec::with_capacity(gpus.len());
    for gpu in &gpus {
        generators.push(Generator::new(gpu, weights.clone(), &path)?);
    }
    let tier = args.tiers.apply(&mut generators, args.batch)?;
    let generator = &mut generators[0];
    let about = generator.metadata().clone();
    let threshold = args.threshold.unwrap_or(about.threshold);
    let mut source = Source::new(&args.wanted, generator, end)?;
    if args.plan {
        say(&generator.plan(args.batch)?.to_string());
    }

    let names = generator.label_names();
    let position = names
        .iter()
        .position(|n| n == "position_x")
        .zip(names.iter().position(|n| n == "position_y"));
    let extra: Vec<usize> = (0..names.len())
        .filter(|&i| names[i] != "energy" && position.is_none_or(|(x, y)| i != x && i != y))
        .collect();
    let extra_names: Vec<String> = extra.iter().map(|&i| names[i].clone()).collect();
    let mut info = ShowerInfo::new(generator.shape());
    info.unit.clone_from(&about.unit);
    info.threshold = Some(threshold);
    info.detector = Some(about.detector.clone()).filter(|d| !d.is_empty());
    info.cell_size_mm = Some(about.cell_size_mm.clone()).filter(|c| !c.is_empty());
    info.condition_names.clone_from(&extra_names);
    let labels = Labels {
        position: position.is_some(),
        conditions: extra_names.clone(),
    };
    let shape = generator.shape();
    let storage = args.storage.storage();
    let left_out: String = args
        .without
        .iter()
        .map(|p| format!(" without {p}"))
        .collect();
    let (version, rounded) = (
        env!("CARGO_PKG_VERSION"),
        if args.half { ", float16" } else { "" },
    );
    let from = Provenance {
        generated_by: format!("calogen {version} {}{rounded}", about.model),
        weights: format!("{}{left_out}", generator.hash()),
        labels: source.to_string(),
        seed: args.wanted.seed,
        first_event: args.first_event,
        devices: devices::described(&gpus, tier),
    };
    let mut writer = match &args.out {
        Some(out) => {
            let mut writer = ShowerWriter::create_as(out, &info, labels, storage)?;
            from.write(&mut writer)?;
            Some(writer)
        }
        None => None,
    };

    let start = std::time::Instant::now();
    let progress = Progress::new("generate", "showers", args.events);
    for generator in &mut generators {
        generator.set_batch(args.batch);
        generator.set_threshold(threshold);
        generator.set_half(args.half);
    }
    let labelled = |rows: &LabelRows, layers: Vec<f32>| {
        let each = || (0..rows.events()).map(|i| rows.row(i));
        let conditions = each().flat_map(|row| extra.iter().map(move |&c| row[c]));
        Showers {
            shape,
            layers,
            energy: each().map(|row| row[0]).collect(),
            position: position.map(|(x, y)| each().map(|row| [row[x], row[y]]).collect()),
            conditions: (!extra.is_empty()).then(|| conditions.collect()),
            condition_names: extra_names.clone(),
        }
    };
    let (seed, events) = (args.wanted.seed, args.first_event..end);
    let labels = |generator: &Generator, first, count| source.rows(generator, first, count);
    let stop = stop_on_interrupt(UNWRITTEN)?;
    let mut done = 0;
    let mut advance = |more: usize| {
        not_stopped(&stop, done, args.events)?;
        done += more as u64;
        progress.advance(more as u64);
        Ok(())
    };
    // The next showers are computed on other threads while these are written.
    let made = match storage.sparse {
        true => stream_hits_several(&mut generators, seed, events, labels, |part| {
            advance(part.labels.events())?;
            let labels = labelled(&part.labels, Vec::new());
            match &mut writer {
                Some(writer) => writer.append_hits(&labels, &part.showers),
                None => Ok(()),
            }
        }),
        false => stream_several(&mut generators, seed, events, labels, |part| {
            advance(part.labels.events())?;
            match &mut writer {
                Some(writer) => writer.append(&labelled(&part.labels, part.showers)),
                None => Ok(()),
            }
        }),
    }?;
    if let Some(writer) = writer {
        writer.finish()?;
    }
    for batch in generators.iter().filter_map(Generator::smaller_batch) {
        say(&format!(
            "calogen: warning: no room on the device for {} showers at once: {batch} were computed at once",
            args.batch
        ));
    }
    drop(progress);
    let seconds = start.elapsed().as_secs_f64();
    if args.profile {
        say(&generators[0].profile(args.batch)?.to_string());
    }
    let rate = args.events as f64 / seconds;
    let names = gpus.iter().map(|gpu| &gpu.capabilities().name);
    if args.json {
        let each = |(name, events)| serde_json::json!({"name": name, "events": events});
        let devices: Vec<_> = names.zip(&made).map(each).collect();
        return print_json(&serde_json::json!({
            "file": args.out, "events": args.events, "seed": args.wanted.seed, "first_event": args.first_event,
            "weights_sha256": from.weights, "seconds": seconds, "showers_per_second": rate,
            "peak_memory_bytes": peak_host_bytes(), "device": gpus[0].capabilities().name, "devices": devices,
            "tier": tier.name(),
        }));
    }
    if gpus.len() > 1 {
        for (name, events) in names.zip(&made) {
            say(&format!("calogen: {events} showers by {name}"));
        }
    }
    print(&format!(
        "{} showers in {seconds:.1} s ({rate:.0}/s): {}",
        args.events,
        args.out
            .as_deref()
            .map_or("nowhere".into(), |out| out.display().to_string())
    ))
}
