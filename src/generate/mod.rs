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
//! | [`hits`](Generator::hits), [`for_each_hits`](Generator::for_each_hits), [`stream_hits`](Generator::stream_hits) | cell index and energy of the cells hit: only they leave the device |
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
//! [`stream_several`] and [`stream_hits_several`] have several devices make one stream of events. A program that computes on wgpu itself hands its own
//! device to [`Gpu::from_device`].

mod batches;
mod device;
mod export;
mod half;
mod hits;
mod labels;
mod self_test;
mod several;
mod stream;
mod tune;

pub use crate::hits::Hits;
pub use export::Example;
pub use hits::{HitBlock, HitsOf};
pub use labels::{LabelRows, Outside};
pub use self_test::{SelfTest, self_test};
pub use several::{Part, stream_hits_several, stream_several};
pub use stream::{Block, Shower, Showers};

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::gpu::{Gpu, Profile, Tier};
use crate::models::{self, Build, Conditioning, Metadata, Networks, System, Weights};
use crate::ops::HitFormat;
use crate::tape::{Options, Plan, Program, StepTime, Tape, Var};
use crate::{Error, Result};

/// Showers in a batch if nobody says otherwise.
pub const BATCH: usize = 256;
/// Batches are filled up to a multiple of this, what every kernel can take whole, or are one, two or four showers.
const TILE: usize = 8;

/// What a plan's buffers may take in a processor's caches, in bytes, about: where they are larger, every kernel waits for
/// memory. Of fewer showers than `SHARE` no more would be gained.
const CACHES: u64 = 16 << 20;
const SHARE: usize = 16;

/// Showers that are computed where `events` are asked for.
fn padded_batch(events: usize) -> usize {
    match events {
        0..=4 => events.next_power_of_two(),
        _ => events.next_multiple_of(TILE),
    }
}

/// What of a batch travels to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    /// Every cell, float32.
    Cells,
    /// Every cell, two of them as float16 in a word.
    HalfCells,
    /// The cells hit.
    Hits(HitFormat),
}

impl Form {
    /// Name of the program's output.
    fn output(self) -> &'static str {
        match self {
            Self::Cells | Self::HalfCells => "showers",
            Self::Hits(_) => "hits",
        }
    }
}

