//! Whole evaluations and their JSON.

use calogen::metrics::{Evaluation, Options, evaluate};
use calogen::observables::{Calice, Geometry, MemorySample, PolarLayer, ShowerStart};
use serde_json::{Value, json};

use crate::{Uniform, close, compare, info, random, sample};

fn json(evaluation: &Evaluation) -> Value {
    serde_json::to_value(evaluation).unwrap()
}

#[test]
fn a_sample_against_itself_is_all_zeros() {
    let a = random([4, 5, 3], 200, 1);
    let report = compare(&a, &a);
    for o in &report.figures.observables {
        assert_eq!(
            (o.jsd, o.wasserstein1, o.ks),
            (Some(0.0), Some(0.0), Some(0.0)),
            "{}",
            o.name
        );
        assert_eq!(o.reference, o.generated, "{}", o.name);
    }
    assert_eq!(report.figures.correlation.max_abs_difference, Some(0.0));
    assert_eq!(report.figures.fidelity_score, Some(0.0));
    assert_eq!(report.figures.linearity.energies, [10.0, 20.0, 30.0]);
    assert_eq!(
        report.figures.linearity.reference,
        report.figures.linearity.generated
    );
}

#[test]
fn the_json_has_the_agreed_keys() {
    let report = json(&compare(
        &random([4, 5, 3], 200, 1),
        &random([4, 5, 3], 160, 2),
    ));
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for key in ["reference", "generated"] {
        assert_eq!(keys(&report[key]), ["events", "file"]);
        assert_eq!(
            keys(&report["linearity"][key]),
            ["mu90", "resolution", "sigma90"]
        );
        assert_eq!(report["correlation"][key].as_array().unwrap().len(), 12);
    }
    assert_eq!(report["generated"]["events"], 160);
    let observables = report["observables"].as_object().unwrap();
    assert_eq!(observables.len(), 14);
    for o in observables.values() {
        assert_eq!(
            keys(o),
            [
                "area_difference",
                "generated",
                "jsd",
                "ks",
                "ks_p_value",
                "reference",
                "separation_power",
                "wasserstein1"
            ]
        );
        assert_eq!(keys(&o["reference"]), ["mean", "std"]);
    }
    assert_eq!(
        keys(&report["profiles"]),
        ["longitudinal", "occupancy", "radial"]
    );
    assert_eq!(report["threshold"], 0.0);
    assert_eq!(report["unit"], "MeV");
    for key in ["channel_sums", "classifier", "frechet_regression_distance"] {
        assert_eq!(report.get(key), Some(&Value::Null), "{key}");
    }
    assert!(report["fidelity_score"].as_f64().unwrap() > 0.0);
    // Errors and halves have a place for every figure.
    let figures = keys(&report["errors"]);
    assert_eq!(figures.len(), 9);
    for tree in [
        &report["errors"],
        &report["halves"],
        &report["halves"]["errors"],
    ] {
        for figure in &figures {
            assert_eq!(keys_of(&tree[figure]), keys_of(&report[figure]), "{figure}");
        }
    }
    assert!(report["errors"]["fidelity_score"].as_f64().unwrap() > 0.0);
    assert_eq!(report["bootstrap"], json!({"replicas": 100, "seed": 0}));
}

/// All paths in a value.
fn keys_of(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => (map.iter())
            .flat_map(|(key, v)| {
                keys_of(v)
                    .into_iter()
                    .map(move |path| format!("{key}.{path}"))
            })
            .collect(),
        _ => vec![String::new()],
    }
}

#[test]
fn names_keep_their_order_in_the_file() {
    let a = random([3, 2, 2], 5, 1);
    let text = serde_json::to_string(&compare(&a, &a)).unwrap();
    let at = |name: &str| text.find(&format!("\"{name}\":")).unwrap();
    assert!(at("visible_energy") < at("n_hits") && at("n_hits") < at("cell_energy"));
    assert!(at("cell_energy") < at("response") && at("e3_fraction") < at("shower_start"));
}

#[test]
fn disjoint_samples_are_as_far_as_can_be() {
    let a = sample([1, 1, 2], &[1.0, 0.0, 2.0, 0.0], &[1.0, 1.0]);
    let b = sample([1, 1, 2], &[0.0, 7.0, 0.0, 8.0], &[1.0, 1.0]);
    let report = compare(&a, &b);
    let visible = report.figures.observable("visible_energy").unwrap();
    close(visible.jsd.unwrap(), std::f64::consts::LN_2);
    assert_eq!((visible.wasserstein1, visible.ks), (Some(6.0), Some(1.0)));
    // n_hits and cog_z are equal everywhere, visible_energy and cell_energy nowhere, and so are the profiles: of one
    // layer and of one ring.
    close(
        report.figures.fidelity_score.unwrap(),
        2.0 * std::f64::consts::LN_2.sqrt() / 6.0,
    );
    // Channels: a has (0, 0) even in the quadrant x ≥ 0, y < 1, b has (0, 1) odd.
    let sums = report.figures.channel_sums.unwrap();
    close(sums.mae.unwrap(), (1.0 + 2.0 + 7.0 + 8.0) / 10.0);
    close(sums.wasserstein1, (1.5 + 7.5) / 5.0);
    assert!(
        report.figures.correlation.names.len() == 9 && report.figures.linearity.energies.is_empty()
    );
}

