//! Every elementwise function, broadcasting, kinks and extreme arguments.

use calogen::gpu::Gpu;
use calogen::ops::elementwise::Function;
use calogen::tape::{Tape, Var};

use crate::common::{Nd, POISON, Row, close, evaluate, gpu};

type Function1 = for<'t> fn(Var<'t>) -> Var<'t>;

/// A function of one operand: name, range of the operand, on the device, in f64.
type Unary = (&'static str, (f64, f64), Function1, fn(f64) -> f64);

fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

fn leaky(v: f64, slope: f64) -> f64 {
    if v > 0.0 { v } else { slope * v }
}

const UNARY: &[Unary] = &[
    ("affine", (-1.0, 1.0), |v| v * 3.0 - 0.5, |v| v * 3.0 - 0.5),
    ("from", (-1.0, 1.0), |v| 0.75 - v, |v| 0.75 - v),
    ("quotient", (-1.0, 1.0), |v| v / 8.0, |v| v / 8.0),
    ("over", (0.5, 2.0), |v| 3.0 / v, |v| 3.0 / v),
    ("negative", (-1.0, 1.0), |v| -v, |v| -v),
    ("abs", (-1.0, 1.0), |v| v.abs(), f64::abs),
    ("exp", (-3.0, 3.0), |v| v.exp(), f64::exp),
    ("log", (0.25, 8.0), |v| v.log(), f64::ln),
    ("sqrt", (0.25, 9.0), |v| v.sqrt(), f64::sqrt),
    ("square", (-2.0, 2.0), |v| v.square(), |v| v * v),
    ("recip", (0.5, 2.0), |v| v.recip(), |v| 1.0 / v),
    ("sigmoid", (-6.0, 6.0), |v| v.sigmoid(), sigmoid),
    ("tanh", (-4.0, 4.0), |v| v.tanh(), f64::tanh),
    (
        "softplus",
        (-6.0, 6.0),
        |v| v.softplus(),
        |v| v.exp().ln_1p(),
    ),
    ("relu", (-1.0, 1.0), |v| v.relu(), |v| v.max(0.0)),
    (
        "leaky_relu",
        (-1.0, 1.0),
        |v| v.leaky_relu(0.2),
        |v| leaky(v, 0.2),
    ),
    (
        "leaky_negative",
        (-1.0, 1.0),
        |v| v.leaky_relu(-0.5),
        |v| leaky(v, -0.5),
    ),
    ("pow_half", (0.25, 4.0), |v| v.pow(0.5), |v| v.powf(0.5)),
    ("pow_less", (0.5, 2.0), |v| v.pow(-1.5), |v| v.powf(-1.5)),
    ("pow_cube", (-2.0, 2.0), |v| v.pow(3.0), |v| v.powi(3)),
    ("pow_four", (-2.0, 2.0), |v| v.pow(4.0), |v| v.powi(4)),
    ("pow_five", (-2.0, 2.0), |v| v.pow(5.0), |v| v.powi(5)),
    (
        "pow_minus_three",
        (-2.0, -0.5),
        |v| v.pow(-3.0),
        |v| v.powi(-3),
    ),
    (
        "clamp",
        (-2.0, 2.0),
        |v| v.clamp(-0.5, 0.75),
        |v| v.clamp(-0.5, 0.75),
    ),
    ("expm1", (-0.5, 0.5), |v| v.expm1(), f64::exp_m1),
    ("log1p", (-0.5, 0.5), |v| v.log1p(), f64::ln_1p),
    ("rsqrt", (0.5, 4.0), |v| v.rsqrt(), |v| 1.0 / v.sqrt()),
];

#[test]
fn unary() {
    for &(name, (low, high), device, oracle) in UNARY {
        // Own exp and ln are right to 2 units in the last place, and a gradient is a few such factors.
        Row {
            name,
            inputs: &[&[3, 5, 7]],
            terms: 2,
        }
        .within(low, high)
        .check(|v| device(v[0]), |x| x[0].map(oracle));
    }
}

/// A network that has gone astray must not make plausible numbers of it. Between numbers, as a driver may treat vectors apart.
#[test]
fn what_is_no_number_stays_none() {
    let x = Nd::new(&[3], vec![0.5, f64::NAN, 0.25]);
    let all = evaluate(&[x], |_, x| UNARY.iter().map(|row| row.2(x[0])).collect());
    for (y, row) in all.iter().zip(UNARY) {
        assert!(y[1].is_nan(), "{} of NaN is {}", row.0, y[1]);
        assert!(!y[0].is_nan() && !y[2].is_nan(), "{}: {y:?}", row.0);
    }
    let a = Nd::new(&[4], vec![0.5, f64::NAN, 0.25, f64::NAN]);
    let b = Nd::new(&[4], vec![0.25, 0.5, f64::NAN, f64::NAN]);
    let both = evaluate(&[a, b], |_, x| vec![x[0].maximum(x[1]), x[0].minimum(x[1])]);
    for (y, first) in both.iter().zip([0.5, 0.25]) {
        let rest = y[1..].iter().all(|v| v.is_nan());
        assert!(y[0] == first && rest, "{y:?}");
    }
}

#[test]
fn unary_second_order() {
    for &(name, (low, high), device, oracle) in UNARY {
        Row {
            name,
            inputs: &[&[3, 5]],
            terms: 8,
        }
        .within(low, high)
        .check_second(|v| device(v[0]), |x| x[0].map(oracle));
    }
}

#[test]
fn without_gradient() {
    let row = |name| Row {
        name,
        inputs: &[&[3, 5, 7]],
        terms: 1,
    };
    row("sign").check(|v| v[0].sign(), |x| x[0].map(f64::signum));
    row("step").check(|v| v[0].step(), |x| x[0].map(|v| f64::from(v > 0.0)));
    let both = Row {
        name: "greater",
        inputs: &[&[3, 5], &[5]],
        terms: 1,
    };
    both.check(
        |v| v[0].greater(v[1]),
        |x| x[0].zip(&x[1], |a, b| f64::from(a > b)),
    );
}

#[test]
fn cut_below() {
    let row = Row {
        name: "cut below",
        inputs: &[&[3, 5, 7], &[5, 1]],
        terms: 1,
    };
    // No gradient to the threshold: nothing changes with it but where it crosses a value.
    row.check(
        |v| v[0].cut_below(v[1]),
        |x| x[0].zip(&x[1], |a, b| if a < b { 0.0 } else { a }),
    );
    // What is at the threshold stays, and so does what is not finite.
    let infinite = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let x = [&[0.5, 0.25, -0.5], &infinite[..]].concat();
    let tape = Tape::new();
    let y = tape.input("x", &[6]).cut_below(tape.full(0.5, &[]));
    let program = tape.compile(gpu(), &[("y", y)], POISON).unwrap();
    program.set("x", &x).unwrap();
    program.run().unwrap();
    let y = program.read("y").unwrap();
    assert_eq!(y[..3], [0.5, 0.0, 0.0]);
    assert_eq!(y[4..], [f32::INFINITY, f32::NEG_INFINITY]);
    assert!(y[3].is_nan(), "{y:?}");
}

/// Operands of each kind of broadcasting.
const SHAPES: &[(&str, &[usize], &[usize])] = &[
    ("equal", &[2, 3, 5], &[2, 3, 5]),
    ("fewer axes", &[2, 3, 5], &[5]),
    ("scalar", &[2, 3, 5], &[]),
    ("scalar first", &[], &[3, 5]),
    ("stretched", &[2, 3, 5], &[2, 1, 5]),
    ("both stretched", &[2, 1, 5], &[1, 3, 1]),
    ("per channel", &[3, 1, 1, 1], &[3, 2, 5, 7]),
    ("first only", &[1, 3], &[2, 1]),
    ("two ones", &[1], &[1, 1]),
];

type Binary = (
    &'static str,
    for<'t> fn(Var<'t>, Var<'t>) -> Var<'t>,
    fn(f64, f64) -> f64,
);

const BINARY: &[Binary] = &[
    ("add", |a, b| a + b, |a, b| a + b),
    ("sub", |a, b| a - b, |a, b| a - b),
    ("mul", |a, b| a * b, |a, b| a * b),
    ("div", |a, b| a / b, |a, b| a / b),
    ("maximum", |a, b| a.maximum(b), f64::max),
    ("minimum", |a, b| a.minimum(b), f64::min),
];

#[test]
fn binary_with_broadcasting() {
    for (kind, a, b) in SHAPES {
        for &(op, device, oracle) in BINARY {
            let name = format!("{op}, {kind}");
            let low = if op == "div" { 0.5 } else { -1.0 };
            Row {
                name: &name,
                inputs: &[a, b],
                terms: 32,
            }
            .ranges(&[(-1.0, 1.0), (low, 1.0)])
            .check(|v| device(v[0], v[1]), |x| x[0].zip(&x[1], oracle));
        }
    }
}

#[test]
fn binary_second_order() {
    for &(op, device, oracle) in BINARY {
        let low = if op == "div" { 0.5 } else { -1.0 };
        Row {
            name: op,
            inputs: &[&[2, 3], &[2, 1]],
            terms: 16,
        }
        .ranges(&[(-1.0, 1.0), (low, 1.0)])
        .check_second(|v| device(v[0], v[1]), |x| x[0].zip(&x[1], oracle));
    }
}

#[test]
fn select() {
    let shapes: &[&[usize]] = &[&[3, 5], &[3, 1], &[2, 3, 5]];
    let pick = |x: &[Nd]| {
        let b = x[0].zip(&x[1], |m, b| if m > 0.0 { b } else { f64::NAN });
        b.zip(&x[2], |b, c| if b.is_nan() { c } else { b })
    };
    let row = Row {
        name: "select",
        inputs: shapes,
        terms: 10,
    };
    row.check(|v| v[0].step().select(v[1], v[2]), pick);
    row.check_second(
        |v| v[0].step().select(v[1] * v[1], v[2] * v[0]),
        |x| {
            let x = [
                x[0].clone(),
                x[1].map(|v| v * v),
                x[0].zip(&x[2], |a, c| a * c),
            ];
            pick(&x)
        },
    );
}

#[test]
fn expand_and_sum_to() {
    Row {
        name: "expand",
        inputs: &[&[3, 1, 5]],
        terms: 14,
    }
    .check(
        |v| v[0].expand(&[2, 3, 7, 5]),
        |x| x[0].zip(&Nd::zeros(&[2, 3, 7, 5]), |a, _| a),
    );
    Row {
        name: "sum_to",
        inputs: &[&[2, 3, 7, 5]],
        terms: 14,
    }
    .check(
        |v| v[0].sum_to(&[3, 1, 5]),
        |x| x[0].sum(&[0, 2]).reshape(&[3, 1, 5]),
    );
}

/// Value and derivative of `f` at each of `x`.
fn value_and_slope(x: &[f64], f: Function1) -> (Vec<f32>, Vec<f32>) {
    let x = Nd::new(&[x.len()], x.to_vec());
    let mut found = evaluate(&[x], |tape, v| {
        let y = f(v[0]);
        vec![y, tape.gradients(y.sum_all(), v)[0]]
    });
    let slope = found.pop().unwrap();
    (found.pop().unwrap(), slope)
}

/// What PyTorch returns at points where a function has no derivative.
#[test]
fn kinks() {
    let at = [-1.0, 0.0, 1.0];
    let cases: &[(&str, Function1, [f32; 3])] = &[
        ("relu", |v| v.relu(), [0.0, 0.0, 1.0]),
        ("leaky_relu", |v| v.leaky_relu(0.25), [0.25, 0.25, 1.0]),
        ("abs", |v| v.abs(), [-1.0, 0.0, 1.0]),
        ("clamp", |v| v.clamp(-1.0, 0.0), [1.0, 1.0, 0.0]),
        ("clamp above", |v| v.clamp(0.0, 1.0), [0.0, 1.0, 1.0]),
        ("step", |v| v.step(), [0.0, 0.0, 0.0]),
        ("sign", |v| v.sign(), [0.0, 0.0, 0.0]),
    ];
    for (name, f, want) in cases {
        assert_eq!(value_and_slope(&at, *f).1, want, "{name}");
    }
    assert_eq!(value_and_slope(&at, |v| v.step()).0, [0.0, 0.0, 1.0]);
    assert_eq!(value_and_slope(&at, |v| v.sign()).0, [-1.0, 0.0, 1.0]);
    let zeros = [Nd::zeros(&[1]), Nd::new(&[1], vec![-0.0])];
    for f in [Function::Max, Function::Min] {
        let found = evaluate(&zeros, |tape, v| {
            tape.gradients(v[0].binary(f, v[1]).sum_all(), v)
        });
        assert_eq!(found, [[0.5], [0.5]], "{f:?}");
    }
}

#[test]
fn large_arguments_do_not_overflow() {
    let at = [-100.0, -88.0, -30.0, 30.0, 88.0, 100.0];
    let check = |name, f: Function1, value: fn(f64) -> f64, slope: fn(f64) -> f64| {
        let (y, dy) = value_and_slope(&at, f);
        for i in 0..at.len() {
            for (got, want) in [(y[i], value(at[i])), (dy[i], slope(at[i]))] {
                let error = (f64::from(got) - want).abs();
                assert!(
                    error <= 1e-6 * want.abs().max(1e-30),
                    "{name}({}): {got}, not {want}",
                    at[i]
                );
            }
        }
    };
    // Below 1e-30 an exponential may be flushed to 0.
    check(
        "sigmoid",
        |v| v.sigmoid(),
        |v| if v < -69.0 { 0.0 } else { sigmoid(v) },
        |v| {
            let s = if v < -69.0 { 0.0 } else { sigmoid(v) };
            s * (1.0 - f64::from(s as f32))
        },
    );
    check("tanh", |v| v.tanh(), f64::tanh, |_| 0.0);
    check(
        "softplus",
        |v| v.softplus(),
        |v| {
            if v < -69.0 {
                0.0
            } else {
                v.max(0.0) + (-v.abs()).exp().ln_1p()
            }
        },
        |v| if v < -69.0 { 0.0 } else { sigmoid(v) },
    );
    let (y, _) = value_and_slope(&[-200.0, -100.0, 88.0, 89.0, 1000.0], |v| v.exp());
    assert!(
        y[0] == 0.0 && y[1] < 1e-37 && y[3] == f32::INFINITY && y[4] == f32::INFINITY,
        "{y:?}"
    );
    close("exp", &y[2..3], &[88f64.exp()], 1e-6 * 88f64.exp());
}

#[test]
fn edges_of_domains() {
    let (y, dy) = value_and_slope(&[0.0, -1.0, 1e-40, 1.0, 3e38], |v| v.log());
    assert!(
        y[0] == f32::NEG_INFINITY && y[1].is_nan() && y[3] == 0.0,
        "{y:?}"
    );
    assert!((f64::from(y[4]) - 3e38f64.ln()).abs() < 1e-5, "{y:?}");
    assert!(dy[0] == f32::INFINITY && dy[3] == 1.0, "{dy:?}");
    let (y, _) = value_and_slope(&[-2.0, 0.0, 1e-8], |v| v.sqrt());
    assert!(
        y[0].is_nan() && y[1] == 0.0 && (y[2] - 1e-4).abs() < 1e-10,
        "{y:?}"
    );
    // Exact where 1 + v and e^v lose the digits of v.
    let (y, dy) = value_and_slope(&[1e-8, -1e-8, 1e-5], |v| v.log1p());
    close("log1p", &y, &[1e-8, -1e-8, 1e-5f64.ln_1p()], 1e-12);
    close("log1p'", &dy, &[1.0, 1.0, 1.0], 2e-5);
    let (y, _) = value_and_slope(&[1e-8, -1e-8, 1e-5], |v| v.expm1());
    close("expm1", &y, &[1e-8, -1e-8, 1e-5f64.exp_m1()], 1e-12);
}

#[test]
fn powers_of_any_base() {
    let at = [-2.0, -1.0, 0.0, 0.5, 3.0];
    for (k, f) in [
        (0.0, (|v| v.pow(0.0)) as Function1),
        (1.0, |v| v.pow(1.0)),
        (2.0, |v| v.pow(2.0)),
        (3.0, |v| v.pow(3.0)),
        (4.0, |v| v.pow(4.0)),
        (7.0, |v| v.pow(7.0)),
    ] {
        let (y, dy) = value_and_slope(&at, f);
        for (i, x) in at.iter().enumerate() {
            let (want, slope) = (x.powf(k), k * x.powf(k - 1.0));
            let slope = if k == 0.0 { 0.0 } else { slope };
            let near = |got: f32, want: f64| (f64::from(got) - want).abs() <= 4e-6 * want.abs();
            assert!(near(y[i], want), "{x}^{k}: {}, not {want}", y[i]);
            assert!(near(dy[i], slope), "({x}^{k})': {}, not {slope}", dy[i]);
        }
    }
    let (y, dy) = value_and_slope(&[0.0, 0.25, -1.0], |v| v.pow(0.5));
    assert!(
        y[0] == 0.0 && (y[1] - 0.5).abs() < 1e-6 && y[2].is_nan(),
        "{y:?}"
    );
    assert!(
        dy[0] == f32::INFINITY && (dy[1] - 1.0).abs() < 2e-6,
        "{dy:?}"
    );
    let (y, _) = value_and_slope(&[0.0, 4.0], |v| v.pow(-0.5));
    assert!(y[0] == f32::INFINITY && (y[1] - 0.5).abs() < 1e-6, "{y:?}");
}

/// The error of compiling what `f` records, for tensors `x` [2, 3] and `y` [4].
fn error(f: impl for<'t> Fn(&'t Tape, Var<'t>, Var<'t>) -> Var<'t>) -> String {
    let tape = Tape::new();
    let y = f(&tape, tape.input("x", &[2, 3]), tape.input("y", &[4]));
    // What is made of a failed result fails as well, and the first error stands.
    let y = (y * 2.0).reshape(&[77]);
    let gpu: &std::sync::Arc<Gpu> = crate::common::gpu();
    tape.compile(gpu, &[("y", y)], POISON)
        .unwrap_err()
        .to_string()
}

