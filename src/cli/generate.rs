//! `calogen generate`: showers from weights into a file.

use std::path::PathBuf;

use calogen::data::{Labels, Provenance, ShowerInfo, ShowerWriter, Showers};
use calogen::generate::Generator;
use calogen::models::Weights;
use calogen::{Error, Result};

use super::Global;
use super::labels::{Source, Wanted};
use super::output::{Progress, print, print_json, say};
use super::weights::find;

/// Events whose labels are held at once: a long run needs no more memory than a short one.
const STRETCH: u64 = 1 << 14;

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
    #[command(flatten)]
    wanted: Wanted,
    /// Leave out an optional part of the model, such as the `post` processor or the `prior` of a BIB-AE; several times for
    /// several [default: none]
    #[arg(long, value_name = "PART")]
    without: Vec<String>,
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
    let gpu = global.gpu()?;
    let path = find(&args.weights)?;
    let mut weights = Weights::read(&path)?;
    for part in &args.without {
        weights = weights.without(part)?;
    }
    let mut generator = Generator::new(&gpu, weights, &path)?;
    let about = generator.metadata().clone();
    let mut source = Source::new(&args.wanted, &generator, end)?;
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
    let left_out: String = args
        .without
        .iter()
        .map(|p| format!(" without {p}"))
        .collect();
    let from = Provenance {
        generated_by: format!("calogen {} {}", env!("CARGO_PKG_VERSION"), about.model),
        weights: format!("{}{left_out}", generator.hash()),
        labels: source.to_string(),
        seed: args.wanted.seed,
        first_event: args.first_event,
    };
    from.write(&mut writer)?;

    let start = std::time::Instant::now();
    let progress = Progress::new("generate", "showers", args.events);
    let mut first = args.first_event;
    while first < end {
        let count = STRETCH.min(end - first) as usize;
        let rows = source.rows(&generator, first, count)?;
        let shape = generator.shape();
        generator.stream(&rows, args.wanted.seed, first, |block| {
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
            "file": args.out, "events": args.events, "seed": args.wanted.seed, "first_event": args.first_event,
            "weights_sha256": from.weights, "seconds": seconds, "showers_per_second": rate, "device": gpu.capabilities().name,
        }));
    }
    print(&format!(
        "{} showers in {seconds:.1} s ({rate:.0}/s): {}",
        args.events,
        args.out.display()
    ))
}
