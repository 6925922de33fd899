//! Shower files: every layout that is read, every complaint, what is written, and the order of batches.
#![cfg(all(feature = "hdf5", feature = "train"))]

mod archive;
mod batches;
mod challenge;
mod complaints;
mod layouts;
mod npz;
mod sparse;
mod views;
mod writer;

use std::path::{Path, PathBuf};

use calogen::data::{ShowerFile, Showers};
use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, File, Group, Location};
use hdf5_metno as hdf5;
use ndarray::ArrayView;
use tempfile::TempDir;

/// Extents that no swapped axis survives.
const SHAPE: [usize; 3] = [2, 3, 5];
const CELLS: usize = 30;

/// A folder, and a file in it that `fill` writes.
fn file(fill: impl FnOnce(&File)) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("showers.h5");
    fill(&File::create(&path).unwrap());
    (folder, path)
}

fn put(group: &Group, name: &str, dims: &[usize], values: &[f32]) -> Dataset {
    group
        .new_dataset_builder()
        .with_data(ArrayView::from_shape(dims, values).unwrap())
        .create(name)
        .unwrap()
}

fn attribute(on: &Location, name: &str, value: &str) {
    let value: VarLenUnicode = value.parse().unwrap();
    on.new_attr::<VarLenUnicode>()
        .create(name)
        .unwrap()
        .write_scalar(&value)
        .unwrap();
}

/// Cell energies that say where they stand: event + cell / 100, exact enough to compare as equal.
fn cells(events: usize) -> Vec<f32> {
    (0..events * CELLS)
        .map(|i| (i / CELLS) as f32 + (i % CELLS) as f32 / 64.0)
        .collect()
}

fn energies(events: usize) -> Vec<f32> {
    (0..events).map(|i| i as f32 + 0.5).collect()
}

/// The smallest sound file.
fn plain(group: &Group, events: usize) {
    put(group, "layers", &[events, 2, 3, 5], &cells(events));
    put(group, "energy", &[events, 1], &energies(events));
}

fn showers(events: usize) -> Showers {
    Showers {
        shape: SHAPE,
        layers: cells(events),
        energy: energies(events),
        position: None,
        conditions: None,
        condition_names: Vec::new(),
    }
}

/// The message with which a file does not open; it names the file.
fn refused(path: &Path) -> String {
    let message = ShowerFile::open(path).unwrap_err().to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    message
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}
