//! What is read.

use calogen::data::ShowerFile;
use hdf5::types::{FixedAscii, FixedUnicode, VarLenAscii, VarLenUnicode};
use hdf5_metno as hdf5;
use ndarray::{Array, ArrayView, IxDyn};

use super::{CELLS, SHAPE, attribute, cells, energies, file, plain, put};

/// Opens a file of `n` events of `cells` and `energies` and compares every value.
fn sound(path: &std::path::Path, n: usize) -> ShowerFile {
    let opened = ShowerFile::open(path).unwrap();
    assert_eq!(opened.len(), n);
    assert!(!opened.is_empty());
    assert_eq!(opened.path(), path);
    assert_eq!(opened.energies().unwrap(), energies(n));
    let all = opened.read(0..n).unwrap();
    assert_eq!((all.layers, all.energy), (cells(n), energies(n)));
    opened
}

#[test]
fn at_the_root() {
    let (_folder, path) = file(|f| plain(f, 4));
    let opened = sound(&path, 4);
    assert_eq!(opened.info().shape, SHAPE);
    assert_eq!(opened.info().unit, "MeV");
    assert_eq!(
        (opened.info().threshold, &opened.info().detector),
        (None, &None)
    );
    assert!(!opened.has_position() && opened.info().condition_names.is_empty());
}

#[test]
fn in_a_group_of_any_name() {
    for name in ["30x30", "hcal_only", "a/b"] {
        let (_folder, path) = file(|f| {
            f.create_group("notes").unwrap();
            let group = f
                .create_group_builder()
                .create_intermediate_group(true)
                .create(name)
                .unwrap();
            plain(&group, 3);
        });
        sound(&path, 3);
    }
}

#[test]
fn the_root_wins_over_a_group() {
    let (_folder, path) = file(|f| {
        plain(&f.create_group("other").unwrap(), 9);
        plain(f, 3);
    });
    sound(&path, 3);
}

#[test]
fn energy_of_rank_one_and_layers_of_rank_three() {
    let (_folder, path) = file(|f| {
        put(f, "layers", &[4, 6, 5], &cells(4));
        put(f, "energy", &[4], &energies(4));
    });
    assert_eq!(sound(&path, 4).info().shape, [1, 6, 5]);
}

#[test]
fn chunked_and_compressed() {
    let (_folder, path) = file(|f| {
        let all = cells(25);
        let view = ArrayView::from_shape([25, 2, 3, 5], &all).unwrap();
        // Chunks that split the cells as well as the events, as h5py makes them by itself.
        f.new_dataset_builder()
            .with_data(view)
            .chunk([4, 1, 3, 2])
            .shuffle()
            .deflate(9)
            .create("layers")
            .unwrap();
        put(f, "energy", &[25], &energies(25));
    });
    let opened = sound(&path, 25);
    let rows = [24, 0, 5, 5, 7, 23, 4];
    assert_eq!(
        opened.read_rows(&rows).unwrap(),
        opened.read(0..25).unwrap().gather(&rows)
    );
}

#[test]
fn every_numeric_type() {
    fn check<T: hdf5::H5Type + Copy>(of: impl Fn(f32) -> T) {
        // Integers, so that every type has them.
        let values: Vec<f32> = (0..2 * CELLS).map(|i| i as f32).collect();
        let typed: Vec<T> = values.iter().map(|&v| of(v)).collect();
        let (_folder, path) = file(|f| {
            let layers = Array::from_shape_vec(IxDyn(&[2, 2, 3, 5]), typed.clone()).unwrap();
            f.new_dataset_builder()
                .with_data(&layers)
                .create("layers")
                .unwrap();
            let energy = Array::from_shape_vec(IxDyn(&[2, 1]), typed[..2].to_vec()).unwrap();
            f.new_dataset_builder()
                .with_data(&energy)
                .create("energy")
                .unwrap();
        });
        let opened = ShowerFile::open(&path).unwrap();
        assert_eq!(opened.read(0..2).unwrap().layers, values);
        let double: Vec<f64> = values.iter().map(|&v| v.into()).collect();
        assert_eq!(opened.read_f64(0..2).unwrap().layers, double);
        assert_eq!(opened.energies().unwrap(), &values[..2]);
    }
    check(|v| v);
    check(f64::from);
    check(|v| v as u8);
    check(|v| v as i16);
    check(|v| v as i32);
    check(|v| v as u64);
}

