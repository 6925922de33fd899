//! Which showers a batch consists of, by addressed random numbers: the same on every machine and in any order of batches.

use crate::ops::random;

/// Where the numbers of one kind of batch come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub seed: u64,
    /// One for each use.
    pub stream: u32,
}

impl Draw {
    /// Number `element` of batch `batch`, below `limit`.
    fn below(self, batch: usize, element: usize, limit: usize) -> usize {
        random::below(self.seed, self.stream, batch as u64, element as u32, limit)
    }

    /// `size` of `events` showers, each drawn from all.
    pub fn with_replacement(self, batch: usize, size: usize, events: usize) -> Vec<usize> {
        (0..size).map(|i| self.below(batch, i, events)).collect()
    }

    /// `size` different ones of `events` showers.
    pub fn distinct(self, batch: usize, size: usize, events: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..events).collect();
        for i in 0..size {
            let j = i + self.below(batch, i, events - i);
            all.swap(i, j);
        }
        all.truncate(size);
        all
    }
}
