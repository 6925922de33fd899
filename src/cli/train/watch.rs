//! What `calogen train` watches and keeps on request.

use std::ops::Range;
use std::path::PathBuf;

use calogen::train::{Seen, Watch};
use calogen::{Error, Result};
use serde::de::DeserializeOwned;

use crate::files::events;

/// Flags of what is looked at while a model trains. A resumed run watches what it watched before.
#[derive(clap::Args)]
#[command(next_help_heading = "Watching")]
pub struct WatchArgs {
    /// Figures to follow. Of generated showers: visible_energy, n_hits, cog_z and the other observables of a report (their
    /// means), any of them with :jsd, :w1 or :ks (its distance from held showers), fidelity_score, frd (with
    /// --watch-regressor). Of a regressor, its mean absolute errors on held showers: energy_mae (GeV) and position_mae (mm).
    /// They go to watch.csv, watch.png and watch-distances.png [default: none]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    watch: Vec<String>,
    /// Iterations between two looks [default: 500]
    #[arg(long, value_name = "K")]
    watch_every: Option<u64>,
    /// Held showers of a look, evenly spread; a generator makes as many, for their labels [default: 500]
    #[arg(long, value_name = "N")]
    watch_events: Option<usize>,
    /// Shower files to compare with, best such as are not trained on [default: the training data, evenly spread]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    watch_data: Vec<PathBuf>,
    /// Showers to compare with, of --watch-data or else of --data, from A up to and without B, counted through all files;
    /// none that --events trains on [default: all of --watch-data, or those trained on]
    #[arg(long, value_name = "A:B", value_parser = events)]
    watch_held: Option<Range<usize>>,
    /// Regressor of the figure frd: a weights file, a run's folder or a name [default: none]
    #[arg(long, value_name = "WEIGHTS")]
    watch_regressor: Option<String>,
    /// Keep the weights for which this figure was least in best.safetensors: a distance, such as fidelity_score,
    /// visible_energy:w1 or a regressor's energy_mae [default: none]
    #[arg(long, value_name = "FIGURE")]
    keep_best: Option<String>,
    /// Keep weights of every K-th epoch in epochs/, for `calogen evaluate --scan` [default: none]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    keep_every: Option<u64>,
}

impl WatchArgs {
    /// What is watched, and the epochs between weights that are kept; `recorded` is the `config.toml` of a run that goes
    /// on.
    pub fn find(
        &self,
        recorded: Option<&serde_json::Value>,
    ) -> Result<(Option<Watch>, Option<u64>)> {
        let keep_every = self
            .keep_every
            .map_or_else(|| read(recorded, "keep_every"), |k| Ok(Some(k)))?;
        let given = !self.watch.is_empty() || self.keep_best.is_some();
        let details = self.watch_every.is_some()
            || self.watch_events.is_some()
            || !self.watch_data.is_empty()
            || self.watch_held.is_some()
            || self.watch_regressor.is_some();
        if !given && details {
            return Err(Error::Config(
                "nothing is watched: name figures with --watch".into(),
            ));
        }
        if !given {
            return Ok((read(recorded, "watch")?, keep_every));
        }
        let regressor = match &self.watch_regressor {
            Some(name) => Some(crate::weights::find(name)?),
            None => None,
        };
        let watch = Watch {
            figures: self.watch.clone(),
            every: self.watch_every.unwrap_or(Watch::EVERY),
            events: self.watch_events.unwrap_or(Watch::EVENTS),
            data: self.watch_data.clone(),
            held: self.watch_held.clone(),
            regressor,
            keep_best: self.keep_best.clone(),
        };
        Ok((Some(watch), keep_every))
    }
}

fn read<T: DeserializeOwned>(recorded: Option<&serde_json::Value>, key: &str) -> Result<Option<T>> {
    match recorded.and_then(|r| r.get(key)) {
        None => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|e| Error::Config(format!("config.toml of the run: {key}: {e}"))),
    }
}

/// One line of what was seen.
pub fn line(iteration: u64, seen: &[Seen], best: bool) -> String {
    let number = |v: Option<f64>| v.map_or("-".into(), |v| format!("{v:.4}"));
    let each = seen.iter().map(|s| match s.reference {
        Some(reference) => format!("{} {} (held {reference:.4})", s.name, number(s.value)),
        None => format!("{} {}", s.name, number(s.value)),
    });
    let best = if best { "; the best so far" } else { "" };
    format!(
        "after {iteration}: {}{best}",
        each.collect::<Vec<_>>().join(", ")
    )
}
