//! How much two histograms differ, bin by bin.

/// `½ Σ |p − q|`, 0 to 1: with densities h the area difference `½ Σ |h1 − h2| Δ`. `p` and `q` are normalised to a sum of 1
/// first; `None` where one of them sums to 0.
pub fn area_difference(p: &[f64], q: &[f64]) -> Option<f64> {
    sum(p, q, |p, q| 0.5 * (p - q).abs())
}

/// `½ Σ (p − q)² / (p + q)`, 0 to 1: the separation power. Normalised likewise.
pub fn separation_power(p: &[f64], q: &[f64]) -> Option<f64> {
    sum(p, q, |p, q| match p + q {
        0.0 => 0.0,
        both => 0.5 * (p - q) * (p - q) / both,
    })
}

fn sum(p: &[f64], q: &[f64], term: impl Fn(f64, f64) -> f64) -> Option<f64> {
    let (sum_p, sum_q) = (p.iter().sum::<f64>(), q.iter().sum::<f64>());
    let terms = p.iter().zip(q).map(|(p, q)| term(p / sum_p, q / sum_q));
    (sum_p > 0.0 && sum_q > 0.0).then(|| terms.sum())
}
