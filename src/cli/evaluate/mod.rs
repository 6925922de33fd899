//! `calogen evaluate`: how generated showers compare with those of a simulation.
//!
//! A group of options is a file: its flags, flattened into those of the command, and what they add to the evaluations.
//! What can fail for its options alone fails before the showers are read.

mod amplification;
mod calice;
mod calochallenge;
mod classifier;
mod distances;
mod errors;
mod inception;
mod regressor;
mod relevance;
mod scan;

use std::ops::Range;
use std::path::{Path, PathBuf};

use calogen::files::write_atomically;
use calogen::metrics::{Evaluation, Options, agree, evaluate_all};
use calogen::observables::{Bootstrap, Sample, SampleInfo, ShowerBlock, ShowerStart};
use calogen::report::{EvaluationReport, FileSample};
use calogen::{Error, Result};
use serde_json::json;

use super::Global;
use super::files::{VoxelArgs, events};
use super::output::{self, Progress};

/// Compares generated showers with a reference: figures, plots and a page
///
/// Writes report.json, report.html and a PNG of every plot into the folder, and prints a short table. Of several
/// generated files the first is reported in report.json, the next ones in report-2.json and so on; the page and the
/// plots show all.
#[derive(clap::Args)]
pub struct Args {
    /// Shower file to compare with, such as one of Geant4: HDF5, also of the CaloChallenge, or npz of ALICE ZDC (the
    /// responses, with the particles beside them) and CMS HGCAL
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,
    /// Showers of the reference to compare with, from A up to and without B: those on which nothing was trained [default:
    /// all]
    #[arg(long, value_name = "A:B", value_parser = events)]
    reference_events: Option<Range<usize>>,
    /// Shower files to compare, of the reference's shape and unit [required]
    #[arg(long, value_name = "FILE", required_unless_present = "scan", num_args = 1..)]
    generated: Vec<PathBuf>,
    /// Folder for the report, made if absent
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Sum neighbouring layers of every file, so that it has as many as the file with the fewest; where all have as many,
    /// sum all of them, which compares images
    #[arg(long, conflicts_with = "origin")]
    sum_layers: bool,
    /// First layer, row and column of the reference's showers that are compared, as many of each as the generated have:
    /// for generators of a part of the showers [default: all of them, of one shape]
    #[arg(long, value_name = "Z,X,Y", value_parser = corner)]
    origin: Option<[usize; 3]>,
    /// Cell energy below which a cell counts as empty, in the files' unit [default: the attribute `threshold` of the
    /// reference, else 0]
    #[arg(long, value_name = "E", value_parser = not_negative)]
    threshold: Option<f64>,
    #[command(flatten)]
    voxels: VoxelArgs,
    #[command(flatten)]
    start: calice::StartArgs,
    #[command(flatten)]
    errors: errors::ErrorArgs,
    #[command(flatten)]
    regressor: regressor::RegressorArgs,
    #[command(flatten)]
    relevance: relevance::RelevanceArgs,
    #[command(flatten)]
    distances: distances::DistanceArgs,
    #[command(flatten)]
    classifier: classifier::ClassifierArgs,
    #[command(flatten)]
    inception: inception::InceptionArgs,
    #[command(flatten)]
    amplification: amplification::AmplificationArgs,
    #[command(flatten)]
    scan: scan::ScanArgs,
    /// Print the report as one JSON object instead of the table; of several generated files as an array in an object,
    /// {"reports":[…]}
    #[arg(long)]
    json: bool,
}

/// Three indices.
fn corner(text: &str) -> std::result::Result<[usize; 3], String> {
    let parts: Option<Vec<usize>> = text.split(',').map(|p| p.trim().parse().ok()).collect();
    parts
        .and_then(|p| p.try_into().ok())
        .ok_or_else(|| "expected three whole numbers, such as 0,13,11".into())
}

