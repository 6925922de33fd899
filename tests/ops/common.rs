//! The harness of the op tests.
//!
//! A [`Row`] draws inputs, runs the op and its pullback on the device with NaN-filled buffers, and compares the value with
//! an oracle, written from the definition as plain loops over [`Nd`] in f64, and the gradients with differences of that
//! oracle. The cotangent is random, so that no element of it can stand for another.

use std::sync::{Arc, OnceLock};

use calogen::gpu::{Gpu, Tier};
use calogen::tape::{Options, Plan, Program, Tape, Var};

use super::nd::cells;
pub use super::nd::{Nd, Random};

/// The device that all rows share. Without one, tests fail.
pub fn gpu() -> &'static Arc<Gpu> {
    static GPU: OnceLock<Arc<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| {
        let gpu = Gpu::open(None).expect("the op tests need an adapter; a software one will do");
        println!("adapter: {}", gpu.capabilities().name);
        gpu
    })
}

/// What every test compiles with.
pub const POISON: Options = Options {
    frozen: false,
    plain: false,
    poison: true,
    tier: Tier::Portable,
    trial: None,
};

/// Runs `f` on the inputs; its plan says which kernels did.
pub fn run_planned(
    inputs: &[&Nd],
    options: Options,
    f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
) -> (Vec<f32>, Plan) {
    let tape = Tape::new();
    let names: Vec<String> = (0..inputs.len()).map(|i| format!("x{i}")).collect();
    let shapes = names.iter().zip(inputs);
    let x: Vec<Var> = shapes.map(|(n, x)| tape.input(n, &x.shape)).collect();
    let program = tape.compile(gpu(), &[("y", f(&x))], options).unwrap();
    for (name, x) in names.iter().zip(inputs) {
        program.set(name, &x.f32()).unwrap();
    }
    program.run().unwrap();
    (program.read("y").unwrap(), program.plan().clone())
}

/// One test of an op: `terms` is the length of the longest sum in the value and in the gradients.
///
/// The tolerance is `8 eps sqrt(terms) rms(want)`. It is not raised to make a row pass: a row that needs more states more
/// terms, with the reason.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub name: &'a str,
    pub inputs: &'a [&'a [usize]],
    pub terms: usize,
}

impl Row<'_> {
    /// Compares value and gradients for inputs in [-1, 1).
    pub fn check(
        &self,
        device: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
        oracle: impl Fn(&[Nd]) -> Nd,
    ) {
        self.within(-1.0, 1.0).check(device, oracle);
    }

    /// Compares the value only, for ops without gradients.
    pub fn check_value(
        &self,
        device: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
        oracle: impl Fn(&[Nd]) -> Nd,
    ) {
        self.within(-1.0, 1.0).check_value(device, oracle);
    }

    /// Compares the second derivatives for inputs in [-1, 1).
    pub fn check_second(
        &self,
        device: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
        oracle: impl Fn(&[Nd]) -> Nd,
    ) {
        self.within(-1.0, 1.0).check_second(device, oracle);
    }

    /// The same row with all inputs in [low, high).
    pub fn within(&self, low: f64, high: f64) -> Drawn {
        self.ranges(&vec![(low, high); self.inputs.len()])
    }

    /// The same row with each input in its own range.
    pub fn ranges(&self, ranges: &[(f64, f64)]) -> Drawn {
        let seed = seed_of(self.name);
        let inputs = self.inputs.iter().zip(ranges).enumerate();
        let draw = |(i, (shape, &(low, high))): (usize, (&&[usize], &(f64, f64)))| {
            let unit = Nd::random(shape, seed + i as u64);
            unit.map(|v| f64::from((low + (high - low) * 0.5 * (v + 1.0)) as f32))
        };
        Drawn {
            name: self.name.to_owned(),
            inputs: inputs.map(draw).collect(),
            terms: self.terms,
            options: POISON,
        }
    }

    /// The same row with given inputs.
    pub fn given(&self, inputs: &[Nd]) -> Drawn {
        for (have, want) in inputs.iter().zip(self.inputs) {
            assert_eq!(have.shape, *want, "{}", self.name);
        }
        Drawn {
            name: self.name.to_owned(),
            inputs: inputs.to_vec(),
            terms: self.terms,
            options: POISON,
        }
    }
}