#[test]
fn double_precision_is_kept() {
    let third = 1.0 / 3.0;
    let (_folder, path) = file(|f| {
        let layers = Array::from_elem(IxDyn(&[2, 2, 3, 5]), third);
        f.new_dataset_builder()
            .with_data(&layers)
            .create("layers")
            .unwrap();
        put(f, "energy", &[2], &[1.0, 2.0]);
    });
    let opened = ShowerFile::open(&path).unwrap();
    assert_eq!(opened.read_f64(0..2).unwrap().shower(1), [third; CELLS]);
    assert_eq!(opened.read(0..2).unwrap().shower(1), [third as f32; CELLS]);
}

#[test]
fn attributes_scalar_or_not_single_or_double() {
    let (_folder, path) = file(|f| {
        plain(f, 1);
        let layers = f.dataset("layers").unwrap();
        attribute(&layers, "unit", "MIP");
        layers
            .new_attr::<f64>()
            .create("threshold")
            .unwrap()
            .write_scalar(&0.25)
            .unwrap();
        layers
            .new_attr::<f32>()
            .create("mip_MeV")
            .unwrap()
            .write_scalar(&0.5f32)
            .unwrap();
        layers
            .new_attr::<f64>()
            .shape(2)
            .create("cell_size_mm")
            .unwrap()
            .write_raw(&[5.0, 6.0])
            .unwrap();
        let detector = FixedAscii::<8>::from_ascii("SiW").unwrap();
        f.new_attr::<FixedAscii<8>>()
            .create("detector")
            .unwrap()
            .write_scalar(&detector)
            .unwrap();
    });
    let info = ShowerFile::open(&path).unwrap().info().clone();
    assert_eq!(
        (info.unit.as_str(), info.threshold, info.mip),
        ("MIP", Some(0.25), Some(0.5))
    );
    assert_eq!(
        (info.cell_size_mm, info.detector.as_deref()),
        (Some(vec![5.0, 6.0]), Some("SiW"))
    );

    let (_folder, path) = file(|f| {
        plain(f, 1);
        let layers = f.dataset("layers").unwrap();
        let unit: FixedUnicode<7> = "photons".parse().unwrap();
        layers
            .new_attr::<FixedUnicode<7>>()
            .shape(1)
            .create("unit")
            .unwrap()
            .write_raw(&[unit])
            .unwrap();
        layers
            .new_attr::<f32>()
            .shape(1)
            .create("threshold")
            .unwrap()
            .write_raw(&[0.5f32])
            .unwrap();
        layers
            .new_attr::<f32>()
            .create("cell_size_mm")
            .unwrap()
            .write_scalar(&5.0f32)
            .unwrap();
        attribute(f, "detector", "");
    });
    let info = ShowerFile::open(&path).unwrap().info().clone();
    assert_eq!(
        (info.unit.as_str(), info.threshold, info.mip),
        ("photons", Some(0.5), None)
    );
    assert_eq!((info.cell_size_mm, info.detector), (Some(vec![5.0]), None));
}

