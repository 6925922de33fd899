//! Files of hits: written, read, refused.

use calogen::data::{Labels, ShowerFile, ShowerInfo, ShowerWriter, Storage};
use calogen::hits::Hits;
use hdf5_metno as hdf5;

use super::writer::info;
use super::{CELLS, SHAPE, attribute, energies, file, put, refused, says, showers};

const SPARSE: Storage = Storage {
    sparse: true,
    level: 1,
};

/// Showers of which few cells are not 0, some of them negative, and every 13th none at all.
fn few(events: usize) -> calogen::data::Showers {
    let mut all = showers(events);
    for (i, cell) in all.layers.iter_mut().enumerate() {
        *cell = match (i / CELLS % 13, i % 7) {
            (4, _) => 0.0,
            (_, 0) => *cell + 0.5,
            (_, 3) if i % 3 == 0 => -*cell - 1.0,
            _ => 0.0,
        };
    }
    all
}

#[test]
fn hits_are_read_as_the_cells_that_they_were() {
    let folder = tempfile::tempdir().unwrap();
    for level in [0, 1] {
        let path = folder.path().join("out.h5");
        let labels = Labels {
            position: true,
            conditions: vec!["mass".into()],
        };
        let events = 70_000 / 7;
        let mut all = few(events);
        all.position = Some((0..events).map(|i| [i as f32, -(i as f32)]).collect());
        all.conditions = Some((0..events).map(|i| i as f32 / 4.0).collect());
        all.condition_names = labels.conditions.clone();
        let storage = Storage { level, ..SPARSE };
        let mut writer = ShowerWriter::create_as(&path, &info(), labels.clone(), storage).unwrap();
        for rows in [0..1, 1..1, 1..4, 4..5, 5..1300] {
            let block = all.gather(&rows.collect::<Vec<_>>());
            writer.append(&block).unwrap();
        }
        // The rest as hits; cells of the labels are not looked at.
        let mut rest = all.gather(&(1300..events).collect::<Vec<_>>());
        let hits = Hits::of(&rest.layers, CELLS);
        rest.layers.clear();
        writer.append_hits(&rest, &hits).unwrap();
        writer.finish().unwrap();

        let opened = ShowerFile::open(&path).unwrap();
        assert!(opened.is_sparse() && !opened.is_double());
        assert_eq!(
            opened.info(),
            &ShowerInfo {
                condition_names: labels.conditions,
                ..info()
            }
        );
        assert_eq!(opened.read(0..events).unwrap(), all);
        assert!(opened.read(17..17).unwrap().is_empty());
        let rows = [9_999, 3, 4, 8_739, 0, 3];
        assert_eq!(opened.read_rows(&rows).unwrap(), all.gather(&rows));
        let mut seen = 0;
        for block in opened.chunks(997) {
            let block = block.unwrap();
            let wanted = &all.layers[seen * CELLS..][..block.layers.len()];
            assert!(
                block
                    .layers
                    .iter()
                    .zip(wanted)
                    .all(|(a, &b)| *a == f64::from(b))
            );
            seen += block.len();
        }
        assert_eq!(seen, events);

        // What the page on files promises to other programs.
        let file = hdf5::File::open(&path).unwrap();
        let offsets: Vec<u64> = file.dataset("offsets").unwrap().read_raw().unwrap();
        let cells: Vec<u32> = file.dataset("cells").unwrap().read_raw().unwrap();
        let energies = file.dataset("energies").unwrap();
        let shape: Vec<u64> = energies.attr("shape").unwrap().read_raw().unwrap();
        let values: Vec<f32> = energies.read_raw().unwrap();
        assert_eq!((shape, offsets.len()), (vec![2, 3, 5], events + 1));
        let (from, to) = (offsets[77] as usize, offsets[78] as usize);
        let mut shower = vec![0.0; CELLS];
        for i in from..to {
            shower[cells[i] as usize] = values[i];
        }
        assert_eq!(shower, all.shower(77));
    }
}

