//! Observables and metrics against values worked out by hand or in closed form.

mod amplification;
mod calochallenge;
mod classifier;
mod distances;
mod errors;
mod feature_distances;
mod features;
mod observables;
mod regression;
mod report;
mod scan;
mod stored;

use calogen::metrics::{Evaluation, Options, evaluate};
use calogen::observables::{Geometry, MemorySample, SampleInfo};

/// Numbers in [0, 1), the same on every machine.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn info(name: &str, shape: [usize; 3]) -> SampleInfo {
    SampleInfo {
        file: name.into(),
        events: 0,
        geometry: Geometry::Grid(shape),
        unit: "MeV".into(),
        threshold: None,
        mip: None,
        single: true,
    }
}

/// Showers handed out three at a time.
fn sample(shape: [usize; 3], cells: &[f64], energy: &[f64]) -> MemorySample {
    MemorySample::new(info("sample.h5", shape), cells.to_vec(), energy.to_vec(), 3)
}

/// Showers of seed `seed` with about every fourth cell hit, at 10, 20 and 30 GeV in turn.
fn random(shape: [usize; 3], events: usize, seed: u64) -> MemorySample {
    let mut uniform = Uniform(seed);
    let size: usize = shape.iter().product();
    let cells: Vec<f64> = (0..events * size)
        .map(|_| {
            if uniform.next() < 0.25 {
                f64::from(uniform.next() as f32)
            } else {
                0.0
            }
        })
        .collect();
    let energy: Vec<f64> = (0..events).map(|i| [10.0, 20.0, 30.0][i % 3]).collect();
    sample(shape, &cells, &energy)
}

fn compare(reference: &MemorySample, generated: &MemorySample) -> Evaluation {
    evaluate(reference, generated, &Options::default()).unwrap()
}

#[track_caller]
fn close(found: f64, want: f64) {
    assert!(
        (found - want).abs() <= 1e-12 * want.abs().max(1.0),
        "found {found}, expected {want}"
    );
}
