//! The way to the host: halves, hits, memory, and nothing new in the steady state.

use calogen::generate::{Generator, Hits, LabelRows};
use calogen::gpu::Gpu;

use super::{gpu, small};

const AT: (u64, u64) = (4, 77);
const EVENTS: usize = 45;

/// Batches of eight, the last of them not full, of energies that rise.
fn generator(gpu: &std::sync::Arc<Gpu>) -> (Generator, LabelRows) {
    let mut generator = Generator::untrained(gpu, small()).expect("a generator");
    generator.set_batch(8);
    let energies: Vec<f32> = (0..EVENTS).map(|i| 10.0 + 2.0 * i as f32).collect();
    let labels = generator.labels(&energies, AT.0, AT.1).expect("labels");
    (generator, labels)
}

/// Cells above 0 of showers that are not compacted.
fn hits_of(showers: &[f32]) -> Hits {
    let mut hits = Hits::default();
    for shower in showers.chunks_exact(showers.len() / EVENTS) {
        let all = shower.iter().enumerate().filter(|(_, e)| **e > 0.0);
        let (cells, energies): (Vec<u32>, Vec<f32>) = all.map(|(i, e)| (i as u32, *e)).unzip();
        hits.cells.extend(cells);
        hits.energies.extend(energies);
        hits.offsets.push(hits.cells.len());
    }
    hits
}

/// The nearest number of eleven significant bits.
fn rounded(e: f32) -> f32 {
    if e == 0.0 {
        return 0.0;
    }
    let exponent = (e.abs().log2().floor() as i32).max(-14);
    let unit = 2f64.powi(exponent - 10);
    ((f64::from(e) / unit).round_ties_even() * unit) as f32
}

#[test]
fn halves_are_rounded_and_then_cut() {
    let (mut generator, labels) = generator(gpu());
    let whole = generator.generate(&labels, AT.0, AT.1).expect("showers");
    let mut positive: Vec<f32> = whole.iter().copied().filter(|&e| e > 0.0).collect();
    positive.sort_by(f32::total_cmp);
    generator.set_half(true);
    // The second is a number that itself is rounded down: cells at it go.
    for threshold in [0.0, positive[positive.len() / 3], 0.1] {
        generator.set_threshold(threshold);
        let wanted: Vec<f32> = whole
            .iter()
            .map(|&e| rounded(e))
            .map(|e| if e < threshold.max(0.0) { 0.0 } else { e })
            .collect();
        let found = generator.generate(&labels, AT.0, AT.1).expect("halves");
        assert!(found == wanted, "cells above {threshold}");
        let hits = generator.hits(&labels, AT.0, AT.1).expect("hits");
        assert_eq!(hits, hits_of(&wanted), "hits above {threshold}");
    }
    generator.set_half(false);
    generator.set_threshold(0.0);
    assert!(generator.generate(&labels, AT.0, AT.1).expect("showers") == whole);
}

#[test]
fn nothing_is_created_once_every_buffer_exists() {
    // A device of its own: nobody else counts.
    let gpu = Gpu::open(None).expect("a device");
    let (mut generator, labels) = generator(&gpu);
    let run = |generator: &mut Generator| {
        let before = gpu.allocations();
        let showers = generator.generate(&labels, AT.0, AT.1).expect("showers");
        let hits = generator.hits(&labels, AT.0, AT.1).expect("hits");
        assert_eq!(hits, hits_of(&showers));
        gpu.allocations() - before
    };
    for half in [false, true] {
        generator.set_half(half);
        let first = run(&mut generator);
        assert!(first > 10, "the first time creates everything: {first}");
        // How many hits are read at once follows from the showers before, so the second time may still differ.
        run(&mut generator);
        assert_eq!(
            run(&mut generator),
            0,
            "buffers, pipelines and bind groups, half: {half}"
        );
    }
}

#[test]
fn a_batch_that_does_not_fit_is_split_and_gives_the_same_hits() {
    let gpu = Gpu::open(None).expect("a device");
    let (mut generator, labels) = generator(&gpu);
    let wanted = generator.hits(&labels, AT.0, AT.1).expect("hits");
    assert_eq!(generator.smaller_batch(), None);
    // Room for what there is and for reading more of it, not for a program of eight times the batch.
    gpu.limit_memory(Some(gpu.memory_held() + (64 << 10)));
    generator.set_batch(64);
    let found = generator.hits(&labels, AT.0, AT.1).expect("hits");
    assert_eq!(found, wanted);
    let smaller = generator.smaller_batch();
    assert!(smaller.is_some_and(|b| b < 64), "{smaller:?}");
    let mut seen = 0;
    let stop = generator.stream_hits(&labels, AT.0, AT.1, |block| {
        assert_eq!(block.first, seen);
        seen += block.hits.showers();
        Ok(())
    });
    stop.expect("blocks");
    assert_eq!(seen, EVENTS);
}
