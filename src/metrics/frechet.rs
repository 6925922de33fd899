//! Fréchet distance of two samples of features, and the eigenvalues that it needs.

/// Fréchet distance of the normal distributions with the samples' means and covariances, squared:
/// `|μa - μb|² + tr(A + B - 2 (A B)^½)`, with unbiased covariances A and B.
///
/// Samples are row by row, `features` values a row, in any unit; the distance has its square. `None` where a sample has
/// fewer than two rows or no whole number of them, or a value is not finite.
pub fn frechet_distance(a: &[f64], b: &[f64], features: usize) -> Option<f64> {
    let (a, b) = (Normal::of(a, features)?, Normal::of(b, features)?);
    let shift: f64 = (a.mean.iter().zip(&b.mean))
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    // A B has the eigenvalues of the symmetric A^½ B A^½.
    let root = a.covariance.root();
    let cross = root.times(&b.covariance).times(&root).eigen().0;
    let cross: f64 = cross.iter().map(|v| v.max(0.0).sqrt()).sum();
    // Rounding takes equal samples below 0.
    Some((shift + a.covariance.trace() + b.covariance.trace() - 2.0 * cross).max(0.0))
}

struct Normal {
    mean: Vec<f64>,
    covariance: Matrix,
}

impl Normal {
    fn of(rows: &[f64], features: usize) -> Option<Self> {
        if features == 0 || !rows.len().is_multiple_of(features) {
            return None;
        }
        let count = rows.len() / features;
        if count < 2 || rows.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let mut mean = vec![0.0; features];
        for row in rows.chunks(features) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
        }
        mean.iter_mut().for_each(|m| *m /= count as f64);
        let mut covariance = Matrix::zeros(features);
        for row in rows.chunks(features) {
            let off: Vec<f64> = row.iter().zip(&mean).map(|(v, m)| v - m).collect();
            for (i, u) in off.iter().enumerate() {
                for (j, v) in off.iter().enumerate() {
                    covariance.0[i][j] += u * v / (count - 1) as f64;
                }
            }
        }
        Some(Self { mean, covariance })
    }
}

/// A square matrix, row by row.
#[derive(Clone)]
struct Matrix(Vec<Vec<f64>>);

impl Matrix {
    fn zeros(n: usize) -> Self {
        Self(vec![vec![0.0; n]; n])
    }

    fn trace(&self) -> f64 {
        (0..self.0.len()).map(|i| self.0[i][i]).sum()
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::zeros(self.0.len());
        for (row, out) in self.0.iter().zip(&mut product.0) {
            for (v, other) in row.iter().zip(&other.0) {
                out.iter_mut().zip(other).for_each(|(o, w)| *o += v * w);
            }
        }
        product
    }

    /// Symmetric square root of a symmetric matrix; eigenvalues below 0, from rounding, count as 0.
    fn root(&self) -> Self {
        let (values, vectors) = self.eigen();
        let mut root = Self::zeros(values.len());
        for (value, v) in values.iter().zip(&vectors) {
            let scale = value.max(0.0).sqrt();
            for (row, a) in root.0.iter_mut().zip(v) {
                row.iter_mut().zip(v).for_each(|(r, b)| *r += scale * a * b);
            }
        }
        root
    }

    /// Eigenvalues of a symmetric matrix and its eigenvectors, by Jacobi's rotations (Golub and Van Loan, 8.5).
    fn eigen(&self) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = self.0.len();
        let mut a = self.0.clone();
        let mut vectors = Self::zeros(n).0;
        (0..n).for_each(|i| vectors[i][i] = 1.0);
        let size: f64 = a.iter().flatten().map(|v| v * v).sum();
        // Each sweep squares what is left: six do, fifty are for certain.
        for _ in 0..50 {
            let off = |a: &[Vec<f64>]| -> f64 {
                let row = |i: usize| a[i][..i].iter().map(|v| v * v).sum::<f64>();
                (0..n).map(row).sum()
            };
            if off(&a) <= 1e-32 * size {
                break;
            }
            for p in 0..n {
                for q in p + 1..n {
                    if a[p][q] == 0.0 {
                        continue;
                    }
                    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                    let c = 1.0 / t.hypot(1.0);
                    let s = t * c;
                    for row in &mut a {
                        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                    }
                    rotate(&mut a, p, q, c, s);
                    rotate(&mut vectors, p, q, c, s);
                }
            }
        }
        ((0..n).map(|i| a[i][i]).collect(), vectors)
    }
}

/// Rows p < q become `c p - s q` and `s p + c q`.
fn rotate(rows: &mut [Vec<f64>], p: usize, q: usize, c: f64, s: f64) {
    let (before, after) = rows.split_at_mut(q);
    for (u, v) in before[p].iter_mut().zip(&mut after[0]) {
        (*u, *v) = (c * *u - s * *v, s * *u + c * *v);
    }
}