fn seed_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    })
}

/// A row with its inputs.
pub struct Drawn {
    pub name: String,
    pub inputs: Vec<Nd>,
    pub terms: usize,
    pub options: Options,
}

/// Elements of an input whose derivatives are taken one by one. All others enter the derivative along a random direction.
const SINGLES: usize = 50;

impl Drawn {
    /// The same with the plain versions of tiled kernels.
    pub fn plain(mut self) -> Self {
        self.name += ", plain";
        self.options.plain = true;
        self
    }

    /// Compares the value and the gradient of every input.
    pub fn check(
        &self,
        device: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
        oracle: impl Fn(&[Nd]) -> Nd,
    ) {
        let want = oracle(&self.inputs);
        let cotangent = Nd::random(&want.shape, seed_of(&self.name) ^ 1);
        let tape = Tape::new();
        let x = self.record(&tape);
        let y = self.shaped(&tape, device(&x), &want);
        let c = tape.input("cotangent", &want.shape);
        let grads = tape.pullback(&[(y, c)], &x);
        let names: Vec<String> = (0..x.len()).map(|i| format!("d{i}")).collect();
        let mut outputs = vec![("y", y)];
        outputs.extend(names.iter().map(String::as_str).zip(grads));
        let program = self.run(&tape, &outputs, &[("cotangent", &cotangent)]);

        let mut worst = self.compare("y", &program.read("y").unwrap(), &want.data, 0.0);
        // Of <cotangent, oracle(inputs + t direction)>
        const H: f64 = 1e-5;
        let mut at = self.inputs.clone();
        for i in 0..self.inputs.len() {
            let h = H.min(0.1 / cells(self.inputs[i].data.len()) as f64);
            let noise = self.noise(&want, &cotangent) / h;
            let mut along = |direction: &Direction| {
                let mut loss = |t| {
                    direction.shift(&mut at[i], &self.inputs[i], t);
                    dot(&oracle(&at), &cotangent)
                };
                let d = (loss(h) - loss(-h)) / (2.0 * h);
                at[i].data.copy_from_slice(&self.inputs[i].data);
                d
            };
            let got = program.read(&names[i]).unwrap();
            worst = worst.max(self.derivative(&names[i], i, &got, noise, &mut along));
        }
        println!(
            "{}: worst error {:.1} % of the tolerance",
            self.name,
            100.0 * worst
        );
    }

    /// Compares the value only.
    pub fn check_value(
        &self,
        device: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
        oracle: impl Fn(&[Nd]) -> Nd,
    ) {
        let want = oracle(&self.inputs);
        let tape = Tape::new();
        let x = self.record(&tape);
        let y = self.shaped(&tape, device(&x), &want);
        let program = self.run(&tape, &[("y", y)], &[]);
        self.compare("y", &program.read("y").unwrap(), &want.data, 0.0);
    }

