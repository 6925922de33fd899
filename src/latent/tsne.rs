//! t-distributed stochastic neighbour embedding (L. van der Maaten, G. Hinton, J. Mach. Learn. Res. 9 (2008) 2579), exact:
//! every pair of points counts, which does for a few thousand of them.

use super::Pca;
use crate::ops::random;
use crate::{Error, Result};

/// Iterations in which neighbours attract each other more than they will, and by what factor.
const EARLY: usize = 250;
const EXAGGERATION: f64 = 12.0;

/// How points are embedded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tsne {
    /// Effective number of neighbours of a point: e to the entropy of its affinities.
    pub perplexity: f64,
    /// Steps of gradient descent.
    pub iterations: usize,
    /// Of the small noise about the principal components from which it starts.
    pub seed: u64,
}

impl Default for Tsne {
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            iterations: 750,
            seed: 0,
        }
    }
}

impl Tsne {
    /// Two coordinates for each of `rows`, `width` values each, and the Kullback-Leibler divergence that is left. `step` is
    /// told each iteration done.
    ///
    /// # Errors
    /// [`Error::Config`] if there are not at least three points for a neighbour, or a value is not finite.
    pub fn embed(
        &self,
        rows: &[f64],
        width: usize,
        mut step: impl FnMut(usize),
    ) -> Result<(Vec<[f64; 2]>, f64)> {
        let n = rows.len() / width.max(1);
        if !(self.perplexity >= 1.0 && 3.0 * self.perplexity <= n as f64 - 1.0) {
            return Err(Error::Config(format!(
                "t-SNE of {n} points with a perplexity of {}: expected one of 1 to {:.1}",
                self.perplexity,
                (n as f64 - 1.0) / 3.0
            )));
        }
        let Some(pca) = Pca::of(rows, width) else {
            return Err(Error::Config("t-SNE: a coordinate is not finite".into()));
        };
        let p = affinities(rows, width, self.perplexity);
        let start = pca.project(rows, 2);
        let spread = pca.variances[0].sqrt().max(f64::MIN_POSITIVE);
        let noise = |i: usize, k: u32| f64::from(random::normal(self.seed, 0, i as u64, k));
        // Points that are equal would never part.
        let mut y: Vec<[f64; 2]> = (0..n)
            .map(|i| [0, 1].map(|k| 1e-4 * (start[2 * i + k] / spread + 0.01 * noise(i, k as u32))))
            .collect();
        let (mut speed, mut gain) = (vec![[0.0f64; 2]; n], vec![[1.0f64; 2]; n]);
        let rate = (n as f64 / EXAGGERATION / 4.0).max(50.0);
        for iteration in 0..self.iterations {
            let early = iteration < EARLY.min(self.iterations / 3);
            let (exaggeration, momentum) = if early {
                (EXAGGERATION, 0.5)
            } else {
                (1.0, 0.8)
            };
            let gradient = gradient(&p, &y, exaggeration);
            for i in 0..n {
                for k in 0..2 {
                    let g = gradient[i][k];
                    let same = (g > 0.0) == (speed[i][k] > 0.0);
                    gain[i][k] = if same {
                        (0.8 * gain[i][k]).max(0.01)
                    } else {
                        gain[i][k] + 0.2
                    };
                    speed[i][k] = momentum * speed[i][k] - rate * gain[i][k] * g;
                    y[i][k] += speed[i][k];
                }
            }
            step(iteration + 1);
        }
        let left = divergence(&p, &y);
        match y.iter().flatten().all(|v| v.is_finite()) {
            true => Ok((y, left)),
            false => Err(Error::NotFinite(
                "t-SNE: the embedding is not finite".into(),
            )),
        }
    }
}

