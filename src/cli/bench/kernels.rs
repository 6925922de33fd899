//! `calogen bench kernels`: every kernel family at the shapes of the models, against the device's own ceilings.

use std::sync::Arc;
use std::time::Duration;

use calogen::gpu::{Gpu, Tier};
use calogen::tape::{Options, Program, Tape, Var};
use calogen::{Error, Result};
use serde::Serialize;

use super::cases::{self, Case, Layer, Pass};
use super::ceilings::Ceilings;
use super::timing::{Timing, measure, numbers};
use crate::Global;
use crate::output::{print, print_json, say};
use crate::seconds::seconds;

/// Time every kernel family at the shapes of the models
///
/// A case is a compiled program, packing of weights included; its main kernel alone is timed by the device's own clock
/// where there is one. GFLOP and GB count each operation and operand once. The bound is the nearer ceiling: the rate of
/// multiply-adds from registers (of cooperative matrices in that tier), or of a copy, both measured in the same run.
#[derive(clap::Args)]
pub struct Args {
    /// Only cases whose name contains TEXT [default: all]
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Showers in a batch [default: 32,64, and 4,8 for the 30x30x30 networks]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    batch: Vec<usize>,
    /// Weights do not change from run to run, as in generation: they are packed before
    #[arg(long)]
    frozen: bool,
    /// How products are computed: portable (f32) or matrix (cooperative matrices, f16 operands; generation only). What half
    /// keeps in memory lies between kernels
    #[arg(long, default_value_t = Tier::Portable, value_name = "TIER")]
    tier: Tier,
    /// Seconds for each case, about
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds)]
    seconds: Duration,
    /// Leave the ceilings out: quicker, but no fractions
    #[arg(long)]
    no_ceilings: bool,
    /// List the cases and compute nothing
    #[arg(long)]
    list: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    case: String,
    family: &'static str,
    batch: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<Layer>,
    seconds: Option<Timing>,
    gflop: f64,
    gbytes: f64,
    gflop_per_second: f64,
    gb_per_second: f64,
    of_ceiling: Option<f64>,
    of_copy: Option<f64>,
    bound: Option<&'static str>,
    main_kernel: Option<String>,
    main_kernel_seconds: Option<f64>,
    dispatches: usize,
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    if args.batch.contains(&0) {
        return Err(Error::Config("--batch must be above 0".into()));
    }
    let (batches, small) = match &args.batch[..] {
        [] => (vec![32, 64], vec![4, 8]),
        given => (given.to_vec(), given.to_vec()),
    };
    let filter = args.filter.as_deref().unwrap_or_default();
    let mut cases = cases::all(&batches, &small);
    cases.retain(|c| c.name.contains(filter));
    if cases.is_empty() {
        return Err(Error::Config(format!("no case contains '{filter}'")));
    }
    if args.list {
        return list(&cases, args.json);
    }
    if args.tier == Tier::Half {
        let what = "a kernel alone reads inputs and writes outputs, which are f32 in every tier: \
                    bench generate --tier half --steps times the kernels of a network";
        return Err(Error::Config(what.into()));
    }
    let gpu = global.gpu()?;
    gpu.capabilities().check_tier(args.tier)?;
    let budget = args.seconds;
    let ceilings = if args.no_ceilings {
        None
    } else {
        Some(Ceilings::measure(&gpu, budget)?)
    };
    let about = gpu.capabilities();
    if !args.json {
        print(&format!(
            "{}, {}, tier {}",
            about.name, about.driver, args.tier
        ))?;
        if let Some(c) = &ceilings {
            print(&c.to_string())?;
        }
        print(&header())?;
    }
    let mut rows = Vec::new();
    for case in &cases {
        let row = match time(&gpu, case, args, budget, ceilings.as_ref()) {
            Err(Error::OutOfMemory(what)) => {
                say(&format!("{} batch {}: {what}", case.name, case.batch));
                continue;
            }
            other => other?,
        };
        if !args.json {
            print(&line(&row))?;
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(Error::OutOfMemory("no case fits the device".into()));
    }
    if args.json {
        return print_json(&serde_json::json!({
            "adapter": about.name, "driver": about.driver, "backend": about.backend, "tier": args.tier.name(),
            "frozen": args.frozen,
            "ceilings": ceilings, "cases": rows,
        }));
    }
    Ok(())
}

fn list(cases: &[Case], json: bool) -> Result<()> {
    let entry = |c: &Case| {
        serde_json::json!({
            "case": c.name, "family": c.family, "batch": c.batch, "layer": c.layer().map(|(l, _)| l),
            "divergence": c.divergence(),
            "forward": c.layer().is_some_and(|(_, p)| p == Pass::Forward),
        })
    };
    if json {
        let list: Vec<_> = cases.iter().map(entry).collect();
        return print_json(&serde_json::json!({ "cases": list }));
    }
    let lines: Vec<_> = cases
        .iter()
        .map(|c| format!("{:<52}{:>6}", c.name, c.batch))
        .collect();
    print(&lines.join("\n"))
}

