//! `calogen bench generate`: showers per second by batch size.

use std::path::Path;
use std::time::{Duration, Instant};

use calogen::generate::{Generator, LabelRows};
use calogen::gpu::Gpu;
use calogen::models::{self, Preset};
use calogen::{Error, Result};

use super::timing::Timing;
use crate::Global;
use crate::output::{print, print_json};

/// Time a generator at several batch sizes
///
/// Labels in, energies in host memory out. The rate is of a stream of batches; the latency is of one batch alone.
#[derive(clap::Args)]
pub struct Args {
    /// A weights file, the name of weights that ship with the program, or the name of a model, which then is untrained
    what: String,
    /// Sizes of an untrained model: paper (as published) or small
    #[arg(long, default_value = "paper", value_name = "paper|small")]
    preset: String,
    /// Showers in a batch
    #[arg(
        long,
        default_value = "1,8,64,256",
        value_name = "N",
        value_delimiter = ','
    )]
    batch: Vec<usize>,
    /// Seconds for each batch size, about
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const REPEATS: usize = 20;
const LEAST: usize = 3;
/// Batches of a stream.
const STREAM: usize = 4;

pub fn run(args: &Args, global: &Global) -> Result<()> {
    let preset: Preset = args.preset.parse()?;
    if args.seconds.is_nan() || args.seconds <= 0.0 || args.batch.contains(&0) {
        return Err(Error::Config(
            "--seconds and --batch must be above 0".into(),
        ));
    }
    let gpu = Gpu::open(global.device.as_deref())?;
    let named = models::ENTRIES.iter().any(|e| e.name == args.what);
    let untrained = named && !Path::new(&args.what).exists();
    let mut generator = if untrained {
        Generator::untrained(&gpu, models::preset(&args.what, preset)?)?
    } else {
        Generator::load(&gpu, crate::weights::find(&args.what)?)?
    };
    let about = gpu.capabilities();
    if !args.json {
        print(&format!("{}, {}", about.name, about.driver))?;
        print(&format!(
            "{:>6}{:>12}{:>14}{:>30}{:>10}{:>10}",
            "batch", "showers/s", "ms a shower", "latency of a batch, ms", "GFLOP/s", "MB"
        ))?;
    }
    let mut rows = Vec::new();
    for &batch in &args.batch {
        generator.set_batch(batch);
        let plan = generator.plan(batch)?;
        // The middle of every label's range: speed does not depend on it.
        let (about, columns) = (generator.metadata(), generator.label_names().len());
        let row = about.conditions.iter().map(|c| (c.min + c.max) / 2.0);
        let labels = |events: usize| LabelRows {
            values: std::iter::repeat_n(row.clone(), events).flatten().collect(),
            columns,
        };
        let (many, one) = (labels(batch * STREAM), labels(batch));
        for _ in 0..3 {
            generator.generate(&one, 1, 0)?;
        }
        let (start, mut rates, mut alone) = (Instant::now(), Vec::new(), Vec::new());
        let budget = Duration::from_secs_f64(args.seconds);
        while alone.len() < REPEATS && (alone.len() < LEAST || start.elapsed() < budget) {
            let now = Instant::now();
            generator.generate(&one, 1, 0)?;
            alone.push(now.elapsed().as_secs_f64());
            let now = Instant::now();
            // Every batch but the last overlaps with the one before.
            generator.generate(&many, 1, 0)?;
            rates.push(now.elapsed().as_secs_f64() / (batch * STREAM) as f64);
        }
        let (shower, latency) = (Timing::of(rates), Timing::of(alone));
        // A batch is filled up to whole tiles; only what was asked for counts as done.
        let padded = batch.next_multiple_of(8) as f64;
        let gflop = plan.flops() / padded * 1e-9;
        if !args.json {
            let spread = format!(
                "{:.2} ({:.2}..{:.2})",
                latency.median * 1e3,
                latency.min * 1e3,
                latency.max * 1e3
            );
            print(&format!(
                "{batch:>6}{:>12.1}{:>14.3}{spread:>30}{:>10.2}{:>10.1}",
                1.0 / shower.median,
                shower.median * 1e3,
                gflop / shower.median,
                plan.peak_bytes() as f64 * 1e-6
            ))?;
        }
        rows.push(serde_json::json!({
            "batch": batch, "showers_per_second": 1.0 / shower.median, "seconds_per_shower": shower,
            "latency_seconds": latency, "gflop_per_shower": gflop, "gflop_per_second": gflop / shower.median,
            "peak_bytes": plan.peak_bytes(),
        }));
    }
    if args.json {
        return print_json(&serde_json::json!({
            "adapter": about.name, "driver": about.driver, "what": args.what,
            "preset": untrained.then_some(&args.preset), "batches": rows,
        }));
    }
    Ok(())
}
