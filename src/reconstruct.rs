//! Regressors: weights and showers in, energies and features out.

mod relevance;

use std::path::Path;
use std::sync::Arc;

use crate::gpu::Gpu;
use crate::models::{self, Build, Metadata, Networks, Preset, System, Weights};
use crate::tape::{Options, Program, Tape};
use crate::{Error, Result};

pub use relevance::{EPSILON, Relevance, propagate};

/// Showers in a batch.
const BATCH: usize = 64;

/// What a regressor says of some showers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reconstructed {
    /// Energies in GeV.
    pub energies: Vec<f32>,
    /// Activations of its last hidden layer, shower by shower.
    pub features: Vec<f32>,
    /// Impact points x, y in mm; empty if it reconstructs none.
    pub positions: Vec<[f32; 2]>,
}

/// A trained regressor.
pub struct Reconstructor {
    system: Box<dyn System>,
    metadata: Metadata,
    inference: Inference,
}

impl Reconstructor {
    /// Loads a weights file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read or holds no regressor.
    pub fn load(gpu: &Arc<Gpu>, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (system, networks, metadata) = Networks::load(gpu, Weights::read(path)?, path)?;
        Self::of(gpu, system, &networks, metadata).map_err(|e| match e {
            Error::Config(what) => Error::format(path, what),
            other => other,
        })
    }

    /// A regressor of the published size with the initial weights that `seed` gives: its features are a random projection of
    /// a shower, its energies mean nothing.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no such model or it is no regressor.
    pub fn untrained(gpu: &Arc<Gpu>, model: &str, seed: u64) -> Result<Self> {
        let system = models::preset(model, Preset::Paper)?;
        let networks = Networks::new(gpu, system.as_ref(), &system.kept(), seed, false)?;
        let metadata = Metadata {
            model: model.into(),
            config: system.config(),
            ..Metadata::default()
        };
        Self::of(gpu, system, &networks, metadata)
    }

    fn of(
        gpu: &Arc<Gpu>,
        system: Box<dyn System>,
        networks: &Networks,
        metadata: Metadata,
    ) -> Result<Self> {
        let Some(inference) = Inference::new(gpu, system.as_ref(), networks, Options::FROZEN)?
        else {
            let what = format!("model {} is no regressor", metadata.model);
            return Err(Error::Config(what));
        };
        Ok(Self {
            system,
            metadata,
            inference,
        })
    }

    /// What the weights file says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Extents of what it sees of a shower (Z, X, Y).
    pub fn shape(&self) -> [usize; 3] {
        self.system.shape()
    }

    /// Where in a larger shower that lies.
    pub fn origin(&self) -> Option<[usize; 3]> {
        self.system.origin()
    }

    /// Features of showers of which it sees a part, or sums over layers; there cells below `threshold` are empty.
    ///
    /// # Errors
    /// [`Error::Config`] if they do not fit.
    #[cfg(all(feature = "hdf5", any(feature = "report", feature = "train")))]
    pub fn features(&self, showers: crate::data::Showers, threshold: f64) -> Result<Vec<f64>> {
        let view = crate::data::View::between(showers.shape, self.shape(), self.origin())?;
        let mut cells = view.apply(showers).layers;
        crate::observables::cut(&mut cells, threshold as f32);
        let found = self.run(&cells)?;
        Ok(found.features.iter().map(|&f| f.into()).collect())
    }

    /// Energies and features of showers `[N,Z,X,Y]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if that is no whole number of showers.
    pub fn run(&self, showers: &[f32]) -> Result<Reconstructed> {
        self.inference.run(showers)
    }
}

/// A regressor's networks as inference runs them: running statistics, no dropout.
pub(crate) struct Inference {
    program: Program,
    /// Cells of a shower.
    cells: usize,
    positions: bool,
}

impl Inference {
    /// Of a system's networks, which may go on training unless `options` are [`Options::FROZEN`]; `None` if it is no regressor.
    pub fn new(
        gpu: &Arc<Gpu>,
        system: &dyn System,
        networks: &Networks,
        options: Options,
    ) -> Result<Option<Self>> {
        let tape = Tape::new();
        let build = Build::new(&tape, networks, system, BATCH);
        let Some(found) = system.reconstruct(&build) else {
            return Ok(None);
        };
        let mut outputs = vec![
            ("features", found.features.batch_first()),
            ("energy", found.energy.batch_first()),
        ];
        outputs.extend(found.position.map(|p| ("position", p.batch_first())));
        Ok(Some(Self {
            program: tape.compile(gpu, &outputs, options)?,
            cells: system.shape().iter().product(),
            positions: found.position.is_some(),
        }))
    }

    /// See [`Reconstructor::run`].
    pub fn run(&self, showers: &[f32]) -> Result<Reconstructed> {
        let cells = self.cells;
        if !showers.len().is_multiple_of(cells) {
            let what = format!("{} cells are no showers of {cells}", showers.len());
            return Err(Error::shape("reconstruct", what));
        }
        let mut all = Reconstructed::default();
        let mut batch = vec![0.0; BATCH * cells];
        for part in showers.chunks(BATCH * cells) {
            // A batch that is not full ends with showers of before; what is said of them is dropped.
            batch[..part.len()].copy_from_slice(part);
            self.program.set("showers", &batch)?;
            self.program.run()?;
            let events = part.len() / cells;
            let (features, energy) = (self.program.read("features")?, self.program.read("energy")?);
            let width = features.len() / BATCH;
            all.features.extend_from_slice(&features[..events * width]);
            all.energies.extend_from_slice(&energy[..events]);
            if self.positions {
                let found = self.program.read("position")?;
                all.positions
                    .extend(found.as_chunks().0.iter().take(events));
            }
        }
        match all.features.iter().position(|f| !f.is_finite()) {
            Some(i) => Err(Error::NotFinite(format!(
                "feature {i} of the regressor is {}",
                all.features[i]
            ))),
            None => Ok(all),
        }
    }
}
