//! What a sample is worth: samples whose worth is known.

use calogen::metrics::{Amplification, AmplificationOptions, amplification};
use calogen::observables::{Collect, Column, Observables};

use crate::{Uniform, info};

/// A sample of which only `visible_energy` is looked at.
fn of(values: Vec<f64>) -> Observables {
    let mut all = Observables::new(&info("sample", [1, 1, 1]), &Collect::default());
    all.columns = vec![Column {
        name: "visible_energy".into(),
        showers: (0..values.len() as u32).collect(),
        values,
    }];
    all
}

/// Draws of the logistic distribution about `shift`, whose integral is 1 / (1 + e^(shift - x)).
fn logistic(n: usize, shift: f64, seed: u64) -> Observables {
    let mut uniform = Uniform(seed);
    // The generator's first numbers for near seeds are alike.
    for _ in 0..10 {
        uniform.next();
    }
    of((0..n)
        .map(|_| uniform.next())
        .map(|u| shift + (u / (1.0 - u)).ln())
        .collect())
}

fn options(repetitions: usize) -> AmplificationOptions {
    AmplificationOptions {
        observables: vec!["visible_energy".into()],
        repetitions,
        ..AmplificationOptions::default()
    }
}

fn worth(reference: &Observables, generated: &Observables) -> Amplification {
    amplification(reference, generated, &options(6)).unwrap()
}

#[test]
fn draws_of_the_truth_are_worth_their_number() {
    let reference = logistic(8000, 0.0, 77);
    let m = 400.0;
    let samples = 60;
    let (mut mean, mut inside) = (0.0, 0);
    for seed in 0..samples {
        let found = worth(&reference, &logistic(m as usize, 0.0, 1000 + 17 * seed)).all;
        mean += found.events.map_or(0.0, |e| 1.0 / e) / samples as f64;
        let [low, high] = found.interval;
        inside += u32::from(low.is_none_or(|l| l <= m) && high.is_none_or(|h| m <= h));
    }
    // The deviation of one sample has a relative error of sqrt(2/9), their mean of 6 %.
    assert!(
        (mean * m - 1.0).abs() <= 0.2,
        "worth {} instead of {m}",
        1.0 / mean
    );
    // 68 % are wanted; six splits give the interval its own error.
    assert!(
        inside >= samples as u32 / 2,
        "{inside} of {samples} intervals hold {m}"
    );
}

#[test]
fn a_bias_is_worth_what_it_is_worth_however_many_are_drawn() {
    let (q, shift) = (10, 0.25f64);
    // Shares of the shifted distribution in the truth's quantiles, in closed form.
    let integral = |k: usize| match k {
        0 => 0.0,
        k if k == q => 1.0,
        k => {
            let p = k as f64 / q as f64;
            1.0 / (1.0 + (shift - (p / (1.0 - p)).ln()).exp())
        }
    };
    let share = |k: usize| integral(k + 1) - integral(k);
    let deviation = (0..q)
        .map(|k| (q as f64 * share(k) - 1.0).powi(2))
        .sum::<f64>()
        / q as f64;
    // m draws of the truth deviate by (q - 1) / m.
    let want = (q - 1) as f64 / deviation;
    let reference = logistic(40_000, 0.0, 5);
    for n in [20_000, 80_000] {
        let found = worth(&reference, &logistic(n, shift, 6))
            .all
            .events
            .unwrap();
        assert!(
            (found / want - 1.0).abs() <= 0.2,
            "{n} showers: worth {found}, expected {want}"
        );
    }
}

#[test]
fn the_reference_deviates_as_counting_says() {
    let found = worth(&logistic(8000, 0.0, 1), &logistic(100, 0.0, 2));
    assert_eq!((found.truth_events, found.generated_events), (4000, 100));
    let all = &found.all;
    assert_eq!((all.sizes[0], all.sizes.last()), (31, Some(&4000)));
    for (m, d) in all.sizes.iter().zip(&all.reference) {
        let want = 9.0 * (1.0 / *m as f64 + 1.0 / 4000.0);
        // At the largest size six splits make six samples.
        assert!(
            (d / want - 1.0).abs() <= 0.6,
            "{m} showers deviate by {d}, expected {want}"
        );
    }
}

/// An empty shower has no centre: the others are judged in both observables.
#[test]
fn showers_without_a_centre_are_left_out() {
    let with_centre = |seed: u64, empty: &[u32]| {
        let mut all = logistic(1000, 0.0, seed);
        let energies = all.columns[0].clone();
        let kept = |(_, shower): &(&f64, &u32)| !empty.contains(shower);
        let centres = energies.values.iter().zip(&energies.showers).filter(kept);
        let (values, showers) = centres.map(|(v, &s)| (v * v, s)).unzip();
        all.columns.push(Column {
            name: "cog_z".into(),
            values,
            showers,
        });
        all
    };
    let two = AmplificationOptions {
        observables: vec!["visible_energy".into(), "cog_z".into()],
        ..options(3)
    };
    // Of 998 showers of the reference that have both, half are the truth.
    let found = amplification(&with_centre(3, &[7, 8]), &with_centre(5, &[0]), &two).unwrap();
    assert_eq!((found.truth_events, found.generated_events), (499, 999));
    assert!(found.observables.iter().all(|o| o.sizes == found.all.sizes));
}

#[test]
fn samples_that_say_nothing_have_no_worth() {
    let good = logistic(1000, 0.0, 3);
    let why = |reference: &Observables, generated: &Observables, options: &AmplificationOptions| {
        let error = amplification(reference, generated, options).expect_err("no worth");
        error.to_string()
    };
    let few = why(&logistic(300, 0.0, 3), &good, &options(3));
    assert!(few.contains("300 showers") && few.contains("400"), "{few}");
    let constant = why(&of(vec![2.0; 1000]), &good, &options(3));
    assert!(
        constant.contains("visible_energy is constant"),
        "{constant}"
    );
    let empty = why(&good, &of(Vec::new()), &options(3));
    assert!(empty.contains("no generated shower"), "{empty}");
    let other = AmplificationOptions {
        observables: vec!["cog_q".into()],
        ..options(3)
    };
    assert!(why(&good, &good, &other).contains("'cog_q'"));
    // The reference itself is worth more than can be told.
    let same = amplification(&good, &good, &options(9)).unwrap();
    assert!(same.all.events.is_none_or(|m| m > 800.0), "{same:?}");
    let trained = AmplificationOptions {
        trained_on: Some(50),
        ..options(3)
    };
    let found = amplification(&good, &logistic(200, 1.0, 9), &trained).unwrap();
    assert_eq!(found.factor, found.all.events.map(|m| m / 50.0));
    assert!(found.factor.is_some_and(|f| f < 1.0), "{found:?}");
    // Whole numbers of few values have fewer bins.
    let whole = |seed| {
        let mut uniform = Uniform(seed);
        of((0..2000).map(|_| (uniform.next() * 3.0).floor()).collect())
    };
    let found = worth(&whole(1), &whole(2)).all;
    assert!(found.generated < 0.05, "{found:?}");
}