/// A finite number that is not negative.
fn not_negative(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("expected a finite number, 0 or more".into()),
    }
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    args.start.check()?;
    let voxels = args.voxels.voxels()?;
    if args.scan.given() {
        let setting = scan::Setting {
            reference: &args.reference,
            events: args.reference_events.as_ref(),
            voxels: &voxels,
            out: &args.out,
            options: Options {
                threshold: args.threshold,
                shower_start: args.start.find(&FileSample::open(&args.reference)?)?,
                // Errors of every epoch would take longer than its showers.
                bootstrap: Bootstrap::NONE,
                ..Options::default()
            },
            regressor: args.regressor.load(global)?,
            distances: args.distances.distances.then_some(args.distances.seed),
            json: args.json,
        };
        return args.scan.run(&setting, global);
    }
    let open = |path: &PathBuf| FileSample::open_as(path, &voxels);
    let mut reference = open(&args.reference)?;
    if let Some(events) = &args.reference_events {
        reference = reference.limited(events.clone())?;
    }
    let mut generated: Vec<FileSample> = args.generated.iter().map(open).collect::<Result<_>>()?;
    if args.sum_layers {
        let left = layers_left(std::iter::once(&reference).chain(&generated));
        let summed = |sample: FileSample| {
            let [_, x, y] = sample.file().info().shape;
            sample.viewed([left, x, y], None)
        };
        reference = summed(reference)?;
        generated = generated.into_iter().map(summed).collect::<Result<_>>()?;
    }
    let like = |sample: FileSample| sample.arranged_like(&reference);
    let generated: Vec<FileSample> = generated.into_iter().map(like).collect();
    if let (Some(origin), Some(first)) = (args.origin, generated.first()) {
        reference = reference.viewed(first.file().info().shape, Some(origin))?;
    }
    for sample in &generated {
        agree(reference.info(), sample.info())?;
    }
    let options = Options {
        threshold: args.threshold,
        shower_start: args.start.find(&reference)?,
        bootstrap: args.errors.bootstrap(),
        amplification: args.amplification.find()?,
        ..Options::default()
    };
    let facts = facts(&reference, options.shower_start);
    prepare(&args.out)?;
    let regressor = args.regressor.load(global)?;
    let classifier = args.classifier.open(global)?;
    let inception = args.inception.load(&reference, global)?;
    let relevances = args.relevance.load(args.regressor.name(), global)?;
    let mut evaluations = compare(&reference, &generated, &options)?;
    calochallenge::add(&reference, &generated, &mut evaluations)?;
    if let Some(regressor) = regressor {
        regressor.add(&reference, &generated, &mut evaluations)?;
    }
    if let Some(relevances) = relevances {
        relevances.add(&reference, &generated, &mut evaluations)?;
    }
    args.distances
        .add(&reference, &generated, &mut evaluations)?;
    if let Some(gpu) = classifier {
        let (args, seed) = (&args.classifier, args.distances.seed);
        args.add(&gpu, &reference, &generated, seed, &mut evaluations)?;
    }
    if let Some(inception) = inception {
        inception.add(&reference, &generated, &mut evaluations)?;
    }
    write(&args.out, &evaluations, &facts)?;
    match &evaluations[..] {
        [one] if args.json => output::print_json(one),
        all if args.json => output::print_json(&json!({ "reports": all })),
        all => {
            let tables: Vec<String> = all.iter().map(Evaluation::to_string).collect();
            output::print(&tables.join("\n\n"))
        }
    }
}

/// Layers that are left of every sample where they are summed.
fn layers_left<'a>(samples: impl Iterator<Item = &'a FileSample>) -> usize {
    let mut layers: Vec<usize> = samples.map(|s| s.file().info().shape[0]).collect();
    layers.sort_unstable();
    layers.dedup();
    match layers[..] {
        [fewest, _, ..] => fewest,
        _ => 1,
    }
}

/// What the head of the page says of the reference beyond the report.
fn facts(reference: &FileSample, start: ShowerStart) -> Vec<(String, String)> {
    let info = reference.file().info();
    let mut facts = Vec::new();
    if let Some(detector) = &info.detector {
        facts.push(("Detector".into(), detector.clone()));
    }
    if let Some(size) = &info.cell_size_mm {
        let sizes: Vec<String> = size.iter().map(f32::to_string).collect();
        facts.push(("Cell size".into(), format!("{} mm", sizes.join(" × "))));
    }
    if let ShowerStart::Calice(c) = start {
        let text = format!(
            "{} MIP + {} MIP/GeV · p; {} + {} · ln(p/GeV) hits; {} layers; MIP = {}",
            c.energy, c.energy_slope, c.hits, c.hits_slope, c.window, c.mip
        );
        facts.push(("CALICE rule".into(), text));
    }
    facts
}

/// Makes the folder and sees whether files can be made in it, before work whose result would have no place.
fn prepare(folder: &Path) -> Result<()> {
    calogen::files::make_folder(folder)?;
    let probe = folder.join(format!(".{}-probe", std::process::id()));
    std::fs::write(&probe, []).map_err(|e| Error::io(folder, e))?;
    std::fs::remove_file(&probe).map_err(|e| Error::io(folder, e))
}

fn compare(
    reference: &FileSample,
    generated: &[FileSample],
    options: &Options,
) -> Result<Vec<Evaluation>> {
    let events = |sample: &FileSample| sample.info().events as u64;
    let total = events(reference) + generated.iter().map(events).sum::<u64>();
    let progress = Progress::new("evaluate", "showers", total);
    let count = |sample| Counted {
        sample,
        progress: &progress,
    };
    let samples: Vec<Counted> = generated.iter().map(count).collect();
    let samples: Vec<&dyn Sample> = samples.iter().map(|s| s as &dyn Sample).collect();
    evaluate_all(&count(reference), &samples, options)
}

/// A sample that reports how far it was read.
struct Counted<'a> {
    sample: &'a FileSample,
    progress: &'a Progress,
}

impl Sample for Counted<'_> {
    fn info(&self) -> &SampleInfo {
        self.sample.info()
    }

    fn blocks(&self) -> Box<dyn Iterator<Item = Result<ShowerBlock>> + '_> {
        Box::new(self.sample.blocks().inspect(|block| {
            if let Ok(block) = block {
                self.progress.advance(block.energy.len() as u64);
            }
        }))
    }
}

fn write(folder: &Path, evaluations: &[Evaluation], facts: &[(String, String)]) -> Result<()> {
    for (k, evaluation) in evaluations.iter().enumerate() {
        let name = match k {
            0 => "report.json".into(),
            _ => format!("report-{}.json", k + 1),
        };
        let text = output::to_json(evaluation)? + "\n";
        write_atomically(&folder.join(name), text.as_bytes())?;
    }
    EvaluationReport::new(evaluations, facts).write(folder)
}
