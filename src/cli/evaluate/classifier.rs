//! `--classifier`: a network trained to tell the files apart.

use calogen::classify::{Inputs, Options, Rows, classify};
use calogen::gpu::Gpu;
use calogen::metrics::{Classifier, Evaluation};
use calogen::report::FileSample;
use calogen::{Error, Result};
use clap::ValueEnum;

use crate::Global;
use crate::output::Progress;

/// Which classifier is trained.
#[derive(clap::Args)]
pub struct ClassifierArgs {
    /// Train a network to tell generated showers from the reference, and another for two halves of the reference: area
    /// under its curve on showers held out. Inputs are cells over the incident energy (`low`), cells over their layer's
    /// energy (`low-normed`) or high-level features (`high`) [default: none; high if no inputs are named]
    #[arg(long, value_name = "INPUTS", num_args = 0..=1, default_missing_value = "high")]
    classifier: Option<Kind>,
    /// Width of each of the classifier's three hidden layers [default: 2048 for 80,000 showers a sample or more, as
    /// published, else 256]
    #[arg(long, value_name = "N", requires = "classifier", value_parser = clap::value_parser!(u64).range(1..))]
    classifier_width: Option<u64>,
    /// Epochs of the classifier's training [default: 50]
    #[arg(long, value_name = "N", requires = "classifier", value_parser = clap::value_parser!(u64).range(1..))]
    classifier_epochs: Option<u64>,
    /// Showers in a batch of the classifier's training [default: 1000 for 80,000 showers a sample or more, as published,
    /// else 100]
    #[arg(long, value_name = "N", requires = "classifier", value_parser = clap::value_parser!(u64).range(1..))]
    classifier_batch: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Low,
    LowNormed,
    High,
}

impl From<Kind> for Inputs {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Low => Self::Low,
            Kind::LowNormed => Self::LowNormed,
            Kind::High => Self::High,
        }
    }
}

impl ClassifierArgs {
    /// The device, if a classifier was asked for.
    pub fn open(&self, global: &Global) -> Result<Option<std::sync::Arc<Gpu>>> {
        let asked = self.classifier.map(|_| global.gpu());
        asked.transpose()
    }

    /// Trains the classifiers and adds what they say to each evaluation.
    pub fn add(
        &self,
        gpu: &std::sync::Arc<Gpu>,
        reference: &FileSample,
        generated: &[FileSample],
        seed: u64,
        evaluations: &mut [Evaluation],
    ) -> Result<()> {
        let (Some(kind), Some(first)) = (self.classifier, evaluations.first()) else {
            return Ok(());
        };
        let (inputs, threshold) = (Inputs::from(kind), first.threshold);
        let samples = std::iter::once(reference).chain(generated);
        let mut rows: Vec<Rows> = samples
            .map(|sample| inputs.rows(sample, threshold))
            .collect::<Result<_>>()?;
        // An unconditional model records no incident energies: its showers are not to be told apart by those.
        if !rows.iter().all(|r| r.knows_incident) {
            rows = rows.into_iter().map(Rows::without_incident).collect();
        }
        let Some((reference, generated)) = rows.split_first() else {
            return Ok(());
        };
        let options = |a: &Rows, b: &Rows| self.options(a.events().min(b.events()), inputs, seed);
        let [first, second] = reference.halves();
        let mut pairs = vec![(&first, &second)];
        pairs.extend(generated.iter().map(|g| (reference, g)));
        let epochs = pairs.iter().map(|(a, b)| options(a, b).epochs as u64).sum();
        let progress = Progress::new("classifier", "epochs", epochs);
        let mut found = Vec::with_capacity(pairs.len());
        for (a, b) in pairs {
            // The second half stands for generated showers.
            found.push(classify(gpu, a, b, &options(a, b), &|| {
                progress.advance(1)
            })?);
        }
        let mut found = found.into_iter();
        let missing = || Error::Config("no classifier was trained".into());
        let halves = found.next().ok_or_else(missing)?;
        for ((evaluation, separation), rows) in evaluations.iter_mut().zip(found).zip(generated) {
            let options = options(reference, rows);
            evaluation.classifier = Some(Classifier {
                generated: separation,
                reference_halves: halves.clone(),
                inputs: inputs.name(),
                features: rows.width,
                width: options.width,
                epochs: options.epochs,
                batch: options.batch,
                learning_rate: options.learning_rate,
                seed,
            });
        }
        Ok(())
    }

    fn options(&self, events: usize, inputs: Inputs, seed: u64) -> Options {
        let default = Options::for_events(events);
        let or = |given: Option<u64>, default: usize| given.map_or(default, |n| n as usize);
        Options {
            width: or(self.classifier_width, default.width),
            epochs: or(self.classifier_epochs, default.epochs),
            batch: or(self.classifier_batch, default.batch),
            seed,
            standardise: inputs == Inputs::High,
            ..default
        }
    }
}
