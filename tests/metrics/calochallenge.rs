//! High-level features of the CaloChallenge against closed forms and against what NumPy gave for the same showers.

use std::f64::consts::PI;

use calogen::geometry::{CaloChallenge, Geometry};
use calogen::metrics::{HighLevel, HighLevelReference, separation_power};
use calogen::observables::{
    Bootstrap, Features, MemorySample, PolarFeatures, Sample, SampleInfo, half,
};

use super::{Uniform, close, info};

fn showers(set: CaloChallenge, cells: Vec<f64>, energy: Vec<f64>) -> MemorySample {
    let info = SampleInfo {
        geometry: Geometry::Polar(set.layers()),
        single: false,
        ..info("showers.h5", [1, 1, 1])
    };
    MemorySample::new(info, cells, energy, 4)
}

/// Photons of 256, 512 and 1024 MeV in turn, about every tenth voxel hit; the fifth shower is empty.
fn photons(seed: u64, scale: f64, events: usize) -> MemorySample {
    let mut uniform = Uniform(seed);
    let (mut cells, mut energy) = (Vec::new(), Vec::new());
    for i in 0..events {
        let incident = 256.0 * f64::from(1 << (i % 3));
        energy.push(incident / 1000.0);
        for _ in 0..368 {
            let hit = uniform.next() < 0.1;
            let e = if hit {
                let x = uniform.next();
                scale * incident * x * x / 12.0
            } else {
                0.0
            };
            cells.push(if i == 4 { 0.0 } else { e });
        }
    }
    showers(CaloChallenge::Photons1, cells, energy)
}

#[test]
fn lengths_of_the_classifiers_vector() {
    let lengths = [30, 46, 362, 362];
    for (set, length) in CaloChallenge::ALL.into_iter().zip(lengths) {
        let sample = showers(set, vec![0.0; set.voxels()], vec![1.0]);
        let features = Features::high_level(&sample, 0.0).unwrap();
        assert_eq!(
            (features.width(), features.events()),
            (length, 1),
            "{}",
            set.name()
        );
        let mut names = features.names.clone();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), length);
    }
}

/// Two voxels of layer 1, of 3 MeV at r = 7 mm and of 1 MeV at r = 1 mm, and one of layer 12 below the threshold.
#[test]
fn a_shower_by_hand() {
    let mut cells = vec![0.0; 368];
    let (at_7, at_1) = (8 + 2 * 16 + 3, 8 + 7 * 16);
    (cells[at_7], cells[at_1], cells[367]) = (3.0, 1.0, 0.5);
    let sample = showers(CaloChallenge::Photons1, cells, vec![0.256]);
    let features = Features::high_level(&sample, 0.75).unwrap();
    let value = |name: &str| {
        let k = features.names.iter().position(|n| n == name);
        features.rows[k.unwrap_or_else(|| panic!("no feature {name}"))]
    };
    let angle = |k: f64| -PI + (k + 0.5) * PI / 5.0;
    let (eta, other) = (7.0 * angle(2.0).cos(), angle(7.0).cos());
    let mean = (3.0 * eta + other) / 4.0;
    let square = (3.0 * eta * eta + other * other) / 4.0;
    close(value("log10_incident_energy"), 256f64.log10());
    close(value("log10_visible_energy"), (4.0 + 1e-8f64).log10());
    close(value("log10_energy_layer_1"), (4.0 + 1e-8f64).log10());
    close(value("log10_energy_layer_12"), -8.0);
    close(value("ec_eta_layer_1"), mean / 100.0);
    close(
        value("width_eta_layer_1"),
        (square - mean * mean).sqrt() / 100.0,
    );
    close(value("ec_r_layer_1"), 5.5 / 100.0);
    close(
        value("width_r_layer_1"),
        (37.0 - 5.5 * 5.5f64).sqrt() / 100.0,
    );
    close(value("sparsity_layer_1"), 158.0 / 160.0);
    close(value("sparsity_layer_12"), 1.0);
    close(value("ec_r_layer_12"), 0.0);
}

