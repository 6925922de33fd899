//! Whole training steps against PyTorch in float64: `tools/make_steps.py` makes the cases in `tests/steps`, and its
//! `steps/common.py` makes up the same weights and data from names as this file does.

use std::path::Path;

use calogen::data::Showers;
use calogen::models::{self, Turn};
use calogen::ops::random::uniform;
use calogen::train::{Losses, Session};

use super::gpu;

/// What float32 may differ from float64 after some steps, relative.
const LOSS_TOLERANCE: f64 = 2e-4;
/// Likewise for parameters, as a share of the distance that they moved.
const UPDATE_TOLERANCE: f64 = 5e-3;

/// `count` numbers in (0, 1) that belong to a name.
pub fn named(name: &str, count: usize) -> Vec<f64> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |seed, byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (0..count)
        .map(|i| f64::from(uniform(seed, 0, 0, i as u32)))
        .collect()
}

/// The made-up start of a tensor, by its full name.
fn initial(name: &str, shape: &[usize]) -> Vec<f32> {
    let (layer, last) = name.rsplit_once('.').expect("network.layer.tensor");
    let count = shape.iter().product();
    let bound = (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
    let value = |u: f64| match last {
        "running_var" | "std" => 1.0 + 0.25 * u,
        "mask" => f64::from(u8::from(u > -0.5)),
        "weight" if layer.ends_with("norm") => 1.0 + 0.25 * u,
        "bias" | "running_mean" | "mean" => 0.1 * u,
        _ if shape.len() >= 2 => u * bound,
        _ => 0.5 * u,
    };
    let numbers = named(name, count).into_iter();
    numbers.map(|u| value(2.0 * u - 1.0) as f32).collect()
}

fn check(path: &Path) {
    let name = path
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let text = std::fs::read_to_string(path).expect("the case");
    let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let numbers = |v: &serde_json::Value| -> Vec<f64> {
        let list = v.as_array().expect("a list");
        list.iter().map(|x| x.as_f64().expect("a number")).collect()
    };
    let model = case["model"].as_str().expect("a model");
    let system =
        models::open(model, case["config"].clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let batch = case["batch"].as_u64().expect("a batch") as usize;
    let scale = case["cell_scale"].as_f64().expect("a scale");
    let shape = system.shape();
    let cells = named("showers", batch * shape.iter().product::<usize>());
    let conditions = system.conditions();
    let columns: Vec<Vec<f32>> = conditions
        .iter()
        .map(|condition| {
            let u = named(condition, batch).into_iter();
            if condition == "energy" {
                u.map(|u| (10.0 + 80.0 * u) as f32).collect()
            } else {
                u.map(|u| (6.0 * u - 3.0) as f32).collect()
            }
        })
        .collect();
    let column = |what: &str| conditions.iter().position(|c| c == what);
    let showers = Showers {
        shape,
        layers: cells
            .into_iter()
            .map(|u| ((u - 0.6).max(0.0) * scale) as f32)
            .collect(),
        energy: columns[column("energy").expect("an energy")].clone(),
        position: column("position_x").map(|x| {
            let y = column("position_y").expect("both positions");
            (0..batch).map(|i| [columns[x][i], columns[y][i]]).collect()
        }),
        conditions: Some(
            (0..batch)
                .flat_map(|i| columns.iter().map(move |c| c[i]))
                .collect(),
        ),
        condition_names: conditions.clone(),
    };
    let seed = case["seed"].as_u64().expect("a seed");
    let mut session = Session::new(gpu(), system, batch, seed).expect("a session");
    let mut starts = std::collections::HashMap::new();
    for (network, parameters) in session.networks().iter() {
        for tensor in &parameters.network().tensors {
            let full = format!("{network}.{}", tensor.name);
            let values = initial(&full, &tensor.shape);
            parameters
                .set(gpu(), &tensor.name, &values)
                .expect("a tensor");
            starts.insert(full, values);
        }
    }
    let compare = |losses: Option<Losses>, turn: &mut usize| {
        let Some(losses) = losses else { return };
        let wanted = numbers(&case["losses"][*turn]);
        assert_eq!(
            losses.values.len(),
            wanted.len(),
            "{name}: losses of turn {turn}"
        );
        for ((what, got), want) in losses.values.iter().zip(wanted) {
            let error = (f64::from(*got) - want).abs();
            let allowed = LOSS_TOLERANCE * want.abs().max(1e-2);
            assert!(
                error <= allowed,
                "{name}: turn {turn}: {what} is {got}, PyTorch has {want}"
            );
        }
        *turn += 1;
    };
    let mut arrived = 0;
    for turn in case["turns"].as_array().expect("turns") {
        let turn = Turn {
            step: turn[0].as_u64().expect("a step") as usize,
            learning_rate: turn[1].as_f64().expect("a rate") as f32,
        };
        let losses = session.take(turn, &showers).expect("a step");
        compare(losses, &mut arrived);
    }
    while let Some(losses) = session.arrived().expect("losses") {
        compare(Some(losses), &mut arrived);
    }
    assert_eq!(arrived, case["losses"].as_array().expect("losses").len());
    let wanted = case["parameters"].as_object().expect("parameters");
    assert_eq!(
        wanted.len(),
        starts.len(),
        "{name}: PyTorch has {:?}, the networks {:?}",
        wanted.keys(),
        starts.keys()
    );
    let mut moved = 0;
    for (full, want) in wanted {
        let (network, tensor) = full.split_once('.').expect("network.tensor");
        let parameters = session.networks().get(network).expect("the network");
        let now = parameters
            .get(gpu(), tensor, false)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let before = &starts[full];
        // Nothing depends on idle elements: rounding errors move them, here and there.
        let mut idle = vec![false; now.len()];
        for at in want.get("idle").map(numbers).unwrap_or_default() {
            idle[at as usize] = true;
        }
        let others = idle.iter().filter(|i| !**i).count();
        let pairs = now.iter().zip(before).zip(&idle).filter(|(_, i)| !**i);
        let update =
            pairs.map(|((a, b), _)| f64::from(a - b).abs()).sum::<f64>() / others.max(1) as f64;
        let wanted_update = want["update"].as_f64().expect("a number");
        assert!(
            (update - wanted_update).abs() <= 0.02 * wanted_update + 1e-8,
            "{name}: {full} moved {update} on average, in PyTorch {wanted_update}"
        );
        moved += usize::from(wanted_update > 0.0);
        let places = numbers(&want["at"]);
        for (at, value) in places.iter().zip(numbers(&want["values"])) {
            let at = *at as usize;
            let distance = (value - f64::from(before[at])).abs();
            let error = (f64::from(now[at]) - value).abs();
            assert!(
                error <= UPDATE_TOLERANCE * distance + 2e-7 * value.abs().max(0.05),
                "{name}: {full}[{at}] went from {} to {}, in PyTorch to {value}",
                before[at],
                now[at]
            );
        }
    }
    assert!(moved > 0, "{name}: nothing moved");
    println!("ok {name}: {arrived} turns, {moved} tensors moved");
}

#[test]
fn training_steps_are_those_of_pytorch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/steps");
    let entries = std::fs::read_dir(folder).expect("the cases");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let only = std::env::var("CALOGEN_STEPS").unwrap_or_default();
    for path in paths.iter().filter(|p| p.to_string_lossy().contains(&only)) {
        check(path);
    }
}
