//! Classifiers of two samples.

use calogen::classify::{Inputs, Options, Rows, classify};
use calogen::observables::{Geometry, MemorySample, SampleInfo};
use calogen::ops::random;

use super::gpu;

/// Showers of three normal inputs about `mean`.
fn rows(seed: u64, events: u32, mean: f32) -> Rows {
    Rows {
        width: 3,
        values: (0..3 * events)
            .map(|e| mean + random::normal(seed, 0, 0, e))
            .collect(),
        knows_incident: false,
    }
}

#[test]
fn one_distribution_and_two() {
    // 41 showers more of one sample, which are left out; batches that do not divide the training part.
    let options = Options {
        width: 16,
        epochs: 4,
        batch: 37,
        learning_rate: 5e-3,
        seed: 1,
        standardise: true,
    };
    let find = |a: &Rows, b: &Rows, options: &Options| {
        classify(gpu(), a, b, options, &|| ()).expect("classes")
    };
    let all = rows(2, 800, 5.0);
    let [even, odd] = all.halves();
    let same = find(&even, &odd, &options);
    assert!(same.auc - 0.5 <= 3.0 * same.auc_error, "{same:?}");
    assert!(same.jsd.abs() <= 0.15, "{same:?}");
    assert_eq!(same.events, [240, 80, 80]);
    // 3 + 1, 16 + 1 twice, 16 + 1 parameters for each of 16, 16, 16 and 1.
    assert_eq!(same.parameters, 4 * 16 + 17 * 16 * 2 + 17);
    assert_eq!(
        same,
        find(&even, &odd, &options),
        "a seed gives the same figures"
    );

    let apart = find(&even, &rows(3, 441, -5.0), &options);
    assert_eq!((apart.auc, apart.auc_error), (1.0, 0.0), "{apart:?}");
    assert!(apart.jsd >= 0.99, "{apart:?}");
    // In between: shifted by s along each of three axes, the best area is Φ(s √3 / √2).
    let between = find(&even, &rows(3, 441, 5.8), &options);
    let best = 0.8365;
    assert!(
        (between.auc - best).abs() <= 3.0 * between.auc_error,
        "{between:?}"
    );

    let error = classify(gpu(), &rows(1, 9, 0.0), &even, &options, &|| ()).expect_err("too few");
    assert!(
        error
            .to_string()
            .contains("at least 10 showers of each sample, not 9"),
        "{error}"
    );
}

#[test]
fn inputs_by_hand() {
    // [Z, X, Y] = [2, 1, 2]; the second cell is below the threshold.
    let info = SampleInfo {
        file: "sample.h5".into(),
        events: 0,
        geometry: Geometry::Grid([2, 1, 2]),
        unit: "MeV".into(),
        threshold: None,
        mip: None,
        single: true,
    };
    let of =
        |energy: f64| MemorySample::new(info.clone(), vec![4.0, 0.1, 1.0, 3.0], vec![energy], 1);
    let values = |inputs: Inputs, energy| inputs.rows(&of(energy), 0.5).expect("rows");
    let low = values(Inputs::Low, 100.0);
    assert_eq!(
        (low.width, &low.values[..]),
        (5, &[2.0, 0.04, 0.0, 0.01, 0.03][..])
    );
    let normed = values(Inputs::LowNormed, 100.0);
    let layer = 4f32.log10();
    assert_eq!(normed.values, [2.0, 1.0, 0.0, 0.25, 0.75, layer, layer]);
    assert!(normed.knows_incident);
    assert_eq!(
        values(Inputs::High, 100.0).values[..4],
        [2.0, layer, layer, 8f32.log10()]
    );
    // Without incident energies.
    for inputs in [Inputs::LowNormed, Inputs::High] {
        let unknown = values(inputs, 0.0);
        assert!(!unknown.knows_incident);
        let width = unknown.width;
        assert_eq!(unknown.without_incident().width, width - 1);
    }
    let error = Inputs::Low
        .rows(&of(0.0), 0.5)
        .expect_err("no energy")
        .to_string();
    assert!(
        error.contains("sample.h5: shower 0") && error.contains("low-normed or high"),
        "{error}"
    );
}
