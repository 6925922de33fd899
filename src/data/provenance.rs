//! Where generated showers come from, as root attributes of their file.

use std::path::Path;

use super::crash::Reading;
use super::h5::{self, failed};
use super::write::ShowerWriter;
use crate::{Error, Result};

/// How the showers of a file were generated: with this and its number every event can be made again.
#[derive(Clone, Debug, PartialEq)]
pub struct Provenance {
    /// Program, version and model.
    pub generated_by: String,
    /// SHA-256 of the weights file, and the parts that were left out.
    pub weights: String,
    /// Where the labels come from, in words.
    pub labels: String,
    /// The seed.
    pub seed: u64,
    /// Number of the first event among those of the seed.
    pub first_event: u64,
    /// The devices that computed, each with its driver; none for a file that does not say.
    pub devices: Vec<String>,
}

/// Between devices.
const AND: &str = "; ";

impl Provenance {
    /// Reads it from a shower file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] naming the attribute that is missing or no number.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let _reading = Reading::of(path);
        let file = h5::open(path)?;
        let text = |name: &str| {
            let found = h5::string(&file, name).map_err(|e| failed(path, "its attributes", e))?;
            found.ok_or_else(|| {
                let what = format!(
                    "no attribute `{name}` at the root: expected a file that `calogen generate` wrote"
                );
                Error::format(path, what)
            })
        };
        let number = |name: &str| {
            let found = text(name)?;
            found.parse().map_err(|_| {
                let what = format!("attribute `{name}` is '{found}', expected a whole number");
                Error::format(path, what)
            })
        };
        let devices =
            h5::string(&file, "devices").map_err(|e| failed(path, "its attributes", e))?;
        let devices = devices.unwrap_or_default();
        Ok(Self {
            generated_by: text("generated_by")?,
            weights: text("weights_sha256")?,
            labels: text("labels")?,
            seed: number("seed")?,
            first_event: number("first_event")?,
            devices: (devices
                .split(AND)
                .filter(|d| !d.is_empty())
                .map(str::to_owned))
            .collect(),
        })
    }

    /// Writes it into a shower file.
    pub fn write(&self, to: &mut ShowerWriter) -> Result<()> {
        to.attribute("generated_by", &self.generated_by)?;
        to.attribute("weights_sha256", &self.weights)?;
        to.attribute("labels", &self.labels)?;
        to.attribute("seed", &self.seed.to_string())?;
        to.attribute("first_event", &self.first_event.to_string())?;
        to.attribute("devices", &self.devices.join(AND))
    }
}
