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
fn bins_span_both_samples() {
    let (a, b) = (sorted(&[0.0, 5.0]), sorted(&[10.0]));
    let bins = Binning::common(&a, &b, 100, false).unwrap();
    assert_eq!(
        (bins.edges[0], bins.edges[100], bins.bins()),
        (0.0, 10.0, 100)
    );
    let (p, q) = (bins.count(&a), bins.count(&b));
    assert_eq!((p[0], p[50], q[99]), (1.0, 1.0, 1.0));
    let (a, b) = (sorted(&[0.01, 1.0]), sorted(&[100.0]));
    let bins = Binning::common(&a, &b, 4, true).unwrap();
    assert_eq!(bins.count(&a), [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(bins.count(&b), [0.0, 0.0, 0.0, 1.0]);
    assert!(Binning::common(&sorted(&[]), &sorted(&[]), 100, false).is_none());
    // Values that a replica does not hold are no ends.
    let replica = Sorted::counts(vec![1.0, 2.0, 3.0, 9.0].into(), vec![0, 2, 1, 0]);
    assert_eq!(replica.ends(), Some((2.0, 3.0)));
    assert_eq!(
        [0, 1, 2, 3].map(|rank| replica.ranked(rank)),
        [Some(2.0), Some(2.0), Some(3.0), None]
    );
}

/// Statistic, sizes and SciPy's `kstwo.sf(d, round(n m / (n + m)))`, which is what `ks_2samp(method="asymp")` gives.
const KS: [(f64, u64, u64, f64); 20] = [
    (0.5, 2, 2, 1.0),
    (0.3333333333333333, 2, 3, 1.0),
    (0.4, 5, 7, 5.946666666667e-01),
    (0.9, 5, 7, 2.000000000000e-03),
    (0.15, 20, 30, 9.136263609636e-01),
    (0.3, 20, 30, 1.873570909294e-01),
    (0.08, 50, 60, 9.896228317176e-01),
    (0.05, 200, 300, 9.102636948584e-01),
    (0.13, 200, 300, 3.150247611455e-02),
    (0.04, 400, 400, 8.932878117044e-01),
    (0.11, 400, 400, 1.457994872699e-02),
    (0.008, 10000, 10000, 9.035907876780e-01),
    (0.012, 10000, 10000, 4.639912166690e-01),
    (0.03, 10000, 10000, 2.415923442267e-04),
    (0.02, 5100, 2000, 6.061634841007e-01),
    (0.0004, 6000000, 7000000, 6.793059397991e-01),
    (0.0012, 6000000, 7000000, 1.818610622529e-04),
    (0.7, 1000, 1, 6.000000000000e-01),
    (0.02, 300, 280, 9.999999583909e-01),
    (0.12, 290, 290, 2.815162225266e-02),
];

#[test]
fn kolmogorov_s_probability_is_scipy_s() {
    for (statistic, n, m, want) in KS {
        let found = ks_p_value(statistic, n, m).unwrap();
        assert!(
            (found / want - 1.0).abs() <= 1e-4,
            "{statistic} of {n} and {m}: {found}, expected {want}"
        );
    }
    assert_eq!(ks_p_value(0.0, 3, 9), Some(1.0));
    assert_eq!(ks_p_value(1.0, 300, 900), Some(0.0));
    assert_eq!(ks_p_value(1.0, 0, 9), None);
}

#[test]
fn overlap_of_known_histograms() {
    // Unit sums (¼, ¾, 0) and (½, 0, ½).
    let (p, q) = ([1.0, 3.0, 0.0], [5.0, 0.0, 5.0]);
    close(area_difference(&p, &q).unwrap(), 0.75);
    let want = 0.5 * (0.0625 / 0.75 + 0.75 + 0.5);
    close(separation_power(&p, &q).unwrap(), want);
    assert_eq!(area_difference(&p, &p), Some(0.0));
    assert_eq!(separation_power(&p, &p), Some(0.0));
    let apart = ([1.0, 0.0, 0.0], [0.0, 2.0, 0.0]);
    close(area_difference(&apart.0, &apart.1).unwrap(), 1.0);
    close(separation_power(&apart.0, &apart.1).unwrap(), 1.0);
    assert_eq!(area_difference(&p, &[0.0; 3]), None);
    assert_eq!(separation_power(&[], &[]), None);
}

#[test]
fn epochs_rank_by_their_share_of_the_mean() {
    let epochs = [
        vec![4.0, 1.0, 0.0],
        vec![1.0, 1.0, 0.0],
        vec![1.0, 4.0, 0.0],
    ];
    let scores = fidelity_by_epoch(&epochs);
    for (found, want) in scores.iter().zip([3.5 / 3.0, 2.0 / 3.0, 3.5 / 3.0]) {
        close(*found, want);
    }
    assert!(fidelity_by_epoch(&[]).is_empty());
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
        let bins = Binning::common(a, b, 70, true).unwrap();
        let [p, q] = [a, b].map(|sample| bins.count(sample));
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
