//! Exported generators: every system's graph is run by a plain interpreter in f64 (`onnx/`), and must make what the device
//! makes from the same noise.
//!
//! `CALOGEN_EXPORTS=DIR` keeps the models and examples there, for `tools/check_onnx.py` to run in ONNX Runtime.

use std::collections::BTreeMap;

use calogen::generate::{Generator, LabelRows};
use calogen::models;

use super::gpu;
use super::onnx::{Model, Tensor};

/// What an exported generator may differ by, in units of the largest cell, and in units of what it loses where every value
/// between is kept in single precision: norms of nearly constant channels amplify roundings, on each device others.
const TOLERANCE: f64 = 2e-6;
const ROUNDINGS: f64 = 8.0;

/// Runs an exported generator on an example; the largest difference in units of the largest cell, and the tolerance.
fn difference(name: &str, generator: &Generator, labels: &LabelRows) -> (f64, f64) {
    let bytes = generator.to_onnx().expect(name);
    let example = generator.example(labels, 5, 3).expect(name);
    if let Some(folder) = std::env::var_os("CALOGEN_EXPORTS") {
        let at = |end: &str| std::path::Path::new(&folder).join(format!("{name}.{end}"));
        std::fs::write(at("onnx"), &bytes).expect("the model");
        example.write(at("safetensors")).expect("the example");
    }
    let model = Model::parse(&bytes);
    let mut given: BTreeMap<String, Tensor> = BTreeMap::new();
    for (name, (shape, values)) in &example.tensors {
        given.insert(name.clone(), Tensor::floats(shape, values));
    }
    let expected = given.remove("showers").expect("showers");
    let names: Vec<&String> = given.keys().collect();
    let mut inputs: Vec<&String> = model.inputs.iter().collect();
    inputs.sort();
    assert_eq!(
        inputs, names,
        "{name}: the model's inputs are the example's"
    );
    let [made, single] = [false, true].map(|s| model.run(given.clone(), s).remove("showers"));
    let (made, single) = (made.expect("showers"), single.expect("showers"));
    assert_eq!(made.shape, expected.shape, "{name}");
    let largest = expected.data.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    // Nothing at all would equal anything that is cut off at 0.
    if largest == 0.0 {
        return (f64::INFINITY, 0.0);
    }
    let off = |other: &Tensor| {
        let pairs = made.data.iter().zip(&other.data);
        pairs.fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())) / largest
    };
    (off(&expected), TOLERANCE + ROUNDINGS * off(&single))
}

#[test]
fn exported_graphs_make_the_same_showers() {
    let steps = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/steps");
    let mut wrong = Vec::new();
    // Between them: every kind of layer, norm and noise, density, flow, post processor and crop that a generator has.
    for name in [
        "hgcal-wgan-towers",
        "wgan",
        "bib-ae-kde",
        "bib-ae-flow",
        "bib-ae-hadron",
        "bib-ae-ahcal",
        "vae-energy",
        "cond-vae",
        "cond-dcgan",
        "e2e-sae",
    ] {
        let text = std::fs::read_to_string(steps.join(format!("{name}.json"))).expect(name);
        let mut case: serde_json::Value = serde_json::from_str(&text).expect(name);
        // A cell at a threshold would be there on one side and gone on the other.
        for threshold in ["/config/preprocess/threshold", "/config/cut"] {
            if let Some(threshold) = case.pointer_mut(threshold) {
                *threshold = 0.0.into();
            }
        }
        let model = case["model"].as_str().expect("a model");
        let system = models::open(model, case["config"].clone()).expect(name);
        let generator = Generator::untrained(gpu(), system).expect(name);
        let columns = generator.label_names().len();
        let values = (0..5 * columns).map(|i| 11.0 + (7 * i % 5) as f32);
        let labels = LabelRows {
            values: values.collect(),
            columns,
        };
        let (off, tolerance) = difference(name, &generator, &labels);
        println!("{name}: {off:.1e} of {tolerance:.1e}");
        if off.is_nan() || off > tolerance {
            wrong.push((name, off));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
