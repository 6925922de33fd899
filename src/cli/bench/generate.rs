//! `calogen bench generate`: showers per second by batch size, and how near the device's ceilings that is.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use calogen::generate::{Generator, LabelRows};
use calogen::gpu::Tier;
use calogen::models::Preset;
use calogen::report::{Axis, Figure, Plot, Role, Series};
use calogen::tape::StepTime;
use calogen::{Error, Result};
use serde::Serialize;

use super::ceilings::Ceilings;
use super::cold;
use super::timing::Timing;
use crate::Global;
use crate::output::{peak_host_bytes, print, print_json, say};
use crate::seconds::seconds;
use crate::tier::Tiers;

/// Time a generator at several batch sizes
///
/// Labels in, energies in host memory out. The rate is of a stream of batches; the latency is of one batch alone. The floor
/// is the time that the network's operations, its operands or the way to the host take at the device's ceilings, whichever
/// is longest and is named as the limit.
#[derive(clap::Args)]
pub struct Args {
    /// A weights file, the name of weights that ship with the program, or the name of a model, which then is untrained
    what: String,
    /// Sizes of an untrained model: paper (as published) or small
    #[arg(long, default_value_t = Preset::Paper, value_name = "paper|small")]
    preset: Preset,
    /// Showers in a batch
    #[arg(
        long,
        default_value = "1,8,64,256",
        value_name = "N",
        value_delimiter = ','
    )]
    batch: Vec<usize>,
    #[command(flatten)]
    tiers: Tiers,
    /// Seconds for each batch size, about
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    seconds: Duration,
    /// Leave out the ceilings, and with them the floor
    #[arg(long)]
    no_ceilings: bool,
    /// Leave out the cold start: two processes that make one shower each
    #[arg(long)]
    no_cold_start: bool,
    /// Print the time spent in each kernel, of one batch of the last size (of as many showers as are computed at once)
    #[arg(long)]
    kernels: bool,
    /// Print the time of each dispatch of that batch in order, with what it reads and writes
    #[arg(long)]
    steps: bool,
    /// Plot showers per second by batch size into this file (PNG) [default: none]
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Make one shower and end: what the cold start measures
    #[arg(long, hide = true)]
    one_shower: bool,
}

const REPEATS: usize = 20;
const LEAST: usize = 3;
/// Batches of a stream.
const STREAM: usize = 4;

#[derive(Serialize)]
struct Row {
    batch: usize,
    /// Of these: a share of a batch that does not fit the device, or a processor's caches.
    at_once: usize,
    showers_per_second: f64,
    seconds_per_shower: Timing,
    latency_seconds: Timing,
    gflop_per_shower: f64,
    gbytes_per_shower: f64,
    gflop_per_second: f64,
    gb_per_second: f64,
    floor: Option<Floor>,
    peak_bytes: u64,
}

