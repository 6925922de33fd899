//! Showers batch by batch: one batch computes while the one before travels to the host.

use std::collections::VecDeque;

use super::{Generator, LabelRows, TILE};
use crate::gpu::Readback;
use crate::ops::random;
use crate::tape::shape;
use crate::{Error, Result};

/// Batches under way.
const AHEAD: usize = 2;

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

/// One shower of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shower<'a> {
    /// Its number among the events of the seed.
    pub event: u64,
    /// Its labels, the incident energy in GeV first.
    pub labels: &'a [f32],
    /// Cell energies `[Z, X, Y]`.
    pub cells: &'a [f32],
}

/// What is asked of the device for one batch, and where the next one begins.
pub(super) struct Batches<'a> {
    generator: &'a mut Generator,
    labels: &'a LabelRows,
    seed: u64,
    first_event: u64,
    batch: usize,
    next: usize,
    row: Vec<f32>,
    split: bool,
}

/// The events of one batch that a run of the program has computed.
pub(super) struct Computed {
    /// Index of the first of them among the labels.
    pub first: usize,
    pub events: usize,
    /// The program's batch, which may be larger.
    pub batch: usize,
}

impl<'a> Batches<'a> {
    pub fn new(
        generator: &'a mut Generator,
        labels: &'a LabelRows,
        seed: u64,
        first_event: u64,
    ) -> Result<Self> {
        generator.check(labels)?;
        let events = labels.events();
        if first_event.checked_add(events as u64).is_none() {
            return Err(Error::Config(format!(
                "{events} events from {first_event} on reach beyond the last one, 2^64 - 1"
            )));
        }
        // Programs are made for few sizes: a host may ask for another number of showers each time.
        let wanted = events.max(1).next_power_of_two().min(generator.batch);
        let batch = match events {
            0 => 0,
            _ => generator.prepare(wanted.next_multiple_of(TILE))?,
        };
        Ok(Self {
            generator,
            labels,
            seed,
            first_event,
            batch,
            next: 0,
            row: Vec::new(),
            split: false,
        })
    }

    pub fn generator(&self) -> &Generator {
        self.generator
    }

    /// Starts the next batch, followed by what `then` does with it.
    ///
    /// If the device has no memory left, the batch is halved, once.
    pub fn start<T>(
        &mut self,
        mut then: impl FnMut(&Generator, &Computed) -> Result<T>,
    ) -> Option<Result<(Computed, T)>> {
        if self.next >= self.labels.events() {
            return None;
        }
        match self.submit(&mut then) {
            Err(Error::OutOfMemory(_)) if !self.split && self.batch > TILE => {
                self.split = true;
                self.generator.programs.remove(&self.batch);
                let half = (self.batch / 2).next_multiple_of(TILE);
                let again = self.generator.prepare(half).and_then(|batch| {
                    self.batch = batch;
                    self.submit(&mut then)
                });
                Some(again)
            }
            other => Some(other),
        }
    }

    fn submit<T>(
        &mut self,
        then: &mut impl FnMut(&Generator, &Computed) -> Result<T>,
    ) -> Result<(Computed, T)> {
        let (batch, columns) = (self.batch, self.labels.columns);
        let computed = Computed {
            first: self.next,
            events: batch.min(self.labels.events() - self.next),
            batch,
        };
        self.row.resize(batch * columns, 0.0);
        // A batch that is not full repeats its last row; what it makes is dropped.
        for i in 0..batch {
            let from = self.labels.row(self.next + i.min(computed.events - 1));
            self.row[i * columns..][..columns].copy_from_slice(from);
        }
        let key = random::key(self.seed, self.first_event + self.next as u64);
        let generator = &*self.generator;
        let program = &generator.programs[&batch];
        let done = generator.gpu.guarded(|| {
            program.set("conditions", &self.row)?;
            program.set("threshold", &[generator.threshold])?;
            program.set_u32("random", &key)?;
            program.run()?;
            then(generator, &computed)
        })?;
        self.next += computed.events;
        Ok((computed, done))
    }
}

/// An iterator over showers: [`Generator::showers`]. It ends after an error.
pub struct Showers<'a> {
    batches: Batches<'a>,
    under_way: VecDeque<(Computed, Readback)>,
    /// The batch that is being handed out: first event, cells, and how many showers of it are gone.
    block: (usize, Vec<f32>),
    given: usize,
    failed: bool,
}

impl<'a> Showers<'a> {
    fn new(batches: Batches<'a>) -> Self {
        Self {
            batches,
            under_way: VecDeque::with_capacity(AHEAD),
            block: (0, Vec::new()),
            given: 0,
            failed: false,
        }
    }

    /// The cells of the next batch with the index of its first event.
    fn next_block(&mut self) -> Option<Result<(usize, Vec<f32>)>> {
        if self.failed {
            return None;
        }
        let block = self.advance().transpose();
        self.failed = matches!(block, Some(Err(_)));
        block
    }

