//! Showers batch by batch, every cell of them.

use super::batches::{Arrivals, Batches, Computed};
use super::half::from_half;
use super::{Form, Generator, LabelRows};
use crate::Result;
use crate::gpu::Mapped;
use crate::tape::shape;

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
            left: batches.events(),
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
            (batches.generator().cells(), batches.form())
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
            let batches = &self.arrivals.batches;
            let event = batches.event(computed.first + i / cells);
            return Err(batches.not_finite(event, energies.cells()[i]));
        }
        Ok(Some((computed, energies)))
    }
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
    /// [`Config`](crate::Error::Config) if labels are not finite or their number is wrong; what `take` returns; what the
    /// device reports; [`OutOfMemory`](crate::Error::OutOfMemory) if it has no room even for half a batch.
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
