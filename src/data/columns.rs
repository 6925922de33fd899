//! The datasets of a file that is being written.

use std::marker::PhantomData;

use bytemuck::NoUninit;
use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, File, Group, H5Type, Location};
use hdf5_metno as hdf5;

use super::pack::{Kind, Packer, Packing, Place};
use super::{Labels, ShowerInfo, Showers};
use crate::geometry::CaloChallenge;
use crate::hits::Hits;

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
    /// How hard all datasets are compressed; HDF5's own shuffle and deflate filters undo it. 0: not at all. 1: energies and
    /// labels by an encoder made for them, which looks for runs alone, indices of cells by zlib's level 1. 2 to 9: by zlib at
    /// that level, except chunks that the encoder of level 1 makes smaller.
    pub level: u8,
}

impl Default for Storage {
    /// Every cell, at the level beyond which time grows many times and files hardly shrink.
    fn default() -> Self {
        Self {
            sparse: false,
            level: 1,
        }
    }
}

/// The datasets of cells.
#[derive(Debug)]
pub(super) enum Cells {
    Dense(Growing<f32>),
    Sparse {
        offsets: Growing<u64>,
        cells: Growing<u32>,
        energies: Growing<f32>,
    },
}

/// The datasets and their file.
#[derive(Debug)]
pub(super) struct Columns {
    pub cells: Cells,
    energy: Growing<f32>,
    pub position: Option<Growing<f32>>,
    pub conditions: Option<Growing<f32>>,
    packer: Packer,
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
        let mut packer = Packer::new();
        let cells = Cells::create(&file, info, storage, &mut packer)?;
        if let Some(detector) = &info.detector {
            set_string(&file, "detector", detector)?;
        }
        let energy = Growing::create(&file, "energy", &[LABEL_ROWS, 1], level)?;
        let position = if labels.position {
            let data = Growing::create(&file, "position", &[LABEL_ROWS, 2], level)?;
            Some(data)
        } else {
            None
        };
        let columns = labels.conditions.len();
        let conditions = if columns > 0 {
            let data = Growing::create(&file, "conditions", &[LABEL_ROWS, columns], level)?;
            let names = labels
                .conditions
                .iter()
                .map(|n| text(n))
                .collect::<hdf5::Result<Vec<_>>>()?;
            data.data
                .new_attr::<VarLenUnicode>()
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
            packer,
            file,
        })
    }

    /// Appends showers that fit the file; of a sparse one `hits` are theirs, which follow so many hits.
    ///
    /// They go shower by shower, so that the order in which chunks fill does not depend on how many come at once.
    pub fn append(
        &mut self,
        showers: &Showers,
        hits: Option<&Hits>,
        before: usize,
    ) -> hdf5::Result<()> {
        let packer = &mut self.packer;
        for i in 0..showers.len() {
            match (&mut self.cells, hits) {
                (Cells::Dense(layers), _) => layers.push(showers.shower(i), packer)?,
                (Cells::Sparse { .. }, None) => return Err("a sparse file without hits".into()),
                (
                    Cells::Sparse {
                        offsets,
                        cells,
                        energies,
                    },
                    Some(hits),
                ) => {
                    let (own, values) = hits.shower(i);
                    cells.push(own, packer)?;
                    energies.push(values, packer)?;
                    offsets.push(&[(before + hits.offsets[i + 1]) as u64], packer)?;
                }
            }
            self.energy.push(&showers.energy[i..=i], packer)?;
            if let (Some(data), Some(position)) = (&mut self.position, &showers.position) {
                data.push(&position[i], packer)?;
            }
            if let Some(data) = &mut self.conditions {
                data.push(showers.condition_row(i), packer)?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and closes the file.
    pub fn finish(self) -> hdf5::Result<()> {
        let Self {
            cells,
            energy,
            position,
            conditions,
            mut packer,
            file,
        } = self;
        match cells {
            Cells::Dense(layers) => layers.finish(&mut packer)?,
            Cells::Sparse {
                offsets,
                cells,
                energies,
            } => {
                cells.finish(&mut packer)?;
                energies.finish(&mut packer)?;
                offsets.finish(&mut packer)?;
            }
        }
        for labels in [Some(energy), position, conditions].into_iter().flatten() {
            labels.finish(&mut packer)?;
        }
        packer.finish()?;
        file.flush()?;
        file.close()
    }
}

impl Cells {
    fn create(
        file: &File,
        info: &ShowerInfo,
        storage: Storage,
        packer: &mut Packer,
    ) -> hdf5::Result<Self> {
        let ([z, x, y], level) = (info.shape, storage.level);
        if !storage.sparse {
            let rows = (CHUNK_BYTES / 4 / z.saturating_mul(x).saturating_mul(y)).max(1);
            let layers = Growing::create(file, "layers", &[rows, z, x, y], level)?;
            describe(&layers.data, info)?;
            return Ok(Self::Dense(layers));
        }
        let mut offsets = Growing::create(file, "offsets", &[LABEL_ROWS], level)?;
        offsets.push(&[0], packer)?;
        let cells = Growing::create(file, "cells", &[CHUNK_HITS], level)?;
        let energies = Growing::create(file, "energies", &[CHUNK_HITS], level)?;
        describe(&energies.data, info)?;
        energies
            .data
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

/// A number of a dataset.
pub(super) trait Value: H5Type + NoUninit {
    const KIND: Kind;
}

impl Value for f32 {
    const KIND: Kind = Kind::Real;
}

impl Value for u32 {
    const KIND: Kind = Kind::Index;
}

impl Value for u64 {
    const KIND: Kind = Kind::Index;
}

/// A dataset that grows row by row, written chunk by chunk.
#[derive(Debug)]
pub(super) struct Growing<T> {
    data: Dataset,
    /// Extents of a chunk, rows first, and its bytes.
    chunk: Vec<usize>,
    size: usize,
    /// Rows before the chunk that is filled now, and what that holds so far.
    before: usize,
    bytes: Vec<u8>,
    packing: Packing,
    values: PhantomData<T>,
}

impl<T: Value> Growing<T> {
    /// A dataset without rows. Without times, so that equal showers make equal files.
    fn create(group: &Group, name: &str, chunk: &[usize], level: u8) -> hdf5::Result<Self> {
        let extents = hdf5::SimpleExtents::new(
            std::iter::once(hdf5::Extent::resizable(0))
                .chain(chunk[1..].iter().map(|&d| hdf5::Extent::fixed(d))),
        );
        let data = group
            .new_dataset::<T>()
            .chunk(chunk.to_vec())
            .obj_track_times(false);
        let data = match level {
            0 => data,
            level => data.shuffle().deflate(level),
        };
        Ok(Self {
            data: data.shape(extents).create(name)?,
            chunk: chunk.to_vec(),
            size: chunk.iter().product::<usize>() * size_of::<T>(),
            before: 0,
            bytes: Vec::new(),
            packing: Packing {
                kind: T::KIND,
                size: size_of::<T>(),
                level,
            },
            values: PhantomData,
        })
    }

    /// Appends values, whole rows in all.
    fn push(&mut self, values: &[T], packer: &mut Packer) -> hdf5::Result<()> {
        let mut bytes: &[u8] = bytemuck::cast_slice(values);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.size - self.bytes.len()));
            self.bytes.extend_from_slice(now);
            bytes = later;
            if self.bytes.len() == self.size {
                self.hand_over(self.chunk[0], packer)?;
            }
        }
        Ok(())
    }

    /// Hands over the last chunk: as whole as the others, with zeros behind the last row.
    fn finish(mut self, packer: &mut Packer) -> hdf5::Result<()> {
        let rows = self.bytes.len() / (self.size / self.chunk[0]);
        if rows == 0 {
            return Ok(());
        }
        self.bytes.resize(self.size, 0);
        self.hand_over(rows, packer)
    }

    fn hand_over(&mut self, rows: usize, packer: &mut Packer) -> hdf5::Result<()> {
        let mut extents = self.chunk.clone();
        extents[0] = self.before + rows;
        let place = Place {
            data: self.data.clone(),
            row: self.before,
            extents,
        };
        self.before += rows;
        packer.take(place, &mut self.bytes, self.packing)
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
