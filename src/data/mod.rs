//! Showers in files and in host memory.
//!
//! A shower file is HDF5: `layers` `[N,Z,X,Y]` and `energy` `[N,1]` at the root or together in one group, with optional
//! labels `position` `[N,2]` and `conditions` `[N,C]`; a sparse one has the hits of the showers in place of `layers`
//! ([`Storage`]). Files of the CaloChallenge and the npz files of two experiments are
//! read as well. [`ShowerFile`] reads them, [`ShowerWriter`] writes it, [`ShowerSet`]
//! joins several of them, and [`Batches`] shuffles them into training batches on a thread of its own. A file is checked
//! where it is opened or read, so whoever holds [`Showers`] holds finite numbers of consistent shape. A damaged file may
//! crash the HDF5 library, and with it the process, or keep it for ever: see [`explain_crashes`].
//!
#![doc = include_str!("layouts.md")]

#[cfg(all(feature = "hdf5", feature = "train"))]
mod batches;
#[cfg(feature = "hdf5")]
mod binning;
#[cfg(feature = "hdf5")]
mod columns;
#[cfg(feature = "hdf5")]
mod crash;
#[cfg(feature = "hdf5")]
mod file;
#[cfg(feature = "hdf5")]
mod h5;
#[cfg(feature = "hdf5")]
mod layout;
#[cfg(feature = "hdf5")]
mod npz;
#[cfg(feature = "hdf5")]
mod pack;
#[cfg(feature = "hdf5")]
mod provenance;
#[cfg(feature = "hdf5")]
mod set;
mod showers;
#[cfg(all(feature = "hdf5", feature = "train"))]
mod stream;
mod view;
#[cfg(feature = "hdf5")]
mod write;

#[cfg(all(feature = "hdf5", feature = "train"))]
pub use batches::Batches;
#[cfg(feature = "hdf5")]
pub use binning::{Voxels, read_binning};
#[cfg(feature = "hdf5")]
pub use columns::Storage;
#[cfg(feature = "hdf5")]
pub use crash::explain_crashes;
#[cfg(feature = "hdf5")]
pub use file::ShowerFile;
#[cfg(feature = "hdf5")]
pub use provenance::Provenance;
#[cfg(feature = "hdf5")]
pub use set::ShowerSet;
pub use showers::{ShowerInfo, Showers};
pub use view::{Cell, View};
#[cfg(feature = "hdf5")]
pub use write::{Labels, ShowerWriter};
