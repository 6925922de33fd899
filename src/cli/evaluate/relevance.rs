//! `--relevance`: which cells a regressor's energies come from.

use std::collections::HashMap;

use calogen::metrics::{Evaluation, Groups, RelevanceMap, RelevanceMaps};
use calogen::observables::Sample;
use calogen::reconstruct::{EPSILON, Relevance};
use calogen::report::FileSample;
use calogen::{Error, Result};

use crate::Global;
use crate::output::Progress;

/// How relevance is propagated.
#[derive(clap::Args)]
pub struct RelevanceArgs {
    /// Show which cells the energy of --regressor comes from: mean relevances by incident energy, propagated layer by
    /// layer (Bach et al. 2015, ε-rule)
    #[arg(long, requires = "regressor")]
    relevance: bool,
    /// ε of --relevance, in units of a layer's root mean square
    #[arg(long, value_name = "E", default_value_t = EPSILON, requires = "relevance")]
    relevance_epsilon: f32,
    /// Most showers of a file for --relevance, evenly spread over it
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "relevance", value_parser = clap::value_parser!(u64).range(1..))]
    relevance_events: u64,
}

/// A regressor that tells relevances.
pub struct Relevances {
    name: String,
    network: Relevance,
    epsilon: f32,
    events: usize,
}

impl RelevanceArgs {
    /// The regressor `name`, if relevances are asked for.
    pub fn load(&self, name: Option<&str>, global: &Global) -> Result<Option<Relevances>> {
        let Some(name) = name.filter(|_| self.relevance) else {
            return Ok(None);
        };
        let gpu = global.gpu()?;
        let network = Relevance::load(&gpu, crate::weights::find(name)?, self.relevance_epsilon)?;
        Ok(Some(Relevances {
            name: name.into(),
            network,
            epsilon: self.relevance_epsilon,
            events: self.relevance_events as usize,
        }))
    }
}

impl Relevances {
    /// Adds to each evaluation the relevances in its samples.
    pub fn add(
        &self,
        reference: &FileSample,
        generated: &[FileSample],
        evaluations: &mut [Evaluation],
    ) -> Result<()> {
        let seen = |sample: &FileSample| {
            sample
                .clone()
                .viewed(self.network.shape(), self.network.origin())
        };
        let reference = seen(reference)?;
        let incident = self.incident(&reference)?;
        for (evaluation, sample) in evaluations.iter_mut().zip(generated) {
            let sample = seen(sample)?;
            let other = self.incident(&sample)?;
            let [a, b] = [&incident, &other].map(|i| i.iter().map(|(_, e)| *e).collect::<Vec<_>>());
            let groups = Groups::of(&a, &b);
            if groups.labels.is_empty() {
                return Err(Error::Config(
                    "--relevance: no incident energy has 50 showers in both files; raise --relevance-events".into(),
                ));
            }
            let threshold = evaluation.threshold;
            evaluation.relevance = Some(RelevanceMaps {
                regressor: self.name.clone(),
                rule: "epsilon",
                epsilon: self.epsilon.into(),
                shape: self.network.shape(),
                reference: self.maps(&reference, threshold, &incident, &groups.reference)?,
                generated: self.maps(&sample, threshold, &other, &groups.generated)?,
                energies: groups.labels,
            });
        }
        Ok(())
    }

    /// Rows that are looked at, and their incident energies.
    fn incident(&self, sample: &FileSample) -> Result<Vec<(usize, f64)>> {
        let energies = sample.file().energies()?;
        let (n, count) = (energies.len(), self.events.min(energies.len()));
        let rows = (0..count).map(|i| i * n / count);
        Ok(rows.map(|row| (row, energies[row].into())).collect())
    }

    /// A mean map for each group of places in `rows`.
    fn maps(
        &self,
        sample: &FileSample,
        threshold: f64,
        rows: &[(usize, f64)],
        groups: &[Vec<usize>],
    ) -> Result<Vec<RelevanceMap>> {
        let shape = self.network.shape();
        let cells: usize = shape.iter().product();
        let wanted: HashMap<usize, usize> = groups
            .iter()
            .enumerate()
            .flat_map(|(g, places)| places.iter().map(move |&p| (rows[p].0, g)))
            .collect();
        let progress = Progress::new("relevance", "showers", sample.info().events as u64);
        let mut maps = vec![RelevanceMap::new(shape); groups.len()];
        let mut first = 0;
        for block in sample.blocks() {
            let block = block?.cut(sample.info().stored(threshold));
            let events = block.energy.len();
            let own: Vec<(usize, usize)> = (0..events)
                .filter_map(|i| Some((i, *wanted.get(&(first + i))?)))
                .collect();
            let pick = own
                .iter()
                .flat_map(|&(i, _)| &block.cells[i * cells..(i + 1) * cells]);
            let picked: Vec<f32> = pick.map(|&e| e as f32).collect();
            let found = self.network.run(&picked)?;
            for (relevances, (_, group)) in found.chunks_exact(cells).zip(own) {
                maps[group].add(relevances);
            }
            first += events;
            progress.advance(events as u64);
        }
        Ok(maps.into_iter().map(RelevanceMap::finish).collect())
    }
}
