//! The kernels that measure the device do what they claim: no step of theirs is left out.

use calogen::gpu::Tier;
use calogen::tape::{Options, Tape};

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

#[test]
fn matrix_products() {
    let Some(m) = gpu().capabilities().matrix else {
        println!("not run: {} has no matrix tier", gpu().capabilities().name);
        return;
    };
    let (t, subgroups, rounds) = (m.size as usize, 3, 2);
    let x: Vec<f32> = (0..4 * t * t)
        .map(|i| (i * 7 % 32) as f32 / 16.0 - 1.0)
        .collect();
    let tape = Tape::new();
    let y = tape
        .input("x", &[4, t, t])
        .matrix_products(subgroups, rounds);
    let options = Options {
        tier: Tier::Matrix,
        ..POISON
    };
    let program = tape.compile(gpu(), &[("y", y)], options).unwrap();
    program.set("x", &x).unwrap();
    program.run().unwrap();
    let at = |m: usize, i: usize, j: usize| f64::from(x[(m * t + i) * t + j]);
    let got = program.read("y").unwrap();
    for (e, &got) in got.iter().enumerate() {
        let (i, j) = (e / t % t, e % t);
        let want: f64 = (0..t)
            .map(|k| (at(0, i, k) + at(1, i, k)) * (at(2, k, j) + at(3, k, j)))
            .sum();
        // Sums of sixteenths are exact.
        assert_eq!(f64::from(got), want * (16 * rounds) as f64, "element {e}");
    }
    assert_eq!(got.len(), subgroups * t * t);
}
