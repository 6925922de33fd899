//! Stores, averages and optimisers, against their formulas in f64 over three steps.

use std::sync::Arc;

use calogen::gpu::Gpu;
use calogen::nn::{Mode, Net, Network, Parameters};
use calogen::ops::Optimizer;
use calogen::tape::{Options, State, Tape, Var};

use crate::common::{Nd, POISON, close, gpu};
use crate::leaf::state;

const N: usize = 77;

fn start(seed: u64) -> Vec<f64> {
    Nd::random(&[N], seed).data
}

fn f32s(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&v| v as f32).collect()
}

fn get(state: &State) -> Vec<f32> {
    state.get(gpu()).unwrap()
}

#[test]
fn store_happens_after_everything_that_reads() {
    let s = state("s", &[1.0, 2.0, 3.0]);
    let tape = Tape::new();
    let now = tape.state(&s);
    // The value is stored, read and returned at once.
    let next = now * 2.0;
    tape.store(&s, next);
    let outputs = [
        ("before", now + 0.0),
        ("next", next),
        ("sum", now.sum_all()),
    ];
    let program = tape.compile(gpu(), &outputs, POISON).unwrap();
    for k in [1.0, 2.0, 4.0] {
        program.run().unwrap();
        assert_eq!(program.read("next").unwrap(), [2.0 * k, 4.0 * k, 6.0 * k]);
        assert_eq!(program.read("sum").unwrap(), [6.0 * k]);
    }
    assert_eq!(get(&s), [8.0, 16.0, 24.0]);
}

#[test]
fn a_gradient_is_stored_in_place() {
    let (w, g) = (state("w", &[1.0, -2.0]), state("g", &[9.0, 9.0]));
    let tape = Tape::new();
    let loss = (tape.state(&w).square() * tape.input("x", &[2])).sum_all();
    tape.store(&g, tape.gradients(loss, &[tape.state(&w)])[0]);
    let program = tape.compile(gpu(), &[("loss", loss)], POISON).unwrap();
    assert!(
        program.plan().steps.iter().all(|s| s.kernel != "store"),
        "{}",
        program.plan()
    );
    program.set("x", &[1.0, 3.0]).unwrap();
    program.run().unwrap();
    assert_eq!(get(&g), [2.0, -12.0]);
    assert_eq!(program.read("loss").unwrap(), [13.0]);
}

#[test]
fn states_swap() {
    let (a, b) = (state("a", &[1.0, 2.0]), state("b", &[3.0, 4.0]));
    let tape = Tape::new();
    tape.store(&a, tape.state(&b) + 0.0);
    tape.store(&b, tape.state(&a) + 0.0);
    let program = tape.compile(gpu(), &[], POISON).unwrap();
    program.run().unwrap();
    assert_eq!((get(&a), get(&b)), (vec![3.0, 4.0], vec![1.0, 2.0]));
}

