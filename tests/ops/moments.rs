//! A mean and a variance in one pass (`tape/simplify/moments`): against plain float64 sums where terms lie far from zero and one
//! stands out, for every way of walking, and the same bits for a shower in any batch.

use calogen::tape::{Options, Plan, Tape, Var};

use crate::common::{Nd, POISON, gpu};

/// Mean, variance and what is left of `x`, normalised by both as a norm does.
fn statistics<'t>(x: Var<'t>, axes: &[usize]) -> [Var<'t>; 3] {
    let mean = x.mean_keep(axes);
    let centred = x - mean;
    let variance = centred.square().mean_keep(axes);
    [mean, variance, centred * (variance + 1e-5).rsqrt()]
}

/// `make` on `x` in a program with fixed weights.
fn run(x: &Nd, make: impl for<'t> Fn(Var<'t>) -> [Var<'t>; 3]) -> (Vec<Vec<f32>>, Plan) {
    let tape = Tape::new();
    let made = make(tape.input("x", &x.shape));
    let names = ["mean", "variance", "norm"];
    let outputs: Vec<(&str, Var<'_>)> = names.into_iter().zip(made).collect();
    let options = Options {
        frozen: true,
        ..POISON
    };
    let program = tape.compile(gpu(), &outputs, options).unwrap();
    program.set("x", &x.f32()).unwrap();
    program.run().unwrap();
    let read = names.map(|name| program.read(name).unwrap());
    (read.to_vec(), program.plan().clone())
}

/// Terms of mean 1000 and spread 1, the first cell of each channel 50 away: what a voxel at the border can be.
fn showers(shape: &[usize], seed: u64) -> Nd {
    let mut x = Nd::random(shape, seed).map(|v| f64::from((1000.0 + v) as f32));
    let inner: usize = shape[1..].iter().product();
    let batch = shape[shape.len() - 1];
    for (i, v) in x.data.iter_mut().enumerate() {
        if i % inner < batch {
            *v += 50.0;
        }
    }
    x
}

#[test]
fn against_plain_sums() {
    // Odd extents; batches that are walked one by one, in fours and in rows; more terms than one part, and as many as just fit.
    for (shape, axes) in [
        (vec![3, 7, 11, 5, 3], vec![1, 2, 3]),
        (vec![2, 7, 11, 5, 4], vec![1, 2, 3]),
        (vec![2, 7, 11, 5, 36], vec![1, 2, 3]),
        (vec![3, 257, 5], vec![1]),
        (vec![5, 13, 61, 1], vec![0, 2]),
    ] {
        let x = showers(&shape, 3);
        let (got, plan) = run(&x, |x| statistics(x, &axes));
        let what = format!("{shape:?} over {axes:?}");
        let of = |kernel: &str| {
            plan.steps
                .iter()
                .filter(|s| s.kernel.starts_with(kernel))
                .count()
        };
        assert_eq!(
            (of("moments_join"), of("moments"), of("reduce")),
            (2, 3, 0),
            "{what}: {plan}"
        );
        let mean = x.mean(&axes);
        let variance = x.zip(&mean, |x, m| (x - m) * (x - m)).mean(&axes);
        for (&got, &want) in got[0].iter().zip(&mean.data) {
            let error = (f64::from(got) - want).abs() / want;
            assert!(error <= 2e-7, "{what}: mean {got} instead of {want}");
        }
        for (&got, &want) in got[1].iter().zip(&variance.data) {
            // Means of parts are rounded at 1000, to 3e-5 of a spread above 1.
            let error = (f64::from(got) - want).abs() / want;
            assert!(error <= 1e-4, "{what}: variance {got} instead of {want}");
        }
    }
}

#[test]
fn of_an_expression() {
    let x = Nd::random(&[2, 9, 31, 6], 5);
    let (got, plan) = run(&x, |x| statistics((x * 2.0).exp(), &[1, 2]));
    assert!(
        plan.steps.iter().any(|s| s.kernel == "moments_lane"),
        "{plan}"
    );
    let y = x.map(|v| (2.0 * v).exp());
    let mean = y.mean(&[1, 2]);
    let variance = y.zip(&mean, |y, m| (y - m) * (y - m)).mean(&[1, 2]);
    for (got, want) in [(&got[0], &mean), (&got[1], &variance)] {
        for (&got, &want) in got.iter().zip(&want.data) {
            assert!(
                (f64::from(got) - want).abs() <= 1e-5 * want,
                "{got} instead of {want}"
            );
        }
    }
}

#[test]
fn the_same_in_any_batch() {
    let x = showers(&[3, 5, 7, 11, 36], 8);
    let (all, _) = run(&x, |x| statistics(x, &[1, 2, 3]));
    for (first, batch) in [(0, 1), (7, 3), (12, 4)] {
        let shape = [3, 5, 7, 11, batch];
        let some = Nd::build(&shape, |at| {
            x.at(&[at[0], at[1], at[2], at[3], first + at[4]])
        });
        let (some, _) = run(&some, |x| statistics(x, &[1, 2, 3]));
        for (all, some) in all.iter().zip(&some) {
            for (i, v) in some.iter().enumerate() {
                let same = all[i / batch * 36 + first + i % batch];
                assert_eq!(v.to_bits(), same.to_bits(), "batch {batch}, element {i}");
            }
        }
    }
}

#[test]
fn few_terms_and_other_sums_stay() {
    let x = showers(&[2, 16, 16, 3], 2);
    let kernels = |make: for<'t> fn(Var<'t>) -> [Var<'t>; 3]| {
        let (_, plan) = run(&x, make);
        plan.steps
            .iter()
            .filter(|s| s.kernel.starts_with("moments"))
            .count()
    };
    // 256 terms: one part.
    assert_eq!(kernels(|x| statistics(x, &[1, 2])), 0);
    // About the mean over other axes.
    assert_eq!(
        kernels(|x| {
            let centred = x - x.mean_keep(&[0, 1, 2]);
            [
                x.mean_keep(&[0, 1, 2]),
                centred.square().mean_keep(&[0, 1]),
                centred,
            ]
        }),
        0
    );
    // A sum of squares that is not divided.
    assert_eq!(
        kernels(|x| {
            let mean = x.mean_keep(&[0, 1, 2]);
            [mean, (x - mean).square().sum_keep(&[0, 1, 2]), x]
        }),
        0
    );
    // Not a number stays so.
    let mut bad = showers(&[1, 19, 17, 2], 1);
    bad.data[40] = f64::INFINITY;
    let (got, _) = run(&bad, |x| statistics(x, &[1, 2]));
    assert!(
        !got[1][0].is_finite() && got[1][1].is_finite(),
        "{:?}",
        got[1]
    );
}
