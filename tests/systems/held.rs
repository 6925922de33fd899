//! A regressor and the showers that are held back from its training: they name the best weights.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use calogen::data::ShowerFile;
use calogen::models::{self, Preset, System, Weights};
use calogen::reconstruct::Reconstructor;
use calogen::train::{Event, Options, Outcome, Seen, Watch, train};
use calogen::{Error, Result};

use super::{gpu, sample};

/// More than a batch of the regressor, and no multiple of it.
const EVENTS: usize = 70;

/// Batch norm and dropout, so that training and inference are not the same.
fn system(position_scale: Option<f32>) -> Box<dyn System> {
    let mut config = models::preset("regressor-plus", Preset::Small)
        .expect("the preset")
        .config();
    config["shape"] = serde_json::json!([7, 12, 15]);
    config["dense"] = serde_json::json!([8]);
    config["dropout"] = serde_json::json!([0.2]);
    config["convs"]
        .as_array_mut()
        .expect("convolutions")
        .truncate(1);
    if let Some(scale) = position_scale {
        config["position_scale"] = scale.into();
    }
    models::open("regressor-plus", config).expect("a configuration")
}

fn options(out: &Path) -> Options {
    Options {
        out: out.to_path_buf(),
        events: Some(0..800),
        steps: Some(8),
        batch: Some(100),
        seed: 2,
        log_every: 2,
        ..Options::default()
    }
}

fn watch() -> Watch {
    Watch {
        figures: vec!["position_mae".into()],
        every: 2,
        events: EVENTS,
        data: Vec::new(),
        held: Some(800..1000),
        regressor: None,
        keep_best: Some("energy_mae".into()),
    }
}

fn run(options: &Options, tell: &mut dyn FnMut(Event<'_>), stop: &AtomicBool) -> Result<Outcome> {
    train(gpu(), system(Some(20.0)), &[sample()], options, stop, tell)
}

/// Mean absolute errors of position (mm) and energy (GeV) of weights, on the showers that a look is at.
fn errors(weights: &Path) -> [f64; 2] {
    let file = ShowerFile::open(sample()).expect("the sample");
    let rows: Vec<usize> = (0..EVENTS).map(|i| 800 + i * 200 / EVENTS).collect();
    let held = file.read_rows(&rows).expect("showers");
    let found = Reconstructor::load(gpu(), weights).expect("weights");
    let found = found.run(&held.layers).expect("energies");
    let mean = |found: &[f32], labels: &[f32]| {
        let pairs = found.iter().zip(labels);
        pairs.map(|(f, l)| f64::from((f - l).abs())).sum::<f64>() / labels.len() as f64
    };
    let impact = held.position.expect("impact points");
    [
        mean(found.positions.as_flattened(), impact.as_flattened()),
        mean(&found.energies, &held.energy),
    ]
}

#[test]
fn the_best_weights_are_those_of_the_least_error_on_held_showers() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let never = AtomicBool::new(false);
    run(&options(&at("blind")), &mut |_| {}, &never).expect("a run that nobody watches");
    let watched = |name: &str| Options {
        watch: Some(watch()),
        ..options(&at(name))
    };
    let mut seen: Vec<(u64, Vec<Seen>)> = Vec::new();
    let mut keep = |event: Event<'_>| {
        if let Event::Watched {
            iteration,
            seen: figures,
            ..
        } = event
        {
            seen.push((iteration, figures.to_vec()));
        }
    };
    run(&watched("seen"), &mut keep, &never).expect("a run that is watched");
    let read = |run: &str, file: &str| fs::read(at(run).join(file)).expect(file);
    for file in ["losses.csv", "model.safetensors"] {
        assert!(read("blind", file) == read("seen", file), "{file}");
    }

    let values = |(_, seen): &(u64, Vec<Seen>)| [0, 1].map(|i| seen[i].value.expect("a value"));
    let close = |found: [f64; 2], weights: &str| {
        for (found, want) in found.into_iter().zip(errors(&at("seen").join(weights))) {
            assert!((found - want).abs() <= 1e-5 * want, "{found}, not {want}");
        }
    };
    close(values(&seen[3]), "model.safetensors");
    let best = seen
        .iter()
        .min_by(|a, b| values(a)[1].total_cmp(&values(b)[1]));
    let best = best.expect("four looks");
    close(values(best), "best.safetensors");
    let kept = Weights::read(at("seen").join("best.safetensors")).expect("the best weights");
    let quality = format!("best of its run: energy_mae {:.5}", values(best)[1]);
    assert_eq!(
        (kept.metadata.steps, kept.metadata.quality),
        (best.0, quality)
    );
    let log = String::from_utf8(read("seen", "watch.csv")).expect("text");
    assert!(
        log.starts_with("step,epoch,position_mae,energy_mae\n2,"),
        "{log}"
    );

    // Stops after the second look.
    let stop = AtomicBool::new(false);
    let mut looks = 0;
    let mut stop_early = |event: Event<'_>| {
        if matches!(event, Event::Watched { .. }) {
            looks += 1;
            stop.store(looks == 2, Ordering::Relaxed);
        }
    };
    run(&watched("parts"), &mut stop_early, &stop).expect("a part");
    let rest = Options {
        resume: true,
        ..watched("parts")
    };
    run(&rest, &mut |_| {}, &never).expect("the rest");
    for file in ["watch.csv", "best.safetensors", "checkpoint.safetensors"] {
        assert!(read("seen", file) == read("parts", file), "{file}");
    }
}

#[test]
fn what_cannot_be_held_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let refused = |position: Option<f32>, change: &dyn Fn(&mut Watch), parts: &[&str]| {
        let mut watch = watch();
        change(&mut watch);
        let options = Options {
            watch: Some(watch),
            ..options(&out)
        };
        let (data, never) = ([sample()], AtomicBool::new(false));
        let error = train(
            gpu(),
            system(position),
            &data,
            &options,
            &never,
            &mut |_| {},
        );
        let error = error.expect_err(parts[0]);
        assert!(matches!(error, Error::Config(_)), "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(!out.exists(), "{}: something was written", parts[0]);
    };
    let with = Some(20.0);
    let known = ["'fidelity_score'; a regressor has energy_mae (GeV)"];
    refused(with, &|w| w.figures = vec!["fidelity_score".into()], &known);
    refused(None, &|_| {}, &["'position_mae'", "position_scale"]);
    let both = ["showers 700:800 of ", "sample.h5 are held, but trained on"];
    refused(with, &|w| w.held = Some(700..900), &both);
    // The file by another path, after one that is not trained on.
    let copy = folder.path().join("copy.h5");
    fs::copy(sample(), &copy).expect("a copy");
    let again = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systems/../data/hgcal_sample.h5");
    refused(
        with,
        &|w| (w.data, w.held) = (vec![copy.clone(), again.clone()], Some(500..1100)),
        &["showers 0:100 of ", "../data/hgcal_sample.h5 are held"],
    );
    refused(with, &|w| w.held = Some(900..1100), &["900:1100"]);
}
