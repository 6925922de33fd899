//! Files of the CaloChallenge, and the binning by which their voxels lie.

use std::path::PathBuf;

use calogen::data::{ShowerFile, ShowerSet, ShowerWriter, Voxels, read_binning};
use calogen::geometry::{CaloChallenge, PolarLayer, regular_shape};
use tempfile::TempDir;

use super::{attribute, file, put, refused, says};

/// Two layers of 2 × 1 and 1 × 3 voxels, one without any, and another particle.
const SMALL: &str = r#"<?xml version="1.0"?>
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

fn binning(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("binning.xml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn layer(id: usize, r_edges: &[f64], alpha_bins: usize) -> PolarLayer {
    PolarLayer {
        id,
        r_edges: r_edges.to_vec(),
        alpha_bins,
    }
}

fn challenge(events: usize, voxels: usize) -> (TempDir, PathBuf) {
    file(|f| {
        let values: Vec<f32> = (0..events * voxels).map(|i| i as f32 / 64.0).collect();
        put(f, "showers", &[events, voxels], &values);
        let energies: Vec<f32> = (0..events).map(|i| 1000.0 * (i as f32 + 0.5)).collect();
        put(f, "incident_energies", &[events, 1], &energies);
    })
}

#[test]
fn data_sets_by_voxels() {
    for set in CaloChallenge::ALL {
        let layers = set.layers();
        let voxels: usize = layers.iter().map(|l| l.r_bins() * l.alpha_bins).sum();
        assert_eq!(voxels, set.voxels(), "{}", set.name());
        assert_eq!(CaloChallenge::of_voxels(voxels), Some(set));
        assert_eq!(CaloChallenge::named(set.name()), Some(set));
        assert_eq!(CaloChallenge::of_layers(&layers), Some(set));
        let (_folder, path) = challenge(2, voxels);
        let opened = ShowerFile::open(&path).unwrap();
        let shape = match set {
            CaloChallenge::Electrons2 => [45, 16, 9],
            CaloChallenge::Electrons3 => [45, 50, 18],
            _ => [1, 1, voxels],
        };
        assert_eq!(opened.info().shape, shape);
        assert_eq!(opened.info().polar.as_ref(), Some(&layers));
        assert_eq!(opened.info().unit, "MeV");
        let showers = opened.read(1..2).unwrap();
        assert_eq!(showers.energy, [1.5], "MeV are read as GeV");
        let expected: Vec<f32> = (voxels..2 * voxels).map(|i| i as f32 / 64.0).collect();
        assert_eq!(showers.layers, expected, "r fastest, then α, then layer");
    }
    let edges = |set: CaloChallenge, k: usize| set.layers()[k].r_edges.clone();
    assert_eq!(edges(CaloChallenge::Electrons2, 44)[3], 13.95);
    assert_eq!(edges(CaloChallenge::Electrons2, 0)[9], 41.85);
    assert_eq!(edges(CaloChallenge::Electrons3, 0)[18], 41.85);
    assert_eq!(edges(CaloChallenge::Pions1, 5)[15], 1000.0);
}

#[test]
fn binning_files() {
    let (_folder, path) = binning(SMALL);
    let photon = [layer(0, &[0.0, 5.0, 10.5], 1), layer(12, &[0.0, 100.0], 3)];
    for name in ["photon", "22"] {
        assert_eq!(read_binning(&path, Some(name)).unwrap(), photon);
    }
    let pion = read_binning(&path, Some("pion")).unwrap();
    assert_eq!(pion, [layer(0, &[0.0, 1.0], 4)]);
    assert_eq!(regular_shape(&pion), Some([1, 4, 1]));
    assert_eq!(regular_shape(&photon), None);
    let said = |particle| read_binning(&path, particle).unwrap_err().to_string();
    says(
        &said(None),
        &[
            "binning.xml",
            "2 particles",
            "photon (pid 22)",
            "pion (pid 211)",
        ],
    );
    says(&said(Some("muon")), &["0 particles are called muon"]);

    let voxels = Voxels::Layers(photon.to_vec());
    let (_folder, data) = challenge(3, 5);
    let opened = ShowerFile::open_as(&data, &voxels).unwrap();
    assert_eq!(opened.info().shape, [1, 1, 5]);
    assert_eq!(opened.info().polar.as_deref(), Some(&photon[..]));
    let said = refused(&data);
    says(
        &said,
        &[
            "`showers`",
            "[3, 5]",
            "368, 533, 6480, 40500",
            "binning file",
        ],
    );
    let (_folder, data) = challenge(3, 7);
    let message = ShowerFile::open_as(&data, &voxels).unwrap_err().to_string();
    says(&message, &["`showers`", "7 voxels, but the binning has 5"]);
    let labels = ShowerFile::open_as(&data, &Voxels::Unknown).unwrap();
    assert_eq!(labels.energies().unwrap(), [0.5, 1.5, 2.5]);
}

#[test]
fn bad_binning_files() {
    let one = |layer: &str| format!("<Bins><Bin name=\"e\">{layer}</Bin></Bins>");
    let cases: [(String, &[&str]); 14] = [
        (String::new(), &["not XML"]),
        ("<Bins><Bin></Bins>".into(), &["not XML"]),
        ("<Bin/>".into(), &["the root is `Bin`, expected `Bins`"]),
        ("<Bins/>".into(), &["0 particles"]),
        (
            "<Bins><Layer/></Bins>".into(),
            &["`Layer` in `Bins`, expected `Bin`"],
        ),
        (one(""), &["no `Layer` holds voxels"]),
        (
            one("<Layer id='0' r_edges='0' n_bin_alpha='1'/>"),
            &["no `Layer` holds voxels"],
        ),
        (
            one("<Layer id='0' r_edges='0,1'/>"),
            &["`Layer` has no `n_bin_alpha`"],
        ),
        (
            one("<Layer id='a' r_edges='0,1' n_bin_alpha='1'/>"),
            &["`id` is \"a\""],
        ),
        (
            one("<Layer id='3' r_edges='0,1' n_bin_alpha='0'/>"),
            &["`Layer` 3", "`n_bin_alpha` is 0"],
        ),
        (
            one("<Layer id='3' r_edges='0,nan' n_bin_alpha='1'/>"),
            &["`Layer` 3", "numbers with commas"],
        ),
        (
            one("<Layer id='3' r_edges='5' n_bin_alpha='1'/>"),
            &["at least two edges"],
        ),
        (
            one("<Layer id='3' r_edges='0,2,2' n_bin_alpha='1'/>"),
            &["do not ascend"],
        ),
        (
            one(&"<Layer id='3' r_edges='0,1' n_bin_alpha='1'/>".repeat(2)),
            &["a second time"],
        ),
    ];
    for (text, parts) in cases {
        let (_folder, path) = binning(&text);
        let message = read_binning(&path, None).unwrap_err().to_string();
        says(&message, &["binning.xml"]);
        says(&message, parts);
    }
    let deep = "<Bins>".repeat(300_000);
    let (_folder, path) = binning(&deep);
    read_binning(&path, None).unwrap_err();
    let large = format!("<Bins>{}</Bins>", " ".repeat(5 << 20));
    let (_folder, path) = binning(&large);
    says(
        &read_binning(&path, None).unwrap_err().to_string(),
        &["more than 4194304 bytes"],
    );
    let bomb = "<!DOCTYPE b [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><Bins>&b;</Bins>";
    let (_folder, path) = binning(bomb);
    says(
        &read_binning(&path, None).unwrap_err().to_string(),
        &["DTD"],
    );
}

#[test]
fn bad_challenge_files() {
    let (_folder, path) = file(|f| {
        put(f, "showers", &[2, 3, 4], &[0.0; 24]);
        put(f, "incident_energies", &[2, 1], &[1.0; 2]);
    });
    says(
        &refused(&path),
        &["`showers`", "[2, 3, 4]", "expected [N,V]"],
    );
    let (_folder, path) = file(|f| {
        put(f, "showers", &[2, 368], &[0.0; 736]);
        put(f, "incident_energies", &[3, 1], &[1.0; 3]);
    });
    says(
        &refused(&path),
        &["`incident_energies`", "3 rows", "`showers` has 2"],
    );
    let (_folder, path) = file(|f| {
        put(f, "incident_energies", &[3, 1], &[1.0; 3]);
    });
    says(
        &refused(&path),
        &["no dataset `showers` beside `incident_energies`"],
    );
    let (_folder, path) = file(|f| {
        put(f, "showers", &[1, 368], &[0.0; 368]);
        put(f, "incident_energies", &[1, 1], &[f32::NAN]);
    });
    says(&refused(&path), &["`incident_energies`, event 0", "NaN"]);
}

/// A regular data set is a grid to networks; written as such it is still known for what it is.
#[test]
fn voxels_as_a_grid() {
    let (folder, path) = challenge(3, 6480);
    let set = ShowerSet::open([&path]).unwrap();
    let showers = set.read(0..3).unwrap();
    assert_eq!(showers.shape, [45, 16, 9]);
    let out = folder.path().join("grid.h5");
    let mut writer = ShowerWriter::create(&out, set.info(), Default::default()).unwrap();
    writer.append(&showers).unwrap();
    writer.finish().unwrap();
    let again = ShowerFile::open(&out).unwrap();
    assert_eq!(again.info().polar, set.info().polar);
    assert_eq!(again.read(0..3).unwrap(), showers);

    let (_folder, path) = file(|f| {
        let layers = put(f, "layers", &[1, 1, 1, 368], &[0.0; 368]);
        put(f, "energy", &[1], &[1.0]);
        attribute(&layers, "binning", "4");
    });
    says(
        &refused(&path),
        &["`layers`", "attribute `binning` is \"4\"", "1-pions"],
    );
    let (_folder, path) = file(|f| {
        put(f, "layers", &[1, 2, 4, 46], &[0.0; 368]);
        put(f, "energy", &[1], &[1.0]);
    });
    let photons = Voxels::Layers(CaloChallenge::Photons1.layers());
    let message = ShowerFile::open_as(&path, &photons)
        .unwrap_err()
        .to_string();
    says(&message, &["[1, 2, 4, 46]", "[1, 1, 368]"]);
}

/// Held-out showers: ranges across files.
#[test]
fn part_of_a_set() {
    let (_a, first) = challenge(3, 368);
    let (_b, second) = challenge(4, 368);
    let open = || ShowerSet::open([&first, &second]).unwrap();
    let part = open().limited(2..5).unwrap();
    assert_eq!((part.len(), part.events()), (3, 2..5));
    assert_eq!(part.energies().unwrap(), [2.5, 0.5, 1.5]);
    let all = open().read(0..7).unwrap();
    assert_eq!(part.read(0..3).unwrap(), all.gather(&[2, 3, 4]));
    assert_eq!(part.read(1..2).unwrap(), all.gather(&[3]));
    part.read(2..4).unwrap_err();
    for wrong in [3..3, 0..8, 7..9] {
        says(
            &open().limited(wrong).unwrap_err().to_string(),
            &["7 in 2 files"],
        );
    }
}

/// Readers must never be brought down, whatever the bytes.
#[test]
fn damaged_files() {
    let (_folder, xml) = binning(SMALL);
    let (_data_folder, data) = challenge(2, 368);
    let mut state = 7u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let sound = [&xml, &data].map(|path| std::fs::read(path).unwrap());
    // Of the shower file the part that describes it.
    let ends = [sound[0].len(), sound[1].len() - 2 * 368 * 4];
    for round in 0..800 {
        let which = usize::from(round % 4 == 0);
        let (path, end) = ([&xml, &data][which], ends[which]);
        let mut damaged = sound[which].clone();
        match round % 3 {
            0 => damaged.truncate(random(end)),
            1 => damaged[random(end)] ^= 1 << random(8),
            _ => damaged[random(end)] = b"0<>/\"=,9"[random(8)],
        }
        std::fs::write(path, &damaged).unwrap();
        match which {
            0 => drop(read_binning(path, Some("photon"))),
            _ => drop(ShowerFile::open(path).and_then(|opened| opened.read(0..1))),
        }
    }
}
