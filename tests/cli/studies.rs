//! What is watched in a training, a scan over its weights, codes, relevance and amplification, as a user runs them.

use std::path::Path;

use calogen::data::ShowerFile;

use super::{SAMPLE, calogen, evaluate_sample, fails};

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs what must fail with a message that contains all of `parts`; the driver may say something of its own.
fn complains(status: i32, args: &[&str], parts: &[&str]) {
    let message = fails(status, args);
    for part in parts {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

/// Runs what must succeed; its standard output.
fn done(args: &[&str]) -> String {
    let run = calogen(args);
    assert_eq!(run.status, 0, "{args:?}: {}", run.err);
    run.out
}

#[test]
fn a_training_is_watched_scanned_and_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let (config, run, scan, latent) = (text("c.toml"), text("run"), text("scan"), text("latent"));
    std::fs::write(
        path("c.toml"),
        "shape = [1, 12, 15]\nlatent = 4\n[networks]\nhidden = [16]\n",
    )
    .unwrap();
    let train = [
        "train", "vae", "--preset", "small", "--config", &config, "--data", SAMPLE, "--out", &run,
    ];
    let refused = |more: &[&str], parts: &[&str]| complains(2, &[&train[..], more].concat(), parts);
    refused(&["--watch-every", "3"], &["--watch"]);
    refused(&["--watch", "cog_w"], &["cog_w", "visible_energy"]);
    refused(&["--keep-best", "n_hits"], &["n_hits:w1"]);
    let batches = ["--batch", "250", "--epochs", "2", "--keep-every", "1"];
    let watch = [
        "--watch",
        "visible_energy,fidelity_score",
        "--watch-every",
        "3",
        "--watch-events",
        "40",
    ];
    let best = ["--keep-best", "fidelity_score"];
    done(&[&train[..], &batches, &watch, &best].concat());
    for name in [
        "watch.csv",
        "watch.png",
        "watch-distances.png",
        "best.safetensors",
    ] {
        assert!(path("run").join(name).is_file(), "{name}");
    }
    let log = std::fs::read_to_string(path("run/watch.csv")).unwrap();
    assert!(
        log.starts_with("step,epoch,visible_energy,fidelity_score,reference_visible_energy\n3,"),
        "{log}"
    );
    assert_eq!(log.lines().count(), 3, "{log}");

    let evaluate = [
        "evaluate",
        "--reference",
        SAMPLE,
        "--out",
        &scan,
        "--scan",
        &run,
        "--scan-events",
        "60",
    ];
    let out = done(&evaluate);
    assert!(
        out.contains("2 weights") && out.contains("fidelity_score_by_epoch"),
        "{out}"
    );
    let found = json(&path("scan/scan.json"));
    assert_eq!(found["epochs"][1]["epoch"], 2);
    assert_eq!(found["epochs"][1]["step"], 8);
    let scores = found["metrics"]["fidelity_score_by_epoch"]
        .as_array()
        .unwrap();
    let mean = scores.iter().map(|s| s.as_f64().unwrap()).sum::<f64>() / 2.0;
    assert!((mean - 1.0).abs() < 1e-9, "{scores:?}");
    assert_eq!(found["halves_events"], 60);
    assert!(found["halves"]["fidelity:n_hits"].is_number());
    for name in [
        "scan.csv",
        "scan.html",
        "scan-scores.png",
        "scan-divergences.png",
    ] {
        assert!(path("scan").join(name).is_file(), "{name}");
    }
    // Again it finds what is there already, and comes to the same.
    done(&evaluate);
    assert_eq!(json(&path("scan/scan.json")), found);
    // How showers are judged is part of what was done.
    let start = ["--shower-start", "calice", "--calice-mip", "0.0856"];
    done(&[&evaluate[..], &start].concat());
    let other = json(&path("scan/scan.json"));
    assert_ne!(other["fingerprint"], found["fingerprint"]);
    // Of part of the reference, with distances: nothing of before is of use.
    let part = ["--reference-events", "100:150", "--distances"];
    done(&[&evaluate[..], &part].concat());
    let of_part = json(&path("scan/scan.json"));
    assert_eq!(of_part["events"], 50);
    assert_eq!(of_part["halves_events"], 25);
    assert!(of_part["halves"]["fpd"].is_number());
    let reference = of_part["reference"].as_str().unwrap();
    assert!(reference.ends_with("showers 100:150"), "{reference}");
    assert_eq!(of_part["metrics"]["fpd"].as_array().unwrap().len(), 2);
    assert!(of_part["best"]["kpd"]["value"].is_number());
    assert_ne!(
        of_part["metrics"]["n_hits:w1"],
        found["metrics"]["n_hits:w1"]
    );
    let nothing = text("nothing");
    std::fs::create_dir(path("nothing")).unwrap();
    complains(
        2,
        &[
            "evaluate",
            "--reference",
            SAMPLE,
            "--out",
            &scan,
            "--scan",
            &nothing,
        ],
        &["--keep-every"],
    );

    let args = [
        "latent",
        &run,
        "--data",
        SAMPLE,
        "--out",
        &latent,
        "--events",
        "40",
        "--perplexity",
        "5",
    ];
    let out = done(&[&args[..], &["--iterations", "60", "--json"]].concat());
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&summary["code_length"], &summary["tsne"]["points"]),
        (&4.into(), &80.into())
    );
    let codes = std::fs::read_to_string(path("latent/codes.csv")).unwrap();
    assert_eq!(codes.lines().next(), Some("kind,energy,z0,z1,z2,z3"));
    assert_eq!(
        codes.lines().filter(|l| l.starts_with("drawn,")).count(),
        40
    );
    for name in ["pca", "pca-energy", "tsne", "tsne-energy", "interpolation"] {
        assert!(
            path("latent").join(format!("{name}.png")).is_file(),
            "{name}"
        );
    }
    let rows = ShowerFile::open(path("latent/interpolation.h5")).unwrap();
    assert_eq!((rows.len(), rows.info().shape), (10, [1, 12, 15]));
    let energies = rows.energies().unwrap();
    assert_eq!((energies[0], energies[9]), (20.0, 90.0));
    let beyond = ["--interpolate", "0,1000"];
    complains(
        2,
        &[&args[..], &["--iterations", "9"], &beyond].concat(),
        &["1000"],
    );
    let weights = text("run/model.safetensors");
    complains(
        1,
        &["latent", &weights, "--data", SAMPLE, "--out", &latent],
        &["encoder", "folder of its run"],
    );
}