#[test]
fn wrong_shapes_are_errors() {
    let s = state("s", &[1.0, 2.0]);
    let tape = Tape::new();
    tape.store(&s, tape.input("x", &[3]));
    let error = tape.compile(gpu(), &[], POISON).unwrap_err().to_string();
    assert!(
        error.starts_with("store: [3] into a state of [2]"),
        "{error}"
    );
    assert!(error.contains("tests/ops/update.rs:"), "{error}");
    let again = tape.compile(gpu(), &[], POISON).unwrap_err().to_string();
    let expected = "the recording failed; its error was returned before";
    assert_eq!(again, expected);

    let longer = state("longer", &[1.0, 2.0, 3.0]);
    let message = |record: &dyn Fn(&Tape)| {
        let tape = Tape::new();
        record(&tape);
        tape.compile(gpu(), &[], POISON).unwrap_err().to_string()
    };
    let error = message(&|tape| tape.average(&s, &longer, 0.5));
    let expected = "average: states of different lengths: [[2], [3]] (tests/ops/update.rs:";
    assert!(error.starts_with(expected), "{error}");
    let error = message(&|tape| {
        let adam = Optimizer::adam(0.9, 0.999);
        tape.optimize(adam, [&s, &s, &s, &longer], tape.input("hyper", &[3]));
    });
    let expected = "adam: states of different lengths: [[2], [2], [2], [3]]";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn average() {
    let (mut mean, mut now) = (start(1), start(2));
    let (m, n) = (state("mean", &f32s(&mean)), state("now", &f32s(&now)));
    let tape = Tape::new();
    tape.store(&n, tape.state(&n) + 0.5);
    tape.average(&m, &n, 0.01);
    let program = tape.compile(gpu(), &[], POISON).unwrap();
    for step in 0..3 {
        program.run().unwrap();
        for (m, n) in mean.iter_mut().zip(&mut now) {
            *n += 0.5;
            *m += f64::from(0.01f32) * (*n - *m);
        }
        close(&format!("mean after {step}"), &get(&m), &mean, 4e-7);
        close(&format!("now after {step}"), &get(&n), &now, 4e-7);
    }
}

/// Three steps with other gradients and learning rates; `step` changes (parameter, moments) by (gradient, rate, t).
fn optimizer(optimizer: Optimizer, step: impl Fn(&mut f64, &mut [f64; 2], f64, f64, i32)) {
    let mut want = start(3);
    let mut moments = vec![[0.0; 2]; N];
    let zeros = vec![0.0; N];
    let (q, g) = (state("q", &f32s(&want)), state("g", &f32s(&zeros)));
    let (m, v) = (state("m", &f32s(&zeros)), state("v", &f32s(&zeros)));
    let tape = Tape::new();
    tape.store(&g, tape.input("gradient", &[N]) * 1.0);
    tape.optimize(optimizer, [&q, &g, &m, &v], tape.input("hyper", &[3]));
    let program = tape.compile(gpu(), &[], POISON).unwrap();
    for t in 1..=3u8 {
        let gradient = start(10 + u64::from(t));
        let rate = 0.1 / f64::from(t);
        program.set("gradient", &f32s(&gradient)).unwrap();
        let hyper = optimizer.hyper(rate as f32, u64::from(t));
        program.set("hyper", &hyper).unwrap();
        program.run().unwrap();
        for i in 0..N {
            let rate = f64::from(rate as f32);
            step(
                &mut want[i],
                &mut moments[i],
                gradient[i],
                rate,
                i32::from(t),
            );
        }
        let what = |name: &str| format!("{optimizer:?} {name} after {t}");
        close(&what("q"), &get(&q), &want, 1e-6);
        let column = |k: usize| moments.iter().map(|m| m[k]).collect::<Vec<_>>();
        close(&what("m"), &get(&m), &column(0), 1e-6);
        close(&what("v"), &get(&v), &column(1), 1e-6);
    }
}

#[test]
fn sgd() {
    for momentum in [0.0, 0.9f32] {
        optimizer(Optimizer::Sgd { momentum }, |q, m, g, rate, _| {
            m[0] = f64::from(momentum) * m[0] + g;
            *q -= rate * m[0];
        });
    }
}

#[test]
fn rmsprop() {
    let (alpha, eps) = (0.9f32, 1e-6f32);
    optimizer(Optimizer::RmsProp { alpha, eps }, |q, m, g, rate, _| {
        let alpha = f64::from(alpha);
        m[0] = alpha * m[0] + (1.0 - alpha) * g * g;
        *q -= rate * g / (m[0].sqrt() + f64::from(eps));
    });
}

#[test]
fn adam() {
    for (beta1, beta2, eps) in [
        (0.9f32, 0.999f32, 1e-8f32),
        (0.5, 0.9, 1e-4),
        (0.0, 0.99, 1e-7),
    ] {
        optimizer(Optimizer::Adam { beta1, beta2, eps }, |q, m, g, rate, t| {
            let (b1, b2) = (f64::from(beta1), f64::from(beta2));
            m[0] = b1 * m[0] + (1.0 - b1) * g;
            m[1] = b2 * m[1] + (1.0 - b2) * g * g;
            let (first, second) = (m[0] / (1.0 - b1.powi(t)), m[1] / (1.0 - b2.powi(t)));
            *q -= rate * first / (second.sqrt() + f64::from(eps));
        });
    }
}

/// Parameters that no binding holds together follow their gradients as they do on a device whose bindings are larger.
#[test]
fn parameters_beyond_a_binding() {
    const BINDING: u64 = 4096;
    fn chain<'t>(net: &Net<'t>) -> Var<'t> {
        let x = net.tape().input("x", &[24, 3]);
        let x = net.linear("a", x, 31).tanh();
        net.linear("c", net.linear("b", x, 29), 17)
    }
    let after = |gpu: &Arc<Gpu>| {
        let network = Network::declare("n", |net| {
            chain(net);
        })
        .unwrap();
        let parameters = Parameters::new(gpu, network, 5, true).unwrap();
        let parameters = parameters.with_optimizer_state(gpu).unwrap();
        let tape = Tape::new();
        let y = chain(&Net::new(&tape, &parameters, Mode::Train));
        parameters.store_gradients(y.square().sum_all());
        let (values, mean) = (parameters.values(), parameters.mean().unwrap());
        assert!(values.bytes() > 2 * BINDING);
        let adam = Optimizer::adam(0.9, 0.999);
        parameters.optimize(adam, tape.input("hyper", &[3]));
        tape.average(mean, values, 0.25);
        let program = tape.compile(gpu, &[], Options::default()).unwrap();
        for t in 1..=3 {
            program
                .set("x", &f32s(&Nd::random(&[24, 3], t).data))
                .unwrap();
            program.set("hyper", &adam.hyper(0.01, t)).unwrap();
            program.run().unwrap();
        }
        [values, mean].map(|s| s.get(gpu).unwrap())
    };
    let small = Gpu::open_limited(None, |l| l.max_storage_buffer_binding_size = BINDING).unwrap();
    let [values, mean] = after(&small);
    assert_eq!([&values, &mean], after(gpu()).each_ref());
    assert_ne!(values, mean);
    // A single tensor beyond a binding is an error that names it.
    let network = Network::declare("n", |net| {
        net.linear("wide", net.tape().input("x", &[40, 1]), 40);
    });
    let network = network.unwrap();
    let error = Parameters::new(&small, network, 1, false).unwrap_err();
    let expected =
        "n.wide.weight of [40, 40] does not fit a binding of this device (4096 bytes at most)";
    assert!(error.to_string().contains(expected), "{error}");
}
