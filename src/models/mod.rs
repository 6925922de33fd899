//! The systems: one file each, written once over [`Var`](crate::tape::Var).
//!
//! A file reads top to bottom: configuration and presets, networks, the losses of each kind of step, sampling. To add a
//! system, copy the shortest file and add a line to [`NAMES`] and to [`open`].

mod hgcal_wgan;
mod preprocess;
mod system;
mod weights;

pub use hgcal_wgan::HgcalWgan;
pub use preprocess::Preprocess;
pub use system::{Build, Networks, Progress, Step, System, Turn};
#[cfg(feature = "train")]
pub(crate) use weights::write_tensors;
pub use weights::{Condition, Metadata, Weights};

use crate::{Error, Result};

/// Names of the systems.
pub const NAMES: &[&str] = &["hgcal-wgan"];

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
    match name {
        "hgcal-wgan" => Ok(Box::new(HgcalWgan::preset(preset))),
        other => Err(unknown(other)),
    }
}

/// The system `name` with a whole configuration, as a weights file or a run's `config.toml` records it.
///
/// # Errors
/// [`Error::Config`] if there is no such system, or if a key is unknown, missing or of the wrong kind.
pub fn open(name: &str, config: serde_json::Value) -> Result<Box<dyn System>> {
    match name {
        "hgcal-wgan" => Ok(Box::new(HgcalWgan::from_json(config)?)),
        other => Err(unknown(other)),
    }
}

fn unknown(name: &str) -> Error {
    Error::Config(format!(
        "there is no model '{name}'; there are: {}",
        NAMES.join(", ")
    ))
}
