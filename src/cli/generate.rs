//! `calogen generate`: showers from weights into a file.

use std::path::PathBuf;

use calogen::data::{Labels, ShowerFile, ShowerInfo, ShowerWriter, Showers};
use calogen::generate::{Generator, LabelRows};
use calogen::gpu::Gpu;
use calogen::ops::random;
use calogen::{Error, Result};

use super::Global;
use super::output::{Progress, print, print_json, say};
use super::weights::find;

/// Events whose labels are held at once: a long run needs no more memory than a short one.
const STRETCH: u64 = 1 << 14;
/// Stream of the energies of --energy-range.
const ENERGY_STREAM: u32 = 0x4100_0000;

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
    /// File to write (HDF5)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Incident energies, GeV; several are taken in turn
    #[arg(long, value_name = "GEV", num_args = 1.., value_delimiter = ',', conflicts_with_all = ["energy_range", "conditions"])]
    energy: Vec<f32>,
    /// Incident energies uniform from A to B, GeV [default: the range of the training data]
    #[arg(long, value_name = "A:B", conflicts_with = "conditions")]
    energy_range: Option<String>,
    /// Take energies, positions and conditions from a shower file, in order
    #[arg(long, value_name = "FILE")]
    conditions: Option<PathBuf>,
    /// Seed
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Showers computed at once
    #[arg(long, default_value_t = calogen::generate::BATCH, value_name = "N")]
    batch: usize,
    /// Empty cells below this, in the unit of the file [default: the threshold that the weights record]
    #[arg(long, value_name = "E")]
    threshold: Option<f32>,
    /// Number of the first event
    #[arg(long, default_value_t = 0, value_name = "K")]
    first_event: u64,
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

/// Where the labels of an event come from.
enum Source {
    Listed(Vec<f32>),
    Range(f32, f32),
    File(Box<ShowerFile>),
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
    let gpu = Gpu::open(global.device.as_deref())?;
    let mut generator = Generator::load(&gpu, find(&args.weights)?)?;
    let about = generator.metadata().clone();
    let source = source(args, &generator, end)?;
    generator.set_batch(args.batch);
    generator.set_threshold(args.threshold.unwrap_or(about.threshold));
    if args.plan {
        say(&generator.plan(args.batch)?.to_string());
    }

    let threshold = args.threshold.unwrap_or(about.threshold);
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
    let mut writer = ShowerWriter::create(&args.out, &info, labels)?;
    writer.attribute(
        "generated_by",
        &format!("calogen {} {}", env!("CARGO_PKG_VERSION"), about.model),
    )?;
    writer.attribute("seed", &args.seed.to_string())?;
    writer.attribute("first_event", &args.first_event.to_string())?;

    let start = std::time::Instant::now();
    let progress = Progress::new("generate", "showers", args.events);
    let mut first = args.first_event;
    while first < end {
        let count = STRETCH.min(end - first) as usize;
        let rows = rows(&source, &generator, args, first, count)?;
        let shape = generator.shape();
        generator.stream(&rows, args.seed, first, |block| {
            let own = |i: usize| rows.row(block.first + i);
            let each = 0..block.events;
            let conditions = each
                .clone()
                .flat_map(|i| extra.iter().map(move |&c| own(i)[c]));
            let showers = Showers {
                shape,
                layers: block.showers.to_vec(),
                energy: each.clone().map(|i| own(i)[0]).collect(),
                position: position
                    .map(|(x, y)| each.clone().map(|i| [own(i)[x], own(i)[y]]).collect()),
                conditions: (!extra.is_empty()).then(|| conditions.collect()),
                condition_names: extra_names.clone(),
            };
            progress.advance(block.events as u64);
            writer.append(&showers)
        })?;
        first += count as u64;
    }
    writer.finish()?;
    drop(progress);
    let seconds = start.elapsed().as_secs_f64();
    if args.profile {
        say(&generator.profile(args.batch)?.to_string());
    }
    let rate = args.events as f64 / seconds;
    if args.json {
        return print_json(&serde_json::json!({
            "file": args.out, "events": args.events, "seed": args.seed, "first_event": args.first_event,
            "seconds": seconds, "showers_per_second": rate, "device": gpu.capabilities().name,
        }));
    }
    print(&format!(
        "{} showers in {seconds:.1} s ({rate:.0}/s): {}",
        args.events,
        args.out.display()
    ))
}

fn source(args: &Args, generator: &Generator, end: u64) -> Result<Source> {
    let trained = &generator.metadata().conditions[0];
    let warn = |low: f32, high: f32| {
        if low < trained.min || high > trained.max {
            let range = format!("{} to {} GeV", trained.min, trained.max);
            say(&format!(
                "calogen: warning: energies outside the training range, {range}"
            ));
        }
    };
    if let Some(path) = &args.conditions {
        let file = ShowerFile::open(path)?;
        if (file.len() as u64) < end {
            let what = format!(
                "it has {} events, but events up to {} were asked for",
                file.len(),
                end - 1
            );
            return Err(Error::format(path, what));
        }
        return Ok(Source::File(Box::new(file)));
    }
    if !args.energy.is_empty() {
        let (low, high) = args
            .energy
            .iter()
            .fold((f32::INFINITY, 0.0f32), |(l, h), &e| (l.min(e), h.max(e)));
        warn(low, high);
        return Ok(Source::Listed(args.energy.clone()));
    }
    let (low, high) = match &args.energy_range {
        None => (trained.min, trained.max),
        Some(text) => text
            .split_once(':')
            .and_then(|(a, b)| Some((a.parse::<f32>().ok()?, b.parse::<f32>().ok()?)))
            .filter(|(a, b)| *a > 0.0 && b >= a && b.is_finite())
            .ok_or_else(|| {
                Error::Config(format!(
                    "--energy-range '{text}': expected A:B with 0 < A <= B"
                ))
            })?,
    };
    warn(low, high);
    Ok(Source::Range(low, high))
}

/// Labels of events `first`, .. by (seed, event), or in the order of the file.
fn rows(
    source: &Source,
    generator: &Generator,
    args: &Args,
    first: u64,
    count: usize,
) -> Result<LabelRows> {
    let energies: Vec<f32> = match source {
        Source::Listed(list) => (0..count as u64)
            .map(|i| list[((first + i) % list.len() as u64) as usize])
            .collect(),
        Source::Range(a, b) => (0..count as u64)
            .map(|i| a + (b - a) * random::uniform(args.seed, ENERGY_STREAM, first + i, 0))
            .collect(),
        Source::File(file) => {
            let names = generator.label_names();
            let showers = file.read(first as usize..first as usize + count)?;
            let values = showers.labels(&names)?;
            return Ok(LabelRows {
                values,
                columns: names.len(),
            });
        }
    };
    generator.labels(&energies, args.seed, first)
}
