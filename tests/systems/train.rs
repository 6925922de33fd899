//! Training: resuming bit for bit, stopping, failing.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use calogen::data::{Labels, ShowerFile, ShowerWriter, Showers};
use calogen::models::{self, Preset, System};
use calogen::train::{Event, Options, Outcome, configured, train};
use calogen::{Error, Result};

use super::{gpu, sample, small};

fn options(out: &Path, steps: u64) -> Options {
    Options {
        out: out.to_path_buf(),
        steps: Some(steps),
        batch: Some(16),
        seed: 5,
        log_every: 2,
        ..Options::default()
    }
}

fn run(system: Box<dyn System>, options: &Options) -> Result<Outcome> {
    train(
        gpu(),
        system,
        &[sample()],
        options,
        &AtomicBool::new(false),
        &mut |_| {},
    )
}

/// Name and bytes of each tensor of a file.
pub(super) fn tensors(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(path).expect("the file");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let all = file.tensors().into_iter();
    let mut all: Vec<_> = all.map(|(name, v)| (name, v.data().to_vec())).collect();
    all.sort();
    all
}

#[test]
fn a_resumed_run_is_the_run_that_never_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    // The schedule follows the share of the whole training, so both know its length from the start.
    run(small(), &options(&whole, 10)).expect("ten iterations");
    // Stops after the third row of the log.
    let stop = AtomicBool::new(false);
    let stopped = train(
        gpu(),
        small(),
        &[sample()],
        &options(&parts, 10),
        &stop,
        &mut |event| {
            if matches!(event, Event::Row { iteration: 6, .. }) {
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        },
    );
    let stopped = stopped.expect("a stop is no error here");
    assert_eq!((stopped.iterations, stopped.finished), (6, false));
    let rest = Options {
        steps: None,
        resume: true,
        ..options(&parts, 10)
    };
    let outcome = run(small(), &rest).expect("the rest");
    assert_eq!((outcome.iterations, outcome.finished), (10, true));
    for file in ["losses.csv", "config.toml"] {
        let read = |run: &Path| fs::read_to_string(run.join(file)).expect(file);
        assert_eq!(read(&whole), read(&parts), "{file}");
    }
    for file in ["model.safetensors", "checkpoint.safetensors"] {
        let equal = tensors(&whole.join(file)) == tensors(&parts.join(file));
        assert!(equal, "{file}: tensors");
        // Nothing in a file depends on when or how often it was written: equal weights have equal hashes.
        let bytes = |run: &Path| fs::read(run.join(file)).expect(file);
        assert!(bytes(&whole) == bytes(&parts), "{file}: bytes");
    }
    let log = fs::read_to_string(whole.join("losses.csv")).expect("the log");
    assert_eq!(log.lines().count(), 6, "a header and five rows");
    assert!(
        log.starts_with("step,epoch,critic,wasserstein,penalty,generator,"),
        "{log}"
    );
    // A third run in the same folder would lose the second.
    let again = run(small(), &options(&whole, 10))
        .expect_err("an error")
        .to_string();
    assert!(again.contains("holds a run already"), "{again}");
    let mut config = small().config();
    config["generator"]["hidden"] = 64.into();
    let wider = models::open("hgcal-wgan", config).expect("a configuration");
    let error = run(wider, &rest).expect_err("an error").to_string();
    assert!(
        error.contains("the run's generator.hidden is 128, not 64"),
        "{error}"
    );
    let other = Options { seed: 6, ..rest };
    let error = run(small(), &other).expect_err("an error").to_string();
    assert!(error.contains("seed is 5, not 6"), "{error}");
    let settings = fs::read_to_string(whole.join("config.toml")).expect("the settings");
    assert!(
        settings.contains("\nbatch = 16\n"),
        "that of the run: {settings}"
    );
    assert!(
        settings.contains("\naverage = 0.005\n"),
        "an f32 as it was given: {settings}"
    );
}

#[test]
fn a_loss_that_is_not_a_number_stops_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let mut config = small().config();
    for rates in ["critic_rates", "generator_rates"] {
        config[rates] = serde_json::json!([[1.0, 1e30]]);
    }
    let wild = models::open("hgcal-wgan", config).expect("a configuration");
    let error = run(wild, &options(&out, 60)).expect_err("an error");
    assert!(matches!(error, Error::NotFinite(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("the loss '") && text.contains("first bad tensor"),
        "{text}"
    );
    assert!(
        !out.join("model.safetensors").exists(),
        "nothing bad is saved"
    );
}

#[test]
fn data_and_model_must_fit_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let refusal = |change: fn(&mut serde_json::Value)| {
        let mut config = small().config();
        change(&mut config);
        let other = models::open("hgcal-wgan", config).expect("a configuration");
        let error = run(other, &options(&out, 1)).expect_err("an error");
        error.to_string()
    };
    let error = refusal(|config| {
        config["shape"] = serde_json::json!([6, 12, 15]);
        config["constrainer"] = serde_json::Value::Null;
    });
    assert!(
        error.contains("[7, 12, 15]") && error.contains("[6, 12, 15]"),
        "{error}"
    );
    // Settings that name energies are not silently taken for another unit.
    let error = refusal(|config| config["preprocess"]["file_unit"] = "MIP".into());
    assert!(
        error.contains("holds cells in MeV") && error.contains("made for MIP"),
        "{error}"
    );
    let large = Options {
        batch: Some(2000),
        ..options(&out, 1)
    };
    let error = run(small(), &large).expect_err("a batch beyond the file");
    assert!(error.to_string().contains("2000"), "{error}");
    assert!(!out.exists(), "a refusal leaves nothing");
    let resume = Options {
        resume: true,
        ..options(&out, 1)
    };
    assert!(
        matches!(run(small(), &resume), Err(Error::Io { .. })),
        "nothing to resume"
    );
    let missing = train(
        gpu(),
        small(),
        &["none.h5".into()],
        &options(&out, 1),
        &AtomicBool::new(false),
        &mut |_| {},
    );
    assert!(
        missing
            .expect_err("an error")
            .to_string()
            .contains("none.h5")
    );
}

