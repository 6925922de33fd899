//! The BIB-AE: sizes, the course of its training, the twin that starts anew, generation.

use std::sync::atomic::{AtomicBool, Ordering};

use calogen::generate::Generator;
use calogen::models::{self, Condition, Preset, Progress, System, Weights};
use calogen::nn::Parameters;
use calogen::train::{Event, Options, Session, train};

use super::{gpu, sample};

/// The configuration of a case of `tests/steps`: networks that run in a moment.
fn tiny(name: &str, change: impl FnOnce(&mut serde_json::Value)) -> Box<dyn System> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/steps");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("the case");
    let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut config = case["config"].clone();
    change(&mut config);
    models::open(name, config).expect("its configuration")
}

#[test]
fn the_published_sizes_are_exact() {
    // Encoder and decoder of photons have 71,443,094 together, those of hadron showers 8.71 million.
    let rows = [
        ("bib-ae", "encoder", 35_224_598),
        ("bib-ae", "decoder", 36_218_496),
        ("bib-ae", "critic", 4_762_753),
        ("bib-ae", "latent_critic", 10_301),
        ("bib-ae", "post", 299_136),
        ("bib-ae-hadron", "encoder", 3_767_514),
        ("bib-ae-hadron", "decoder", 4_939_568),
        ("bib-ae-hadron", "critic", 6_472_961),
        ("bib-ae-hadron", "critic_twin", 6_472_961),
        ("bib-ae-hadron", "latent_critic", 10_301),
        ("bib-ae-hadron", "post", 629_184),
        // Without the difference stream's 27,000 x 64 + 64, and 64 x 256 behind it.
        ("vae-gan", "critic", 4_762_753 - 1_728_064 - 16_384),
    ];
    for (name, network, parameters) in rows {
        let system = models::preset(name, Preset::Paper).expect("the preset");
        let networks = system.networks().expect("networks");
        let found = networks.iter().find(|n| n.name == network);
        let found = found.unwrap_or_else(|| panic!("{name} has no {network}"));
        assert_eq!(found.parameters(), parameters, "{name}: {network}");
    }
}

#[test]
fn a_decoder_sees_observables_only_if_a_prior_draws_them() {
    let open = |change: fn(&mut serde_json::Value)| {
        let system = models::preset("bib-ae-ahcal", Preset::Small).expect("the preset");
        let mut config = system.config();
        change(&mut config);
        models::open("bib-ae-ahcal", config)
    };
    let inputs = |system: Box<dyn System>| {
        let networks = system.networks().expect("networks");
        let decoder = networks.iter().find(|n| n.name == "decoder");
        let tensors = &decoder.expect("a decoder").tensors;
        let first = tensors.iter().find(|t| t.name == "dense0.weight");
        first.expect("a layer").shape[1]
    };
    let with = inputs(open(|_| {}).expect("the preset"));
    let without = inputs(open(|c| c["decoder"]["observables"] = false.into()).expect("a decoder"));
    assert_eq!(with - without, 4);
    for change in [
        |c: &mut serde_json::Value| c["prior"] = serde_json::Value::Null,
        |c: &mut serde_json::Value| {
            c["prior"]["model"]["flow"]["observables"] = serde_json::json!([])
        },
    ] {
        let error = open(change).err().expect("nothing to see").to_string();
        assert!(error.contains("needs a prior that draws some"), "{error}");
    }
}

#[test]
fn all_presets_are_possible() {
    for name in ["bib-ae", "bib-ae-hadron", "bib-ae-ahcal", "vae-gan"] {
        for preset in [Preset::Paper, Preset::Small] {
            let config = models::preset(name, preset).expect("the preset").config();
            let again = models::open(name, config.clone()).expect("its own configuration");
            assert_eq!(again.config(), config);
        }
    }
}

#[test]
fn a_training_goes_through_its_phases() {
    let names = |system: &dyn System, share: f64| -> Vec<&'static str> {
        let at = Progress {
            iteration: 7,
            share,
        };
        let (turns, steps) = (system.schedule(at), system.steps());
        turns.iter().map(|t| steps[t.step].name).collect()
    };
    // Three epochs, one of copying, one more.
    let frozen = tiny("bib-ae", |_| {});
    let both = ["critic", "latent_critic"];
    let all = [&both[..], &both[..], &["autoencoder"]].concat();
    assert_eq!(names(&*frozen, 0.59), all);
    assert_eq!(names(&*frozen, 0.61), ["copy"]);
    assert_eq!(names(&*frozen, 0.81), ["post"]);
    let joint = tiny("bib-ae-hadron", |_| {});
    let three = ["critic", "critic_twin", "latent_critic"];
    let all = [&three[..], &three[..], &["autoencoder", "post"]].concat();
    assert_eq!(names(&*joint, 0.81), all);
    let gan = tiny("vae-gan", |_| {});
    assert_eq!(names(&*gan, 0.99), ["critic", "critic", "autoencoder"]);
    // The rate shrinks by a tenth after each epoch.
    let rate = |share: f64| {
        let at = Progress {
            iteration: 0,
            share,
        };
        frozen.schedule(at)[0].learning_rate
    };
    for (share, wanted) in [(0.1, 1e-3), (0.3, 0.9e-3), (0.5, 0.81e-3)] {
        assert!((rate(share) - wanted).abs() < 1e-8, "{}", rate(share));
    }
}

