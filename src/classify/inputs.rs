//! What a classifier sees of a shower.

use crate::observables::{Features, Geometry, INCIDENT, LOG_OFFSET, Sample, halves};
use crate::{Error, Result};

/// Kinds of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// log10 of the incident energy; each cell over the incident energy.
    Low,
    /// log10 of the incident energy; each cell over its layer's energy; log10 of the layers' energies.
    LowNormed,
    /// High-level features: [`Features::high_level`].
    High,
}

/// Inputs of a sample's showers.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Inputs of a shower.
    pub width: usize,
    /// Shower by shower.
    pub values: Vec<f32>,
    /// Whether the first input is log10 of the incident energy and every shower says it.
    pub knows_incident: bool,
}

impl Rows {
    /// Number of showers.
    pub fn events(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// The inputs of shower `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..][..self.width]
    }

    /// Its halves: see [`half`](crate::observables::half).
    pub fn halves(&self) -> [Self; 2] {
        halves(self.events()).map(|half| Self {
            values: half.iter().flat_map(|&i| self.row(i)).copied().collect(),
            ..*self
        })
    }

    /// The same without the incident energy, the first input.
    pub fn without_incident(self) -> Self {
        let rest = self
            .values
            .chunks_exact(self.width)
            .flat_map(|row| &row[1..]);
        Self {
            width: self.width - 1,
            values: rest.copied().collect(),
            knows_incident: false,
        }
    }
}

impl Inputs {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::LowNormed => "low-normed",
            Self::High => "high",
        }
    }

    /// The inputs of all showers; cells below `threshold`, compared as stored, count as 0.
    ///
    /// # Errors
    /// What reading gives; [`Error::Format`] where cells are to be divided by an incident energy that is 0 or less;
    /// [`Error::NotFinite`] naming a shower with an input that is not finite.
    pub fn rows(self, sample: &dyn Sample, threshold: f64) -> Result<Rows> {
        let rows = match self {
            Self::High => {
                let features = Features::high_level(sample, threshold)?;
                Rows {
                    width: features.width(),
                    knows_incident: features.names.first().is_some_and(|n| n == INCIDENT)
                        && features.knows_incident(),
                    values: features.rows.iter().map(|v| *v as f32).collect(),
                }
            }
            _ => self.cells(sample, threshold)?,
        };
        match rows.values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(Error::NotFinite(format!(
                "{}: shower {} gives a classifier's input that is {}",
                sample.info().file,
                i / rows.width,
                rows.values[i]
            ))),
            None => Ok(rows),
        }
    }

    fn cells(self, sample: &dyn Sample, threshold: f64) -> Result<Rows> {
        let info = sample.info();
        let (threshold, geometry) = (info.stored(threshold), &info.geometry);
        let layers = geometry.layers();
        let normed = self == Self::LowNormed;
        let width = 1 + geometry.cells() + if normed { layers } else { 0 };
        let mut values = Vec::with_capacity(width * info.events);
        let mut knows_incident = true;
        // Both energies of the CaloChallenge are in MeV there.
        let unit = match geometry {
            Geometry::Grid(_) => 1.0,
            Geometry::Polar(_) => 1e3,
        };
        for block in sample.blocks() {
            let block = block?.cut(threshold);
            for (shower, &incident) in
                (block.cells.chunks_exact(geometry.cells())).zip(&block.energy)
            {
                knows_incident &= incident > LOG_OFFSET;
                if !normed && !knows_incident {
                    let what = format!(
                        "shower {} has an incident energy of {incident} GeV, by which its cells cannot be divided: choose \
                         the inputs low-normed or high",
                        values.len() / width
                    );
                    return Err(Error::format(&info.file, what));
                }
                values.push((incident * unit).max(LOG_OFFSET).log10() as f32);
                let mut rest = shower;
                let mut energies = Vec::with_capacity(layers);
                for layer in 0..layers {
                    let cells;
                    (cells, rest) = rest.split_at(geometry.layer_cells(layer));
                    let energy: f64 = cells.iter().sum();
                    let over = if normed {
                        energy + 1e-16
                    } else {
                        incident * unit
                    };
                    values.extend(cells.iter().map(|e| (e / over) as f32));
                    energies.push((energy + LOG_OFFSET).log10() as f32);
                }
                if normed {
                    values.append(&mut energies);
                }
            }
        }
        Ok(Rows {
            width,
            values,
            knows_incident,
        })
    }
}
