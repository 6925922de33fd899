//! Showers as lists of the cells hit.

use super::batches::{Arrivals, Batches, Computed};
use super::half::from_half;
use super::{Form, Generator, LabelRows};
use crate::gpu::{Mapped, Readback};
use crate::hits::Hits;
use crate::ops::HitFormat;
use crate::tape::Program;
use crate::{Error, Result};

/// Share of the cells that are expected to be hit before any shower is known.
const EXPECTED: usize = 8;

/// The hits of one shower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitsOf<'a> {
    /// Its number among the events of the seed.
    pub event: u64,
    /// Its labels, the incident energy in GeV first.
    pub labels: &'a [f32],
    /// Cell of each hit, as in [`Hits`].
    pub cells: &'a [u32],
    /// Its energy, above 0.
    pub energies: &'a [f32],
}

/// Hits of some consecutive showers of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitBlock<'a> {
    /// Index of the first shower among the labels given.
    pub first: usize,
    /// Their hits.
    pub hits: &'a Hits,
}

impl Generator {
    /// The hits of the showers that [`generate`](Self::generate) makes: cells above 0 and not below the
    /// [threshold](Self::set_threshold).
    ///
    /// ```no_run
    /// # use calogen::{generate::Generator, gpu::Gpu};
    /// # let mut generator = Generator::load(&Gpu::open(None)?, "hgcal.safetensors")?;
    /// generator.set_threshold(0.05); // in the unit of the cells
    /// let labels = generator.labels(&[20.0, 50.0], 1, 0)?;
    /// let hits = generator.hits(&labels, 1, 0)?;
    /// let (cells, energies) = hits.shower(1);
    /// for (&cell, energy) in cells.iter().zip(energies) {
    ///     let [z, x, y] = generator.cell(cell);
    ///     println!("layer {z}, cell ({x}, {y}): {energy} {}", generator.metadata().unit);
    /// }
    /// # Ok::<(), calogen::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub fn hits(&mut self, labels: &LabelRows, seed: u64, first_event: u64) -> Result<Hits> {
        let mut hits = Hits::default();
        let mut arrivals = HitArrivals::new(self, labels, seed, first_event)?;
        while arrivals.next(&mut hits)?.is_some() {}
        Ok(hits)
    }

    /// Gives the hits of each shower to `take`, in order and in constant memory.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub fn for_each_hits(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
        mut take: impl FnMut(HitsOf<'_>) -> Result<()>,
    ) -> Result<()> {
        self.stream_hits(labels, seed, first_event, |block| {
            (0..block.hits.showers()).try_for_each(|i| {
                let (cells, energies) = block.hits.shower(i);
                take(HitsOf {
                    event: first_event + (block.first + i) as u64,
                    labels: labels.row(block.first + i),
                    cells,
                    energies,
                })
            })
        })
    }

    /// Gives the hits of all showers to `take` block by block, in order and in constant memory, while the next block
    /// computes.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub fn stream_hits(
        &mut self,
        labels: &LabelRows,
        seed: u64,
        first_event: u64,
        mut take: impl FnMut(HitBlock<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut hits = Hits::default();
        let mut arrivals = HitArrivals::new(self, labels, seed, first_event)?;
        while let Some(first) = arrivals.next(&mut hits)? {
            take(HitBlock { first, hits: &hits })?;
            hits.clear();
        }
        Ok(())
    }

    /// Layer and transverse indices (z, x, y) of a hit's cell.
    pub fn cell(&self, index: u32) -> [usize; 3] {
        let [_, x, y] = self.shape();
        let index = index as usize;
        [index / (x * y), index / y % x, index % y]
    }
}

/// Hits on their way to the host.
///
/// How many a batch has is known on the device alone when they are asked for, so as many are read as the batches before let
/// expect, and a quarter more. A batch that has more than that is computed a second time.
struct HitArrivals<'a> {
    arrivals: Arrivals<'a>,
    format: HitFormat,
    cells: usize,
}

impl<'a> HitArrivals<'a> {
    fn new(
        generator: &'a mut Generator,
        labels: &'a LabelRows,
        seed: u64,
        first_event: u64,
    ) -> Result<Self> {
        let cells = generator.cells();
        let format = match generator.half {
            true => HitFormat::Half,
            false => HitFormat::Single,
        };
        let form = Form::Hits(format);
        let batches = Batches::new(generator, labels, seed, first_event, form)?;
        Ok(Self {
            arrivals: Arrivals::new(batches),
            format,
            cells,
        })
    }

