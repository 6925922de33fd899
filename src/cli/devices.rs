//! `calogen devices`: what can compute here.

use calogen::generate::self_test;
use calogen::gpu::{Capabilities, adapters, preferred};
use calogen::{Error, Result};
use serde_json::{Value, json};

use super::{Global, output};

/// Lists every adapter that can compute, and which one would be used
#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON object instead of the list
    #[arg(long)]
    json: bool,
    /// Compute on the device that would be used and compare with the host and with a reference device; prints one line to
    /// report, in less than a minute
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    if args.check {
        return check(args, global);
    }
    let found = adapters();
    let used = preferred(&found, global.device.as_deref())?;
    if args.json {
        let devices: Vec<Value> = found
            .iter()
            .enumerate()
            .map(|(index, device)| object(index, device, index == used))
            .collect();
        return output::print_json(&json!({"devices": devices, "used": used}));
    }
    let list: Vec<String> = found
        .iter()
        .enumerate()
        .map(|(index, device)| paragraph(index, device, index == used))
        .collect();
    output::print(&list.join("\n\n"))
}

fn check(args: &Args, global: &Global) -> Result<()> {
    let gpu = global.gpu()?;
    let device = gpu.capabilities();
    let found = self_test(&gpu)?;
    let of_tiers = found.tiers.iter();
    let tiers: serde_json::Map<_, _> = of_tiers
        .map(|(tier, difference)| (tier.name().to_owned(), json!(difference)))
        .collect();
    let (version, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    if args.json {
        output::print_json(&json!({
            "passed": found.passed(), "calogen": version, "os": os, "name": device.name, "backend": device.backend,
            "driver": device.driver, "difference": found.difference, "tiers": tiers, "sum": found.sum, "from_reference": found.from_reference,
            "start_seconds": found.start_seconds, "shower_seconds": found.shower_seconds,
        }))?;
    } else {
        let of_tiers = found.tiers.iter();
        let list: String = of_tiers
            .map(|(tier, difference)| format!("tier {} {difference:.0e}, ", tier.name()))
            .collect();
        let line = format!(
            "calogen {version} on {os}: {}, {}, {}: {}: random bits equal, fast kernels {:.0e} from plain ones, {}showers \
             {:.0e} from the reference; first showers after {:.1} s, then {:.3} ms each",
            device.name,
            device.backend,
            device.driver,
            if found.passed() { "passed" } else { "FAILED" },
            found.difference,
            list,
            found.from_reference,
            found.start_seconds,
            1e3 * found.shower_seconds
        );
        output::print(&line)?;
    }
    if found.passed() {
        Ok(())
    } else {
        let what = format!("{} computes something else: do not use it", device.name);
        Err(Error::Device(what))
    }
}

fn object(index: usize, device: &Capabilities, used: bool) -> Value {
    let limits = &device.limits;
    json!({
        "index": index,
        "name": device.name,
        "backend": device.backend,
        "driver": device.driver,
        "type": device.device_type,
        "f16": device.f16,
        "subgroup_size": device.subgroup.map(|(min, max)| json!({"min": min, "max": max})),
        "cooperative_matrices": device.cooperative,
        "timestamps": device.timestamps,
        "limits": {
            "max_buffer_size": limits.max_buffer_size,
            "max_storage_buffer_binding_size": limits.max_storage_buffer_binding_size,
            "max_storage_buffers_per_shader_stage": limits.max_storage_buffers_per_shader_stage,
            "max_compute_workgroup_storage_size": limits.max_compute_workgroup_storage_size,
            "max_compute_invocations_per_workgroup": limits.max_compute_invocations_per_workgroup,
            "max_compute_workgroups_per_dimension": limits.max_compute_workgroups_per_dimension,
        },
        "used": used,
    })
}

fn paragraph(index: usize, device: &Capabilities, used: bool) -> String {
    let limits = &device.limits;
    let or_none = |text: String| {
        if text.is_empty() { "none".into() } else { text }
    };
    let yes = |b: bool| if b { "yes" } else { "no" };
    let subgroup = match device.subgroup {
        Some((min, max)) if min == max => min.to_string(),
        Some((min, max)) => format!("{min} to {max}"),
        None => "none".into(),
    };
    let rows = [
        ("backend", device.backend.clone()),
        ("driver", or_none(device.driver.clone())),
        ("type", device.device_type.clone()),
        ("f16", yes(device.f16).into()),
        ("subgroup size", subgroup),
        ("coop. matrices", or_none(device.cooperative.join(", "))),
        ("timestamps", yes(device.timestamps).into()),
        ("largest buffer", bytes(limits.max_buffer_size)),
        ("largest tensor", bytes(device.max_tensor_bytes())),
        (
            "workgroup",
            format!(
                "{} threads, {} of shared memory",
                limits.max_compute_invocations_per_workgroup,
                bytes(limits.max_compute_workgroup_storage_size.into())
            ),
        ),
    ];
    let mark = if used { "  (used)" } else { "" };
    let mut text = format!("{index}: {}{mark}", device.name);
    for (name, value) in rows {
        text += &format!("\n   {name:<15} {value}");
    }
    text
}

fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() == 0.0 {
        format!("{value} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}
