//! Distances of matrices of features: closed forms, and values of an independent NumPy implementation
//! (`tools/check_distances.py`).

use calogen::metrics::{
    Estimate, FpdOptions, Kernel, KernelOptions, Pair, distances, fpd, frechet_distance, intercept,
    kernel_distances, median_distance, mmd, neighbours,
};
use calogen::observables::Features;

use crate::{Uniform, close};

/// Rows of three features that are neither normal nor alike.
fn rows(seed: u64, count: usize, scale: f64, shift: f64) -> Vec<f64> {
    let mut uniform = Uniform(seed);
    (0..3 * count)
        .map(|i| (uniform.next() - 0.5) * scale * (i % 3 + 1) as f64 + shift * uniform.next())
        .collect()
}

fn pair() -> Pair {
    Pair {
        width: 3,
        reference: rows(3, 211, 1.0, 0.3),
        generated: rows(4, 173, 1.3, 0.5),
    }
}

#[track_caller]
fn near(found: Estimate, value: f64, error: f64) {
    let tolerance = |want: f64| 1e-6 * want.abs().max(1e-3);
    assert!(
        (found.value - value).abs() <= tolerance(value),
        "{found:?} {value}"
    );
    assert!(
        (found.error - error).abs() <= tolerance(error),
        "{found:?} {error}"
    );
}

#[test]
fn plain_distances_as_numpy_finds_them() {
    let p = pair();
    close(
        frechet_distance(&p.reference, &p.generated, 3).unwrap(),
        0.14935888647550666,
    );
    let width = median_distance(&p.reference, 3).unwrap();
    close(width, 1.4008347388288345);
    let kernels = [
        Kernel::Polynomial(3),
        Kernel::Polynomial(4),
        Kernel::Gaussian(width),
    ];
    let found = mmd(&p.reference, &p.generated, 3, &kernels).unwrap();
    close(found[0], 0.17511942451525897);
    close(found[1], 0.4946875265267243);
    close(found[2], 0.02265260906415656);
    let found = neighbours(&p, 5).unwrap();
    near(found.precision, 0.7514450867052023, 0.03285766891873931);
    near(found.recall, 1.0, 0.0);
    near(found.density, 0.5445086705202312, 0.036970405646699636);
    near(found.coverage, 0.8388625592417062, 0.02531059815338785);
}

#[test]
fn sampled_distances_as_numpy_finds_them_from_the_same_batches() {
    let options = FpdOptions {
        sizes: [40, 160],
        points: 4,
        batches: 3,
    };
    near(
        fpd(&pair(), &options, 7, &|| ()).unwrap(),
        0.16530082895913353,
        0.050126917482109574,
    );
    // Too few for the usual sizes, which are scaled down.
    let options = FpdOptions::default();
    assert_eq!(options.sizes_for(173), [34, 173]);
    assert_eq!(options.sizes_for(60_000), [10_000, 50_000]);
    near(
        fpd(&pair(), &options, 2, &|| ()).unwrap(),
        0.13892486575434096,
        0.012352201485345157,
    );
    let options = KernelOptions {
        size: 50,
        batches: 6,
    };
    let found = kernel_distances(&pair(), &[Kernel::Polynomial(4)], &options, 7, &|| ()).unwrap();
    near(found[0], 0.5498851150500585, 0.2440962889558824);
}

#[test]
fn lines_that_meet_the_bounds() {
    // SciPy's curve_fit with bounds of 0.
    let rising = [[0.1, 1.0], [0.2, 1.5], [0.4, 1.9], [0.5, 2.8]];
    let lower = rising.map(|[x, y]| [x, y - 1.2]);
    let falling = rising.map(|[x, y]| [x, 3.0 - y]);
    near(intercept(&rising), 0.6, 0.2837252194579505);
    near(intercept(&lower), 0.0, 0.5103920075098233);
    near(intercept(&falling), 1.2, 1.0002499592055727);
}

