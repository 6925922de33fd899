//! The readers, good files for each, and how they are damaged.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use calogen::data::{
    Labels, Provenance, ShowerFile, ShowerInfo, ShowerWriter, Showers, Storage, Voxels,
    read_binning,
};
use calogen::generate::{Generator, LabelRows};
use calogen::gpu::Gpu;
use calogen::models::{self, Preset};
use calogen::train::{configured, open_run};
use calogen::{Error, Result};

use super::archive::{Form, npy, zip};
use super::mutate::{Random, damaged};
use super::odd;

/// A reader under test.
pub struct Target {
    pub name: &'static str,
    /// Of its files.
    pub extension: &'static str,
    /// Good files.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Writes the next file to be read.
    pub make: fn(&mut Random, &[Vec<u8>], &Path),
    pub read: fn(&Path) -> Result<()>,
    /// A C library reads the damaged bytes, and has faults of its own.
    pub library: bool,
    /// Opens a device, whose driver needs more memory than the files.
    pub device: bool,
}

const PLAIN: Target = Target {
    name: "",
    extension: "",
    seeds: Vec::new,
    make: |random, seeds, path| std::fs::write(path, damaged(random, seeds)).unwrap(),
    read: |_| Ok(()),
    library: false,
    device: false,
};

pub const TARGETS: [Target; 8] = [
    Target {
        name: "showers",
        extension: "h5",
        seeds: shower_files,
        read: showers,
        library: true,
        ..PLAIN
    },
    Target {
        name: "datasets",
        extension: "h5",
        make: |random, _, path| odd::write(random, path),
        read: showers,
        ..PLAIN
    },
    Target {
        name: "npz",
        extension: "npz",
        seeds: archives,
        make: archive,
        read: npz,
        ..PLAIN
    },
    Target {
        name: "weights",
        extension: "safetensors",
        seeds: || vec![include_bytes!("seeds/model.safetensors").to_vec()],
        make: tensors,
        read: weights,
        device: true,
        ..PLAIN
    },
    Target {
        name: "checkpoint",
        extension: "safetensors",
        seeds: || vec![include_bytes!("seeds/checkpoint.safetensors").to_vec()],
        make: tensors,
        read: checkpoint,
        device: true,
        ..PLAIN
    },
    Target {
        name: "config",
        extension: "toml",
        seeds: configurations,
        read: config,
        ..PLAIN
    },
    Target {
        name: "binning",
        extension: "xml",
        seeds: || vec![BINNING.into()],
        read: binning,
        ..PLAIN
    },
    Target {
        name: "conditions",
        extension: "csv",
        seeds: || vec![b"energy, mass,x\n1.5,0.000511,-3\n\n 2e1 ,0.1,7\n".to_vec()],
        read: |path| {
            let names = ["x", "energy"].map(String::from);
            LabelRows::read_csv(path, &names).map(|_| ())
        },
        ..PLAIN
    },
];

/// Readers that must be caught.
pub fn bad(name: &str) -> Target {
    match name {
        "panics" => Target {
            read: |_| panic!("as it should"),
            name: "panics",
            ..PLAIN
        },
        _ => Target {
            read: |path| {
                let claimed = std::fs::metadata(path).map_or(0, |_| 1usize << 33);
                std::hint::black_box(vec![1u8; claimed]);
                Ok(())
            },
            name: "allocates",
            ..PLAIN
        },
    }
}

