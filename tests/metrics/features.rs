//! High-level features of showers.

use calogen::observables::{Features, INCIDENT, LOG_OFFSET, half};

use crate::sample;

#[test]
fn grid_by_hand() {
    // [Z, X, Y] = [3, 2, 2]: three hits, one of them below the threshold; an empty shower without incident energy.
    let mut cells = vec![0.0; 24];
    cells[4] = 1.0;
    cells[7] = 3.0;
    cells[9] = 0.01;
    let found = Features::high_level(&sample([3, 2, 2], &cells, &[100.0, 0.0]), 0.1).unwrap();
    let empty = LOG_OFFSET.log10();
    let energy = (4.0 + LOG_OFFSET).log10();
    let want = [
        // incident, layers, visible, hits, centres, widths, sparsity
        [
            2.0, empty, energy, empty, energy, 2.0, 0.75, 0.75, 1.0, 0.1875, 0.1875, 0.0, 1.0, 0.5,
            1.0,
        ],
        [
            empty, empty, empty, empty, empty, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0,
        ],
    ];
    assert_eq!(found.names[0], INCIDENT);
    assert_eq!(found.names[4..6], ["log10_visible_energy", "n_hits"]);
    assert_eq!((found.width(), found.events()), (15, 2));
    for (i, (found, want)) in found.rows.iter().zip(want.as_flattened()).enumerate() {
        assert!((found - want).abs() <= 1e-12, "{i}: {found} {want}");
    }
    // An image has its energy once.
    let image = Features::high_level(&sample([1, 2, 2], &cells[4..8], &[1.0]), 0.0).unwrap();
    assert_eq!(image.width(), 10);
}

#[test]
fn columns_and_halves() {
    let all = Features {
        names: ["a", "b"].map(String::from).into(),
        rows: (0..10).map(f64::from).collect(),
    };
    let halves = all.halves();
    for (which, half_of_all) in halves.iter().enumerate() {
        let rows = (0..5)
            .filter(|&i| half(i) == which)
            .flat_map(|i| [2 * i, 2 * i + 1]);
        let rows: Vec<f64> = rows.map(|v| v as f64).collect();
        assert_eq!(half_of_all.rows, rows);
    }
    assert_eq!(all.clone().without("c"), all);
    let b = all.without("a");
    assert_eq!(
        (b.names.len(), &b.rows[..]),
        (1, &[1.0, 3.0, 5.0, 7.0, 9.0][..])
    );
}

#[test]
fn a_value_that_is_not_finite_is_named() {
    let bad = sample([1, 1, 2], &[1.0, 0.0, f64::INFINITY, 0.0], &[1.0, 1.0]);
    let error = Features::high_level(&bad, 0.0).unwrap_err().to_string();
    assert!(error.contains("sample.h5: shower 1"), "{error}");
}
