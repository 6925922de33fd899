//! A dataset of a shower file, and what can be said of it without reading cells.

use std::path::Path;

use hdf5_metno::dataset::Layout as Storage;
use hdf5_metno::{Dataset, Group};

use crate::data::binning::Voxels;
use crate::data::h5;
use crate::data::layout::arrange;
use crate::geometry::{CaloChallenge, PolarLayer};
use crate::{Error, Result};

/// Bytes that a stored byte may unpack to, and those that any dataset may have beyond: deflate makes 1,032 of one.
const UNPACKED: u64 = 4096;
const SLACK: u64 = 64 << 20;
/// Chunks that may be there without a byte stored: the library needs time and memory for each.
const CHUNKS: u64 = 1 << 16;
/// Cells of a shower of hits, of which nothing stored gives a bound: a thousand times those of the finest calorimeters.
const SPARSE_CELLS: usize = 1 << 27;
/// Bytes of a virtual dataset, whose parts lie in other files.
const VIRTUAL: u64 = 1 << 40;

/// Shape [Z,X,Y] of the cells, and their layers if they are voxels.
pub(super) type Arranged = ([usize; 3], Option<Vec<PolarLayer>>);

/// A dataset of the file, with what is said of it in messages.
pub(super) struct Found {
    pub(super) data: Dataset,
    /// Path within the file: `30x30/layers`.
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
}

impl Found {
    pub(super) fn open(path: &Path, group: &Group, prefix: &str, name: &str) -> Result<Self> {
        let full = format!("{prefix}{name}");
        let wrong = |e| h5::failed(path, &format!("`{full}` cannot be opened as a dataset"), e);
        let data = group.dataset(name).map_err(wrong)?;
        let dims = data.space().map_err(wrong)?.shape();
        let column = Self {
            data,
            name: full,
            dims,
        };
        match h5::not_numeric(&column.data) {
            Ok(None) => {}
            Ok(Some(kind)) => {
                return Err(column.wrong(
                    path,
                    format!("type {kind}, expected a number (float32 or float64)"),
                ));
            }
            Err(e) => return Err(column.wrong(path, e.to_string())),
        }
        Ok(column)
    }

    pub(super) fn wrong(&self, path: &Path, what: String) -> Error {
        Error::format(path, format!("dataset `{}`: {what}", self.name))
    }

    /// Number of showers, shape [Z,X,Y] of `layers`, and where its cells lie if they are voxels.
    pub(super) fn cells(&self, path: &Path, voxels: &Voxels) -> Result<(usize, Arranged)> {
        let (events, shape) = match self.dims[..] {
            [n, z, x, y] => (n, [z, x, y]),
            [n, x, y] => (n, [1, x, y]),
            _ => {
                return Err(self.wrong(
                    path,
                    format!("shape {:?}, expected [N,Z,X,Y] or [N,X,Y]", self.dims),
                ));
            }
        };
        self.some_rows(path)?;
        Ok((events, self.arranged(path, voxels, shape)?))
    }

