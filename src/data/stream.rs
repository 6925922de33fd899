//! Shuffled batches of files that do not fit into memory.
//!
//! An epoch takes the blocks of contiguous rows in random order, [`WINDOW`] of them at a time; the showers of such a
//! window are shuffled among each other. While a window is given out, the next is read at the same pace. Where a window
//! starts and how it is shuffled follows from (seed, epoch, window), so any step can be reached by reading one window.

use std::sync::atomic::{AtomicBool, Ordering};

use super::batches::{Plan, rng, shuffled};
use super::{ShowerSet, Showers};
use crate::{Error, Result};

/// Blocks that are mixed with each other.
const WINDOW: usize = 8;

/// Largest number of rows of a block.
const BLOCK: usize = 512;

pub(super) struct Stream<'a> {
    set: &'a ShowerSet,
    block: usize,
    plan: Plan,
    step: u64,
    stop: &'a AtomicBool,
    /// The window that is given out, and the one that is read meanwhile.
    current: Option<Window>,
    next: Option<Window>,
    /// Rows of the current window that were given out.
    at: usize,
}

/// Some blocks of an epoch, mixed.
struct Window {
    epoch: u64,
    index: usize,
    /// Number of showers that the epoch has in the windows before this one.
    start: usize,
    blocks: Vec<usize>,
    /// The order in which its showers are given out.
    order: Vec<usize>,
    rows: Option<Showers>,
    loaded: usize,
}

impl<'a> Stream<'a> {
    /// Rows of a block, so that two windows stay within the budget.
    pub fn block(shower_bytes: usize, budget: usize) -> usize {
        (budget / (2 * WINDOW) / shower_bytes.max(1)).clamp(1, BLOCK)
    }

    pub fn new(
        set: &'a ShowerSet,
        block: usize,
        plan: Plan,
        step: u64,
        stop: &'a AtomicBool,
    ) -> Self {
        Self {
            set,
            block,
            plan,
            step,
            stop,
            current: None,
            next: None,
            at: 0,
        }
    }

    pub fn next_batch(&mut self) -> Result<Showers> {
        let (epoch, offset) = self.plan.position(self.step);
        let mut batch: Option<Showers> = None;
        let mut given = 0;
        while given < self.plan.batch {
            let mut window = match self.current.take() {
                // A window left over from the epoch before holds the showers that this one dropped.
                Some(w) if w.epoch == epoch && self.at < w.order.len() => w,
                _ => self.open(epoch, offset + given)?,
            };
            let take = (self.plan.batch - given).min(window.order.len() - self.at);
            self.load(&mut window)?;
            let Some(rows) = &window.rows else {
                return Err(self.stopped());
            };
            let part = rows.gather(&window.order[self.at..self.at + take]);
            match &mut batch {
                Some(batch) => batch.append(&part),
                None => batch = Some(part),
            }
            given += take;
            self.at += take;
            self.read_ahead(&window)?;
            self.current = Some(window);
        }
        self.step += 1;
        batch.ok_or_else(|| self.stopped())
    }

    /// The window that holds the shower at `offset` of an epoch: the one that was read ahead, or another after a seek.
    fn open(&mut self, epoch: u64, offset: usize) -> Result<Window> {
        let holds =
            |w: &Window| w.epoch == epoch && (w.start..w.start + w.order.len()).contains(&offset);
        let window = match self.next.take() {
            Some(window) if holds(&window) => window,
            _ => {
                let mut window = self.window(epoch, 0, 0);
                while !holds(&window) {
                    if window.order.is_empty() {
                        return Err(self.stopped());
                    }
                    window =
                        self.window(epoch, window.index + 1, window.start + window.order.len());
                }
                window
            }
        };
        self.at = offset - window.start;
        Ok(window)
    }

    /// A window of an epoch, not yet read.
    fn window(&self, epoch: u64, index: usize, start: usize) -> Window {
        let all = shuffled(
            self.plan.events.div_ceil(self.block),
            rng(self.plan.seed, epoch, 0),
        );
        let blocks: Vec<usize> = all.into_iter().skip(index * WINDOW).take(WINDOW).collect();
        let rows = blocks.iter().map(|&b| self.rows(b).len()).sum();
        let order = shuffled(rows, rng(self.plan.seed, epoch, 1 + index as u64));
        Window {
            epoch,
            index,
            start,
            blocks,
            order,
            rows: None,
            loaded: 0,
        }
    }

    fn rows(&self, block: usize) -> std::ops::Range<usize> {
        let start = block * self.block;
        start..(start + self.block).min(self.plan.events)
    }

    /// Reads the blocks that a window still lacks.
    fn load(&self, window: &mut Window) -> Result<()> {
        while window.loaded < window.blocks.len() {
            self.load_block(window)?;
        }
        Ok(())
    }

    fn load_block(&self, window: &mut Window) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(self.stopped());
        }
        let mut block = self.set.read(self.rows(window.blocks[window.loaded]))?;
        match &mut window.rows {
            Some(rows) => rows.append(&block),
            None => {
                // All at once: growing by doubling could take twice the budget.
                block
                    .layers
                    .reserve_exact((window.order.len() - block.len()) * block.cells());
                window.rows = Some(block);
            }
        }
        window.loaded += 1;
        Ok(())
    }

    /// Reads as large a part of the next window as was given out of this one.
    fn read_ahead(&mut self, current: &Window) -> Result<()> {
        let mut next = self.next.take().unwrap_or_else(|| {
            let start = current.start + current.order.len();
            let used = self.plan.steps() as usize * self.plan.batch;
            if start < used {
                self.window(current.epoch, current.index + 1, start)
            } else {
                self.window(current.epoch + 1, 0, 0)
            }
        });
        while next.loaded * current.order.len() < self.at * next.blocks.len() {
            self.load_block(&mut next)?;
        }
        self.next = Some(next);
        Ok(())
    }

    fn stopped(&self) -> Error {
        Error::Config(format!(
            "reading showers ahead was stopped at step {}",
            self.step
        ))
    }
}