#[test]
fn errors_name_op_shapes_and_place() {
    let here = |line: u32| format!("elementwise.rs:{line})");
    let line = line!() + 1;
    let message = error(|_, x, y| x + y);
    assert!(
        message.starts_with("add: shapes do not broadcast: [[2, 3], [4]]"),
        "{message}"
    );
    assert!(message.ends_with(&here(line)), "{message}");
    let line = line!() + 1;
    let message = error(|_, x, y| y.select(x, y));
    assert!(
        message.starts_with("select: shapes do not broadcast"),
        "{message}"
    );
    assert!(message.ends_with(&here(line)), "{message}");
    let line = line!() + 1;
    let message = error(|_, x, _| x.expand(&[2, 4]));
    assert!(message.starts_with("expand: "), "{message}");
    assert!(
        message.contains("[2, 3]") && message.contains("[2, 4]"),
        "{message}"
    );
    assert!(message.ends_with(&here(line)), "{message}");
    let line = line!() + 1;
    let message = error(|_, x, _| x.expand(&[3]));
    assert!(message.starts_with("expand: "), "{message}");
    assert!(message.ends_with(&here(line)), "{message}");
    let line = line!() + 1;
    let message = error(|t, x, y| t.gradients(x + 1.0, &[y])[0]);
    assert!(
        message.starts_with("gradients: the loss must be a scalar, got [2, 3]"),
        "{message}"
    );
    assert!(message.ends_with(&here(line)), "{message}");
}
