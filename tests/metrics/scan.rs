//! Figures over a training: scores relative to their mean, ranks, best weights.

use std::collections::BTreeMap;

use calogen::metrics::{Epoch, Scan, scan_figures, spearman};

use crate::{Uniform, close, compare, random, sample};

#[test]
fn ranks_take_ties_and_gaps() {
    let some = |v: &[f64]| v.iter().map(|&v| Some(v)).collect::<Vec<_>>();
    let a = some(&[1.0, 2.0, 3.0, 4.0]);
    close(
        spearman(&a, &some(&[10.0, 20.0, 30.0, 4000.0])).unwrap(),
        1.0,
    );
    close(spearman(&a, &some(&[4.0, 3.0, 2.0, 1.0])).unwrap(), -1.0);
    // scipy.stats.spearmanr([1, 2, 3, 4], [1, 3, 2, 2]).
    close(
        spearman(&a, &some(&[1.0, 3.0, 2.0, 2.0])).unwrap(),
        0.316_227_766_016_837_94,
    );
    let holed = [Some(1.0), None, Some(3.0), Some(2.0)];
    close(spearman(&a, &holed).unwrap(), 0.5);
    assert_eq!(spearman(&a, &some(&[1.0; 4])), None);
    assert_eq!(spearman(&a[..2], &a[..2]), None);
}

#[test]
fn a_scan_finds_the_best_weights_and_survives_its_file() {
    let reference = random([4, 3, 5], 60, 1);
    let mut scan = Scan::default();
    // The second weights are the reference itself.
    for (k, seed) in [7, 1, 9].into_iter().enumerate() {
        let epoch = Epoch {
            file: format!("epoch-{k}.safetensors"),
            hash: format!("hash {k}"),
            step: 10 * k as u64,
            epoch: Some(k as u64),
        };
        scan.push(
            epoch,
            scan_figures(&compare(&reference, &random([4, 3, 5], 60, seed))),
        );
    }
    scan.summarise();
    for name in [
        "fidelity_score",
        "fidelity_score_by_epoch",
        "fidelity_score_by_epoch_jsd",
        "n_hits:w1",
        "fidelity:radial",
    ] {
        let best = &scan.best[name];
        assert_eq!(
            (best.epoch, best.step, best.value),
            (Some(1), 10, 0.0),
            "{name}"
        );
    }
    let mean = scan.metrics["fidelity_score_by_epoch"]
        .iter()
        .flatten()
        .sum::<f64>()
        / 3.0;
    close(mean, 1.0);
    let text = serde_json::to_string(&scan).unwrap();
    let read: Scan = serde_json::from_str(&text).unwrap();
    assert_eq!(read, scan);
    // What was scanned before is the same when it is scanned again from the file.
    let mut again = Scan::default();
    for epoch in &read.epochs {
        again.push(epoch.clone(), read.of(&epoch.hash).unwrap());
    }
    again.summarise();
    assert_eq!(again, scan);
    assert_eq!(read.of("another"), None);
    let csv = scan.csv();
    assert_eq!(csv.lines().count(), 4);
    let width = csv.lines().next().unwrap().split(',').count();
    assert_eq!(width, 3 + scan.metrics.len());
    assert!(csv.lines().all(|line| line.split(',').count() == width));
    // A figure that only later weights have.
    scan.push(
        Epoch::default(),
        BTreeMap::from([("frd".into(), Some(0.5))]),
    );
    assert_eq!(scan.metrics["frd"], [None, None, None, Some(0.5)]);
    assert_eq!(scan.metrics["n_hits:w1"].len(), 4);
}

/// √JSD of two samples, in bins from `low` to `high` and one beyond each end.
fn root_jsd(a: &[f64], b: &[f64], low: f64, high: f64, bins: usize) -> f64 {
    let shares = |of: &[f64]| {
        let mut shares = vec![0.0; bins + 2];
        for v in of {
            let bin = ((v - low) / (high - low) * bins as f64).floor() + 1.0;
            shares[bin.clamp(0.0, bins as f64 + 1.0) as usize] += 1.0 / of.len() as f64;
        }
        shares
    };
    let half = |p: f64, m: f64| if p > 0.0 { 0.5 * p * (p / m).ln() } else { 0.0 };
    let both = shares(a).into_iter().zip(shares(b));
    let terms = both.map(|(p, q)| half(p, 0.5 * (p + q)) + half(q, 0.5 * (p + q)));
    terms.sum::<f64>().sqrt()
}

#[test]
fn scores_by_epoch_have_bins_of_the_reference_alone_and_go_energy_by_energy() {
    let energy: Vec<f64> = (0..160).map(|i| [10.0, 40.0][i % 2]).collect();
    let mut uniform = Uniform(3);
    let mut cells = |least: f64| -> Vec<f64> {
        let cell = energy.iter().map(|e| e * (least + 0.4 * uniform.next()));
        cell.collect()
    };
    let (reference, mut generated) = (cells(1.0), cells(1.1));
    // Of one cell a shower, so that its energy sum is the cell's energy. An outlier widens the bins common to both samples.
    generated[0] = 1e4;
    let shape = [1, 1, 1];
    let of = |cells: &[f64]| sample(shape, cells, &energy);
    let figures = scan_figures(&compare(&of(&reference), &of(&generated)));
    let ends = |of: &[f64]| {
        let end = |pick: fn(f64, f64) -> f64| of.iter().copied().reduce(pick).unwrap();
        (end(f64::min), end(f64::max))
    };
    let mut roots = Vec::new();
    for which in 0..2 {
        let pick = |of: &[f64]| {
            of.iter()
                .skip(which)
                .step_by(2)
                .copied()
                .collect::<Vec<_>>()
        };
        let (a, b) = (pick(&reference), pick(&generated));
        let (least, largest) = ends(&a);
        roots.push(root_jsd(&a, &b, 0.9 * least, 1.1 * largest, 50));
    }
    let (_, largest) = ends(&reference);
    let cell = root_jsd(&reference, &generated, 0.0, 1.1 * largest, 100);
    let found = |name: &str| figures[name].unwrap();
    let close = |name: &str, want: f64| close(found(name), want);
    close("fidelity:visible_energy", 0.5 * (roots[0] + roots[1]));
    let squares = roots.iter().map(|r| r * r).sum::<f64>();
    close("fidelity_jsd:visible_energy", 0.5 * squares);
    close("fidelity:cell_energy", cell);
    close("fidelity:n_hits", 0.0);
    // In common bins all but the outlier are in the first.
    let common = found("visible_energy:jsd").sqrt();
    assert!(
        common < 0.1 && roots[0].min(roots[1]) > 0.3,
        "{common}, {roots:?}"
    );
}
