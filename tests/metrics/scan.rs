//! Figures over a training: scores relative to their mean, ranks, best weights.

use std::collections::BTreeMap;

use calogen::metrics::{Epoch, Scan, scan_figures, spearman};

use crate::{close, compare, random};

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
