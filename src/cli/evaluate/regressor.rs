//! `--regressor`: energies and features as a regressor finds them.

use calogen::Result;
use calogen::metrics::{Evaluation, RegressorSample, regression};
use calogen::observables::Sample;
use calogen::reconstruct::Reconstructor;
use calogen::report::FileSample;

use crate::Global;
use crate::output::Progress;

/// Which regressor is used.
#[derive(clap::Args)]
pub struct RegressorArgs {
    /// Regressor whose energies and features are compared as well: a weights file, a run's folder or a name [default:
    /// none]
    #[arg(long, value_name = "WEIGHTS")]
    regressor: Option<String>,
    /// The regressor is the name of a model of the published size with random weights of this seed: its features give a
    /// distance, its energies mean nothing [default: a trained one]
    #[arg(long, value_name = "SEED", requires = "regressor")]
    untrained: Option<u64>,
}

impl RegressorArgs {
    /// The regressor's weights as they were named.
    pub fn name(&self) -> Option<&str> {
        self.regressor.as_deref()
    }

    /// The regressor, if one was named.
    pub fn load(&self, global: &Global) -> Result<Option<Regressor>> {
        let Some(name) = &self.regressor else {
            return Ok(None);
        };
        let gpu = global.gpu()?;
        Ok(Some(match self.untrained {
            Some(seed) => Regressor {
                name: format!("{name}, untrained (seed {seed})"),
                network: Reconstructor::untrained(&gpu, name, seed)?,
            },
            None => Regressor {
                name: name.clone(),
                network: Reconstructor::load(&gpu, crate::weights::find(name)?)?,
            },
        }))
    }
}

/// A regressor that reads samples.
pub struct Regressor {
    /// As it is called in results.
    pub name: String,
    /// What it computes.
    pub network: Reconstructor,
}

impl Regressor {
    /// Adds to each evaluation what the regressor says of its samples.
    pub fn add(
        &self,
        reference: &FileSample,
        generated: &[FileSample],
        evaluations: &mut [Evaluation],
    ) -> Result<()> {
        let Some(threshold) = evaluations.first().map(|e| e.threshold) else {
            return Ok(());
        };
        let of_reference = self.run(reference, threshold)?;
        for (evaluation, sample) in evaluations.iter_mut().zip(generated) {
            let of_sample = self.run(sample, threshold)?;
            let bootstrap = evaluation.bootstrap;
            let found = regression(&self.name, &of_reference, &of_sample, bootstrap);
            evaluation.set_regression(found);
        }
        Ok(())
    }

    /// All showers of a sample, as the other figures see them.
    fn run(&self, sample: &FileSample, threshold: f64) -> Result<RegressorSample> {
        let progress = Progress::new("regressor", "showers", sample.info().events as u64);
        let seen = sample
            .clone()
            .viewed(self.network.shape(), self.network.origin())?;
        let mut all = RegressorSample::default();
        for block in seen.blocks() {
            let block = block?.cut(seen.info().stored(threshold));
            let cells: Vec<f32> = block.cells.iter().map(|&e| e as f32).collect();
            let found = self.network.run(&cells)?;
            progress.advance(block.energy.len() as u64);
            if let Some(truth) = block.position.filter(|_| !found.positions.is_empty()) {
                all.positions.extend(truth.into_iter().zip(found.positions));
            }
            all.incident.extend(block.energy);
            all.energies.extend(found.energies);
            all.features.extend(found.features);
        }
        Ok(all)
    }
}
