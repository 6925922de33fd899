//! Showers as lists of the cells hit: how sparse ones leave the device, and how they are stored.

/// The hits of some showers, one shower after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    /// Where each shower's hits begin, and after the last one where they end: one more than there are showers.
    pub offsets: Vec<usize>,
    /// Cell of each hit, `(z * X + x) * Y + y`, ascending within a shower.
    pub cells: Vec<u32>,
    /// Its energy, in the unit of the cells.
    pub energies: Vec<f32>,
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
    /// The cells of showers `[N, cells]` that are not 0.
    pub fn of(showers: &[f32], cells: usize) -> Self {
        let mut hits = Self::default();
        for shower in showers.chunks_exact(cells.max(1)) {
            for (cell, &energy) in shower.iter().enumerate().filter(|(_, e)| **e != 0.0) {
                hits.cells.push(cell as u32);
                hits.energies.push(energy);
            }
            hits.offsets.push(hits.cells.len());
        }
        hits
    }

    /// Number of showers.
    pub fn showers(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Cells and energies of one shower.
    pub fn shower(&self, index: usize) -> (&[u32], &[f32]) {
        let range = self.offsets[index]..self.offsets[index + 1];
        (&self.cells[range.clone()], &self.energies[range])
    }

    /// Forgets all showers, and keeps the memory.
    pub fn clear(&mut self) {
        self.offsets.truncate(1);
        self.cells.clear();
        self.energies.clear();
    }
}
