//! Labels of events: what showers are generated for.

use super::Generator;
use crate::models::{Condition, Conditioning};
use crate::ops::random;
use crate::{Error, Result};

/// Streams of labels that are drawn, apart from those of the networks' noise.
const LABEL_STREAM: u32 = 0x4000_0000;

/// Labels of some events, `[events, labels]`, in the order of [`Generator::label_names`].
#[derive(Clone, Debug, PartialEq)]
pub struct LabelRows {
    /// Row by row.
    pub values: Vec<f32>,
    /// Labels in a row.
    pub columns: usize,
}

impl LabelRows {
    /// Number of events.
    pub fn events(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    /// Labels of one event.
    pub fn row(&self, event: usize) -> &[f32] {
        &self.values[event * self.columns..][..self.columns]
    }
}

/// A label that the training data did not cover. Showers are generated for it all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside<'a> {
    /// Index of the event among the labels given.
    pub event: usize,
    /// Its value.
    pub value: f32,
    /// The label and its range in training.
    pub condition: &'a Condition,
}

impl std::fmt::Display for Outside<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let c = self.condition;
        write!(
            f,
            "{} outside the training range, {} to {} {}: {}",
            c.name, c.min, c.max, c.unit, self.value
        )
    }
}

impl Generator {
    /// Labels for events of the given energies (GeV), from event `first_event` of `seed` on. Other labels are drawn
    /// uniformly from their range in the training data, by (seed, event). An unconditional system takes no notice of the
    /// energy, for which 0 says that there is none.
    ///
    /// # Errors
    /// [`Error::Config`] if an energy is not a finite number above 0, or if the labels belong together
    /// ([`Conditioning::Joint`]): then [`LabelRows`] must come from particles that exist.
    pub fn labels(&self, energies: &[f32], seed: u64, first_event: u64) -> Result<LabelRows> {
        let columns = self.metadata.conditions.len();
        let unconditional = match self.conditioning() {
            Conditioning::Free => false,
            Conditioning::Unconditional => true,
            Conditioning::Joint => {
                return Err(Error::Config(format!(
                    "{} makes showers of whole particles: {} belong together and are not drawn one by one",
                    self.metadata.model,
                    self.label_names().join(", ")
                )));
            }
        };
        let mut values = Vec::with_capacity(energies.len() * columns);
        for (i, &energy) in energies.iter().enumerate() {
            if !(energy.is_finite() && (energy > 0.0 || unconditional && energy == 0.0)) {
                return Err(Error::Config(format!(
                    "event {i}: incident energy {energy} GeV; it must be above 0"
                )));
            }
            for (column, condition) in self.metadata.conditions.iter().enumerate() {
                values.push(if column == 0 {
                    energy
                } else {
                    let u =
                        random::uniform(seed, LABEL_STREAM, first_event + i as u64, column as u32);
                    condition.min + u * (condition.max - condition.min)
                });
            }
        }
        Ok(LabelRows { values, columns })
    }

    /// Labels that lie outside the range of the training data, in order: none for an unconditional system, which takes no
    /// notice of them. The ranges themselves are the `conditions` of [`metadata`](Self::metadata).
    pub fn outside<'a>(&'a self, labels: &'a LabelRows) -> impl Iterator<Item = Outside<'a>> {
        let trained = match self.conditioning() {
            Conditioning::Unconditional => &[][..],
            _ => &self.metadata.conditions,
        };
        let rows = labels.values.chunks_exact(labels.columns.max(1));
        rows.enumerate().flat_map(move |(event, row)| {
            let pairs = row.iter().zip(trained);
            pairs.filter_map(move |(&value, condition)| {
                let outside = value < condition.min || value > condition.max;
                outside.then_some(Outside {
                    event,
                    value,
                    condition,
                })
            })
        })
    }

    pub(super) fn check(&self, labels: &LabelRows) -> Result<()> {
        let names = self.label_names();
        if labels.columns != names.len()
            || !labels.values.len().is_multiple_of(labels.columns.max(1))
        {
            return Err(Error::Config(format!(
                "each event needs the labels {}",
                names.join(", ")
            )));
        }
        match labels.values.iter().position(|v| !v.is_finite()) {
            Some(i) => {
                let (event, name) = (i / labels.columns, &names[i % labels.columns]);
                Err(Error::Config(format!(
                    "event {event}: {name} is {}",
                    labels.values[i]
                )))
            }
            None => Ok(()),
        }
    }
}