/// The program of a case, its inputs set, and what it computes and moves.
fn compile(gpu: &Arc<Gpu>, case: &Case, args: &Args) -> Result<(Program, f64, f64)> {
    let parameters = case.parameters(gpu)?;
    let tape = Tape::new();
    let built = case.build(gpu, &tape, parameters.as_ref(), |tape, shape| {
        weights(tape, shape, args.frozen)
    })?;
    let options = Options {
        frozen: args.frozen,
        tier: args.tier,
        ..Options::default()
    };
    let program = tape.compile(gpu, &built.outputs, options)?;
    for name in ["x", "dy", "b", "weight", "bias"] {
        if let Some(shape) = program.input_shape(name) {
            program.set(name, &numbers(shape.iter().product()))?;
        }
    }
    program.set_u32("key", &Case::key())?;
    let plan = program.plan();
    let (flops, bytes) = built.counts.unwrap_or((plan.flops(), plan.bytes()));
    Ok((program, flops, bytes))
}

fn weights<'t>(tape: &'t Tape, shape: &[usize], frozen: bool) -> Var<'t> {
    if frozen {
        tape.constant(&numbers(shape.iter().product()), shape)
    } else {
        let name = if shape.len() == 1 { "bias" } else { "weight" };
        tape.input(name, shape)
    }
}

fn time(
    gpu: &Arc<Gpu>,
    case: &Case,
    args: &Args,
    budget: Duration,
    ceilings: Option<&Ceilings>,
) -> Result<Row> {
    let (program, flops, bytes) = compile(gpu, case, args)?;
    let seconds = measure(budget, || program.run(), || gpu.wait())?;
    let main = if gpu.capabilities().timestamps {
        let mut best: Option<(String, f64)> = None;
        for _ in 0..3 {
            let Some(longest) = program.profile()?.kernels.into_iter().next() else {
                continue;
            };
            if longest.seconds > 0.0 && best.as_ref().is_none_or(|(_, s)| longest.seconds < *s) {
                best = Some((longest.name, longest.seconds));
            }
        }
        best
    } else {
        None
    };
    let (gflop, gbytes) = (flops * 1e-9, bytes * 1e-9);
    let rates = (gflop / seconds.median, gbytes / seconds.median);
    let shares = ceilings.map(|c| (rates.0 / c.of_tier(args.tier), rates.1 / c.copy()));
    let (main_kernel, main_kernel_seconds) = main.unzip();
    Ok(Row {
        case: case.name.clone(),
        family: case.family,
        batch: case.batch,
        layer: case.layer().map(|(layer, _)| layer),
        seconds: Some(seconds),
        gflop,
        gbytes,
        gflop_per_second: rates.0,
        gb_per_second: rates.1,
        of_ceiling: shares.map(|s| s.0),
        of_copy: shares.map(|s| s.1),
        bound: shares.map(|(compute, memory)| {
            if compute >= memory {
                "compute"
            } else {
                "memory"
            }
        }),
        main_kernel,
        main_kernel_seconds,
        dispatches: program.plan().steps.iter().filter(|s| !s.once).count(),
    })
}

fn header() -> String {
    format!(
        "{:<48}{:>6}{:>28}{:>10}{:>9}{:>10}{:>8}{:>8}  {:<8}{:>10}",
        "case",
        "batch",
        "ms (min..max)",
        "GFLOP",
        "GFLOP/s",
        "of ceil.",
        "GB/s",
        "of copy",
        "bound",
        "kernel ms"
    )
}

fn line(row: &Row) -> String {
    let ms = row.seconds.map_or(String::new(), |t| {
        format!(
            "{:.3} ({:.3}..{:.3})",
            t.median * 1e3,
            t.min * 1e3,
            t.max * 1e3
        )
    });
    let percent = |v: Option<f64>| v.map_or("-".into(), |v| format!("{:.1}%", v * 100.0));
    let kernel = row
        .main_kernel_seconds
        .map_or("-".into(), |s| format!("{:.3}", s * 1e3));
    format!(
        "{:<48}{:>6}{:>28}{:>10.5}{:>9.2}{:>10}{:>8.2}{:>8}  {:<8}{:>10}",
        row.case,
        row.batch,
        ms,
        row.gflop,
        row.gflop_per_second,
        percent(row.of_ceiling),
        row.gb_per_second,
        percent(row.of_copy),
        row.bound.unwrap_or("-"),
        kernel
    )
}
