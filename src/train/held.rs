//! The showers that a run's generated ones are compared with.

use crate::Result;
use crate::data::{ShowerSet, Showers};
use crate::observables::{
    Bootstrap, Collect, Geometry, Observables, Sample, SampleInfo, SingleSample,
};

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
