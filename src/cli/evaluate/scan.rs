//! `--scan`: weights of one training, one after the other.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use calogen::data::{ShowerSet, Showers, Voxels};
use calogen::files::write_atomically;
use calogen::generate::{Generator, LabelRows};
use calogen::gpu::Gpu;
use calogen::metrics::{
    Epoch, Options, Scan, distance_figures, evaluate, frechet_distance, scan_figures,
};
use calogen::models::{self, Weights};
use calogen::observables::{Geometry, Sample, SampleInfo, SingleSample, halves};
use calogen::report::ScanReport;
use calogen::{Error, Result};

use super::regressor::Regressor;
use crate::Global;
use crate::output::{self, Progress, stop_on_interrupt};

/// What is scanned.
#[derive(clap::Args)]
#[command(next_help_heading = "Scan over a training")]
pub struct ScanArgs {
    /// In place of --generated, a run's folder with epochs/ (`calogen train --keep-every`) or a folder of weights files:
    /// generates showers with each and writes scan.json, scan.csv, scan.html and plots of every figure by epoch. An
    /// interrupted scan goes on where it was [default: none]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["generated", "sum_layers", "origin", "classifier", "inception", "relevance", "amplification"])]
    scan: Option<PathBuf>,
    /// Showers of the scan, evenly spread over the reference; as many are generated for their labels, and as many are in
    /// each of two halves of the reference, whose figures are noise
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "scan", value_parser = clap::value_parser!(u64).range(2..))]
    scan_events: u64,
    /// Seed of the scan's showers
    #[arg(long, value_name = "S", default_value_t = 0, requires = "scan")]
    scan_seed: u64,
}

/// What the scan takes from the options of a report.
pub struct Setting<'a> {
    /// Shower file to compare with.
    pub reference: &'a Path,
    /// Its showers to take, if not all.
    pub events: Option<&'a Range<usize>>,
    /// How its voxels lie.
    pub voxels: &'a Voxels,
    /// Folder of the results.
    pub out: &'a Path,
    /// How samples are compared.
    pub options: Options,
    /// Adds the Fréchet distance over features of this regressor.
    pub regressor: Option<Regressor>,
    /// Adds distances over high-level features, with random numbers of this seed.
    pub distances: Option<u64>,
    /// Prints JSON.
    pub json: bool,
}

impl ScanArgs {
    /// Whether a scan is asked for.
    pub fn given(&self) -> bool {
        self.scan.is_some()
    }

    /// Scans, if asked for.
    pub fn run(&self, setting: &Setting<'_>, global: &Global) -> Result<()> {
        let Some(folder) = &self.scan else {
            return Ok(());
        };
        let files = weights_of(folder)?;
        let gpu = global.gpu()?;
        let first = Weights::read(&files[0].0)?;
        let system = models::open(&first.metadata.model, first.metadata.config.clone())?;
        let mut set = ShowerSet::open_as([setting.reference], setting.voxels)?;
        let mut name = setting.reference.display().to_string();
        if let Some(events) = setting.events {
            set = set.limited(events.clone())?;
            name += &format!(", showers {}:{}", events.start, events.end);
        }
        let set = set.viewed(system.shape(), system.origin())?;
        let held = set.spread(self.scan_events as usize)?;
        let threshold = setting
            .options
            .threshold
            .or(set.info().threshold.map(f64::from))
            .unwrap_or(0.0);
        let see = |showers| Seen::new(&set, showers, setting.regressor.as_ref(), threshold);
        let reference = see(held.clone())?;
        super::prepare(setting.out)?;
        let mut scan = Scan {
            reference: name,
            events: held.len(),
            threshold,
            seed: self.scan_seed,
            regressor: setting.regressor.as_ref().map(|r| r.name.clone()),
            ..Scan::default()
        };
        scan.fingerprint = fingerprint(setting, &scan, &held, reference.features.as_deref());
        // Twice as many showers, so that each half has as many as are generated: a Fréchet distance depends on that.
        let twice = set.spread(2 * self.scan_events as usize)?;
        scan.halves_events = twice.len() / 2;
        if scan.halves_events > 0 {
            let [first, second] = halves(twice.len()).map(|rows| see(twice.gather(&rows)));
            scan.halves = first?.figures(&second?, setting, threshold)?;
        }
        drop(twice);
        let before = earlier(&setting.out.join("scan.json"), &scan.fingerprint);
        let stop = stop_on_interrupt("stopping after these weights; once more to stop at once")?;
        let progress = Progress::new("scan", "weights", files.len() as u64);
        for (path, epoch) in &files {
            let weights = Weights::read(path)?;
            let at = Epoch {
                file: path.display().to_string(),
                hash: weights.hash.clone(),
                step: weights.metadata.steps,
                epoch: *epoch,
            };
            let known = before.as_ref().and_then(|b| b.of(&at.hash));
            let figures = match known {
                Some(known) => known,
                None => {
                    let made = generate(&gpu, weights, path, &held, self.scan_seed)?;
                    reference.figures(&see(made)?, setting, threshold)?
                }
            };
            scan.push(at, figures);
            scan.summarise();
            write(setting.out, &scan)?;
            progress.advance(1);
            if stop.load(Ordering::Relaxed) && scan.epochs.len() < files.len() {
                let (done, all) = (scan.epochs.len(), files.len());
                return Err(Error::Interrupted(format!(
                    "after {done} of {all} weights; the same command goes on"
                )));
            }
        }
        drop(progress);
        ScanReport::new(&scan).write(setting.out)?;
        match setting.json {
            true => output::print_json(&scan),
            false => output::print(&scan.to_string()),
        }
    }
}

