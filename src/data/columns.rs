//! The datasets of a file that is being written.

use std::ops::Range;

use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, File, Group, H5Type, Location};
use hdf5_metno as hdf5;
use ndarray::ArrayView;

use super::{Labels, ShowerInfo, h5};
use crate::geometry::CaloChallenge;

/// Bytes of cells in a chunk, rows of labels in a chunk, and deflate's level: higher ones cost time and save little.
const CHUNK_BYTES: usize = 1 << 20;
const LABEL_ROWS: usize = 1024;
const LEVEL: u8 = 3;

/// The open datasets and their file.
#[derive(Debug)]
pub(super) struct Columns {
    pub layers: Dataset,
    pub energy: Dataset,
    pub position: Option<Dataset>,
    pub conditions: Option<Dataset>,
    pub file: File,
}

impl Columns {
    pub fn create(file: File, info: &ShowerInfo, labels: &Labels) -> hdf5::Result<Self> {
        let [z, x, y] = info.shape;
        let rows = (CHUNK_BYTES / 4 / z.saturating_mul(x).saturating_mul(y)).max(1);
        let layers = empty(&file, "layers", rows, &[z, x, y])?;
        set_string(&layers, "unit", &info.unit)?;
        let binning = info
            .polar
            .as_ref()
            .and_then(|p| CaloChallenge::of_layers(p));
        if let Some(set) = binning {
            set_string(&layers, "binning", set.name())?;
        }
        let scalars = [("threshold", info.threshold), ("mip_MeV", info.mip)];
        for (name, value) in scalars {
            if let Some(value) = value {
                layers
                    .new_attr::<f32>()
                    .create(name)?
                    .write_scalar(&value)?;
            }
        }
        if let Some(size) = &info.cell_size_mm {
            layers
                .new_attr::<f32>()
                .shape(size.len())
                .create("cell_size_mm")?
                .write_raw(size)?;
        }
        if let Some(detector) = &info.detector {
            set_string(&file, "detector", detector)?;
        }
        let energy = empty(&file, "energy", LABEL_ROWS, &[1])?;
        let position = if labels.position {
            Some(empty(&file, "position", LABEL_ROWS, &[2])?)
        } else {
            None
        };
        let columns = labels.conditions.len();
        let conditions = if columns > 0 {
            let data = empty(&file, "conditions", LABEL_ROWS, &[columns])?;
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
            layers,
            energy,
            position,
            conditions,
            file,
        })
    }
}

/// A dataset without rows that can grow. Without times, so that equal showers make equal files.
fn empty(group: &Group, name: &str, rows: usize, row: &[usize]) -> hdf5::Result<Dataset> {
    let dims = |n: usize| std::iter::once(n).chain(row.iter().copied());
    let extents = hdf5::SimpleExtents::new(
        std::iter::once(hdf5::Extent::resizable(0))
            .chain(row.iter().map(|&d| hdf5::Extent::fixed(d))),
    );
    group
        .new_dataset::<f32>()
        .chunk(dims(rows).collect::<Vec<_>>())
        .shuffle()
        .deflate(LEVEL)
        .obj_track_times(false)
        .shape(extents)
        .create(name)
}

/// Writes `values` as the rows `rows`, up to which the dataset grows. `dims` is its shape for a number of rows.
pub(super) fn append<T: H5Type>(
    to: &Dataset,
    dims: impl Fn(usize) -> Vec<usize>,
    rows: &Range<usize>,
    values: &[T],
) -> hdf5::Result<()> {
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