#[test]
fn showers_without_energy_leave_nulls() {
    let zero = sample([3, 2, 2], &[0.0; 12 * 60], &[20.0; 60]);
    let other = random([3, 2, 2], 180, 3);
    for (report, both) in [
        (compare(&zero, &zero), true),
        (compare(&other, &zero), false),
    ] {
        let null = |name: &str| {
            let o = report.figures.observable(name).unwrap();
            o.jsd.is_none()
                && o.wasserstein1.is_none()
                && o.ks.is_none()
                && o.generated.mean.is_none()
        };
        assert!(
            [
                "cell_energy",
                "cog_x",
                "width_z",
                "e1_fraction",
                "shower_start"
            ]
            .into_iter()
            .all(null)
        );
        assert_eq!(
            report
                .figures
                .observable("visible_energy")
                .unwrap()
                .jsd
                .is_some_and(|j| j == 0.0),
            both
        );
        assert_eq!(report.figures.fidelity_score, None);
        assert_eq!(report.figures.correlation.mean_abs_difference, None);
        assert_eq!(report.figures.linearity.energies, [20.0]);
        assert_eq!(report.figures.linearity.generated.sigma90, [0.0]);
        assert!(!report.to_string().contains("NaN"));
        assert_eq!(json(&report)["correlation"]["generated"][0][0], Value::Null);
    }
}

#[test]
fn a_threshold_above_everything_is_an_empty_sample() {
    let a = random([3, 2, 2], 60, 3);
    let options = Options {
        threshold: Some(10.0),
        ..Options::default()
    };
    let report = evaluate(&a, &a, &options).unwrap();
    assert_eq!(
        report.figures.observable("n_hits").unwrap().reference.mean,
        Some(0.0)
    );
    assert_eq!(
        report
            .figures
            .observable("cell_energy")
            .unwrap()
            .reference
            .mean,
        None
    );
    assert_eq!(report.threshold, 10.0);
}

#[test]
fn the_threshold_is_the_reference_s_unless_given() {
    let of = |threshold| {
        let mut info = info("a", [1, 1, 2]);
        info.threshold = threshold;
        MemorySample::new(info, vec![1.0, 3.0], vec![1.0], 1)
    };
    let hits = |report: Evaluation| {
        let hits = report.figures.observable("n_hits").unwrap();
        (
            report.threshold,
            hits.reference.mean.unwrap(),
            hits.generated.mean.unwrap(),
        )
    };
    assert_eq!(
        hits(compare(&of(Some(2.0)), &of(Some(0.5)))),
        (2.0, 1.0, 1.0)
    );
    assert_eq!(hits(compare(&of(None), &of(Some(2.0)))), (0.0, 2.0, 2.0));
    let options = Options {
        threshold: Some(0.0),
        ..Options::default()
    };
    assert_eq!(
        hits(evaluate(&of(Some(2.0)), &of(None), &options).unwrap()),
        (0.0, 2.0, 2.0)
    );
    let options = Options {
        threshold: Some(f64::NAN),
        ..Options::default()
    };
    assert!(evaluate(&of(None), &of(None), &options).is_err());
}

#[test]
fn what_disagrees_is_said_once_for_both() {
    let a = random([3, 2, 2], 5, 1);
    let mut other = info("other.h5", [3, 2, 1]);
    other.unit = "MIP".into();
    let b = MemorySample::new(other, vec![0.0; 6], vec![1.0], 1);
    assert_eq!(
        evaluate(&a, &b, &Options::default())
            .unwrap_err()
            .to_string(),
        "other.h5: showers of shape [3, 2, 1] in MIP, but the reference sample.h5 has showers of shape [3, 2, 2] in MeV"
    );
}

#[test]
fn continuous_energies_fall_into_ten_bins() {
    let mut uniform = Uniform(9);
    let mut draw = |n: usize, low: f64, high: f64| {
        let energy: Vec<f64> = (0..n)
            .map(|i| low + (high - low) * i as f64 / (n - 1) as f64)
            .collect();
        let cells: Vec<f64> = energy
            .iter()
            .map(|e| e * (1.0 + 0.1 * uniform.next()))
            .collect();
        sample([1, 1, 1], &cells, &energy)
    };
    // The generated sample lacks the two highest bins and has fewer than 50 in the bin before.
    let (reference, generated) = (draw(1000, 10.0, 110.0), draw(700, -10.0, 86.0));
    let linearity = compare(&reference, &generated).figures.linearity;
    assert_eq!(
        linearity.energies,
        [15.0, 25.0, 35.0, 45.0, 55.0, 65.0, 75.0]
    );
    assert!(linearity.reference.events.iter().all(|&n| n == 100));
    for (k, energy) in linearity.energies.iter().enumerate() {
        let side = &linearity.generated;
        assert!((side.mu90[k] / energy - 1.05).abs() < 0.03);
        close(side.resolution[k].unwrap(), side.sigma90[k] / side.mu90[k]);
    }
}

