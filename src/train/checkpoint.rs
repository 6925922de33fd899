//! Checkpoints: all that is needed to go on as if training had not stopped; and the weights for generation.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::log::Log;
use super::session::Session;
use super::watch::Watch;
use crate::gpu::Gpu;
use crate::models::tensors::{self, Header};
use crate::models::{Metadata, Networks, Weights};
use crate::{Error, Result};

/// What a checkpoint says beside the tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Position {
    pub model: String,
    pub config: serde_json::Value,
    pub seed: u64,
    pub iteration: u64,
    pub iterations: u64,
    /// How often a step of each kind was taken.
    pub taken: Vec<u64>,
    /// Their sum: where the next one's random numbers begin.
    pub turns: u64,
    pub log: Log,
    /// Files, events and shape of the data: other data would not continue this run.
    pub data: String,
    /// What is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// The best weights so far: their iteration and the value that they were kept for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<(u64, f64)>,
}

/// Writes `DIR/checkpoint.safetensors`.
pub(super) fn save(path: &Path, session: &Session, position: &Position) -> Result<()> {
    let mut tensors = BTreeMap::new();
    for (network, parameters) in session.networks().iter() {
        for (what, state) in parameters.states() {
            tensors.insert(
                format!("{network}/{what}"),
                (state.shape().to_vec(), state.get(session.gpu())?),
            );
        }
    }
    let text = serde_json::to_string(position).map_err(|e| Error::format(path, e.to_string()))?;
    let about = BTreeMap::from([
        ("format".to_owned(), "calogen checkpoint".to_owned()),
        ("position".to_owned(), text),
    ]);
    tensors::write(path, &tensors, about)
}

fn read<'a>(path: &Path, bytes: &'a [u8]) -> Result<Header<'a>> {
    Header::read(bytes)
        .map_err(|what| Error::format(path, format!("no readable checkpoint: {what}")))
}

/// Reads where a checkpoint stands.
pub(super) fn position(path: &Path, bytes: &[u8]) -> Result<Position> {
    let header = read(path, bytes)?;
    let text = header.about.get("position");
    let text = text.ok_or_else(|| Error::format(path, "no checkpoint of calogen"))?;
    serde_json::from_str(text).map_err(|e| Error::format(path, format!("its metadata: {e}")))
}

/// Puts the tensors of a checkpoint into the session.
pub(super) fn restore(
    path: &Path,
    bytes: &[u8],
    session: &mut Session,
    position: &Position,
) -> Result<()> {
    restore_networks(path, bytes, session.gpu(), session.networks())?;
    session.set_counters(&position.taken, position.turns)
}

/// Puts the tensors of a checkpoint into networks that train.
pub(super) fn restore_networks(
    path: &Path,
    bytes: &[u8],
    gpu: &Gpu,
    networks: &Networks,
) -> Result<()> {
    let wrong = |what: String| Error::format(path, what);
    let mut tensors = read(path, bytes)?.tensors().map_err(wrong)?;
    for (network, parameters) in networks.iter() {
        for (what, state) in parameters.states() {
            let name = format!("{network}/{what}");
            let (shape, values) = tensors
                .remove(&name)
                .ok_or_else(|| wrong(format!("tensor '{name}' is missing")))?;
            if shape != state.shape() {
                let wanted = state.shape();
                return Err(wrong(format!(
                    "tensor '{name}' has shape {shape:?}, expected {wanted:?}"
                )));
            }
            state.set(gpu, &values)?;
        }
    }
    Ok(())
}

/// Writes the weights that generation needs.
pub(super) fn save_weights(path: &Path, session: &Session, metadata: Metadata) -> Result<()> {
    let mut tensors = BTreeMap::new();
    for name in session.system().kept() {
        let parameters = session.networks().get(name)?;
        for tensor in &parameters.network().tensors {
            let values = parameters.get(session.gpu(), &tensor.name, true)?;
            tensors.insert(
                format!("{name}.{}", tensor.name),
                (tensor.shape.clone(), values),
            );
        }
    }
    Weights {
        metadata,
        tensors,
        ..Weights::default()
    }
    .write(path)
}
