//! Where the datasets of an HDF5 file stand, and whether they fit together.

use std::collections::VecDeque;
use std::path::Path;

use hdf5::dataset::Layout as Storage;
use hdf5::{Dataset, File, Group};
use hdf5_metno as hdf5;

use super::super::binning::Voxels;
use super::super::crash::Reading;
use super::super::{ShowerInfo, h5};
use super::sparse::{Part, Sparse};
use super::{Column, Layout, arrange};
use crate::geometry::{CaloChallenge, PolarLayer};
use crate::{Error, Result};

/// Groups are looked for this deep and up to this many: a file may link groups in a circle.
const DEPTH: usize = 3;
const GROUPS: usize = 256;

/// Bytes that a stored byte may unpack to, and those that any dataset may have beyond: deflate makes 1,032 of one.
const UNPACKED: u64 = 4096;
const SLACK: u64 = 64 << 20;
/// Chunks that may be there without a byte stored: the library needs time and memory for each.
const CHUNKS: u64 = 1 << 16;
/// Cells of a shower of hits, of which nothing stored gives a bound: a thousand times those of the finest calorimeters.
const SPARSE_CELLS: usize = 1 << 27;
/// Bytes of a virtual dataset, whose parts lie in other files.
const VIRTUAL: u64 = 1 << 40;

/// Names of cells and incident energies: the crate's own, the CaloChallenge's, which has MeV in both, and those of a file of
/// hits, with what else it has.
const OWN: [&str; 2] = ["layers", "energy"];
const CHALLENGE: [&str; 2] = ["showers", "incident_energies"];
const SPARSE: [&str; 2] = ["energies", "energy"];
const HITS: [&str; 2] = ["offsets", "cells"];
const GEV: f64 = 1e-3;

/// A dataset of the file, with what is said of it in messages.
struct Found {
    data: Dataset,
    /// Path within the file: `30x30/layers`.
    name: String,
    dims: Vec<usize>,
}

/// The columns of an HDF5 file.
pub(super) fn layout(path: &Path, voxels: &Voxels) -> Result<Layout> {
    let _reading = Reading::of(path);
    let file = h5::open(path)?;
    let place = Place::find(path, &file)?;
    let [cells, energy] = place.names().unwrap_or(OWN);
    let challenge = cells == CHALLENGE[0];
    let layers = place.column(path, cells)?;
    let energy = place.column(path, energy)?;
    let sparse = cells == SPARSE[0];
    let (events, (shape, polar)) = match (challenge, sparse) {
        (true, _) => layers.voxels(path, voxels)?,
        // As many showers as there are labels: the offsets are compared with them.
        (_, true) => layers.hits(path, voxels, energy.dims.first().copied())?,
        _ => layers.cells(path, voxels)?,
    };
    energy.expect(path, events, &[&[], &[1]], "[N] or [N,1]", &layers)?;
    let optional = |name| match challenge {
        true => Ok(None),
        false => place.optional(path, name),
    };
    let position = optional("position")?;
    if let Some(position) = &position {
        position.expect(path, events, &[&[2]], "[N,2]", &layers)?;
    }
    let conditions = optional("conditions")?;
    let condition_names = match &conditions {
        Some(conditions) => conditions.names(path, events, &layers)?,
        None => Vec::new(),
    };
    let on = |what: &str| format!("dataset `{}`: {what}", layers.name);
    let said = |e: hdf5::Error| Error::format(path, on(&e.to_string()));
    // In double precision as well: a threshold that overflows float32 is none.
    let single: Option<f32> = h5::number(&layers.data, "threshold").map_err(said)?;
    let threshold = h5::number(&layers.data, "threshold").map_err(said)?;
    let double = h5::is_double(&layers.data).map_err(said)?;
    let info = ShowerInfo {
        shape,
        unit: h5::string(&layers.data, "unit")
            .map_err(said)?
            .unwrap_or_else(|| "MeV".into()),
        threshold: single,
        cell_size_mm: h5::numbers(&layers.data, "cell_size_mm").map_err(said)?,
        detector: h5::string(&file, "detector")
            .map_err(|e| Error::format(path, format!("root: {e}")))?,
        condition_names,
        mip: h5::number(&layers.data, "mip_MeV").map_err(said)?,
        polar,
    };
    let hits = match sparse {
        true => Some(place.hits(path, &layers, shape, events)?),
        false => None,
    };
    let chunk = layers.data.chunk().and_then(|c| c.first().copied());
    let plain = |found: Found| Column::dataset(found.name, found.data, found.dims, 1.0);
    Ok(Layout {
        energy: Column {
            scale: if challenge { GEV } else { 1.0 },
            ..plain(energy)
        },
        layers: match hits {
            Some(hits) => Column::sparse(hits),
            None => plain(layers),
        },
        position: position.map(plain),
        conditions: conditions.map(plain),
        events,
        info,
        threshold,
        double,
        chunk: chunk.filter(|_| !sparse),
        sparse,
    })
}

