//! GAN and WGANs: published sizes, and what configurations of photon systems refuse.

use calogen::models::{self, Preset, Progress, System};

fn sizes(system: &dyn System) -> Vec<(String, usize)> {
    let networks = system.networks().expect("networks").into_iter();
    networks.map(|n| (n.name.clone(), n.parameters())).collect()
}

#[test]
fn the_published_sizes_of_gans_are_exact() {
    // Of the GAN, those of the published code.
    let table = [
        ("gan", "generator", 4_392_224),
        ("gan", "discriminator", 2_056_097),
        ("wgan", "generator", 3_655_520),
        ("wgan", "critic", 253_919),
        ("wgan", "constrainer", 224_473),
        ("wgan-post", "post", 299_136),
        ("wgan-hadron", "generator", 1_738_803),
        ("wgan-hadron", "critic", 3_996_034),
        // The published one has a norm more, of 200 numbers, that it does not use.
        ("wgan-hadron", "constrainer", 155_118_201),
    ];
    for (system, network, wanted) in table {
        let system = models::preset(system, Preset::Paper).expect("the preset");
        let size = sizes(system.as_ref());
        let found = size.iter().find(|(name, _)| name == network);
        assert_eq!(found.expect(network).1, wanted, "{network}");
    }
    // The paper's own GAN: 1.5 and 2.0 million. Half the channels give its generator; of its discriminator only the
    // dense layers are known, 257 to 128.
    let mut config = models::preset("gan", Preset::Paper)
        .expect("the preset")
        .config();
    config["generator"] = serde_json::json!([128, 64, 32, 16]);
    config["discriminator"] = serde_json::json!([64, 128, 128, 128, 256]);
    config["dense"] = serde_json::json!([128]);
    let paper = models::open("gan", config).expect("the paper's sizes");
    let wanted = [("generator", 1_507_984), ("discriminator", 2_026_305)];
    assert_eq!(
        sizes(paper.as_ref()),
        wanted.map(|(name, size)| (name.to_owned(), size))
    );
}

#[test]
fn a_wgan_goes_through_its_phases() {
    let open = |name: &str, more: serde_json::Value| {
        let mut config = models::preset(name, Preset::Small)
            .expect("the preset")
            .config();
        let whole = [("critic_steps", 2.into())].into_iter();
        let rates = serde_json::json!([[2.0, 1e-3], [1.0, 1e-4]]);
        let rates = ["generator_rates", "critic_rates"].map(|key| (key, rates.clone()));
        for (key, value) in whole.chain(rates) {
            config[key] = value;
        }
        config["constrainer"]["epochs"] = 1.0.into();
        for (part, values) in more.as_object().expect("parts") {
            for (key, value) in values.as_object().expect("values") {
                config[part][key] = value.clone();
            }
        }
        models::open(name, config).expect("a configuration")
    };
    let turns = |system: &dyn System, iteration: u64, epoch: f64| -> Vec<(&'static str, f32)> {
        let share = epoch / system.epochs();
        let turns = system.schedule(Progress { iteration, share });
        let steps = system.steps();
        turns
            .iter()
            .map(|t| (steps[t.step].name, t.learning_rate))
            .collect()
    };
    let beside = open("wgan", serde_json::json!({}));
    let constrainer = turns(&*beside, 0, 0.5)[0].1;
    assert_eq!(
        turns(&*beside, 4, 0.9),
        [("constrainer", constrainer), ("critic", 1e-3)]
    );
    assert_eq!(turns(&*beside, 4, 1.1), [("critic", 1e-3)]);
    assert_eq!(turns(&*beside, 5, 0.5), [("generator", 1e-3)]);
    assert_eq!(turns(&*beside, 5, 2.5), [("generator", 1e-4)]);
    // An epoch of the constrainer alone, then three of the others.
    let before = open("wgan-hadron", serde_json::json!({}));
    assert_eq!(before.epochs(), 4.0);
    assert_eq!(turns(&*before, 5, 0.9), [("constrainer", constrainer)]);
    assert_eq!(turns(&*before, 4, 1.1), [("critic", 1e-3)]);
    assert_eq!(turns(&*before, 5, 2.9), [("generator", 1e-3)]);
    assert_eq!(turns(&*before, 5, 3.1), [("generator", 1e-4)]);
    // Three epochs, one of copying, two more.
    let post = serde_json::json!({"post": {"copy_epochs": 1.0, "epochs": 2.0, "rate": {"start": 0.5, "factor": 0.5}}});
    let after = open("wgan-post", post);
    assert_eq!(after.epochs(), 6.0);
    assert_eq!(turns(&*after, 4, 2.9), [("critic", 1e-4)]);
    assert_eq!(turns(&*after, 5, 3.1), [("copy", 0.5)]);
    assert_eq!(turns(&*after, 5, 4.1), [("post", 0.25)]);
    assert_eq!(turns(&*after, 4, 5.1), [("post", 0.125)]);
}

#[test]
fn layers_are_channels_of_autoencoders() {
    let sizes = |name: &str, layers: usize| {
        let mut config = models::preset(name, Preset::Paper)
            .expect("the preset")
            .config();
        config["shape"] = vec![layers, 30, 30].into();
        sizes(models::open(name, config).expect("layers").as_ref())
    };
    // A pixel more is a row of 400 and a column of as many with a bias; a channel more a kernel of 16 to 16 channels each
    // way and a bias per pixel.
    for (name, encoder, decoder) in [
        ("vae", 3600 * 400, 3600 * 401),
        ("vae-energy", 4 * 256, 4 * 256 + 3600),
    ] {
        let (one, five) = (sizes(name, 1), sizes(name, 5));
        assert_eq!(five[0].1 - one[0].1, encoder, "{name}");
        assert_eq!(five[1].1 - one[1].1, decoder, "{name}");
    }
}

#[test]
fn bad_configurations_of_photon_systems_name_what_is_wrong() {
    let error = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut config = models::preset(name, Preset::Small)
            .expect("the preset")
            .config();
        change(&mut config);
        models::open(name, config)
            .err()
            .expect("an error")
            .to_string()
    };
    assert!(error("vae", &|c| c["shape"] = vec![0, 30, 30].into()).contains("a layer"));
    assert!(error("vae", &|c| c["losses"]["mes"] = 1.into()).contains("mes"));
    let prediction = error("vae", &|c| c["losses"]["energy_prediction"] = 1.into());
    assert!(prediction.contains("conditional"), "{prediction}");
    let steps = error("vae-adversarial", &|c| c["adversary"]["steps"] = 0.into());
    assert!(steps.contains("adversary.steps"), "{steps}");
    assert!(error("gan", &|c| c["energies"] = vec![20, 10].into()).contains("energies"));
    // Three doublings of 4, less two, end at 30.
    let shape = error("wgan", &|c| c["shape"] = vec![28, 30, 30].into());
    assert!(shape.contains("reshape"), "{shape}");
    let joint = error("wgan-post", &|c| c["post"]["joint"] = true.into());
    assert!(joint.contains("post.joint"), "{joint}");
    let stage = error("wgan-hadron", &|c| {
        c["critic"]["residual"][1]["blocks"] = 0.into();
    });
    assert!(stage.contains("critic.residual"), "{stage}");
}
