//! The networks of a system, on a device.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::{Metadata, System, Weights};
use crate::gpu::Gpu;
use crate::nn::Parameters;
use crate::{Error, Result};

/// The networks of a system on a device.
#[derive(Debug, Default)]
pub struct Networks(BTreeMap<String, Parameters>);

impl Networks {
    /// The networks of `system` named by `only` (all if empty), with initial values, ready for training if `train`.
    pub fn new(
        gpu: &Arc<Gpu>,
        system: &dyn System,
        only: &[&str],
        seed: u64,
        train: bool,
    ) -> Result<Self> {
        let kept = system.kept();
        let mut all = BTreeMap::new();
        for (i, network) in system.networks()?.into_iter().enumerate() {
            if !only.is_empty() && !only.contains(&network.name.as_str()) {
                continue;
            }
            let average = train && system.average() > 0.0 && kept.contains(&network.name.as_str());
            let name = network.name.clone();
            let mut parameters =
                Parameters::new(gpu, network, seed.wrapping_add((i as u64) << 32), average)?;
            if train {
                parameters = parameters.with_optimizer_state(gpu)?;
            }
            all.insert(name, parameters);
        }
        Ok(Self(all))
    }

    /// The system, the networks and the metadata of a weights file, ready to sample; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Format`] naming the tensor or the condition that is missing, of the wrong shape or superfluous.
    pub fn load(
        gpu: &Arc<Gpu>,
        weights: Weights,
        path: &Path,
    ) -> Result<(Box<dyn System>, Self, Metadata)> {
        let metadata = weights.metadata;
        let wrong = |what: String| Error::format(path, what);
        let system = super::open(&metadata.model, metadata.config.clone())
            .map_err(|e| wrong(e.to_string()))?;
        let names: Vec<&str> = metadata
            .conditions
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        if names != system.conditions() {
            let wanted = system.conditions();
            return Err(wrong(format!(
                "its conditions are {names:?}, the model's {wanted:?}"
            )));
        }
        let mut tensors = weights.tensors;
        // All shapes first: what the configuration claims is allocated only if the file holds it.
        let kept = system.kept();
        let mut rest: BTreeSet<&str> = tensors.keys().map(String::as_str).collect();
        for network in system.networks().map_err(|e| wrong(e.to_string()))? {
            if !kept.contains(&network.name.as_str()) {
                continue;
            }
            for tensor in &network.tensors {
                let full = format!("{}.{}", network.name, tensor.name);
                let (shape, _) = tensors
                    .get(&full)
                    .ok_or_else(|| wrong(format!("tensor '{full}' is missing")))?;
                if *shape != tensor.shape {
                    let wanted = &tensor.shape;
                    return Err(wrong(format!(
                        "tensor '{full}' has shape {shape:?}, expected {wanted:?}"
                    )));
                }
                rest.remove(full.as_str());
            }
        }
        if let Some(name) = rest.first() {
            return Err(wrong(format!(
                "tensor '{name}' belongs to no layer of {}",
                metadata.model
            )));
        }
        let networks = Self::new(gpu, system.as_ref(), &kept, 0, false)?;
        for (name, parameters) in networks.iter() {
            for tensor in &parameters.network().tensors {
                let full = format!("{name}.{}", tensor.name);
                if let Some((_, values)) = tensors.remove(&full) {
                    parameters.set(gpu, &tensor.name, &values)?;
                }
            }
        }
        Ok((system, networks, metadata))
    }

    /// The network `name`.
    pub fn get(&self, name: &str) -> Result<&Parameters> {
        self.0
            .get(name)
            .ok_or_else(|| Error::Config(format!("there is no network '{name}'")))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Parameters)> {
        self.0.iter().map(|(name, p)| (name.as_str(), p))
    }
}
