//! The order of batches: shuffled, the same for the same seed, and reached by any way.

use std::path::PathBuf;

use calogen::data::{Batches, ShowerFile, ShowerSet, Showers};
use tempfile::TempDir;

use super::{CELLS, attribute, cells, energies, file, plain, put, says};

/// Bytes of a shower in memory.
const BYTES: usize = 4 * (CELLS + 1);

/// Files of the given numbers of showers. The energies go on from one to the next.
fn files(counts: &[usize]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let mut start = 0;
    let paths = counts
        .iter()
        .map(|&n| {
            let path = folder.path().join(format!("{start}.h5"));
            let all = start + n;
            let file = hdf5_metno::File::create(&path).unwrap();
            put(&file, "layers", &[n, 2, 3, 5], &cells(all)[start * CELLS..]);
            put(&file, "energy", &[n], &energies(all)[start..]);
            start = all;
            path
        })
        .collect();
    (folder, paths)
}

fn batches(paths: &[PathBuf], batch: usize, seed: u64, budget: usize) -> Batches {
    Batches::with_budget(ShowerSet::open(paths).unwrap(), batch, seed, budget).unwrap()
}

/// Indices of the showers of the next `n` batches. Each shower still has its own cells.
fn take(batches: &mut Batches, n: u64) -> Vec<Vec<usize>> {
    let index = |b: &Showers| {
        let rows: Vec<usize> = b.energy.iter().map(|&e| e as usize).collect();
        for (i, &row) in rows.iter().enumerate() {
            assert_eq!(b.shower(i), &cells(row + 1)[row * CELLS..]);
        }
        rows
    };
    (0..n)
        .map(|_| index(&batches.next_batch().unwrap()))
        .collect()
}

/// In memory; streamed in windows of several blocks, and in blocks of one.
const BUDGETS: [usize; 3] = [Batches::BUDGET, 16 * 6 * BYTES, 1];

#[test]
fn an_epoch_gives_every_shower_once() {
    let (_folder, paths) = files(&[120]);
    for budget in BUDGETS {
        let mut b = batches(&paths, 8, 1, budget);
        assert_eq!((b.events(), b.batch(), b.steps_per_epoch()), (120, 8, 15));
        assert_eq!(b.in_memory(), budget == Batches::BUDGET);
        let mut orders = Vec::new();
        for _ in 0..3 {
            let order = take(&mut b, 15).concat();
            let mut sorted = order.clone();
            sorted.sort();
            assert_eq!(sorted, (0..120).collect::<Vec<_>>());
            orders.push(order);
        }
        assert_eq!(b.step(), 45);
        assert!(orders[0] != orders[1] && orders[1] != orders[2]);
        assert!(orders.iter().all(|o| !o.is_sorted()));
    }
}

#[test]
fn the_last_incomplete_batch_is_dropped() {
    let (_folder, paths) = files(&[100]);
    for budget in BUDGETS {
        let mut b = batches(&paths, 7, 1, budget);
        assert_eq!(b.steps_per_epoch(), 14);
        for _ in 0..4 {
            let mut order = take(&mut b, 14).concat();
            order.sort();
            order.dedup();
            assert_eq!(order.len(), 98);
        }
    }
}

#[test]
fn the_seed_decides() {
    let (_folder, paths) = files(&[50]);
    for budget in BUDGETS {
        let order = |seed| take(&mut batches(&paths, 5, seed, budget), 25);
        assert_eq!(order(3), order(3));
        assert!(order(3) != order(4));
    }
}

#[test]
fn seeking_equals_skipping() {
    let (_folder, paths) = files(&[130]);
    for budget in BUDGETS {
        let all = take(&mut batches(&paths, 11, 5, budget), 40);
        let mut b = batches(&paths, 11, 5, budget);
        // Within an epoch of 11, at its edges, far ahead, back, and where it stands.
        for step in [1, 10, 11, 12, 35, 0, 22, 24] {
            b.seek(step);
            assert_eq!(b.step(), step);
            assert_eq!(take(&mut b, 2), all[step as usize..step as usize + 2]);
        }
    }
}

#[test]
fn several_files_are_one() {
    let (_folder, paths) = files(&[70, 1, 49]);
    for budget in BUDGETS {
        let mut order = take(&mut batches(&paths, 10, 1, budget), 12).concat();
        order.sort();
        assert_eq!(order, (0..120).collect::<Vec<_>>());
    }
    let set = ShowerSet::open(&paths).unwrap();
    assert_eq!((set.len(), set.files().len()), (120, 3));
    assert_eq!(set.energies().unwrap(), energies(120));
    assert_eq!(set.read(68..73).unwrap().layers, &cells(73)[68 * CELLS..]);
    assert!(set.read(120..120).unwrap().is_empty());
    says(
        &set.read(119..121).unwrap_err().to_string(),
        &["events 119..121 of 120 in 3 files"],
    );
}