/// The least time that the device can need, and what sets it.
#[derive(Clone, Copy, Serialize)]
struct Floor {
    seconds_per_shower: f64,
    /// Share of the measured time.
    share: f64,
    limit: &'static str,
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    if args.batch.contains(&0) {
        return Err(Error::Config("--batch must be above 0".into()));
    }
    args.tiers.check()?;
    let gpu = global.gpu()?;
    let (mut generator, untrained) = crate::weights::open(&gpu, &args.what, args.preset, &[])?;
    let largest = args.batch.iter().copied().max().unwrap_or(1);
    let tier = (args.tiers).apply(std::slice::from_mut(&mut generator), largest)?;
    if args.one_shower {
        return generator.generate(&middle(&generator, 1), 1, 0).map(drop);
    }
    let budget = args.seconds;
    let ceilings = match args.no_ceilings {
        true => None,
        false => Some(Ceilings::measure(&gpu, budget.min(Duration::from_secs(1)))?),
    };
    let about = gpu.capabilities();
    if !args.json {
        print(&format!("{}, {}, tier {}", about.name, about.driver, tier))?;
        if let Some(ceilings) = &ceilings {
            print(&ceilings.to_string())?;
        }
        print(&header())?;
    }
    let mut rows = Vec::new();
    for &batch in &args.batch {
        let row = time(&mut generator, batch, budget, ceilings.as_ref())?;
        if !args.json {
            print(&row.line())?;
        }
        rows.push(row);
    }
    let kernels = match (args.kernels, args.batch.last()) {
        (true, Some(&batch)) => Some(generator.profile(batch)?),
        _ => None,
    };
    let steps = match (args.steps, args.batch.last()) {
        (true, Some(&batch)) => Some(steps(&mut generator, batch)?),
        _ => None,
    };
    let cold = match args.no_cold_start {
        true => None,
        false => cold_start(args, tier, global),
    };
    if let Some(path) = &args.plot {
        plot(&rows, &args.what, &about.name).png(path)?;
    }
    let host = peak_host_bytes();
    if args.json {
        let kernels = kernels.map(|k| k.kernels.iter().map(kernel_json).collect::<Vec<_>>());
        let steps = steps.map(|s| s.iter().map(step_json).collect::<Vec<_>>());
        return print_json(&serde_json::json!({
            "adapter": about.name, "driver": about.driver, "what": args.what,
            "preset": untrained.then_some(args.preset.name()), "tier": tier.name(),
            "ceilings": ceilings, "batches": rows,
            "kernels": kernels, "steps": steps, "cold_start_seconds": cold, "host_peak_bytes": host,
        }));
    }
    if let Some(kernels) = kernels {
        print(&format!("\n{kernels}"))?;
    }
    if let Some(steps) = steps {
        print("")?;
        for s in &steps {
            print(&s.to_string())?;
        }
    }
    if let Some(c) = cold {
        print(&format!(
            "from the start of a process to its end after one shower: {:.2} s with empty caches, {:.2} s with warm ones",
            c.without_cache, c.with_cache
        ))?;
    }
    match host {
        Some(bytes) => print(&format!("most host memory: {:.0} MB", bytes as f64 * 1e-6)),
        None => Ok(()),
    }
}

/// Labels in the middle of every range: speed does not depend on them.
fn middle(generator: &Generator, events: usize) -> LabelRows {
    let conditions = &generator.metadata().conditions;
    let row = conditions.iter().map(|c| (c.min + c.max) / 2.0);
    LabelRows {
        values: std::iter::repeat_n(row, events).flatten().collect(),
        columns: conditions.len(),
    }
}

fn time(
    generator: &mut Generator,
    batch: usize,
    budget: Duration,
    ceilings: Option<&Ceilings>,
) -> Result<Row> {
    generator.set_batch(batch);
    let plan = generator.plan(batch)?;
    let (many, one) = (middle(generator, batch * STREAM), middle(generator, batch));
    for _ in 0..3 {
        generator.generate(&one, 1, 0)?;
    }
    let (start, mut rates, mut alone) = (Instant::now(), Vec::new(), Vec::new());
    while alone.len() < REPEATS && (alone.len() < LEAST || start.elapsed() < budget) {
        let now = Instant::now();
        generator.generate(&one, 1, 0)?;
        alone.push(now.elapsed().as_secs_f64());
        let now = Instant::now();
        // Every batch but the last overlaps with the one before.
        generator.generate(&many, 1, 0)?;
        rates.push(now.elapsed().as_secs_f64() / (batch * STREAM) as f64);
    }
    let shower = Timing::of(rates);
    let at_once = generator.at_once(batch)?;
    let (gflop, gbytes) = (
        plan.flops() / at_once as f64 * 1e-9,
        plan.bytes() / at_once as f64 * 1e-9,
    );
    let wire = 4e-9 * generator.shape().iter().product::<usize>() as f64;
    let floor = ceilings.map(|c| {
        let times = [
            (gflop / c.of_tier(generator.tier()), "compute"),
            (gbytes / c.copy(), "memory"),
            (wire / c.readback_gb_per_second, "readback"),
        ];
        let longest = times.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
        let (seconds_per_shower, limit) = longest.unwrap_or((0.0, "-"));
        Floor {
            seconds_per_shower,
            share: seconds_per_shower / shower.median,
            limit,
        }
    });
    Ok(Row {
        batch,
        at_once,
        showers_per_second: 1.0 / shower.median,
        seconds_per_shower: shower,
        latency_seconds: Timing::of(alone),
        gflop_per_shower: gflop,
        gbytes_per_shower: gbytes,
        gflop_per_second: gflop / shower.median,
        gb_per_second: gbytes / shower.median,
        floor,
        peak_bytes: plan.peak_bytes(),
    })
}

