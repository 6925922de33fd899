//! `calogen evaluate` with distances over features and a classifier.

use serde_json::Value;

use super::{SAMPLE, calogen, evaluate_sample, fails, text};

#[test]
fn distances_and_classifier_of_a_file_with_itself() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(folder.path());
    let files = ["--reference", SAMPLE, "--generated", SAMPLE];
    let more = [
        "--distances",
        "--classifier",
        "high",
        "--classifier-epochs",
        "2",
        "--seed",
        "5",
        "--out",
        out,
    ];
    let run = calogen(&[&["evaluate"], &files[..], &more].concat());
    assert_eq!(run.status, 0, "{}", run.err);
    for word in [
        "distances over 23 features",
        "coverage",
        "classifier of 23 inputs (high), 3 layers of 256",
        "AUC",
    ] {
        assert!(run.out.contains(word), "{word} is not in\n{}", run.out);
    }
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let distances = &report["distances"];
    assert_eq!(
        (
            &distances["seed"],
            distances["features"].as_array().unwrap().len()
        ),
        (&5.into(), 23)
    );
    let (own, halves) = (&distances["generated"], &distances["reference_halves"]);
    assert_eq!(own["fpd_sizes"], serde_json::json!([200, 1000]));
    assert_eq!(
        (&own["kernel_size"], &halves["kernel_size"]),
        (&500.into(), &250.into())
    );
    // Each shower is in the other sample too.
    for figure in ["precision", "recall", "coverage"] {
        assert_eq!(own[figure]["value"], 1.0, "{figure}");
    }
    for side in [own, halves] {
        for figure in ["fpd", "kpd", "kernel_distance", "mmd"] {
            let value = |key: &str| side[figure][key].as_f64().unwrap();
            // Of one distribution: batches of the same showers differ, by noise of every size.
            assert!(
                value("value").abs() < 0.01 && value("error") > 0.0,
                "{figure} of {side}"
            );
        }
    }
    let classifier = &report["classifier"];
    assert_eq!(
        (&classifier["inputs"], &classifier["features"]),
        (&"high".into(), &23.into())
    );
    assert_eq!(
        (&classifier["seed"], &classifier["events"]),
        (&5.into(), &serde_json::json!([600, 200, 200]))
    );
    for side in [classifier, &classifier["reference_halves"]] {
        let (auc, error) = (
            side["auc"].as_f64().unwrap(),
            side["auc_error"].as_f64().unwrap(),
        );
        assert!(auc >= 0.5 && auc - 0.5 <= 4.0 * error, "{side}");
    }
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("Distances over features") && page.contains("Classifier"));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(folder.path());
    let refused = |status: i32, more: &[&str], words: &str| {
        let args = evaluate_sample(out);
        // Opening a device may make the driver speak too.
        let message = fails(status, &[&args, more].concat());
        assert!(message.contains(words), "{message}");
    };
    refused(
        1,
        &["--inception", SAMPLE],
        "hgcal_sample.h5: no readable safetensors file",
    );
    refused(
        2,
        &["--regressor", "hgcal-wgan", "--untrained", "1"],
        "hgcal-wgan is no regressor",
    );
    assert_eq!(calogen(&["evaluate", "--classifier-width", "8"]).status, 2);
    assert!(!folder.path().join("report.json").exists());
}

#[test]
fn nothing_is_written_over_what_is_read_or_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("w.safetensors");
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tools/weights/hgcal-small.safetensors"
    );
    std::fs::copy(shipped, &weights).unwrap();
    let before = std::fs::read(&weights).unwrap();
    let weights = weights.to_str().unwrap();
    let generate = [
        "generate", weights, "--events", "2", "--energy", "50", "--out", weights,
    ];
    assert!(fails(2, &generate).contains("which is read"));
    assert!(fails(2, &["export", weights, "--out", weights]).contains("which is read"));
    assert_eq!(std::fs::read(weights).unwrap(), before);
    let odd = [
        "generate",
        weights,
        "--events",
        "2",
        "--energy",
        "50",
        "--out",
        "/dev/null",
    ];
    #[cfg(unix)]
    assert!(fails(1, &odd).contains("/dev/null: expected a file"));
    let table = folder.path().join("labels.csv");
    std::fs::write(&table, "energy,position_x,position_y\n50,0,0\n-50,0,0\n").unwrap();
    let table = table.to_str().unwrap();
    let generate = [
        "generate",
        weights,
        "--events",
        "2",
        "--discard",
        "--conditions",
        table,
    ];
    let error = fails(2, &generate);
    assert!(error.contains("event 1: energy is -50"), "{error}");
    // A decimal comma makes a column more.
    std::fs::write(table, "energy,position_x,position_y\n50,5,0,0\n").unwrap();
    assert!(fails(1, &generate).contains("line 2: 4 columns, of which 3 have names"));
    std::fs::write(table, "\u{feff}energy;position_x\n").unwrap();
    assert!(fails(1, &generate).contains("no column 'energy' among energy;position_x"));
}
