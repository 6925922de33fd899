//! Labels of events: what showers are generated for.

use std::path::Path;

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

    /// The columns `names` of a table (.csv) whose first line names its columns, with commas between.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] naming the column that is missing, or the line and column without a finite number.
    pub fn read_csv(path: impl AsRef<Path>, names: &[String]) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        // Some spreadsheets begin a text with a mark of its encoding.
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = (text.lines().enumerate()).filter(|(_, line)| !line.trim().is_empty());
        let (_, head) = lines.next().unwrap_or_default();
        let columns: Vec<&str> = head.split(',').map(str::trim).collect();
        let place = |name: &String| {
            columns.iter().position(|c| c == name).ok_or_else(|| {
                let (found, needed) = (columns.join(", "), names.join(", "));
                let what = format!("no column '{name}' among {found}; the model needs {needed}");
                Error::format(path, what)
            })
        };
        let places: Vec<usize> = names.iter().map(place).collect::<Result<_>>()?;
        let mut values = Vec::new();
        for (number, line) in lines {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            if cells.len() > columns.len() {
                let (line, found, named) = (number + 1, cells.len(), columns.len());
                let what = format!("line {line}: {found} columns, of which {named} have names");
                return Err(Error::format(path, what));
            }
            for (&place, name) in places.iter().zip(names) {
                let cell = cells.get(place).copied().unwrap_or_default();
                let value = cell.parse().ok().filter(|v: &f32| v.is_finite());
                values.push(value.ok_or_else(|| {
                    let line = number + 1;
                    let what = format!("line {line}: {name} is '{cell}', expected a number");
                    Error::format(path, what)
                })?);
            }
        }
        if values.is_empty() {
            return Err(Error::format(
                path,
                "no line below the names of the columns",
            ));
        }
        Ok(Self {
            values,
            columns: names.len(),
        })
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
        let given = self.conditioning() != Conditioning::Unconditional;
        let wrong = |(i, value): &(usize, &f32)| {
            let energy = given && names[i % labels.columns] == "energy";
            !value.is_finite() || energy && **value <= 0.0
        };
        match labels.values.iter().enumerate().find(wrong) {
            Some((i, value)) => {
                let (event, name) = (i / labels.columns, &names[i % labels.columns]);
                Err(Error::Config(format!("event {event}: {name} is {value}")))
            }
            None => Ok(()),
        }
    }
}
