//! Shower files as samples.

use calogen::data::ShowerInfo;
use calogen::observables::{Geometry, Sample};
use calogen::report::FileSample;
use hdf5_metno as hdf5;

use super::write;

#[test]
fn every_shower_arrives_once_in_order() {
    let folder = tempfile::tempdir().unwrap();
    // Several blocks of 8 MiB.
    let shape = [10, 20, 25];
    let path = write(&folder.path().join("a.h5"), &ShowerInfo::new(shape), 500, 7);
    let sample = FileSample::open(&path).unwrap();
    assert_eq!(sample.info().geometry, Geometry::Grid(shape));
    assert_eq!((sample.info().events, sample.info().single), (500, true));
    let expected = sample.file().read_f64(0..500).unwrap();
    let (mut cells, mut energy, mut blocks) = (Vec::new(), Vec::new(), 0);
    for block in sample.blocks() {
        let block = block.unwrap();
        cells.extend(block.cells);
        energy.extend(block.energy);
        blocks += 1;
    }
    assert!(blocks > 1, "one block only");
    assert!(cells == expected.layers, "other cells, or in another order");
    assert!(
        energy
            .iter()
            .zip(&expected.energy)
            .all(|(a, &b)| *a == f64::from(b))
    );
    // Given up half way.
    assert!(sample.blocks().next().unwrap().is_ok());
}

#[test]
fn doubles_keep_their_threshold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("double.h5");
    let file = hdf5::File::create(&path).unwrap();
    let layers = file
        .new_dataset::<f64>()
        .shape([1, 1, 1, 2])
        .create("layers")
        .unwrap();
    layers.write_raw(&[0.1, 0.3]).unwrap();
    let threshold = layers.new_attr::<f64>().create("threshold").unwrap();
    threshold.write_scalar(&0.1f64).unwrap();
    let energy = file
        .new_dataset::<f32>()
        .shape([1])
        .create("energy")
        .unwrap();
    energy.write_raw(&[1.0f32]).unwrap();
    drop((threshold, layers, energy, file));
    let sample = FileSample::open(&path).unwrap();
    assert_eq!(sample.info().threshold, Some(0.1));
    assert!(!sample.info().single);
    assert_eq!(sample.info().stored(0.1), 0.1);
}

#[test]
fn an_error_in_the_middle_ends_the_showers() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        &folder.path().join("a.h5"),
        &ShowerInfo::new([10, 20, 25]),
        500,
        7,
    );
    let file = hdf5::File::append(&path).unwrap();
    let layers = file.dataset("layers").unwrap();
    let bad = hdf5::Hyperslab::from((300..301, 0..1, 0..1, 0..1));
    layers
        .write_slice(
            &ndarray::arr1(&[f32::NAN])
                .into_shape_with_order((1, 1, 1, 1))
                .unwrap(),
            bad,
        )
        .unwrap();
    drop((layers, file));
    let sample = FileSample::open(&path).unwrap();
    let blocks: Vec<_> = sample.blocks().collect();
    let (last, others) = blocks.split_last().unwrap();
    assert!(others.iter().all(Result::is_ok));
    let message = last.as_ref().unwrap_err().to_string();
    assert!(
        message.contains("300") && message.contains("a.h5"),
        "{message}"
    );
}
