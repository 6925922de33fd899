//! The showers that a run is held against: which they are, and what is computed of them to compare generated ones.

use std::path::PathBuf;

use super::options::Options;
use super::run::file_names;
use super::summary;
use crate::data::{ShowerSet, Showers};
use crate::models::System;
use crate::observables::{
    Bootstrap, Collect, Geometry, Observables, Sample, SampleInfo, SingleSample,
};
use crate::{Error, Result};

/// The held showers of a run on the files `data`, as `system` sees them; none where nothing is watched. `trained` are the
/// showers trained on.
///
/// # Errors
/// [`Error::Config`] if they do not fit, or showers that are set apart are trained on.
pub(super) fn open(
    system: &dyn System,
    options: &Options,
    data: &[PathBuf],
    trained: &ShowerSet,
) -> Result<Option<ShowerSet>> {
    let Some(watch) = &options.watch else {
        return Ok(None);
    };
    // What the run does not say of them is as for the training.
    let (files, events) = match &watch.data[..] {
        [] => (data, options.events.as_ref()),
        files => (files, None),
    };
    let mut set = ShowerSet::open_as(files, &options.voxels)?;
    if let Some(events) = watch.held.as_ref().or(events) {
        set = set.limited(events.clone())?;
    }
    if let Some((file, both)) = set.shared(trained).filter(|_| watch.held.is_some()) {
        return Err(Error::Config(format!(
            "watch: showers {}:{} of {} are held, but trained on too; say with --events which to train on",
            both.start,
            both.end,
            file.path().display()
        )));
    }
    summary::seen_by(system, set, &file_names(files)).map(Some)
}

/// How showers are read whose cells below `threshold` are empty.
pub(super) fn how(threshold: f64) -> Collect {
    Collect {
        threshold,
        // A look at a training takes no time for replicas.
        bootstrap: Bootstrap::NONE,
        ..Collect::default()
    }
}

/// What is computed of them.
pub(super) fn collect(set: &ShowerSet, showers: &Showers, threshold: f64) -> Result<Observables> {
    let names = set.files().iter().map(|f| f.path().display().to_string());
    let info = SampleInfo {
        file: names.collect::<Vec<_>>().join(", "),
        events: 0,
        geometry: Geometry::Grid(showers.shape),
        unit: set.info().unit.clone(),
        threshold: Some(threshold),
        single: true,
        mip: None,
    };
    let sample = SingleSample::new(info, showers.layers.clone(), showers.energy.clone());
    Observables::collect(&sample as &dyn Sample, &how(threshold))
}
