//! A run's folder as it stands, with all of its networks.

use std::path::Path;
use std::sync::Arc;

use super::checkpoint;
use crate::gpu::Gpu;
use crate::models::{self, Metadata, Networks, System, Weights};
use crate::{Error, Result};

/// The system of a run, all its networks as of the last checkpoint, and what its weights say of themselves.
///
/// # Errors
/// [`Error::Io`] or [`Error::Format`] if the folder has no checkpoint and weights of one model.
pub fn open_run(gpu: &Arc<Gpu>, folder: &Path) -> Result<(Box<dyn System>, Networks, Metadata)> {
    let path = folder.join("checkpoint.safetensors");
    let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let position = checkpoint::position(&path, &bytes)?;
    let weights = folder.join("model.safetensors");
    let metadata = Weights::read(&weights)?.metadata;
    if metadata.model != position.model {
        let what = format!(
            "weights of model {}, but the checkpoint is of {}",
            metadata.model, position.model
        );
        return Err(Error::format(&weights, what));
    }
    let system = models::open(&position.model, position.config)
        .map_err(|e| Error::format(&path, e.to_string()))?;
    let networks = Networks::new(gpu, system.as_ref(), &[], position.seed, true)?;
    checkpoint::restore_networks(&path, &bytes, gpu, &networks)?;
    Ok((system, networks, metadata))
}
