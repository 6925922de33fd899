//! Codes of showers: encoders and decoders of every system that has them, principal components, t-SNE.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use calogen::data::{ShowerFile, View};
use calogen::generate::{Generator, LabelRows};
use calogen::latent::{Codec, Pca, Tsne, affinities, between};
use calogen::models::{self, ENTRIES, Networks, Preset, Weights};
use calogen::ops::random;
use calogen::train::{Options, open_run, train};

use super::{gpu, sample, small};

/// A dense autoencoder of the sample's images, trained for a moment.
fn run(out: &Path) {
    let mut config = models::preset("vae", Preset::Small)
        .expect("the preset")
        .config();
    config["shape"] = serde_json::json!([1, 12, 15]);
    config["networks"]["hidden"] = serde_json::json!([32]);
    config["latent"] = serde_json::json!(5);
    let system = models::open("vae", config).expect("a configuration");
    let options = Options {
        out: out.into(),
        steps: Some(6),
        batch: Some(50),
        ..Options::default()
    };
    train(
        gpu(),
        system,
        &[sample()],
        &options,
        &AtomicBool::new(false),
        &mut |_| {},
    )
    .expect("a run");
}

#[test]
fn every_autoencoder_has_a_latent_space_and_nothing_else_has() {
    let with: Vec<&str> = ENTRIES
        .iter()
        .map(|e| e.name)
        .filter(|name| {
            models::preset(name, Preset::Small)
                .expect("the preset")
                .latent()
                .is_some()
        })
        .collect();
    let wanted = [
        "vae",
        "vae-pooled",
        "vae-adversarial",
        "vae-energy",
        "bib-ae",
        "bib-ae-hadron",
        "bib-ae-ahcal",
        "vae-gan",
        "cond-vae",
        "cond-wae",
        "sae",
        "swae",
        "e2e-sae",
    ];
    assert_eq!(with, wanted);
    let networks = Networks::new(gpu(), small().as_ref(), &[], 0, false).expect("networks");
    let error = Codec::new(gpu(), small().as_ref(), &networks)
        .err()
        .expect("no encoder");
    assert!(
        error.to_string().contains("hgcal-wgan has no encoder"),
        "{error}"
    );
}

#[test]
fn decoded_draws_are_generated_showers() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path());
    let (system, networks, metadata) = open_run(gpu(), folder.path()).expect("the run");
    assert_eq!((metadata.model.as_str(), metadata.steps), ("vae", 6));
    let codec = Codec::new(gpu(), system.as_ref(), &networks).expect("a codec");
    // More than a batch, and no whole number of them.
    let n = 70;
    let file = ShowerFile::open(sample()).expect("the sample");
    let showers = View::SumLayers { left: 1 }.apply(file.read(0..n).expect("showers"));
    let conditions = showers.labels(&system.conditions()).expect("labels");
    let drawn = codec.draw(&conditions, 3).expect("codes");
    assert_eq!(drawn.len(), n * 5);
    let made = codec.decode(&drawn, &conditions).expect("showers");
    let path = folder.path().join("model.safetensors");
    let weights = Weights::read(&path).expect("weights");
    let mut generator = Generator::new(gpu(), weights, &path).expect("a generator");
    let labels = LabelRows {
        values: conditions.clone(),
        columns: 1,
    };
    let generated = generator.generate(&labels, 3, 0).expect("showers");
    for (i, (a, b)) in made.iter().zip(&generated).enumerate() {
        assert!(
            (a - b).abs() <= 1e-5 * b.abs().max(1e-3),
            "cell {i}: {a}, generated {b}"
        );
    }
    // A code is of its shower alone, whatever stands beside it.
    let codes = codec.encode(&showers.layers, &conditions).expect("codes");
    let cells = showers.cells();
    let last = codec
        .encode(&showers.layers[(n - 1) * cells..], &conditions[n - 1..])
        .expect("a code");
    for (a, b) in codes[(n - 1) * 5..].iter().zip(&last) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
    }
    let different = codes[..5]
        .iter()
        .zip(&last)
        .any(|(a, b)| (a - b).abs() > 1e-3);
    assert!(different, "codes of different showers");
    assert!(codec.encode(&showers.layers[1..], &conditions).is_err());
}

#[test]
fn rows_between_two_begin_and_end_with_them() {
    let rows = between(&[0.0, 4.0], &[3.0, -2.0], 4);
    assert_eq!(rows, [0.0, 4.0, 1.0, 2.0, 2.0, 0.0, 3.0, -2.0]);
}

fn normal(n: usize, stream: u32) -> Vec<f64> {
    (0..n as u64)
        .map(|i| random::normal(8, stream, i, 0).into())
        .collect()
}

