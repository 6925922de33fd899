//! Weights files: safetensors with everything that generation needs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
        let broken =
            |e: safetensors::SafeTensorError| wrong(format!("no readable safetensors file: {e}"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let about = header.metadata().clone().unwrap_or_default();
        let metadata = Self::metadata(&about).map_err(|e| wrong(e.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(wrong(format!(
                    "tensor '{name}' is {:?}, expected F32",
                    view.dtype()
                )));
            }
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
            if let Some(i) = values.iter().position(|v| !v.is_finite()) {
                return Err(wrong(format!(
                    "tensor '{name}' holds {} at element {i}",
                    values[i]
                )));
            }
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        let hash = Sha256::digest(bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
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

    fn metadata(about: &HashMap<String, String>) -> Result<Metadata> {
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
        write_tensors(path, &self.tensors, about)
    }
}

fn number<T: std::str::FromStr>(text: &str, key: &str) -> Result<T> {
    text.parse()
        .map_err(|_| Error::Config(format!("metadata '{key}' is '{text}', expected a number")))
}

/// Writes f32 tensors and metadata as safetensors, beside and renamed.
///
/// The header is written here, in alphabetical order: the library's own writer takes metadata from a hash map, whose order
/// changes from run to run, and equal weights would have different hashes.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    about: BTreeMap<String, String>,
) -> Result<()> {
    let mut header = BTreeMap::from([("__metadata__".to_owned(), serde_json::json!(about))]);
    let mut data = Vec::new();
    for (name, (shape, values)) in tensors {
        let start = data.len();
        data.extend_from_slice(bytemuck::cast_slice(values));
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let failed = |e: serde_json::Error| Error::format(path, format!("cannot be written: {e}"));
    let mut text = serde_json::to_vec(&header).map_err(failed)?;
    // Data start at a multiple of eight bytes.
    text.resize(text.len().next_multiple_of(8), b' ');
    let bytes = [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat();
    crate::files::write_atomically(path, &bytes)
}
