//! Which tier, and which tiles: timed on the real network, remembered for the device.

use std::time::{Duration, Instant};

use super::self_test::{TIER_DIFFERENCE, difference};
use super::{Form, Generator, padded_batch};
use crate::Result;
use crate::gpu::{Tier, text_hash};
use crate::ops::random;
use crate::tape::{Options, Program, Tuned, tune};

/// Batches timed in each tier, after one that is not.
const ROUNDS: usize = 3;
/// Showers of each tier that are compared with those of the portable one.
const COMPARED: usize = 8;

impl Generator {
    /// Times tiles for every convolution and dense layer of a batch, for about `budget`, and uses the fastest from now on,
    /// here and in later processes on this device. What is remembered is timed only if asked to do it `again`. Events stay the
    /// same to the bit. `progress` hears (done, of).
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the device has no timestamps; what the device reports.
    pub fn tune(
        &mut self,
        batch: usize,
        budget: Duration,
        again: bool,
        progress: impl FnMut(usize, usize),
    ) -> Result<Tuned> {
        let batch = self.prepare(padded_batch(batch), Form::Cells)?;
        if !again && self.programs[&(batch, Form::Cells)].remembered() {
            return Ok(Tuned::default());
        }
        // Their memory is needed for the programs that are timed.
        self.programs.clear();
        let compile = |trial| {
            let program = self.compile_with(
                batch,
                Form::Cells,
                Options {
                    trial,
                    ..self.options()
                },
            )?;
            self.set_middle(&program, batch)?;
            Ok(program)
        };
        self.gpu
            .guarded(|| tune(&self.gpu, compile, budget, progress))
    }

    /// Takes the fastest tier that the device offers for a batch of this size: timed once, then remembered, or `again`. A tier
    /// whose showers are not finite or not those of the portable one, but for rounding, is no candidate.
    ///
    /// # Errors
    /// What the device reports.
    pub fn set_fastest_tier(&mut self, batch: usize, again: bool) -> Result<Tier> {
        let about = self.gpu.capabilities();
        let offered = |t: &Tier| about.check_tier(*t).is_ok();
        let offered: Vec<Tier> = Tier::ALL.into_iter().filter(offered).collect();
        let accepted: Vec<Vec<u32>> = offered.iter().map(|&t| vec![t as u32]).collect();
        let system = format!("{} {:?}", self.metadata.model, self.metadata.config);
        let key = format!("tier of {offered:?} {:016x} {batch}", text_hash(&system));
        let taken = match (&offered[..], self.gpu.tuned(&key, &accepted)) {
            ([only], _) => *only,
            (_, Some(found)) if !again => {
                offered[accepted.iter().position(|a| *a == found).unwrap_or(0)]
            }
            _ => {
                let mut fastest = (Tier::Portable, f64::INFINITY);
                // `offered` begins with the portable tier.
                let mut portable = Vec::new();
                for &tier in &offered {
                    self.set_tier(tier)?;
                    let (seconds, cells) = self.seconds(batch)?;
                    if tier == Tier::Portable {
                        portable = cells;
                    } else if difference(&cells, &portable) > TIER_DIFFERENCE {
                        continue;
                    }
                    if seconds < fastest.1 {
                        fastest = (tier, seconds);
                    }
                }
                self.gpu.remember([(key, vec![fastest.0 as u32])]);
                fastest.0
            }
        };
        self.set_tier(taken)?;
        Ok(taken)
    }

    /// The least time of a shower, of as many as this tier computes at once, and the cells of the first of them.
    fn seconds(&mut self, batch: usize) -> Result<(f64, Vec<f32>)> {
        let batch = self.prepare(padded_batch(batch), Form::Cells)?;
        let program = &self.programs[&(batch, Form::Cells)];
        self.gpu.guarded(|| {
            self.set_middle(program, batch)?;
            let mut least = f64::INFINITY;
            for round in 0..=ROUNDS {
                let start = Instant::now();
                program.run()?;
                self.gpu.wait()?;
                if round > 0 {
                    least = least.min(start.elapsed().as_secs_f64());
                }
            }
            let compared = batch.min(COMPARED) * self.cells();
            let read = program.start_read_first(Form::Cells.output(), compared)?;
            let cells = bytemuck::pod_collect_to_vec(&read.wait(&self.gpu)?);
            Ok((least / batch as f64, cells))
        })
    }

    /// Labels in the middle of their ranges.
    fn set_middle(&self, program: &Program, batch: usize) -> Result<()> {
        let row = self.metadata.conditions.iter();
        let row: Vec<f32> = row.map(|c| (c.min + c.max) / 2.0).collect();
        program.set("conditions", &row.repeat(batch))?;
        program.set("threshold", &[0.0])?;
        program.set_u32("random", &random::key(0, 0))
    }
}
