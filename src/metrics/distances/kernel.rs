//! Maximum mean discrepancies: squared distances of two samples' means in the feature space of a kernel.

use super::sampling::Draw;
use super::{Estimate, Pair};
use crate::metrics::matrix::{Matrix, dot, each_piece};

/// A positive definite function of two rows x and y of d features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// `(x·y/d + 1)^degree`; degree 3 is that of the kernel inception distance (arXiv:1801.01401), 4 of the kernel physics
    /// distance (arXiv:2211.10295).
    Polynomial(i32),
    /// `exp(-|x - y|² / (2 width²))`
    Gaussian(f64),
}

impl Kernel {
    /// From the number of features, the scalar product of the rows and the sum of their squares.
    fn at(self, d: f64, product: f64, squares: f64) -> f64 {
        match self {
            Self::Polynomial(degree) => (product / d + 1.0).powi(degree),
            Self::Gaussian(width) => ((product - 0.5 * squares) / (width * width)).exp(),
        }
    }
}

/// |x - y|²
pub(super) fn square_distance(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (x4, y4) = (x.chunks_exact(4), y.chunks_exact(4));
    let rest = x4.remainder().iter().zip(y4.remainder());
    let rest: f64 = rest.map(|(x, y)| (x - y) * (x - y)).sum();
    for (x, y) in x4.zip(y4) {
        for k in 0..4 {
            sums[k] += (x[k] - y[k]) * (x[k] - y[k]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Squared maximum mean discrepancies of two samples of `width` features a row, by kernel (A. Gretton et al., JMLR 13 (2012)
/// 723, lemma 6): the unbiased estimate, which may be negative. `None` where a sample has fewer than two rows.
pub fn mmd(x: &[f64], y: &[f64], width: usize, kernels: &[Kernel]) -> Option<Vec<f64>> {
    let rows = |v: &[f64]| (width > 0).then(|| v.len() / width);
    let (m, n) = (rows(x)? as f64, rows(y)? as f64);
    if m < 2.0 || n < 2.0 {
        return None;
    }
    let [x, y] = [x, y].map(|v| Matrix::new(width, v.to_vec()));
    let (xx, yy) = (sums(&x, &x, kernels, true), sums(&y, &y, kernels, true));
    let xy = sums(&x, &y, kernels, false);
    let mean = |k: usize| {
        2.0 * xx[k] / (m * (m - 1.0)) + 2.0 * yy[k] / (n * (n - 1.0)) - 2.0 * xy[k] / (m * n)
    };
    Some((0..kernels.len()).map(mean).collect())
}

/// Sums of the kernels over all pairs of rows, or over those of different ones of the same matrix, each once.
fn sums(x: &Matrix, y: &Matrix, kernels: &[Kernel], own: bool) -> Vec<f64> {
    let squares =
        |v: &Matrix| -> Vec<f64> { (0..v.rows()).map(|i| dot(v.row(i), v.row(i))).collect() };
    let (of_x, of_y, count) = (squares(x), squares(y), kernels.len());
    let mut by_row = vec![0.0; x.rows() * count];
    each_piece(&mut by_row, 16 * count, |k, rows| {
        for (i, row) in rows.chunks_exact_mut(count).enumerate() {
            let i = 16 * k + i;
            let others = of_y.iter().take(if own { i } else { y.rows() });
            for (j, squares) in others.enumerate() {
                let product = dot(x.row(i), y.row(j));
                for (sum, kernel) in row.iter_mut().zip(kernels) {
                    *sum += kernel.at(x.columns as f64, product, of_x[i] + squares);
                }
            }
        }
    });
    let of = |k: usize| by_row.iter().skip(k).step_by(count).sum();
    (0..count).map(of).collect()
}

/// How a discrepancy is estimated from batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelOptions {
    /// Showers in a batch, where the samples have twice as many; else half of what the smaller one has.
    pub size: usize,
    /// Batches.
    pub batches: usize,
}

impl Default for KernelOptions {
    /// As the CaloChallenge uses it (arXiv:2410.21611).
    fn default() -> Self {
        Self {
            size: 10_000,
            batches: 10,
        }
    }
}

impl KernelOptions {
    /// The size in use where the smaller sample has `events` showers.
    pub fn size_for(&self, events: usize) -> usize {
        self.size.min(events / 2)
    }
}

/// By kernel: median and half the distance of the 16th and 84th percentile of [`mmd`] over batches; the showers of a batch are
/// different ones, so that a batch is as unbiased as the sample. `tell` hears of each batch.
///
/// `None` if a batch would have fewer than two showers.
pub fn kernel_distances(
    pair: &Pair,
    kernels: &[Kernel],
    options: &KernelOptions,
    seed: u64,
    tell: &dyn Fn(),
) -> Option<Vec<Estimate>> {
    let width = pair.width;
    let events = pair.reference.len().min(pair.generated.len()) / width.max(1);
    let size = options.size_for(events);
    let mut found = vec![Vec::with_capacity(options.batches); kernels.len()];
    for batch in 0..options.batches {
        let drawn = |rows: &[f64], side: u32| -> Vec<f64> {
            let draw = Draw {
                seed,
                stream: 0x100 + side,
            };
            let places = draw.distinct(batch, size, rows.len() / width);
            places
                .iter()
                .flat_map(|i| &rows[i * width..][..width])
                .copied()
                .collect()
        };
        let (x, y) = (drawn(&pair.reference, 0), drawn(&pair.generated, 1));
        for (found, distance) in found.iter_mut().zip(mmd(&x, &y, width, kernels)?) {
            found.push(distance);
        }
        tell();
    }
    let estimate = |mut found: Vec<f64>| {
        found.sort_by(f64::total_cmp);
        let [low, value, high] = [0.16275, 0.5, 0.83725].map(|share| percentile(&found, share));
        Some(Estimate {
            value: value?,
            error: 0.5 * (high? - low?),
        })
    };
    found.into_iter().map(estimate).collect()
}

/// Linear between the values next to it, as NumPy's.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let at = share * (sorted.len().checked_sub(1)?) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(low + (high - low) * at.fract())
}

/// The median of the distances of the first thousand rows from one another: a usual width of [`Kernel::Gaussian`]. `None`
/// where that is 0, as of fewer than two rows.
pub fn median_distance(rows: &[f64], width: usize) -> Option<f64> {
    let rows: Vec<&[f64]> = rows.chunks_exact(width.max(1)).take(1000).collect();
    let pairs = (1..rows.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let mut squares: Vec<f64> = pairs
        .map(|(i, j)| square_distance(rows[i], rows[j]))
        .collect();
    squares.sort_by(f64::total_cmp);
    percentile(&squares, 0.5)
        .map(f64::sqrt)
        .filter(|&d| d > 0.0)
}
