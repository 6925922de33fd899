//! `models`, `weights`, `train` and `generate` as a user runs them.

use std::time::{Duration, Instant};

use calogen::data::ShowerFile;

use super::{SAMPLE, calogen, command, evaluate_sample, fails};

#[test]
fn models_and_weights_are_listed() {
    let run = calogen(&["models", "hgcal-wgan", "--json"]);
    assert_eq!(run.status, 0, "{}", run.err);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["networks"][0]["parameters"], 694_476);
    assert_eq!(json["networks"][1]["parameters"], 474_697);
    assert!(!json["networks"][0]["layers"].as_array().unwrap().is_empty());
    assert!(fails(2, &["models", "nothing"]).contains("hgcal-wgan"));
    assert!(fails(2, &["models", "hgcal-wgan", "--preset", "large"]).contains("large"));
    let run = calogen(&["weights", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let all = json["weights"].as_array().unwrap();
    let held = all.iter().find(|w| w["name"] == "hgcal-small").unwrap();
    assert_eq!(held["hash"].as_str().unwrap().len(), 64);
    assert_eq!(held["conditions"][0]["name"], "energy");
}

#[test]
fn files_made_in_ranges_hold_the_events_of_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let generate = |name: &str, first: &str, events: &str, batch: &str| {
        let out = path(name);
        let energy = ["--energy", "20,55,90", "--seed", "7"];
        let mut args = vec![
            "generate",
            "hgcal-small",
            "--out",
            &out,
            "--first-event",
            first,
        ];
        args.extend(["--events", events, "--batch", batch]);
        args.extend(energy);
        let run = calogen(&args);
        assert_eq!(run.status, 0, "{}", run.err);
        let file = ShowerFile::open(&out).unwrap();
        assert_eq!(
            (file.info().unit.as_str(), file.info().shape),
            ("MeV", [7, 12, 15])
        );
        assert!(file.has_position() && file.info().threshold.is_some());
        file.read(0..file.len()).unwrap()
    };
    let whole = generate("whole.h5", "0", "50", "64");
    let (a, b) = (
        generate("a.h5", "0", "19", "7"),
        generate("b.h5", "19", "31", "16"),
    );
    assert!([a.layers, b.layers].concat() == whole.layers, "cells");
    assert_eq!([a.energy, b.energy].concat(), whole.energy);
    assert_eq!(whole.energy[..4], [20.0, 55.0, 90.0, 20.0]);
    assert_eq!(
        [a.position.unwrap(), b.position.unwrap()].concat(),
        whole.position.unwrap()
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        3,
        "nothing else is left"
    );
}

#[test]
fn conditions_come_from_a_file_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("g.h5");
    let out = out.to_str().unwrap();
    let run = calogen(&[
        "generate",
        "hgcal-small",
        "--conditions",
        SAMPLE,
        "--events",
        "30",
        "--out",
        out,
    ]);
    assert_eq!(run.status, 0, "{}", run.err);
    let (made, given) = (
        ShowerFile::open(out).unwrap(),
        ShowerFile::open(SAMPLE).unwrap(),
    );
    let (made, given) = (made.read(0..30).unwrap(), given.read(0..30).unwrap());
    assert_eq!((made.energy, made.position), (given.energy, given.position));
    let beyond = fails(
        1,
        &[
            "generate",
            "hgcal-small",
            "--conditions",
            SAMPLE,
            "--events",
            "1001",
            "--out",
            out,
        ],
    );
    assert!(beyond.contains("1000 events"), "{beyond}");
}

