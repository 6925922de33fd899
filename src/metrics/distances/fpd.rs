//! The Fréchet physics distance: the Fréchet distance of features, extrapolated to endless samples (R. Kansal et al.,
//! arXiv:2211.10295).

use super::sampling::Draw;
use super::{Estimate, Pair};
use crate::metrics::frechet_distance;

/// How the distance is extrapolated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FpdOptions {
    /// Smallest and largest number of showers in a batch, where the samples have as many.
    pub sizes: [usize; 2],
    /// Sizes of batches, equally spaced in 1/N.
    pub points: usize,
    /// Batches of each size.
    pub batches: usize,
}

impl Default for FpdOptions {
    /// As the CaloChallenge uses it (arXiv:2410.21611).
    fn default() -> Self {
        Self {
            sizes: [10_000, 50_000],
            points: 10,
            batches: 20,
        }
    }
}

impl FpdOptions {
    /// The sizes in use where the smaller sample has `events` showers: both are scaled down to what it has.
    pub fn sizes_for(&self, events: usize) -> [usize; 2] {
        let [smallest, largest] = self.sizes;
        match events < largest {
            true => [smallest * events / largest.max(1), events],
            false => self.sizes,
        }
    }
}

/// The distance: mean Fréchet distances of batches drawn with replacement, at sizes N equally spaced in 1/N, and the
/// intercept of the straight line in 1/N through them whose intercept and slope are not negative, with the error of the fit.
///
/// `tell` hears of each size. `None` if a sample is so small that a batch would have fewer than two showers.
pub fn fpd(pair: &Pair, options: &FpdOptions, seed: u64, tell: &dyn Fn()) -> Option<Estimate> {
    let [reference, generated] = [&pair.reference, &pair.generated];
    let width = pair.width;
    let events = reference.len().min(generated.len()) / width.max(1);
    let [smallest, largest] = options.sizes_for(events);
    if smallest < 2 {
        return None;
    }
    let mut points = Vec::with_capacity(options.points);
    for point in 0..options.points {
        let share = point as f64 / (options.points - 1).max(1) as f64;
        let inverse = (1.0 - share) / smallest as f64 + share / largest as f64;
        // Rounding must not lose a shower of a size that is whole.
        let size = (1.0 / inverse + 1e-6) as usize;
        let mut sum = 0.0;
        for batch in 0..options.batches {
            let drawn = |rows: &[f64], side: u32| -> Vec<f64> {
                let draw = Draw {
                    seed,
                    stream: 2 * point as u32 + side,
                };
                let places = draw.with_replacement(batch, size, rows.len() / width);
                places
                    .iter()
                    .flat_map(|i| &rows[i * width..][..width])
                    .copied()
                    .collect()
            };
            sum += frechet_distance(&drawn(reference, 0), &drawn(generated, 1), width)?;
        }
        points.push([1.0 / size as f64, sum / options.batches as f64]);
        tell();
    }
    Some(intercept(&points))
}

/// The intercept of the straight line through `points` (x, y) of least squares among those of intercept and slope 0 or more,
/// and its error, the standard deviation that the scatter about the line gives a fit without bounds.
pub fn intercept(points: &[[f64; 2]]) -> Estimate {
    let n = points.len() as f64;
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|&[x, y]| of(x, y)).sum::<f64>();
    let (x, y) = (sum(&|x, _| x), sum(&|_, y| y));
    let (xx, xy) = (sum(&|x, _| x * x), sum(&|x, y| x * y));
    let determinant = n * xx - x * x;
    let mut line = [
        (xx * y - x * xy) / determinant,
        (n * xy - x * y) / determinant,
    ];
    // The best of the allowed lines is the free one, or lies on a bound.
    if line[0] < 0.0 {
        line = [0.0, (xy / xx).max(0.0)];
    } else if line[1] < 0.0 {
        line = [(y / n).max(0.0), 0.0];
    }
    let [value, slope] = line;
    let scatter = sum(&|x, y| (y - value - slope * x).powi(2)) / (n - 2.0);
    Estimate {
        value,
        error: (scatter * xx / determinant).sqrt(),
    }
}
