//! Checkpoints: all that is needed to go on as if training had not stopped; and the weights for generation.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::log::Log;
use super::session::Session;
use crate::models::{Metadata, Weights};
use crate::{Error, Result};

/// What a checkpoint says beside the tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Position {
    pub model: String,
    pub config: serde_json::Value,
    pub seed: u64,
    pub batch: usize,
    pub iteration: u64,
    pub iterations: u64,
    pub taken: Vec<u64>,
    pub turns: u64,
    pub log: Log,
    /// Files, events and shape of the data: other data would not continue this run.
    pub data: String,
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
    crate::models::write_tensors(path, &tensors, about)
}

/// Reads where a checkpoint stands.
pub(super) fn position(path: &Path, bytes: &[u8]) -> Result<Position> {
    let broken = |e: safetensors::SafeTensorError| {
        Error::format(path, format!("no readable checkpoint: {e}"))
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let text = header.metadata().as_ref().and_then(|m| m.get("position"));
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
    let wrong = |what: String| Error::format(path, what);
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| wrong(format!("no readable checkpoint: {e}")))?;
    for (network, parameters) in session.networks().iter() {
        for (what, state) in parameters.states() {
            let name = format!("{network}/{what}");
            let view = file
                .tensor(&name)
                .map_err(|_| wrong(format!("tensor '{name}' is missing")))?;
            if view.shape() != state.shape() {
                let (found, wanted) = (view.shape(), state.shape());
                return Err(wrong(format!(
                    "tensor '{name}' has shape {found:?}, expected {wanted:?}"
                )));
            }
            state.set(
                session.gpu(),
                &bytemuck::pod_collect_to_vec::<u8, f32>(view.data()),
            )?;
        }
    }
    session.set_counters(&position.taken, position.turns)
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
