//! What is written is read back, whole or not at all.

use calogen::data::{Labels, ShowerFile, ShowerInfo, ShowerWriter, Storage};
use hdf5_metno as hdf5;

use super::{CELLS, SHAPE, cells, energies, says, showers};

pub fn info() -> ShowerInfo {
    ShowerInfo {
        unit: "MIP".into(),
        threshold: Some(0.25),
        cell_size_mm: Some(vec![5.0, 6.0, 7.0]),
        detector: Some("SiW ECAL".into()),
        mip: Some(0.125),
        ..ShowerInfo::new(SHAPE)
    }
}

#[test]
fn round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    let labels = Labels {
        position: true,
        conditions: vec!["mass".into(), "charge".into()],
    };
    let mut all = showers(10_000);
    all.position = Some((0..10_000).map(|i| [i as f32, -(i as f32)]).collect());
    all.conditions = Some((0..20_000).map(|i| i as f32 / 4.0).collect());
    all.condition_names = labels.conditions.clone();
    let mut writer = ShowerWriter::create(&path, &info(), labels.clone()).unwrap();
    writer.attribute("seed", "7").unwrap();
    // Blocks that fit no chunk, one empty and one of many chunks.
    for rows in [0..1, 1..1, 1..1300, 1300..10_000] {
        writer
            .append(&all.gather(&rows.collect::<Vec<_>>()))
            .unwrap();
    }
    assert_eq!(writer.events(), 10_000);
    assert!(!path.exists());
    writer.finish().unwrap();

    let opened = ShowerFile::open(&path).unwrap();
    assert_eq!(
        opened.info(),
        &ShowerInfo {
            condition_names: labels.conditions,
            ..info()
        }
    );
    assert_eq!(opened.read(0..10_000).unwrap(), all);
    let rows = [9_999, 3, 8_738, 8_739, 0, 3];
    assert_eq!(opened.read_rows(&rows).unwrap(), all.gather(&rows));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let file = hdf5::File::open(&path).unwrap();
    let layers = file.dataset("layers").unwrap();
    assert_eq!(layers.chunk(), Some(vec![(1 << 20) / 4 / CELLS, 2, 3, 5]));
    assert_eq!(
        layers.filters(),
        [
            hdf5::filters::Filter::Shuffle,
            hdf5::filters::Filter::Deflate(1)
        ]
    );
    assert_eq!(file.dataset("energy").unwrap().shape(), [10_000, 1]);
    assert!(file.attr_names().unwrap().contains(&"seed".to_owned()));
}

/// Showers of more than a chunk's size each, and nothing but what must be there.
#[test]
fn large_and_plain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    let mut all = showers(3);
    all.shape = [1, 700, 600];
    all.layers = (0..3 * 420_000).map(|i| (i % 1000) as f32).collect();
    let mut writer =
        ShowerWriter::create(&path, &ShowerInfo::new(all.shape), Labels::default()).unwrap();
    writer.append(&all).unwrap();
    writer.finish().unwrap();
    let opened = ShowerFile::open(&path).unwrap();
    assert_eq!(opened.info(), &ShowerInfo::new([1, 700, 600]));
    assert_eq!(opened.read(0..3).unwrap(), all);
}

/// To the byte, however many come at once, dense or as hits, at every kind of level.
#[test]
fn equal_showers_make_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    let labels = Labels {
        position: true,
        conditions: vec!["mass".into()],
    };
    // Chunks of every dataset fill and begin anew, most of them where no other does.
    let events = 10_007;
    let mut all = showers(events);
    all.layers[70 * CELLS..90 * CELLS].fill(0.0);
    all.position = Some((0..events).map(|i| [i as f32, 0.5]).collect());
    all.conditions = Some((0..events).map(|i| i as f32 / 4.0).collect());
    all.condition_names = labels.conditions.clone();
    for (sparse, level) in [false, true]
        .into_iter()
        .flat_map(|s| [0, 1, 5].map(|l| (s, l)))
    {
        let storage = Storage { sparse, level };
        let write = |ends: &[usize]| {
            let mut writer =
                ShowerWriter::create_as(&path, &info(), labels.clone(), storage).unwrap();
            let mut from = 0;
            for &end in ends.iter().chain([&events]) {
                let block = all.gather(&(from..end).collect::<Vec<_>>());
                writer.append(&block).unwrap();
                from = end;
            }
            writer.finish().unwrap();
            std::fs::read(&path).unwrap()
        };
        let whole = write(&[]);
        assert_eq!(
            ShowerFile::open(&path).unwrap().read(0..events).unwrap(),
            all
        );
        let singly: Vec<usize> = (0..events).collect();
        for ends in [&[1, 2, 1_025, 1_025, 9_000][..], &[8_738, 8_739], &singly] {
            assert!(write(ends) == whole, "{storage:?} in {} blocks", ends.len());
        }
    }
}

