//! The systems of the zero degree calorimeters: sizes in every geometry, labels that belong together.

use calogen::generate::{Generator, LabelRows};
use calogen::models::{self, Condition, Conditioning, Metadata, Preset, System, Weights};
use serde_json::{Value, json};

use super::gpu;

fn system(name: &str, preset: Preset, changes: &[(&str, Value)]) -> Box<dyn System> {
    let mut config = models::preset(name, preset).expect("the preset").config();
    for (key, value) in changes {
        let mut at = &mut config;
        for part in key.split('.') {
            at = &mut at[part];
        }
        *at = value.clone();
    }
    models::open(name, config).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn eleven() -> Value {
    json!([
        "energy", "mass", "charge", "px", "py", "pz", "vx", "vy", "vz", "spin", "pdg"
    ])
}

/// Counts added up in PyTorch from the published layer lists.
#[test]
fn sizes_follow_from_geometry_and_conditions() {
    let zp = ("shape", json!([1, 56, 30]));
    let digits = ("shape", json!([1, 28, 28]));
    let (all, none) = (("conditions", eleven()), ("conditions", json!([])));
    let (only_zp, only_digits) = ([zp.clone()], [digits.clone()]);
    let growth = |a: usize, b: usize, channels: usize| json!({"upsample": [a, b], "channels": channels, "kernel": 2});
    let convs = json!([growth(3, 2, 256), growth(1, 2, 128), growth(1, 1, 64)]);
    let pools = |second: [usize; 2]| json!([{"channels": 32, "kernel": 3, "pool": [2, 2]}, {"channels": 16, "kernel": 3, "pool": second}]);
    let of_zp = [
        zp.clone(),
        ("generator.start", json!([20, 10])),
        ("generator.convs", convs),
        ("discriminator.convs", pools([2, 1])),
    ];
    type Row<'a> = (&'a str, &'a [(&'a str, Value)], &'a [(&'a str, usize)]);
    let table: &[Row<'_>] = &[
        (
            "cond-vae",
            &[],
            &[("encoder", 257_356), ("decoder", 519_617)],
        ),
        (
            "cond-vae",
            &only_zp,
            &[("encoder", 236_876), ("decoder", 498_433)],
        ),
        (
            "cond-vae",
            &[zp.clone(), all.clone()],
            &[("encoder", 236_916), ("decoder", 505_601)],
        ),
        (
            "cond-vae",
            &[digits.clone(), none.clone()],
            &[("encoder", 205_976), ("decoder", 449_985)],
        ),
        (
            "cond-wae",
            &[],
            &[("encoder", 257_146), ("decoder", 519_617)],
        ),
        ("sae", &[], &[("encoder", 256_966), ("decoder", 478_145)]),
        (
            "swae",
            &only_digits,
            &[("encoder", 205_766), ("decoder", 449_985)],
        ),
        (
            "e2e-sae",
            &[],
            &[
                ("encoder", 256_756),
                ("decoder", 524_225),
                ("noise", 474_132),
            ],
        ),
        (
            "e2e-sae",
            &[zp, all],
            &[
                ("encoder", 236_276),
                ("decoder", 502_017),
                ("noise", 474_388),
            ],
        ),
        (
            "e2e-sae",
            &[digits, none],
            &[
                ("encoder", 205_556),
                ("decoder", 470_465),
                ("noise", 407_316),
            ],
        ),
        (
            "cond-dcgan",
            &[],
            &[("generator", 5_830_657), ("discriminator", 180_913)],
        ),
        (
            "cond-dcgan",
            &of_zp,
            &[("generator", 6_933_185), ("discriminator", 309_937)],
        ),
    ];
    for (name, changes, wanted) in table {
        let system = system(name, Preset::Paper, changes);
        let networks = system.networks().expect("networks");
        let sizes: Vec<(&str, usize)> = networks
            .iter()
            .map(|n| (n.name.as_str(), n.parameters()))
            .collect();
        assert_eq!(&sizes, wanted, "{name} {changes:?}");
        let [_, x, y] = system.shape();
        let image = networks
            .iter()
            .flat_map(|n| &n.layers)
            .find(|l| l.name == "image");
        assert_eq!(image.expect("the last layer").output, [1, x, y], "{name}");
    }
}