#[test]
fn a_file_without_any_hit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    let mut none = showers(3);
    none.layers.fill(0.0);
    let labels = Labels::default();
    let mut writer =
        ShowerWriter::create_as(&path, &ShowerInfo::new(SHAPE), labels, SPARSE).unwrap();
    writer.append(&none).unwrap();
    writer.finish().unwrap();
    assert_eq!(ShowerFile::open(&path).unwrap().read(0..3).unwrap(), none);
}

#[test]
fn hits_that_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    let labels = || {
        let mut labels = showers(2);
        labels.layers.clear();
        labels
    };
    let hits = |offsets: &[usize], cells: &[u32], energies: &[f32]| Hits {
        offsets: offsets.to_vec(),
        cells: cells.to_vec(),
        energies: energies.to_vec(),
    };
    let create =
        |storage| ShowerWriter::create_as(&path, &info(), Labels::default(), storage).unwrap();
    let mut writer = create(SPARSE);
    let mut refuse = |hits: Hits, part: &str| {
        let error = writer.append_hits(&labels(), &hits).unwrap_err();
        says(&error.to_string(), &["out.h5", part]);
    };
    refuse(hits(&[0, 1], &[3], &[1.0]), "not those of 2 showers");
    refuse(hits(&[0, 2, 1], &[3], &[1.0]), "not those of 2 showers");
    refuse(hits(&[0, 1, 2], &[3, 3], &[1.0]), "not those of 2 showers");
    refuse(hits(&[0, 2, 2], &[3, 3], &[1.0; 2]), "event 0");
    refuse(
        hits(&[0, 0, 1], &[30], &[1.0]),
        "event 1 to be written: its cells",
    );
    refuse(
        hits(&[0, 0, 1], &[2], &[f32::NAN]),
        "event 1 to be written: a cell is NaN",
    );
    writer
        .append_hits(&labels(), &hits(&[0, 0, 1], &[29], &[1.5]))
        .unwrap();
    writer.finish().unwrap();
    assert_eq!(
        ShowerFile::open(&path).unwrap().read(0..2).unwrap().layers[59],
        1.5
    );
    let error = create(Storage::default()).append_hits(&labels(), &Hits::of(&[0.0; 60], 30));
    says(&error.unwrap_err().to_string(), &["whole showers"]);
}

/// A sound file of two showers, of types that other programs write, in a group; then `change` is done to it.
fn broken(change: impl FnOnce(&hdf5::Group)) -> (tempfile::TempDir, std::path::PathBuf) {
    file(|f| {
        let group = f.create_group("hits").unwrap();
        let whole = |name: &str, values: &[i64]| {
            group
                .new_dataset_builder()
                .with_data(values)
                .create(name)
                .unwrap()
        };
        whole("offsets", &[0, 2, 3]);
        whole("cells", &[4, 29, 0]);
        let energies = [1.5f64, 2.5, 3.5];
        let energies = group
            .new_dataset_builder()
            .with_data(&energies)
            .create("energies")
            .unwrap();
        extents(&energies, &[2, 3, 5]);
        attribute(&energies, "unit", "MIP");
        put(&group, "energy", &[2, 1], &self::energies(2));
        change(&group);
    })
}

fn extents(of: &hdf5::Dataset, shape: &[u64]) {
    let attribute = of
        .new_attr::<u64>()
        .shape(shape.len())
        .create("shape")
        .unwrap();
    attribute.write_raw(shape).unwrap();
}

/// The dataset anew.
fn replace<T: hdf5::H5Type>(group: &hdf5::Group, name: &str, values: &[T]) -> hdf5::Dataset {
    group.unlink(name).unwrap();
    group
        .new_dataset_builder()
        .with_data(values)
        .create(name)
        .unwrap()
}

#[test]
fn files_of_others_are_read() {
    let (_folder, path) = broken(|_| ());
    let opened = ShowerFile::open(&path).unwrap();
    assert_eq!(
        (opened.info().shape, opened.info().unit.as_str()),
        (SHAPE, "MIP")
    );
    assert!(opened.is_double());
    let found = opened.read(0..2).unwrap();
    let mut wanted = vec![0.0; 60];
    (wanted[4], wanted[29], wanted[30]) = (1.5, 2.5, 3.5);
    assert_eq!(found.layers, wanted);
    assert_eq!(opened.read(1..2).unwrap().layers, wanted[30..]);
}

