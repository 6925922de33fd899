//! The systems, written once over [`Var`](crate::tape::Var).
//!
//! # Adding a system
//! Copy `getting_high/gan.rs`, the shortest that makes showers, to a file of your own, and add a line to [`ENTRIES`]. From then on `calogen models`,
//! `train`, `generate` and `bench` know it. A file reads top to bottom:
//!
//! 1. `Config`, all settings with serde; [`Family::preset`] gives the published and the small ones, [`Family::new`] checks
//!    values. Shapes are checked by declaring the networks.
//! 2. The networks: functions of a [`Net`](crate::nn::Net) and variables, showers `[Z,X,Y,N]`, the batch always last.
//!    [`System::networks`] declares each once, which lists its tensors and layers.
//! 3. [`System::steps`], the kinds of training step, each with the networks it updates; [`System::schedule`], which of them
//!    the next batch takes and at what rate; [`System::losses`], the losses of each, the first of which is minimised.
//! 4. [`System::sample`], from labels and noise to showers in the unit of the training file, with
//!    [`Build::trained`](Build::trained) networks.
//!
//! Random numbers have addresses: give each use a stream of its own. Then write the same step in PyTorch in `tools/steps`:
//! `tools/make_steps.py` makes a golden case of it, and `tests/systems/steps.rs` compares every loss and parameter.

mod bib_ae;
mod build;
mod getting_high;
mod hgcal_wgan;
pub mod latent;
mod networks;
mod post;
mod preprocess;
mod regressor;
mod schedule;
mod sha256;
mod spectrum;
mod system;
pub(crate) mod tensors;
mod vae;
mod volumes;
mod weights;
mod zdc;

pub use bib_ae::BibAe;
pub use build::Build;
pub use getting_high::{Gan, Wgan};
pub use hgcal_wgan::HgcalWgan;
pub use networks::Networks;
pub use preprocess::Preprocess;
pub use regressor::Regressor;
pub use system::{
    Conditioning, DataSummary, DataTensor, Family, LatentSpace, Progress, Reconstruction, Step,
    System, Turn,
};
pub use vae::Vae;
pub use weights::{Condition, Metadata, Weights};
pub use zdc::{Autoencoder, CondDcgan, Conditions, E2eSae};

use crate::{Error, Result};

/// Every system by name.
pub static ENTRIES: &[Entry] = &[
    Entry::of::<Vae>(
        "vae",
        "variational autoencoder of 30x30 images; energies as in the training data, whatever the label",
    ),
    Entry::of::<Vae>(
        "vae-pooled",
        "the same with losses on pooled pixels and energy sums",
    ),
    Entry::of::<Vae>(
        "vae-adversarial",
        "the same with a critic in place of a pixel loss",
    ),
    Entry::of::<Vae>(
        "vae-energy",
        "convolutional, conditioned on energy: images of the energy asked for",
    ),
    Entry::of::<Gan>("gan", "GAN of photon showers, 30x30x30"),
    Entry::of::<Wgan>(
        "wgan",
        "WGAN-GP of photon showers with an energy constrainer, 30x30x30",
    ),
    Entry::of::<Wgan>(
        "wgan-post",
        "the same with a post processor of its cells, trained afterwards",
    ),
    Entry::of::<Wgan>(
        "wgan-hadron",
        "WGAN-GP whose critic is a residual network, the core 48x25x25 of hadron showers",
    ),
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
    Entry::of::<Autoencoder>(
        "cond-vae",
        "conditional variational autoencoder of ZDC images, 44x44",
    ),
    Entry::of::<Autoencoder>(
        "cond-wae",
        "the same, its codes held to the prior by their maximum mean discrepancy",
    ),
    Entry::of::<Autoencoder>(
        "sae",
        "unconditional, its codes held to the prior by the Sinkhorn divergence",
    ),
    Entry::of::<Autoencoder>("swae", "likewise by the sliced Wasserstein distance"),
    Entry::of::<E2eSae>(
        "e2e-sae",
        "end-to-end Sinkhorn autoencoder: codes from a noise generator trained with it",
    ),
    Entry::of::<CondDcgan>("cond-dcgan", "conditional DCGAN of ZDC images, 44x44"),
];