fn header() -> String {
    format!(
        "{:>6}{:>9}{:>12}{:>26}{:>30}{:>9}{:>8}{:>11}{:>10}  {:<9}{:>9}",
        "batch",
        "at once",
        "showers/s",
        "ms a shower (min..max)",
        "ms a batch (min..max)",
        "GFLOP/s",
        "GB/s",
        "floor, ms",
        "of floor",
        "limit",
        "MB"
    )
}

impl Row {
    fn line(&self) -> String {
        let ms = |t: &Timing| {
            let [median, min, max] = [t.median, t.min, t.max].map(|s| s * 1e3);
            format!("{median:.3} ({min:.3}..{max:.3})")
        };
        let floor = self.floor.map_or(("-".into(), "-".into(), "-"), |f| {
            let ms = format!("{:.4}", f.seconds_per_shower * 1e3);
            (ms, format!("{:.1}%", f.share * 100.0), f.limit)
        });
        format!(
            "{:>6}{:>9}{:>12.1}{:>26}{:>30}{:>9.2}{:>8.2}{:>11}{:>10}  {:<9}{:>9.1}",
            self.batch,
            self.at_once,
            self.showers_per_second,
            ms(&self.seconds_per_shower),
            ms(&self.latency_seconds),
            self.gflop_per_second,
            self.gb_per_second,
            floor.0,
            floor.1,
            floor.2,
            self.peak_bytes as f64 * 1e-6
        )
    }
}

fn kernel_json(k: &calogen::gpu::KernelTime) -> serde_json::Value {
    serde_json::json!({
        "kernel": k.name, "calls": k.calls, "seconds": k.seconds, "gflop": k.flops * 1e-9, "gbytes": k.bytes * 1e-9,
    })
}

/// What ran once is left out; each dispatch's time is the least of three runs.
fn steps(generator: &mut Generator, batch: usize) -> Result<Vec<StepTime>> {
    let mut steps = generator.step_times(batch)?;
    for _ in 0..2 {
        for (best, again) in steps.iter_mut().zip(generator.step_times(batch)?) {
            best.seconds = best.seconds.min(again.seconds);
        }
    }
    Ok(steps)
}

pub fn step_json(s: &StepTime) -> serde_json::Value {
    serde_json::json!({
        "op": s.step.op, "kernel": s.step.kernel, "shape": s.step.shape, "seconds": s.seconds,
        "gflop": s.step.flops * 1e-9, "gbytes": s.step.bytes * 1e-9,
    })
}

/// Times two processes that make one shower each; `None`, with a word, where this program cannot start itself.
fn cold_start(args: &Args, tier: Tier, global: &Global) -> Option<cold::ColdStart> {
    let mut arguments: Vec<String> = [
        "bench",
        "generate",
        &args.what,
        "--preset",
        args.preset.name(),
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.extend(["--one-shower", "--tier", tier.name()].map(str::to_owned));
    if let Some(device) = &global.device {
        arguments.extend(["--device".into(), device.clone()]);
    }
    cold::measure(&arguments)
        .inspect_err(|e| say(&format!("cold start not measured: {e}")))
        .ok()
}

fn plot(rows: &[Row], what: &str, adapter: &str) -> Plot {
    let x: Vec<f64> = rows.iter().map(|r| r.batch as f64).collect();
    let rate = rows.iter().map(|r| r.showers_per_second).collect();
    let mut figure = Figure::new(
        format!("{what} on {adapter}"),
        Axis::log("Batch [showers]"),
        Axis::log("Rate [showers/s]"),
    )
    .with(Series::line(
        "measured",
        Role::Generated(0),
        x.clone(),
        rate,
    ));
    let floors: Option<Vec<f64>> = rows
        .iter()
        .map(|r| Some(1.0 / r.floor?.seconds_per_shower))
        .collect();
    if let Some(floors) = floors {
        figure = figure.with(Series::line("at the ceiling", Role::Reference, x, floors));
    }
    figure.into()
}
