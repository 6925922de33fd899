//! Reads two samples and compares them.

use super::{
    Comparison, Evaluation, Histogram, Moments, Profile, SampleSummary, channel_sums, correlation,
    jensen_shannon, kolmogorov_smirnov, linearity, profiles, wasserstein1,
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
    agree(reference.info(), generated.info())?;
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
    let (reference, generated) = std::thread::scope(|scope| {
        let second = scope.spawn(|| collect(generated));
        let first = collect(reference);
        (
            first,
            second
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        )
    });
    Ok(compare(
        reference?,
        generated?,
        threshold,
        options.shower_start,
    ))
}

/// Whether the samples can be compared at all.
fn agree(reference: &SampleInfo, generated: &SampleInfo) -> Result<()> {
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

/// Compares what was kept of two samples of one geometry and unit.
fn compare(
    mut reference: Observables,
    mut generated: Observables,
    threshold: f64,
    shower_start: ShowerStart,
) -> Evaluation {
    let mut observables: Vec<Comparison> = reference
        .columns
        .iter()
        .zip(&generated.columns)
        .map(|(a, b)| column(&a.name, &a.values, &b.values))
        .collect();
    observables.insert(2, cell_energy(&mut reference, &mut generated));
    let profiles = profiles(&reference, &generated);
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
        unit: reference.info.unit.clone(),
        shower_start_definition: shower_start.name(),
        observables,
        profiles,
        correlation: correlation(&reference, &generated),
        linearity: linearity(&reference, &generated),
        channel_sums: channel_sums(&reference, &generated),
        classifier: None,
        frechet_regression_distance: None,
        fidelity_score: fidelity_score.map(|sum| sum / divergences.len() as f64),
        reference: summary(reference),
        generated: summary(generated),
    }
}

fn column(name: &str, reference: &[f64], generated: &[f64]) -> Comparison {
    let moments = (Moments::of(reference), Moments::of(generated));
    let (a, b) = (
        Sorted::new(reference.to_vec()),
        Sorted::new(generated.to_vec()),
    );
    let histogram = Histogram::linear(&a, &b, BINS);
    distances(name, moments, &a, &b, histogram)
}

fn cell_energy(reference: &mut Observables, generated: &mut Observables) -> Comparison {
    let (a, b) = (&mut reference.cells, &mut generated.cells);
    if a.is_exact() != b.is_exact() {
        a.coarsen();
        b.coarsen();
    }
    let moments = (Moments::from(a.moments()), Moments::from(b.moments()));
    let [a, b] = [a, b].map(|cells| std::mem::replace(cells, Spectrum::new(0)).into_sorted());
    let histogram = Histogram::log10(&a, &b, CELL_BINS);
    distances("cell_energy", moments, &a, &b, histogram)
}

fn distances(
    name: &str,
    (reference, generated): (Moments, Moments),
    a: &Sorted,
    b: &Sorted,
    histogram: Option<Histogram>,
) -> Comparison {
    let counts = |counts: &[u64]| counts.iter().map(|&n| n as f64).collect::<Vec<_>>();
    let jsd = histogram
        .as_ref()
        .and_then(|h| jensen_shannon(&counts(&h.reference), &counts(&h.generated)));
    Comparison {
        name: name.into(),
        reference,
        generated,
        jsd,
        wasserstein1: wasserstein1(a, b),
        ks: kolmogorov_smirnov(a, b),
        histogram,
    }
}

fn summary(sample: Observables) -> SampleSummary {
    SampleSummary {
        mean_shower: sample.mean_shower(),
        events: sample.events(),
        geometry: sample.info.geometry,
        file: sample.info.file,
    }
}