    /// Appends the hits of the next batch; the index of its first event.
    fn next(&mut self, hits: &mut Hits) -> Result<Option<usize>> {
        let (format, most) = (self.format, self.cells);
        let kept = self.arrivals.batches.generator().expected_hits;
        let expected = kept.unwrap_or(most.div_ceil(EXPECTED)).min(most);
        let arrived = self
            .arrivals
            .next(|program, computed| read(program, computed, format, expected * computed.batch))?;
        let Some((computed, mapped)) = arrived else {
            return Ok(None);
        };
        let Computed { first, events, .. } = computed;
        let total = match self.append(&computed, mapped, hits)? {
            (total, true) => total,
            (total, false) => {
                self.again(first, events, total, hits)?;
                total
            }
        };
        // Falls slowly: to compute a batch again costs more than to read some words too many.
        let wanted = (total + total / 4).div_ceil(events) + 1;
        let expected = wanted.max(expected - expected / 64);
        self.arrivals.batches.expect_hits(expected);
        Ok(Some(first))
    }

    /// Computes events again, with room for `total` hits.
    fn again(&mut self, first: usize, events: usize, total: usize, hits: &mut Hits) -> Result<()> {
        let (format, mut at) = (self.format, first);
        while at < first + events {
            // A batch that was halved meanwhile takes more than one turn.
            let batches = &mut self.arrivals.batches;
            let mut wanted = |program: &Program, computed: &Computed| {
                read(
                    program,
                    computed,
                    format,
                    total.min(computed.batch * self.cells),
                )
            };
            let (computed, reading) = batches.submit(at, first + events - at, &mut wanted)?;
            let mapped = batches.wait(reading)?;
            let (_, complete) = self.append(&computed, mapped, hits)?;
            if !complete {
                let what = "the same events had more hits the second time: the device does not compute reliably";
                return Err(Error::Device(what.into()));
            }
            at += computed.events;
        }
        Ok(())
    }

    /// Appends the hits of a batch if all of them were read: their number, and whether they were.
    fn append(
        &self,
        computed: &Computed,
        mapped: Mapped,
        hits: &mut Hits,
    ) -> Result<(usize, bool)> {
        let word = |w: &[u8]| u32::from_ne_bytes([w[0], w[1], w[2], w[3]]);
        let (offsets, words) = mapped.split_at(4 * (computed.batch + 1));
        let offsets = offsets.chunks_exact(4).map(|w| word(w) as usize);
        let offsets = offsets.take(computed.events + 1);
        let total = offsets.clone().next_back().unwrap_or_default();
        let each = 4 * self.format.words();
        if words.len() < total * each {
            return Ok((total, false));
        }
        let before = hits.cells.len();
        let pairs = words[..total * each].chunks_exact(each);
        hits.cells.reserve(total);
        hits.energies.reserve(total);
        match self.format {
            HitFormat::Single => {
                hits.cells.extend(pairs.clone().map(word));
                let energy = |w: &[u8]| f32::from_bits(word(&w[4..]));
                hits.energies.extend(pairs.map(energy));
            }
            HitFormat::Half => {
                hits.cells.extend(pairs.clone().map(|w| word(w) & 0xffff));
                let energy = |w: &[u8]| from_half((word(w) >> 16) as u16);
                hits.energies.extend(pairs.map(energy));
            }
        }
        hits.offsets.extend(offsets.skip(1).map(|o| before + o));
        match hits.energies[before..].iter().position(|e| !e.is_finite()) {
            None => Ok((total, true)),
            Some(i) => {
                let at = before + i;
                let shower = hits.offsets.partition_point(|&o| o <= at) - 1;
                let own = hits.showers() - computed.events;
                let batches = &self.arrivals.batches;
                let event = batches.event(computed.first + shower - own);
                Err(batches.not_finite(event, hits.energies[at]))
            }
        }
    }
}

/// Asks for the offsets of a batch and for up to `hits` hits.
fn read(
    program: &Program,
    computed: &Computed,
    format: HitFormat,
    hits: usize,
) -> Result<Readback> {
    let elements = computed.batch + 1 + format.words() * hits;
    program.start_read_first("hits", elements)
}