#[test]
fn closed_forms() {
    // Two points each: k(x, x') + k(y, y') - mean of k(x, y).
    let kernel = |x: f64, y: f64| (x * y + 1.0).powi(3);
    let (x, y) = ([0.0, 1.0], [2.0, 3.0]);
    let between: f64 = x.iter().flat_map(|x| y.map(|y| kernel(*x, y))).sum();
    let want = kernel(0.0, 1.0) + kernel(2.0, 3.0) - between / 2.0;
    close(mmd(&x, &y, 1, &[Kernel::Polynomial(3)]).unwrap()[0], want);
    let gauss = mmd(&[0.0, 0.0], &[3.0, 3.0], 1, &[Kernel::Gaussian(2.0)]).unwrap();
    close(gauss[0], 2.0 - 2.0 * (-9.0f64 / 8.0).exp());
    // Of samples from one distribution the unbiased estimate is 0 within its spread, on either side.
    let options = KernelOptions {
        size: 100,
        batches: 20,
    };
    let same = Pair {
        width: 3,
        reference: rows(5, 1000, 1.0, 0.3),
        generated: rows(6, 1000, 1.0, 0.3),
    };
    for kernel in [Kernel::Polynomial(4), Kernel::Gaussian(1.0)] {
        let found = kernel_distances(&same, &[kernel], &options, 0, &|| ()).unwrap()[0];
        assert!(
            found.value.abs() <= 2.0 * found.error,
            "{kernel:?} {found:?}"
        );
    }
    // Equal sets fill one another's spheres; sets far apart do not meet.
    let equal = Pair {
        generated: same.reference.clone(),
        ..same.clone()
    };
    let found = neighbours(&equal, 5).unwrap();
    for figure in [found.precision, found.recall, found.density, found.coverage] {
        close(figure.value, 1.0);
    }
    let apart = Pair {
        generated: same.reference.iter().map(|v| v + 100.0).collect(),
        ..same
    };
    let found = neighbours(&apart, 5).unwrap();
    for figure in [found.precision, found.recall, found.density, found.coverage] {
        assert_eq!(figure, Estimate::default(), "{found:?}");
    }
}

#[test]
fn small_samples_have_no_distance() {
    let few = |n: usize| Pair {
        width: 3,
        reference: rows(1, 100, 1.0, 0.0),
        generated: rows(1, n, 1.0, 0.0),
    };
    assert!(neighbours(&few(5), 5).is_none() && neighbours(&few(6), 5).is_some());
    assert!(fpd(&few(9), &FpdOptions::default(), 0, &|| ()).is_none());
    assert!(mmd(&[1.0], &[1.0, 2.0], 1, &[Kernel::Polynomial(3)]).is_none());
    assert_eq!(median_distance(&[1.0, 1.0], 1), None);
    let features = |rows: Vec<f64>| Features {
        names: ["a", "b", "c"].map(String::from).into(),
        rows,
    };
    // A sample of one shower gives a report without figures, not a failure.
    let found = distances(
        &features(rows(1, 1, 1.0, 0.0)),
        &[features(rows(2, 1, 1.0, 0.0))],
        3,
        &|| (),
    );
    assert!(
        found[0]
            .generated
            .estimates()
            .iter()
            .all(|(_, e)| e.is_none())
    );
    assert_eq!(found[0].generated.kernel_size, 0);
}

#[test]
fn features_are_scaled_by_the_reference() {
    let features = |rows: &[f64]| Features {
        names: ["a", "b"].map(String::from).into(),
        rows: rows.to_vec(),
    };
    let pair = Pair::normalised(&features(&[-4.0, 0.0, 2.0, 0.0]), &features(&[8.0, 3.0]));
    assert_eq!(pair.reference, [-1.0, 0.0, 0.5, 0.0]);
    assert_eq!(pair.generated, [2.0, 3.0]);
}

/// Fréchet distance of x and 2 x + 1, for `n` showers of `p` features, against its closed form.
fn stretched(n: usize, p: usize) {
    let mut uniform = Uniform(8);
    let x: Vec<f64> = (0..n * p).map(|_| uniform.next() - 0.5).collect();
    let twice: Vec<f64> = x.iter().map(|v| 2.0 * v + 1.0).collect();
    let (mut sum, mut square) = (vec![0.0; p], vec![0.0; p]);
    for row in x.chunks_exact(p) {
        for (k, v) in row.iter().enumerate() {
            sum[k] += v;
            square[k] += v * v;
        }
    }
    // (mean + 1)² + variance, summed
    let of = |(s, q): (&f64, &f64)| {
        let mean = s / n as f64;
        (mean + 1.0).powi(2) + (q - mean * s) / (n - 1) as f64
    };
    let want: f64 = sum.iter().zip(&square).map(of).sum();
    let start = std::time::Instant::now();
    let found = frechet_distance(&x, &twice, p).unwrap();
    println!(
        "{n} showers of {p} features: {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert!((found - want).abs() <= 1e-6 * want, "{found} {want}");
}

#[test]
fn frechet_of_singular_covariances() {
    stretched(40, 150);
}

/// As many as Inception has: takes seconds.
#[test]
#[ignore = "slow; --nocapture prints the time"]
fn frechet_of_2048_features() {
    stretched(4096, 2048);
    stretched(500, 2048);
}
