//! What is watched while a system trains: it is what the report says, and training takes no notice.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use calogen::data::{ShowerFile, View};
use calogen::generate::{Generator, LabelRows};
use calogen::losses::Projections;
use calogen::metrics::{self, Figure, evaluate};
use calogen::models::{self, Preset, System, Weights};
use calogen::observables::{Geometry, MemorySample, Projection, SampleInfo};
use calogen::ops::random;
use calogen::tape::{self, Tape, Var};
use calogen::train::{Event, Options, Outcome, Watch, train};
use calogen::{Error, Result};

use super::{gpu, sample};

const FIGURES: [&str; 5] = [
    "visible_energy",
    "cog_x",
    "width_x:w1",
    "n_hits:jsd",
    "fidelity_score",
];
const EVENTS: usize = 37;
/// Eight batches are an epoch of the sample.
const BATCH: usize = 125;

/// Dense networks of images: quickly made, quickly trained.
fn system() -> Box<dyn System> {
    let mut config = models::preset("vae", Preset::Small)
        .expect("the preset")
        .config();
    config["shape"] = serde_json::json!([1, 12, 15]);
    config["networks"]["hidden"] = serde_json::json!([32]);
    config["average"] = serde_json::json!(0.3);
    models::open("vae", config).expect("a configuration")
}

fn watch() -> Watch {
    Watch {
        figures: FIGURES.map(String::from).into(),
        every: 2,
        events: EVENTS,
        data: Vec::new(),
        held: None,
        regressor: None,
        keep_best: Some("visible_energy:w1".into()),
    }
}

fn options(out: &Path) -> Options {
    Options {
        out: out.to_path_buf(),
        steps: Some(8),
        batch: Some(BATCH),
        seed: 5,
        log_every: 2,
        ..Options::default()
    }
}

fn run(options: &Options, tell: &mut dyn FnMut(Event<'_>), stop: &AtomicBool) -> Result<Outcome> {
    train(gpu(), system(), &[sample()], options, stop, tell)
}

#[test]
fn sums_on_the_device_are_those_of_the_host() {
    let ([nz, nx, ny], n) = ([3, 5, 7], 11);
    let (size, threshold) = (nz * nx * ny, 0.3f32);
    // Some cells are negative, some below the threshold, one is the threshold; one shower is empty.
    let mut cells: Vec<f32> = (0..n * size)
        .map(|i| {
            random::normal(3, 0, i as u64, 0) * 100f32.powf(random::uniform(3, 1, i as u64, 0))
        })
        .collect();
    cells[size + 4] = threshold;
    cells[5 * size..6 * size].fill(-1.0);
    let tape = Tape::new();
    let p = Projections::of(
        tape.input("x", &[n, nz, nx, ny]).batch_last(),
        tape.constant(&[threshold], &[1]),
    );
    let sums = Var::concat(&[p.z, p.hits, p.x, p.y], 0).batch_first();
    let program = tape
        .compile(
            gpu(),
            &[("sums", sums), ("summed", p.summed)],
            tape::Options::default(),
        )
        .expect("a program");
    program.set("x", &cells).expect("cells");
    program.run().expect("a run");
    let sums = program.read("sums").expect("sums");
    let close = |found: f32, want: f64| {
        assert!(
            (f64::from(found) - want).abs() <= 1e-6 * want,
            "{found}, expected {want}"
        );
    };
    let mut host = Projection::new(&Geometry::Grid([nz, nx, ny]));
    let mut summed = vec![0.0; size];
    let wide: Vec<f64> = cells.iter().map(|&e| e.into()).collect();
    for (shower, sums) in wide.chunks(size).zip(sums.chunks(2 * nz + nx + ny)) {
        let (mut x, mut y) = (vec![0.0; nx], vec![0.0; ny]);
        host.project(shower, threshold.into(), |i, e| {
            summed[i] += e;
            x[i / ny % nx] += e;
            y[i % ny] += e;
        });
        let hits = host.hits.iter().map(|&n| f64::from(n));
        let want = host.z.iter().copied().chain(hits).chain(x).chain(y);
        sums.iter()
            .zip(want)
            .for_each(|(&found, want)| close(found, want));
    }
    let found = program.read("summed").expect("the sum");
    found
        .iter()
        .zip(summed)
        .for_each(|(&found, want)| close(found, want));
}

#[test]
fn training_takes_no_notice_and_a_resumed_run_watches_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let never = AtomicBool::new(false);
    run(&options(&at("blind")), &mut |_| {}, &never).expect("a run that nobody watches");
    let watched = |name: &str| Options {
        watch: Some(watch()),
        keep_every: Some(1),
        ..options(&at(name))
    };
    let mut seen = Vec::new();
    run(
        &watched("seen"),
        &mut |event| {
            if let Event::Watched {
                iteration,
                seen: figures,
                ..
            } = event
            {
                seen.push((iteration, figures.to_vec()));
            }
        },
        &never,
    )
    .expect("a run that is watched");
    let read = |run: &str, file: &str| fs::read(at(run).join(file)).expect(file);
    for file in ["losses.csv", "model.safetensors"] {
        assert!(read("blind", file) == read("seen", file), "{file}");
    }
    assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [2, 4, 6, 8]);

    // Stops after the second look.
    let stop = AtomicBool::new(false);
    let mut looks = 0;
    let stopped = run(
        &watched("parts"),
        &mut |event| {
            if matches!(event, Event::Watched { .. }) {
                looks += 1;
                stop.store(looks == 2, Ordering::Relaxed);
            }
        },
        &stop,
    );
    assert!(!stopped.expect("a stop is no error here").finished);
    let rest = Options {
        resume: true,
        ..watched("parts")
    };
    let other = Options {
        watch: None,
        ..rest.clone()
    };
    let error = run(&other, &mut |_| {}, &never).expect_err("another watch");
    assert!(error.to_string().contains("the run's watch is"), "{error}");
    run(&rest, &mut |_| {}, &never).expect("the rest");
    for file in [
        "watch.csv",
        "losses.csv",
        "best.safetensors",
        "checkpoint.safetensors",
        "epochs/epoch-00001.safetensors",
    ] {
        assert!(read("seen", file) == read("parts", file), "{file}");
    }
    let config = fs::read_to_string(at("seen").join("config.toml")).expect("the configuration");
    assert!(
        config.contains("[watch]") && config.contains("keep_every = 1"),
        "{config}"
    );

    the_figures_are_those_of_the_report(&at("seen"), &seen[3].1);
}