fn high_level(reference: &dyn Sample, generated: &dyn Sample, bootstrap: Bootstrap) -> HighLevel {
    let reference = HighLevelReference::collect(reference, 1.0).unwrap();
    reference.compare(generated, bootstrap).unwrap()
}

#[test]
fn a_sample_against_itself() {
    let sample = photons(1, 1.0, 30);
    let found = high_level(&sample, &sample, Bootstrap::NONE);
    assert_eq!(found.dataset, Some("1-photons"));
    let powers = &found.figures.separation_power;
    assert_eq!(powers.e_tot_over_e_inc, Some(0.0));
    assert_eq!(powers.voxel_energy, Some(0.0));
    let layers: Vec<_> = powers.layers.values().flatten().collect();
    assert_eq!(layers.len(), 28);
    assert!(layers.iter().all(|(_, power)| **power == Some(0.0)));
    assert!(found.figures.reference_halves.layers["ec_eta"][&1].unwrap() > 0.1);

    let grid = super::sample([1, 2, 2], &[1.0; 4], &[1.0]);
    let message = PolarFeatures::collect(&grid, 0.0, &[])
        .unwrap_err()
        .to_string();
    assert!(message.contains("expected voxels in r and α"), "{message}");
}

/// Values of tools/check_calochallenge.py, whose layers come from the published binning file.
#[test]
fn against_numpy() {
    let (a, b) = (photons(1, 1.0, 30), photons(2, 1.05, 33));
    let found = high_level(&a, &b, Bootstrap::NONE).figures;
    let (own, halves) = (&found.separation_power, &found.reference_halves);
    close(own.e_tot_over_e_inc.unwrap(), 0.7059891107078023);
    close(halves.e_tot_over_e_inc.unwrap(), 0.8095238095238084);
    let points = [
        (256, Some(0.9047619047619039)),
        (512, Some(0.6239316239316234)),
        (2048, None),
    ];
    for (energy, want) in points {
        match (own.e_tot_over_e_inc_by_energy[&energy], want) {
            (Some(found), Some(want)) => close(found, want),
            (found, want) => assert_eq!(found, want),
        }
    }
    assert_eq!(own.e_tot_over_e_inc_by_energy.len(), 15);
    close(own.voxel_energy.unwrap(), 0.02561669557158576);
    let layers = [
        ("e_layer", 0, 0.739130434782608, 0.714285714285714),
        ("e_layer", 12, 0.5644599303135882, 0.8461538461538456),
        ("sparsity", 2, 0.019499277804525754, 0.13846153846153836),
        ("ec_r", 12, 0.115638815281205, 0.34640522875816965),
        ("width_r", 1, 0.33868537712186597, 0.46222222222222176),
        ("ec_eta", 2, 0.827489481065917, 0.7555555555555546),
        ("ec_phi", 1, 0.4290822338657063, 0.4399999999999994),
        ("width_eta", 1, 0.6084229390680989, 0.8666666666666654),
        ("width_phi", 2, 0.851851851851851, 0.9999999999999994),
    ];
    for (name, layer, power, of_halves) in layers {
        close(own.layers[name][&layer].unwrap(), power);
        close(halves.layers[name][&layer].unwrap(), of_halves);
    }
    // Place in the vector, value of the fourth shower, mean and standard deviation over all.
    let features = [
        (
            1,
            "log10_energy_layer_0",
            -8.0,
            -4.942494374769774,
            4.33178773018317,
        ),
        (
            6,
            "ec_eta_layer_1",
            -0.161342852896129,
            -0.03364692298403786,
            0.13927332253692007,
        ),
        (
            13,
            "width_phi_layer_2",
            0.6485387789375109,
            1.0336124213102105,
            0.4051427412863219,
        ),
        (
            14,
            "log10_visible_energy",
            2.4788845891186146,
            2.329962699999342,
            1.9359665234632075,
        ),
        (19, "sparsity_layer_12", 0.6, 0.9, 0.12382783747337804),
        (
            23,
            "ec_r_layer_3",
            0.0,
            0.424723745157648,
            1.0744655354097505,
        ),
    ];
    let matrix = Features::high_level(&a, 1.0).unwrap();
    for (k, name, value, mean, std) in features {
        assert_eq!(found.features.names[k], name);
        close(matrix.rows[3 * 30 + k], value);
        close(found.features.reference[k].mean.unwrap(), mean);
        close(found.features.reference[k].std.unwrap(), std);
    }
}

