//! Distances between plain samples.

use calogen::metrics::*;
use calogen::observables::{Sorted, Spectrum};

use crate::{Uniform, close};

const LN_2: f64 = std::f64::consts::LN_2;

fn sorted(values: &[f64]) -> Sorted {
    Sorted::new(values.to_vec())
}

fn w1(a: &[f64], b: &[f64]) -> Option<f64> {
    wasserstein1(&sorted(a), &sorted(b))
}

fn ks(a: &[f64], b: &[f64]) -> Option<f64> {
    kolmogorov_smirnov(&sorted(a), &sorted(b))
}

#[test]
fn wasserstein_of_a_shift_is_the_shift() {
    let mut uniform = Uniform(1);
    let a: Vec<f64> = (0..500).map(|_| uniform.next()).collect();
    let b: Vec<f64> = a.iter().map(|v| v + 3.25).collect();
    close(w1(&a, &b).unwrap(), 3.25);
    close(w1(&b, &a).unwrap(), 3.25);
    assert_eq!(w1(&a, &a), Some(0.0));
}

#[test]
fn wasserstein_of_different_sizes() {
    // F steps by 1/2 at 0 and 4, G by 1/3 at 0, 1, 2: |F − G| is 1/6, 1/6, 1/2 over lengths 1, 1, 2.
    close(
        w1(&[4.0, 0.0], &[2.0, 0.0, 1.0]).unwrap(),
        1.0 / 6.0 + 1.0 / 6.0 + 1.0,
    );
    assert_eq!(w1(&[], &[1.0]), None);
    assert_eq!(w1(&[1.0], &[]), None);
}

#[test]
fn kolmogorov_smirnov_cases() {
    assert_eq!(ks(&[1.0, 2.0], &[3.0, 4.0, 5.0]), Some(1.0));
    assert_eq!(ks(&[1.0, 2.0, 2.0], &[2.0, 1.0, 2.0]), Some(0.0));
    close(ks(&[0.0, 4.0], &[0.0, 1.0, 2.0]).unwrap(), 0.5);
    // Ties are passed in one step.
    close(
        ks(&[1.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0]).unwrap(),
        0.5,
    );
    assert_eq!(ks(&[1.0], &[]), None);
}

#[test]
fn jensen_shannon_cases() {
    assert_eq!(
        jensen_shannon(&[1.0, 2.0, 0.0], &[2.0, 4.0, 0.0]),
        Some(0.0)
    );
    close(jensen_shannon(&[1.0, 0.0], &[0.0, 7.0]).unwrap(), LN_2);
    // p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4).
    let want = 0.5 * (4.0f64 / 3.0).ln() + 0.5 * (0.5 * (2.0f64 / 3.0).ln() + 0.5 * 2.0f64.ln());
    close(jensen_shannon(&[3.0, 0.0], &[5.0, 5.0]).unwrap(), want);
    assert_eq!(jensen_shannon(&[0.0, 0.0], &[1.0, 0.0]), None);
}

#[test]
fn bins_are_half_open_and_the_last_closed() {
    let bins = Binning::equal(0.0, 1.0, 10);
    let index = |v: f64| bins.index(v);
    assert_eq!(
        [index(0.0), index(0.1), index(0.3), index(0.95), index(1.0)],
        [Some(0), Some(1), Some(2), Some(9), Some(9)] // 3 · 0.1 > 0.3
    );
    assert_eq!([index(-1e-9), index(1.1), index(f64::NAN)], [None; 3]);
    let integers = Binning::equal(7.0, 107.0, 100);
    assert!((7..107).all(|i| integers.index(f64::from(i)) == Some(i as usize - 7)));
    assert_eq!(Binning::equal(2.0, 2.0, 100).index(2.0), Some(50));
}

#[test]
fn histograms_span_both_samples() {
    let h = Histogram::linear(&sorted(&[0.0, 5.0]), &sorted(&[10.0]), 100).unwrap();
    assert_eq!((h.edges[0], h.edges[100], h.edges.len()), (0.0, 10.0, 101));
    assert_eq!(
        (h.reference[0], h.reference[50], h.generated[99]),
        (1, 1, 1)
    );
    let h = Histogram::log10(&sorted(&[0.01, 1.0]), &sorted(&[100.0]), 4).unwrap();
    assert_eq!(
        (h.reference, h.generated),
        (vec![1, 0, 1, 0], vec![0, 0, 0, 1])
    );
    assert!(Histogram::linear(&sorted(&[]), &sorted(&[]), 100).is_none());
}

#[test]
fn pearson_of_known_columns() {
    let (x, y) = ([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]);
    let falling = [8.0, 6.0, 4.0, 2.0];
    let constant = [0.1; 4];
    let m = pearson([&x[..], &y, &falling, &constant].into_iter());
    close(m[0][1].unwrap(), 0.6);
    close(m[2][0].unwrap(), -1.0);
    assert_eq!(m[0][0], Some(1.0));
    assert!(m[3].iter().all(Option::is_none) && m.iter().all(|row| row[3].is_none()));
}