/// A trained system ready to sample.
pub struct Generator {
    gpu: Arc<Gpu>,
    system: Box<dyn System>,
    networks: Networks,
    metadata: Metadata,
    hash: String,
    programs: HashMap<(usize, Form), Program>,
    batch: usize,
    threshold: f32,
    half: bool,
    smaller: Option<usize>,
    /// Showers at once for which a processor's caches have room; all, as long as no plan was seen to be larger, and on GPUs.
    in_caches: usize,
    /// Hits of a shower that are read before their number is known.
    expected_hits: Option<usize>,
    tier: Tier,
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
        Ok(Self::of(gpu, system, networks, metadata, hash))
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
        Ok(Self::of(gpu, system, networks, metadata, String::new()))
    }

    fn of(
        gpu: &Arc<Gpu>,
        system: Box<dyn System>,
        networks: Networks,
        metadata: Metadata,
        hash: String,
    ) -> Self {
        Self {
            gpu: gpu.clone(),
            system,
            networks,
            metadata,
            hash,
            programs: HashMap::new(),
            batch: BATCH,
            threshold: 0.0,
            half: false,
            smaller: None,
            in_caches: usize::MAX,
            expected_hits: None,
            tier: Tier::default(),
        }
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

    /// Showers computed at once. Events are the same, to the bit, for any batch. A software device computes a batch in shares
    /// whose activations fit a processor's caches ([`at_once`](Self::at_once)).
    pub fn set_batch(&mut self, batch: usize) {
        self.batch = batch.max(1);
        self.smaller = None;
    }

    /// The batch in use where the device had no room for the one asked for.
    pub fn smaller_batch(&self) -> Option<usize> {
        self.smaller
    }

    /// Computes in another tier: [`Tier::Portable`] at first. Within one, events are the same to the bit.
    ///
    /// # Errors
    /// [`Error::Config`] if the device lacks what the tier needs.
    pub fn set_tier(&mut self, tier: Tier) -> Result<()> {
        self.gpu.capabilities().check_tier(tier)?;
        if tier != self.tier {
            self.programs.clear();
            self.in_caches = usize::MAX;
        }
        self.tier = tier;
        Ok(())
    }

    /// How products are computed.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// Empties cells below `threshold`, in the unit of the cells. 0 leaves all.
    pub fn set_threshold(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// Has energies travel to the host as float16, half the bytes: each is rounded to the nearest, before it is compared with
    /// the threshold. One above 65504, in the unit of the cells, is then an error. Not by default; showers that stay on the
    /// device are not rounded.
    pub fn set_half(&mut self, half: bool) {
        self.half = half;
    }

    fn cells_form(&self) -> Form {
        match self.half {
            true => Form::HalfCells,
            false => Form::Cells,
        }
    }

    /// Compiles the sampler for `batch` showers, or for half as many if the device has no room, and so on.
    fn prepare(&mut self, mut batch: usize, form: Form) -> Result<usize> {
        loop {
            batch = batch.min(self.in_caches);
            if self.programs.contains_key(&(batch, form)) {
                return Ok(batch);
            }
            let share = self.share_in_caches(batch, form)?;
            if share < batch {
                self.in_caches = share;
                continue;
            }
            match self.gpu.guarded(|| self.compile(batch, form)) {
                Ok(program) => {
                    self.programs.insert((batch, form), program);
                    return Ok(batch);
                }
                Err(Error::OutOfMemory(_)) if batch > TILE => {
                    batch = padded_batch(batch / 2);
                    self.smaller = Some(batch);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How many of `batch` showers to compute at once on a processor, judged by the plan for all of them, or for as many as
    /// tensors can hold.
    fn share_in_caches(&self, batch: usize, form: Form) -> Result<usize> {
        let mut share = batch;
        if self.gpu.capabilities().on_cpu && batch >= 2 * SHARE {
            let each = loop {
                let bytes = self.with_sampler(share, form, |tape, outputs| {
                    tape.buffer_bytes(&self.gpu, outputs, self.options())
                });
                match bytes {
                    Ok(bytes) => break bytes / share as u64,
                    Err(Error::OutOfMemory(_)) if share > TILE => share = padded_batch(share / 2),
                    Err(error) => return Err(error),
                }
            };
            while share >= 2 * SHARE && each * share as u64 > CACHES {
                share = padded_batch(share / 2);
            }
        }
        Ok(share)
    }

    fn options(&self) -> Options {
        Options {
            tier: self.tier,
            ..Options::FROZEN
        }
    }

    fn compile(&self, batch: usize, form: Form) -> Result<Program> {
        self.compile_with(batch, form, self.options())
    }

    fn compile_with(&self, batch: usize, form: Form, options: Options) -> Result<Program> {
        self.with_sampler(batch, form, |tape, outputs| {
            tape.compile(&self.gpu, outputs, options)
        })
    }

    /// Records the sampler of `batch` showers and hands the tape to `then`, with its output.
    fn with_sampler<T>(
        &self,
        batch: usize,
        form: Form,
        then: impl FnOnce(&Tape, &[(&str, Var<'_>)]) -> Result<T>,
    ) -> Result<T> {
        let tape = Tape::new();
        let build = Build::new(&tape, &self.networks, self.system.as_ref(), batch);
        let showers = self.system.sample(&build);
        let threshold = tape.input("threshold", &[1]);
        let wanted = match form {
            Form::Hits(format) => showers.compact(threshold, format),
            Form::HalfCells => showers.batch_first().to_half(threshold),
            Form::Cells => showers.cut_below(threshold).batch_first(),
        };
        then(&tape, &[(form.output(), wanted)])
    }

    /// How many showers a program for `batch` of them makes at once: so many, filled up, or fewer where they do not fit the
    /// device, or the caches of a processor.
    pub fn at_once(&mut self, batch: usize) -> Result<usize> {
        self.prepare(padded_batch(batch), Form::Cells)
    }

    /// The plan of the sampler for [as many showers](Self::at_once) of `batch` as fit the device.
    pub fn plan(&mut self, batch: usize) -> Result<Plan> {
        let batch = self.at_once(batch)?;
        Ok(self.programs[&(batch, Form::Cells)].plan().clone())
    }

    /// Times by kernel of one batch of the sampler, with the inputs of the last one.
    pub fn profile(&mut self, batch: usize) -> Result<Profile> {
        let batch = self.at_once(batch)?;
        self.programs[&(batch, Form::Cells)].profile()
    }

    /// Times by dispatch, in order, as [`profile`](Self::profile).
    pub fn step_times(&mut self, batch: usize) -> Result<Vec<StepTime>> {
        let batch = self.at_once(batch)?;
        self.programs[&(batch, Form::Cells)].step_times()
    }
}
