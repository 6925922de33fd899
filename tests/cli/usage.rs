//! Help, wrong usage, exit status.

use super::{SAMPLE, calogen, evaluate_sample, fails};

/// Every flag of every command.
const FLAGS: [(&str, &[&str]); 2] = [
    ("devices", &["--check", "--json"]),
    (
        "evaluate",
        &[
            "--reference",
            "--generated",
            "--out",
            "--threshold",
            "--shower-start",
            "--calice-energy",
            "--calice-energy-slope",
            "--calice-hits",
            "--calice-hits-slope",
            "--calice-window",
            "--calice-mip",
            "--json",
            "--binning",
            "--dataset",
            "--origin",
            "--particle",
            "--reference-events",
            "--regressor",
            "--sum-layers",
            "--classifier",
            "--classifier-batch",
            "--classifier-epochs",
            "--classifier-width",
            "--distances",
            "--inception",
            "--inception-events",
            "--inception-layers",
            "--inception-size",
            "--seed",
            "--untrained",
            "--replicas",
            "--replica-seed",
            "--relevance",
            "--relevance-epsilon",
            "--relevance-events",
            "--amplification",
            "--amplification-quantiles",
            "--amplification-observables",
            "--amplification-repetitions",
            "--scan",
            "--scan-events",
            "--scan-seed",
        ],
    ),
];

#[test]
fn help_documents_every_flag() {
    let all = calogen(&["--help"]);
    assert_eq!((all.status, all.err.as_str()), (0, ""));
    for (command, flags) in FLAGS {
        assert!(all.out.contains(command), "{command} is not in the help");
        let help = calogen(&[command, "--help"]);
        assert_eq!((help.status, help.err.as_str()), (0, ""));
        let listed: Vec<&str> = help
            .out
            .lines()
            .filter_map(|line| line.trim_start().split_once("--"))
            .filter(|(before, _)| before.is_empty() || before.trim_end() == "-h,")
            .map(|(_, flag)| flag.split([' ', '.']).next().unwrap_or_default())
            .collect();
        let mut expected: Vec<&str> = flags.iter().map(|flag| &flag[2..]).collect();
        expected.extend(["device", "help"]);
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        let names = |list: Vec<&str>| sorted(list.into_iter().map(String::from).collect());
        assert_eq!(names(listed), names(expected), "{command}");
        // A default or `required` for each flag but the two that need none.
        let told = help.out.matches("[default").count() + help.out.matches("[required]").count();
        assert_eq!(told, flags.len() + 1, "{command}: {}", help.out);
    }
}

#[test]
fn the_version_is_printed() {
    let run = calogen(&["--version"]);
    let expected = format!("calogen {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((run.status, run.out), (0, expected));
}

#[test]
fn wrong_usage_is_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let evaluate = |more: &[&'static str]| fails(2, &[&evaluate_sample(out)[..], more].concat());
    fails(2, &[]);
    fails(2, &["train-it"]);
    assert!(fails(2, &["evaluate", "--reference", SAMPLE]).contains("--generated"));
    assert!(evaluate(&["--thresh", "1"]).contains("--thresh"));
    assert!(evaluate(&["--threshold=-1"]).contains("0 or more"));
    assert!(evaluate(&["--threshold", "nan"]).contains("finite"));
    assert!(evaluate(&["--threshold", "low"]).contains("low"));
    assert!(evaluate(&["--shower-start", "late"]).contains("calice"));
    assert!(evaluate(&["--calice-mip", "1"]).contains("--shower-start calice"));
    let train = ["train", "vae", "--data", "none.h5", "--out", out];
    for time in ["0", "-1", "nan", "soon"] {
        let every = format!("--checkpoint-every={time}");
        assert!(fails(2, &[&train[..], &[&every]].concat()).contains("above 0"));
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(fails(1, &evaluate_sample(file)).contains("expected a folder"));
    // Never is a time as well.
    let error = fails(1, &[&train[..], &["--checkpoint-every", "inf"]].concat());
    assert!(error.contains("none.h5"), "{error}");
    assert!(
        !std::path::Path::new(out).exists(),
        "wrong usage left a folder"
    );
}
