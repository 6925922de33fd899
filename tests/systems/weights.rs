//! Weights files: what is refused, and with which words.

use std::path::Path;

use calogen::generate::{Generator, LabelRows};
use calogen::models::{self, Condition, Metadata, Preset, Weights};
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

/// A file of `header` and as many zeros as it says, or as given.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn an_older_version_works_and_a_newer_one_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    weights().write(&path).expect("written");
    let bytes = std::fs::read(&path).expect("bytes");
    let version = |other: &[u8]| {
        let at = b"\"version\":\"1\"";
        let place = bytes.windows(at.len()).position(|w| w == at);
        let mut bytes = bytes.clone();
        bytes[place.expect("the version")..][..other.len()].copy_from_slice(other);
        Weights::from_bytes(&bytes, Path::new("x"))
    };
    assert!(version(b"\"version\":\"0\"").is_ok());
    let newer = version(b"\"version\":\"2\"").expect_err("a refusal");
    let newer = newer.to_string();
    assert!(
        newer.contains("newer calogen") && newer.contains("version 2"),
        "{newer}"
    );
}

/// Headers that lie about sizes: each is refused at once, whatever it claims.
#[test]
fn claims_are_compared_with_the_file_before_anything_is_allocated() {
    let about = r#""__metadata__":{"format":"calogen","version":"1"}"#;
    let tensor = |shape: &str, from: &str, to: &str| {
        format!(r#"{{{about},"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
    };
    let max = u64::MAX.to_string();
    let cases = [
        (tensor("[2]", "0", "4"), 4),
        (tensor("[1]", "0", "8"), 4),
        (tensor("[1]", "4", "8"), 8),
        (tensor("[1]", "0", "4"), 8),
        (tensor("[1]", "4", "0"), 4),
        (tensor("[4294967296,4294967296]", "0", "0"), 0),
        (tensor("[4611686018427387904]", "0", "0"), 0),
        (tensor("[1]", "0", &max), 4),
        (tensor("[1]", &max, &max), 4),
        (tensor("[1]", "-1", "3"), 4),
        (tensor("[1.5]", "0", "6"), 6),
        (tensor("[18446744073709551616]", "0", "4"), 4),
        (tensor("null", "0", "4"), 4),
        ("[".repeat(1 << 16), 0),
        (r#"{"__metadata__":{"format":1}}"#.into(), 0),
        (r#"{"a":{"dtype":"F32"}}"#.into(), 0),
        ("{}".into(), 0),
        ("\u{0}".into(), 0),
    ];
    for (header, data) in cases {
        let found = Weights::from_bytes(&file(&header, data), Path::new("x"));
        let message = found.expect_err("a refusal").to_string();
        assert!(message.starts_with("x: "), "{message}");
        assert!(message.len() < 400, "{message}");
    }
    let mut claims = u64::from(u32::MAX).to_le_bytes().to_vec();
    claims.extend(b"{}");
    let message = Weights::from_bytes(&claims, Path::new("x")).expect_err("a refusal");
    let message = message.to_string();
    assert!(message.contains("4294967295 bytes is claimed"), "{message}");
}

/// A configuration may claim anything: it is refused in words, or nothing is allocated for it beyond what the file holds.
#[test]
fn configurations_that_claim_too_much_are_refused() {
    let values = [
        serde_json::json!(0),
        serde_json::json!(-1),
        serde_json::json!(4_000_000),
        serde_json::json!(1 << 24),
        serde_json::json!(u64::MAX),
        serde_json::json!(1e300),
    ];
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % n
    };
    let (mut possible, mut refused) = (0, 0);
    for entry in models::ENTRIES {
        let config = models::preset(entry.name, Preset::Small)
            .expect("the preset")
            .config();
        let count = numbers(&mut config.clone()).len();
        for value in values.iter().cycle().take(30) {
            let mut changed = config.clone();
            *numbers(&mut changed)[random(count)] = value.clone();
            match models::open(entry.name, changed) {
                Ok(_) => possible += 1,
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().len() < 1000, "{error}");
                }
            }
        }
    }
    assert!(
        possible > 50 && refused > 200,
        "{possible} possible, {refused} refused"
    );
    let large = refusal(|w| *numbers(&mut w.metadata.config)[0] = (1u64 << 25).into());
    assert!(large.contains("beyond all sense"), "{large}");
}

/// Every number in a configuration.
fn numbers(config: &mut serde_json::Value) -> Vec<&mut serde_json::Value> {
    match config {
        serde_json::Value::Number(_) => vec![config],
        serde_json::Value::Array(list) => list.iter_mut().flat_map(numbers).collect(),
        serde_json::Value::Object(map) => map.values_mut().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

/// Thousands of broken files: refused in words, or read as the reference implementation reads them.
#[test]
fn mutated_files_never_panic_and_agree_with_the_reference() {
    let small = concat!(
        r#"{"__metadata__":{"format":"calogen","version":"1","model":"m","config":"{}","conditions":"[]"},"#,
        r#""a.b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#,
        r#""c":{"dtype":"F32","shape":[],"data_offsets":[24,28]},"#,
        r#""d":{"dtype":"F32","shape":[4,0],"data_offsets":[28,28]}}"#
    );
    let whole = file(small, 28);
    assert!(Weights::from_bytes(&whole, Path::new("x")).is_ok());
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % n
    };
    let (mut read, mut refused) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = whole.clone();
        match round % 5 {
            0 => bytes.truncate(random(bytes.len())),
            1 => bytes[random(8)] = random(256) as u8,
            2 => bytes.extend((0..random(9)).map(|i| i as u8)),
            // Digits and punctuation of the header, where the sizes are.
            3 => {
                let at = 8 + random(small.len());
                bytes[at] = b"0123456789,:[]{}\"-e."[random(20)];
            }
            _ => {
                for _ in 0..=random(4) {
                    let at = random(bytes.len());
                    bytes[at] ^= 1 << random(8);
                }
            }
        }
        match Weights::from_bytes(&bytes, Path::new("x")) {
            Err(_) => refused += 1,
            Ok(weights) => {
                read += 1;
                let reference = safetensors::SafeTensors::deserialize(&bytes).expect("read");
                assert_eq!(weights.tensors.len(), reference.len());
                for (name, view) in reference.iter() {
                    let (shape, values) = &weights.tensors[name];
                    assert_eq!(shape, view.shape());
                    assert_eq!(bytemuck::cast_slice::<f32, u8>(values), view.data());
                }
            }
        }
    }
    assert!(
        read > 500 && refused > 5000,
        "{read} read, {refused} refused"
    );
}
