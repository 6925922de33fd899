//! Several devices make one stream: the events of one device in their order, and one error if one of them fails.

use std::sync::atomic::{AtomicUsize, Ordering};

use calogen::generate::{Generator, LabelRows, Part, stream_hits_several, stream_several};
use calogen::gpu::Gpu;
use calogen::{Error, Result};

use super::{gpu, small};

const SEED: u64 = 3;
/// In batches of 8 no multiple of what a device takes at once.
const EVENTS: std::ops::Range<u64> = 100..359;

/// Generators of the same weights, each on a device of its own.
fn generators(n: usize) -> Vec<Generator> {
    let one = |i| {
        let own = || Gpu::open(None).expect("the adapter once more");
        let gpu = if i == 0 { gpu().clone() } else { own() };
        let mut generator = Generator::untrained(&gpu, small()).expect("a generator");
        generator.set_batch(8);
        generator
    };
    (0..n).map(one).collect()
}

fn labels(generator: &Generator, first: u64, count: usize) -> Result<LabelRows> {
    let energies: Vec<f32> = (first..first + count as u64)
        .map(|i| 10.0 + (i % 89) as f32)
        .collect();
    generator.labels(&energies, SEED, first)
}

#[test]
fn several_devices_make_the_events_of_one_in_order() {
    let mut all = generators(3);
    let rows = labels(&all[0], EVENTS.start, 259).expect("labels");
    let wanted = all[0].generate(&rows, SEED, EVENTS.start).expect("showers");
    let cells = wanted.len() / 259;
    for devices in [1, 3] {
        let mut seen = 0;
        let made = stream_several(&mut all[..devices], SEED, EVENTS, labels, |part| {
            let events = part.labels.events();
            assert_eq!(part.first, seen);
            assert!(part.showers == wanted[seen * cells..][..events * cells]);
            for i in 0..events {
                assert_eq!(part.labels.row(i), rows.row(seen + i));
            }
            seen += events;
            Ok(())
        });
        let made = made.expect("showers");
        assert_eq!((seen, made.iter().sum::<u64>()), (259, 259));
        assert!(
            made.len() == devices && made.iter().all(|&n| n > 0),
            "{made:?}"
        );
    }
    let hits = all[0].hits(&rows, SEED, EVENTS.start).expect("hits");
    let mut seen = 0;
    let made = stream_hits_several(&mut all, SEED, EVENTS, labels, |part| {
        assert_eq!(part.first, seen);
        for i in 0..part.labels.events() {
            assert_eq!(part.showers.shower(i), hits.shower(seen + i));
        }
        seen += part.showers.showers();
        Ok(())
    });
    assert_eq!((made.expect("hits").iter().sum::<u64>(), seen), (259, 259));
}

/// What ends a stream of two devices whose `take` is given.
fn ended(
    all: &mut [Generator],
    labels: impl FnMut(&Generator, u64, usize) -> Result<LabelRows> + Send,
    take: impl FnMut(Part<Vec<f32>>) -> Result<()>,
) -> String {
    let error = stream_several(all, SEED, EVENTS, labels, take);
    error.expect_err("one of them fails").to_string()
}

#[test]
fn the_first_error_ends_all() {
    let mut all = generators(2);
    let full = |_: Part<Vec<f32>>| Err(Error::Config("no room".into()));
    assert_eq!(ended(&mut all, labels, full), "no room");

    let calls = AtomicUsize::new(0);
    let few = |generator: &Generator, first, count| match calls.fetch_add(1, Ordering::Relaxed) {
        4 => Err(Error::Config("the table ends".into())),
        _ => labels(generator, first, count),
    };
    assert_eq!(ended(&mut all, few, |_| Ok(())), "the table ends");

    let nan = |generator: &Generator, first, count| {
        let mut rows = labels(generator, first, count)?;
        rows.values[0] = f32::NAN;
        Ok(rows)
    };
    assert_eq!(ended(&mut all, nan, |_| Ok(())), "event 0: energy is NaN");

    let doomed = all[1].gpu().clone();
    let mut seen = 0;
    let message = ended(&mut all, labels, |part| {
        seen += part.labels.events();
        doomed.destroy();
        Ok(())
    });
    let name = &doomed.capabilities().name;
    assert_eq!(message, format!("device: {name}: lost: destroyed"));
    assert!(seen < 259, "{seen} events");
    let none = stream_several(&mut [], SEED, EVENTS, labels, |_| Ok(()));
    assert!(matches!(none, Err(Error::Config(_))), "{none:?}");
}