#[test]
fn a_dropped_writer_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    std::fs::write(&path, "old").unwrap();
    let mut writer = ShowerWriter::create(&path, &info(), Labels::default()).unwrap();
    writer.append(&showers(5)).unwrap();
    let beside: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    let name = format!(".{}-", std::process::id());
    let hidden = |f: &str| f.starts_with(&name) && f.ends_with("-out.h5");
    assert!(
        beside.iter().any(|f| f.to_str().is_some_and(hidden)),
        "{beside:?}"
    );
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");

    let mut writer = ShowerWriter::create(&path, &info(), Labels::default()).unwrap();
    writer.append(&showers(5)).unwrap();
    writer.finish().unwrap();
    assert_eq!(ShowerFile::open(&path).unwrap().len(), 5);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    let writer = || ShowerWriter::create(&path, &info(), Labels::default()).unwrap();
    says(
        &writer().finish().unwrap_err().to_string(),
        &["out.h5", "no showers"],
    );

    let mut wrong = showers(2);
    wrong.shape = [3, 2, 5];
    says(
        &writer().append(&wrong).unwrap_err().to_string(),
        &["shape [3, 2, 5], expected [2, 3, 5]"],
    );
    let mut wrong = showers(2);
    wrong.layers = cells(3);
    says(
        &writer().append(&wrong).unwrap_err().to_string(),
        &["90 values of `layers`, expected 60"],
    );
    let mut wrong = showers(2);
    wrong.position = Some(vec![[0.0; 2]; 2]);
    says(
        &writer().append(&wrong).unwrap_err().to_string(),
        &["2 values of `position`, expected none"],
    );
    let mut wrong = showers(2);
    wrong.condition_names = vec!["px".into()];
    says(
        &writer().append(&wrong).unwrap_err().to_string(),
        &["conditions [\"px\"], expected []"],
    );

    let mut writer = writer();
    writer.append(&showers(2)).unwrap();
    let mut wrong = showers(2);
    wrong.layers[CELLS] = f32::NAN;
    says(
        &writer.append(&wrong).unwrap_err().to_string(),
        &["out.h5", "event 3", "a cell is NaN"],
    );
    let mut wrong = showers(2);
    wrong.energy = vec![-1.0; 2];
    says(
        &writer.append(&wrong).unwrap_err().to_string(),
        &["event 2", "incident energy is -1"],
    );
    // A block that was refused has left no trace.
    writer.append(&showers(1)).unwrap();
    writer.finish().unwrap();
    let expected: Vec<f32> = [energies(2), energies(1)].concat();
    assert_eq!(
        ShowerFile::open(&path).unwrap().energies().unwrap(),
        expected
    );
}

#[test]
fn where_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let create = |path: &std::path::Path, shape| {
        ShowerWriter::create(path, &ShowerInfo::new(shape), Labels::default())
            .unwrap_err()
            .to_string()
    };
    says(
        &create(&folder.path().join("absent/out.h5"), SHAPE),
        &["absent", "No such file"],
    );
    says(&create(folder.path(), SHAPE), &["is a directory"]);
    says(
        &create("..".as_ref(), SHAPE),
        &["is a directory, expected the name of a file"],
    );
    says(
        &create(&folder.path().join("out.h5"), [1, 0, 1]),
        &["out.h5", "shape [1, 0, 1]"],
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What this crate would not read again, it does not write.
#[test]
fn descriptions_that_cannot_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.h5");
    let named = |names: &[&str]| {
        let labels = Labels {
            position: false,
            conditions: names.iter().map(|n| n.to_string()).collect(),
        };
        ShowerWriter::create(&path, &info(), labels)
            .unwrap_err()
            .to_string()
    };
    says(
        &named(&["px", "px"]),
        &["out.h5", "a condition named \"px\""],
    );
    says(&named(&["px,py"]), &["a condition named \"px,py\""]);
    says(&named(&[" "]), &["a condition named \" \""]);
    let info = ShowerInfo {
        threshold: Some(f32::NAN),
        ..info()
    };
    let error = ShowerWriter::create(&path, &info, Labels::default()).unwrap_err();
    says(&error.to_string(), &["out.h5", "an attribute that is NaN"]);
}
