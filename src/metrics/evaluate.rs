//! Reads two samples and compares them.

use super::drawn::{Side, Which};
use super::figures::{Edges, Half, Halves, Pair};
use super::{AmplificationOptions, Evaluation, SampleSummary, amplification};
use crate::observables::{
    Bootstrap, Collect, EXACT_CELLS, Observables, Sample, SampleInfo, ShowerStart,
};
use crate::{Error, Result};

/// How samples are compared.
#[derive(Debug, Clone)]
pub struct Options {
    /// Energy below which a cell counts as 0, in the sample's unit; the reference's own threshold, or 0, if `None`.
    pub threshold: Option<f64>,
    /// Definition of the shower start.
    pub shower_start: ShowerStart,
    /// Cell energies kept one by one in each sample; see [`EXACT_CELLS`].
    pub exact_cells: usize,
    /// Replicas for statistical errors; none with fewer than two.
    pub bootstrap: Bootstrap,
    /// How many showers of the reference the generated ones are worth, if that is asked for.
    pub amplification: Option<AmplificationOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threshold: None,
            shower_start: ShowerStart::default(),
            exact_cells: EXACT_CELLS,
            bootstrap: Bootstrap::default(),
            amplification: None,
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
    let collect = |sample, number| {
        let how = Collect {
            threshold,
            start: options.shower_start,
            exact_cells: options.exact_cells,
            bootstrap: options.bootstrap,
            sample: number,
        };
        Observables::collect(sample, &how)
    };
    let kept = std::thread::scope(|scope| {
        let others: Vec<_> = generated
            .iter()
            .map(|&sample| scope.spawn(move || collect(sample, GENERATED)))
            .collect();
        let others =
            std::iter::once(collect(reference, REFERENCE)).chain(others.into_iter().map(joined));
        others.collect::<Result<Vec<_>>>()
    })?;
    compare_all(kept, threshold, options)
}

/// Compares what was collected of samples, all but the first with the first; they agree in geometry and unit. Cells below
/// `threshold` were counted as 0.
///
/// # Errors
/// Those of [`amplification`] if it is asked for.
pub fn compare_all(
    mut kept: Vec<Observables>,
    threshold: f64,
    options: &Options,
) -> Result<Vec<Evaluation>> {
    let spectra = || kept.iter().flat_map(|sample| &sample.halves);
    if spectra().any(|half| !half.cells.is_exact()) {
        let halves = kept.iter_mut().flat_map(|sample| &mut sample.halves);
        halves.for_each(|half| half.cells.coarsen());
    }
    let numbers = std::iter::once(REFERENCE).chain(std::iter::repeat(GENERATED));
    let sides: Vec<Side> = std::thread::scope(|scope| {
        let sides = kept.into_iter().zip(numbers);
        let sides: Vec<_> = sides
            .map(|(kept, number)| scope.spawn(move || Side::of(kept, options.bootstrap, number)))
            .collect();
        sides.into_iter().map(joined).collect()
    });
    let Some((reference, generated)) = sides.split_first() else {
        return Ok(Vec::new());
    };
    let edges = Edges::of(&sides.iter().collect::<Vec<_>>());
    let halves = [0, 1].map(|half| (reference, Which::Half(half)));
    let (figures, errors) = Pair::new(halves, &edges).compare(options.bootstrap);
    let noise = |sizes: [usize; 2]| sizes.map(|n| 1.0 / n as f64).iter().sum::<f64>();
    let halves_events = [0, 1].map(|half| reference.events(Which::Half(half)));
    let compare = |generated: &Side| {
        let pair = [reference, generated].map(|side| (side, Which::Whole));
        let sizes = pair.map(|(side, which)| side.events(which));
        let [first, second] = halves_events.map(|events| Half { events });
        let halves = Halves {
            reference: first,
            generated: second,
            noise_factor: (noise(halves_events) / noise(sizes)).sqrt(),
            figures: figures.clone(),
            errors: errors.clone(),
        };
        let pair = Pair::new(pair, &edges);
        let (figures, errors) = pair.compare(options.bootstrap);
        Ok(Evaluation {
            reference: SampleSummary::of(reference),
            generated: SampleSummary::of(generated),
            threshold,
            unit: reference.kept.info.unit.clone(),
            mip: reference.kept.info.mip,
            shower_start_definition: options.shower_start.name(),
            figures,
            fidelity_terms: pair.fidelity_terms(),
            calochallenge: None,
            classifier: None,
            frechet_regression_distance: None,
            regression: None,
            frechet_inception_distance: None,
            distances: None,
            relevance: None,
            amplification: (options.amplification.as_ref())
                .map(|o| amplification(&reference.kept, &generated.kept, o))
                .transpose()?,
            bootstrap: options.bootstrap,
            errors,
            halves: (reference.kept.events() > 1).then_some(halves),
        })
    };
    generated.iter().map(compare).collect()
}

/// Random numbers of the replicas of the reference and of those of whatever is compared with it.
const REFERENCE: u32 = 0;
const GENERATED: u32 = 1;

fn joined<T>(thread: std::thread::ScopedJoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
