//! What a regressor says of two samples, where the answer is known.

use calogen::metrics::{RegressorSample, regression};
use calogen::observables::Bootstrap;

use super::{Uniform, close};

/// 100 showers at each of three points; found is true and `off` plus noise of ±`wide`/2 along x, and exact along y.
fn sample(off: f32, wide: f64, seed: u64) -> RegressorSample {
    let mut uniform = Uniform(seed);
    let mut all = RegressorSample::default();
    for i in 0..300 {
        let truth = [(i % 3) as f32 * 10.0 - 10.0, (i / 150) as f32];
        let noise = (wide * (uniform.next() - 0.5)) as f32;
        all.incident.push(50.0);
        all.energies.push(50.0);
        all.features.extend([noise, uniform.next() as f32]);
        all.positions
            .push((truth, [truth[0] + off + noise, truth[1]]));
    }
    all
}

#[test]
fn deviations_of_impact_points() {
    let (a, b) = (sample(0.0, 0.0, 1), sample(2.0, 6.0, 2));
    let bootstrap = Bootstrap {
        replicas: 30,
        seed: 3,
    };
    let found = regression("made up", &a, &b, bootstrap);
    let position = found.position.expect("positions");
    let x = &position.x;
    assert_eq!(x.coordinates, [-10.0, 0.0, 10.0]);
    assert_eq!(x.reference.mu90, [0.0; 3]);
    assert_eq!(x.reference.sigma90, [0.0; 3]);
    let errors = found.errors.expect("errors").position.expect("positions");
    for k in 0..3 {
        // The shortest 90 % of 100 numbers, in plain loops.
        let group = b.positions.iter().skip(k).step_by(3);
        let mut values: Vec<f64> = group
            .map(|(t, f)| f64::from(f[0]) - f64::from(t[0]))
            .collect();
        values.sort_by(f64::total_cmp);
        let windows = values.windows(90);
        let shortest = windows.min_by(|a, b| (a[89] - a[0]).total_cmp(&(b[89] - b[0])));
        let shortest = shortest.expect("a window");
        let mean = shortest.iter().sum::<f64>() / 90.0;
        let squares: f64 = shortest.iter().map(|v| (v - mean).powi(2)).sum();
        close(x.generated.mu90[k], mean);
        close(x.generated.sigma90[k], (squares / 90.0).sqrt());
        // About σ/√n of numbers that are uniform, more as the interval moves.
        let error = errors.x.generated.mu90[k];
        assert!((0.05..1.0).contains(&error), "{error}");
    }
    assert_eq!(position.y.coordinates, [0.0, 1.0]);
    assert_eq!(position.y.generated.sigma90, [0.0; 2]);

    let unknown = RegressorSample {
        positions: Vec::new(),
        ..a
    };
    let found = regression("made up", &unknown, &b, Bootstrap::NONE);
    assert!(found.position.is_none() && found.errors.is_none());
}
