//! Reads two samples and compares them.

use super::{
    Comparison, Evaluation, Histogram, Moments, Profile, SampleSummary, channel_sums, correlation,
    jensen_shannon, kolmogorov_smirnov, linearity, profiles, view, wasserstein1,
};
use crate::observables::{
    EXACT_CELLS, Observables, Sample, SampleInfo, ShowerStart, Sorted, Spectrum,
};
use crate::{Error, Result};

/// Bins of an observable's histogram, and of `cell_energy`'s.
const BINS: usize = 100;
const CELL_BINS: usize = 70;

/// How samples are compared.
#[derive(Debug, Clone)]
pub struct Options {
    /// Energy below which a cell counts as 0, in the sample's unit; the reference's own threshold, or 0, if `None`.
    pub threshold: Option<f64>,
    /// Definition of the shower start.
    pub shower_start: ShowerStart,
    /// Cell energies kept one by one in each sample; see [`EXACT_CELLS`].
    pub exact_cells: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threshold: None,
            shower_start: ShowerStart::default(),
            exact_cells: EXACT_CELLS,
        }
    }
}

/// Compares `generated` with `reference`. Both are read once, each in a thread.
pub fn evaluate(
    reference: &dyn Sample,
    generated: &dyn Sample,
    options: &Options,
) -> Result<Evaluation> {
    let mut evaluations = evaluate_all(reference, &[generated], options)?;
    evaluations
        .pop()
        .ok_or_else(|| Error::Config("no sample to compare".into()))
}

/// Compares each of `generated` with `reference`. All are read once, each in a thread; the histograms for drawing have
/// common bins.
pub fn evaluate_all(
    reference: &dyn Sample,
    generated: &[&dyn Sample],
    options: &Options,
) -> Result<Vec<Evaluation>> {
    for sample in generated {
        agree(reference.info(), sample.info())?;
    }
    let threshold = options
        .threshold
        .or(reference.info().threshold)
        .unwrap_or(0.0);
    if !threshold.is_finite() {
        return Err(Error::Config(format!(
            "threshold {threshold}: expected a finite energy"
        )));
    }
    let collect =
        |sample| Observables::collect(sample, threshold, options.shower_start, options.exact_cells);
    let mut kept = std::thread::scope(|scope| {
        let others: Vec<_> = generated
            .iter()
            .map(|&sample| scope.spawn(move || collect(sample)))
            .collect();
        let others = std::iter::once(collect(reference)).chain(others.into_iter().map(|other| {
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }));
        others.collect::<Result<Vec<_>>>()
    })?;
    if kept.iter().any(|sample| !sample.cells.is_exact()) {
        kept.iter_mut().for_each(|sample| sample.cells.coarsen());
    }
    let sides: Vec<Side> = kept.into_iter().map(Side::of).collect();
    let columns = sides.first().map_or(0, |side| side.columns.len());
    let edges: Vec<_> = (0..columns)
        .map(|k| {
            let values: Vec<&Sorted> = sides.iter().map(|s| &s.columns[k].values).collect();
            view::edges(&values, sides[0].columns[k].is_log())
        })
        .collect();
    let Some((reference, generated)) = sides.split_first() else {
        return Ok(Vec::new());
    };
    Ok(generated
        .iter()
        .map(|generated| compare(reference, generated, &edges, threshold, options))
        .collect())
}

/// Whether the samples can be compared at all: an error that describes both where shape or unit differ.
pub fn agree(reference: &SampleInfo, generated: &SampleInfo) -> Result<()> {
    if reference.geometry == generated.geometry && reference.unit == generated.unit {
        return Ok(());
    }
    let describe = |info: &SampleInfo| format!("showers of {} in {}", info.geometry, info.unit);
    let what = format!(
        "{}, but the reference {} has {}",
        describe(generated),
        reference.file,
        describe(reference)
    );
    Err(Error::format(&generated.file, what))
}

