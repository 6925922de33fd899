//! Statistical errors, and the halves of the reference.

use calogen::metrics::{Evaluation, Options, evaluate};
use calogen::observables::{Bootstrap, MemorySample, SampleInfo, half};

use crate::{Uniform, compare, info, random, sample};

fn with(reference: &MemorySample, generated: &MemorySample, bootstrap: Bootstrap) -> Evaluation {
    let options = Options {
        bootstrap,
        ..Options::default()
    };
    evaluate(reference, generated, &options).unwrap()
}

/// Showers of three layers with normal energies of this mean and deviation, all cells hit.
fn normal(events: usize, mean: f64, deviation: f64, seed: u64, block: usize) -> MemorySample {
    let mut uniform = Uniform(seed);
    let mut draw = || {
        let sum: f64 = (0..12).map(|_| uniform.next()).sum();
        f64::from((mean + deviation * (sum - 6.0)) as f32)
    };
    let cells = (0..events * 12).map(|_| draw()).collect();
    MemorySample::new(info("a", [3, 2, 2]), cells, vec![50.0; events], block)
}

#[test]
fn replicas_hold_a_shower_once_on_average() {
    let bootstrap = Bootstrap {
        replicas: 100,
        seed: 7,
    };
    let counts: Vec<f64> = (0..400)
        .flat_map(|shower| bootstrap.row(1, shower).split_off(1))
        .map(f64::from)
        .collect();
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / n;
    let variance = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / n;
    // Five standard deviations of 40,000 values of a Poisson distribution.
    assert!((mean - 1.0).abs() <= 5.0 / n.sqrt(), "{mean}");
    assert!(
        (variance - 1.0).abs() <= 5.0 * (3.0 / n).sqrt(),
        "{variance}"
    );
    let none = counts.iter().filter(|&&c| c == 0.0).count() as f64 / n;
    assert!(
        (none - (-1.0f64).exp()).abs() <= 5.0 * 0.5 / n.sqrt(),
        "{none}"
    );
    // One shower's row is one replica's column.
    let row = bootstrap.row(0, 5);
    assert_eq!((row.len(), row[0]), (101, 1));
    assert!((0..=100).all(|replica| bootstrap.column(0, 9, replica)[5] == row[replica]));
    assert_ne!(
        row,
        bootstrap.row(1, 5),
        "samples share their random numbers"
    );
    assert_ne!(
        row,
        Bootstrap {
            seed: 8,
            ..bootstrap
        }
        .row(0, 5)
    );
}

#[test]
fn halves_take_one_of_every_two() {
    let first: Vec<usize> = (0..1000).map(half).collect();
    assert!(first.chunks(2).all(|pair| pair[0] != pair[1]));
    let even = first.iter().step_by(2).sum::<usize>();
    assert!(
        (200..300).contains(&even),
        "{even} of 500 even showers in one half"
    );
}

#[test]
fn errors_are_those_of_closed_forms() {
    let n = 900;
    let (a, b) = (normal(n, 20.0, 3.0, 1, 7), normal(n, 20.0, 3.0, 2, 7));
    let bootstrap = Bootstrap {
        replicas: 400,
        seed: 3,
    };
    let report = with(&a, &b, bootstrap);
    let errors = report.errors.as_ref().unwrap();
    // 400 replicas tell an error to 3.5 %: five times that.
    let agrees = |found: f64, want: f64, what: &str| {
        assert!(
            (found / want - 1.0).abs() <= 0.18,
            "{what}: {found}, expected {want}"
        );
    };
    let root = (n as f64).sqrt();
    for name in ["visible_energy", "response", "cog_z"] {
        let (o, e) = (
            report.figures.observable(name).unwrap(),
            errors.observable(name).unwrap(),
        );
        let std = o.reference.std.unwrap();
        agrees(e.reference.mean.unwrap(), std / root, name);
        agrees(
            e.generated.std.unwrap(),
            o.generated.std.unwrap() / root / 2f64.sqrt(),
            name,
        );
    }
    // Twelve independent cells a shower: as if all cells were drawn alone.
    let (o, e) = (
        report.figures.observable("cell_energy").unwrap(),
        errors.observable("cell_energy").unwrap(),
    );
    agrees(
        e.reference.mean.unwrap(),
        o.reference.std.unwrap() / root / 12f64.sqrt(),
        "cells",
    );
    let layer = 2.0 * 3.0; // of four cells
    for (found, z) in errors.profiles.longitudinal.reference.iter().zip(0..) {
        agrees(*found, layer / root, &format!("layer {z}"));
    }
    // Of a correlation r: (1 - r²)/√n; layers are independent, and the visible energy is not of the first cells.
    for found in &errors.layer_correlation.as_ref().unwrap().generated {
        agrees(found.unwrap(), 1.0 / root, "layers");
    }
    let names = &report.figures.correlation.names;
    let at = |name| names.iter().position(|n| *n == name).unwrap();
    let (i, j) = (at("cog_z"), at("e1_fraction"));
    let r = report.figures.correlation.reference[i][j].unwrap();
    let found = errors.correlation.reference[i][j].unwrap();
    agrees(found, (1.0 - r * r) / root, "correlation");
    // A constant has none, a null no error.
    assert_eq!(
        errors.observable("n_hits").unwrap().reference.mean,
        Some(0.0)
    );
    let constant = at("incident_energy");
    assert_eq!(errors.correlation.reference[constant][i], None);
    assert_eq!(errors.observable("cog_z").unwrap().ks_p_value, None);
    // A resolution is σ/√2n at best; 90 % of a normal distribution tell it to less.
    let relative = errors.linearity.reference.resolution[0].unwrap()
        / report.figures.linearity.reference.resolution[0].unwrap();
    assert!(
        (0.9..2.5).contains(&(relative * root * 2f64.sqrt())),
        "{relative}"
    );
}

