//! `calogen evaluate`.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use calogen::data::ShowerInfo;
use serde_json::Value;

use super::{SAMPLE, calogen, command, complains, fails, text, write};

fn arguments<'a>(reference: &'a str, generated: &'a str, out: &'a Path) -> Vec<&'a str> {
    let mut args = vec!["evaluate", "--reference", reference];
    args.extend(["--generated", generated, "--out", text(out)]);
    args
}

fn report(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_file_equals_itself() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("made/of/folders");
    let run = calogen(&arguments(SAMPLE, SAMPLE, &out));
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    for word in [
        "1000 showers",
        "0.0428 MeV",
        "σ90/μ90",
        "visible_energy",
        "JSD",
        "halves",
    ] {
        assert!(run.out.contains(word), "{word} is not in\n{}", run.out);
    }

    let report = report(&out, "report.json");
    assert_eq!(report["reference"], report["generated"]);
    assert_eq!(report["reference"]["events"], 1000);
    assert_eq!(report["threshold"], 0.0428);
    assert_eq!(report["unit"], "MeV");
    let observables = report["observables"].as_object().unwrap();
    assert_eq!(observables.len(), 14);
    for (name, figures) in observables {
        assert_eq!(figures["reference"], figures["generated"], "{name}");
        for distance in ["jsd", "wasserstein1", "ks"] {
            assert_eq!(figures[distance], 0.0, "{distance} of {name}");
        }
    }
    assert_eq!(report["correlation"]["max_abs_difference"], 0.0);
    assert_eq!(report["fidelity_score"], 0.0);
    // Even so they are known to some error only, and halves of the file differ.
    assert!(report["errors"]["fidelity_score"].as_f64().unwrap() > 0.0);
    assert!(report["halves"]["fidelity_score"].as_f64().unwrap() > 0.0);
    assert_eq!(report["halves"]["reference"]["events"], 500);
    assert_eq!(report["linearity"]["energies"].as_array().unwrap().len(), 5);

    let names = files(&out);
    for name in [
        "report.html",
        "linearity.png",
        "correlation.png",
        "mean_side.png",
        "occupancy_front.png",
        "layer_correlation.png",
        "depth.png",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    for name in &names {
        assert!(!name.starts_with('.'), "{name} was left");
        let bytes = std::fs::read(out.join(name)).unwrap();
        match Path::new(name).extension().unwrap().to_str().unwrap() {
            "png" => assert!(bytes.starts_with(b"\x89PNG") && bytes.ends_with(b"IEND\xaeB`\x82")),
            "html" => {
                let html = String::from_utf8(bytes).unwrap();
                assert!(html.trim_end().ends_with("</html>"));
                assert_eq!(html.matches("<svg ").count(), names.len() - 2);
                assert!(html.contains("hgcal_sample") && html.contains("HGCAL"));
                for outside in ["<img", "<link", "<script", "url("] {
                    assert!(!html.contains(outside), "{outside} in the page");
                }
            }
            other => assert_eq!(other, "json"),
        }
    }
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = arguments(SAMPLE, SAMPLE, folder.path());
    args.push("--json");
    let run = calogen(&args);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let printed: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(printed, report(folder.path(), "report.json"));
}

#[test]
fn several_files_share_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, seed| {
        let info = ShowerInfo::new([4, 5, 7]);
        write(&folder.path().join(name), &info, 120, seed)
    };
    let [a, b, c] = [("a.h5", 1), ("b.h5", 2), ("c.h5", 3)].map(|(name, seed)| make(name, seed));
    let out = folder.path().join("out");
    let mut args = arguments(text(&a), text(&b), &out);
    args.extend(["--generated", text(&c), "--json", "--threshold", "0.25"]);
    let run = calogen(&args);
    assert_eq!(run.status, 0, "{}", run.err);
    let printed: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(printed["reports"][0], report(&out, "report.json"));
    assert_eq!(printed["reports"][1], report(&out, "report-2.json"));
    assert_eq!(printed["reports"][1]["generated"]["file"], text(&c));
    assert_eq!(printed["reports"][1]["threshold"], 0.25);
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    for label in ["reference: a", "generated: b", "generated: c"] {
        assert!(html.contains(label), "{label} is not on the page");
    }
    // What is drawn together does not change what is reported of one.
    let alone = folder.path().join("alone");
    let mut args = arguments(text(&a), text(&c), &alone);
    args.extend(["--threshold", "0.25"]);
    assert_eq!(calogen(&args).status, 0);
    assert_eq!(report(&alone, "report.json"), printed["reports"][1]);
}

