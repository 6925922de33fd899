use calogen::ops::HitFormat;
use calogen::tape::Tape;

use crate::common::{POISON, Random, gpu};

/// Offsets and hits (cell, energy bits) of showers `[M, N]`.
fn compact(
    x: &[f32],
    shape: &[usize],
    threshold: f32,
    format: HitFormat,
) -> (Vec<u32>, Vec<(u32, u32)>) {
    let tape = Tape::new();
    let limit = tape.input("threshold", &[1]);
    let hits = tape.input("x", shape).compact(limit, format);
    let program = tape.compile(gpu(), &[("hits", hits)], POISON).unwrap();
    program.set("x", x).unwrap();
    program.set("threshold", &[threshold]).unwrap();
    program.run().unwrap();
    let words = program.read_u32("hits").unwrap();
    let (offsets, words) = words.split_at(shape[shape.len() - 1] + 1);
    let total = offsets[offsets.len() - 1] as usize;
    let hits = match format {
        HitFormat::Single => words[..2 * total]
            .chunks_exact(2)
            .map(|w| (w[0], w[1]))
            .collect(),
        HitFormat::Half => words[..total]
            .iter()
            .map(|w| (w & 0xffff, w >> 16))
            .collect(),
    };
    (offsets.to_vec(), hits)
}

/// The definition, shower by shower. `bits` is the energy as it is written down, `value` what is compared.
fn oracle(
    x: &[f32],
    [cells, n]: [usize; 2],
    threshold: f32,
    value: impl Fn(f32) -> f32,
    bits: impl Fn(f32) -> u32,
) -> (Vec<u32>, Vec<(u32, u32)>) {
    let (mut offsets, mut hits) = (vec![0], Vec::new());
    for shower in 0..n {
        for cell in 0..cells {
            let e = value(x[cell * n + shower]);
            let above = e > 0.0 && e >= threshold;
            if above || !e.is_finite() {
                hits.push((cell as u32, bits(x[cell * n + shower])));
            }
        }
        offsets.push(hits.len() as u32);
    }
    (offsets, hits)
}

