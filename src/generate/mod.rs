//! The generator: weights in, showers out. What an embedding program needs, and nothing else.
//!
//! ```no_run
//! use calogen::{generate::Generator, gpu::Gpu};
//! let mut generator = Generator::load(&Gpu::open(None)?, "hgcal.safetensors")?;
//! let labels = generator.labels(&[20.0, 50.0, 90.0], 1, 0)?; // GeV; other labels are drawn from their training range
//! let showers = generator.generate(&labels, 1, 0)?; // [3, Z, X, Y] cell energies
//! # Ok::<(), calogen::Error>(())
//! ```
//!
//! The same events, in the form that the host program wants:
//!
//! | method | what it gives |
//! |---|---|
//! | [`generate`](Generator::generate) | one array `[events, Z, X, Y]` |
//! | [`showers`](Generator::showers) | an iterator, a shower at a time |
//! | [`for_each`](Generator::for_each), [`stream`](Generator::stream) | a callback by shower or by batch, borrowed, in constant memory |
//! | [`hits`](Generator::hits), [`for_each_hits`](Generator::for_each_hits) | cell index and energy of the cells hit |
//! | [`generate_on_device`](Generator::generate_on_device), [`generate_into`](Generator::generate_into) | a `wgpu::Buffer`: nothing travels to the host |
//!
//! # Devices and threads
//! Generators share a device by cloning its `Arc`, and a generator may be moved to another thread. One generator makes one
//! batch at a time (`&mut self`): threads that generate at once have one each, of the same weights if they like.
//!
//! ```no_run
//! # use calogen::{generate::Generator, gpu::Gpu};
//! let gpu = Gpu::open(None)?;
//! std::thread::scope(|scope| {
//!     for file in ["electrons.safetensors", "pions.safetensors"] {
//!         let gpu = &gpu;
//!         scope.spawn(move || -> calogen::Result<()> {
//!             let mut generator = Generator::load(gpu, file)?;
//!             let labels = generator.labels(&[50.0; 1000], 1, 0)?;
//!             let hits = generator.hits(&labels, 1, 0)?;
//!             println!("{file}: {} hits", hits.cells.len());
//!             Ok(())
//!         });
//!     }
//! });
//! # Ok::<(), calogen::Error>(())
//! ```
//!
//! [`stream_several`] has several devices make one stream of events. A program that computes on wgpu itself hands its own
//! device to [`Gpu::from_device`].

mod check;
mod device;
mod export;
mod hits;
mod labels;
mod several;
mod stream;

pub use check::{SelfTest, self_test};
pub use export::Example;
pub use hits::{Hits, HitsOf};
pub use labels::{LabelRows, Outside};
pub use several::stream_several;
pub use stream::{Block, Shower, Showers};

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::gpu::{Gpu, Profile};
use crate::models::{self, Build, Conditioning, Metadata, Networks, System, Weights};
use crate::tape::{Options, Plan, Program, Tape};
use crate::{Error, Result};

/// Showers in a batch if nobody says otherwise.
pub const BATCH: usize = 256;
/// Batches are filled up to a multiple of this: what every kernel can take whole.
const TILE: usize = 8;

/// A trained system ready to sample.
pub struct Generator {
    gpu: Arc<Gpu>,
    system: Box<dyn System>,
    networks: Networks,
    metadata: Metadata,
    hash: String,
    programs: HashMap<usize, Program>,
    batch: usize,
    threshold: f32,
}

impl Generator {
    /// Loads a weights file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read or is no weights file; which tensor is missing, of the wrong
    /// shape or not finite.
    pub fn load(gpu: &Arc<Gpu>, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::new(gpu, Weights::read(path)?, path)
    }

    /// Loads weights from memory.
    pub fn from_bytes(gpu: &Arc<Gpu>, bytes: &[u8]) -> Result<Self> {
        let path = Path::new("weights in memory");
        Self::new(gpu, Weights::from_bytes(bytes, path)?, path)
    }

