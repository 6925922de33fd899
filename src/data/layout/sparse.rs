//! Cells that are stored as hits: `offsets` `[N+1]`, `cells` `[H]` and `energies` `[H]` instead of `layers`.

use std::ops::Range;
use std::path::Path;

use hdf5::Dataset;
use hdf5_metno as hdf5;

use super::super::h5::{self, Number};
use crate::{Error, Result};

/// Offsets that are checked at once.
const ROWS: usize = 1 << 16;

/// One of the three datasets.
#[derive(Debug)]
pub(super) struct Part {
    pub data: Dataset,
    /// Path within the file.
    pub name: String,
    pub len: usize,
}

impl Part {
    fn read<T: hdf5::H5Type>(&self, path: &Path, range: Range<usize>) -> Result<Vec<T>> {
        h5::rows(path, &self.name, &self.data, &[self.len], range)
    }
}

/// The hits of a file.
#[derive(Debug)]
pub(super) struct Sparse {
    pub offsets: Part,
    pub cells: Part,
    pub energies: Part,
    /// Cells of a shower.
    pub count: usize,
}

impl Sparse {
    /// Checks that the parts fit together and belong to `events` showers, so that what is read later is no larger than what
    /// is there.
    pub fn check(&self, path: &Path, events: usize) -> Result<()> {
        let (offsets, cells, energies) = (&self.offsets, &self.cells, &self.energies);
        let wrong = |part: &Part, what: String| {
            Err(Error::format(
                path,
                format!("dataset `{}`: {what}", part.name),
            ))
        };
        if cells.len != energies.len {
            let what = format!(
                "{} values, but `{}` has {}",
                cells.len, energies.name, energies.len
            );
            return wrong(cells, what);
        }
        if events.checked_add(1) != Some(offsets.len) {
            let what = format!(
                "{} values, expected one more than there are showers ({events})",
                offsets.len
            );
            return wrong(offsets, what);
        }
        let mut last = 0;
        for start in (0..offsets.len).step_by(ROWS) {
            let block: Vec<i64> =
                offsets.read(path, start..start.saturating_add(ROWS).min(offsets.len))?;
            for (i, &offset) in block.iter().enumerate() {
                let row = start + i;
                let hits = offset.checked_sub(last);
                if row == 0 && offset != 0 {
                    return wrong(offsets, format!("it begins with {offset}, expected 0"));
                }
                if hits.is_none_or(|hits| hits < 0) {
                    let what = format!("value {row} is {offset}, below the one before, {last}");
                    return wrong(offsets, what);
                }
                if hits.is_some_and(|hits| hits as u64 > self.count as u64) {
                    let what = format!(
                        "event {}: {} hits in {} cells",
                        row - 1,
                        offset - last,
                        self.count
                    );
                    return wrong(offsets, what);
                }
                last = offset;
            }
        }
        if last as u64 != energies.len as u64 {
            let what = format!(
                "it ends with {last}, but `{}` has {} values",
                energies.name, energies.len
            );
            return wrong(offsets, what);
        }
        Ok(())
    }

    /// Every cell of some showers.
    pub fn read<T: Number>(&self, path: &Path, range: Range<usize>) -> Result<Vec<T>> {
        let len = self.count.checked_mul(range.len());
        let mut showers = vec![T::of(0.0); h5::allocatable::<T>(path, &self.energies.name, len)?];
        if range.is_empty() {
            return Ok(showers);
        }
        let offsets: Vec<i64> = self.offsets.read(path, range.start..range.end + 1)?;
        let first = offsets[0] as usize;
        let all = first..offsets[range.len()] as usize;
        let cells: Vec<i64> = self.cells.read(path, all.clone())?;
        let energies: Vec<T> = self.energies.read(path, all)?;
        for (i, shower) in showers.chunks_exact_mut(self.count).enumerate() {
            let own = offsets[i] as usize - first..offsets[i + 1] as usize - first;
            let mut least = 0;
            for (&cell, &energy) in cells[own.clone()].iter().zip(&energies[own]) {
                if cell < least || cell as u64 >= self.count as u64 {
                    let what = format!(
                        "dataset `{}`, event {}: cell {cell}, expected ascending ones below {}",
                        self.cells.name,
                        range.start + i,
                        self.count
                    );
                    return Err(Error::format(path, what));
                }
                shower[cell as usize] = energy;
                least = cell + 1;
            }
        }
        Ok(showers)
    }
}