#[test]
fn the_twin_starts_anew_and_nothing_else_does() {
    let system = tiny("bib-ae-hadron", |_| {});
    let mut session = Session::new(gpu(), system, 4, 3).expect("a session");
    let values = |session: &Session, name: &str| {
        let network: &Parameters = session.networks().get(name).expect("the network");
        network
            .get(gpu(), "dense0.weight", false)
            .expect("a tensor")
    };
    let networks = ["critic_twin", "critic", "encoder", "decoder"];
    let before = networks.map(|n| values(&session, n));
    session.begin_epoch(1).expect("an epoch");
    let after = networks.map(|n| values(&session, n));
    assert!(before[0] != after[0], "the twin has new values");
    assert!(before[1..] == after[1..], "the others keep theirs");
    session.begin_epoch(2).expect("an epoch");
    assert!(values(&session, "critic_twin") != after[0], "other ones");
    session.begin_epoch(1).expect("an epoch");
    assert!(
        values(&session, "critic_twin") == after[0],
        "that belong to their epoch"
    );
}

#[test]
fn a_run_resumed_at_or_after_a_restart_is_the_run_that_never_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |out: &str, stop_at: u64, resume: bool| {
        let out = folder.path().join(out);
        let options = Options {
            out: out.clone(),
            steps: Some(22),
            batch: Some(100),
            seed: 5,
            log_every: 1,
            resume,
            ..Options::default()
        };
        let stop = AtomicBool::new(false);
        let system = tiny("bib-ae-hadron", |c| {
            c["post"] = serde_json::Value::Null;
            c["critic"]["statistics"] = serde_json::Value::Null;
            c["critic_steps"] = 1.into();
            // All numbers of the small presets, whose last digits a text may change.
            c["average"] = 0.02.into();
            c["loss"]["kld"] = 0.02.into();
            c["rate"]["factor"] = 0.95.into();
        });
        let mut tell = |event: Event<'_>| {
            if matches!(event, Event::Row { iteration, .. } if iteration == stop_at) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        train(gpu(), system, &[sample()], &options, &stop, &mut tell).expect("a run");
        super::train::tensors(&out.join("checkpoint.safetensors"))
    };
    // Ten batches an epoch: the twin starts anew before the 11th and the 21st.
    let whole = run("whole", 0, false);
    for stop in [10, 13] {
        let name = format!("stopped at {stop}");
        assert!(run(&name, stop, false) != whole);
        assert!(run(&name, 0, true) == whole, "{name}");
    }
}

#[test]
fn events_are_equal_in_any_batch_and_empty_below_the_cut() {
    for name in ["bib-ae", "bib-ae-ahcal", "vae-gan"] {
        let cut = 0.2;
        let system = tiny(name, |c| c["cut"] = cut.into());
        let mut generator = Generator::untrained(gpu(), system).expect("a generator");
        let labels = generator.labels(&[20.0, 50.0, 90.0], 7, 0);
        let labels = labels.expect("labels");
        let mut showers = |batch| {
            generator.set_batch(batch);
            generator.generate(&labels, 7, 0).expect("showers")
        };
        let whole = showers(3);
        assert!(whole == showers(2), "{name}");
        assert!(whole.iter().all(|&e| e == 0.0 || e >= cut as f32));
        assert!(whole.iter().any(|&e| e > 0.0), "{name} makes something");
    }
}

#[test]
fn a_part_can_be_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/steps");
    let text = std::fs::read_to_string(folder.join("bib-ae-kde.json")).expect("the case");
    let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let system = models::open("bib-ae", case["config"].clone()).expect("its configuration");
    let (config, conditions) = (system.config(), system.conditions());
    let session = Session::new(gpu(), system, 2, 1).expect("a session");
    let mut weights = Weights::default();
    weights.metadata.model = "bib-ae".into();
    weights.metadata.config = config;
    weights.metadata.conditions = conditions
        .into_iter()
        .map(|name| Condition {
            name,
            unit: "GeV".into(),
            min: 10.0,
            max: 100.0,
        })
        .collect();
    for name in session.system().kept() {
        let parameters = session.networks().get(name).expect("a network");
        for tensor in &parameters.network().tensors {
            let values = parameters.get(gpu(), &tensor.name, true).expect("values");
            let full = format!("{name}.{}", tensor.name);
            weights.tensors.insert(full, (tensor.shape.clone(), values));
        }
    }
    let path = std::path::Path::new("x");
    let generate = |weights| {
        let mut generator = Generator::new(gpu(), weights, path).expect("a generator");
        let labels = generator.labels(&[50.0; 3], 1, 0).expect("labels");
        generator.generate(&labels, 1, 0).expect("showers")
    };
    let without = weights.clone().without("prior").expect("it is optional");
    assert!(
        without
            .tensors
            .keys()
            .all(|name| name.starts_with("decoder."))
    );
    // Codes of a density without points are 0, and not noise.
    assert_ne!(generate(weights.clone()), generate(without));
    let error = |part: &str| {
        weights
            .clone()
            .without(part)
            .expect_err("an error")
            .to_string()
    };
    assert!(error("decoder").contains("decoder"));
    assert!(error("wings").contains("no part 'wings'"));
}
