//! Weights files: safetensors with everything that generation needs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sha256::sha256;
use super::tensors::{self, Header};
use crate::{Error, Result};

/// Version of the format that this crate writes. Older ones are read, newer ones refused.
const VERSION: u32 = 1;

/// A label that showers are generated for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// `energy`, `position_x`, ...
    pub name: String,
    /// `GeV`, `mm`, ...
    pub unit: String,
    /// Smallest value in the training data.
    pub min: f32,
    /// Largest value in the training data.
    pub max: f32,
}

/// What a weights file says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Name of the system.
    pub model: String,
    /// Its whole configuration.
    pub config: serde_json::Value,
    /// The detector, from the training file.
    pub detector: String,
    /// Unit of the cell energies.
    pub unit: String,
    /// Labels and their ranges in training.
    pub conditions: Vec<Condition>,
    /// Threshold of the training file, in its unit.
    pub threshold: f32,
    /// Extent of a cell along x and y in mm, if the training file says so.
    pub cell_size_mm: Vec<f32>,
    /// Training files.
    pub trained_on: String,
    /// Training iterations done.
    pub steps: u64,
    /// How good the showers are, in words and figures, if that was measured.
    pub quality: String,
}

/// Tensors by name, with PyTorch's shapes, and the metadata.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// What the file says of itself.
    pub metadata: Metadata,
    /// `<network>.<layer>.<parameter>` to shape and values.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// SHA-256 of the file, if they were read from one.
    pub hash: String,
}

impl Weights {
    /// Reads a weights file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] if it is no weights file of this crate or is broken.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads weights from memory; `path` is for messages.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let wrong = |what: String| Error::format(path, what);
        let header = Header::read(bytes)
            .map_err(|what| wrong(format!("no readable safetensors file: {what}")))?;
        let metadata = Self::metadata(&header.about).map_err(|e| wrong(e.to_string()))?;
        let tensors = header.tensors().map_err(wrong)?;
        for (name, (_, values)) in &tensors {
            if let Some(i) = values.iter().position(|v| !v.is_finite()) {
                let value = values[i];
                return Err(wrong(format!(
                    "tensor '{name}' holds {value} at element {i}"
                )));
            }
        }
        let hash = sha256(bytes);
        Ok(Self {
            metadata,
            tensors,
            hash,
        })
    }

    /// The same weights without an optional part of the model, such as the `post` processor or the `prior` of a BIB-AE.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration has no such part, or the model cannot be without it.
    pub fn without(mut self, part: &str) -> Result<Self> {
        let model = self.metadata.model.clone();
        let parts = self.metadata.config.as_object_mut();
        if parts.and_then(|p| p.remove(part)).is_none() {
            return Err(Error::Config(format!(
                "these weights of model {model} have no part '{part}'"
            )));
        }
        let system = super::open(&model, self.metadata.config.clone())?;
        let kept = system.kept();
        let network = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        self.tensors
            .retain(|name, _| kept.contains(&network(name).as_str()));
        Ok(self)
    }

    fn metadata(about: &BTreeMap<String, String>) -> Result<Metadata> {
        let text = |key: &str| about.get(key).map(String::as_str);
        let need = |key: &str| {
            text(key).ok_or_else(|| Error::Config(format!("the metadata lacks '{key}'")))
        };
        match text("format") {
            Some("calogen") => {}
            other => {
                let found = other.map_or("no format".to_owned(), |f| format!("format '{f}'"));
                return Err(Error::Config(format!(
                    "no weights of calogen: {found} in the metadata"
                )));
            }
        }
        let version: u32 = number(need("version")?, "version")?;
        if version > VERSION {
            return Err(Error::Config(format!(
                "written by a newer calogen (format version {version}, this one reads up to {VERSION})"
            )));
        }
        let json = |key: &str| -> Result<serde_json::Value> {
            serde_json::from_str(need(key)?)
                .map_err(|e| Error::Config(format!("metadata '{key}': {e}")))
        };
        let parse = |key: &str, value| {
            serde_json::from_value(value)
                .map_err(|e| Error::Config(format!("metadata '{key}': {e}")))
        };
        Ok(Metadata {
            model: need("model")?.into(),
            config: json("config")?,
            detector: text("detector").unwrap_or_default().into(),
            unit: text("unit").unwrap_or("MeV").into(),
            conditions: parse("conditions", json("conditions")?)?,
            threshold: number(text("threshold").unwrap_or("0"), "threshold")?,
            cell_size_mm: match text("cell_size_mm") {
                Some(list) => serde_json::from_str(list).unwrap_or_default(),
                None => Vec::new(),
            },
            trained_on: text("trained_on").unwrap_or_default().into(),
            steps: number(text("steps").unwrap_or("0"), "steps")?,
            quality: text("quality").unwrap_or_default().into(),
        })
    }

    /// Writes the file beside and renames it, so that an interruption leaves the old file or none.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let m = &self.metadata;
        let json = |v: serde_json::Value| v.to_string();
        let preprocessing = m.config.get("preprocess").cloned().unwrap_or_default();
        let conditions = serde_json::to_value(&m.conditions).unwrap_or_default();
        let about: BTreeMap<String, String> = [
            ("format", "calogen".to_owned()),
            ("version", VERSION.to_string()),
            ("model", m.model.clone()),
            ("config", json(m.config.clone())),
            ("detector", m.detector.clone()),
            ("unit", m.unit.clone()),
            ("conditions", json(conditions)),
            ("preprocessing", json(preprocessing)),
            ("threshold", m.threshold.to_string()),
            ("cell_size_mm", json(m.cell_size_mm.clone().into())),
            ("trained_on", m.trained_on.clone()),
            ("steps", m.steps.to_string()),
            ("quality", m.quality.clone()),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect();
        tensors::write(path, &self.tensors, about)
    }
}

fn number<T: std::str::FromStr>(text: &str, key: &str) -> Result<T> {
    text.parse()
        .map_err(|_| Error::Config(format!("metadata '{key}' is '{text}', expected a number")))
}
