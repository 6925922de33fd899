//! The generator: weights in, showers out. What an embedding program needs, and nothing else.
//!
//! ```no_run
//! use calogen::{generate::Generator, gpu::Gpu};
//! let mut generator = Generator::load(&Gpu::open(None)?, "hgcal.safetensors")?;
//! let labels = generator.labels(&[20.0, 50.0, 90.0], 1, 0)?; // GeV; other labels are drawn from their training range
//! let showers = generator.generate(&labels, 1, 0)?; // [3, Z, X, Y] cell energies
//! # Ok::<(), calogen::Error>(())
//! ```

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use crate::gpu::{Gpu, Profile, Readback};
use crate::models::{self, Build, Conditioning, Metadata, Networks, System, Weights};
use crate::ops::random;
use crate::tape::{Options, Plan, Program, Tape};
use crate::{Error, Result};

/// Showers in a batch if nobody says otherwise.
pub const BATCH: usize = 256;
/// Batches are filled up to a multiple of this: what every kernel can take whole.
const TILE: usize = 8;
/// Batches under way: one computes while the one before travels to the host.
const AHEAD: usize = 2;
/// Streams of labels that are drawn, apart from those of the networks' noise.
const LABEL_STREAM: u32 = 0x4000_0000;

/// Labels of some events, `[events, labels]`, in the order of [`Generator::label_names`].
#[derive(Clone, Debug, PartialEq)]
pub struct LabelRows {
    /// Row by row.
    pub values: Vec<f32>,
    /// Labels in a row.
    pub columns: usize,
}

impl LabelRows {
    /// Number of events.
    pub fn events(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    /// Labels of one event.
    pub fn row(&self, event: usize) -> &[f32] {
        &self.values[event * self.columns..][..self.columns]
    }
}

/// Some consecutive showers of a stream.
#[derive(Debug)]
pub struct Block<'a> {
    /// Index of the first of them among the labels given.
    pub first: usize,
    /// Cell energies `[events, Z, X, Y]`.
    pub showers: &'a [f32],
    /// Number of events.
    pub events: usize,
}

/// A trained system ready to sample.
pub struct Generator {
    gpu: Arc<Gpu>,
    system: Box<dyn System>,
    networks: Networks,
    metadata: Metadata,
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
        let (system, networks, metadata) = Networks::load(gpu, weights, path)?;
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
            programs,
            batch: BATCH,
            threshold: 0.0,
        })
    }

    /// What the weights file says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
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

    /// Labels for events of the given energies (GeV), from event `first_event` of `seed` on. Other labels are drawn
    /// uniformly from their range in the training data, by (seed, event). An unconditional system takes no notice of the
    /// energy, for which 0 says that there is none.
    ///
    /// # Errors
    /// [`Error::Config`] if an energy is not a finite number above 0, or if the labels belong together
    /// ([`Conditioning::Joint`]): then [`LabelRows`] must come from particles that exist.
    pub fn labels(&self, energies: &[f32], seed: u64, first_event: u64) -> Result<LabelRows> {
        let columns = self.metadata.conditions.len();
        let unconditional = match self.conditioning() {
            Conditioning::Free => false,
            Conditioning::Unconditional => true,
            Conditioning::Joint => {
                return Err(Error::Config(format!(
                    "{} makes showers of whole particles: {} belong together and are not drawn one by one",
                    self.metadata.model,
                    self.label_names().join(", ")
                )));
            }
        };
        let mut values = Vec::with_capacity(energies.len() * columns);
        for (i, &energy) in energies.iter().enumerate() {
            if !(energy.is_finite() && (energy > 0.0 || unconditional && energy == 0.0)) {
                return Err(Error::Config(format!(
                    "event {i}: incident energy {energy} GeV; it must be above 0"
                )));
            }
            for (column, condition) in self.metadata.conditions.iter().enumerate() {
                values.push(if column == 0 {
                    energy
                } else {
                    let u =
                        random::uniform(seed, LABEL_STREAM, first_event + i as u64, column as u32);
                    condition.min + u * (condition.max - condition.min)
                });
            }
        }
        Ok(LabelRows { values, columns })
    }

    /// Showers for `labels`, as events `first_event`, `first_event + 1`, .. of `seed`: `[events, Z, X, Y]`.
    pub fn generate(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
    ) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        self.stream(labels, seed, first_event, |block| {
            all.extend_from_slice(block.showers);
            Ok(())
        })?;
        Ok(all)
    }

    /// Gives the showers of `labels` to `take` block by block, in order and in constant memory, while the next block
    /// computes.
    ///
    /// # Errors
    /// [`Error::Config`] if labels are not finite or their number is wrong; what `take` returns; what the device reports.
    pub fn stream(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
        mut take: impl FnMut(Block<'_>) -> Result<()>,
    ) -> Result<()> {
        self.check(labels)?;
        let events = labels.events();
        let wanted = self.batch.min(events.max(1)).next_multiple_of(TILE);
        let batch = self.prepare(wanted)?;
        let cells: usize = self.shape().iter().product();
        let mut under_way: VecDeque<(usize, usize, Readback)> = VecDeque::with_capacity(AHEAD);
        let mut row = vec![0.0; batch * labels.columns];
        let mut deliver = |(first, count, read): (usize, usize, Readback)| -> Result<()> {
            let bytes = read.wait(&self.gpu)?;
            let showers: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            let showers = &showers[..count * cells];
            if let Some(i) = showers.iter().position(|e| !e.is_finite()) {
                let event = first_event + (first + i / cells) as u64;
                return Err(Error::NotFinite(format!(
                    "event {event} has a cell of {}",
                    showers[i]
                )));
            }
            take(Block {
                first,
                showers,
                events: count,
            })
        };
        let program = self
            .programs
            .get(&batch)
            .ok_or_else(|| Error::Config("no program".into()))?;
        for first in (0..events).step_by(batch) {
            let count = batch.min(events - first);
            // A batch that is not full repeats its last row; what it makes is dropped.
            for i in 0..batch {
                let from = labels.row(first + i.min(count - 1));
                row[i * labels.columns..][..labels.columns].copy_from_slice(from);
            }
            program.set("conditions", &row)?;
            program.set("threshold", &[self.threshold])?;
            program.set_u32("random", &random::key(seed, first_event + first as u64))?;
            program.run()?;
            under_way.push_back((first, count, program.start_read("showers")?));
            if under_way.len() == AHEAD
                && let Some(oldest) = under_way.pop_front()
            {
                deliver(oldest)?;
            }
        }
        under_way.into_iter().try_for_each(deliver)
    }

    fn check(&self, labels: &LabelRows) -> Result<()> {
        let names = self.label_names();
        if labels.columns != names.len()
            || !labels.values.len().is_multiple_of(labels.columns.max(1))
        {
            return Err(Error::Config(format!(
                "each event needs the labels {}",
                names.join(", ")
            )));
        }
        match labels.values.iter().position(|v| !v.is_finite()) {
            Some(i) => {
                let (event, name) = (i / labels.columns, &names[i % labels.columns]);
                Err(Error::Config(format!(
                    "event {event}: {name} is {}",
                    labels.values[i]
                )))
            }
            None => Ok(()),
        }
    }

    /// Compiles the sampler for `batch` showers, or for half as many if the device has no room, and so on.
    fn prepare(&mut self, mut batch: usize) -> Result<usize> {
        loop {
            if self.programs.contains_key(&batch) {
                return Ok(batch);
            }
            match self.compile(batch) {
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
        let options = Options {
            frozen: true,
            ..Options::default()
        };
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
