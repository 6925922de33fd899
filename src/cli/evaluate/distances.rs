//! `--distances`: distances over high-level features.

use calogen::Result;
use calogen::metrics::{DISTANCE_PARTS, Evaluation, distances};
use calogen::observables::{Features, INCIDENT, Sample};
use calogen::report::FileSample;

use crate::output::Progress;

/// Whether and how distances over features are computed.
#[derive(clap::Args)]
pub struct DistanceArgs {
    /// Add distances over high-level features: Fréchet and kernel physics distance, maximum mean discrepancy, precision,
    /// recall, density and coverage
    #[arg(long)]
    pub distances: bool,
    /// Seed of what is drawn: batches of distances, split, weights and order of classifiers
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

impl DistanceArgs {
    /// Adds them to each evaluation, if asked for.
    pub fn add(
        &self,
        reference: &FileSample,
        generated: &[FileSample],
        evaluations: &mut [Evaluation],
    ) -> Result<()> {
        let (true, Some(first)) = (self.distances, evaluations.first()) else {
            return Ok(());
        };
        let generated: Vec<&dyn Sample> = generated.iter().map(|s| s as &dyn Sample).collect();
        let (reference, generated) = high_level(reference, &generated, first.threshold)?;
        let parts = DISTANCE_PARTS * (1 + generated.len() as u64);
        let progress = Progress::new("distances", "parts", parts);
        let found = distances(&reference, &generated, self.seed, &|| progress.advance(1));
        for (evaluation, found) in evaluations.iter_mut().zip(found) {
            evaluation.distances = Some(found);
        }
        Ok(())
    }
}

/// Features of the reference and of all generated samples. Where a sample does not know its incident energies, which an
/// unconditional model records as 0, no sample has that feature.
pub fn high_level(
    reference: &dyn Sample,
    generated: &[&dyn Sample],
    threshold: f64,
) -> Result<(Features, Vec<Features>)> {
    let reference = Features::high_level(reference, threshold)?;
    let generated = generated
        .iter()
        .map(|&sample| Features::high_level(sample, threshold));
    let generated: Vec<Features> = generated.collect::<Result<_>>()?;
    let known = reference.knows_incident() && generated.iter().all(Features::knows_incident);
    let without = |f: Features| if known { f } else { f.without(INCIDENT) };
    Ok((
        without(reference),
        generated.into_iter().map(without).collect(),
    ))
}