fn shower_files() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.h5");
    let bytes = || std::fs::read(&path).unwrap();
    let mut seeds = Vec::new();
    for (full, sparse) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut info = ShowerInfo::new([2, 3, 5]);
        info.threshold = full.then_some(0.25);
        info.cell_size_mm = full.then(|| vec![10.0, 10.0]);
        info.detector = full.then(|| "a detector".into());
        let names: Vec<String> = ["px", "py"]
            .iter()
            .filter(|_| full)
            .map(|n| (*n).into())
            .collect();
        let labels = Labels {
            position: full,
            conditions: names.clone(),
        };
        let storage = Storage {
            sparse,
            level: u8::from(full),
        };
        let mut writer = ShowerWriter::create_as(&path, &info, labels, storage).unwrap();
        let showers = Showers {
            shape: info.shape,
            layers: (0..120).map(|i| i as f32 / 8.0).collect(),
            energy: vec![10.0; 4],
            position: full.then(|| vec![[1.0, 2.0]; 4]),
            conditions: full.then(|| vec![0.5; 8]),
            condition_names: names,
        };
        let from = Provenance {
            generated_by: "a test".into(),
            weights: "none".into(),
            labels: "energy 10 GeV".into(),
            seed: 1,
            first_event: 2,
            devices: vec!["a device".into()],
        };
        from.write(&mut writer).unwrap();
        writer.append(&showers).unwrap();
        writer.finish().unwrap();
        seeds.push(bytes());
    }
    odd::challenge(&path);
    seeds.push(bytes());
    seeds
}

/// All that commands ask of a shower file, but for long ones only the first and last events.
fn showers(path: &Path) -> Result<()> {
    let file = ShowerFile::open_as(path, &Voxels::Recognised)?;
    let rows = file.rows_together().min(file.len()).min(256);
    file.read(0..rows)?;
    file.read_f64(file.len() - 1..file.len())?;
    file.read_rows(&[file.len() - 1, 0])?;
    match Provenance::read(path) {
        // What others have written does not say.
        Err(Error::Format { what, .. }) if what.starts_with("no attribute") => Ok(()),
        other => other.map(|_| ()),
    }
}

const ARRAYS: [&str; 3] = ["rechits", "event", "dwcReference"];

/// npy arrays, or archives of them: what a seed is shows its beginning.
fn archives() -> Vec<Vec<u8>> {
    let ramp = |n: usize| (0..n).map(|i| i as f64).collect::<Vec<_>>();
    let form = Form("<f4", false, false);
    let tracks = [13.0, 0.0, 1.5, -1.5, 7.0, 7.0, 1.0, 4.9];
    let arrays = [
        npy(form, &[2, 8, 12, 15, 2], &ramp(5760)),
        npy(form, &[2, 5], &ramp(10)),
        npy(form, &[2, 4, 2], &[tracks, tracks].concat()),
    ];
    let one = |deflated| {
        let entries: Vec<(String, Vec<u8>, bool)> = (ARRAYS.iter().zip(&arrays))
            .map(|(name, array)| (format!("{name}.npy"), array.clone(), deflated))
            .collect();
        let entries: Vec<_> = entries
            .iter()
            .map(|(n, a, d)| (n.as_str(), a.clone(), *d))
            .collect();
        zip(&entries)
    };
    let responses = |form: Form| zip(&[("arr_0.npy", npy(form, &[5, 2, 3], &ramp(30)), form.2)]);
    vec![
        one(false),
        one(true),
        responses(Form("<f8", true, false)),
        responses(Form(">i4", false, true)),
    ]
}

/// Damages the archive, or an array in a sound one.
fn archive(random: &mut Random, seeds: &[Vec<u8>], path: &Path) {
    let bytes = match random.once_in(2) {
        true => damaged(random, seeds),
        false => {
            let (form, values) = (Form("<f4", random.once_in(2), false), vec![1.0; 30]);
            let array = damaged(random, &[npy(form, &[5, 2, 3], &values)]);
            zip(&[("arr_0.npy", array, random.once_in(2))])
        }
    };
    std::fs::write(path, bytes).unwrap();
}