/// Symmetric affinities `[n,n]` of sum 1 in which every point has as many neighbours as `perplexity` says.
///
/// `p_j|i` falls as a normal density of the distance, of a width for each i for which its entropy is `ln perplexity`; `p_ij
/// = (p_j|i + p_i|j) / 2n`.
pub fn affinities(rows: &[f64], width: usize, perplexity: f64) -> Vec<f64> {
    let n = rows.len() / width;
    let point = |i: usize| &rows[i * width..(i + 1) * width];
    let mut p = vec![0.0; n * n];
    for i in 0..n {
        let distance = |j: usize| {
            point(i)
                .iter()
                .zip(point(j))
                .map(|(a, b)| (a - b) * (a - b))
                .sum::<f64>()
        };
        let squares: Vec<f64> = (0..n).map(distance).collect();
        let row = &mut p[i * n..(i + 1) * n];
        calibrate(&squares, i, perplexity.ln(), row);
    }
    let mut both = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            both[i * n + j] = (p[i * n + j] + p[j * n + i]) / (2 * n) as f64;
        }
    }
    both
}

/// The `p_j|i` of point i, by bisection of the width.
fn calibrate(squares: &[f64], i: usize, entropy: f64, row: &mut [f64]) {
    let others = || (0..squares.len()).filter(move |&j| j != i);
    let nearest = others().map(|j| squares[j]).fold(f64::INFINITY, f64::min);
    let (mut low, mut high, mut beta) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..200 {
        // Less the nearest, so that not all terms vanish.
        let (mut sum, mut mean) = (0.0, 0.0);
        for j in others() {
            let d = squares[j] - nearest;
            let w = (-beta * d).exp();
            row[j] = w;
            sum += w;
            mean += w * d;
        }
        let found = sum.ln() + beta * mean / sum;
        others().for_each(|j| row[j] /= sum);
        if (found - entropy).abs() < 1e-10 {
            break;
        }
        if found > entropy {
            low = beta;
            beta = if high.is_finite() {
                0.5 * (beta + high)
            } else {
                2.0 * beta
            };
        } else {
            high = beta;
            beta = 0.5 * (beta + low);
        }
        if !beta.is_finite() || beta == 0.0 {
            break; // as many equal points as neighbours
        }
    }
    row[i] = 0.0;
}

/// `4 Σ_j (p_ij − q_ij) w_ij (y_i − y_j)` with `w = 1 / (1 + |y_i − y_j|²)` and `q = w / Σ w`.
fn gradient(p: &[f64], y: &[[f64; 2]], exaggeration: f64) -> Vec<[f64; 2]> {
    let n = y.len();
    let (mut attract, mut repel) = (vec![[0.0; 2]; n], vec![[0.0; 2]; n]);
    let mut sum = 0.0;
    for i in 0..n {
        let own = &p[i * n..(i + 1) * n];
        let (mut a, mut r) = ([0.0; 2], [0.0; 2]);
        for (j, (p, other)) in own.iter().zip(y).enumerate() {
            if j == i {
                continue;
            }
            let d = [y[i][0] - other[0], y[i][1] - other[1]];
            let w = 1.0 / (1.0 + d[0] * d[0] + d[1] * d[1]);
            sum += w;
            for k in 0..2 {
                a[k] += p * w * d[k];
                r[k] += w * w * d[k];
            }
        }
        (attract[i], repel[i]) = (a, r);
    }
    let join =
        |(a, r): ([f64; 2], [f64; 2])| [0, 1].map(|k| 4.0 * (exaggeration * a[k] - r[k] / sum));
    attract.into_iter().zip(repel).map(join).collect()
}

fn divergence(p: &[f64], y: &[[f64; 2]]) -> f64 {
    let n = y.len();
    let weight = |i: usize, j: usize| {
        let d = [y[i][0] - y[j][0], y[i][1] - y[j][1]];
        1.0 / (1.0 + d[0] * d[0] + d[1] * d[1])
    };
    let pairs = || (0..n).flat_map(move |i| (0..n).filter(move |&j| j != i).map(move |j| (i, j)));
    let sum: f64 = pairs().map(|(i, j)| weight(i, j)).sum();
    let term = |(i, j): (usize, usize)| match p[i * n + j] {
        p if p > 0.0 => p * (p * sum / weight(i, j)).ln(),
        _ => 0.0,
    };
    pairs().map(term).sum()
}