#[test]
fn principal_components_are_those_the_points_were_made_of() {
    // Three orthonormal directions of four dimensions, points at ± a along each: variance a²/3 each.
    let directions = [
        [0.5, 0.5, 0.5, 0.5],
        [0.5, -0.5, 0.5, -0.5],
        [0.5, 0.5, -0.5, -0.5],
    ];
    let lengths = [1.0, 5.0, 3.0];
    let centre = [10.0, -20.0, 30.0, 0.5];
    let mut rows = Vec::new();
    for (u, a) in directions.iter().zip(lengths) {
        for sign in [1.0, -1.0] {
            rows.extend(u.iter().zip(centre).map(|(u, c)| c + sign * a * u));
        }
    }
    let pca = Pca::of(&rows, 4).expect("rows");
    for (found, want) in pca.variances.iter().zip([25.0 / 3.0, 3.0, 1.0 / 3.0, 0.0]) {
        assert!((found - want).abs() <= 1e-12, "{found}, expected {want}");
    }
    for (found, want) in pca
        .components
        .iter()
        .zip([directions[1], directions[2], directions[0]])
    {
        let cosine: f64 = found.iter().zip(want).map(|(a, b)| a * b).sum();
        assert!(
            (cosine.abs() - 1.0).abs() <= 1e-12,
            "{found:?}, expected ±{want:?}"
        );
    }
    let share: Vec<f64> = pca.explained();
    assert!((share[0] - 25.0 / 35.0).abs() <= 1e-12);
    // The first two coordinates of the third pair, 5 along the first component.
    let plane = pca.project(&rows, 2);
    assert!(
        (plane[4].abs() - 5.0).abs() <= 1e-12 && plane[5].abs() <= 1e-12,
        "{plane:?}"
    );
    assert_eq!(Pca::of(&[], 3), None);
    assert_eq!(Pca::of(&[f64::NAN, 1.0], 1), None);
}

#[test]
fn affinities_have_the_perplexity_asked_for() {
    let (n, width) = (61, 3);
    let mut rows = normal(n * width, 1);
    // A point far away, and two that are equal.
    rows[..width].fill(300.0);
    let copy = rows[width..2 * width].to_vec();
    rows[2 * width..3 * width].copy_from_slice(&copy);
    let perplexity = 7.0f64;
    let p = affinities(&rows, width, perplexity);
    let sum: f64 = p.iter().sum();
    assert!((sum - 1.0).abs() <= 1e-12, "{sum}");
    for i in 0..n {
        assert_eq!(p[i * n + i], 0.0);
        (0..n).for_each(|j| assert_eq!(p[i * n + j], p[j * n + i]));
    }
    // Points at equal distance from each other: all others are neighbours, whatever the width.
    let corners: Vec<f64> = (0..9)
        .flat_map(|i| (0..9).map(move |k| f64::from(u8::from(i == k))))
        .collect();
    let p = affinities(&corners, 9, 3.0);
    let want = 1.0 / 72.0;
    for i in 0..9 {
        for j in (0..9).filter(|&j| j != i) {
            assert!((p[i * 9 + j] - want).abs() <= 1e-15);
        }
    }
    let rows: Vec<f64> = (0..40).map(|i| f64::from(i) * f64::from(i) * 0.1).collect();
    let conditional = conditional(&rows, 5.0);
    for row in conditional {
        let entropy: f64 = row.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        assert!(
            (entropy - 5f64.ln()).abs() <= 1e-9,
            "{entropy}, expected {}",
            5f64.ln()
        );
    }
}

/// Conditional affinities of points on a line as they are defined, by bisection of the logarithm of each width; the joint
/// ones are their means.
fn conditional(rows: &[f64], perplexity: f64) -> Vec<Vec<f64>> {
    let n = rows.len();
    let width = |i: usize| {
        let entropy = |log: f64| {
            let w: Vec<f64> = (0..n)
                .map(|j| {
                    if j == i {
                        0.0
                    } else {
                        (-(rows[i] - rows[j]).powi(2) * log.exp()).exp()
                    }
                })
                .collect();
            let sum: f64 = w.iter().sum();
            let p: Vec<f64> = w.iter().map(|w| w / sum).collect();
            (
                p.iter()
                    .filter(|p| **p > 0.0)
                    .map(|p| -p * p.ln())
                    .sum::<f64>(),
                p,
            )
        };
        let (mut low, mut high) = (-15.0, 5.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if entropy(middle).0 > perplexity.ln() {
                low = middle
            } else {
                high = middle
            }
        }
        entropy(low).1
    };
    let all: Vec<Vec<f64>> = (0..n).map(width).collect();
    let joint = affinities(rows, 1, perplexity);
    for i in 0..n {
        for j in 0..n {
            let want = (all[i][j] + all[j][i]) / (2 * n) as f64;
            assert!(
                (joint[i * n + j] - want).abs() <= 1e-8,
                "pair {i}, {j}: {}, expected {want}",
                joint[i * n + j]
            );
        }
    }
    all
}

#[test]
fn clusters_stay_apart() {
    let (each, width) = (30, 6);
    let mut rows = normal(3 * each * width, 2);
    for (i, row) in rows.chunks_mut(width).enumerate() {
        row[i / each] += 25.0;
    }
    let tsne = Tsne {
        perplexity: 8.0,
        iterations: 300,
        seed: 4,
    };
    let mut steps = 0;
    let (points, left) = tsne
        .embed(&rows, width, |done| steps = done)
        .expect("an embedding");
    assert_eq!((points.len(), steps), (3 * each, 300));
    assert!((0.0..1.5).contains(&left), "divergence {left}");
    let distance =
        |i: usize, j: usize| (points[i][0] - points[j][0]).hypot(points[i][1] - points[j][1]);
    for i in 0..3 * each {
        let mut others: Vec<usize> = (0..3 * each).filter(|&j| j != i).collect();
        others.sort_by(|&a, &b| distance(i, a).total_cmp(&distance(i, b)));
        assert!(
            others[..8].iter().all(|j| j / each == i / each),
            "neighbours of point {i}"
        );
    }
    assert_eq!(
        tsne.embed(&rows, width, |_| {}).expect("an embedding").0,
        points
    );
    let error = Tsne {
        perplexity: 30.0,
        ..tsne
    }
    .embed(&rows, width, |_| {})
    .expect_err("too many neighbours");
    assert!(error.to_string().contains("29.7"), "{error}");
}
