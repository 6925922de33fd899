//! Showers in files and in host memory.
//!
//! A shower file is HDF5: `layers` `[N,Z,X,Y]` and `energy` `[N,1]` at the root or together in one group, with optional
//! labels `position` `[N,2]` and `conditions` `[N,C]`; a sparse one has the hits of the showers in place of `layers`
//! ([`Storage`]). Files of the CaloChallenge and the npz files of two experiments are
//! read as well. [`ShowerFile`] reads them, [`ShowerWriter`] writes the first, [`ShowerSet`] joins several, and [`Batches`]
//! shuffles them into training batches on a thread of its own. A file is checked where it is opened or read, so whoever holds
//! [`Showers`] holds finite numbers of consistent shape. A damaged file may crash the HDF5 library, and with it the process, or
//! keep it for ever: see [`explain_crashes`].
//!
#![doc = include_str!("layouts.md")]

#[cfg(feature = "train")]
mod batches;
mod binning;
mod columns;
mod crash;
mod file;
mod h5;
mod layout;
mod npz;
mod pack;
mod provenance;
mod set;
mod showers;
#[cfg(feature = "train")]
mod stream;
mod view;
mod write;

#[cfg(feature = "train")]
pub use batches::Batches;
pub use binning::{Voxels, read_binning};
pub use columns::Storage;
pub use crash::explain_crashes;
pub use file::ShowerFile;
pub use provenance::Provenance;
pub use set::ShowerSet;
pub use showers::{ShowerInfo, Showers};
pub use view::{Cell, View};
pub use write::{Labels, ShowerWriter};