    /// Compares the gradients of `sum over i of <b_i, d<c, y>/dx_i>` with respect to every input and to c.
    ///
    /// That sum is the derivative of `<c, y>` along b, so the wanted gradient is a mixed second difference of the oracle
    /// (extrapolated to fourth order), and the one with respect to c is the derivative of y along b.
    pub fn check_second(
        &self,
        device: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
        oracle: impl Fn(&[Nd]) -> Nd,
    ) {
        let want = oracle(&self.inputs);
        let seed = seed_of(&self.name);
        let c = Nd::random(&want.shape, seed ^ 1);
        let b: Vec<Nd> = (self.inputs.iter().enumerate())
            .map(|(i, x)| Nd::random(&x.shape, (seed ^ 2).wrapping_add(i as u64)))
            .collect();
        let tape = Tape::new();
        let x = self.record(&tape);
        let y = self.shaped(&tape, device(&x), &want);
        let cv = tape.input("c", &want.shape);
        let first = tape.pullback(&[(y, cv)], &x);
        let b_names: Vec<String> = (0..x.len()).map(|i| format!("b{i}")).collect();
        let seeds: Vec<_> = (first.iter().zip(&b_names).zip(&b))
            .map(|((&g, name), b)| (g, tape.input(name, &b.shape)))
            .collect();
        let wrt: Vec<Var> = x.iter().copied().chain([cv]).collect();
        let second = tape.pullback(&seeds, &wrt);
        let names: Vec<String> = (0..x.len())
            .map(|i| format!("dd{i}"))
            .chain(["dc".into()])
            .collect();
        let outputs: Vec<_> = names.iter().map(String::as_str).zip(second).collect();
        let mut extra = vec![("c", &c)];
        extra.extend(b_names.iter().map(String::as_str).zip(&b));
        let program = self.run(&tape, &outputs, &extra);

        const H: f64 = 1e-3;
        let mut at = self.inputs.clone();
        let along_b = |at: &mut [Nd], t: f64| {
            for ((at, x), b) in at.iter_mut().zip(&self.inputs).zip(&b) {
                let moved = x.data.iter().zip(&b.data).map(|(x, b)| x + t * b);
                at.data.iter_mut().zip(moved).for_each(|(at, v)| *at = v);
            }
        };
        let mut y_at = |t: f64| {
            along_b(&mut at, t);
            oracle(&at)
        };
        let h = 1e-5;
        let slope = y_at(h).zip(&y_at(-h), |p, m| (p - m) / (2.0 * h));
        let floor = 4.0 * f64::EPSILON * rms(&want.data) / h;
        let mut worst = self.compare("dc", &program.read("dc").unwrap(), &slope.data, floor);
        for i in 0..self.inputs.len() {
            let noise = 4.0 * self.noise(&want, &c) / (H * H);
            let mut along = |direction: &Direction| {
                let mut loss = |s: f64, t: f64| {
                    along_b(&mut at, s);
                    let base = at[i].clone();
                    direction.shift(&mut at[i], &base, t);
                    dot(&oracle(&at), &c)
                };
                let mut mixed = |h: f64| {
                    (loss(h, h) - loss(h, -h) - loss(-h, h) + loss(-h, -h)) / (4.0 * h * h)
                };
                (4.0 * mixed(H) - mixed(2.0 * H)) / 3.0
            };
            let got = program.read(&names[i]).unwrap();
            worst = worst.max(self.derivative(&names[i], i, &got, noise, &mut along));
        }
        println!(
            "{} (second order): worst error {:.1} % of the tolerance",
            self.name,
            100.0 * worst
        );
    }