#[test]
fn images_have_no_layers_to_show() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        &folder.path().join("a.h5"),
        &ShowerInfo::new([1, 6, 9]),
        60,
        1,
    );
    let out = folder.path().join("out");
    assert_eq!(
        calogen(&arguments(text(&file), text(&file), &out)).status,
        0
    );
    let names = files(&out);
    for name in [
        "cog_z",
        "width_z",
        "e1_fraction",
        "shower_start",
        "mean_side",
        "longitudinal",
    ] {
        assert!(!names.contains(&format!("{name}.png")), "{name}");
    }
    for name in ["mean_front", "radial", "channel_5"] {
        assert!(names.contains(&format!("{name}.png")), "{name}");
    }
    assert_eq!(report(&out, "report.json")["channel_sums"]["mae"], 0.0);
}

#[test]
fn errors_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let info = ShowerInfo::new([4, 5, 7]);
    let file = write(&folder.path().join("a.h5"), &info, 60, 1);
    let out = folder.path().join("out");
    let with = |replicas| {
        let mut args = arguments(text(&file), text(&file), &out);
        args.extend(["--replicas", replicas, "--replica-seed", "3"]);
        args
    };
    assert_eq!(calogen(&with("0")).status, 0);
    assert!(report(&out, "report.json")["errors"].is_null());
    assert_eq!(calogen(&with("2")).status, 0);
    let found = report(&out, "report.json");
    assert_eq!(
        found["bootstrap"],
        serde_json::json!({"replicas": 2, "seed": 3})
    );
    assert!(found["errors"]["fidelity_score"].is_number());
    assert!(fails(2, &with("1")).contains("2 to 10000"));
}

#[test]
fn the_calice_rule_needs_a_mip() {
    let folder = tempfile::tempdir().unwrap();
    let photons = ShowerInfo {
        unit: "photons".into(),
        ..ShowerInfo::new([4, 5, 5])
    };
    let file = write(&folder.path().join("a.h5"), &photons, 60, 1);
    let out = folder.path().join("out");
    let mut args = arguments(text(&file), text(&file), &out);
    args.extend(["--shower-start", "calice"]);
    complains(2, &args, &["--calice-mip", "photons", "a.h5"]);
    args.extend(["--calice-mip", "0.1", "--calice-window", "2"]);
    let run = calogen(&args);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(
        report(&out, "report.json")["shower_start_definition"],
        "calice"
    );
}

#[test]
fn files_that_do_not_fit_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let missing = folder.path().join("missing.h5");
    complains(1, &arguments(text(&missing), SAMPLE, &out), &["missing.h5"]);
    complains(1, &arguments(SAMPLE, text(&missing), &out), &["missing.h5"]);

    let other = write(
        &folder.path().join("other.h5"),
        &ShowerInfo::new([4, 5, 7]),
        10,
        1,
    );
    complains(
        1,
        &arguments(SAMPLE, text(&other), &out),
        &["[4, 5, 7]", "[7, 12, 15]", "other.h5", "hgcal_sample.h5"],
    );
    let mips = ShowerInfo {
        unit: "MIP".into(),
        ..ShowerInfo::new([7, 12, 15])
    };
    let mips = write(&folder.path().join("mips.h5"), &mips, 10, 1);
    complains(
        1,
        &arguments(SAMPLE, text(&mips), &out),
        &["MIP", "MeV", "mips.h5"],
    );

    let table = folder.path().join("table.h5");
    std::fs::write(&table, "energy,layers").unwrap();
    complains(
        1,
        &arguments(SAMPLE, text(&table), &out),
        &["table.h5", "not an HDF5 file"],
    );
    assert!(!out.exists(), "a folder was made for nothing");
}

