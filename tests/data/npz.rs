//! npz files: every kind of array that is read, the two layouts, and what is refused.

use std::path::{Path, PathBuf};

use calogen::data::ShowerFile;
use tempfile::TempDir;

use super::archive::{Form, npy, zip};
use super::{refused, says};

const PLAIN: Form = Form("<f4", false, false);

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

const EVENTS: usize = 5;

/// Photon counts that say where they stand.
fn counts() -> Vec<f64> {
    (0..EVENTS * 2 * 3).map(|i| i as f64).collect()
}

/// Row i is 10·i + column, with the mass (column 0) as half of that.
fn particles(columns: usize) -> Vec<f64> {
    (0..EVENTS * columns)
        .map(|i| (10 * (i / columns) + i % columns) as f64)
        .collect()
}

fn zdc(form: Form, columns: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let array = npy(form, &[EVENTS, 2, 3], &counts());
    let path = write(
        &folder,
        "data_nonrandom_responses.npz",
        &zip(&[("arr_0.npy", array, form.2)]),
    );
    let array = npy(form, &[EVENTS, columns], &particles(columns));
    write(
        &folder,
        "data_nonrandom_particles.npz",
        &zip(&[("arr_0.npy", array, form.2)]),
    );
    (folder, path)
}

#[test]
fn every_kind_of_array() {
    let types = [
        "<f4", ">f4", "<f8", ">f8", "<i2", ">i4", "<i8", "|u1", "|i1", "<u2",
    ];
    for descr in types {
        for (fortran, deflated) in [(false, false), (true, false), (false, true), (true, true)] {
            let (_folder, path) = zdc(Form(descr, fortran, deflated), 10);
            let opened = ShowerFile::open(&path).unwrap();
            assert_eq!(opened.len(), EVENTS);
            assert_eq!(opened.info().shape, [1, 2, 3]);
            assert_eq!(opened.info().unit, "photons");
            assert_eq!(
                opened.is_double(),
                ["f8", "i4", "i8"].contains(&&descr[1..]),
                "{descr}"
            );
            let expected: Vec<f32> = counts().iter().map(|&v| v as f32).collect();
            // In order, then backwards, then in part.
            assert_eq!(
                opened.read(0..EVENTS).unwrap().layers,
                expected,
                "{descr} {fortran} {deflated}"
            );
            for i in (0..EVENTS).rev() {
                let row = opened.read(i..i + 1).unwrap();
                assert_eq!(row.layers, expected[6 * i..6 * (i + 1)]);
                let i = 10.0 * i as f32;
                assert_eq!(row.energy, [i + 1.0], "energy stands second");
                let names = [
                    "energy", "mass", "charge", "px", "py", "pz", "vx", "vy", "vz", "pdg",
                ];
                assert_eq!(row.condition_names, names);
                let order = [1.0, 0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
                assert_eq!(row.conditions.unwrap(), order.map(|c| i + c));
            }
            let rows = opened.read_rows(&[4, 0, 4]).unwrap();
            assert_eq!(rows.layers[..6], expected[24..30]);
        }
    }
}

/// Particles by name: energy, mass, charge, momentum, vertex in GeV, mm and e, and the PDG id.
const REAL: [[f64; 10]; 3] = [
    [
        1200.5, 0.93956, 0.0, 0.25, -0.5, 1200.4994, 0.001, -0.002, 30.5, 2112.0,
    ],
    [
        80.0,
        0.0,
        0.0,
        0.0,
        0.048,
        79.999_985_6,
        0.0,
        0.0,
        -12.0,
        22.0,
    ],
    [
        950.0,
        0.93827,
        1.0,
        1.5,
        -0.75,
        949.998_056,
        0.5,
        0.25,
        8.0,
        2212.0,
    ],
];

#[test]
fn the_order_of_a_particles_columns_is_told_by_its_mass() {
    let simulated = |p: &[f64; 10]| {
        let [e, m, q, px, py, pz, vx, vy, vz, pdg] = *p;
        let (m, [vx, vy, vz]) = (1e3 * m, [vx, vy, vz].map(|v| 1e-3 * v));
        [e, vx, vy, vz, px, py, pz, m, q, pdg]
    };
    let listed = |p: &[f64; 10]| {
        let mut row = *p;
        row.swap(0, 1);
        row
    };
    for columns in [9, 10] {
        for rows in [REAL.map(|p| simulated(&p)), REAL.map(|p| listed(&p))] {
            let folder = tempfile::tempdir().unwrap();
            let form = Form("<f8", false, false);
            let array = |shape: &[usize], values: &[f64]| {
                zip(&[("arr_0.npy", npy(form, shape, values), false)])
            };
            let path = write(&folder, "responses.npz", &array(&[3, 1, 2], &[1.0; 6]));
            let rows: Vec<f64> = (rows.iter()).flat_map(|r| r[..columns].to_vec()).collect();
            write(&folder, "particles.npz", &array(&[3, columns], &rows));
            let read = ShowerFile::open(&path).unwrap().read(0..3).unwrap();
            assert_eq!(read.energy, REAL.map(|p| p[0] as f32));
            let conditions = read.conditions.unwrap();
            for (row, p) in conditions.chunks_exact(columns).zip(&REAL) {
                for (found, wanted) in row.iter().zip(p) {
                    let error = (f64::from(*found) - wanted).abs();
                    assert!(error <= 1e-6 * wanted.abs(), "{found} for {wanted}");
                }
            }
        }
    }
}

#[test]
fn pairs_of_files() {
    let (folder, path) = zdc(PLAIN, 9);
    let opened = ShowerFile::open(&path).unwrap();
    assert_eq!(opened.info().condition_names.len(), 9);
    let (a, b) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
    std::fs::rename(&path, &a).unwrap();
    std::fs::rename(folder.path().join("data_nonrandom_particles.npz"), &b).unwrap();
    says(
        &refused(&a),
        &["without its particles", "RESPONSES.npz,PARTICLES.npz"],
    );
    let both = format!("{},{}", a.display(), b.display());
    assert_eq!(
        ShowerFile::open(both).unwrap().read(1..2).unwrap().energy,
        [11.0]
    );
    let turned = ShowerFile::open(format!("{},{}", b.display(), a.display()));
    says(
        &turned.unwrap_err().to_string(),
        &["b.npz", "[5, 9]", "expected responses [N,X,Y]"],
    );

    let array = npy(PLAIN, &[4, 9], &particles(9)[..36]);
    std::fs::write(&b, zip(&[("arr_0.npy", array, false)])).unwrap();
    let message = ShowerFile::open(format!("{},{}", a.display(), b.display()));
    says(
        &message.unwrap_err().to_string(),
        &["b.npz", "4 particles, but 5 responses"],
    );
    let array = npy(PLAIN, &[5, 8], &particles(8));
    std::fs::write(&b, zip(&[("arr_0.npy", array, false)])).unwrap();
    let message = ShowerFile::open(format!("{},{}", a.display(), b.display()));
    says(&message.unwrap_err().to_string(), &["8 columns", "PDG id"]);
}

/// The arrays of a beam test file: 4 events of 8 layers and 2 channels, of which the tracks select 0, 2 and 3.
fn hgcal(deflated: bool) -> (TempDir, PathBuf) {
    let n = 4;
    let hits: Vec<f64> = (0..n * 8 * 12 * 15 * 2)
        .map(|i| (i % 30_011) as f64)
        .collect();
    let event: Vec<f64> = (0..n * 5).map(|i| i as f64).collect();
    // Rows type, impact, χ²; x and y each.
    let track = |kind, chi| [kind, 0.0, 1.5 * kind, -kind, 7.0, 7.0, chi, 4.9];
    let tracks: Vec<f64> = [
        track(13.0, 1.0),
        track(12.0, 1.0),
        track(15.0, 0.0),
        track(14.0, 4.5),
    ]
    .concat();
    let form = Form("<f4", false, deflated);
    let bytes = zip(&[
        (
            "rechits.npy",
            npy(form, &[n, 8, 12, 15, 2], &hits),
            deflated,
        ),
        ("event.npy", npy(form, &[n, 5], &event), deflated),
        ("dwcReference.npy", npy(form, &[n, 4, 2], &tracks), deflated),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "reco.npz", &bytes);
    (folder, path)
}

#[test]
fn beam_test_files() {
    for deflated in [false, true] {
        let (_folder, path) = hgcal(deflated);
        let opened = ShowerFile::open(&path).unwrap();
        assert_eq!(opened.info().shape, [7, 12, 15]);
        assert_eq!(opened.info().unit, "MIP");
        assert_eq!(opened.threshold(), Some(2.0));
        let showers = opened.read(0..3).unwrap();
        assert_eq!(showers.energy, [3.0, 13.0, 18.0]);
        assert_eq!(
            showers.position.as_deref(),
            Some(&[[19.5, -13.0], [22.5, -15.0], [21.0, -14.0]][..])
        );
        for (own, row) in [0, 2, 3].into_iter().enumerate() {
            for cell in [0, 1, 14, 15, 180, 1259] {
                let stored = ((row * 8 * 180 + cell) * 2) % 30_011;
                assert_eq!(
                    showers.shower(own)[cell],
                    stored as f32,
                    "event {row}, cell {cell}"
                );
            }
        }
        assert_eq!(opened.read(2..3).unwrap().energy, [18.0]);
    }
}

#[test]
fn refused_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let particles = zip(&[("arr_0.npy", npy(PLAIN, &[EVENTS, 9], &particles(9)), false)]);
    write(&folder, "particles.npz", &particles);
    let said = |array: Vec<u8>| {
        refused(&write(
            &folder,
            "responses.npz",
            &zip(&[("arr_0.npy", array, false)]),
        ))
    };
    let sound = npy(PLAIN, &[EVENTS, 2, 3], &counts());
    let with = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(&sound[10..80]).into_owned();
        assert!(text.contains(from), "{text}");
        let at = 10 + text.find(from).unwrap();
        let mut bytes = sound.clone();
        bytes.splice(at..at + from.len(), to.bytes());
        let more = to.len() as i32 - from.len() as i32;
        let len = i32::from(u16::from_le_bytes([bytes[8], bytes[9]])) + more;
        bytes[8..10].copy_from_slice(&(len as u16).to_le_bytes());
        bytes
    };
    says(
        &said(with("<f4", "|O")),
        &["arr_0", "pickled Python objects"],
    );
    says(&said(with("<f4", "<c8")), &["type <c8", "expected floats"]);
    says(
        &said(with("'<f4'", "[('a', '<f4')]")),
        &["a record of several fields"],
    );
    says(
        &said(with("(5, 2, 3,)", "(5, 2, 4,)")),
        &["[5, 2, 4] of float32 is not the 120 bytes"],
    );
    says(
        &said(with("(5, 2, 3,)", "(5, 99999999999, 99999999999,)")),
        &["is not the 120 bytes"],
    );
    says(
        &said(with("(5, 2, 3,)", "(0, 2, 3,)")),
        &["is not the 120 bytes"],
    );
    says(&said(with("(5, 2, 3,)", "(30,)")), &["shape [30]"]);
    says(&said(with("False", "Maybe")), &["expected False"]);
    says(
        &said(b"\x80\x04pickle, not an array".to_vec()),
        &["does not begin like an array"],
    );
    says(
        &said(sound[..40].to_vec()),
        &["cut short within its header"],
    );
    says(
        &said(sound[..sound.len() - 1].to_vec()),
        &["is not the 119 bytes"],
    );
    let other = zip(&[("weights.npy", sound.clone(), false)]);
    says(
        &refused(&write(&folder, "responses.npz", &other)),
        &["found arrays weights", "`rechits`"],
    );
    let whole = zip(&[("arr_0.npy", sound.clone(), true)]);
    let cut = write(&folder, "responses.npz", &whole[..whole.len() - 30]);
    says(&refused(&cut), &["without the directory of a zip archive"]);

    // A value changed on the way: sizes are right, the checksum is not.
    let mut whole = zip(&[("arr_0.npy", sound, false)]);
    let at = whole.windows(5).position(|w| w == b"False").unwrap() + 60;
    whole[at] ^= 1;
    says(
        &refused(&write(&folder, "responses.npz", &whole)),
        &["checksum"],
    );
}

/// A reader must never be brought down, whatever the bytes: no panic, no endless loop, no huge allocation.
#[test]
fn damaged_archives() {
    let (zdc_folder, zdc_path) = zdc(Form("<f8", false, true), 9);
    let (_fortran, fortran_path) = zdc(Form("<i2", true, false), 9);
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let look = |path: &Path| {
        if let Ok(opened) = ShowerFile::open(path) {
            let all = opened.len().min(EVENTS);
            let _ = opened.read(0..all);
            let _ = opened.read(all - 1..all);
        }
    };
    for path in [&zdc_path, &fortran_path] {
        let bytes = std::fs::read(path).unwrap();
        for round in 0..900 {
            let mut damaged = bytes.clone();
            match round % 3 {
                0 => damaged.truncate(random(bytes.len())),
                1 => damaged[random(bytes.len())] ^= 1 << random(8),
                _ => {
                    for _ in 0..4 {
                        let at = random(bytes.len());
                        damaged[at] = [0, 1, 0x7f, 0x80, 0xff, b'9'][random(6)];
                    }
                }
            }
            std::fs::write(path, &damaged).unwrap();
            look(path);
        }
    }
    drop(zdc_folder);
}