impl Found {
    fn open(path: &Path, group: &Group, prefix: &str, name: &str) -> Result<Self> {
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

    fn wrong(&self, path: &Path, what: String) -> Error {
        Error::format(path, format!("dataset `{}`: {what}", self.name))
    }

    /// Number of showers, shape [Z,X,Y] of `layers`, and where its cells lie if they are voxels.
    fn cells(&self, path: &Path, voxels: &Voxels) -> Result<(usize, Arranged)> {
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
    fn hits(
        &self,
        path: &Path,
        voxels: &Voxels,
        labels: Option<usize>,
    ) -> Result<(usize, Arranged)> {
        if self.dims.len() != 1 {
            return Err(self.wrong(path, format!("shape {:?}, expected [H]", self.dims)));
        }
        let said = |e: hdf5::Error| self.wrong(path, e.to_string());
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
        let said = |e: hdf5::Error| self.wrong(path, e.to_string());
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
    fn voxels(&self, path: &Path, voxels: &Voxels) -> Result<(usize, Arranged)> {
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
    fn expect(
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
    fn written(&self, path: &Path) -> Result<()> {
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
    fn names(&self, path: &Path, events: usize, layers: &Self) -> Result<Vec<String>> {
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

/// Shape [Z,X,Y] of the cells, and their layers if they are voxels.
type Arranged = ([usize; 3], Option<Vec<PolarLayer>>);

/// A group that may hold the datasets.
struct Place {
    group: Group,
    /// Path before the names of its members: empty at the root, else `30x30/`.
    prefix: String,
    members: Vec<String>,
}

impl Place {
    /// The root if it has both `layers` and `energy`, else the one group that does.
    fn find(path: &Path, file: &File) -> Result<Self> {
        let root = file
            .group("/")
            .map_err(|e| h5::failed(path, "root group", e))?;
        let mut places = Vec::new();
        let mut found = Vec::new();
        let mut queue = VecDeque::from([(root, String::new(), 0)]);
        while let Some((group, prefix, depth)) = queue.pop_front() {
            let members = group
                .member_names()
                .map_err(|e| h5::failed(path, &format!("group `/{prefix}`"), e))?;
            for name in &members {
                if let Ok(data) = group.dataset(name) {
                    found.push(format!("dataset `{prefix}{name}` {:?}", data.shape()));
                } else if let Ok(inner) = group.group(name) {
                    found.push(format!("group `{prefix}{name}`"));
                    if depth < DEPTH && places.len() + queue.len() < GROUPS {
                        queue.push_back((inner, format!("{prefix}{name}/"), depth + 1));
                    }
                }
            }
            let place = Self {
                group,
                prefix,
                members,
            };
            if depth == 0 && place.qualifies() {
                return Ok(place);
            }
            places.push(place);
        }
        let names: Vec<_> = places
            .iter()
            .filter(|p| p.qualifies())
            .map(|p| format!("`{}`", p.prefix))
            .collect();
        if names.len() > 1 {
            let what = format!(
                "several groups hold `layers` and `energy`, expected one: {}",
                names.join(", ")
            );
            return Err(Error::format(path, what));
        }
        let half = |[cells, energy]: [&'static str; 2]| {
            let p = places.iter().find(|p| p.has(cells) || p.has(energy))?;
            let (absent, there) = match p.has(cells) {
                true => (energy, cells),
                false => (cells, energy),
            };
            Some(format!(
                "no dataset `{0}{absent}` beside `{0}{there}`",
                p.prefix
            ))
        };
        // `showers` alone may be anybody's.
        let challenge = || half(CHALLENGE).filter(|what| !what.ends_with("`showers`"));
        // Energies alone may be anybody's.
        let hits = places
            .iter()
            .find(|p| p.has(SPARSE[0]) && HITS.iter().any(|h| p.has(h)))
            .and_then(|p| {
                let absent = [SPARSE[1], HITS[0], HITS[1]];
                let absent = absent.into_iter().find(|name| !p.has(name))?;
                Some(format!(
                    "no dataset `{0}{absent}` beside `{0}energies`",
                    p.prefix
                ))
            });
        let missing = hits
            .or_else(|| half(OWN))
            .or_else(challenge)
            .unwrap_or_else(|| "no datasets `layers` and `energy`".into());
        places.into_iter().find(Self::qualifies).ok_or_else(|| {
            let more = found.len().saturating_sub(16);
            found.truncate(16);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let found = if found.is_empty() {
                "nothing".into()
            } else {
                found.join(", ")
            };
            Error::format(path, format!("{missing}; found {found}{more}"))
        })
    }

    fn has(&self, name: &str) -> bool {
        self.members.iter().any(|m| m == name)
    }

    /// The names of cells and incident energies here, if both are.
    fn names(&self) -> Option<[&'static str; 2]> {
        let both = |names: &[&str; 2]| names.iter().all(|name| self.has(name));
        let all = |names: &[&str; 2]| both(names) && (*names != SPARSE || both(&HITS));
        [OWN, CHALLENGE, SPARSE].into_iter().find(all)
    }

    fn qualifies(&self) -> bool {
        self.names().is_some()
    }

    fn column(&self, path: &Path, name: &str) -> Result<Found> {
        Found::open(path, &self.group, &self.prefix, name)
    }

    /// The parts of a file of hits, whose energies are `energies`, checked.
    fn hits(
        &self,
        path: &Path,
        energies: &Found,
        shape: [usize; 3],
        events: usize,
    ) -> Result<Sparse> {
        let part = |found: &Found| {
            let [len] = found.dims[..] else {
                let what = format!("shape {:?}, expected one axis", found.dims);
                return Err(found.wrong(path, what));
            };
            // There may be no hits at all.
            if len > 0 {
                found.written(path)?;
            }
            Ok(Part {
                data: found.data.clone(),
                name: found.name.clone(),
                len,
            })
        };
        let whole = |name| {
            let found = self.column(path, name)?;
            match h5::is_integer(&found.data) {
                Ok(true) => part(&found),
                _ => Err(found.wrong(path, "expected whole numbers".into())),
            }
        };
        let hits = Sparse {
            offsets: whole(HITS[0])?,
            cells: whole(HITS[1])?,
            energies: part(energies)?,
            count: shape.iter().product(),
        };
        hits.check(path, events)?;
        Ok(hits)
    }

    fn optional(&self, path: &Path, name: &str) -> Result<Option<Found>> {
        if self.has(name) {
            self.column(path, name).map(Some)
        } else {
            Ok(None)
        }
    }
}