#[test]
fn requests_that_make_no_sense_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("g.h5");
    let out = out.to_str().unwrap();
    let refuse = |status, more: &[&str], part: &str| {
        let mut args = vec!["generate", "hgcal-small", "--out", out];
        args.extend(more);
        let message = fails(status, &args);
        assert!(message.contains(part), "{message}");
    };
    refuse(2, &["--events", "0"], "--events");
    refuse(2, &["--events", "5", "--energy=-3"], "-3");
    refuse(2, &["--events", "5", "--energy", "nan"], "NaN");
    refuse(2, &["--events", "5", "--energy-range", "90:20"], "A:B");
    refuse(2, &["--events", "5", "--threshold=-1"], "--threshold");
    refuse(
        2,
        &["--events", "5", "--first-event", "18446744073709551615"],
        "last event",
    );
    assert!(fails(2, &["generate", "none", "--events", "5", "--out", out]).contains("hgcal-small"));
    assert!(fails(1, &["generate", SAMPLE, "--events", "5", "--out", out]).contains("safetensors"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
fn interrupt(child: &std::process::Child) {
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// An interrupted generation leaves no file behind, neither under its name nor beside it.
#[cfg(unix)]
#[test]
fn generation_stops_at_an_interrupt() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("showers.h5");
    let files = || folder.path().read_dir().unwrap().count();
    let args = ["generate", "hgcal-small", "--energy", "50", "--events"];
    let mut args = args.to_vec();
    args.extend(["1000000000", "--out", out.to_str().unwrap()]);
    let child = command(&args)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while files() == 0 {
        assert!(began.elapsed() < Duration::from_secs(120), "no file");
        std::thread::sleep(Duration::from_millis(20));
    }
    // What is open by now is written to, or will be soon.
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.contains("interrupted") && said.contains("nothing is written"),
        "{said}"
    );
    assert_eq!(files(), 0, "{said}");
}

/// An interrupt saves and stops; a kill at any moment leaves the last checkpoint; both go on.
#[cfg(unix)]
#[test]
fn training_survives_an_interrupt_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = |steps: &'static str, more: &[&'static str]| {
        let mut args = vec!["train", "hgcal-wgan", "--preset", "small", "--data", SAMPLE];
        args.extend([
            "--out",
            out.to_str().unwrap(),
            "--batch",
            "8",
            "--log-every",
            "1",
        ]);
        args.extend(["--checkpoint-every", "0.5", "--steps", steps]);
        args.extend(more);
        args.into_iter().map(String::from).collect::<Vec<_>>()
    };
    let start = |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        command(&args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let saved = out.join("model.safetensors");
    let wait_for_a_checkpoint_after = |time: std::time::SystemTime| {
        let began = Instant::now();
        while !saved
            .metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|t| t > time)
        {
            assert!(began.elapsed() < Duration::from_secs(120), "no checkpoint");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let mut child = start(arguments("100000", &["--json"]));
    wait_for_a_checkpoint_after(std::time::UNIX_EPOCH);
    std::thread::sleep(Duration::from_millis(700));
    interrupt(&child);
    assert_eq!(
        child.wait().unwrap().code(),
        Some(1),
        "an interrupted run is not done"
    );
    let before = saved.metadata().unwrap().modified().unwrap();
    let mut child = start(arguments("100000", &["--resume"]));
    wait_for_a_checkpoint_after(before);
    child.kill().unwrap();
    child.wait().unwrap();
    let log = || std::fs::read_to_string(out.join("losses.csv")).unwrap();
    let rows = log().lines().count();
    let last: u64 = log()
        .lines()
        .last()
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let steps: &'static str = Box::leak((last + 2).to_string().into_boxed_str());
    let args = arguments(steps, &["--resume"]);
    let run = calogen(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run.status, 0, "{}", run.err);
    let log = log();
    assert!(log.lines().count() >= rows, "no row is lost: {log}");
    let numbers: Vec<u64> = log
        .lines()
        .skip(1)
        .map(|l| l.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (1..=last + 2).collect::<Vec<_>>(),
        "each iteration once"
    );
    let generated = folder.path().join("g.h5");
    let args = [
        "generate",
        out.to_str().unwrap(),
        "--events",
        "8",
        "--out",
        generated.to_str().unwrap(),
    ];
    assert_eq!(calogen(&args).status, 0);
}

#[test]
fn a_regressor_is_trained_and_compares_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (config, run, out) = (path("config.toml"), path("run"), path("report"));
    std::fs::write(
        &config,
        "shape = [7, 12, 15]\nconvs = [{channels = 4, kernel = 3, stride = 2, padding = 1, norm = true}]\n",
    )
    .unwrap();
    let mut args = vec!["train", "regressor", "--preset", "small", "--data", SAMPLE];
    args.extend(["--config", &config, "--steps", "60", "--out", &run]);
    let trained = calogen(&args);
    assert_eq!(trained.status, 0, "{}", trained.err);
    let refused = fails(
        1,
        &[
            "generate",
            &run,
            "--events",
            "2",
            "--energy",
            "50",
            "--out",
            &path("x.h5"),
        ],
    );
    assert!(refused.contains("generates no showers"), "{refused}");

    let evaluate = evaluate_sample(&out);
    let found = calogen(&[&evaluate[..], &["--regressor", &run, "--json"]].concat());
    assert_eq!(found.status, 0, "{}", found.err);
    let json: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    assert!(json["frechet_regression_distance"].as_f64().unwrap() < 1e-9);
    assert!(
        json["regression"]["reference_frechet_distance"]
            .as_f64()
            .unwrap()
            > 1e-9
    );
    let mu = json["regression"]["reference"]["mu90"].as_array().unwrap();
    let mu: Vec<f64> = mu.iter().map(|m| m.as_f64().unwrap()).collect();
    assert_eq!(mu.len(), 5);
    assert!(mu.is_sorted() && mu[4] > 1.5 * mu[0], "{mu:?}");
    let held = fails(
        1,
        &[&evaluate[..], &["--regressor", "hgcal-small"]].concat(),
    );
    assert!(held.contains("is no regressor"), "{held}");
}
