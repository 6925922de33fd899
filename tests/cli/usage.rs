//! Help, wrong usage, exit status.

use super::{SAMPLE, calogen, evaluate_sample, fails};

/// Flags and arguments of a help text: the first line of each, and all that is said of it.
fn described(help: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.starts_with('-') && indent <= 6 {
            all.push((text.into(), text.into()));
        } else if indent == 0 && !text.is_empty() {
            // A heading.
            all.push(Default::default());
        } else if let Some((_, said)) = all.last_mut() {
            *said += &format!(" {text}");
        }
    }
    all.retain(|(flag, _)| !flag.is_empty());
    all
}

#[test]
fn help_documents_every_flag_with_its_default() {
    let all = calogen(&["--help"]);
    assert_eq!((all.status, all.err.as_str()), (0, ""));
    for command in [
        "devices",
        "models",
        "weights",
        "train",
        "generate",
        "merge",
        "convert",
        "evaluate",
        "latent",
        "bench kernels",
        "bench generate",
        "bench train",
        "export",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        assert!(all.out.contains(words[0]), "{command} is not in the help");
        let help = calogen(&[&words[..], &["--help"]].concat());
        assert_eq!((help.status, help.err.as_str()), (0, ""));
        let flags = described(&help.out);
        assert!(flags.iter().any(|(flag, _)| flag.starts_with("--device")));
        for (flag, said) in flags.iter().filter(|(flag, _)| !flag.starts_with("-h,")) {
            let told = said.contains("[default: ") || said.contains("[required]");
            assert!(told, "{command} {flag}: {said}");
        }
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