#[test]
fn a_folder_that_cannot_be_made_is_found_out_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    let out = file.join("out");
    complains(1, &arguments(SAMPLE, SAMPLE, &out), &["file"]);
    complains(1, &arguments(SAMPLE, SAMPLE, &file), &["file"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn nothing_half_written_replaces_a_report() {
    let folder = tempfile::tempdir().unwrap();
    // A plot cannot take the place of a folder.
    std::fs::create_dir_all(folder.path().join("response.png/full")).unwrap();
    complains(
        1,
        &arguments(SAMPLE, SAMPLE, folder.path()),
        &["response.png"],
    );
    let names = files(folder.path());
    assert!(!names.contains("report.html"));
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(&arguments(SAMPLE, SAMPLE, folder.path()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
    assert!(folder.path().join("report.html").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_printed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let done = command(&arguments(SAMPLE, SAMPLE, folder.path()))
        .stdout(full)
        .output()
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.starts_with("calogen: standard output: "), "{said}");
}

#[test]
fn images_and_parts_are_compared_with_whole_showers() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("images");
    let mut args = arguments(SAMPLE, SAMPLE, &out);
    args.push("--sum-layers");
    assert_eq!(calogen(&args).status, 0);
    let images = report(&out, "report.json");
    assert!(images["channel_sums"].is_object(), "an image has channels");
    assert!(images["observables"]["e1_fraction"].is_null());
    let whole = folder.path().join("whole");
    assert_eq!(calogen(&arguments(SAMPLE, SAMPLE, &whole)).status, 0);
    let mean = |report: &Value| {
        let energy = &report["observables"]["response"]["reference"]["mean"];
        energy.as_f64().unwrap()
    };
    // Without a threshold it would be equal: fewer cells are below it in a sum.
    assert!(mean(&images) > mean(&report(&whole, "report.json")));

    // Blocks of layers, against six or three of each; what does not divide is said.
    let layers = |name: &str, layers: usize| {
        let path = folder.path().join(name);
        write(&path, &ShowerInfo::new([layers, 4, 4]), 60, 3);
        path
    };
    let (six, three, four) = (layers("6.h5", 6), layers("3.h5", 3), layers("4.h5", 4));
    let blocks = |reference, generated| {
        let mut args = arguments(text(reference), text(generated), &out);
        args.push("--sum-layers");
        args
    };
    for (reference, generated) in [(&six, &three), (&three, &six)] {
        assert_eq!(calogen(&blocks(reference, generated)).status, 0);
        let profile = &report(&out, "report.json")["profiles"]["longitudinal"];
        assert_eq!(profile["reference"].as_array().map(Vec::len), Some(3));
    }
    complains(1, &blocks(&six, &four), &["[6, 4, 4]", "[4, 4, 4]"]);

    // The first layer alone, against all seven.
    let part = folder.path().join("part.h5");
    let mut info = ShowerInfo::new([1, 12, 15]);
    info.threshold = Some(0.0428);
    write(&part, &info, 60, 3);
    let args = arguments(SAMPLE, text(&part), &out);
    complains(1, &args, &["[1, 12, 15]", "[7, 12, 15]"]);
    let origin = |corner| [&args[..], &["--origin", corner]].concat();
    assert_eq!(calogen(&origin("0,0,0")).status, 0);
    complains(1, &origin("7,0,0"), &["[7, 12, 15]", "[7, 0, 0]"]);
    assert!(fails(2, &origin("7,0")).contains("three whole numbers"));
}
