//! GAN and WGANs: published sizes, and what configurations of photon systems refuse.

use calogen::models::{self, Preset, System};

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
    assert!(error("vae", &|c| c["shape"] = vec![2, 30, 30].into()).contains("one layer"));
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