/// A sample with the values of every observable in ascending order.
struct Side {
    kept: Observables,
    columns: Vec<Ordered>,
}

/// One observable of a sample.
struct Ordered {
    name: String,
    moments: Moments,
    values: Sorted,
}

/// The place of `cell_energy` among the observables.
const CELL_ENERGY: usize = 2;

impl Side {
    fn of(mut kept: Observables) -> Self {
        let mut columns: Vec<Ordered> = kept
            .columns
            .iter()
            .map(|column| Ordered {
                name: column.name.clone(),
                moments: Moments::of(&column.values),
                values: Sorted::new(column.values.clone()),
            })
            .collect();
        let cells = std::mem::replace(&mut kept.cells, Spectrum::new(0));
        let cell_energy = Ordered {
            name: "cell_energy".into(),
            moments: Moments::from(cells.moments()),
            values: cells.into_sorted(),
        };
        columns.insert(CELL_ENERGY.min(columns.len()), cell_energy);
        Self { kept, columns }
    }

    fn summary(&self) -> SampleSummary {
        SampleSummary {
            mean_shower: self.kept.mean_shower(),
            events: self.kept.events(),
            geometry: self.kept.info.geometry.clone(),
            file: self.kept.info.file.clone(),
        }
    }
}

impl Ordered {
    /// Cell energies span many powers of ten.
    fn is_log(&self) -> bool {
        self.name == "cell_energy"
    }

    fn compare(&self, generated: &Self, edges: Option<&Vec<f64>>) -> Comparison {
        let (a, b) = (&self.values, &generated.values);
        let counts = |counts: &[u64]| counts.iter().map(|&n| n as f64).collect::<Vec<_>>();
        let histogram = if self.is_log() {
            Histogram::log10(a, b, CELL_BINS)
        } else {
            Histogram::linear(a, b, BINS)
        };
        Comparison {
            name: self.name.clone(),
            reference: self.moments,
            generated: generated.moments,
            jsd: histogram
                .and_then(|h| jensen_shannon(&counts(&h.reference), &counts(&h.generated))),
            wasserstein1: wasserstein1(a, b),
            ks: kolmogorov_smirnov(a, b),
            histogram: edges.map(|edges| view::histogram(edges, self.is_log(), a, b)),
        }
    }
}

/// Compares two samples of one geometry and unit; `edges` are those of the histograms for drawing.
fn compare(
    reference: &Side,
    generated: &Side,
    edges: &[Option<Vec<f64>>],
    threshold: f64,
    options: &Options,
) -> Evaluation {
    let observables: Vec<Comparison> = reference
        .columns
        .iter()
        .zip(&generated.columns)
        .zip(edges)
        .map(|((a, b), edges)| a.compare(b, edges.as_ref()))
        .collect();
    let (a, b) = (&reference.kept, &generated.kept);
    let profiles = profiles(a, b);
    let jsd = |name: &str| {
        observables
            .iter()
            .find(|o| o.name == name)
            .and_then(|o| o.jsd)
    };
    let mut divergences = vec![
        jsd("visible_energy"),
        jsd("n_hits"),
        jsd("cell_energy"),
        jsd("cog_z"),
        profiles.longitudinal.jsd(),
    ];
    divergences.extend(profiles.radial.as_ref().map(Profile::jsd));
    let fidelity_score: Option<f64> = divergences.iter().map(|jsd| Some((*jsd)?.sqrt())).sum();
    Evaluation {
        threshold,
        unit: a.info.unit.clone(),
        shower_start_definition: options.shower_start.name(),
        observables,
        profiles,
        correlation: correlation(a, b),
        linearity: linearity(a, b),
        channel_sums: channel_sums(a, b),
        classifier: None,
        frechet_regression_distance: None,
        regression: None,
        fidelity_score: fidelity_score.map(|sum| sum / divergences.len() as f64),
        reference: reference.summary(),
        generated: generated.summary(),
    }
}
