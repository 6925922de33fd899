//! Distances of two samples of feature vectors, and the report of them.
//!
//! The distances are functions of a [`Pair`] of matrices. Batches are drawn with addressed random numbers, so that a seed gives
//! the same figures everywhere.

mod fpd;
mod kernel;
mod neighbours;
mod sampling;

use std::fmt;

use serde::Serialize;

pub use fpd::{FpdOptions, fpd, intercept};
pub use kernel::{Kernel, KernelOptions, kernel_distances, median_distance, mmd};
pub use neighbours::{Neighbours, neighbours};

use super::text::with_error;
use crate::observables::Features;

/// A figure and its statistical error or spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// One standard deviation, or what stands for it.
    pub error: f64,
}

/// Two samples of `width` features a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Features of a row.
    pub width: usize,
    /// Rows of the sample compared with.
    pub reference: Vec<f64>,
    /// Rows of the sample compared.
    pub generated: Vec<f64>,
}

impl Pair {
    /// Both samples with each column divided by its largest magnitude in the reference, where that is not 0.
    pub fn normalised(reference: &Features, generated: &Features) -> Self {
        let width = reference.width();
        let mut scale = vec![0.0f64; width];
        for row in reference.rows.chunks_exact(width.max(1)) {
            scale
                .iter_mut()
                .zip(row)
                .for_each(|(s, v)| *s = s.max(v.abs()));
        }
        scale
            .iter_mut()
            .filter(|s| **s == 0.0)
            .for_each(|s| *s = 1.0);
        let scaled = |f: &Features| {
            let each = f.rows.iter().zip(scale.iter().cycle());
            each.map(|(v, s)| v / s).collect()
        };
        Self {
            width,
            reference: scaled(reference),
            generated: scaled(generated),
        }
    }
}

/// Neighbours of a shower in [`neighbours`].
const NEIGHBOURS: usize = 5;
/// Most showers of a sample for [`neighbours`], whose work is their number squared.
const MOST_NEIGHBOURS: usize = 10_000;

/// How two samples of features differ, and beside it how two halves of the reference do: what is noise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distances {
    /// Names of the features; each was divided by its largest magnitude in the reference.
    pub features: Vec<String>,
    /// Seed of the batches.
    pub seed: u64,
    /// Of the generated sample from the reference.
    pub generated: DistanceFigures,
    /// Of one half of the reference from the other, both half as many.
    pub reference_halves: DistanceFigures,
}

/// Distances of two samples; null where a sample is too small.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DistanceFigures {
    /// Showers compared with.
    pub reference_events: usize,
    /// Showers compared.
    pub generated_events: usize,
    /// Smallest and largest batch of `fpd`.
    pub fpd_sizes: [usize; 2],
    /// Showers in a batch of the kernel distances.
    pub kernel_size: usize,
    /// Width of the Gaussian kernel, the median distance of the reference's showers.
    pub mmd_width: Option<f64>,
    /// Fréchet physics distance.
    pub fpd: Option<Estimate>,
    /// Kernel physics distance: kernel `(x·y/d + 1)⁴`.
    pub kpd: Option<Estimate>,
    /// Kernel distance: kernel `(x·y/d + 1)³`.
    pub kernel_distance: Option<Estimate>,
    /// Squared maximum mean discrepancy with a Gaussian kernel.
    pub mmd: Option<Estimate>,
    /// With five neighbours, of the first showers of each sample: as many as the smaller one has, at most 10,000.
    #[serde(flatten)]
    pub neighbours: Option<Neighbours>,
}

/// Parts of the work of [`distances`] for each generated sample, and for the reference.
pub const DISTANCE_PARTS: u64 = 22;

