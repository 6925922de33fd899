//! Where the columns of a shower file stand, and whether they fit together, whatever its format.
//!
//! All that can be said without reading cells is said here, so that a file that opens fails later only for what its
//! cells hold.

mod hdf5;
mod npz;
mod sparse;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ::hdf5_metno::Dataset;

use self::sparse::Sparse;
use super::binning::Voxels;
use super::h5::Number;
use super::npz::{Array, is_zip};
use super::{ShowerInfo, h5};
use crate::Result;
use crate::geometry::{CaloChallenge, PolarLayer, regular_shape};

/// The columns of one shower file.
#[derive(Debug)]
pub(super) struct Layout {
    pub layers: Column,
    pub energy: Column,
    pub position: Option<Column>,
    pub conditions: Option<Column>,
    pub events: usize,
    pub info: ShowerInfo,
    /// The threshold in the precision in which the file has it.
    pub threshold: Option<f64>,
    /// Whether cells are stored in double precision.
    pub double: bool,
    /// Rows of `layers` that stand packed together.
    pub chunk: Option<usize>,
    /// Whether cells are stored as hits.
    pub sparse: bool,
}

impl Layout {
    /// Looks at a file; which format it has is seen from its first bytes.
    pub fn of(path: &Path, voxels: &Voxels) -> Result<Self> {
        // A pair of files is named by both.
        if is_zip(path) || (!path.exists() && npz::pair(path).is_some()) {
            npz::layout(path, voxels)
        } else {
            hdf5::layout(path, voxels)
        }
    }
}

/// Numbers by event.
#[derive(Debug)]
pub(super) struct Column {
    /// As it is called in the file: `30x30/layers`.
    pub name: String,
    values: Values,
    /// By what the stored numbers are multiplied, number by number over and over; as they are if empty.
    factors: Vec<f64>,
}

#[derive(Debug)]
enum Values {
    Dataset(Dataset, Vec<usize>),
    Sparse(Box<Sparse>),
    Array {
        array: Box<Array>,
        /// The values of a row that are taken; all if none.
        pick: Option<Vec<usize>>,
        /// The rows that are taken, ascending; all if none.
        rows: Option<Arc<[usize]>>,
    },
}

impl Column {
    fn dataset(name: String, data: Dataset, dims: Vec<usize>) -> Self {
        Self {
            name,
            values: Values::Dataset(data, dims),
            factors: Vec::new(),
        }
    }

    fn sparse(hits: Sparse) -> Self {
        Self {
            name: hits.energies.name.clone(),
            values: Values::Sparse(Box::new(hits)),
            factors: Vec::new(),
        }
    }

    fn array(array: Array, pick: Option<Vec<usize>>, rows: Option<Arc<[usize]>>) -> Self {
        Self {
            name: array.key.clone(),
            values: Values::Array {
                array: Box::new(array),
                pick,
                rows,
            },
            factors: Vec::new(),
        }
    }

    /// The same numbers, each of a row multiplied by its factor.
    fn converted(self, factors: Vec<f64>) -> Self {
        Self { factors, ..self }
    }

    /// The numbers of some events, which the column has.
    pub fn read<T: Number>(&self, path: &Path, range: Range<usize>) -> Result<Vec<T>> {
        if self.factors.is_empty() {
            return self.stored(path, range);
        }
        let values: Vec<f64> = self.stored(path, range)?;
        let factors = self.factors.iter().cycle();
        Ok(values
            .iter()
            .zip(factors)
            .map(|(v, f)| T::of(v * f))
            .collect())
    }

    /// These numbers as the file has them.
    fn stored<T: Number>(&self, path: &Path, range: Range<usize>) -> Result<Vec<T>> {
        match &self.values {
            Values::Dataset(data, dims) => h5::rows(path, &self.name, data, dims, range),
            Values::Sparse(hits) => hits.read(path, range),
            Values::Array { array, pick, rows } => {
                let row = match pick {
                    Some(pick) => Some(pick.len()),
                    None => array.dims()[1..]
                        .iter()
                        .try_fold(1usize, |n, &d| n.checked_mul(d)),
                };
                let len = row.and_then(|row| row.checked_mul(range.len()));
                let mut out = Vec::with_capacity(h5::allocatable::<T>(path, &self.name, len)?);
                let mut read = |rows| array.read(rows, pick.as_deref(), T::of, &mut out);
                match rows {
                    Some(rows) => {
                        for run in rows[range].chunk_by(|a, b| a + 1 == *b) {
                            read(run[0]..run[run.len() - 1] + 1)?;
                        }
                    }
                    None => read(range)?,
                }
                Ok(out)
            }
        }
    }
}

/// Shape [Z,X,Y] of `count` voxels in a row and their layers: [Z, α, r] where all layers are divided alike, else one
/// row.
fn arrange(
    count: usize,
    voxels: &Voxels,
) -> std::result::Result<([usize; 3], Option<Vec<PolarLayer>>), String> {
    let layers = match voxels {
        Voxels::Layers(layers) => layers.clone(),
        Voxels::Unknown => return Ok(([1, 1, count], None)),
        Voxels::Recognised => CaloChallenge::of_voxels(count)
            .ok_or_else(|| {
                let known = CaloChallenge::ALL.map(|set| set.voxels().to_string());
                format!(
                    "{count} voxels are those of no data set of the CaloChallenge ({}); give its binning file",
                    known.join(", ")
                )
            })?
            .layers(),
    };
    let expected = layers.iter().try_fold(0usize, |sum, l| {
        sum.checked_add(l.r_bins().checked_mul(l.alpha_bins)?)
    });
    match expected == Some(count) {
        true => Ok((
            regular_shape(&layers).unwrap_or([1, 1, count]),
            Some(layers),
        )),
        false => Err(format!(
            "{count} voxels, but the binning has {}",
            expected.map_or("more than can be counted".into(), |n| n.to_string())
        )),
    }
}