#[test]
fn discrete_energies_need_50_showers_in_both() {
    let of = |counts: [(f64, usize); 3]| {
        let energy: Vec<f64> = counts.iter().flat_map(|&(e, n)| vec![e; n]).collect();
        sample([1, 1, 1], &vec![1.0; energy.len()], &energy)
    };
    let a = of([(30.0, 50), (10.0, 60), (20.0, 100)]);
    // 10 GeV equal as float32 only; 20 GeV too few.
    let b = of([(30.0, 50), (10.0 + 1e-9, 55), (20.0, 49)]);
    let linearity = compare(&a, &b).figures.linearity;
    assert_eq!(linearity.energies, [10.0, 30.0]);
    assert_eq!(
        (linearity.reference.events, linearity.generated.events),
        (vec![60, 50], vec![55, 50])
    );
}

#[test]
fn calice_start_is_an_option() {
    let a = random([4, 6, 6], 20, 4);
    let calice = Calice {
        energy: 0.0,
        energy_slope: 0.0,
        hits: 0.0,
        hits_slope: 0.0,
        ..Calice::default()
    };
    let options = Options {
        shower_start: ShowerStart::Calice(calice),
        ..Options::default()
    };
    let report = evaluate(&a, &a, &options).unwrap();
    assert_eq!(
        report
            .figures
            .observable("shower_start")
            .unwrap()
            .reference
            .mean,
        Some(0.0)
    );
    assert_eq!(json(&report)["shower_start_definition"], json!("calice"));
    let options = Options {
        shower_start: ShowerStart::Calice(Calice {
            energy: 1e9,
            ..calice
        }),
        ..options
    };
    assert_eq!(
        evaluate(&a, &a, &options)
            .unwrap()
            .figures
            .observable("shower_start")
            .unwrap()
            .jsd,
        None
    );
}

#[test]
fn images_and_table() {
    let report = compare(&random([4, 5, 3], 200, 1), &random([4, 5, 3], 300, 2));
    let (front, side) = (
        report
            .reference
            .front_image(&report.reference.mean_shower)
            .unwrap(),
        report
            .reference
            .side_image(&report.reference.mean_shower)
            .unwrap(),
    );
    assert_eq!((front.len(), side.len()), (15, 12));
    let total: f64 = report.reference.mean_shower.iter().sum();
    close(front.iter().sum(), total);
    close(side.iter().sum(), total);
    close(
        side[..3].iter().sum(),
        report.figures.profiles.longitudinal.reference[0],
    );
    let table = report.to_string();
    assert!(
        table.contains("σ90/μ90")
            && table.contains("layer")
            && table.contains("cell_energy")
            && table.contains("fidelity score")
    );
    println!("{table}");
}

#[test]
fn voxels_have_no_rings() {
    let voxels = || {
        let layer = |id| PolarLayer {
            id,
            r_edges: vec![0.0, 1.0, 2.0],
            alpha_bins: 3,
        };
        let mut info = info("a", [0; 3]);
        info.geometry = Geometry::Polar((0..4).map(layer).collect());
        info
    };
    let of = |seed| {
        let mut uniform = Uniform(seed);
        let cells = (0..24 * 100)
            .map(|_| f64::from(uniform.next() as f32))
            .collect();
        MemorySample::new(voxels(), cells, vec![10.0; 100], 7)
    };
    let report = compare(&of(1), &of(2));
    assert!(
        report.figures.profiles.radial.is_none() && report.reference.front_image(&[]).is_none()
    );
    assert_eq!(report.figures.profiles.longitudinal.reference.len(), 4);
    assert_eq!(report.figures.correlation.names.len(), 8);
    assert_eq!(report.figures.observables.len(), 4 + 2 + 3 + 4 * 6 + 1);
    let jsd = |name: &str| report.figures.observable(name).unwrap().jsd.unwrap().sqrt();
    let named: f64 = ["visible_energy", "n_hits", "cell_energy", "cog_z"]
        .into_iter()
        .map(jsd)
        .sum();
    close(
        report.figures.fidelity_score.unwrap(),
        (named + report.figures.profiles.longitudinal.jsd.unwrap().sqrt()) / 5.0,
    );
    assert!(json(&report)["profiles"].get("radial").is_none());
    let grid = random([4, 3, 2], 100, 1);
    let error = evaluate(&grid, &of(1), &Options::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("α × r voxels 3 × 2, 3 × 2") && error.contains("shape [4, 3, 2]"),
        "{error}"
    );
}
