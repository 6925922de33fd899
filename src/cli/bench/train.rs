//! `calogen bench train`: steps and showers per second of a model's training.

use std::time::{Duration, Instant};

use calogen::data::Showers;
use calogen::models::{self, Preset, Progress, System};
use calogen::train::Session;
use calogen::{Error, Result};

use super::generate::step_json;
use super::timing::{Timing, numbers};
use crate::Global;
use crate::output::{print, print_json};
use crate::seconds::seconds;

/// Time the training steps of a model on random showers
#[derive(clap::Args)]
pub struct Args {
    /// Name of the model: see `calogen models`
    model: String,
    /// Sizes: paper (as published) or small
    #[arg(long, default_value_t = Preset::Paper, value_name = "paper|small")]
    preset: Preset,
    /// Showers in a batch [default: the model's own number]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    batch: Vec<usize>,
    /// Seconds for each batch size, about
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    seconds: Duration,
    /// Print the time of each dispatch of each kind of step in order, with what it reads and writes [default: off]
    #[arg(long)]
    steps: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Iterations of a sample: whole cycles of the common schedules, five critic steps to one of the generator.
const CYCLE: u64 = 6;
const REPEATS: usize = 20;
const LEAST: usize = 3;

pub fn run(args: &Args, global: &Global) -> Result<()> {
    if args.batch.contains(&0) {
        return Err(Error::Config("--batch must be above 0".into()));
    }
    let own = models::preset(&args.model, args.preset)?.batch();
    let batches = if args.batch.is_empty() {
        vec![own]
    } else {
        args.batch.clone()
    };
    let gpu = global.gpu()?;
    let about = gpu.capabilities();
    if !args.json {
        print(&format!("{}, {}", about.name, about.driver))?;
    }
    let mut rows = Vec::new();
    for &batch in &batches {
        let system = models::preset(&args.model, args.preset)?;
        let showers = random_showers(system.as_ref(), batch);
        let mut session = Session::new(&gpu, system, batch, 1)?;
        let mut flops = 0.0;
        let plans = session.system().steps().len();
        for step in 0..plans {
            session.plan(step)?;
        }
        let mut iteration = 0;
        let mut turns = 0u64;
        let mut cycle = |session: &mut Session, flops: &mut f64| -> Result<f64> {
            let start = Instant::now();
            for _ in 0..CYCLE {
                let at = Progress {
                    iteration,
                    share: 0.0,
                };
                for turn in session.system().schedule(at) {
                    *flops += session.plan(turn.step)?.flops();
                    session.take(turn, &showers)?;
                    turns += 1;
                }
                iteration += 1;
            }
            while session.arrived()?.is_some() {}
            Ok(start.elapsed().as_secs_f64() / CYCLE as f64)
        };
        cycle(&mut session, &mut flops)?;
        let (start, mut samples) = (Instant::now(), Vec::new());
        let budget = args.seconds;
        flops = 0.0;
        while samples.len() < REPEATS && (samples.len() < LEAST || start.elapsed() < budget) {
            samples.push(cycle(&mut session, &mut flops)?);
        }
        let flops = flops / (samples.len() as u64 * CYCLE) as f64;
        let t = Timing::of(samples);
        let profile = if about.timestamps {
            session.enable_profile();
            cycle(&mut session, &mut 0.0)?;
            session.profile().cloned()
        } else {
            None
        };
        let mut timed = Vec::new();
        let listed = if args.steps { plans } else { 0 };
        for step in 0..listed {
            timed.push(session.step_times(step)?);
        }
        let steps: Vec<Vec<_>> = (timed.iter())
            .map(|step| step.iter().map(step_json).collect())
            .collect();
        let kernels: Vec<_> = profile
            .iter()
            .flat_map(|p| &p.kernels)
            .map(|k| {
                serde_json::json!({ "kernel": k.name, "calls": k.calls, "seconds": k.seconds,
                    "gflop": k.flops * 1e-9, "gbytes": k.bytes * 1e-9 })
            })
            .collect();
        if !args.json {
            print(&format!(
                "{} {} batch {batch}: {:.2} iterations/s, {:.0} showers/s, {:.2} ms an iteration ({:.2}..{:.2}, {} samples of {CYCLE}), {:.1} GFLOP/s",
                args.model,
                args.preset,
                1.0 / t.median,
                batch as f64 / t.median,
                t.median * 1e3,
                t.min * 1e3,
                t.max * 1e3,
                t.repeats,
                flops / t.median * 1e-9
            ))?;
            if let Some(profile) = &profile {
                print(&format!("time by kernel of {CYCLE} iterations\n{profile}"))?;
            }
            for (step, kind) in timed.iter().zip(session.system().steps()) {
                print(&format!("\nstep {}", kind.name))?;
                for dispatch in step {
                    print(&dispatch.to_string())?;
                }
            }
        }
        rows.push(serde_json::json!({
            "batch": batch, "seconds_per_iteration": t, "iterations_per_second": 1.0 / t.median,
            "showers_per_second": batch as f64 / t.median, "gflop_per_iteration": flops * 1e-9,
            "gflop_per_second": flops / t.median * 1e-9, "kernels": kernels, "steps": steps,
        }));
    }
    if args.json {
        return print_json(&serde_json::json!({
            "adapter": about.name, "driver": about.driver, "model": args.model, "preset": args.preset.name(),
            "batches": rows,
        }));
    }
    Ok(())
}

/// Showers of random cells, a tenth of them hit, with random labels.
fn random_showers(system: &dyn System, batch: usize) -> Showers {
    let shape = system.shape();
    let cells: usize = shape.iter().product();
    let names: Vec<String> = system
        .conditions()
        .into_iter()
        .filter(|n| n != "energy" && !n.starts_with("position_"))
        .collect();
    let hit = |v: f32| if v > 0.8 { (v - 0.8) * 100.0 } else { 0.0 };
    Showers {
        shape,
        layers: numbers(batch * cells).into_iter().map(hit).collect(),
        energy: numbers(batch)
            .into_iter()
            .map(|v| 55.0 + 45.0 * v)
            .collect(),
        position: Some(numbers(2 * batch).chunks(2).map(|p| [p[0], p[1]]).collect()),
        conditions: (!names.is_empty()).then(|| numbers(batch * names.len())),
        condition_names: names,
    }
}
