//! Where the datasets of an HDF5 file stand, and whether they fit together.

mod dataset;
mod place;

use std::path::Path;

use self::dataset::Found;
use self::place::Place;
use super::{Column, Layout};
use crate::data::binning::Voxels;
use crate::data::crash::Reading;
use crate::data::{ShowerInfo, h5};
use crate::{Error, Result};

/// Names of cells and incident energies: the crate's own, the CaloChallenge's, which has MeV in both, and those of a file of
/// hits, with what else it has.
const OWN: [&str; 2] = ["layers", "energy"];
const CHALLENGE: [&str; 2] = ["showers", "incident_energies"];
const SPARSE: [&str; 2] = ["energies", "energy"];
const HITS: [&str; 2] = ["offsets", "cells"];
const GEV: f64 = 1e-3;

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
    let said = |e: hdf5_metno::Error| Error::format(path, on(&e.to_string()));
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
    let plain = |found: Found| Column::dataset(found.name, found.data, found.dims);
    Ok(Layout {
        energy: match challenge {
            true => plain(energy).converted(vec![GEV]),
            false => plain(energy),
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
