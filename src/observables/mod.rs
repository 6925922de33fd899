//! What is computed of a shower: sums, centres, widths, fractions, the shower start.
//!
//! A [`Sample`] hands out its showers in blocks; [`Observables::collect`] walks over them once, in f64, and keeps one
//! number a shower and observable. Nothing else is held but the cell energies, whose memory is bounded ([`Spectrum`]).

mod bootstrap;
mod collect;
mod features;
mod polar;
mod sample;
mod shower;
mod spectrum;
mod start;
mod sums;

pub use crate::geometry::{Geometry, PolarLayer};
pub use bootstrap::{Bootstrap, half};
pub use collect::{CHANNELS, Collect, Column, Observables};
pub use features::{Features, INCIDENT, LOG_OFFSET};
pub use polar::{PolarColumn, PolarFeatures, Quantity};
pub use sample::{MemorySample, Sample, SampleInfo, ShowerBlock};
pub use shower::{Projection, centre_and_width, shape_names, thirds};
pub use spectrum::{EXACT_CELLS, Sorted, Spectrum};
pub use start::{Calice, ShowerStart};
pub use sums::{Replicated, Sums, rings};
