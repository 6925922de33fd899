//! Weights files: what is refused, and with which words.

use std::path::Path;

use calogen::generate::{Generator, LabelRows};
use calogen::models::{Condition, Metadata, Weights};
use calogen::reconstruct::Reconstructor;

use super::{gpu, small};

/// Weights of the small preset, every tensor filled with a small number.
fn weights() -> Weights {
    let system = small();
    let condition = |name: &str, unit: &str| Condition {
        name: name.into(),
        unit: unit.into(),
        min: 1.0,
        max: 2.0,
    };
    let mut weights = Weights {
        metadata: Metadata {
            model: system.name().into(),
            config: system.config(),
            unit: "MeV".into(),
            conditions: vec![
                condition("energy", "GeV"),
                condition("position_x", "mm"),
                condition("position_y", "mm"),
            ],
            steps: 12,
            quality: "none".into(),
            ..Metadata::default()
        },
        ..Weights::default()
    };
    for network in system
        .networks()
        .expect("networks")
        .into_iter()
        .filter(|n| n.name == "generator")
    {
        for tensor in network.tensors {
            let values = vec![0.01; tensor.shape.iter().product()];
            weights
                .tensors
                .insert(format!("generator.{}", tensor.name), (tensor.shape, values));
        }
    }
    weights
}

fn load(weights: &Weights, folder: &Path) -> calogen::Result<Generator> {
    let path = folder.join("w.safetensors");
    weights.write(&path)?;
    Generator::load(gpu(), path)
}

fn refusal(change: impl FnOnce(&mut Weights)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut weights = weights();
    change(&mut weights);
    load(&weights, folder.path())
        .err()
        .expect("a refusal")
        .to_string()
}

#[test]
fn a_file_comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let weights = weights();
    weights.write(&path).expect("written");
    let back = Weights::read(&path).expect("read");
    assert_eq!(back.metadata, weights.metadata);
    assert_eq!(back.tensors, weights.tensors);
    assert_eq!(back.hash.len(), 64);
    let bytes = std::fs::read(&path).expect("bytes");
    let mut generator = Generator::from_bytes(gpu(), &bytes).expect("a generator from memory");
    let labels = generator.labels(&[1.5], 0, 0).expect("labels");
    assert_eq!(
        generator.generate(&labels, 0, 0).expect("a shower").len(),
        7 * 12 * 15
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let tensor = "generator.trunk0.weight";
    let missing = refusal(|w| drop(w.tensors.remove(tensor)));
    assert!(
        missing.contains(tensor) && missing.contains("missing"),
        "{missing}"
    );
    let shape = refusal(|w| w.tensors.get_mut(tensor).expect("a tensor").0 = vec![16, 16, 9]);
    assert!(
        shape.contains(tensor) && shape.contains("[16, 16, 9]") && shape.contains("[16, 16, 3, 3]"),
        "{shape}"
    );
    let nan = refusal(|w| w.tensors.get_mut(tensor).expect("a tensor").1[5] = f32::NAN);
    assert!(nan.contains(tensor) && nan.contains("element 5"), "{nan}");
    let extra = refusal(|w| {
        drop(
            w.tensors
                .insert("generator.more.weight".into(), (vec![1], vec![0.0])),
        )
    });
    assert!(extra.contains("generator.more.weight"), "{extra}");
    let model = refusal(|w| w.metadata.model = "other".into());
    assert!(model.contains("other"), "{model}");
    let key = refusal(|w| w.metadata.config["depth"] = 1.into());
    assert!(key.contains("depth"), "{key}");
    let labels = refusal(|w| drop(w.metadata.conditions.pop()));
    assert!(labels.contains("position_y"), "{labels}");
}

#[test]
fn other_files_are_refused() {
    let read = |bytes: &[u8]| {
        Weights::from_bytes(bytes, Path::new("x"))
            .expect_err("a refusal")
            .to_string()
    };
    assert!(read(b"").contains("safetensors"));
    assert!(read(&[0xff; 64]).contains("safetensors"));
    let with = |metadata: &str| {
        let header = format!("{{\"__metadata__\":{metadata}}}");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        read(&bytes)
    };
    assert!(with("{}").contains("no format"));
    assert!(with(r#"{"format":"pt"}"#).contains("'pt'"));
    let newer = with(r#"{"format":"calogen","version":"99"}"#);
    assert!(newer.contains("newer") && newer.contains("99"), "{newer}");
    // A header that claims more than the file holds.
    let mut long = u64::MAX.to_le_bytes().to_vec();
    long.extend(b"{}");
    assert!(read(&long).contains("safetensors"));
}

#[test]
fn all_shipped_weights_load_and_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/weights");
    let entries = std::fs::read_dir(folder).expect("the weights");
    let mut seen = 0;
    for path in entries.map(|e| e.expect("an entry").path()) {
        let weights = Weights::read(&path).expect("weights");
        let about = weights.metadata.clone();
        assert!(
            !about.quality.is_empty() && about.steps > 0,
            "{} says how good it is",
            path.display()
        );
        if about.model.starts_with("regressor") {
            let regressor = Reconstructor::load(gpu(), &path).expect("a regressor");
            let cells: usize = regressor.shape().iter().product();
            let found = regressor.run(&vec![0.1; 3 * cells]).expect("energies");
            assert_eq!((found.energies.len(), found.features.len()), (3, 300));
        } else {
            let mut generator = Generator::new(gpu(), weights, &path).expect("a generator");
            let middle = about.conditions.iter().map(|c| 0.5 * (c.min + c.max));
            let labels = LabelRows {
                values: middle.collect(),
                columns: about.conditions.len(),
            };
            let shower = generator.generate(&labels, 1, 0).expect("a shower");
            assert!(shower.iter().sum::<f32>() > 0.0, "{}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 4, "{seen} weights");
}

#[test]
fn an_untrained_regressor_depends_on_its_seed_alone() {
    let found = |seed| {
        let regressor =
            Reconstructor::untrained(gpu(), "regressor-core", seed).expect("a regressor");
        assert_eq!(regressor.shape(), [15; 3]);
        let showers: Vec<f32> = (0..2 * 15 * 15 * 15)
            .map(|i| (i % 7) as f32 * 0.3)
            .collect();
        regressor.run(&showers).expect("features").features
    };
    let (a, b) = (found(1), found(2));
    assert_eq!(a.len(), 200);
    assert!(a == found(1) && a != b);
    assert!(a[..100] != a[100..], "showers differ");
    let error = Reconstructor::untrained(gpu(), "vae", 1)
        .err()
        .expect("no regressor");
    assert_eq!(error.to_string(), "model vae is no regressor");
}
