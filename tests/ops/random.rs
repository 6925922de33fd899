use calogen::ops::random;
use calogen::tape::Tape;

use crate::common::{POISON, Random, gpu};

const SEED: u64 = 0x0123_4567_89ab_cdef;
const STREAM: u32 = 5;
/// The low word of the event overflows within the batch.
const FIRST: u64 = 0x7_ffff_fffd;

/// Element and event of each number of a tensor of `elements` by `n`.
fn addresses(elements: u32, n: u64) -> impl Iterator<Item = (u32, u64)> {
    (0..elements).flat_map(move |e| (0..n).map(move |i| (e, FIRST + i)))
}

#[test]
fn numbers_have_an_address() {
    for (shape, elements) in [(&[3, 5, 7][..], 15), (&[7], 1), (&[4, 1], 4)] {
        let tape = Tape::new();
        let key = tape.input_u32("key", &[4]);
        let outputs = [
            ("bits", tape.random_bits(key, STREAM, shape)),
            ("uniform", tape.uniform(key, STREAM, shape)),
            ("normal", tape.normal(key, STREAM, shape)),
        ];
        let program = tape.compile(gpu(), &outputs, POISON).unwrap();
        program.set_u32("key", &random::key(SEED, FIRST)).unwrap();
        program.run().unwrap();
        let (bits, uniform) = (
            program.read_u32("bits").unwrap(),
            program.read("uniform").unwrap(),
        );
        let normal = program.read("normal").unwrap();
        let n = *shape.last().unwrap() as u64;
        for (i, (e, event)) in addresses(elements, n).enumerate() {
            assert_eq!(bits[i], random::random_bits(SEED, STREAM, event, e));
            assert_eq!(uniform[i], random::uniform(SEED, STREAM, event, e));
            let want = random::normal(SEED, STREAM, event, e);
            let error = (normal[i] - want).abs();
            assert!(
                error <= 1e-6 * want.abs().max(1.0),
                "{i}: {} {want}",
                normal[i]
            );
        }
    }
}

#[test]
fn normal_numbers_are_normal() {
    let tape = Tape::new();
    let x = tape.normal(tape.indices(&random::key(1, 0), &[4]), 0, &[50, 1000]);
    let moments = [
        ("m1", x.mean_all()),
        ("m2", x.square().mean_all()),
        ("m3", (x.square() * x).mean_all()),
        ("m4", x.square().square().mean_all()),
        (
            "neighbours",
            (x.slice(0, 0, 49) * x.slice(0, 1, 50)).mean_all(),
        ),
    ];
    let program = tape.compile(gpu(), &moments, POISON).unwrap();
    program.run().unwrap();
    // Five standard deviations of the mean of 50000 powers.
    let sigma = 5.0 / 50000f32.sqrt();
    let wanted = [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0), (0.0, 1.0)];
    for ((name, _), (want, variance)) in moments.iter().zip(wanted) {
        let got = program.read(name).unwrap()[0];
        let tolerance = sigma * f32::sqrt(variance);
        assert!(
            (got - want).abs() <= tolerance,
            "{name}: {got}, not {want} to {tolerance}"
        );
    }
}

#[test]
fn philox_of_explicit_counters() {
    const ROWS: usize = 131;
    let mut random = Random(1);
    let mut words = |n: usize| -> Vec<u32> { (0..n).map(|_| random.bits() as u32).collect() };
    let (counters, keys) = (words(4 * ROWS), words(2 * ROWS));
    let tape = Tape::new();
    let (c, k) = (
        tape.input_u32("c", &[ROWS, 4]),
        tape.input_u32("k", &[ROWS, 2]),
    );
    let program = tape
        .compile(gpu(), &[("bits", tape.philox(c, k))], POISON)
        .unwrap();
    program.set_u32("c", &counters).unwrap();
    program.set_u32("k", &keys).unwrap();
    program.run().unwrap();
    let rows = counters
        .as_chunks::<4>()
        .0
        .iter()
        .zip(keys.as_chunks::<2>().0);
    let want: Vec<u32> = rows
        .flat_map(|(&c, &k)| random::philox4x32_10(c, k))
        .collect();
    assert_eq!(program.read_u32("bits").unwrap(), want);
}
