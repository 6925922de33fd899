//! Jensen-Shannon divergence of two histograms.

/// `½ Σ p ln(p/m) + ½ Σ q ln(q/m)` with m = (p + q)/2, in natural units: 0 to ln 2. `p` and `q` are normalised to a
/// sum of 1 first; `None` where one of them sums to 0.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> Option<f64> {
    let (sum_p, sum_q) = (p.iter().sum::<f64>(), q.iter().sum::<f64>());
    if !(sum_p > 0.0 && sum_q > 0.0) {
        return None;
    }
    let half = |a: f64, m: f64| if a > 0.0 { 0.5 * a * (a / m).ln() } else { 0.0 };
    let terms = p.iter().zip(q).map(|(&p, &q)| (p / sum_p, q / sum_q));
    let sum: f64 = terms
        .map(|(p, q)| half(p, 0.5 * (p + q)) + half(q, 0.5 * (p + q)))
        .sum();
    Some(sum.max(0.0))
}