fn npz(path: &Path) -> Result<()> {
    let open = |name: String| -> Result<()> {
        let file = ShowerFile::open(name)?;
        let rows = file.len().min(256);
        file.read(0..rows)?;
        file.read_rows(&[file.len() - 1, 0]).map(|_| ())
    };
    let particles = path.with_file_name("sound.npz");
    if !particles.exists() {
        let array = npy(Form("<f4", false, false), &[5, 9], &[1.0; 45]);
        std::fs::write(&particles, zip(&[("arr_0.npy", array, false)])).unwrap();
    }
    let (file, particles) = (path.display(), particles.display());
    let pair = [
        open(format!("{file},{particles}")),
        open(format!("{particles},{file}")),
    ];
    let alone = open(file.to_string());
    match pair.into_iter().any(|p| p.is_ok()) {
        true => Ok(()),
        false => alone,
    }
}

/// Damages the header of tensors, whose length is mostly put right, or anything.
fn tensors(random: &mut Random, seeds: &[Vec<u8>], path: &Path) {
    let bytes = match random.once_in(4) {
        true => damaged(random, seeds),
        false => {
            let seed = random.of(seeds).clone();
            let (length, rest) = seed.split_first_chunk::<8>().unwrap();
            let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
            let header = damaged(random, &[header.to_vec()]);
            let length = match random.once_in(8) {
                true => *length,
                false => (header.len() as u64).to_le_bytes(),
            };
            [&length[..], &header, data].concat()
        }
    };
    std::fs::write(path, bytes).unwrap();
}

fn gpu() -> &'static Arc<Gpu> {
    static GPU: OnceLock<Arc<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open(None).unwrap())
}

fn weights(path: &Path) -> Result<()> {
    Generator::load(gpu(), path).map(|_| ())
}

fn checkpoint(path: &Path) -> Result<()> {
    let run = path.with_file_name("run");
    if !run.exists() {
        std::fs::create_dir(&run).unwrap();
        let model = include_bytes!("seeds/model.safetensors");
        std::fs::write(run.join("model.safetensors"), model).unwrap();
    }
    std::fs::copy(path, run.join("checkpoint.safetensors")).unwrap();
    open_run(gpu(), &run).map(|_| ())
}

/// Models whose settings are of different kinds.
const MODELS: [&str; 4] = ["hgcal-wgan", "bib-ae", "e2e-sae", "regressor"];

fn configurations() -> Vec<Vec<u8>> {
    let text = |model: &&str| {
        let config = models::preset(model, Preset::Small).unwrap().config();
        let table = serde_json::json!({"model": model, "config": config});
        toml::to_string(&table).unwrap().into_bytes()
    };
    let settings = b"batch = 128\ngenerator_rates = [[100.0, 0.001], [50.0, 0.0001]]\n";
    (MODELS.iter().map(text))
        .chain([settings.to_vec()])
        .collect()
}

fn config(path: &Path) -> Result<()> {
    let read = |model: &&str| configured(model, Preset::Small, &[path]);
    let all: Vec<_> = MODELS.iter().map(read).collect();
    let mut errors = Vec::new();
    for one in all {
        match one {
            Ok(_) => return Ok(()),
            Err(error) => errors.push(error),
        }
    }
    Err(errors.swap_remove(0))
}

const BINNING: &str = r#"<?xml version="1.0"?>
<Bins>
  <Bin pid="22" etaMin="0" etaMax="130" name="photon">
    <Layer id="0" r_edges="0,5,10.5" n_bin_alpha="1" />
    <Layer id="1" r_edges="0" n_bin_alpha="1" />
    <!-- the last -->
    <Layer id="12" r_edges=" 0, 100" n_bin_alpha="3"/>
  </Bin>
  <Bin pid="211" name="pion"><Layer id="0" r_edges="0,1" n_bin_alpha="4"/></Bin>
</Bins>
"#;

fn binning(path: &Path) -> Result<()> {
    let _ = read_binning(path, None);
    let layers = read_binning(path, Some("22"))?;
    // By it some voxels are laid out.
    let odd = path.with_extension("h5");
    if !odd.exists() {
        odd::challenge(&odd);
    }
    let _ = ShowerFile::open_as(&odd, &Voxels::Layers(layers));
    Ok(())
}