    fn advance(&mut self) -> Result<Option<(usize, Vec<f32>)>> {
        while self.under_way.len() < AHEAD {
            let read = |g: &Generator, c: &Computed| g.programs[&c.batch].start_read("showers");
            match self.batches.start(read) {
                Some(started) => self.under_way.push_back(started?),
                None => break,
            }
        }
        let Some((computed, read)) = self.under_way.pop_front() else {
            return Ok(None);
        };
        let generator = self.batches.generator();
        let bytes = generator.gpu.guarded(|| read.wait(&generator.gpu))?;
        let mut showers: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let cells = generator.cells();
        showers.truncate(computed.events * cells);
        if let Some(i) = showers.iter().position(|e| !e.is_finite()) {
            let event = self.batches.first_event + (computed.first + i / cells) as u64;
            let what = format!("event {event} has a cell of {}", showers[i]);
            return Err(Error::NotFinite(what));
        }
        Ok(Some((computed.first, showers)))
    }
}

impl Iterator for Showers<'_> {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        let cells = self.batches.generator().cells();
        if self.given * cells == self.block.1.len() {
            match self.next_block()? {
                Ok(block) => (self.block, self.given) = (block, 0),
                Err(error) => {
                    (self.block, self.given) = Default::default();
                    return Some(Err(error));
                }
            }
        }
        let shower = self.block.1[self.given * cells..][..cells].to_vec();
        self.given += 1;
        Some(Ok(shower))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let gone = self.block.0 + self.given;
        let left = match self.failed {
            true => 0,
            false => self.batches.labels.events() - gone,
        };
        (usize::from(left > 0), Some(left))
    }
}

impl std::iter::FusedIterator for Showers<'_> {}

impl Generator {
    /// Showers for `labels`, as events `first_event`, `first_event + 1`, .. of `seed`: `[events, Z, X, Y]`.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
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

    /// The same showers one by one, computed batch by batch as the iterator goes.
    ///
    /// ```no_run
    /// # use calogen::{generate::Generator, gpu::Gpu};
    /// # let mut generator = Generator::load(&Gpu::open(None)?, "hgcal.safetensors")?;
    /// let labels = generator.labels(&[50.0; 1000], 1, 0)?;
    /// for shower in generator.showers(&labels, 1, 0)? {
    ///     println!("{} MeV", shower?.iter().sum::<f32>());
    /// }
    /// # Ok::<(), calogen::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`stream`](Self::stream), some of them from the iterator.
    pub fn showers<'a>(
        &'a mut self,
        labels: &'a LabelRows,
        seed: u64,
        first_event: u64,
    ) -> Result<Showers<'a>> {
        Ok(Showers::new(Batches::new(self, labels, seed, first_event)?))
    }

    /// Gives the showers of `labels` to `take` one by one, in order.
    ///
    /// ```no_run
    /// # use calogen::{generate::Generator, gpu::Gpu};
    /// # let mut generator = Generator::load(&Gpu::open(None)?, "hgcal.safetensors")?;
    /// let labels = generator.labels(&[50.0; 1000], 1, 0)?;
    /// generator.for_each(&labels, 1, 0, |shower| {
    ///     let energy: f32 = shower.cells.iter().sum();
    ///     println!("event {}: {energy} MeV of {} GeV", shower.event, shower.labels[0]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), calogen::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub fn for_each(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
        mut take: impl FnMut(Shower<'_>) -> Result<()>,
    ) -> Result<()> {
        let cells = self.cells();
        self.stream(labels, seed, first_event, |block| {
            let showers = block.showers.chunks_exact(cells).enumerate();
            showers.into_iter().try_for_each(|(i, cells)| {
                take(Shower {
                    event: first_event + (block.first + i) as u64,
                    labels: labels.row(block.first + i),
                    cells,
                })
            })
        })
    }

    /// Gives the showers of `labels` to `take` block by block, in order and in constant memory, while the next block
    /// computes.
    ///
    /// # Errors
    /// [`Error::Config`] if labels are not finite or their number is wrong; what `take` returns; what the device reports;
    /// [`Error::OutOfMemory`] if it has no room even for half a batch.
    pub fn stream(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
        mut take: impl FnMut(Block<'_>) -> Result<()>,
    ) -> Result<()> {
        let cells = self.cells();
        let mut showers = self.showers(labels, seed, first_event)?;
        while let Some(block) = showers.next_block() {
            let (first, showers) = block?;
            take(Block {
                first,
                showers: &showers,
                events: showers.len() / cells,
            })?;
        }
        Ok(())
    }

    /// Cells of a shower.
    pub(super) fn cells(&self) -> usize {
        shape::len(&self.shape())
    }
}
