//! Principal components.

/// Directions of largest variance of some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: Vec<f64>,
    /// Unit vectors by falling variance, each with its largest entry positive.
    pub components: Vec<Vec<f64>>,
    /// Variance along each, divided by n.
    pub variances: Vec<f64>,
}

impl Pca {
    /// Of `rows`, `width` values each; `None` where there is no row, or a value is not finite.
    pub fn of(rows: &[f64], width: usize) -> Option<Self> {
        let n = rows.len() / width.max(1);
        if n == 0 || rows.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let mut mean = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            mean.iter_mut()
                .zip(row)
                .for_each(|(m, v)| *m += v / n as f64);
        }
        let mut covariance = vec![vec![0.0; width]; width];
        for row in rows.chunks_exact(width) {
            let off: Vec<f64> = row.iter().zip(&mean).map(|(v, m)| v - m).collect();
            for (line, u) in covariance.iter_mut().zip(&off) {
                line.iter_mut()
                    .zip(&off)
                    .for_each(|(c, v)| *c += u * v / n as f64);
            }
        }
        let (values, vectors) = symmetric_eigen(covariance);
        let mut pairs: Vec<(f64, Vec<f64>)> = values.into_iter().zip(vectors).collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let signed = |v: Vec<f64>| {
            let largest = v.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            let sign = largest.unwrap_or(1.0).signum();
            v.into_iter().map(|e| e * sign).collect()
        };
        let (variances, components) = pairs
            .into_iter()
            .map(|(value, v)| (value.max(0.0), signed(v)))
            .unzip();
        Some(Self {
            mean,
            components,
            variances,
        })
    }

    /// The first `count` coordinates of each row, row by row; 0 beyond the width.
    pub fn project(&self, rows: &[f64], count: usize) -> Vec<f64> {
        let width = self.mean.len();
        let mut all = Vec::with_capacity(rows.len() / width * count);
        for row in rows.chunks_exact(width) {
            for k in 0..count {
                let along = |c: &Vec<f64>| {
                    c.iter()
                        .zip(row)
                        .zip(&self.mean)
                        .map(|((c, v), m)| c * (v - m))
                        .sum()
                };
                all.push(self.components.get(k).map_or(0.0, along));
            }
        }
        all
    }

    /// Share of the whole variance along each component.
    pub fn explained(&self) -> Vec<f64> {
        let sum: f64 = self.variances.iter().sum();
        self.variances
            .iter()
            .map(|v| if sum > 0.0 { v / sum } else { 0.0 })
            .collect()
    }
}

/// Eigenvalues of a symmetric matrix, in no order, and a unit eigenvector for each, by Jacobi's rotations (Golub and Van
/// Loan, 8.5): a code is short.
fn symmetric_eigen(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    let one = |i: usize| (0..n).map(|j| f64::from(u8::from(i == j))).collect();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(one).collect();
    let size: f64 = a.iter().flatten().map(|v| v * v).sum();
    // Each sweep squares what is left: six do, fifty are for certain.
    for _ in 0..50 {
        let row = |i: usize| a[i][..i].iter().map(|v| v * v).sum::<f64>();
        if (0..n).map(row).sum::<f64>() <= 1e-32 * size {
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
                for rows in [&mut a, &mut vectors] {
                    let (before, after) = rows.split_at_mut(q);
                    for (u, v) in before[p].iter_mut().zip(&mut after[0]) {
                        (*u, *v) = (c * *u - s * *v, s * *u + c * *v);
                    }
                }
            }
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), vectors)
}
