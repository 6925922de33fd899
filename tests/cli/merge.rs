//! Ranges of events joined to the one file; several devices; requests out of range.

use std::path::Path;

use calogen::data::{Provenance, ShowerFile};

use super::{SAMPLE, calogen, complains, fails, text};

/// Events `first` to `first + events - 1` into a file of that name.
fn generate(folder: &Path, name: &str, [first, events]: [u64; 2], more: &[&str]) -> String {
    let out = text(&folder.join(name)).to_owned();
    let (first, events) = (first.to_string(), events.to_string());
    let mut args = vec!["generate", "hgcal-small", "--out", &out, "--batch", "16"];
    args.extend(["--first-event", &first, "--events", &events]);
    args.extend(more);
    let run = calogen(&args);
    assert_eq!(run.status, 0, "{}", run.err);
    out
}

#[test]
fn ranges_in_any_order_make_the_file_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = ["--energy", "20,55,90", "--seed", "7"];
    let [a, b, c] = [("a", [5, 11]), ("b", [16, 1]), ("c", [17, 13])]
        .map(|(name, range)| generate(folder, name, range, &settings));
    let whole = generate(folder, "whole", [5, 25], &settings);
    let out = text(&folder.join("merged.h5")).to_owned();
    let run = calogen(&["merge", &c, &a, &b, "--out", &out, "--json"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&json["events"], &json["files"]), (&25.into(), &3.into()));
    let [bytes, wanted] = [&out, &whole].map(|path| std::fs::read(path).unwrap());
    assert!(bytes == wanted, "the files differ");
    let from = Provenance::read(&out).unwrap();
    assert_eq!((from.seed, from.first_event), (7, 5));
    assert_eq!(from.weights.len(), 64);
    assert_eq!(from.labels, "energy 20,55,90 GeV");
    let listed = calogen(&["weights", "--json"]);
    assert!(
        listed.out.contains(&from.weights),
        "the hash that weights lists"
    );

    let refuse = |files: &[&str], parts: &[&str]| {
        let out = text(&folder.join("none.h5")).to_owned();
        let args: Vec<&str> = [&["merge"][..], files, &["--out", &out]].concat();
        complains(1, &args, parts);
        assert!(!folder.join("none.h5").exists());
    };
    refuse(&[&a, &a], &["event 5", "holds already", "15"]);
    let overlap = generate(folder, "overlap", [14, 4], &settings);
    refuse(&[&a, &overlap], &["overlap", "event 14", "up to event 15"]);
    let seed = generate(
        folder,
        "seed",
        [16, 2],
        &["--energy", "20,55,90", "--seed", "8"],
    );
    refuse(&[&a, &seed], &["its seed is 8", "is 7"]);
    let energy = generate(
        folder,
        "energy",
        [16, 2],
        &["--energy", "20", "--seed", "7"],
    );
    refuse(&[&energy, &a], &["its labels is energy 20 GeV"]);
    refuse(&[&a, SAMPLE], &["generated_by", "calogen generate"]);
    refuse(&[&c, &a], &["event 17", "no file holds events 16 to 16"]);
}

/// The same adapter several times is as many devices, each with the same driver.
#[test]
fn several_devices_write_the_file_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = ["--energy", "20,55,90", "--seed", "7", "--devices"];
    let [one, two] = [("one", "0"), ("two", "0,0")]
        .map(|(name, list)| generate(folder, name, [5, 150], &[&settings[..], &[list]].concat()));
    let [a, b] = [&one, &two].map(|path| std::fs::read(path).unwrap());
    assert!(a == b, "the files differ");
    let from = Provenance::read(&two).unwrap();
    let [device] = &from.devices[..] else {
        panic!("{:?}", from.devices)
    };
    let listed = calogen(&["devices", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    for what in ["name", "backend", "driver"] {
        let what = listed["devices"][0][what].as_str().unwrap();
        assert!(device.contains(what), "{what} is not in {device}");
    }
    let out = text(&folder.join("none.h5")).to_owned();
    let args = ["generate", "hgcal-small", "--events", "9", "--out", &out];
    let refuse = |status, more: &[&str], part: &str| {
        let message = fails(status, &[&args[..], more].concat());
        assert!(message.contains(part), "{message}");
        assert!(!folder.join("none.h5").exists());
    };
    refuse(1, &["--devices", "0,99"], "'99' is none of 0: ");
    refuse(2, &["--devices", "all", "--device", "0"], "one of them");
}

#[test]
fn weights_of_another_training_are_not_merged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tools/weights/hgcal-small.safetensors"
    );
    let mut other = calogen::models::Weights::read(shipped).unwrap();
    other.tensors.values_mut().next().unwrap().1[0] += 1e-3;
    let path = folder.join("other.safetensors");
    other.write(&path).unwrap();
    let out = text(&folder.join("b.h5")).to_owned();
    let a = generate(folder, "a.h5", [0, 2], &["--energy", "50"]);
    let args = [
        "generate",
        text(&path),
        "--first-event",
        "2",
        "--events",
        "2",
        "--energy",
        "50",
        "--out",
        &out,
    ];
    assert_eq!(calogen(&args).status, 0);
    let merged = text(&folder.join("m.h5")).to_owned();
    complains(
        1,
        &["merge", &a, &out, "--out", &merged],
        &["weights_sha256"],
    );
}

/// A batch of a million events is made smaller until it fits; nothing is allocated for it before that.
#[test]
fn a_batch_of_a_million_events_becomes_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.h5"), folder.path().join("b.h5"));
    for (path, batch) in [(&a, "1000000"), (&b, "8")] {
        let args = [
            "generate",
            "hgcal-small",
            "--events",
            "20",
            "--energy",
            "50",
            "--batch",
            batch,
        ];
        let run = calogen(&[&args[..], &["--out", text(path)]].concat());
        assert_eq!(run.status, 0, "{}", run.err);
    }
    let [a, b] = [a, b].map(|path| ShowerFile::open(path).unwrap().read(0..20).unwrap());
    assert_eq!(a, b);
}

#[test]
fn a_device_is_checked_in_one_line() {
    let run = calogen(&["devices", "--check"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
    assert!(run.out.contains(": passed: "), "{}", run.out);
}