#[test]
fn bad_configurations_are_refused_in_words() {
    let refusal = |name: &str, key: &str, value: Value| {
        let mut config = models::preset(name, Preset::Small)
            .expect("the preset")
            .config();
        config[key] = value;
        let error = models::open(name, config).err().expect("a refusal");
        error.to_string()
    };
    let conditions = refusal("cond-vae", "conditions", json!(["mass", "energy"]));
    assert!(conditions.contains("energy"), "{conditions}");
    let twice = refusal("e2e-sae", "conditions", json!(["energy", "mass", "mass"]));
    assert!(twice.contains("'mass' twice"), "{twice}");
    let layers = refusal("swae", "shape", json!([2, 44, 44]));
    assert!(layers.contains("one layer"), "{layers}");
    let small = refusal("cond-dcgan", "shape", json!([1, 60, 44]));
    assert!(small.contains("too small"), "{small}");
    let kind = refusal(
        "sae",
        "regulariser",
        json!({"kind": "sinkhorn", "weigth": 1.0}),
    );
    assert!(kind.contains("weigth"), "{kind}");
    let mut per_energy = models::preset("sae", Preset::Small)
        .expect("the preset")
        .config()["preprocess"]
        .clone();
    per_energy["per_energy"] = true.into();
    let per_energy = refusal("sae", "preprocess", per_energy);
    assert!(per_energy.contains("unconditional"), "{per_energy}");
}

#[test]
fn labels_that_belong_together_are_not_drawn() {
    let free = json!(["energy", "position_x", "position_y"]);
    for (changes, conditioning) in [
        (vec![], Conditioning::Joint),
        (vec![("conditions", free)], Conditioning::Free),
        (vec![("conditions", json!([]))], Conditioning::Unconditional),
    ] {
        let system = system("cond-vae", Preset::Small, &changes);
        assert_eq!(system.conditioning(), conditioning);
        let generator = Generator::untrained(gpu(), system).expect("a generator");
        let labels = |energy| generator.labels(&[energy], 1, 0);
        match conditioning {
            Conditioning::Joint => {
                let error = labels(50.0).expect_err("a refusal").to_string();
                assert!(
                    error.contains("mass, charge, px") && error.contains("belong together"),
                    "{error}"
                );
            }
            Conditioning::Free => {
                assert_eq!(labels(50.0).expect("labels").columns, 3);
                assert!(labels(0.0).is_err());
            }
            Conditioning::Unconditional => {
                assert_eq!(labels(0.0).expect("labels").values, [0.0]);
            }
        }
    }
}

/// A generator of positive weights, which makes something of any noise.
fn positive(system: &dyn System) -> Generator {
    let condition = |name| Condition {
        name,
        unit: String::new(),
        min: 0.0,
        max: 100.0,
    };
    let mut weights = Weights {
        metadata: Metadata {
            model: system.name().into(),
            config: system.config(),
            conditions: system.conditions().into_iter().map(condition).collect(),
            ..Metadata::default()
        },
        ..Weights::default()
    };
    let kept = system.kept();
    for network in system.networks().expect("networks") {
        for t in network.tensors.iter() {
            let fan_in: usize = t.shape[1..].iter().product();
            let value = |i: usize| match t.name.rsplit('.').next() {
                Some("bias" | "mean" | "running_mean") => 0.01,
                _ if t.shape.len() == 1 => 1.0,
                _ => 2.0 * (i as f32 * 0.7).sin().abs() / fan_in as f32,
            };
            let values = (0..t.shape.iter().product()).map(value).collect();
            let full = format!("{}.{}", network.name, t.name);
            if kept.contains(&network.name.as_str()) {
                weights.tensors.insert(full, (t.shape.clone(), values));
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    weights.write(&path).expect("written");
    Generator::load(gpu(), &path).expect("a generator")
}

#[test]
fn events_are_equal_in_any_batch() {
    let calibrated = [("calibration", json!({"from": 0.5, "rate": 0.01}))];
    let cases: [(&str, &[(&str, Value)]); 4] = [
        ("cond-vae", &[]),
        ("swae", &[]),
        ("e2e-sae", &[]),
        ("cond-dcgan", &calibrated),
    ];
    for (name, changes) in cases {
        let system = system(name, Preset::Small, changes);
        let columns = system.conditions().len();
        let mut generator = positive(system.as_ref());
        let rows = |events: std::ops::Range<usize>| LabelRows {
            values: events
                .flat_map(|i| (0..columns).map(move |c| 1.0 + (i * 7 + c * 3) as f32 % 5.0))
                .collect(),
            columns,
        };
        generator.set_batch(32);
        let whole = generator.generate(&rows(0..21), 3, 0).expect("showers");
        let cells: usize = generator.shape().iter().product();
        let (first, rest) = whole.split_at(cells);
        assert!(first.iter().any(|&e| e > 0.0), "{name} makes something");
        assert!(rest.chunks_exact(cells).any(|s| s != first), "{name}");
        generator.set_batch(8);
        let tail = generator.generate(&rows(5..21), 3, 5).expect("showers");
        assert!(tail == whole[5 * cells..], "{name}");
    }
}
