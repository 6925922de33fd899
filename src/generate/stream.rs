//! Showers batch by batch: one batch computes while the one before travels to the host.

use std::collections::VecDeque;

use super::half::from_half;
use super::{Form, Generator, LabelRows, TILE};
use crate::gpu::{Mapped, Readback};
use crate::ops::{HitFormat, random};
use crate::tape::{Program, shape};
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
    form: Form,
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
        form: Form,
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
            _ => generator.prepare(wanted.next_multiple_of(TILE), form)?,
        };
        Ok(Self {
            generator,
            labels,
            seed,
            first_event,
            form,
            batch,
            next: 0,
            row: Vec::new(),
            split: false,
        })
    }

    pub fn generator(&self) -> &Generator {
        self.generator
    }

    pub fn expect_hits(&mut self, of_a_shower: usize) {
        self.generator.expected_hits = Some(of_a_shower);
    }

    /// Number of an event among those of the seed.
    pub fn event(&self, index: usize) -> u64 {
        self.first_event + index as u64
    }

    /// Starts the next batch, followed by what `then` does with it.
    ///
    /// If the device has no memory left, the batch is halved, once.
    pub fn start<T>(
        &mut self,
        mut then: impl FnMut(&Program, &Computed) -> Result<T>,
    ) -> Option<Result<(Computed, T)>> {
        if self.next >= self.labels.events() {
            return None;
        }
        let all = usize::MAX;
        let started = match self.submit(self.next, all, &mut then) {
            Err(Error::OutOfMemory(_)) if !self.split && self.batch > TILE => {
                self.split = true;
                self.generator.programs.remove(&(self.batch, self.form));
                let half = (self.batch / 2).next_multiple_of(TILE);
                self.generator.prepare(half, self.form).and_then(|batch| {
                    self.batch = batch;
                    self.submit(self.next, all, &mut then)
                })
            }
            other => other,
        };
        Some(started.inspect(|(computed, _)| self.next += computed.events))
    }

    /// Computes the events from index `first` on, up to `most` of them, followed by what `then` does with them. The same
    /// events come out however often they are computed.
    pub fn submit<T>(
        &mut self,
        first: usize,
        most: usize,
        then: &mut impl FnMut(&Program, &Computed) -> Result<T>,
    ) -> Result<(Computed, T)> {
        let (batch, columns) = (self.batch, self.labels.columns);
        let computed = Computed {
            first,
            events: batch.min(self.labels.events() - first).min(most),
            batch,
        };
        self.row.resize(batch * columns, 0.0);
        // A batch that is not full repeats its last row; what it makes is dropped.
        for i in 0..batch {
            let from = self.labels.row(first + i.min(computed.events - 1));
            self.row[i * columns..][..columns].copy_from_slice(from);
        }
        let key = random::key(self.seed, self.event(first));
        let generator = &*self.generator;
        let program = &generator.programs[&(batch, self.form)];
        let done = generator.gpu.guarded(|| {
            program.set("conditions", &self.row)?;
            program.set("threshold", &[generator.threshold])?;
            program.set_u32("random", &key)?;
            program.run()?;
            then(program, &computed)
        })?;
        Ok((computed, done))
    }

    /// Waits for what a batch was asked for.
    pub fn wait(&self, read: Readback) -> Result<Mapped> {
        let gpu = &self.generator.gpu;
        gpu.guarded(|| read.wait(gpu))
    }
}

/// Batches on their way to the host, in order: while one of them is used, the next is computed.
pub(super) struct Arrivals<'a> {
    pub batches: Batches<'a>,
    under_way: VecDeque<(Computed, Readback)>,
}

impl<'a> Arrivals<'a> {
    pub fn new(batches: Batches<'a>) -> Self {
        Self {
            batches,
            under_way: VecDeque::with_capacity(AHEAD),
        }
    }

    /// The next batch, of which `read` asks for what is wanted.
    pub fn next(
        &mut self,
        mut read: impl FnMut(&Program, &Computed) -> Result<Readback>,
    ) -> Result<Option<(Computed, Mapped)>> {
        while self.under_way.len() < AHEAD {
            match self.batches.start(&mut read) {
                Some(started) => self.under_way.push_back(started?),
                None => break,
            }
        }
        match self.under_way.pop_front() {
            Some((computed, read)) => Ok(Some((computed, self.batches.wait(read)?))),
            None => Ok(None),
        }
    }
}

/// Cell energies of a batch.
enum Energies {
    /// Where the device put them, and how many.
    There(Mapped, usize),
    Copied(Vec<f32>),
}