#[test]
fn the_small_preset_is_small_and_checkpoints_as_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bytes = 0;
    let mut saved = 0;
    let often = Options {
        checkpoint_every: Duration::ZERO,
        ..options(&folder.path().join("run"), 3)
    };
    let outcome = train(
        gpu(),
        small(),
        &[sample()],
        &often,
        &AtomicBool::new(false),
        &mut |event| match event {
            Event::Ready { plans, .. } => {
                bytes = plans
                    .iter()
                    .map(|(_, plan)| plan.peak_bytes() + plan.state_bytes)
                    .sum()
            }
            Event::Saved { .. } => saved += 1,
            Event::Row { .. } | Event::Watched { .. } => {}
        },
    );
    outcome.expect("three iterations");
    assert!(bytes < 500_000_000, "{bytes} bytes on the device");
    assert_eq!(saved, 4, "before each iteration and at the end");
}

/// The bundled showers with these changes, in a file.
fn changed(path: &Path, change: impl FnOnce(&mut Showers)) {
    let file = ShowerFile::open(sample()).expect("the sample");
    let mut showers = file.read(0..64).expect("showers");
    change(&mut showers);
    let labels = Labels {
        position: file.has_position(),
        conditions: Vec::new(),
    };
    let mut writer = ShowerWriter::create(path, file.info(), labels).expect("a file");
    writer.append(&showers).expect("showers");
    writer.finish().expect("a file");
}

#[test]
fn a_run_goes_on_with_its_own_data_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.h5");
    let out = folder.path().join("run");
    let trained = |options: &Options| {
        let data = std::slice::from_ref(&path);
        let stop = AtomicBool::new(false);
        train(gpu(), small(), data, options, &stop, &mut |_| {})
    };
    changed(&path, |_| {});
    trained(&options(&out, 1)).expect("an iteration");
    let rest = Options {
        resume: true,
        ..options(&out, 2)
    };
    // As many showers by the same name.
    changed(&path, |showers| showers.layers[3 * 1260 + 500] += 1.5);
    let error = trained(&rest).expect_err("other cells").to_string();
    assert!(error.contains("the run's data is 64 events of"), "{error}");
    changed(&path, |showers| showers.energy[9] += 1.0);
    let error = trained(&rest).expect_err("other energies").to_string();
    assert!(error.contains("the run's data is 64 events of"), "{error}");
    changed(&path, |_| {});
    trained(&rest).expect("another iteration");
}

#[test]
fn odd_showers_train_or_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.h5");
    let trained = |name: &str| {
        let options = options(&folder.path().join(name), 2);
        let stop = AtomicBool::new(false);
        train(
            gpu(),
            small(),
            std::slice::from_ref(&path),
            &options,
            &stop,
            &mut |_| {},
        )
    };
    // Noise about the pedestal: what is not positive counts as empty.
    changed(&path, |showers| {
        for (i, e) in showers.layers.iter_mut().enumerate() {
            *e -= [0.5, 0.0, 3.0][i % 3];
        }
    });
    trained("noise").expect("losses that are numbers");
    changed(&path, |showers| showers.energy[7] = 0.0);
    let error = trained("zero").expect_err("cells over 0 GeV").to_string();
    assert!(
        error.contains("odd.h5") && error.contains("energy of 0 GeV"),
        "{error}"
    );
}

#[test]
fn a_configuration_is_whole_or_changes_a_preset() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let opened = |text: &str| {
        fs::write(&path, text).expect("a file");
        configured("hgcal-wgan", Preset::Paper, &[&path])
    };
    // What a run of the small preset records, read over the published one.
    let whole = serde_json::json!({"model": "hgcal-wgan", "config": small().config()});
    let whole = toml::to_string(&whole).expect("TOML");
    assert_eq!(
        opened(&whole).expect("all settings").config(),
        small().config()
    );
    let one = opened("[config]\ncritic_steps = 3")
        .expect("one setting")
        .config();
    assert_eq!(one["critic_steps"], 3);
    assert_ne!(one["generator"], small().config()["generator"]);
    for (wrong, why) in [
        ("average = 1.5", "average must be"),
        ("critic_rates = [[10.0, -1.0]]", "learning rate"),
        ("[preprocess]\nscale = -1.0", "preprocess.scale"),
        ("[preprocess]\nthreshold = -1.0", "preprocess.threshold"),
    ] {
        let error = opened(wrong).err().expect(wrong).to_string();
        assert!(error.contains(why), "{wrong}: {error}");
    }
}
