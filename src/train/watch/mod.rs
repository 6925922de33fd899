//! What is watched while a system trains: every few iterations its networks are held against showers whose labels are known.
//! A generator makes showers for these labels (`generation.rs`), a regressor reconstructs the labels (`regression.rs`).
//!
//! Training takes no notice, and a figure moves only where the networks do: every look is at the same held showers.

mod generation;
mod regression;

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::generation::Generation;
use self::regression::Regression;
use super::session::Session;
use crate::data::ShowerSet;
use crate::{Error, Result};

/// What to watch. Part of a run's `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Figures by name. Of a generator see [`Figure`](crate::metrics::Figure); of a regressor `energy_mae`, the mean absolute
    /// error of the incident energy in GeV, and where it reconstructs the impact point `position_mae`, that of its
    /// coordinates in mm.
    pub figures: Vec<String>,
    /// Iterations between two looks.
    pub every: u64,
    /// Held showers of a look, evenly spread over all of them. A regressor's stay in memory.
    pub events: usize,
    /// Shower files to compare with; those of the training where there are none.
    #[serde(default)]
    pub data: Vec<PathBuf>,
    /// Their showers to compare with, counted through all files, none of them trained on. Otherwise all, and of the
    /// training's files those trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Range<usize>>,
    /// Weights of the regressor of the figure `frd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regressor: Option<PathBuf>,
    /// The figure whose least value names the best weights, which are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_best: Option<String>,
}

impl Watch {
    /// Iterations between two looks, if nobody says otherwise.
    pub const EVERY: u64 = 500;
    /// Showers of a look, if nobody says otherwise.
    pub const EVENTS: usize = 500;
    /// The showers watched are events 0, 1, .. of the seed that differs from the run's in these bits.
    pub const SEED_BITS: u64 = 0x7761_7463_6865_6400;

    /// Names of the figures, that of `keep_best` among them, and the place of that.
    fn names(&self) -> (Vec<String>, Option<usize>) {
        let mut names = self.figures.clone();
        let best = self.keep_best.as_ref().map(|best| {
            let known = names.iter().position(|name| name == best);
            known.unwrap_or_else(|| {
                names.push(best.clone());
                names.len() - 1
            })
        });
        (names, best)
    }
}

/// A figure as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Its value; `None` where there is none, as of showers that are not finite.
    pub value: Option<f64>,
    /// The reference's value, of a mean.
    pub reference: Option<f64>,
}

/// How a kind of system is looked at.
trait Look {
    /// Places of the figures that are means, beside which the reference's stand; all others are distances.
    fn means(&self) -> Vec<usize>;

    /// The figures of the networks as they are now.
    fn look(&self) -> Result<Vec<Seen>>;
}

/// Looks at a system under training, and says what of it goes to the log and what names the best weights.
pub(super) struct Watcher {
    names: Vec<String>,
    means: Vec<usize>,
    best: Option<usize>,
    look: Box<dyn Look>,
}

impl Watcher {
    /// Watches the system of `session`, comparing with showers of `held` as that sees them. A generator's random numbers are
    /// of `seed`, the run's.
    ///
    /// # Errors
    /// [`Error::Config`] if a figure is unknown or cannot be had.
    pub fn new(session: &Session, watch: &Watch, held: &ShowerSet, seed: u64) -> Result<Self> {
        if watch.every == 0 || watch.events < 2 {
            return Err(wrong("expected at least 1 iteration and 2 events"));
        }
        let (names, best) = watch.names();
        let look: Box<dyn Look> = match session.system().generates() {
            true => Box::new(Generation::new(session, watch, &names, held, seed)?),
            false => Box::new(Regression::new(
                session,
                &names,
                held.spread(watch.events)?,
            )?),
        };
        Ok(Self {
            means: look.means(),
            names,
            best,
            look,
        })
    }

    /// Columns of the log: the figures, then the reference's means.
    pub fn columns(&self) -> Vec<String> {
        let means = self.means.iter();
        let means = means.map(|&place| format!("reference_{}", self.names[place]));
        self.names.iter().cloned().chain(means).collect()
    }

    /// A row of the log.
    pub fn row(&self, seen: &[Seen]) -> Vec<Option<f64>> {
        let means = self.means.iter().map(|&place| seen[place].reference);
        seen.iter().map(|s| s.value).chain(means).collect()
    }

    /// Looks, and compares.
    pub fn look(&self) -> Result<Vec<Seen>> {
        self.look.look()
    }

    /// The value by which the best weights are kept.
    pub fn score(&self, seen: &[Seen]) -> Option<f64> {
        self.best.and_then(|place| seen[place].value)
    }

    /// The name of that figure.
    pub fn best_name(&self) -> &str {
        self.best.map_or("", |place| &self.names[place])
    }
}

/// What cannot be watched.
fn wrong(what: impl std::fmt::Display) -> Error {
    Error::Config(format!("watch: {what}"))
}
