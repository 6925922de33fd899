//! What a classifier's scores say, against SciPy and by hand.

use calogen::metrics::{Isotonic, Separation, auc, auc_error};

use crate::close;

/// Scores with ties, two of them across the labels.
const SCORES: [f64; 10] = [0.1, 0.4, 0.4, 0.35, 0.8, 0.65, 0.4, 0.9, 0.2, 0.35];
const LABELS: [bool; 10] = [
    false, false, true, true, true, false, false, true, true, false,
];

#[test]
fn area_under_the_curve() {
    // SciPy's mannwhitneyu over the number of pairs.
    close(auc(&SCORES, &LABELS).unwrap(), 0.62);
    let opposite = LABELS.map(|l| !l);
    close(auc(&SCORES, &opposite).unwrap(), 0.38);
    close(auc(&[0.0, 1.0, 2.0], &[false, false, true]).unwrap(), 1.0);
    close(auc(&[3.0; 4], &[false, true, true, false]).unwrap(), 0.5);
    assert_eq!(auc(&[1.0, 2.0], &[true, true]), None);
    assert_eq!(auc(&[], &[]), None);
}

#[test]
fn error_of_the_area() {
    // One shower of each is right or wrong.
    close(auc_error(0.8, 1, 1).powi(2), 0.8 * 0.2);
    // Worked out by hand: 0.893 from 51 and 58.
    let found = auc_error(0.893, 51, 58);
    assert!((found - 0.03251).abs() < 1e-5, "{found}");
    // Without any separation: the variance of the rank sum, (m + n + 1) / (12 m n).
    close(auc_error(0.5, 40, 60).powi(2), 101.0 / (12.0 * 2400.0));
    close(auc_error(1.0, 10, 10), 0.0);
}

#[test]
fn isotonic_regression() {
    // SciPy's isotonic_regression of the means at each score, weighted by their number; linear between.
    let fit = Isotonic::fit(&SCORES, &LABELS);
    let pool = 3.0 / 7.0;
    for (score, want) in [
        (0.05, 1e-6),
        (0.1, 1e-6),
        (0.2, pool),
        (0.3, pool),
        (0.375, pool),
        (0.65, pool),
        (0.7, pool + (1.0 - 1e-6 - pool) / 3.0),
        (0.8, 1.0 - 1e-6),
        (0.95, 1.0 - 1e-6),
    ] {
        let found = fit.at(score);
        assert!((found - want).abs() <= 1e-12, "{score}: {found} {want}");
    }
    close(Isotonic::fit(&[], &[]).at(0.3), 0.5);
    // Scores that fall are one pool.
    close(
        Isotonic::fit(&[1.0, 2.0, 3.0, 4.0], &[true, true, false, false]).at(2.5),
        0.5,
    );
}

#[test]
fn separation_of_known_logits() {
    let labels: Vec<bool> = (0..200).map(|i| i % 2 == 0).collect();
    let apart: Vec<f64> = labels.iter().map(|&l| if l { 2.0 } else { -2.0 }).collect();
    let found = Separation::of((&apart, &labels), (&apart, &labels)).unwrap();
    close(found.auc, 1.0);
    assert!(
        (found.jsd - 1.0).abs() < 1e-5 && found.jsd_error < 1e-6,
        "{found:?}"
    );
    // One logit for all says nothing; what is the wrong way round is folded.
    let same = Separation::of((&[0.3; 200], &labels), (&[0.3; 200], &labels)).unwrap();
    close(same.auc, 0.5);
    close(same.jsd, 0.0);
    let wrong: Vec<f64> = apart.iter().map(|l| -l).collect();
    close(
        Separation::of((&wrong, &labels), (&wrong, &labels))
            .unwrap()
            .auc,
        1.0,
    );
    // A quarter of each label on the other side: p = 3/4, so 1 - entropy / ln 2.
    let mixed: Vec<f64> = (0..200)
        .map(|i| {
            if (i % 2 == 0) == (i % 8 < 6) {
                1.0
            } else {
                -1.0
            }
        })
        .collect();
    let p: f64 = 0.75;
    let entropy = -(p * p.ln() + (1.0 - p) * (1.0 - p).ln());
    let found = Separation::of((&mixed, &labels), (&mixed, &labels)).unwrap();
    close(found.jsd, 1.0 - entropy / std::f64::consts::LN_2);
    close(found.auc, 0.75);
}
