//! `calogen evaluate`: how generated showers compare with those of a simulation.

use std::path::{Path, PathBuf};

use calogen::files::write_atomically;
use calogen::gpu::Gpu;
use calogen::metrics::{Evaluation, Options, RegressorSample, agree, evaluate_all, regression};
use calogen::observables::{Calice, Sample, SampleInfo, ShowerBlock, ShowerStart};
use calogen::reconstruct::Reconstructor;
use calogen::report::{EvaluationReport, FileSample};
use calogen::{Error, Result};
use clap::ValueEnum;
use serde_json::json;

use super::Global;
use super::output::{self, Progress};

/// Compares generated showers with a reference: figures, plots and a page
///
/// Writes report.json, report.html and a PNG of every plot into the folder, and prints a short table. Of several
/// generated files the first is reported in report.json, the next ones in report-2.json and so on; the page and the
/// plots show all.
#[derive(clap::Args)]
pub struct Args {
    /// Shower file to compare with (HDF5), such as one of Geant4 [required]
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,
    /// Shower files to compare, of the reference's shape and unit [required]
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    generated: Vec<PathBuf>,
    /// Folder for the report, made if absent [required]
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Sum the layers of every file that has more than one: compares images [default: off]
    #[arg(long, conflicts_with = "origin")]
    sum_layers: bool,
    /// First layer, row and column of the reference's showers that are compared, as many of each as the generated have:
    /// for generators of a part of the showers [default: all of them, of one shape]
    #[arg(long, value_name = "Z,X,Y", value_parser = corner)]
    origin: Option<[usize; 3]>,
    /// Cell energy below which a cell counts as empty, in the files' unit [default: the attribute `threshold` of the
    /// reference, else 0]
    #[arg(long, value_name = "E", value_parser = energy)]
    threshold: Option<f64>,
    /// How the layer in which a shower starts is found: `fraction`, the first with 5 % of the largest layer's energy,
    /// or `calice`, the first whose moving average of energies and whose hits both exceed a threshold
    #[arg(long, value_name = "RULE", default_value = "fraction")]
    shower_start: Start,
    #[command(flatten)]
    calice: Coefficients,
    /// Regressor whose energies and features are compared as well: a weights file, a run's folder or a name [default:
    /// none]
    #[arg(long, value_name = "WEIGHTS")]
    regressor: Option<String>,
    /// Print the report as one JSON object instead of the table; of several generated files as an array in an object,
    /// {"reports":[…]} [default: off]
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Start {
    Fraction,
    Calice,
}

/// Coefficients of `--shower-start calice`.
#[derive(clap::Args)]
struct Coefficients {
    /// Constant of the calice rule for the energy, MIP [default: 6]
    #[arg(long, value_name = "MIP", value_parser = energy)]
    calice_energy: Option<f64>,
    /// Slope of the calice rule for the energy, MIP per GeV [default: 0.1]
    #[arg(long, value_name = "MIP/GEV", value_parser = energy)]
    calice_energy_slope: Option<f64>,
    /// Constant of the calice rule for the hits, hits [default: 3.77]
    #[arg(long, value_name = "HITS", value_parser = energy)]
    calice_hits: Option<f64>,
    /// Slope of the calice rule for the hits, hits per ln(GeV) [default: 1.44]
    #[arg(long, value_name = "HITS", value_parser = energy)]
    calice_hits_slope: Option<f64>,
    /// Layers in the moving average of the calice rule, layers [default: 10]
    #[arg(long, value_name = "LAYERS", value_parser = clap::value_parser!(u64).range(1..))]
    calice_window: Option<u64>,
    /// One MIP for the calice rule, in the files' unit [default: 1 where that is MIP, else the attribute `mip_MeV` of
    /// the reference]
    #[arg(long, value_name = "E", value_parser = energy)]
    calice_mip: Option<f64>,
}

/// Three indices.
fn corner(text: &str) -> std::result::Result<[usize; 3], String> {
    let parts: Option<Vec<usize>> = text.split(',').map(|p| p.trim().parse().ok()).collect();
    parts
        .and_then(|p| p.try_into().ok())
        .ok_or_else(|| "expected three whole numbers, such as 0,13,11".into())
}

/// A finite number that is not negative.
fn energy(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("expected a finite number, 0 or more".into()),
    }
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    let unused = args.calice.given();
    if let (Start::Fraction, Some(flag)) = (args.shower_start, unused) {
        return Err(Error::Config(format!(
            "{flag} is of use only with --shower-start calice"
        )));
    }
    let open = |path: &PathBuf| {
        let sample = FileSample::open(path)?;
        let [_, x, y] = sample.file().info().shape;
        match args.sum_layers {
            true => sample.viewed([1, x, y], None),
            false => Ok(sample),
        }
    };
    let mut reference = open(&args.reference)?;
    let generated: Vec<FileSample> = args.generated.iter().map(open).collect::<Result<_>>()?;
    if let (Some(origin), Some(first)) = (args.origin, generated.first()) {
        reference = reference.viewed(first.file().info().shape, Some(origin))?;
    }
    for sample in &generated {
        agree(reference.info(), sample.info())?;
    }
    let options = Options {
        threshold: args.threshold,
        shower_start: args.start(&reference)?,
        ..Options::default()
    };
    let facts = facts(&reference, options.shower_start);
    prepare(&args.out)?;
    let regressor = match &args.regressor {
        Some(name) => Some((name, Regressor::load(name, global)?)),
        None => None,
    };
    let mut evaluations = compare(&reference, &generated, &options)?;
    if let Some((name, regressor)) = regressor {
        let of_reference = regressor.run(&reference)?;
        for (evaluation, sample) in evaluations.iter_mut().zip(&generated) {
            let found = regression(name, &of_reference, &regressor.run(sample)?);
            evaluation.set_regression(found);
        }
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

impl Args {
    fn start(&self, reference: &FileSample) -> Result<ShowerStart> {
        match self.shower_start {
            Start::Fraction => Ok(ShowerStart::Fraction),
            Start::Calice => self.calice.find(reference).map(ShowerStart::Calice),
        }
    }
}

impl Coefficients {
    /// The first of these flags that was given.
    fn given(&self) -> Option<&'static str> {
        let numbers = [
            ("--calice-energy", self.calice_energy),
            ("--calice-energy-slope", self.calice_energy_slope),
            ("--calice-hits", self.calice_hits),
            ("--calice-hits-slope", self.calice_hits_slope),
            ("--calice-window", self.calice_window.map(|n| n as f64)),
            ("--calice-mip", self.calice_mip),
        ];
        let mut given = numbers.into_iter().filter(|(_, value)| value.is_some());
        given.next().map(|(flag, _)| flag)
    }

    fn find(&self, reference: &FileSample) -> Result<Calice> {
        let default = Calice::default();
        let info = reference.file().info();
        let of_file = match info.unit.as_str() {
            "MIP" => Some(1.0),
            "MeV" => info.mip.map(f64::from),
            _ => None,
        };
        let mip = self.calice_mip.or(of_file).filter(|&mip| mip > 0.0);
        let Some(mip) = mip else {
            let (path, unit) = (reference.file().path().display(), &info.unit);
            return Err(Error::Config(format!(
                "--shower-start calice needs --calice-mip, one MIP in {unit}: {path} does not say it"
            )));
        };
        Ok(Calice {
            energy: self.calice_energy.unwrap_or(default.energy),
            energy_slope: self.calice_energy_slope.unwrap_or(default.energy_slope),
            hits: self.calice_hits.unwrap_or(default.hits),
            hits_slope: self.calice_hits_slope.unwrap_or(default.hits_slope),
            window: self.calice_window.map_or(default.window, |n| n as usize),
            mip,
        })
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
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
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

/// A regressor that reads samples.
struct Regressor(Reconstructor);

impl Regressor {
    fn load(name: &str, global: &Global) -> Result<Self> {
        let gpu = Gpu::open(global.device.as_deref())?;
        Ok(Self(Reconstructor::load(
            &gpu,
            crate::weights::find(name)?,
        )?))
    }

    /// All showers of a sample, without any threshold: the regressor was trained on what the file holds.
    fn run(&self, sample: &FileSample) -> Result<RegressorSample> {
        let progress = Progress::new("regressor", "showers", sample.info().events as u64);
        let seen = sample.clone().viewed(self.0.shape(), self.0.origin())?;
        let mut all = RegressorSample::default();
        for block in seen.blocks() {
            let block = block?;
            let cells: Vec<f32> = block.cells.iter().map(|&e| e as f32).collect();
            let found = self.0.run(&cells)?;
            progress.advance(block.energy.len() as u64);
            all.incident.extend(block.energy);
            all.energies.extend(found.energies);
            all.features.extend(found.features);
        }
        Ok(all)
    }
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
