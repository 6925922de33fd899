//! Replicas of a sample (Poisson bootstrap) and its halves, both by addressed random numbers: they depend on the seed and on
//! a shower's number alone, so they can be made in one pass over a file and are the same however it is read.
//!
//! A replica holds each shower n times, n drawn from the Poisson distribution of mean 1. The spread of a figure over
//! replicas is its statistical error, whatever the figure is, and cells of one shower stay together.

use crate::ops::random::random_bits;

/// Streams of random numbers, apart from those of labels and networks.
const HALVES: u32 = 0x6000_0000;
const REPLICAS: u32 = 0x6000_0001;

/// Replicas of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Bootstrap {
    /// How many.
    pub replicas: usize,
    /// Seed of their random numbers.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// A hundred replicas tell an error to 7 %.
    fn default() -> Self {
        Self {
            replicas: 100,
            seed: 0,
        }
    }
}

impl Bootstrap {
    /// No errors, for figures that nobody waits for long for.
    pub const NONE: Self = Self {
        replicas: 0,
        seed: 0,
    };

    /// How often replica `replica` of sample `sample` holds `shower`. Replica 0 is the sample itself: once.
    pub fn times(&self, sample: u32, shower: usize, replica: usize) -> u8 {
        if replica == 0 {
            return 1;
        }
        let bits = random_bits(
            self.seed,
            REPLICAS + sample,
            shower as u64,
            (replica - 1) as u32,
        );
        poisson(bits)
    }

    /// [`Self::times`] for the sample itself and all replicas.
    pub fn row(&self, sample: u32, shower: usize) -> Vec<u8> {
        (0..=self.replicas)
            .map(|replica| self.times(sample, shower, replica))
            .collect()
    }

    /// [`Self::times`] of the first `showers` showers.
    pub fn column(&self, sample: u32, showers: usize, replica: usize) -> Vec<u8> {
        (0..showers)
            .map(|shower| self.times(sample, shower, replica))
            .collect()
    }
}

/// The half of the reference, 0 or 1, in which a shower falls. Of every two that follow each other one falls in each, which
/// one a coin decides, so that no order of the file is told apart.
pub fn half(shower: usize) -> usize {
    let coin = random_bits(0, HALVES, shower as u64 / 2, 0) as usize;
    (shower + coin) % 2
}

/// The showers of each half of the first `showers`.
pub fn halves(showers: usize) -> [Vec<usize>; 2] {
    [0, 1].map(|which| (0..showers).filter(|&s| half(s) == which).collect())
}

/// Probabilities of at most 0, 1, … for a Poisson distribution of mean 1, times 2^32; what follows has less than 2^-32.
const AT_MOST: [u32; 12] = [
    1_580_030_169,
    3_160_060_337,
    3_950_075_422,
    4_213_413_783,
    4_279_248_374,
    4_292_415_292,
    4_294_609_778,
    4_294_923_276,
    4_294_962_463,
    4_294_966_817,
    4_294_967_253,
    4_294_967_292,
];

/// A number of the Poisson distribution of mean 1 from 32 random bits.
fn poisson(bits: u32) -> u8 {
    let above = AT_MOST.iter().take_while(|&&at_most| bits >= at_most);
    above.count() as u8
}
