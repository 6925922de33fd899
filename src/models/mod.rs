//! The systems, written once over [`Var`](crate::tape::Var).
//!
//! A system reads top to bottom: configuration and presets, networks, the losses of each kind of step, sampling. To add
//! one, copy `regressor.rs`, the shortest, and add a line to [`ENTRIES`].

mod bib_ae;
mod hgcal_wgan;
mod preprocess;
mod regressor;
mod schedule;
mod system;
mod weights;

pub use bib_ae::BibAe;
pub use hgcal_wgan::HgcalWgan;
pub use preprocess::Preprocess;
pub use regressor::Regressor;
pub use system::{Build, DataSummary, DataTensor, Family, Networks, Progress, Step, System, Turn};
#[cfg(feature = "train")]
pub(crate) use weights::write_tensors;
pub use weights::{Condition, Metadata, Weights};

use crate::{Error, Result};

/// Every system by name.
pub static ENTRIES: &[Entry] = &[
    Entry::of::<BibAe>("bib-ae", "BIB-AE with post processor, photons in 30x30x30"),
    Entry::of::<BibAe>(
        "bib-ae-hadron",
        "BIB-AE with critics that see the batch, one of them resetting, the core 48x25x25 of hadron showers",
    ),
    Entry::of::<BibAe>("bib-ae-ahcal", "the same on 37x24x24 of the CALICE AHCAL"),
    Entry::of::<BibAe>(
        "vae-gan",
        "VAE whose reconstruction loss is a critic, photons in 30x30x30",
    ),
    Entry::of::<HgcalWgan>(
        "hgcal-wgan",
        "WGAN-GP with energy and position constrainers, 7x12x15",
    ),
    Entry::of::<Regressor>(
        "regressor",
        "energy of a shower, 30x30x30: features of the Frechet Regression Distance",
    ),
    Entry::of::<Regressor>("regressor-bn", "the same with batch norm"),
    Entry::of::<Regressor>(
        "regressor-plus",
        "the same with more layers, batch norm and dropout",
    ),
    Entry::of::<Regressor>(
        "regressor-deep",
        "the same with one more convolution and dense layer",
    ),
    Entry::of::<Regressor>(
        "regressor-core",
        "regressor that sees the central 15x15x15 cells",
    ),
    Entry::of::<Regressor>("regressor-bn-core", "regressor-bn on the core"),
    Entry::of::<Regressor>("regressor-plus-core", "regressor-plus on the core"),
    Entry::of::<Regressor>("regressor-deep-core", "regressor-deep on the core"),
];

/// A line of [`ENTRIES`].
pub struct Entry {
    /// The name on the command line and in weights files.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    preset: fn(&'static str, Preset) -> Result<serde_json::Value>,
    open: fn(&'static str, serde_json::Value) -> Result<Box<dyn System>>,
}

impl Entry {
    const fn of<F: Family>(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            preset: |name, preset| {
                serde_json::to_value(F::preset(name, preset)).map_err(|e| wrong(name, e))
            },
            open: |name, config| {
                let config = serde_json::from_value(config).map_err(|e| wrong(name, e))?;
                let system = F::new(name, config).map_err(|e| wrong(name, e))?;
                if system.batch() < 2 {
                    return Err(wrong(name, "batch must be at least 2"));
                }
                system.networks().map_err(|e| wrong(name, e))?;
                Ok(Box::new(system))
            },
        }
    }

    fn find(name: &str) -> Result<&'static Self> {
        ENTRIES.iter().find(|e| e.name == name).ok_or_else(|| {
            let names: Vec<_> = ENTRIES.iter().map(|e| e.name).collect();
            Error::Config(format!(
                "there is no model '{name}'; there are: {}",
                names.join(", ")
            ))
        })
    }
}

fn wrong(name: &str, what: impl std::fmt::Display) -> Error {
    Error::Config(format!("configuration of {name}: {what}"))
}

/// An error with words unless `holds`: for settings that only make sense within limits.
pub(crate) fn require(holds: bool, what: &str) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::Config(what.into()))
    }
}

/// Published or small sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// As published.
    Paper,
    /// The same kind of networks, narrow: trains on two CPU cores in minutes.
    Small,
}

impl std::str::FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "paper" => Ok(Self::Paper),
            "small" => Ok(Self::Small),
            other => Err(Error::Config(format!(
                "there is no preset '{other}'; there are paper and small"
            ))),
        }
    }
}

/// The system `name` with the configuration of a preset.
///
/// # Errors
/// [`Error::Config`] if there is no such system.
pub fn preset(name: &str, preset: Preset) -> Result<Box<dyn System>> {
    let entry = Entry::find(name)?;
    (entry.open)(entry.name, (entry.preset)(entry.name, preset)?)
}

/// The system `name` with a whole configuration, as a weights file or a run's `config.toml` records it.
///
/// # Errors
/// [`Error::Config`] if there is no such system, or if a key is unknown, missing, of the wrong kind or impossible.
pub fn open(name: &str, config: serde_json::Value) -> Result<Box<dyn System>> {
    let entry = Entry::find(name)?;
    (entry.open)(entry.name, config)
}
