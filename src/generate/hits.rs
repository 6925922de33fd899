//! Showers as lists of the cells hit.

use super::{Generator, LabelRows, Shower};
use crate::{Error, Result};

/// The hits of some showers, one shower after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    /// Where each shower's hits begin, and after the last one where they end: one more than there are showers.
    pub offsets: Vec<usize>,
    /// Cell of each hit, `(z * X + x) * Y + y`, ascending within a shower.
    pub cells: Vec<u32>,
    /// Its energy, in the unit of the cells, above 0.
    pub energies: Vec<f32>,
}

/// The hits of one shower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitsOf<'a> {
    /// Its number among the events of the seed.
    pub event: u64,
    /// Its labels, the incident energy in GeV first.
    pub labels: &'a [f32],
    /// Cell of each hit, as in [`Hits`].
    pub cells: &'a [u32],
    /// Its energy.
    pub energies: &'a [f32],
}

impl Default for Hits {
    fn default() -> Self {
        Self {
            offsets: vec![0],
            cells: Vec::new(),
            energies: Vec::new(),
        }
    }
}

impl Hits {
    /// Number of showers.
    pub fn showers(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Cells and energies of one shower.
    pub fn shower(&self, index: usize) -> (&[u32], &[f32]) {
        let range = self.offsets[index]..self.offsets[index + 1];
        (&self.cells[range.clone()], &self.energies[range])
    }

    /// Appends a shower's cells that are above 0.
    fn push(&mut self, shower: &[f32]) {
        for (cell, &energy) in shower.iter().enumerate() {
            if energy > 0.0 {
                self.cells.push(cell as u32);
                self.energies.push(energy);
            }
        }
        self.offsets.push(self.cells.len());
    }

    fn clear(&mut self) {
        self.offsets.truncate(1);
        self.cells.clear();
        self.energies.clear();
    }
}

impl Generator {
    /// The hits of the showers that [`generate`](Self::generate) makes: cells above 0 and not below the
    /// [threshold](Self::set_threshold).
    ///
    /// ```no_run
    /// # use calogen::{generate::Generator, gpu::Gpu};
    /// # let mut generator = Generator::load(&Gpu::open(None)?, "hgcal.safetensors")?;
    /// generator.set_threshold(0.05); // in the unit of the cells
    /// let labels = generator.labels(&[20.0, 50.0], 1, 0)?;
    /// let hits = generator.hits(&labels, 1, 0)?;
    /// let (cells, energies) = hits.shower(1);
    /// for (&cell, energy) in cells.iter().zip(energies) {
    ///     let [z, x, y] = generator.cell(cell);
    ///     println!("layer {z}, cell ({x}, {y}): {energy} {}", generator.metadata().unit);
    /// }
    /// # Ok::<(), calogen::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub fn hits(&mut self, labels: &LabelRows, seed: u64, first_event: u64) -> Result<Hits> {
        let mut hits = Hits::default();
        self.countable()?;
        self.for_each(labels, seed, first_event, |shower| {
            hits.push(shower.cells);
            Ok(())
        })?;
        Ok(hits)
    }

    /// Gives the hits of each shower to `take`, in order and in constant memory.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub fn for_each_hits(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
        mut take: impl FnMut(HitsOf<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut hits = Hits::default();
        self.countable()?;
        self.for_each(labels, seed, first_event, |shower: Shower<'_>| {
            hits.clear();
            hits.push(shower.cells);
            take(HitsOf {
                event: shower.event,
                labels: shower.labels,
                cells: &hits.cells,
                energies: &hits.energies,
            })
        })
    }

    /// Layer and transverse indices (z, x, y) of a hit's cell.
    pub fn cell(&self, index: u32) -> [usize; 3] {
        let [_, x, y] = self.shape();
        let index = index as usize;
        [index / (x * y), index / y % x, index % y]
    }

    fn countable(&self) -> Result<()> {
        match u32::try_from(self.cells()) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Config(format!(
                "a shower of {} cells has no 32-bit index of a cell",
                self.cells()
            ))),
        }
    }
}