/// Weights files with the epochs that their names tell, in the order of training.
fn weights_of(folder: &Path) -> Result<Vec<(PathBuf, Option<u64>)>> {
    let inner = folder.join("epochs");
    let folder = if inner.is_dir() { &inner } else { folder };
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with('.'));
        let checkpoint = path
            .file_name()
            .is_some_and(|n| n == "checkpoint.safetensors");
        if path.extension().is_some_and(|e| e == "safetensors") && !hidden && !checkpoint {
            let steps = Weights::read(&path)?.metadata.steps;
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let epoch = name.strip_prefix("epoch-").and_then(|n| n.parse().ok());
            files.push((steps, path, epoch));
        }
    }
    if files.is_empty() {
        return Err(Error::Config(format!(
            "{}: no weights files (*.safetensors); `calogen train --keep-every K` keeps them in epochs/",
            folder.display()
        )));
    }
    files.sort();
    Ok(files
        .into_iter()
        .map(|(_, path, epoch)| (path, epoch))
        .collect())
}

/// Of the showers compared with, what the regressor says of them, and how they are compared.
fn fingerprint(
    setting: &Setting<'_>,
    scan: &Scan,
    held: &Showers,
    features: Option<&[f64]>,
) -> String {
    let mut hasher = DefaultHasher::new();
    let bits = held.layers.iter().chain(&held.energy).map(|v| v.to_bits());
    bits.for_each(|bits| hasher.write_u32(bits));
    let bits = features.into_iter().flatten().map(|v| v.to_bits());
    bits.for_each(|bits| hasher.write_u64(bits));
    // `scan` holds no figure yet.
    format!("{scan:?} {:?} {:?}", setting.options, setting.distances).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A scan of before, if it was done in the same way.
fn earlier(path: &Path, fingerprint: &str) -> Option<Scan> {
    let text = std::fs::read_to_string(path).ok()?;
    let before: Scan = serde_json::from_str(&text).ok()?;
    (before.fingerprint == fingerprint).then_some(before)
}

/// A shower for the labels of each of `held`.
fn generate(
    gpu: &std::sync::Arc<Gpu>,
    weights: Weights,
    path: &Path,
    held: &Showers,
    seed: u64,
) -> Result<Showers> {
    let mut generator = Generator::new(gpu, weights, path)?;
    let shape = generator.shape();
    if shape != held.shape {
        let what = format!(
            "makes showers of {shape:?}, the first weights of {:?}",
            held.shape
        );
        return Err(Error::format(path, what));
    }
    generator.set_threshold(generator.metadata().threshold);
    let names = generator.label_names();
    let labels = LabelRows {
        values: held.labels(&names)?,
        columns: names.len(),
    };
    let layers = generator.generate(&labels, seed, 0)?;
    Ok(Showers {
        layers,
        ..held.clone()
    })
}

/// Showers that are compared.
struct Seen {
    sample: SingleSample,
    /// What the regressor says of them.
    features: Option<Vec<f64>>,
}

impl Seen {
    fn new(
        set: &ShowerSet,
        showers: Showers,
        regressor: Option<&Regressor>,
        threshold: f64,
    ) -> Result<Self> {
        let info = SampleInfo {
            file: "scan".into(),
            events: showers.len(),
            geometry: Geometry::Grid(showers.shape),
            unit: set.info().unit.clone(),
            threshold: set.info().threshold.map(f64::from),
            single: true,
            mip: None,
        };
        let sample = SingleSample::new(info, showers.layers.clone(), showers.energy.clone());
        let features = regressor.map(|r| r.network.features(showers, threshold));
        Ok(Self {
            sample,
            features: features.transpose()?,
        })
    }

    /// All distances of `other` from these.
    fn figures(
        &self,
        other: &Self,
        setting: &Setting<'_>,
        threshold: f64,
    ) -> Result<BTreeMap<String, Option<f64>>> {
        let mut found = evaluate(&self.sample, &other.sample, &setting.options)?;
        if let (Some(a), Some(b)) = (&self.features, &other.features) {
            let width = b.len() / other.sample.info().events.max(1);
            found.frechet_regression_distance = frechet_distance(a, b, width);
        }
        let mut figures = scan_figures(&found);
        if let Some(seed) = setting.distances {
            let (a, b) = super::distances::high_level(&self.sample, &[&other.sample], threshold)?;
            let found = b.first().map(|b| distance_figures(&a, b, seed, &|| ()));
            figures.extend(found.iter().flat_map(|d| d.distances()));
        }
        Ok(figures)
    }
}

fn write(folder: &Path, scan: &Scan) -> Result<()> {
    write_atomically(
        &folder.join("scan.json"),
        (output::to_json(scan)? + "\n").as_bytes(),
    )?;
    write_atomically(&folder.join("scan.csv"), scan.csv().as_bytes())
}