#[test]
fn relevance_and_amplification_stand_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let (config, run, report) = (text("c.toml"), text("run"), text("report"));
    std::fs::write(
        path("c.toml"),
        "shape = [7, 12, 15]\ndense = [8]\ndropout = [0.0]\n\
         convs = [{ channels = 4, kernel = 3, stride = 2, padding = 1, norm = true }]\n",
    )
    .unwrap();
    let train = [
        "train",
        "regressor",
        "--preset",
        "small",
        "--config",
        &config,
        "--data",
        SAMPLE,
        "--out",
        &run,
    ];
    done(&[&train[..], &["--steps", "4"]].concat());
    let evaluate = evaluate_sample(&report);
    let more = [
        "--regressor",
        &run,
        "--relevance",
        "--relevance-events",
        "400",
        "--amplification",
        "500",
    ];
    let out = done(&[&evaluate[..], &more].concat());
    assert!(
        out.contains("showers are worth in") && out.contains("trained on 500"),
        "{out}"
    );
    // Weights of part of a file say so in other words.
    let part = text("part");
    let some = ["--steps", "1", "--events", "100:500"];
    let at = train.iter().position(|a| *a == run).unwrap();
    let mut train = train.to_vec();
    train[at] = &part;
    // Others name the best weights.
    let held = ["--watch-held", "500:600", "--watch-every", "1"];
    complains(
        2,
        &[&train[..], &some, &held].concat(),
        &["nothing is watched"],
    );
    let best = ["--keep-best", "energy_mae"];
    complains(
        2,
        &[&train[..], &best, &held].concat(),
        &["showers 500:600 of", "--events"],
    );
    done(&[&train[..], &some, &best, &held].concat());
    for name in ["best.safetensors", "watch-distances.png"] {
        assert!(path("part").join(name).is_file(), "{name}");
    }
    let log = std::fs::read_to_string(path("part/watch.csv")).unwrap();
    assert!(log.starts_with("step,epoch,energy_mae\n1,"), "{log}");
    let out = done(&[&evaluate[..], &["--amplification", &part]].concat());
    assert!(out.contains("trained on 400"), "{out}");
    let few = ["--amplification", "--amplification-quantiles", "100"];
    let words = ["1000 showers", "4000 or more"];
    complains(2, &[&evaluate[..], &few].concat(), &words);
    done(&[&evaluate[..], &more].concat());
    let found = json(&path("report/report.json"));
    let relevance = &found["relevance"];
    assert_eq!(
        relevance["energies"],
        serde_json::json!([20.0, 32.0, 50.0, 80.0, 90.0])
    );
    // One file is compared with itself.
    assert_eq!(relevance["reference"], relevance["generated"]);
    let maps = relevance["reference"].as_array().unwrap();
    let events: u64 = maps.iter().map(|m| m["events"].as_u64().unwrap()).sum();
    assert_eq!(events, 400);
    for map in maps {
        let layers = map["by_layer"].as_array().unwrap();
        assert_eq!(layers.len(), 7);
        let sum: f64 = layers.iter().map(|l| l.as_f64().unwrap()).sum();
        let total = map["total"].as_f64().unwrap();
        assert!(
            (sum - total).abs() <= 1e-9 * total.abs() && total != 0.0,
            "{map}"
        );
    }
    assert_eq!(found["amplification"]["trained_on"], 500);
    let page = std::fs::read_to_string(path("report/report.html")).unwrap();
    assert!(page.contains("<h2>Relevance</h2>") && page.contains("<h2>Amplification</h2>"));
    for name in [
        "relevance_front_20GeV",
        "relevance_side_90GeV",
        "relevance_layers_90GeV",
        "amplification",
    ] {
        assert!(
            path("report").join(format!("{name}.png")).is_file(),
            "{name}"
        );
    }
    complains(
        2,
        &[&evaluate[..], &["--amplification", "0"]].concat(),
        &["0 showers"],
    );
}