#[test]
fn shortest_interval_of_90_percent() {
    // 0 to 8 and an outlier: nine values are held.
    let mut values: Vec<f64> = (0..9).map(f64::from).collect();
    values.insert(3, 1000.0);
    let (mu, sigma, n) = mu_sigma_90(values).unwrap();
    assert_eq!(n, 9);
    close(mu, 4.0);
    close(sigma, (60.0f64 / 9.0).sqrt());
    // All intervals equally short: the lowest.
    let (mu, ..) = mu_sigma_90((0..10).map(f64::from).collect()).unwrap();
    close(mu, 4.0);
    // ceil(0.9 · 11) = 10.
    assert_eq!(mu_sigma_90(vec![1.0; 11]), Some((1.0, 0.0, 10)));
    assert_eq!(mu_sigma_90(vec![5.0]), Some((5.0, 0.0, 1)));
    assert_eq!(mu_sigma_90(vec![]), None);
}

#[test]
fn moments_divide_by_n() {
    assert_eq!(
        Moments::of(&[1.0, 3.0]),
        Moments {
            mean: Some(2.0),
            std: Some(1.0)
        }
    );
    assert_eq!(
        Moments::of(&[0.1; 7]),
        Moments {
            mean: Some(0.1),
            std: Some(0.0)
        }
    );
    assert_eq!(Moments::of(&[]), Moments::default());
}

#[test]
fn spectrum_counts_in_steps_beyond_its_limit() {
    let mut uniform = Uniform(5);
    let mut draw = |scale: f64| -> Vec<f64> {
        (0..20_000)
            .map(|_| scale * (-4.0 * uniform.next()).exp())
            .collect()
    };
    let (a, b) = (draw(1.0), draw(1.02));
    let collect = |values: &[f64], limit| {
        let mut spectrum = Spectrum::new(limit);
        values.chunks(77).for_each(|shower| spectrum.add(shower));
        assert_eq!(spectrum.is_exact(), limit >= values.len());
        let (mean, std) = spectrum.moments().unwrap();
        let want = Moments::of(values);
        close(mean, want.mean.unwrap());
        close(std, want.std.unwrap());
        spectrum.into_sorted()
    };
    let exact = [collect(&a, 20_000), collect(&b, 20_000)];
    let coarse = [collect(&a, 5_000), collect(&b, 0)];
    assert_eq!(coarse[0].total(), 20_000);
    let figures = |[a, b]: &[Sorted; 2]| {
        let h = Histogram::log10(a, b, 70).unwrap();
        let [p, q] =
            [h.reference, h.generated].map(|h| h.iter().map(|&n| n as f64).collect::<Vec<_>>());
        [
            wasserstein1(a, b),
            kolmogorov_smirnov(a, b),
            jensen_shannon(&p, &q),
        ]
        .map(Option::unwrap)
    };
    for (found, want) in figures(&coarse).into_iter().zip(figures(&exact)) {
        assert!(
            (found / want - 1.0).abs() < 5e-3,
            "found {found}, expected {want}"
        );
    }
}

#[test]
fn frechet_of_normal_samples() {
    // Of one feature: (μa - μb)² + (σa - σb)².
    let (a, b) = ([1.0, 3.0, 5.0], [2.0, 2.5, 3.0, 8.5]);
    let moments = |v: &[f64]| {
        let n = v.len() as f64;
        let mean = v.iter().sum::<f64>() / n;
        let square: f64 = v.iter().map(|v| (v - mean) * (v - mean)).sum();
        (mean, (square / (n - 1.0)).sqrt())
    };
    let ((ma, sa), (mb, sb)) = (moments(&a), moments(&b));
    close(
        frechet_distance(&a, &b, 1).unwrap(),
        (ma - mb).powi(2) + (sa - sb).powi(2),
    );
    // A shift is its length squared; other features than samples make the covariance singular.
    let mut uniform = Uniform(2);
    let x: Vec<f64> = (0..7 * 11).map(|_| uniform.next()).collect();
    let y: Vec<f64> = x.iter().map(|v| v + 0.5).collect();
    for features in [7, 11] {
        let d = frechet_distance(&x, &y, features).unwrap();
        assert!((d - 0.25 * features as f64).abs() < 1e-7, "{d}");
        assert!(frechet_distance(&x, &x, features).unwrap().abs() < 1e-7);
    }
    // Scaled by 2: the sum of the variances.
    let twice: Vec<f64> = x
        .chunks(7)
        .flat_map(|r| r.iter().map(|v| 2.0 * v))
        .collect();
    let column = |k: usize| moments(&x.iter().skip(k).step_by(7).copied().collect::<Vec<_>>());
    let want: f64 = (0..7).map(column).map(|(m, s)| m * m + s * s).sum();
    let got = frechet_distance(&x, &twice, 7).unwrap();
    assert!((got - want).abs() < 1e-7 * want, "{got} {want}");
    assert_eq!(frechet_distance(&x, &y, 0), None);
    assert_eq!(frechet_distance(&x, &y, 2), None);
    assert_eq!(frechet_distance(&x[..7], &y, 7), None);
    assert_eq!(frechet_distance(&[f64::NAN; 14], &y, 7), None);
}