/// All distances of each of `generated` from `reference`, and of the reference's halves. `tell` hears of each part that is
/// done, [`DISTANCE_PARTS`] of them for each sample.
pub fn distances(
    reference: &Features,
    generated: &[Features],
    seed: u64,
    tell: &dyn Fn(),
) -> Vec<Distances> {
    let [first, second] = reference.halves();
    let halves = distance_figures(&first, &second, seed, tell);
    let all = generated.iter().map(|generated| Distances {
        features: reference.names.clone(),
        seed,
        generated: distance_figures(reference, generated, seed, tell),
        reference_halves: halves.clone(),
    });
    all.collect()
}

/// All distances of `generated` from `reference`. `tell` hears of each of [`DISTANCE_PARTS`] parts that is done.
pub fn distance_figures(
    reference: &Features,
    generated: &Features,
    seed: u64,
    tell: &dyn Fn(),
) -> DistanceFigures {
    let pair = Pair::normalised(reference, generated);
    let events = reference.events().min(generated.events());
    let (of_fpd, of_kernel) = (FpdOptions::default(), KernelOptions::default());
    let mmd_width = median_distance(&pair.reference, pair.width);
    let mut kernels = vec![Kernel::Polynomial(4), Kernel::Polynomial(3)];
    kernels.extend(mmd_width.map(Kernel::Gaussian));
    let by_kernel = kernel_distances(&pair, &kernels, &of_kernel, seed, tell);
    let kernel = |k: usize| by_kernel.as_ref().and_then(|all| all.get(k).copied());
    let fpd = fpd(&pair, &of_fpd, seed, tell);
    let most = |rows: &[f64]| rows[..events.min(MOST_NEIGHBOURS) * pair.width].to_vec();
    let first = Pair {
        width: pair.width,
        reference: most(&pair.reference),
        generated: most(&pair.generated),
    };
    tell();
    let neighbours = neighbours(&first, NEIGHBOURS);
    tell();
    DistanceFigures {
        reference_events: reference.events(),
        generated_events: generated.events(),
        fpd_sizes: of_fpd.sizes_for(events),
        kernel_size: of_kernel.size_for(events),
        mmd_width,
        fpd,
        kpd: kernel(0),
        kernel_distance: kernel(1),
        mmd: kernel(2),
        neighbours,
    }
}

impl DistanceFigures {
    /// The values of those that are least for equal samples, by their names in the report.
    pub fn distances(&self) -> [(String, Option<f64>); 4] {
        [
            ("fpd", self.fpd),
            ("kpd", self.kpd),
            ("kernel_distance", self.kernel_distance),
            ("mmd", self.mmd),
        ]
        .map(|(name, found)| (name.into(), found.map(|e| e.value)))
    }

    /// All figures by the names under which tables show them.
    pub fn estimates(&self) -> [(&'static str, Option<Estimate>); 8] {
        let of = |figure: fn(&Neighbours) -> Estimate| self.neighbours.as_ref().map(figure);
        [
            ("FPD", self.fpd),
            ("KPD", self.kpd),
            ("KD", self.kernel_distance),
            ("MMD", self.mmd),
            ("precision", of(|n| n.precision)),
            ("recall", of(|n| n.recall)),
            ("density", of(|n| n.density)),
            ("coverage", of(|n| n.coverage)),
        ]
    }
}

impl fmt::Display for Distances {
    /// As a table for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |e: Option<Estimate>| with_error(e.map(|e| e.value), e.map(|e| e.error));
        let [low, high] = self.generated.fpd_sizes;
        writeln!(
            f,
            "\ndistances over {} features (FPD: batches of {low} to {high} showers; KPD, KD, MMD: of {}; seed {})",
            self.features.len(),
            self.generated.kernel_size,
            self.seed
        )?;
        writeln!(
            f,
            "{:<10} {:>25} {:>25}",
            "", "generated", "reference's halves"
        )?;
        let halves = self.reference_halves.estimates();
        for ((name, found), (_, noise)) in self.generated.estimates().into_iter().zip(halves) {
            writeln!(f, "{name:<10} {:>25} {:>25}", number(found), number(noise))?;
        }
        Ok(())
    }
}
