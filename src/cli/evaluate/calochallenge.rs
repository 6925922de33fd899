//! High-level features of voxels in r and α, where the showers have them.

use calogen::Result;
use calogen::metrics::{Evaluation, high_level};
use calogen::observables::{PolarFeatures, Sample};
use calogen::report::FileSample;

use super::Counted;
use crate::output::Progress;

/// Adds to each evaluation how its samples compare in the features of the CaloChallenge; nothing for grids.
pub fn add(
    reference: &FileSample,
    generated: &[FileSample],
    evaluations: &mut [Evaluation],
) -> Result<()> {
    let geometry = &reference.info().geometry;
    let Some(threshold) = evaluations.first().map(|e| e.threshold) else {
        return Ok(());
    };
    if geometry.grid().is_some() {
        return Ok(());
    }
    let showers = |sample: &FileSample| sample.info().events as u64;
    let total = showers(reference) + generated.iter().map(showers).sum::<u64>();
    let progress = Progress::new("features", "showers", total);
    let collect = |sample| {
        let progress = &progress;
        PolarFeatures::collect(&Counted { sample, progress }, threshold)
    };
    let of_reference = collect(reference)?;
    for (evaluation, sample) in evaluations.iter_mut().zip(generated) {
        let found = high_level(geometry, threshold, &of_reference, &collect(sample)?);
        evaluation.calochallenge = Some(found);
    }
    Ok(())
}
