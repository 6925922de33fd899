//! High-level features of voxels in r and α, where the showers have them.

use calogen::Result;
use calogen::metrics::{Evaluation, HighLevelReference};
use calogen::observables::Sample;
use calogen::report::FileSample;

use super::Counted;
use crate::output::Progress;

/// Adds to each evaluation how its samples compare in the features of the CaloChallenge; nothing for grids.
pub fn add(
    reference: &FileSample,
    generated: &[FileSample],
    evaluations: &mut [Evaluation],
) -> Result<()> {
    let Some(threshold) = evaluations.first().map(|e| e.threshold) else {
        return Ok(());
    };
    if reference.info().geometry.grid().is_some() {
        return Ok(());
    }
    let showers = |sample: &FileSample| sample.info().events as u64;
    // The reference is read twice.
    let total = 2 * showers(reference) + generated.iter().map(showers).sum::<u64>();
    let progress = Progress::new("features", "showers", total);
    let counted = |sample| Counted {
        sample,
        progress: &progress,
    };
    let reference = HighLevelReference::collect(&counted(reference), threshold)?;
    for (evaluation, sample) in evaluations.iter_mut().zip(generated) {
        let found = reference.compare(&counted(sample), evaluation.bootstrap)?;
        evaluation.calochallenge = Some(found);
    }
    Ok(())
}
