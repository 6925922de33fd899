//! Generation: equal events however they are asked for.

use calogen::generate::Generator;
use calogen::models::{self, Preset};
use calogen::ops::random;

use super::{gpu, small};

/// Showers of events `first`.. at three energies in turn, computed `batch` at once.
fn events(generator: &mut Generator, batch: usize, first: u64, count: usize) -> Vec<f32> {
    let energies: Vec<f32> = (0..count as u64)
        .map(|i| [20.0, 55.5, 90.0][(first + i) as usize % 3])
        .collect();
    let labels = generator.labels(&energies, 7, first).expect("labels");
    generator.set_batch(batch);
    generator.generate(&labels, 7, first).expect("showers")
}

#[test]
fn events_are_equal_in_any_batch_and_range() {
    let mut generator = Generator::untrained(gpu(), small()).expect("a generator");
    let whole = events(&mut generator, 64, 0, 50);
    let cells: usize = generator.shape().iter().product();
    assert_eq!(whole.len(), 50 * cells);
    assert!(
        whole.iter().any(|&e| e > 0.0),
        "an untrained generator makes something"
    );
    for batch in [1, 2, 3, 7, 24] {
        assert!(
            events(&mut generator, batch, 0, 50) == whole,
            "batch {batch}"
        );
    }
    let parts: Vec<f32> = [(0, 11), (11, 1), (12, 38)]
        .into_iter()
        .flat_map(|(first, count)| events(&mut generator, 64, first, count))
        .collect();
    assert!(parts == whole, "ranges");
    let first = &whole[..cells];
    assert!(
        whole
            .chunks_exact(cells)
            .skip(1)
            .all(|shower| shower != first),
        "events differ"
    );
}

#[test]
fn the_steady_state_creates_nothing() {
    let mut generator = Generator::untrained(gpu(), small()).expect("a generator");
    let labels = generator.labels(&[50.0; 64], 1, 0).expect("labels");
    generator.set_batch(16);
    generator.generate(&labels, 1, 0).expect("showers");
    // Other tests create buffers on the same device at the same time, so count until one round is quiet.
    let quiet = (0..50).any(|_| {
        let before = gpu().allocations();
        generator.generate(&labels, 1, 0).expect("showers");
        gpu().allocations() == before
    });
    assert!(quiet, "every round created a buffer or a pipeline");
}

/// A batch whose activations outgrow a processor's caches is computed in shares, which nobody notices but by the clock.
#[test]
fn a_processor_computes_large_batches_in_shares() {
    let system = models::preset("wgan", Preset::Small).expect("the preset");
    let mut generator = Generator::untrained(gpu(), system).expect("a generator");
    let whole = events(&mut generator, 64, 0, 21);
    assert!(whole.iter().any(|&e| e > 0.0), "showers");
    assert!(events(&mut generator, 8, 0, 21) == whole, "batch 8");
    generator.set_batch(64);
    let on_cpu = gpu().capabilities().on_cpu;
    for _ in 0..2 {
        let share = generator.at_once(64).expect("a program");
        assert_eq!(share, if on_cpu { 16 } else { 64 });
    }
    assert_eq!(generator.at_once(8).expect("a program"), 8);
    // Those that no binding, or no tensor, has room for are cut before they are compiled: nothing was too large.
    if on_cpu {
        for batch in [4096, 100_000, 4_000_000_000] {
            assert_eq!(generator.at_once(batch).expect("a program"), 16);
        }
    }
    assert_eq!(generator.smaller_batch(), None, "for want of room");
    let mut slight = Generator::untrained(gpu(), small()).expect("a generator");
    assert_eq!(slight.at_once(64).expect("a program"), 64);
}

#[test]
fn the_published_network_makes_showers_within_its_mask() {
    let system = models::preset("hgcal-wgan", Preset::Paper).expect("the preset");
    let mut generator = Generator::untrained(gpu(), system).expect("a generator");
    let showers = events(&mut generator, 8, 0, 3);
    assert_eq!(showers.len(), 3 * 7 * 12 * 15);
    // Cells below two MIP are empty (0.0856 MeV each).
    assert!(
        showers
            .iter()
            .all(|&e| e == 0.0 || e >= 2.0 * 0.0856 * 0.9999),
        "the threshold holds"
    );
}

#[test]
fn a_threshold_empties_cells() {
    let mut generator = Generator::untrained(gpu(), small()).expect("a generator");
    let all = events(&mut generator, 8, 0, 4);
    let mut sorted: Vec<f32> = all.iter().copied().filter(|&e| e > 0.0).collect();
    sorted.sort_by(f32::total_cmp);
    let threshold = sorted[sorted.len() / 2];
    generator.set_threshold(threshold);
    let cut = events(&mut generator, 8, 0, 4);
    let wanted: Vec<f32> = all
        .iter()
        .map(|&e| if e < threshold { 0.0 } else { e })
        .collect();
    assert!(
        cut == wanted,
        "a cell at the threshold stays, one below it goes"
    );
}

#[test]
fn bad_labels_name_the_event() {
    let mut generator = Generator::untrained(gpu(), small()).expect("a generator");
    for energy in [0.0, -5.0, f32::NAN, f32::INFINITY] {
        let error = generator
            .labels(&[20.0, energy], 0, 0)
            .expect_err("an error")
            .to_string();
        assert!(
            error.contains("event 1") && error.contains("GeV"),
            "{error}"
        );
    }
    let mut labels = generator.labels(&[20.0, 30.0], 0, 0).expect("labels");
    labels.values[4] = f32::NAN;
    let error = generator
        .generate(&labels, 0, 0)
        .expect_err("an error")
        .to_string();
    assert!(
        error.contains("event 1") && error.contains("position_x"),
        "{error}"
    );
    labels.columns = 2;
    assert!(generator.generate(&labels, 0, 0).is_err());
    let none = generator.labels(&[], 0, 0).expect("no labels");
    assert!(generator.generate(&none, 0, 0).expect("nothing").is_empty());
}

#[test]
fn drawn_labels_stay_in_their_range_and_at_their_event() {
    let generator = Generator::untrained(gpu(), small()).expect("a generator");
    let all = generator.labels(&[50.0; 20], 3, 100).expect("labels");
    let tail = generator.labels(&[50.0; 5], 3, 115).expect("labels");
    assert_eq!(all.values[15 * 3..], tail.values[..]);
    assert!(
        all.values
            .chunks_exact(3)
            .all(|row| row[1].abs() < 1.0 && row[2].abs() < 1.0)
    );
    assert_eq!(random::key(1 << 32 | 5, 1 << 33), [5, 1, 0, 2]);
}