#[test]
fn labels_go_with_their_shower() {
    let (_folder, path) = file(|f| {
        plain(f, 20);
        let numbers: Vec<f32> = (0..40)
            .map(|i| (i / 2) as f32 + (i % 2) as f32 / 2.0)
            .collect();
        put(f, "position", &[20, 2], &numbers);
        attribute(&put(f, "conditions", &[20, 2], &numbers), "names", "a,b");
    });
    for budget in BUDGETS {
        let mut b = Batches::with_budget(ShowerSet::open([&path]).unwrap(), 6, 2, budget.min(1000))
            .unwrap();
        for _ in 0..6 {
            let batch = b.next_batch().unwrap();
            assert_eq!(batch.len(), 6);
            for i in 0..6 {
                let event = batch.energy[i].floor();
                assert_eq!(batch.position.as_ref().unwrap()[i], [event, event + 0.5]);
                assert_eq!(batch.condition_row(i), [event, event + 0.5]);
            }
        }
    }
}

#[test]
fn files_that_do_not_belong_together() {
    let complain = |a: fn(&hdf5_metno::File), b: fn(&hdf5_metno::File)| {
        let ((_a, first), (_b, second)) = (file(a), file(b));
        let files = [&first, &second].map(|p| ShowerFile::open(p).unwrap());
        let message = Batches::new(files.into(), 1, 0).unwrap_err().to_string();
        says(
            &message,
            &[first.to_str().unwrap(), second.to_str().unwrap()],
        );
        message
    };
    let flat: fn(&hdf5_metno::File) = |f| {
        put(f, "layers", &[1, 6, 5], &cells(1));
        put(f, "energy", &[1], &[1.0]);
    };
    says(
        &complain(|f| plain(f, 2), flat),
        &["shape [Z,X,Y] is [1, 6, 5], but [2, 3, 5]"],
    );
    let photons: fn(&hdf5_metno::File) = |f| {
        plain(f, 2);
        attribute(&f.dataset("layers").unwrap(), "unit", "photons");
    };
    says(
        &complain(|f| plain(f, 2), photons),
        &["unit is photons, but MeV"],
    );
    let charged: fn(&hdf5_metno::File) = |f| {
        plain(f, 2);
        attribute(&put(f, "conditions", &[2, 1], &[0.0; 2]), "names", "charge");
    };
    says(
        &complain(charged, |f| plain(f, 2)),
        &["conditions is [], but [charge]"],
    );
    let placed: fn(&hdf5_metno::File) = |f| {
        plain(f, 2);
        put(f, "position", &[2, 2], &[0.0; 4]);
    };
    says(
        &complain(placed, |f| plain(f, 2)),
        &["position is absent, but present"],
    );
}

#[test]
fn batches_that_cannot_be_made() {
    let (_folder, paths) = files(&[6, 4]);
    for batch in [0, 11] {
        let set = ShowerSet::open(&paths).unwrap();
        let message = Batches::with_budget(set, batch, 0, 1)
            .unwrap_err()
            .to_string();
        says(
            &message,
            &[
                &format!("a batch of {batch} showers"),
                "0.h5",
                "6.h5",
                "holds 10",
            ],
        );
    }
    says(
        &Batches::new(Vec::new(), 1, 0).unwrap_err().to_string(),
        &["no shower file given"],
    );
}

#[test]
fn an_error_comes_through_and_stays() {
    let (_folder, path) = file(|f| {
        let mut values = cells(40);
        values[17 * CELLS] = f32::NAN;
        put(f, "layers", &[40, 2, 3, 5], &values);
        put(f, "energy", &[40], &energies(40));
    });
    let open = |budget| Batches::with_budget(ShowerSet::open([&path]).unwrap(), 4, 0, budget);
    let expected = "event 17: the cell at z = 0, x = 0, y = 0 is NaN";
    says(&open(Batches::BUDGET).unwrap_err().to_string(), &[expected]);
    let mut streamed = open(1).unwrap();
    let error = streamed.find_map(Result::err).unwrap();
    says(&error.to_string(), &[expected]);
    let step = streamed.step();
    says(&streamed.next_batch().unwrap_err().to_string(), &[expected]);
    assert_eq!(streamed.step(), step);
}

/// The library refuses to write to a file that is still open for reading, as by a thread that lives on.
#[test]
fn dropping_or_seeking_stops_the_thread() {
    let (_folder, paths) = files(&[100]);
    for budget in BUDGETS {
        for taken in 0..4 {
            let mut b = batches(&paths, 3, 0, budget);
            take(&mut b, taken);
            b.seek(40);
            take(&mut b, taken);
            assert_eq!(hdf5_metno::File::open_rw(&paths[0]).is_ok(), b.in_memory());
            drop(b);
            hdf5_metno::File::open_rw(&paths[0]).unwrap();
        }
    }
}