#[test]
fn position_and_conditions() {
    type Set = fn(&hdf5::Dataset);
    let ways: [Set; 5] = [
        |d| {
            let names: Vec<VarLenUnicode> = ["px", "py", "pz"]
                .iter()
                .map(|n| n.parse().unwrap())
                .collect();
            d.new_attr::<VarLenUnicode>()
                .shape(3)
                .create("names")
                .unwrap()
                .write_raw(&names)
                .unwrap();
        },
        |d| {
            let names = ["px", "py", "pz"].map(|n| VarLenAscii::from_ascii(n).unwrap());
            d.new_attr::<VarLenAscii>()
                .shape(3)
                .create("names")
                .unwrap()
                .write_raw(&names)
                .unwrap();
        },
        |d| {
            let names = ["px", "py", "pz"].map(|n| FixedAscii::<4>::from_ascii(n).unwrap());
            d.new_attr::<FixedAscii<4>>()
                .shape(3)
                .create("names")
                .unwrap()
                .write_raw(&names)
                .unwrap();
        },
        |d| {
            let names = ["px", "py", "pz"].map(|n| n.parse::<FixedUnicode<2>>().unwrap());
            d.new_attr::<FixedUnicode<2>>()
                .shape(3)
                .create("names")
                .unwrap()
                .write_raw(&names)
                .unwrap();
        },
        |d| attribute(d, "names", "px, py,pz"),
    ];
    for name in ways {
        let (_folder, path) = file(|f| {
            let group = f.create_group("g").unwrap();
            plain(&group, 2);
            put(&group, "position", &[2, 2], &[1.0, 2.0, 3.0, 4.0]);
            name(&put(
                &group,
                "conditions",
                &[2, 3],
                &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            ));
        });
        let opened = sound(&path, 2);
        assert!(opened.has_position());
        assert_eq!(opened.info().condition_names, ["px", "py", "pz"]);
        let second = opened.read(1..2).unwrap();
        assert_eq!(second.position, Some(vec![[3.0, 4.0]]));
        assert_eq!(second.conditions.as_deref(), Some(&[4.0, 5.0, 6.0][..]));
        assert_eq!(second.condition_row(0), [4.0, 5.0, 6.0]);
        assert_eq!(
            opened.read_rows(&[1, 0, 1]).unwrap(),
            opened.read(0..2).unwrap().gather(&[1, 0, 1])
        );
    }
}

#[test]
fn ranges_chunks_and_rows_agree() {
    let (_folder, path) = file(|f| plain(f, 10));
    let opened = ShowerFile::open(&path).unwrap();
    let all = opened.read(0..10).unwrap();
    assert_eq!((all.len(), all.cells()), (10, CELLS));
    assert_eq!(opened.read(4..7).unwrap(), all.gather(&[4, 5, 6]));
    assert!(opened.read(10..10).unwrap().is_empty());
    assert!(opened.read_rows(&[]).unwrap().is_empty());
    // Contiguous storage: runs of neighbours are read together.
    assert_eq!(
        opened.read_rows(&[9, 1, 2, 0, 6]).unwrap(),
        all.gather(&[9, 1, 2, 0, 6])
    );
    let parts: Vec<_> = opened.chunks(4).map(Result::unwrap).collect();
    assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [4, 4, 2]);
    let cells: Vec<f32> = parts
        .iter()
        .flat_map(|p| &p.layers)
        .map(|&v| v as f32)
        .collect();
    assert_eq!(cells, all.layers);
    assert_eq!(opened.chunks(0).count(), 10);
}

#[test]
fn negative_cells_are_noise() {
    let (_folder, path) = file(|f| {
        put(f, "layers", &[1, 2, 3, 5], &[-0.5; CELLS]);
        put(f, "energy", &[1], &[0.0]);
    });
    assert_eq!(
        ShowerFile::open(&path).unwrap().read(0..1).unwrap().layers,
        [-0.5; CELLS]
    );
}

#[test]
fn the_bundled_sample() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hgcal_sample.h5");
    let opened = ShowerFile::open(path).unwrap();
    let info = opened.info();
    assert_eq!((info.shape, opened.len()), ([7, 12, 15], 1000));
    assert_eq!(
        (info.threshold, info.mip, info.unit.as_str()),
        (Some(0.0428), Some(0.0856), "MeV")
    );
    assert_eq!(info.cell_size_mm, Some(vec![10.0, 10.0]));
    assert!(opened.has_position() && info.detector.is_some());
    let mut energies = opened.energies().unwrap();
    energies.sort_by(f32::total_cmp);
    energies.dedup();
    assert_eq!(energies, [20.0, 32.0, 50.0, 80.0, 90.0]);
    // About 3 MeV are seen of a GeV.
    for part in opened.chunks(256) {
        let part = part.unwrap();
        let response = part.layers.iter().sum::<f64>()
            / part.energy.iter().map(|&e| f64::from(e)).sum::<f64>();
        assert!((2.5..3.5).contains(&response), "{response}");
    }
}
