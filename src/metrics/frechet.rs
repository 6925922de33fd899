//! Fréchet distance of two samples of features.

use super::matrix::Matrix;

/// Fréchet distance of the normal distributions with the samples' means and covariances, squared:
/// `|μa - μb|² + tr(A + B - 2 (A B)^½)`, with unbiased covariances A and B.
///
/// Samples are row by row, `features` values a row, in any unit; the distance has its square. They may have fewer rows than
/// features: then the covariances are singular, and the distance is that of those. `None` where a sample has fewer than two
/// rows or no whole number of them, or a value is not finite.
pub fn frechet_distance(a: &[f64], b: &[f64], features: usize) -> Option<f64> {
    let (a, b) = (Normal::of(a, features)?, Normal::of(b, features)?);
    let shift: f64 = (a.mean.iter().zip(&b.mean))
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    // With A = Fᵀ F, A B has the eigenvalues of the symmetric F B Fᵀ, and zeros.
    let factor = a.covariance.factor();
    let half = factor.times_transposed(&b.covariance);
    let cross = half.times_transposed(&factor).eigenvalues();
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
        let mut centred = Matrix::new(features, rows.to_vec()).transposed();
        let mut mean = Vec::with_capacity(features);
        for column in centred.data.chunks_exact_mut(count) {
            let m = column.iter().sum::<f64>() / count as f64;
            column.iter_mut().for_each(|v| *v -= m);
            mean.push(m);
        }
        let mut covariance = centred.squared();
        covariance
            .data
            .iter_mut()
            .for_each(|v| *v /= (count - 1) as f64);
        Some(Self { mean, covariance })
    }
}
