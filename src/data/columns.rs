//! The datasets of a file that is being written.

use std::ops::Range;

use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, File, Group, H5Type, Location};
use hdf5_metno as hdf5;
use ndarray::ArrayView;

use super::{Labels, ShowerInfo, h5};
use crate::geometry::CaloChallenge;

/// Bytes of cells in a chunk, and rows of labels in a chunk.
const CHUNK_BYTES: usize = 1 << 20;
const LABEL_ROWS: usize = 1024;
/// Hits in a chunk.
const CHUNK_HITS: usize = 1 << 17;

/// How cells are stored in a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Only cells that are not 0, in `offsets` `[N+1]`, `cells` `[H]` and `energies` `[H]`: cells `offsets[i]` to
    /// `offsets[i+1]` are those of shower i, ascending, counted `(z * X + x) * Y + y`. The attributes of `layers` are those of
    /// `energies`, and `shape` `[Z,X,Y]` beside them.
    pub sparse: bool,
    /// Deflate's level, 0 (none) to 9, of all datasets.
    pub level: u8,
}

impl Default for Storage {
    /// Every cell, at the level beyond which time grows and files hardly shrink.
    fn default() -> Self {
        Self {
            sparse: false,
            level: 1,
        }
    }
}

/// The open datasets of cells.
#[derive(Debug)]
pub(super) enum Cells {
    Dense(Dataset),
    Sparse {
        offsets: Dataset,
        cells: Dataset,
        energies: Dataset,
    },
}

/// The open datasets and their file.
#[derive(Debug)]
pub(super) struct Columns {
    pub cells: Cells,
    pub energy: Dataset,
    pub position: Option<Dataset>,
    pub conditions: Option<Dataset>,
    pub file: File,
}

impl Columns {
    pub fn create(
        file: File,
        info: &ShowerInfo,
        labels: &Labels,
        storage: Storage,
    ) -> hdf5::Result<Self> {
        let level = storage.level;
        let cells = Cells::create(&file, info, storage)?;
        if let Some(detector) = &info.detector {
            set_string(&file, "detector", detector)?;
        }
        let energy = empty::<f32>(&file, "energy", LABEL_ROWS, &[1], level)?;
        let position = if labels.position {
            Some(empty::<f32>(&file, "position", LABEL_ROWS, &[2], level)?)
        } else {
            None
        };
        let columns = labels.conditions.len();
        let conditions = if columns > 0 {
            let data = empty::<f32>(&file, "conditions", LABEL_ROWS, &[columns], level)?;
            let names = labels
                .conditions
                .iter()
                .map(|n| text(n))
                .collect::<hdf5::Result<Vec<_>>>()?;
            data.new_attr::<VarLenUnicode>()
                .shape(columns)
                .create("names")?
                .write_raw(&names)?;
            Some(data)
        } else {
            None
        };
        Ok(Self {
            cells,
            energy,
            position,
            conditions,
            file,
        })
    }
}

impl Cells {
    fn create(file: &File, info: &ShowerInfo, storage: Storage) -> hdf5::Result<Self> {
        let ([z, x, y], level) = (info.shape, storage.level);
        if !storage.sparse {
            let rows = (CHUNK_BYTES / 4 / z.saturating_mul(x).saturating_mul(y)).max(1);
            let layers = empty::<f32>(file, "layers", rows, &[z, x, y], level)?;
            describe(&layers, info)?;
            return Ok(Self::Dense(layers));
        }
        let offsets = empty::<u64>(file, "offsets", LABEL_ROWS, &[], level)?;
        append(&offsets, |n| vec![n], &(0..1), &[0u64])?;
        let cells = empty::<u32>(file, "cells", CHUNK_HITS, &[], level)?;
        let energies = empty::<f32>(file, "energies", CHUNK_HITS, &[], level)?;
        describe(&energies, info)?;
        energies
            .new_attr::<u64>()
            .shape(3)
            .create("shape")?
            .write_raw(&info.shape.map(|n| n as u64))?;
        Ok(Self::Sparse {
            offsets,
            cells,
            energies,
        })
    }
}

/// Sets the attributes that say what cell energies are.
fn describe(cells: &Dataset, info: &ShowerInfo) -> hdf5::Result<()> {
    set_string(cells, "unit", &info.unit)?;
    let binning = info
        .polar
        .as_ref()
        .and_then(|p| CaloChallenge::of_layers(p));
    if let Some(set) = binning {
        set_string(cells, "binning", set.name())?;
    }
    let scalars = [("threshold", info.threshold), ("mip_MeV", info.mip)];
    for (name, value) in scalars {
        if let Some(value) = value {
            cells.new_attr::<f32>().create(name)?.write_scalar(&value)?;
        }
    }
    if let Some(size) = &info.cell_size_mm {
        cells
            .new_attr::<f32>()
            .shape(size.len())
            .create("cell_size_mm")?
            .write_raw(size)?;
    }
    Ok(())
}

/// A dataset without rows that can grow. Without times, so that equal showers make equal files.
fn empty<T: H5Type>(
    group: &Group,
    name: &str,
    rows: usize,
    row: &[usize],
    level: u8,
) -> hdf5::Result<Dataset> {
    let dims = |n: usize| std::iter::once(n).chain(row.iter().copied());
    let extents = hdf5::SimpleExtents::new(
        std::iter::once(hdf5::Extent::resizable(0))
            .chain(row.iter().map(|&d| hdf5::Extent::fixed(d))),
    );
    let data = group
        .new_dataset::<T>()
        .chunk(dims(rows).collect::<Vec<_>>())
        .obj_track_times(false);
    let data = match level {
        0 => data,
        level => data.shuffle().deflate(level),
    };
    data.shape(extents).create(name)
}

/// Writes `values` as the rows `rows`, up to which the dataset grows. `dims` is its shape for a number of rows.
pub(super) fn append<T: H5Type>(
    to: &Dataset,
    dims: impl Fn(usize) -> Vec<usize>,
    rows: &Range<usize>,
    values: &[T],
) -> hdf5::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (all, own) = (dims(rows.end), dims(rows.len()));
    let block = ArrayView::from_shape(own, values)?;
    to.resize(all.clone())?;
    to.write_slice(block, h5::block(&all, rows))
}

/// Sets a variable-length UTF-8 attribute.
pub(super) fn set_string(on: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    on.new_attr::<VarLenUnicode>()
        .create(name)?
        .write_scalar(&text(value)?)
}

fn text(s: &str) -> hdf5::Result<VarLenUnicode> {
    s.parse()
        .map_err(|e| format!("{s:?} cannot be written as a string: {e}").into())
}
