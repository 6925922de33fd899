//! Systems end to end: sizes, training, resuming, weights files, generation.

mod bib_ae;
mod classify;
mod embed;
mod export;
mod generate;
mod half;
mod held;
mod inception;
mod latent;
mod latent_space;
mod layers;
mod onnx;
mod photons;
mod relevance;
mod several;
mod steps;
mod train;
mod transfer;
mod watch;
mod weights;
mod zdc;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use calogen::gpu::Gpu;
use calogen::models::{self, Preset, System};

/// The device of all tests: creating one takes longer than most of them.
fn gpu() -> &'static Arc<Gpu> {
    static GPU: OnceLock<Arc<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open(None).expect("a device; software Vulkan suffices"))
}

fn small() -> Box<dyn System> {
    models::preset("hgcal-wgan", Preset::Small).expect("the preset")
}

/// Geant4 electrons that the repository holds.
fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hgcal_sample.h5")
}

#[test]
fn the_published_sizes_are_exact() {
    let networks = models::preset("hgcal-wgan", Preset::Paper)
        .expect("the preset")
        .networks()
        .expect("networks");
    let sizes: Vec<(&str, usize)> = networks
        .iter()
        .map(|n| (n.name.as_str(), n.parameters()))
        .collect();
    // The constrainers are published as 95.7k and 96.5k.
    let wanted = [
        ("generator", 694_476),
        ("critic", 474_697),
        ("energy", 95_742),
        ("position", 96_511),
    ];
    assert_eq!(sizes, wanted);
    for network in &networks {
        let by_layer: usize = network.layers.iter().map(|l| l.parameters).sum();
        assert_eq!(
            by_layer,
            network.parameters(),
            "{}: the layers hold all parameters",
            network.name
        );
    }
}

#[test]
fn a_configuration_survives_its_own_text() {
    for name in models::ENTRIES.iter().map(|e| e.name) {
        for preset in [Preset::Paper, Preset::Small] {
            let system = models::preset(name, preset).expect("the preset");
            let text = system.config().to_string();
            let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let again = models::open(name, read.clone()).expect("its own configuration");
            assert_eq!((again.config(), read), (system.config(), system.config()));
        }
    }
}

#[test]
fn bad_configurations_name_what_is_wrong() {
    let error = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut config = small().config();
        change(&mut config);
        models::open("hgcal-wgan", config)
            .err()
            .expect("an error")
            .to_string()
    };
    assert!(error(&|c| c["widht"] = 3.into()).contains("widht"));
    assert!(error(&|c| c["batch"] = 1.into()).contains("batch"));
    assert!(error(&|c| c["latent"] = "ten".into()).contains("ten"));
    // Four doublings of 3 x 4 do not end at 12 x 15.
    let shape = error(&|c| c["generator"]["channels"] = vec![8, 8, 8, 8].into());
    assert!(shape.contains("reshape"), "{shape}");
    assert!(
        models::preset("hgcal", Preset::Small)
            .err()
            .expect("an error")
            .to_string()
            .contains("hgcal-wgan")
    );
}
