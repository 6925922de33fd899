//! Two-sample Kolmogorov-Smirnov statistic and its probability.

use std::f64::consts::{PI, TAU};

use super::wasserstein::walk;
use crate::observables::Sorted;

/// `max |F(x) − G(x)|`, 0 to 1; `None` where a sample is empty.
pub fn kolmogorov_smirnov(a: &Sorted, b: &Sorted) -> Option<f64> {
    let mut largest = 0.0_f64;
    walk(a, b, |_, difference| largest = largest.max(difference))?;
    Some(largest)
}

/// The probability that two samples of `n` and `m` independent values of one continuous distribution differ by `statistic` or
/// more: that of a single sample of `nm / (n + m)` values, rounded, against its distribution, as in SciPy's
/// `ks_2samp(method="asymp")`. `None` where a sample is empty.
pub fn ks_p_value(statistic: f64, n: u64, m: u64) -> Option<f64> {
    let (n, m) = (n as f64, m as f64);
    let size = (n * m / (n + m)).round_ties_even();
    (n > 0.0 && m > 0.0).then(|| one_sample(size, statistic).clamp(0.0, 1.0))
}

/// `P(D_n ≥ d)` for n values against their continuous distribution, by the choice of methods of Simard and L'Ecuyer,
/// J. Stat. Softw. 39 (2011) 11.
fn one_sample(n: f64, d: f64) -> f64 {
    let (t, squared) = (n * d, n * d * d);
    // d = 1 is more than any n can do; with n = 0 nothing is known.
    if n == 0.0 || t <= 0.5 {
        return 1.0;
    }
    if d >= 1.0 || squared >= 370.0 {
        return 0.0;
    }
    if d >= 0.5 || t >= n - 1.0 || squared >= if n <= 140.0 { 4.0 } else { 2.2 } {
        return 2.0 * smirnov(n, d);
    }
    // The exact one up to a size at which it is still quick.
    1.0 - if n <= 1000.0 {
        durbin(n, d)
    } else {
        pelz_good(n, d)
    }
}

/// `P(D_n⁺ ≥ d)`, one-sided: `d Σ_j C(n, j) (d + j/n)^(j−1) (1 − d − j/n)^(n−j)` (Birnbaum and Tingey 1951). Twice it is the
/// two-sided probability, exactly for d ≥ ½ and to less than 1e-10 where it is used else.
fn smirnov(n: f64, d: f64) -> f64 {
    let last = (n * (1.0 - d)).floor() as u64;
    let terms = (0..=last).map(|j| {
        let j = j as f64;
        let (below, above) = (d + j / n, 1.0 - d - j / n);
        if above <= 0.0 {
            return if j == n { below.powf(j - 1.0) } else { 0.0 };
        }
        let choose = ln_factorial(n) - ln_factorial(j) - ln_factorial(n - j);
        (choose + (j - 1.0) * below.ln() + (n - j) * above.ln()).exp()
    });
    d * terms.sum::<f64>()
}

/// ln n!, by Stirling's series from n = 16 on.
fn ln_factorial(n: f64) -> f64 {
    if n < 16.0 {
        return (2..=n as u32).map(|k| f64::from(k).ln()).sum();
    }
    let r = 1.0 / (n * n);
    let series = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / n;
    n * n.ln() - n + 0.5 * (TAU * n).ln() + series
}

/// `P(D_n < d)`, exact: `n!/n^n` times an entry of the n-th power of a matrix (Durbin 1973; Marsaglia, Tsang and Wang,
/// J. Stat. Softw. 8 (2003) 18).
fn durbin(n: f64, d: f64) -> f64 {
    let k = (n * d).ceil();
    let h = k - n * d;
    let (k, m) = (k as usize, 2 * k as usize - 1);
    let factorial = |i: usize| ln_factorial(i as f64).exp();
    let entry = |i: usize, j: usize| {
        let low = |i: usize| h.powi(i as i32 + 1);
        let top = match (i, j) {
            _ if i + 1 < j => return 0.0,
            (i, 0) if i == m - 1 => 1.0 - 2.0 * low(i) + (2.0 * h - 1.0).max(0.0).powi(m as i32),
            (i, 0) => 1.0 - low(i),
            (i, j) if i == m - 1 => 1.0 - low(m - 1 - j),
            _ => 1.0,
        };
        top / factorial(i + 1 - j)
    };
    let base: Vec<Vec<f64>> = (0..m)
        .map(|i| (0..m).map(|j| entry(i, j)).collect())
        .collect();
    // The row k - 1 of the power, multiplied n times; the factors j/n of n!/n^n keep it in range.
    let mut row = vec![0.0; m];
    row[k - 1] = 1.0;
    for factor in 1..=n as usize {
        let scale = factor as f64 / n;
        row = (0..m)
            .map(|j| scale * row.iter().zip(&base).map(|(r, b)| r * b[j]).sum::<f64>())
            .collect();
    }
    row[k - 1]
}

/// `P(D_n < d)` to O(n^-3/2): the limiting distribution at z = √n d and two corrections (Pelz and Good,
/// J. R. Stat. Soc. B 38 (1976) 152).
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let (z2, z4) = (z * z, z.powi(4));
    let [mut first, mut second, mut third, mut fourth] = [0.0; 4];
    for k in 0..20 {
        // Both signs of k + ½ and of k count.
        let half = (PI * (f64::from(k) + 0.5)).powi(2);
        let whole = (PI * f64::from(k)).powi(2);
        let weight = 2.0 * (-half / (2.0 * z2)).exp();
        first += weight;
        second += (half - z2) * weight;
        third += (6.0 * z2 * z4
            + 2.0 * z4
            + half * (2.0 * z4 - 5.0 * z2)
            + half * half * (1.0 - 2.0 * z2))
            * weight;
        fourth += whole * 2.0 * (-whole / (2.0 * z2)).exp();
    }
    let root = (PI / 2.0).sqrt();
    let limit = TAU.sqrt() / z * 0.5 * first;
    let correction = root / (6.0 * z4) * second;
    let next = root / (72.0 * z4 * z2 * z) * third - root / (36.0 * z * z2) * fourth;
    limit + correction / n.sqrt() + next / n
}
