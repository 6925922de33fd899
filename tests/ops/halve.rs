use calogen::tape::Tape;

use crate::common::{POISON, gpu};

fn halve(x: &[f32], threshold: f32) -> Vec<u16> {
    let tape = Tape::new();
    let limit = tape.input("threshold", &[1]);
    let y = tape.input("x", &[x.len()]).to_half(limit);
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    program.set("x", x).unwrap();
    program.set("threshold", &[threshold]).unwrap();
    program.run().unwrap();
    let words = program.read_u32("y").unwrap();
    let halves = words.iter().flat_map(|&w| [w as u16, (w >> 16) as u16]);
    halves.take(x.len()).collect()
}

/// Rounding itself is tested with `compact`, which shares it.
#[test]
fn two_in_a_word_and_cut() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let x = [
        1.0, -1.0, 0.1, 0.25, 65519.0, 65520.0, nan, -inf, -0.0, 0.249_99, 3e-8, 1e-9, 2.0,
    ];
    let all = halve(&x, 0.0);
    assert_eq!(
        all,
        [
            0x3c00, 0, 0x2e66, 0x3400, 0x7bff, 0x7c00, 0x7e00, 0xfc00, 0, 0x3400, 0x0001, 0, 0x4000
        ]
    );
    let cut = halve(&x, 0.25);
    let want: Vec<u16> = all
        .iter()
        .map(|&h| if h < 0x3400 { 0 } else { h })
        .collect();
    assert_eq!(cut, want);
    let many: Vec<f32> = (0..1027).map(|i| i as f32).collect();
    for (i, h) in halve(&many, 0.0).into_iter().enumerate().skip(1) {
        let exponent = i.ilog2();
        let want = ((exponent + 15) << 10) + ((i as u32) << 10 >> exponent) - 0x400;
        assert_eq!(u32::from(h), want, "{i}");
    }
}
