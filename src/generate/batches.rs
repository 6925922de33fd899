//! Batches on the device and on their way to the host: one computes while the one before travels.

use std::collections::VecDeque;

use super::{Form, Generator, LabelRows, TILE, padded_batch};
use crate::gpu::{Mapped, Readback, Tier};
use crate::ops::{HitFormat, random};
use crate::tape::Program;
use crate::{Error, Result};

/// Batches under way.
const AHEAD: usize = 2;

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
            _ => generator.prepare(padded_batch(wanted), form)?,
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

    pub fn form(&self) -> Form {
        self.form
    }

    /// Number of events in all.
    pub fn events(&self) -> usize {
        self.labels.events()
    }

    pub fn expect_hits(&mut self, of_a_shower: usize) {
        self.generator.expected_hits = Some(of_a_shower);
    }

    /// Number of an event among those of the seed.
    pub fn event(&self, index: usize) -> u64 {
        self.first_event + index as u64
    }

    /// A cell of an event that is no energy.
    pub fn not_finite(&self, event: u64, value: f32) -> Error {
        let tier = self.generator.tier();
        let why = match self.form {
            Form::HalfCells | Form::Hits(HitFormat::Half) if !value.is_nan() => {
                "; a float16 ends at 65504".into()
            }
            _ if tier != Tier::Portable => {
                format!(
                    "; in tier {tier} activations beyond 65504 are infinite, in tier portable they are not"
                )
            }
            _ => String::new(),
        };
        Error::NotFinite(format!("event {event} has a cell of {value}{why}"))
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
                let half = padded_batch(self.batch / 2);
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
