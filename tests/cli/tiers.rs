//! Tiers and tuning: what is refused, and that no tile and no state of the cache changes an event.

use std::path::Path;

use calogen::gpu::Tier;

use crate::{command, complains, fails};

/// Eight showers made with a cache folder of its own; standard error.
fn generate(cache: &Path, out: &Path, more: &[&str]) -> String {
    let out = out.to_str().unwrap();
    let weights = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tools/weights/hgcal-small.safetensors"
    );
    let mut args = vec!["generate", weights, "--events", "8"];
    if !more.contains(&"--batch") {
        args.extend(["--batch", "8"]);
    }
    args.extend(["--energy", "50", "--out", out]);
    args.extend(more);
    let run = command(&args).env("CALOGEN_CACHE", cache).output().unwrap();
    let err = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{more:?}: {err}");
    err
}

#[test]
fn tuning_changes_no_event_and_a_bad_cache_neither() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, other) = (folder.path().join("cache"), folder.path().join("other"));
    let file = |name: &str| folder.path().join(name);
    let cells = |name: &str| {
        let set = calogen::data::ShowerSet::open([file(name)]).unwrap();
        set.read(0..8).unwrap().layers
    };
    generate(&other, &file("plain.h5"), &[]);
    let plain = cells("plain.h5");
    let said = generate(&cache, &file("tuned.h5"), &["--tune", "1"]);
    assert!(said.contains("tiles timed for"), "{said}");
    assert_eq!(cells("tuned.h5"), plain, "tuned");
    let said = generate(&cache, &file("again.h5"), &["--tune", "1"]);
    assert!(said.contains("nothing to tune"), "{said}");
    assert_eq!(cells("again.h5"), plain, "remembered");

    // Single showers have a kernel of their own.
    let said = generate(&other, &file("one.h5"), &["--tune", "1", "--batch", "1"]);
    assert!(
        said.contains("tiles timed for") && !said.contains(": 0 of "),
        "{said}"
    );
    assert_eq!(cells("one.h5"), plain, "one at a time");

    let mut files = std::fs::read_dir(&cache)
        .unwrap()
        .map(|e| e.unwrap().path());
    let tuning = files
        .find(|p| p.extension().is_some_and(|e| e == "json"))
        .unwrap();
    let text = std::fs::read_to_string(&tuning).unwrap();
    // No tile has a workgroup of no lanes; a kernel that took it would do nothing.
    let impossible = text.replace("[\n      ", "[\n      0");
    assert_ne!(impossible, text);
    for (what, bad) in [
        ("impossible", impossible.as_str()),
        ("damaged", &text[..text.len() / 2]),
    ] {
        std::fs::write(&tuning, bad).unwrap();
        generate(&cache, &file("bad.h5"), &[]);
        assert_eq!(cells("bad.h5"), plain, "{what}");
    }
}

#[test]
fn what_a_tier_needs_is_said() {
    complains(
        2,
        &[
            "generate",
            "hgcal-small",
            "--events",
            "1",
            "--out",
            "x.h5",
            "--tier",
            "double",
        ],
        &["'double'", "portable, half, matrix, auto"],
    );
    let folder = tempfile::tempdir().unwrap();
    let found = calogen::gpu::adapters();
    let used = calogen::gpu::preferred(&found, None).unwrap();
    for tier in [Tier::Half, Tier::Matrix] {
        let out = folder.path().join(format!("{tier}.h5"));
        let file = out.to_str().unwrap();
        if found[used].check_tier(tier).is_ok() {
            generate(folder.path(), &out, &["--tier", tier.name()]);
            let made = calogen::data::ShowerSet::open([&out]).unwrap();
            assert_eq!(made.len(), 8, "{tier}");
            continue;
        }
        let asked = ["generate", "hgcal-small", "--events", "1", "--out", file];
        let message = fails(2, &[&asked[..], &["--tier", tier.name()]].concat());
        for part in [&format!("tier {tier} needs"), &found[used].name] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert!(!out.exists());
    }
    let single = ["bench", "kernels", "--tier", "half"];
    complains(2, &single, &["bench generate --tier half --steps"]);
}