/// A line of [`ENTRIES`].
pub struct Entry {
    /// The name on the command line and in weights files.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    preset: fn(&'static str, Preset) -> serde_json::Value,
    open: fn(&'static str, serde_json::Value) -> Result<Box<dyn System>>,
}

impl Entry {
    const fn of<F: Family>(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            preset: |name, preset| settings(&F::preset(name, preset)),
            open: |name, config| {
                bounded(&config).map_err(|e| wrong(name, e))?;
                let config = serde_json::from_value(config).map_err(|e| wrong(name, e))?;
                let system = F::new(name, config).map_err(|e| wrong(name, e))?;
                if system.batch() < 2 {
                    return Err(wrong(name, "batch must be at least 2"));
                }
                sensible(&system).map_err(|e| wrong(name, e))?;
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

/// Checks what every system has.
fn sensible(system: &dyn System) -> Result<()> {
    system.preprocess().map_or(Ok(()), Preprocess::check)?;
    require(
        (0.0..1.0).contains(&system.average()),
        "average must be at least 0 and below 1",
    )?;
    let epochs = system.epochs();
    require(
        epochs >= 0.0 && epochs.is_finite(),
        "epochs must not be below 0",
    )?;
    for share in [0.0, 0.3, 0.7, 1.0] {
        for iteration in 0..16 {
            for turn in system.schedule(Progress { iteration, share }) {
                let rate = turn.learning_rate;
                let right = rate >= 0.0 && rate.is_finite();
                require(right, "a learning rate must not be below 0")?;
            }
        }
    }
    Ok(())
}

/// Counts and extents beyond this are mistakes, or malice of a weights file.
const LARGEST: u64 = 1 << 24;
/// Likewise elements of a list.
const LONGEST: usize = 4096;

fn bounded(config: &serde_json::Value) -> Result<()> {
    use serde_json::Value;
    match config {
        Value::Number(n) if n.as_u64().is_some_and(|n| n > LARGEST) => Err(Error::Config(format!(
            "{n} is beyond all sense, {LARGEST} at most"
        ))),
        Value::Array(list) if list.len() > LONGEST => Err(Error::Config(format!(
            "a list of {} elements, {LONGEST} at most",
            list.len()
        ))),
        Value::Array(list) => list.iter().try_for_each(bounded),
        Value::Object(map) => map.values().try_for_each(bounded),
        _ => Ok(()),
    }
}

/// A configuration as files show it. It goes through its text, as an f32 of 0.001 is 0.0010000000474974513 otherwise.
pub(crate) fn settings(config: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_string(config)
        .and_then(|text| serde_json::from_str(&text))
        .unwrap_or_default()
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

impl Preset {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Paper, Self::Small];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Small => "small",
        }
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|p| p.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(" and ");
                Error::Config(format!("there is no preset '{name}'; there are {names}"))
            })
    }
}

/// The system `name` with the configuration of a preset.
///
/// # Errors
/// [`Error::Config`] if there is no such system.
pub fn preset(name: &str, preset: Preset) -> Result<Box<dyn System>> {
    let entry = Entry::find(name)?;
    (entry.open)(entry.name, (entry.preset)(entry.name, preset))
}

/// The system `name` with a whole configuration, as a weights file or a run's `config.toml` records it.
///
/// # Errors
/// [`Error::Config`] if there is no such system, or if a key is unknown, missing, of the wrong kind or impossible.
pub fn open(name: &str, config: serde_json::Value) -> Result<Box<dyn System>> {
    let entry = Entry::find(name)?;
    (entry.open)(entry.name, config)
}