    /// From weights that were read; `path` is for messages.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn new(gpu: &Arc<Gpu>, weights: Weights, path: &Path) -> Result<Self> {
        let hash = weights.hash.clone();
        let (system, networks, metadata) = gpu.guarded(|| Networks::load(gpu, weights, path))?;
        if !system.generates() {
            let what = format!("model {} generates no showers", metadata.model);
            return Err(Error::format(path, what));
        }
        let (gpu, programs) = (gpu.clone(), HashMap::new());
        Ok(Self {
            gpu,
            system,
            networks,
            metadata,
            hash,
            programs,
            batch: BATCH,
            threshold: 0.0,
        })
    }

    /// A generator with random weights, for benchmarks.
    pub fn untrained(gpu: &Arc<Gpu>, system: Box<dyn System>) -> Result<Self> {
        let networks = Networks::new(gpu, system.as_ref(), &system.kept(), 0, false)?;
        let conditions = system
            .conditions()
            .into_iter()
            .map(|name| models::Condition {
                unit: String::new(),
                min: if name == "energy" { 10.0 } else { -1.0 },
                max: if name == "energy" { 100.0 } else { 1.0 },
                name,
            });
        let metadata = Metadata {
            model: system.name().into(),
            config: system.config(),
            unit: "MeV".into(),
            conditions: conditions.collect(),
            ..Metadata::default()
        };
        let (gpu, programs) = (gpu.clone(), HashMap::new());
        Ok(Self {
            gpu,
            system,
            networks,
            metadata,
            hash: String::new(),
            programs,
            batch: BATCH,
            threshold: 0.0,
        })
    }

    /// What the weights file says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// SHA-256 of the weights file in hexadecimal digits; empty for weights that came from no file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The device.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Extents of a shower (Z, X, Y).
    pub fn shape(&self) -> [usize; 3] {
        self.system.shape()
    }

    /// Names of the labels, the incident energy in GeV first.
    pub fn label_names(&self) -> Vec<String> {
        self.system.conditions()
    }

    /// How labels may be chosen.
    pub fn conditioning(&self) -> Conditioning {
        self.system.conditioning()
    }

    /// Showers computed at once. Events are the same, to the bit, for any batch.
    pub fn set_batch(&mut self, batch: usize) {
        self.batch = batch.max(1);
    }

    /// Empties cells below `threshold`, in the unit of the cells. 0 leaves all.
    pub fn set_threshold(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// Compiles the sampler for `batch` showers, or for half as many if the device has no room, and so on.
    fn prepare(&mut self, mut batch: usize) -> Result<usize> {
        loop {
            if self.programs.contains_key(&batch) {
                return Ok(batch);
            }
            match self.gpu.guarded(|| self.compile(batch)) {
                Ok(program) => {
                    self.programs.insert(batch, program);
                    return Ok(batch);
                }
                Err(Error::OutOfMemory(_)) if batch > TILE => {
                    batch = (batch / 2).next_multiple_of(TILE)
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn compile(&self, batch: usize) -> Result<Program> {
        let options = Options {
            frozen: true,
            ..Options::default()
        };
        self.compile_with(batch, options)
    }

    fn compile_with(&self, batch: usize, options: Options) -> Result<Program> {
        let tape = Tape::new();
        let build = Build::new(&tape, &self.networks, self.system.as_ref(), batch);
        let showers = self.system.sample(&build);
        // 1 where a cell is at least the threshold.
        let kept = 1.0
            - tape
                .input("threshold", &[1])
                .expand(&showers.shape())
                .greater(showers);
        let showers = (showers * kept).batch_first();
        tape.compile(&self.gpu, &[("showers", showers)], options)
    }

    /// The plan of the sampler for `batch` showers.
    pub fn plan(&mut self, batch: usize) -> Result<Plan> {
        let batch = self.prepare(batch.next_multiple_of(TILE))?;
        Ok(self.programs[&batch].plan().clone())
    }

    /// Times by kernel of one batch of the sampler, with the inputs of the last one.
    pub fn profile(&mut self, batch: usize) -> Result<Profile> {
        let batch = self.prepare(batch.next_multiple_of(TILE))?;
        self.programs[&batch].profile()
    }
}