impl Energies {
    fn new(mapped: Mapped, form: Form, count: usize) -> Self {
        match form {
            Form::HalfCells => {
                let mut energies = Vec::with_capacity(count + 1);
                for w in mapped.chunks_exact(4) {
                    let word = u32::from_ne_bytes([w[0], w[1], w[2], w[3]]);
                    energies.extend([word as u16, (word >> 16) as u16].map(from_half));
                }
                energies.truncate(count);
                Self::Copied(energies)
            }
            _ if bytemuck::try_cast_slice::<u8, f32>(&mapped).is_ok() => Self::There(mapped, count),
            _ => {
                let mut energies: Vec<f32> = bytemuck::pod_collect_to_vec(&mapped);
                energies.truncate(count);
                Self::Copied(energies)
            }
        }
    }

    fn cells(&self) -> &[f32] {
        match self {
            Self::There(mapped, count) => &bytemuck::cast_slice(mapped)[..*count],
            Self::Copied(energies) => energies,
        }
    }
}

/// An iterator over showers: [`Generator::showers`]. It ends after an error.
pub struct Showers<'a> {
    arrivals: Arrivals<'a>,
    /// The batch that is being handed out, and how many showers of it are gone.
    block: Option<(Computed, Energies)>,
    given: usize,
    left: usize,
}

impl<'a> Showers<'a> {
    fn new(batches: Batches<'a>) -> Self {
        Self {
            left: batches.labels.events(),
            arrivals: Arrivals::new(batches),
            block: None,
            given: 0,
        }
    }

    /// The cells of the next batch with the index of its first event.
    fn next_block(&mut self) -> Option<Result<(Computed, Energies)>> {
        if self.left == 0 {
            return None;
        }
        let block = self.advance().transpose();
        if !matches!(block, Some(Ok(_))) {
            self.left = 0;
        }
        block
    }

    fn advance(&mut self) -> Result<Option<(Computed, Energies)>> {
        let (cells, form) = {
            let batches = &self.arrivals.batches;
            (batches.generator().cells(), batches.form)
        };
        let arrived = self.arrivals.next(|program, computed| {
            let count = computed.events * cells;
            let elements = match form {
                Form::HalfCells => count.div_ceil(2),
                _ => count,
            };
            program.start_read_first(form.output(), elements)
        })?;
        let Some((computed, mapped)) = arrived else {
            return Ok(None);
        };
        let energies = Energies::new(mapped, form, computed.events * cells);
        let odd = |e: &f32| !e.is_finite();
        if let Some(i) = energies.cells().iter().position(odd) {
            let event = self.arrivals.batches.event(computed.first + i / cells);
            return Err(not_finite(event, energies.cells()[i], form));
        }
        Ok(Some((computed, energies)))
    }
}

/// A cell that is no energy.
pub(super) fn not_finite(event: u64, value: f32, form: Form) -> Error {
    let why = match form {
        Form::HalfCells | Form::Hits(HitFormat::Half) if !value.is_nan() => {
            "; a float16 ends at 65504"
        }
        _ => "",
    };
    Error::NotFinite(format!("event {event} has a cell of {value}{why}"))
}

impl Iterator for Showers<'_> {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        let used = |(computed, _): &(Computed, Energies)| computed.events == self.given;
        if self.block.as_ref().is_none_or(used) {
            // Its memory is free for the next one.
            (self.block, self.given) = (None, 0);
            match self.next_block()? {
                Ok(block) => self.block = Some(block),
                Err(error) => return Some(Err(error)),
            }
        }
        let (computed, energies) = self.block.as_ref()?;
        let cells = energies.cells().len() / computed.events;
        let shower = energies.cells()[self.given * cells..][..cells].to_vec();
        self.given += 1;
        self.left -= 1;
        Some(Ok(shower))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left > 0), Some(self.left))
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
        let form = self.cells_form();
        Ok(Showers::new(Batches::new(
            self,
            labels,
            seed,
            first_event,
            form,
        )?))
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
        let mut showers = self.showers(labels, seed, first_event)?;
        while let Some(block) = showers.next_block() {
            let (computed, energies) = block?;
            showers.left -= computed.events;
            take(Block {
                first: computed.first,
                showers: energies.cells(),
                events: computed.events,
            })?;
        }
        Ok(())
    }

    /// Cells of a shower.
    pub(super) fn cells(&self) -> usize {
        shape::len(&self.shape())
    }
}
