//! Showers of whole particles: training on a file's conditions, and where `generate` takes them from.

use std::path::{Path, PathBuf};

use calogen::data::{Labels, ShowerFile, ShowerInfo, ShowerWriter, Showers};

use super::{calogen, fails, text};

const NAMES: [&str; 3] = ["energy", "mass", "vz"];

/// 40 images; vz is the same for all.
fn particles(path: &Path) -> PathBuf {
    let events = 40;
    let mut info = ShowerInfo::new([1, 11, 9]);
    info.condition_names = NAMES.map(String::from).to_vec();
    let energy = |i: usize| 10.0 + i as f32;
    let cell = |k: usize| ((k * 37 % 101) as f32 / 50.0 - 1.0).max(0.0);
    let showers = Showers {
        shape: info.shape,
        layers: (0..events * 99).map(|k| cell(k) * energy(k / 99)).collect(),
        energy: (0..events).map(energy).collect(),
        position: None,
        conditions: Some(
            (0..events)
                .flat_map(|i| [energy(i), (i % 3) as f32, -10.0])
                .collect(),
        ),
        condition_names: info.condition_names.clone(),
    };
    let labels = Labels {
        position: false,
        conditions: info.condition_names.clone(),
    };
    let mut writer = ShowerWriter::create(path, &info, labels).unwrap();
    writer.append(&showers).unwrap();
    writer.finish().unwrap();
    path.to_path_buf()
}

/// Two steps of a tiny autoencoder with `conditions`; the folder of the run.
fn train(folder: &Path, model: &str, data: &Path, conditions: &str) -> PathBuf {
    let (config, run) = (folder.join("tiny.toml"), folder.join("run"));
    let sizes = "[encoder]\nchannels = [2]\nhidden = [4]\n[decoder]\nchannels = [2, 2]\n";
    let all = format!("shape = [1, 11, 9]\nbatch = 8\nconditions = {conditions}\n{sizes}");
    std::fs::write(&config, all).unwrap();
    let mut args = vec!["train", model, "--preset", "small", "--steps", "2"];
    args.extend(["--config", text(&config), "--data", text(data)]);
    args.extend(["--out", text(&run)]);
    let trained = calogen(&args);
    assert_eq!(trained.status, 0, "{}", trained.err);
    run
}

#[test]
fn a_particle_comes_whole_from_a_file_or_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = particles(&at("data.h5"));
    let run = train(
        folder.path(),
        "cond-vae",
        &data,
        "[\"energy\", \"mass\", \"vz\"]",
    );
    let (run, out, table) = (text(&run).to_owned(), at("g.h5"), at("gun.csv"));
    let args = |more: &[&'static str]| {
        let mut args = vec!["generate".to_owned(), run.clone()];
        args.extend(["--events", "5", "--out", text(&out)].map(String::from));
        args.extend(more.iter().map(|s| s.to_string()));
        args
    };
    let refused = |args: Vec<String>, status, parts: &[&str]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let message = fails(status, &args);
        for part in parts {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert!(!out.exists(), "a refused request left a file");
    };
    for more in [&[][..], &["--energy", "20"], &["--energy-range", "20:30"]] {
        refused(args(more), 2, &["energy, mass, vz", "--conditions"]);
    }
    let with = |path: &Path| {
        let mut args = args(&["--conditions"]);
        args.push(text(path).into());
        args
    };
    let made = |path: &Path| {
        let args = with(path);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = calogen(&args);
        assert_eq!(run.status, 0, "{}", run.err);
        let file = ShowerFile::open(&out).unwrap();
        let showers = file.read(0..5).unwrap();
        let labels = showers.labels(&NAMES.map(String::from)).unwrap();
        std::fs::remove_file(&out).unwrap();
        (labels, run.err)
    };
    let (labels, messages) = made(&data);
    assert_eq!(labels[..6], [10.0, 0.0, -10.0, 11.0, 1.0, -10.0]);
    assert!(!messages.contains("warning"), "{messages}");
    // Lines in turn, columns in any order, and a word on what training did not cover.
    std::fs::write(
        &table,
        "vz, mass, energy, name\n-10, 1, 20, n\n-10, 0, 99, g\n",
    )
    .unwrap();
    let (labels, messages) = made(&table);
    let [n, g] = [[20.0, 1.0, -10.0], [99.0, 0.0, -10.0]];
    assert_eq!(labels, [n, g, n, g, n].concat());
    assert!(
        messages.contains("energy outside the training range, 10 to 49 GeV: 99 of event 1"),
        "{messages}"
    );
    for (content, part) in [
        ("energy,mass\n1,2\n", "no column 'vz'"),
        ("energy,mass,vz\n1,two,3\n", "line 2: mass is 'two'"),
        ("energy,mass,vz\n1,2\n", "line 2: vz is ''"),
        ("energy,mass,vz\n", "no line"),
    ] {
        std::fs::write(&table, content).unwrap();
        refused(with(&table), 1, &["gun.csv", part]);
    }
}

#[test]
fn an_unconditional_system_takes_no_energy() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = particles(&at("data.h5"));
    let run = train(folder.path(), "swae", &data, "[]");
    let (run, out) = (text(&run).to_owned(), at("g.h5"));
    let base = ["generate", &run, "--events", "5", "--out", text(&out)];
    let mut args = base.to_vec();
    args.extend(["--energy", "20"]);
    assert!(fails(2, &args).contains("unconditional"));
    let made = calogen(&base);
    assert_eq!(made.status, 0, "{}", made.err);
    let showers = ShowerFile::open(&out).unwrap().read(0..5).unwrap();
    assert_eq!(showers.energy, [0.0; 5]);
}
