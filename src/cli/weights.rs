//! `calogen weights`: the weights that ship with the program, and where weights are looked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use calogen::generate::Generator;
use calogen::gpu::Gpu;
use calogen::models::{self, Preset, Weights};
use calogen::{Error, Result};

use super::Global;
use super::output::{print, print_json};

/// List the weights that ship with the program, or note the quality of a weights file in it
#[derive(clap::Args)]
pub struct Args {
    /// Weights file to note --quality in [default: none, the shipped weights are listed]
    #[arg(long, value_name = "FILE", requires = "quality")]
    describe: Option<PathBuf>,
    /// What to note: how good the showers are, and how that was measured [default: none]
    #[arg(long, value_name = "TEXT", requires = "describe")]
    quality: Option<String>,
    /// Print one JSON object [default: a table]
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, _: &Global) -> Result<()> {
    if let (Some(path), Some(quality)) = (&args.describe, &args.quality) {
        let mut weights = Weights::read(path)?;
        weights.metadata.quality.clone_from(quality);
        return weights.write(path);
    }
    let mut list = Vec::new();
    let mut text = Vec::new();
    for path in shipped() {
        let weights = Weights::read(&path)?;
        let m = &weights.metadata;
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bytes = std::fs::metadata(&path)
            .map_err(|e| Error::io(&path, e))?
            .len();
        let ranges = m
            .conditions
            .iter()
            .map(|c| format!("{} {} to {} {}", c.name, c.min, c.max, c.unit));
        text.push(format!(
            "{name}\n  model {}, detector {}, {} kB\n  {}\n  trained on {}, {} batches\n  {}",
            m.model,
            m.detector,
            bytes / 1000,
            ranges.collect::<Vec<_>>().join(", "),
            m.trained_on,
            m.steps,
            m.quality
        ));
        list.push(serde_json::json!({
            "name": name, "model": m.model, "detector": m.detector, "unit": m.unit, "conditions": m.conditions,
            "bytes": bytes, "hash": weights.hash, "trained_on": m.trained_on, "steps": m.steps, "quality": m.quality,
        }));
    }
    if args.json {
        return print_json(&serde_json::json!({ "weights": list }));
    }
    print(&text.join("\n"))
}

/// Folders that may hold shipped weights: beside the program, and where it was built.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = std::env::var_os("CALOGEN_WEIGHTS") {
        folders.push(PathBuf::from(folder));
    }
    if let Some(program) = std::env::current_exe()
        .ok()
        .as_deref()
        .and_then(Path::parent)
    {
        // An installed program, then target/release of a checkout.
        folders.push(program.join("weights"));
        folders.extend(
            program
                .ancestors()
                .skip(2)
                .take(1)
                .map(|root| root.join("tools/weights")),
        );
    }
    folders.push(PathBuf::from("tools/weights"));
    folders
}

fn shipped() -> Vec<PathBuf> {
    for folder in folders() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        files.retain(|p| p.extension().is_some_and(|e| e == "safetensors"));
        files.sort();
        if !files.is_empty() {
            return files;
        }
    }
    Vec::new()
}

/// A weights file, from its path, a run's folder, or the name of shipped weights.
pub fn find(what: &str) -> Result<PathBuf> {
    let path = PathBuf::from(what);
    if path.is_dir() {
        return Ok(path.join("model.safetensors"));
    }
    if path.exists() {
        return Ok(path);
    }
    let named = shipped()
        .into_iter()
        .find(|p| p.file_stem().is_some_and(|n| n.to_string_lossy() == what));
    named.ok_or_else(|| {
        let names: Vec<_> = shipped()
            .iter()
            .filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned()))
            .collect();
        let known = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        Error::Config(format!(
            "'{what}' is no file, no folder and no shipped weights (there are: {known})"
        ))
    })
}

/// A generator from weights ([`find`]) without some of their optional parts, or an untrained one from the name of a model;
/// whether it is untrained.
pub fn open(
    gpu: &Arc<Gpu>,
    what: &str,
    preset: Preset,
    without: &[String],
) -> Result<(Generator, bool)> {
    let named = models::ENTRIES.iter().any(|e| e.name == what);
    if named && !Path::new(what).exists() {
        if let Some(part) = without.first() {
            let what = format!("--without {part}: the untrained model {what} has all its parts");
            return Err(Error::Config(what));
        }
        return Ok((
            Generator::untrained(gpu, models::preset(what, preset)?)?,
            true,
        ));
    }
    let path = find(what)?;
    let mut weights = Weights::read(&path)?;
    for part in without {
        weights = weights.without(part)?;
    }
    Ok((Generator::new(gpu, weights, &path)?, false))
}
