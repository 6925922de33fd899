//! Fréchet distance of two samples of features, each taken as normal (arXiv:1706.08500):
//! `|μa - μb|² + tr(Σa + Σb - 2 (Σa Σb)^½)`, with unbiased covariances.

/// Mean and covariance of a sample of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    mean: Vec<f64>,
    /// `[width, width]`
    covariance: Vec<f64>,
}

impl Gaussian {
    /// Of rows of `width` features; `None` where there are fewer than two.
    pub fn of(features: &[f32], width: usize) -> Option<Self> {
        let n = features.len().checked_div(width).filter(|&n| n > 1)?;
        let mut mean = vec![0.0; width];
        for row in features.chunks_exact(width) {
            mean.iter_mut()
                .zip(row)
                .for_each(|(m, &f)| *m += f64::from(f));
        }
        mean.iter_mut().for_each(|m| *m /= n as f64);
        let mut covariance = vec![0.0; width * width];
        let mut centred = vec![0.0; width];
        for row in features.chunks_exact(width) {
            for ((c, &f), m) in centred.iter_mut().zip(row).zip(&mean) {
                *c = f64::from(f) - m;
            }
            for (i, line) in covariance.chunks_exact_mut(width).enumerate() {
                for (sum, c) in line.iter_mut().zip(&centred) {
                    *sum += centred[i] * c;
                }
            }
        }
        covariance.iter_mut().for_each(|c| *c /= n as f64 - 1.0);
        Some(Self { mean, covariance })
    }

    /// The Fréchet distance to another; `None` where they differ in width.
    pub fn distance(&self, other: &Self) -> Option<f64> {
        let width = self.mean.len();
        if other.mean.len() != width {
            return None;
        }
        let means = self.mean.iter().zip(&other.mean);
        let means: f64 = means.map(|(a, b)| (a - b) * (a - b)).sum();
        let trace = |g: &Self| (0..width).map(|i| g.covariance[i * width + i]).sum::<f64>();
        // tr (Σa Σb)^½ is tr (R Σb R)^½ with R = Σa^½, and that matrix is symmetric.
        let (values, vectors) = symmetric_eigen(&self.covariance, width);
        let mut root = vec![0.0; width * width];
        for i in 0..width {
            for j in 0..width {
                root[i * width + j] = (0..width)
                    .map(|k| {
                        vectors[i * width + k] * values[k].max(0.0).sqrt() * vectors[j * width + k]
                    })
                    .sum();
            }
        }
        let inner = product(&product(&root, &other.covariance, width), &root, width);
        let (values, _) = symmetric_eigen(&inner, width);
        let cross: f64 = values.iter().map(|v| v.max(0.0).sqrt()).sum();
        Some((means + trace(self) + trace(other) - 2.0 * cross).max(0.0))
    }
}

fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let mut c = vec![0.0; n * n];
    for i in 0..n {
        for k in 0..n {
            let x = a[i * n + k];
            for j in 0..n {
                c[i * n + j] += x * b[k * n + j];
            }
        }
    }
    c
}

/// Eigenvalues and eigenvectors (columns) of a symmetric `[n, n]` matrix, by Jacobi's rotations: slow for large matrices,
/// exact to rounding for any.
pub fn symmetric_eigen(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    // Sweeps converge quadratically; a hundred rows need about ten.
    const SWEEPS: usize = 60;
    let mut a = matrix.to_vec();
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    let scale: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * n + j].powi(2))
            .sum();
        if off <= 1e-30 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                    let (x, y) = (v[k * n + p], v[k * n + q]);
                    v[k * n + p] = c * x - s * y;
                    v[k * n + q] = s * x + c * y;
                }
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), v)
}