#[test]
fn errors_depend_on_the_seed_alone() {
    let bootstrap = Bootstrap {
        replicas: 8,
        seed: 11,
    };
    let text = |block, bootstrap| {
        let (a, b) = (normal(60, 9.0, 2.0, 1, block), normal(50, 9.0, 2.5, 2, 3));
        serde_json::to_string(&with(&a, &b, bootstrap)).unwrap()
    };
    let first = text(7, bootstrap);
    assert_eq!(
        first,
        text(60, bootstrap),
        "the blocks in which a file is read"
    );
    assert_ne!(
        first,
        text(
            7,
            Bootstrap {
                seed: 12,
                ..bootstrap
            }
        )
    );
    let none = Bootstrap {
        replicas: 0,
        seed: 11,
    };
    let report = with(
        &normal(60, 9.0, 2.0, 1, 7),
        &normal(50, 9.0, 2.5, 2, 3),
        none,
    );
    assert!(report.errors.is_none());
    assert!(report.halves.unwrap().errors.is_none());
}

#[test]
fn halves_are_two_samples() {
    let all = random([3, 2, 2], 301, 5);
    let report = compare(&all, &random([3, 2, 2], 100, 6));
    let halves = report.halves.as_ref().unwrap();
    let events = [halves.reference.events, halves.generated.events];
    assert_eq!(events.iter().sum::<usize>(), 301);
    // Written out as files and compared, they give the same figures.
    let parts = [0, 1].map(|part| {
        let mut uniform = Uniform(5);
        let cells: Vec<f64> = (0..301 * 12)
            .map(|_| {
                if uniform.next() < 0.25 {
                    f64::from(uniform.next() as f32)
                } else {
                    0.0
                }
            })
            .collect();
        let chosen: Vec<usize> = (0..301).filter(|&i| half(i) == part).collect();
        let cells: Vec<f64> = chosen
            .iter()
            .flat_map(|i| &cells[12 * i..][..12])
            .copied()
            .collect();
        let energy: Vec<f64> = chosen.iter().map(|i| [10.0, 20.0, 30.0][i % 3]).collect();
        assert_eq!(energy.len(), events[part]);
        sample([3, 2, 2], &cells, &energy)
    });
    let alone = compare(&parts[0], &parts[1]);
    let value = |figures: &calogen::metrics::Figures| serde_json::to_value(figures).unwrap();
    same(&value(&halves.figures), &value(&alone.figures), "");
    let (n, m) = (events[0] as f64, events[1] as f64);
    let want = ((1.0 / n + 1.0 / m) / (1.0 / 301.0 + 1.0 / 100.0)).sqrt();
    assert!((halves.noise_factor - want).abs() <= 1e-12);
    // Noise falls as the factor says, within a factor of two for one sample.
    let one = compare(&normal(1, 5.0, 1.0, 1, 1), &normal(3, 5.0, 1.0, 2, 1));
    assert!(one.halves.is_none(), "one shower has no halves");
}

/// Equal to rounding.
fn same(a: &serde_json::Value, b: &serde_json::Value, path: &str) {
    use serde_json::Value::{Array, Object};
    match (a, b) {
        (Object(a), Object(b)) => {
            assert_eq!(a.len(), b.len(), "{path}");
            a.iter()
                .for_each(|(key, v)| same(v, &b[key], &format!("{path}.{key}")));
        }
        (Array(a), Array(b)) => {
            assert_eq!(a.len(), b.len(), "{path}");
            a.iter().zip(b).for_each(|(a, b)| same(a, b, path));
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => {
                assert!((x - y).abs() <= 1e-9 * x.abs().max(1.0), "{path}: {x}, {y}")
            }
            _ => assert_eq!(a, b, "{path}"),
        },
    }
}

#[test]
fn two_showers_are_enough() {
    let a = sample(
        [3, 1, 2],
        &[1.0, 0.0, 2.0, 1.0, 0.0, 3.0, 0.0, 0.0, 5.0, 0.0, 0.0, 1.0],
        &[10.0, 20.0],
    );
    let report = compare(&a, &a);
    let halves = report.halves.as_ref().unwrap();
    assert_eq!((halves.reference.events, halves.generated.events), (1, 1));
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("NaN"));
    assert!(!report.to_string().contains("NaN") && !report.to_string().contains("inf"));
}

#[test]
fn cells_beyond_what_a_float32_holds_are_counted() {
    let scaled = |seed, scale: f64| {
        let mut uniform = Uniform(seed);
        let cells = (0..30 * 12)
            .map(|_| scale * (0.5 + uniform.next()))
            .collect();
        let about = SampleInfo {
            single: false,
            ..info("large.h5", [3, 2, 2])
        };
        MemorySample::new(about, cells, vec![50.0; 30], 7)
    };
    let report = compare(&scaled(1, 1e100), &scaled(2, 1e100));
    let found = report
        .figures
        .observables
        .iter()
        .find(|o| o.name == "cell_energy");
    let distance = found.unwrap().wasserstein1.unwrap();
    assert!((0.0..1e99).contains(&distance), "{distance}");
    // A sum that a float64 holds, of cells whose distances from the axis it does not.
    let mut cells = vec![0.0; 40];
    (cells[0], cells[39]) = (1e307, 1e307);
    let wide = MemorySample::new(info("wide.h5", [1, 1, 40]), cells, vec![50.0], 1);
    let error = evaluate(&wide, &wide, &Options::default()).unwrap_err();
    let wanted =
        "wide.h5: shower 0 has a centre or a width, its cells being too large, that is not finite";
    assert_eq!(error.to_string(), wanted);
}