    /// Number of showers, and their shape and layers, of the energies of hits; there are as many labels as `labels`.
    pub(super) fn hits(
        &self,
        path: &Path,
        voxels: &Voxels,
        labels: Option<usize>,
    ) -> Result<(usize, Arranged)> {
        if self.dims.len() != 1 {
            return Err(self.wrong(path, format!("shape {:?}, expected [H]", self.dims)));
        }
        let said = |e: hdf5_metno::Error| self.wrong(path, e.to_string());
        let found: Option<Vec<f64>> = h5::numbers(&self.data, "shape").map_err(said)?;
        let extents = found.as_deref().unwrap_or_default();
        let whole = |&n: &f64| n.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&n);
        let shape = match *extents {
            [z, x, y] if extents.iter().all(whole) => [z, x, y].map(|n| n as usize),
            _ => {
                return Err(self.wrong(
                    path,
                    match found {
                        Some(found) => format!("attribute `shape` is {found:?}, expected [Z,X,Y]"),
                        None => "no attribute `shape`, expected the extents [Z,X,Y]".into(),
                    },
                ));
            }
        };
        let cells = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if cells.is_none_or(|n| n > SPARSE_CELLS) {
            let what = format!("attribute `shape` is {shape:?}, more than {SPARSE_CELLS} cells");
            return Err(self.wrong(path, what));
        }
        let events = labels.unwrap_or(0);
        if events == 0 {
            return Err(self.wrong(path, "the file holds no showers".into()));
        }
        Ok((events, self.arranged(path, voxels, shape)?))
    }

    /// The shape, and the layers if the cells are voxels.
    fn arranged(&self, path: &Path, voxels: &Voxels, shape: [usize; 3]) -> Result<Arranged> {
        let said = |e: hdf5_metno::Error| self.wrong(path, e.to_string());
        let named = h5::string(&self.data, "binning").map_err(said)?;
        let layers = match (voxels, named) {
            (Voxels::Layers(layers), _) => Some(layers.clone()),
            (Voxels::Recognised, Some(name)) => {
                let set = CaloChallenge::named(&name).ok_or_else(|| {
                    let known = CaloChallenge::ALL.map(CaloChallenge::name).join(", ");
                    self.wrong(
                        path,
                        format!("attribute `binning` is {name:?}, expected one of {known}"),
                    )
                })?;
                Some(set.layers())
            }
            _ => None,
        };
        let Some(layers) = layers else {
            return Ok((shape, None));
        };
        let count = shape.iter().product();
        let arranged = arrange(count, &Voxels::Layers(layers)).and_then(|a| match a.0 == shape {
            true => Ok(a),
            false => Err(format!("these voxels make a shape [N,Z,α,r] of {:?}", a.0)),
        });
        arranged.map_err(|e| self.wrong(path, format!("shape {:?}: {e}", self.dims)))
    }

    /// Number of showers, shape and layers of `showers`.
    pub(super) fn voxels(&self, path: &Path, voxels: &Voxels) -> Result<(usize, Arranged)> {
        let [events, count] = self.dims[..] else {
            return Err(self.wrong(path, format!("shape {:?}, expected [N,V]", self.dims)));
        };
        self.some_rows(path)?;
        let what = |e| self.wrong(path, format!("shape {:?}: {e}", self.dims));
        Ok((events, arrange(count, voxels).map_err(what)?))
    }

    /// Checks that there are showers, and that they could be held at all.
    fn some_rows(&self, path: &Path) -> Result<()> {
        if self.dims[1..].contains(&0) {
            return Err(self.wrong(path, format!("shape {:?} has an extent of zero", self.dims)));
        }
        if self.dims[0] == 0 {
            return Err(self.wrong(
                path,
                format!("shape {:?}: the file holds no showers", self.dims),
            ));
        }
        if self
            .dims
            .iter()
            .try_fold(8usize, |n, &d| n.checked_mul(d))
            .is_none()
        {
            return Err(self.wrong(
                path,
                format!("shape {:?} is larger than any memory", self.dims),
            ));
        }
        self.written(path)
    }

    /// Checks that there are `events` rows, each of one of the shapes of `row`.
    pub(super) fn expect(
        &self,
        path: &Path,
        events: usize,
        row: &[&[usize]],
        expected: &str,
        layers: &Self,
    ) -> Result<()> {
        if self.dims.is_empty() || !row.contains(&&self.dims[1..]) {
            return Err(self.wrong(path, format!("shape {:?}, expected {expected}", self.dims)));
        }
        if self.dims[0] != events {
            let (own, theirs) = (&self.dims, &layers.dims);
            let what = format!(
                "{} rows of shape {own:?}, but `{}` has {events} ({theirs:?})",
                own[0], layers.name
            );
            return Err(self.wrong(path, what));
        }
        self.written(path)
    }

    /// Checks that values were written, and that there are enough for the shape: the library gives zeros for the rest, which
    /// are no showers, and a few bytes could claim more than any memory.
    pub(super) fn written(&self, path: &Path) -> Result<()> {
        let (stored, dims) = (self.data.storage_size(), &self.dims);
        let value = self.data.dtype().map_or(8, |t| t.size());
        let bytes = |dims: &[usize]| {
            let bytes = |n: u64, &d: &usize| n.saturating_mul(d as u64);
            dims.iter().fold(value as u64, bytes)
        };
        if self.data.layout() == Storage::Virtual {
            return match bytes(dims) > VIRTUAL {
                false => Ok(()),
                true => Err(self.wrong(path, format!("shape {dims:?}, virtual: too large"))),
            };
        }
        if stored == 0 {
            let what = format!("nothing was written to it (shape {dims:?})");
            return Err(self.wrong(path, what));
        }
        let chunk = self.data.chunk().unwrap_or_default();
        let claimed = bytes(dims).max(bytes(&chunk));
        let chunks = dims.iter().zip(&chunk).fold(1u64, |n, (d, c)| {
            n.saturating_mul(d.div_ceil(*c.max(&1)) as u64)
        });
        if claimed > stored.saturating_mul(UNPACKED).saturating_add(SLACK)
            || chunks > stored.max(CHUNKS)
        {
            let what =
                format!("shape {dims:?} in chunks {chunk:?}, but only {stored} bytes were written");
            return Err(self.wrong(path, what));
        }
        Ok(())
    }

    /// The names of the columns of `conditions`.
    pub(super) fn names(&self, path: &Path, events: usize, layers: &Self) -> Result<Vec<String>> {
        let [_, columns @ 1..=usize::MAX] = self.dims[..] else {
            return Err(self.wrong(path, format!("shape {:?}, expected [N,C]", self.dims)));
        };
        self.expect(path, events, &[&[columns]], "[N,C]", layers)?;
        let mut names = h5::strings(&self.data, "names")
            .map_err(|e| self.wrong(path, e.to_string()))?
            .ok_or_else(|| {
                self.wrong(
                    path,
                    format!("{columns} columns, but no attribute `names` for them"),
                )
            })?;
        if let [one] = &names[..] {
            names = one.split(',').map(|name| name.trim().to_owned()).collect();
        }
        if names.len() != columns {
            let what = format!(
                "{columns} columns, but attribute `names` has {}: {}",
                names.len(),
                names.join(", ")
            );
            return Err(self.wrong(path, what));
        }
        for (i, name) in names.iter().enumerate() {
            if name.is_empty() || names[..i].contains(name) {
                return Err(self.wrong(
                    path,
                    format!("attribute `names` has {name:?} at {i}, empty or a second time"),
                ));
            }
        }
        Ok(names)
    }
}