/// Energies over many decades, a share of them 0, some negative.
fn showers(len: usize, empty: f64, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    let mut uniform = || (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
    let mut draw = || match uniform() {
        u if u < empty => 0.0,
        u if u < empty + 0.02 => -(uniform() as f32),
        _ => 10f64.powf(8.0 * uniform() - 4.0) as f32,
    };
    (0..len).map(|_| draw()).collect()
}

#[test]
fn hits_are_the_cells_not_below_the_threshold() {
    // The last has more runs of cells than lanes that add them up, and runs longer than the least.
    for ([cells, n], empty) in [
        ([1, 1], 0.0),
        ([31, 3], 0.5),
        ([97, 13], 0.9),
        ([1001, 8], 0.97),
        ([4099, 301], 0.95),
    ] {
        let x = showers(cells * n, empty, (cells * n) as u64);
        for threshold in [0.0, 0.1, 3.0] {
            let found = compact(&x, &[cells, n], threshold, HitFormat::Single);
            let want = oracle(&x, [cells, n], threshold, |e| e, f32::to_bits);
            assert!(found == want, "{cells} cells, {n} showers, {threshold}");
        }
    }
}

#[test]
fn no_hits_and_nothing_else() {
    let shape = [3, 5, 7, 11];
    let (cells, n) = (105, 11);
    let (offsets, hits) = compact(&vec![0.0; cells * n], &shape, 0.0, HitFormat::Single);
    assert_eq!((offsets, hits.len()), (vec![0; n + 1], 0));
    let full = vec![1.5; cells * n];
    let (offsets, hits) = compact(&full, &shape, 1.5, HitFormat::Single);
    assert_eq!(hits.len(), cells * n, "a cell at the threshold is a hit");
    assert!((0..=n).all(|i| offsets[i] as usize == i * cells));
    let (_, hits) = compact(&full, &shape, 1.500_001, HitFormat::Single);
    assert!(hits.is_empty());
    for none in [-1.0, f32::NAN, -0.0] {
        let (_, hits) = compact(&full, &shape, none, HitFormat::Single);
        assert_eq!(hits.len(), cells * n, "threshold {none}");
    }
}

/// What is no energy is handed on for the host to refuse, and the smallest number is above 0.
#[test]
fn odd_numbers() {
    let (inf, tiny) = (f32::INFINITY, f32::from_bits(1));
    let x = [
        f32::NAN,
        0.0,
        inf,
        -0.0,
        -inf,
        -1.0,
        tiny,
        -tiny,
        f32::MAX,
        -f32::NAN,
    ];
    let want: Vec<(u32, u32)> = [0, 2, 4, 6, 8, 9]
        .map(|i| (i, x[i as usize].to_bits()))
        .to_vec();
    assert_eq!(compact(&x, &[10, 1], 0.0, HitFormat::Single).1, want);
    // At a threshold of a few of them: bits are compared.
    let limit = f32::from_bits(3);
    let x = [1, 2, 3, 4].map(f32::from_bits);
    let want = vec![(2, 3), (3, 4)];
    assert_eq!(compact(&x, &[4, 1], limit, HitFormat::Single).1, want);
}

/// Every float16 and the points half way between two of them, where rounding goes to the even one.
#[test]
fn halves_are_rounded_to_the_nearest() {
    let exact = |h: u32| match h {
        0x7c00 => 65536.0, // where the next one would stand
        h if h < 0x400 => f64::from(h) * f64::powi(2.0, -24),
        h => f64::from(h & 0x3ff | 0x400) * f64::powi(2.0, (h >> 10) as i32 - 25),
    };
    // All that lie in every 16th interval and the first and last of an exponent.
    let all: Vec<u32> = (0..0x7c00)
        .filter(|h| h % 16 == 5 || [0, 1, 0x3fe, 0x3ff].contains(&(h & 0x3ff)))
        .collect();
    let (mut x, mut want) = (Vec::new(), Vec::new());
    for &h in &all {
        let (low, high) = (exact(h), exact(h + 1));
        let middle = (0.5 * (low + high)) as f32;
        let (below, above) = (middle.next_down(), middle.next_up());
        let even = h + (h & 1);
        for (value, half) in [(low as f32, h), (below, h), (middle, even), (above, h + 1)] {
            x.push(value);
            want.push(half);
        }
    }
    x.extend([f32::MAX, f32::INFINITY, f32::NAN, 1e-30]);
    want.extend([0x7c00, 0x7c00, 0x7e00, 0]);
    let (_, hits) = compact(&x, &[x.len(), 1], 0.0, HitFormat::Half);
    let mut found = vec![0; x.len()];
    for (cell, half) in hits {
        found[cell as usize] = half;
    }
    for ((x, found), want) in x.iter().zip(found).zip(want) {
        assert_eq!(found, want, "{x:e}: {found:04x}, not {want:04x}");
    }
}

/// A cell is compared with the threshold as it is handed out, rounded.
#[test]
fn halves_are_compared_after_rounding() {
    let x = [0.1f32, 0.1f32.next_up(), 0.2, 0.1f32.next_down()];
    // 0.1 lies between 0x2e66 (0.09998) and 0x2e67.
    let (_, hits) = compact(&x, &[4, 1], 0.1, HitFormat::Half);
    assert_eq!(hits, [(2, 0x3266)]);
    let (_, hits) = compact(&x, &[4, 1], 0.099_97, HitFormat::Half);
    let cells: Vec<u32> = hits.iter().map(|h| h.0).collect();
    assert_eq!(cells, [0, 1, 2, 3]);
}

#[test]
fn what_cannot_be_compacted_is_refused() {
    let refused = |cells: usize, threshold: &[usize], format| {
        let tape = Tape::new();
        let limit = tape.input("threshold", threshold);
        let hits = tape.input("x", &[cells, 2]).compact(limit, format);
        let made = tape.compile(gpu(), &[("hits", hits)], POISON);
        made.err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(refused(5, &[2], HitFormat::Single).contains("one threshold"));
    let error = refused(65_537, &[1], HitFormat::Half);
    assert!(error.contains("65537 cells"), "{error}");
    assert_eq!(refused(65_536, &[1], HitFormat::Half), "");
}
