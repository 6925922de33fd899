//! Showers of voxels in r and α, parts of files, and files made into others.

use calogen::data::{ShowerFile, ShowerInfo};
use calogen::geometry::CaloChallenge;

use super::{calogen, complains, text, write};

#[test]
fn voxels_in_r_and_alpha() {
    let folder = tempfile::tempdir().unwrap();
    let info = ShowerInfo {
        polar: Some(CaloChallenge::Photons1.layers()),
        ..ShowerInfo::new([1, 1, 368])
    };
    let reference = write(&folder.path().join("a.h5"), &info, 60, 1);
    let generated = write(&folder.path().join("b.h5"), &info, 50, 2);
    let out = folder.path().join("out");
    let evaluate = |more: &[&'static str]| {
        let files = [
            "evaluate",
            "--reference",
            text(&reference),
            "--generated",
            text(&generated),
        ];
        let mut args: Vec<String> = files.map(String::from).into();
        args.extend(["--out".to_owned(), text(&out).to_owned()]);
        args.extend(more.iter().map(|&arg| arg.to_owned()));
        args
    };
    let wrong = |status, more: &[&'static str], parts: &[&str]| {
        let args = evaluate(more);
        complains(
            status,
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
            parts,
        );
    };
    wrong(1, &["--sum-layers"], &["a.h5", "r and α"]);
    wrong(2, &["--reference-events", "0:61"], &["0:61", "a.h5", "60"]);
    wrong(1, &["--dataset", "1-pions"], &["a.h5", "368 voxels", "533"]);

    let args = evaluate(&["--reference-events", "10:60", "--json"]);
    let run = calogen(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run.status, 0, "{}", run.err);
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["reference"]["events"], 50);
    assert_eq!(report["calochallenge"]["dataset"], "1-photons");
    assert!(report["calochallenge"]["separation_power"]["ec_r"]["12"].is_number());
    let observables = report["observables"].as_object().unwrap();
    assert!(observables.contains_key("width_eta_layer_2") && observables.contains_key("cog_z"));
    assert!(!observables.contains_key("cog_x") && !observables.contains_key("ec_eta_layer_0"));
    for plot in [
        "separation_ec_r",
        "mean_width_eta",
        "e_layer_12",
        "separation_sparsity",
    ] {
        assert!(out.join(format!("{plot}.png")).exists(), "{plot}");
    }
}

#[test]
fn a_file_becomes_another() {
    let folder = tempfile::tempdir().unwrap();
    let from = write(
        &folder.path().join("a.h5"),
        &ShowerInfo::new([2, 3, 5]),
        30,
        1,
    );
    let to = folder.path().join("b.h5");
    let run = calogen(&[
        "convert",
        text(&from),
        "--out",
        text(&to),
        "--events",
        "10:25",
    ]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert!(
        run.out.contains("15 showers of 2 × 3 × 5 in MeV"),
        "{}",
        run.out
    );
    let [from_file, to_file] = [&from, &to].map(|path| ShowerFile::open(path).unwrap());
    assert_eq!(
        to_file.read(0..15).unwrap(),
        from_file.read(10..25).unwrap()
    );
    let args = [
        "convert",
        text(&from),
        "--out",
        text(&to),
        "--events",
        "10:31",
    ];
    complains(2, &args, &["10:31", "a.h5", "30"]);
}
