//! Inception v3 against PyTorch: cases of `tools/make_inception.py`.

use std::collections::BTreeMap;
use std::path::Path;

use calogen::inception::{Inception, Variant, bilinear, nearest};

use super::gpu;
use super::steps::named;

/// Tensors by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The made-up start of a tensor.
fn made_up(name: &str, shape: &[usize]) -> Vec<f32> {
    let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
    let value = |u: f64| match name {
        _ if name.ends_with("conv.weight") => u * bound,
        _ if name.ends_with("bn.weight") || name.ends_with("running_var") => 1.0 + 0.25 * u,
        _ => 0.1 * u,
    };
    let numbers = named(name, shape.iter().product()).into_iter();
    numbers.map(|u| value(2.0 * u - 1.0) as f32).collect()
}

struct Case {
    tensors: Tensors,
    size: usize,
    features: Vec<f64>,
}

fn case(name: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/inception/{name}.json"));
    let text = std::fs::read_to_string(path).expect("the case");
    let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let numbers = |v: &serde_json::Value| -> Vec<f64> {
        v.as_array()
            .expect("numbers")
            .iter()
            .filter_map(serde_json::Value::as_f64)
            .collect()
    };
    let tensors = case["tensors"]
        .as_object()
        .expect("tensors")
        .iter()
        .map(|(name, shape)| {
            let shape: Vec<usize> = numbers(shape).into_iter().map(|n| n as usize).collect();
            let values = made_up(name, &shape);
            (name.clone(), (shape, values))
        });
    Case {
        tensors: tensors.collect(),
        size: case["size"].as_u64().expect("a size") as usize,
        features: numbers(&case["features"]),
    }
}

#[test]
fn features_are_those_of_pytorch() {
    for variant in [Variant::Torchvision, Variant::PytorchFid] {
        let name = variant.name();
        let case = case(name);
        let network = Inception::new(gpu(), variant, case.tensors, case.size).expect("the network");
        assert_eq!((network.features(), case.features.len()), (128, 3 * 128));
        let images: Vec<f32> = named("images", 3 * case.size * case.size)
            .into_iter()
            .map(|v| v as f32)
            .collect();
        let found = network.run(&images).expect("features");
        let rms =
            (case.features.iter().map(|f| f * f).sum::<f64>() / case.features.len() as f64).sqrt();
        for (i, (found, want)) in found.iter().zip(&case.features).enumerate() {
            let error = (f64::from(*found) - want).abs();
            assert!(
                error <= 2e-5 * rms,
                "{name} feature {i}: {found}, want {want}"
            );
        }
    }
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let tensors = case("torchvision").tensors;
    let fails = |change: &dyn Fn(&mut Tensors), words: &str| {
        let mut tensors = tensors.clone();
        change(&mut tensors);
        let error = Inception::new(gpu(), Variant::Torchvision, tensors, 75)
            .err()
            .expect("an error")
            .to_string();
        assert!(error.contains(words), "{error}");
    };
    let name = "Mixed_6c.branch7x7_2.bn.bias";
    fails(
        &|t| drop(t.remove(name)),
        "'Mixed_6c.branch7x7_2.bn.bias' is missing",
    );
    fails(
        &|t| drop(t.insert(name.into(), (vec![3], vec![0.0; 3]))),
        "has shape [3], expected [10]",
    );
    fails(
        &|t| drop(t.insert("fc.bias".into(), (vec![1], vec![0.0]))),
        "'fc.bias' belongs to no layer",
    );
    fails(&|t| t.clear(), "'Conv2d_1a_3x3.conv.weight' is missing");
    let error = Inception::new(gpu(), Variant::Torchvision, tensors.clone(), 74)
        .err()
        .expect("too small");
    assert!(error.to_string().contains("at least 75"), "{error}");
    let error = Inception::load(gpu(), super::sample(), 299)
        .err()
        .expect("no safetensors");
    assert!(error.to_string().contains("hgcal_sample.h5"), "{error}");
}

#[test]
fn images_are_resized_as_by_pytorch() {
    // Squares of 0 to 5 in [2, 3].
    let image: Vec<f32> = (0..6).map(|v| (v * v) as f32).collect();
    let close = |found: Vec<f32>, want: &[f32]| {
        assert_eq!(found.len(), want.len());
        for (found, want) in found.iter().zip(want) {
            assert!((found - want).abs() <= 1e-5, "{found} {want}");
        }
    };
    let up = [
        0.0, 0.4, 1.0, 2.8, 4.0, 4.5, 6.1, 8.5, 12.1, 14.5, 9.0, 11.8, 16.0, 21.4, 25.0,
    ];
    close(bilinear(&image, [2, 3], [3, 5]), &up);
    close(bilinear(&image, [2, 3], [1, 2]), &[5.5, 13.0]);
    let near = [
        0.0, 0.0, 1.0, 1.0, 4.0, 0.0, 0.0, 1.0, 1.0, 4.0, 9.0, 9.0, 16.0, 16.0, 25.0,
    ];
    close(nearest(&image, [2, 3], [3, 5]), &near);
}