/// Standard deviations over replicas, each histogram filled anew shower by shower.
#[test]
fn errors_of_separation_powers() {
    const REPLICAS: usize = 20;
    let bootstrap = Bootstrap {
        replicas: REPLICAS,
        seed: 5,
    };
    let samples = [photons(1, 1.0, 40), photons(2, 1.05, 31)];
    let found = high_level(&samples[0], &samples[1], bootstrap);
    let errors = found.errors.expect("errors");
    let drawn: Vec<_> = found
        .histograms
        .iter()
        .map(|c| (c.name, c.edges.clone()))
        .collect();
    let edges = |name: &str| &drawn.iter().find(|(n, _)| *n == name).unwrap().1;
    // Values of a shower of one sample.
    let values = |name: &str, shower: usize, sample: &MemorySample| -> Vec<f64> {
        let (mut cells, mut energies) = (Vec::new(), Vec::new());
        for block in sample.blocks() {
            let block = block.unwrap();
            cells.extend(block.cells);
            energies.extend(block.energy);
        }
        let own = &cells[368 * shower..368 * (shower + 1)];
        let above: Vec<f64> = own.iter().copied().filter(|&e| e >= 1.0).collect();
        match name {
            "voxel_energy" => above,
            _ => vec![above.iter().sum::<f64>() / (energies[shower] * 1e3)],
        }
    };
    let histogram = |name: &str, side: usize, replica: usize, part: Option<usize>| -> Vec<f64> {
        let edges = edges(name);
        let mut counts = vec![0.0; edges.len() - 1];
        for shower in 0..samples[side].info().events {
            if part.is_some_and(|part| half(shower) != part) {
                continue;
            }
            let times = f64::from(bootstrap.times(side as u32, shower, replica));
            for value in values(name, shower, &samples[side]) {
                let last = |k: usize| k + 2 == edges.len() && value == edges[k + 1];
                let inside = |k: &usize| edges[*k] <= value && (value < edges[k + 1] || last(*k));
                if let Some(k) = (0..counts.len()).find(inside) {
                    counts[k] += times;
                }
            }
        }
        counts
    };
    let deviation = |power: &dyn Fn(usize) -> f64| {
        let all: Vec<f64> = (1..=REPLICAS).map(power).collect();
        let mean = all.iter().sum::<f64>() / REPLICAS as f64;
        let squares: f64 = all.iter().map(|v| (v - mean).powi(2)).sum();
        (squares / (REPLICAS - 1) as f64).sqrt()
    };
    for (name, own, noise) in [
        (
            "e_tot_over_e_inc",
            errors.separation_power.e_tot_over_e_inc,
            errors.reference_halves.e_tot_over_e_inc,
        ),
        (
            "voxel_energy",
            errors.separation_power.voxel_energy,
            errors.reference_halves.voxel_energy,
        ),
    ] {
        let whole = |r| {
            let (a, b) = (histogram(name, 0, r, None), histogram(name, 1, r, None));
            separation_power(&a, &b).unwrap()
        };
        let halves = |r| {
            let (a, b) = (
                histogram(name, 0, r, Some(0)),
                histogram(name, 0, r, Some(1)),
            );
            separation_power(&a, &b).unwrap()
        };
        close(own.unwrap(), deviation(&whole));
        close(noise.unwrap(), deviation(&halves));
    }
    assert!(errors.features.generated[1].mean.unwrap() > 0.0);
    assert!(errors.separation_power.mean_of_layers["ec_eta"].unwrap() > 0.0);
}
