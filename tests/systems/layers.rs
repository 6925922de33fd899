//! Layers that are more than one op: their modes.

use calogen::nn::{Mode, Net, Network, Norm, Parameters};
use calogen::ops::random;
use calogen::tape::{Options, Tape};

use super::gpu;

/// Runs `build` on a `[3,4,5]` input in `mode` and reads its result.
fn run(
    parameters: &Parameters,
    mode: Mode,
    x: &[f32],
    build: impl for<'t> Fn(&Net<'t>, calogen::tape::Var<'t>) -> calogen::tape::Var<'t>,
) -> Vec<f32> {
    let tape = Tape::new();
    let net = Net::new(&tape, parameters, mode);
    let y = build(&net, tape.input("x", &[3, 4, 5]));
    let program = tape
        .compile(
            gpu(),
            &[("y", y)],
            Options {
                poison: true,
                ..Options::default()
            },
        )
        .expect("a program");
    program.set("x", x).expect("x");
    program
        .set_u32("random", &random::key(9, 0))
        .expect("random");
    program.run().expect("a run");
    program.read("y").expect("y")
}

fn input() -> Vec<f32> {
    (0..60)
        .map(|i| (i as f32 * 0.7).sin() * 2.0 + (i / 20) as f32)
        .collect()
}

#[test]
fn batch_norm_follows_its_batches() {
    let network = Network::declare("n", |net| {
        net.norm("norm", net.tape().input("x", &[3, 4, 5]), Norm::Batch);
    });
    let parameters =
        Parameters::new(gpu(), network.expect("a network"), 0, false).expect("parameters");
    let norm = |mode| {
        run(&parameters, mode, &input(), |net, x| {
            net.norm("norm", x, Norm::Batch)
        })
    };
    let x = input();
    let channel = |c: usize| &x[c * 20..(c + 1) * 20];
    let mean = |c: usize| channel(c).iter().map(|&v| f64::from(v)).sum::<f64>() / 20.0;
    let var = |c: usize| {
        channel(c)
            .iter()
            .map(|&v| (f64::from(v) - mean(c)).powi(2))
            .sum::<f64>()
            / 20.0
    };
    // Serving uses the batch's statistics and leaves the running ones alone.
    let serve = norm(Mode::Serve);
    assert_eq!(
        parameters
            .get(gpu(), "norm.running_mean", false)
            .expect("means"),
        [0.0; 3]
    );
    for i in 0..60 {
        let c = i / 20;
        let want = (f64::from(x[i]) - mean(c)) / (var(c) + 1e-5).sqrt();
        assert!(
            (f64::from(serve[i]) - want).abs() <= 1e-5,
            "{i}: {} {want}",
            serve[i]
        );
    }
    // Training does the same and moves them: mean by a tenth, variance by the unbiased one.
    assert_eq!(norm(Mode::Train), serve);
    let means = parameters
        .get(gpu(), "norm.running_mean", false)
        .expect("means");
    let vars = parameters
        .get(gpu(), "norm.running_var", false)
        .expect("variances");
    for c in 0..3 {
        assert!((f64::from(means[c]) - 0.1 * mean(c)).abs() <= 1e-6);
        assert!((f64::from(vars[c]) - (0.9 + 0.1 * var(c) * 20.0 / 19.0)).abs() <= 1e-5);
    }
    // Inference uses the running ones.
    let infer = norm(Mode::Infer);
    for i in 0..60 {
        let c = i / 20;
        let want = (f64::from(x[i]) - f64::from(means[c])) / (f64::from(vars[c]) + 1e-5).sqrt();
        assert!(
            (f64::from(infer[i]) - want).abs() <= 1e-5,
            "{i}: {} {want}",
            infer[i]
        );
    }
}

#[test]
fn dropout_drops_in_training_only() {
    let network = Network::declare("n", |_| {}).expect("a network");
    let parameters = Parameters::new(gpu(), network, 0, false).expect("parameters");
    let x = vec![1.0; 60];
    let drop = |mode| {
        run(&parameters, mode, &x, |net, x| {
            net.dropout(x, 0.25, net.tape().input_u32("random", &[4]), 3)
        })
    };
    assert_eq!(drop(Mode::Infer), x);
    let y = drop(Mode::Train);
    let kept: Vec<bool> = (0..60u32)
        .map(|i| random::uniform(9, 3, u64::from(i % 5), i / 5) > 0.25)
        .collect();
    assert!(kept.contains(&true) && kept.contains(&false));
    for (y, kept) in y.iter().zip(kept) {
        assert!((y - if kept { 1.0 / 0.75 } else { 0.0 }).abs() <= 1e-6);
    }
}