/// After the last iteration an epoch ends, so that its weights are kept.
fn the_figures_are_those_of_the_report(run: &Path, seen: &[calogen::train::Seen]) {
    let kept = run.join("epochs/epoch-00001.safetensors");
    let weights = Weights::read(&kept).expect("weights");
    let file = ShowerFile::open(sample()).expect("the sample");
    let n = file.len();
    let rows: Vec<usize> = (0..EVENTS).map(|i| i * n / EVENTS).collect();
    let held = View::SumLayers { left: 1 }.apply(file.read(0..n).expect("showers").gather(&rows));
    let mut generator = Generator::new(gpu(), weights, &kept).expect("a generator");
    let names = generator.label_names();
    let labels = LabelRows {
        values: held.labels(&names).expect("labels"),
        columns: names.len(),
    };
    let made = generator
        .generate(&labels, 5 ^ Watch::SEED_BITS, 0)
        .expect("showers");
    let sample = |cells: &[f32]| {
        let info = SampleInfo {
            file: "sample".into(),
            events: 0,
            geometry: Geometry::Grid(held.shape),
            unit: "MeV".into(),
            threshold: file.threshold(),
            single: true,
            mip: None,
        };
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect();
        MemorySample::new(info, wide(cells), wide(&held.energy), 5)
    };
    let report = evaluate(
        &sample(&held.layers),
        &sample(&made),
        &metrics::Options::default(),
    );
    let report = report.expect("a report");
    for (name, seen) in FIGURES.iter().zip(seen) {
        let figure: Figure = name.parse().expect("a figure");
        let (found, want) = (
            seen.value.expect("a value"),
            figure.of(&report).expect("a value"),
        );
        assert!(
            (found - want).abs() <= 1e-6 * want.abs(),
            "{name}: {found}, the report has {want}"
        );
    }
    let mean = seen[0].reference.expect("the mean of the held showers");
    let want = report
        .figures
        .observable("visible_energy")
        .and_then(|o| o.reference.mean)
        .expect("a mean");
    assert!((mean - want).abs() <= 1e-12 * want);
    let log = fs::read_to_string(run.join("watch.csv")).expect("the log");
    let best = log
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(7).and_then(|v| v.parse().ok()));
    let best: Vec<f64> = best.map(|v| v.expect("a number")).collect();
    let least = (0..4)
        .min_by(|&a, &b| best[a].total_cmp(&best[b]))
        .expect("four rows");
    let kept = Weights::read(run.join("best.safetensors")).expect("the best weights");
    assert_eq!(kept.metadata.steps, 2 * (least as u64 + 1), "{log}");
    assert!(kept.metadata.quality.contains("visible_energy:w1"));
}

#[test]
fn what_cannot_be_watched_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let refused = |change: &dyn Fn(&mut Watch), part: &str| {
        let mut watch = watch();
        change(&mut watch);
        let options = Options {
            watch: Some(watch),
            ..options(&out)
        };
        let error = run(&options, &mut |_| {}, &AtomicBool::new(false)).expect_err(part);
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(
            !out.join("config.toml").exists(),
            "{part}: something was written"
        );
    };
    refused(&|w| w.figures = vec!["cog_w".into()], "cog_w");
    refused(&|w| w.figures = vec!["cog_z:l2".into()], "jsd, w1 and ks");
    refused(&|w| w.figures = vec!["frd".into()], "needs a regressor");
    refused(&|w| w.keep_best = Some("cog_x".into()), "cog_x:w1");
    refused(
        &|w| w.keep_best = Some("energy_mae".into()),
        "no figure 'energy_mae'; there are fidelity_score",
    );
    refused(&|w| w.every = 0, "at least 1 iteration");
    refused(
        &|w| (w.every, w.keep_best) = (1000, Some("fidelity_score".into())),
        "nothing would be kept",
    );
}
