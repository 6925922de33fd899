//! The kernels that measure the device do what they claim: no step of theirs is left out.

use calogen::tape::Tape;

use crate::common::{POISON, gpu};

#[test]
fn multiply_adds() {
    let (lanes, rounds, k, l) = (300, 3, 0.9375, 0.125);
    let tape = Tape::new();
    let y = tape.input("x", &[4]).multiply_adds(lanes, rounds, k, l);
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    let x = [0.0f32, 1.0, 2.0, 3.0];
    program.set("x", &x).unwrap();
    program.run().unwrap();
    let got = program.read("y").unwrap();
    assert_eq!(got.len(), lanes);
    for (i, &got) in got.iter().enumerate() {
        let chain = |c: usize| {
            let start = f64::from(x[c % 4]) + (i % 256 + c - c % 4) as f64;
            (0..16 * rounds).fold(start, |v, _| v * f64::from(k) + f64::from(l))
        };
        let want: f64 = (0..12).map(chain).sum();
        assert!(
            (f64::from(got) - want).abs() < 1e-5 * want,
            "lane {i}: {got}, expected {want}"
        );
    }
}

#[test]
fn copied() {
    let x: Vec<f32> = (0..4 * 77).map(|i| i as f32).collect();
    let tape = Tape::new();
    let y = tape.input("x", &[4, 77]).copied();
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    program.set("x", &x).unwrap();
    program.run().unwrap();
    assert_eq!(program.read("y").unwrap(), x);
}