#[test]
fn what_does_not_fit_together_is_said_in_one_line() {
    let refuse = |change: &dyn Fn(&hdf5::Group), parts: &[&str]| {
        let (_folder, path) = broken(change);
        let message = refused(&path);
        says(&message, parts);
        assert_eq!(message.lines().count(), 1, "{message}");
    };
    let offsets = |values: &'static [i64]| {
        move |g: &hdf5::Group| {
            replace(g, "offsets", values);
        }
    };
    refuse(&offsets(&[0, 2]), &["`hits/offsets`", "2 values", "(2)"]);
    refuse(&offsets(&[1, 2, 3]), &["`hits/offsets`", "begins with 1"]);
    refuse(
        &offsets(&[0, 3, 2]),
        &["`hits/offsets`", "value 2 is 2, below the one before, 3"],
    );
    refuse(&offsets(&[0, -1, 3]), &["value 1 is -1"]);
    refuse(
        &offsets(&[0, 2, 4]),
        &["ends with 4", "`hits/energies` has 3"],
    );
    refuse(
        &offsets(&[0, 2, 1 << 40]),
        &["event 1", "1099511627774 hits in 30 cells"],
    );
    refuse(
        &offsets(&[0, 2, i64::MIN]),
        &["value 2 is -9223372036854775808"],
    );
    refuse(
        &|g| drop(replace(g, "cells", &[1u32, 2])),
        &["`hits/cells`", "2 values, but `hits/energies` has 3"],
    );
    refuse(
        &|g| drop(replace(g, "cells", &[1.0f32, 2.0, 3.0])),
        &["`hits/cells`", "whole numbers"],
    );
    refuse(
        &|g| g.unlink("offsets").unwrap(),
        &["no dataset `hits/offsets`"],
    );
    refuse(
        &|g| g.unlink("cells").unwrap(),
        &["no dataset `hits/cells`"],
    );
    refuse(
        &|g| g.unlink("energy").unwrap(),
        &["no dataset `hits/energy`"],
    );
    refuse(
        &|g| drop(replace(g, "energies", &[1.0f32, 2.0, 3.0])),
        &["`hits/energies`", "no attribute `shape`"],
    );
    for (shape, part) in [
        (&[2, 3][..], "[2.0, 3.0]"),
        (&[0, 3, 5], "[0.0, 3.0, 5.0]"),
        (&[1 << 31, 1 << 31, 1 << 31], "more than 134217728 cells"),
        (&[1 << 14, 1 << 13, 2], "more than 134217728 cells"),
    ] {
        refuse(
            &|g| extents(&replace(g, "energies", &[1.0f32, 2.0, 3.0]), shape),
            &["attribute `shape`", part],
        );
    }
}

#[test]
fn cells_are_checked_where_they_are_read() {
    let refuse = |change: &dyn Fn(&hdf5::Group), event: usize, parts: &[&str]| {
        let (_folder, path) = broken(change);
        let opened = ShowerFile::open(&path).unwrap();
        let message = opened.read(event..event + 1).unwrap_err().to_string();
        says(&message, parts);
        let other = opened.read(1 - event..2 - event);
        assert!(other.is_ok(), "{other:?}");
    };
    let cells = |values: &'static [i64]| {
        move |g: &hdf5::Group| {
            replace(g, "cells", values);
        }
    };
    refuse(
        &cells(&[4, 30, 0]),
        0,
        &["`hits/cells`, event 0: cell 30", "below 30"],
    );
    refuse(&cells(&[29, 4, 0]), 0, &["event 0: cell 4", "ascending"]);
    refuse(&cells(&[4, 4, 0]), 0, &["event 0: cell 4", "ascending"]);
    refuse(&cells(&[4, 29, -1]), 1, &["event 1: cell -1"]);
    refuse(
        &|g| extents(&replace(g, "energies", &[1.0, 2.0, f32::NAN]), &[2, 3, 5]),
        1,
        &["`hits/energies`, event 1", "z = 0, x = 0, y = 0 is NaN"],
    );
}