    fn record<'t>(&self, tape: &'t Tape) -> Vec<Var<'t>> {
        let inputs = self.inputs.iter().enumerate();
        inputs
            .map(|(i, x)| tape.input(&format!("x{i}"), &x.shape))
            .collect()
    }

    fn shaped<'t>(&self, tape: &'t Tape, y: Var<'t>, want: &Nd) -> Var<'t> {
        tape.check()
            .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        assert_eq!(
            y.shape(),
            want.shape,
            "{}: shape (left: device, right: oracle)",
            self.name
        );
        y
    }

    fn run(&self, tape: &Tape, outputs: &[(&str, Var<'_>)], extra: &[(&str, &Nd)]) -> Program {
        let program = tape
            .compile(gpu(), outputs, self.options)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        for (i, x) in self.inputs.iter().enumerate() {
            program.set(&format!("x{i}"), &x.f32()).unwrap();
        }
        for (name, x) in extra {
            program.set(name, &x.f32()).unwrap();
        }
        program.run().unwrap();
        program
    }

    /// What rounding adds to `<cotangent, oracle>` with sums of `terms` terms.
    fn noise(&self, y: &Nd, cotangent: &Nd) -> f64 {
        let sizes = y
            .data
            .iter()
            .zip(&cotangent.data)
            .map(|(y, c)| (y * c).abs());
        4.0 * f64::EPSILON * (self.terms as f64).sqrt() * sizes.sum::<f64>()
    }

    /// Compares elements of a gradient, and all of it along a random direction. Returns the worst error over tolerance.
    fn derivative(
        &self,
        what: &str,
        i: usize,
        got: &[f32],
        noise: f64,
        along: &mut impl FnMut(&Direction) -> f64,
    ) -> f64 {
        let count = got.len();
        let mut random = Random(seed_of(&self.name) ^ 3);
        let mut chosen: Vec<usize> = (0..count).collect();
        for j in 0..count.min(SINGLES) {
            chosen.swap(j, j + random.below(count - j));
        }
        chosen.truncate(SINGLES);
        chosen.sort_unstable();
        let want: Vec<f64> = chosen
            .iter()
            .map(|&j| along(&Direction::Single(j)))
            .collect();
        let tolerance = self.tolerance(rms(&want)) + noise;
        let mut worst = 0.0f64;
        for (&j, want) in chosen.iter().zip(want) {
            let error = (f64::from(got[j]) - want).abs();
            // Written so that a NaN fails.
            assert!(
                error <= tolerance,
                "{} {what}[{j}]: got {}, want {want}, error {error:.2e} > {tolerance:.2e}",
                self.name,
                got[j]
            );
            worst = worst.max(error / tolerance.max(f64::MIN_POSITIVE));
        }
        let direction = Nd::random(&self.inputs[i].shape, seed_of(&self.name) ^ 4).data;
        let sum: f64 = (got.iter().zip(&direction))
            .map(|(&g, d)| f64::from(g) * d)
            .sum();
        let size = rms(&got.iter().map(|&g| f64::from(g)).collect::<Vec<_>>());
        let tolerance = self.tolerance(size) * (count as f64).sqrt() + noise;
        let want = along(&Direction::All(direction));
        let error = (sum - want).abs();
        assert!(
            error <= tolerance,
            "{} {what} along a direction: got {sum}, want {want}, error {error:.2e} > {tolerance:.2e}",
            self.name
        );
        worst
    }

    fn compare(&self, what: &str, got: &[f32], want: &[f64], floor: f64) -> f64 {
        close(&format!("{} {what}", self.name), got, want, {
            self.tolerance(rms(want)) + floor
        })
    }

    fn tolerance(&self, rms: f64) -> f64 {
        8.0 * f64::from(f32::EPSILON) * (self.terms as f64).sqrt() * rms
    }
}

/// Asserts that all elements agree to `tolerance`. Returns the worst error over tolerance.
pub fn close(what: &str, got: &[f32], want: &[f64], tolerance: f64) -> f64 {
    assert_eq!(got.len(), want.len(), "{what}: number of elements");
    let mut worst = 0.0f64;
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(g) - w).abs();
        // Written so that a NaN fails.
        assert!(
            error <= tolerance,
            "{what}[{i}]: got {g}, want {w}, error {error:.2e} > {tolerance:.2e}"
        );
        worst = worst.max(error / tolerance.max(f64::MIN_POSITIVE));
    }
    worst
}

/// Runs `f` on the device and returns all its results: for expectations written by hand.
pub fn evaluate(
    inputs: &[Nd],
    f: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Vec<Var<'t>>,
) -> Vec<Vec<f32>> {
    let tape = Tape::new();
    let drawn = Drawn {
        name: "evaluate".into(),
        inputs: inputs.to_vec(),
        terms: 1,
        options: POISON,
    };
    let x = drawn.record(&tape);
    let y = f(&tape, &x);
    let names: Vec<String> = (0..y.len()).map(|i| format!("y{i}")).collect();
    let outputs: Vec<_> = names.iter().map(String::as_str).zip(y).collect();
    let program = drawn.run(&tape, &outputs, &[]);
    names.iter().map(|n| program.read(n).unwrap()).collect()
}

enum Direction {
    Single(usize),
    All(Vec<f64>),
}

impl Direction {
    /// `at = base + t direction`
    fn shift(&self, at: &mut Nd, base: &Nd, t: f64) {
        match self {
            Self::Single(j) => at.data[*j] = base.data[*j] + t,
            Self::All(d) => {
                let moved = base.data.iter().zip(d).map(|(x, d)| x + t * d);
                at.data.iter_mut().zip(moved).for_each(|(at, v)| *at = v);
            }
        }
    }
}

fn dot(a: &Nd, b: &Nd) -> f64 {
    assert_eq!(a.shape, b.shape, "shape of an oracle");
    a.data.iter().zip(&b.data).map(|(a, b)| a * b).sum()
}

/// Root of the mean square.
pub fn rms(values: &[f64]) -> f64 {
    let squares = values.iter().map(|v| v * v).sum::<f64>();
    (squares / values.len().max(1) as f64).sqrt()
}
