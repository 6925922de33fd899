//! Elementwise functions with NumPy broadcasting. `arithmetic.rs` writes them as methods and operators.
//!
//! A function is one variant of [`Function`] with a line for its WGSL and one for its gradient. Chains of them are folded
//! into one kernel by the compiler (`tape/fuse.rs`).

use crate::tape::{Cost, Exported, Lowering, Op, Reads, Shape, Site, Slot, Var, Vjp, shape};
use crate::{Error, Result};

/// An elementwise function of up to three operands `a`, `b`, `c` and up to two constants.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Function {
    /// a: used to stretch a tensor.
    Identity,
    /// A number.
    Constant(f32),
    /// a k + l
    Affine(f32, f32),
    Abs,
    Exp,
    Log,
    Sqrt,
    Square,
    /// 1 / a
    Recip,
    Sigmoid,
    Tanh,
    /// ln(1 + e^a)
    Softplus,
    /// -1, 0 or 1
    Sign,
    /// 1 where a > 0, else 0
    Step,
    /// a where a > 0, else slope a
    LeakyRelu(f32),
    /// 1 where a > 0, else slope: the derivative of `LeakyRelu`, at 0 as in PyTorch
    LeakySlope(f32),
    /// a^k; NaN for a negative `a` and a fractional exponent
    Pow(f32),
    /// a limited to [k, l]
    Clamp(f32, f32),
    /// 1 where k <= a <= l, else 0
    Inside(f32, f32),
    /// e^a - 1
    Expm1,
    /// ln(1 + a)
    Log1p,
    /// 1 / sqrt(a)
    Rsqrt,
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    /// 1 where a > b, else 0
    Greater,
    /// 0 where a is finite and below b, else a
    CutBelow,
    /// 1 where a = b, else 0
    Equal,
    /// (a - b)², for a `b` that is the mean of `a` over what is summed up next: no gradient to `b`, as its sum is 0
    SquaredDeviation,
    /// b where a is not 0, else c
    Select,
}

impl Function {
    /// Number of operands.
    pub fn arity(self) -> usize {
        use Function::*;
        match self {
            Constant(_) => 0,
            Add | Sub | Mul | Div | Max | Min | Greater | CutBelow | Equal | SquaredDeviation => 2,
            Select => 3,
            _ => 1,
        }
    }

    /// True for functions that cost more than a load.
    pub(crate) fn is_costly(self) -> bool {
        use Function::*;
        matches!(
            self,
            Exp | Log
                | Sigmoid
                | Tanh
                | Softplus
                | Pow(_)
                | Expm1
                | Log1p
                | Sqrt
                | Rsqrt
                | Recip
                | Div
        )
    }

    /// The constants k and l.
    pub(crate) fn constants(self) -> (f32, f32) {
        use Function::*;
        match self {
            Constant(k) | LeakyRelu(k) | LeakySlope(k) | Pow(k) => (k, 0.0),
            Affine(k, l) | Clamp(k, l) | Inside(k, l) => (k, l),
            _ => (0.0, 0.0),
        }
    }

    /// The function of operands `x` as WGSL, as step `i` of an expression.
    pub(crate) fn text(self, x: &[String], i: usize) -> String {
        use Function::*;
        let (a, b, c) = (x.first(), x.get(1), x.get(2));
        let name = |v: Option<&String>| v.map_or("0.0".to_owned(), String::clone);
        let (a, b, c) = (name(a), name(b), name(c));
        match self {
            Identity => a,
            Constant(_) => format!("p.k{i}"),
            Affine(..) => format!("{a} * p.k{i} + p.l{i}"),
            Abs => format!("abs({a})"),
            Exp => format!("exp_({a})"),
            Log => format!("ln({a})"),
            Sqrt => format!("sqrt({a})"),
            Square => format!("{a} * {a}"),
            Recip => format!("1.0 / {a}"),
            Sigmoid => format!("sigmoid({a})"),
            Tanh => format!("tanh_({a})"),
            Softplus => format!("softplus({a})"),
            Sign => format!("sign_({a})"),
            Step => format!("truth({a} > 0.0)"),
            LeakyRelu(_) => format!("select({a} * p.k{i}, {a}, {a} > 0.0)"),
            LeakySlope(_) => format!("select(p.k{i}, 1.0, {a} > 0.0)"),
            Pow(_) => format!("power({a}, p.k{i})"),
            Clamp(..) => format!("clamp_({a}, p.k{i}, p.l{i})"),
            Inside(..) => format!("truth({a} >= p.k{i} && {a} <= p.l{i})"),
            Expm1 => format!("exp_m1({a})"),
            Log1p => format!("ln_1p({a})"),
            Rsqrt => format!("1.0 / sqrt({a})"),
            Add => format!("{a} + {b}"),
            Sub => format!("{a} - {b}"),
            Mul => format!("{a} * {b}"),
            Div => format!("{a} / {b}"),
            Max => format!("larger({a}, {b})"),
            Min => format!("smaller({a}, {b})"),
            Greater => format!("truth({a} > {b})"),
            CutBelow => format!("cut_below({a}, {b})"),
            Equal => format!("truth({a} == {b})"),
            SquaredDeviation => format!("({a} - {b}) * ({a} - {b})"),
            Select => format!("select({c}, {b}, {a} != 0.0)"),
        }
    }

    fn name(self) -> &'static str {
        use Function::*;
        match self {
            Identity => "expand",
            Constant(_) => "constant",
            Affine(..) => "affine",
            Abs => "abs",
            Exp => "exp",
            Log => "log",
            Sqrt => "sqrt",
            Square => "square",
            Recip => "recip",
            Sigmoid => "sigmoid",
            Tanh => "tanh",
            Softplus => "softplus",
            Sign => "sign",
            Step => "step",
            LeakyRelu(_) => "leaky_relu",
            LeakySlope(_) => "leaky_slope",
            Pow(_) => "pow",
            Clamp(..) => "clamp",
            Inside(..) => "inside",
            Expm1 => "expm1",
            Log1p => "log1p",
            Rsqrt => "rsqrt",
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div",
            Max => "maximum",
            Min => "minimum",
            Greater => "greater",
            CutBelow => "cut_below",
            Equal => "equal",
            SquaredDeviation => "squared_deviation",
            Select => "select",
        }
    }

    /// dy/da, dy/db, dy/dc times `dy`, of the shape of the result.
    fn pullback<'t>(self, x: &[Var<'t>], y: Var<'t>, dy: Var<'t>, i: usize) -> Option<Var<'t>> {
        use Function::*;
        let a = || x[0];
        Some(match (self, i) {
            (Constant(_) | Sign | Step | LeakySlope(_) | Inside(..) | Greater | Equal, _)
            | (Select, 0)
            | (CutBelow | SquaredDeviation, 1) => return None,
            (Identity | Add, _) | (Sub, 0) => dy,
            (Affine(k, _), _) => dy * k,
            (Abs, _) => dy * a().sign(),
            (Exp, _) => dy * y,
            (Log, _) => dy / a(),
            (Sqrt, _) => dy / y * 0.5,
            (Square, _) => dy * a() * 2.0,
            (Recip, _) => -(dy * y * y),
            (Sigmoid, _) => dy * y * (1.0 - y),
            (Tanh, _) => dy * (1.0 - y * y),
            (Softplus, _) => dy * a().sigmoid(),
            // From the result where its sign tells, so that the input need not be kept.
            (LeakyRelu(k), _) if k >= 0.0 => dy * y.unary(LeakySlope(k)),
            (LeakyRelu(k), _) => dy * a().unary(LeakySlope(k)),
            (Pow(k), _) => dy * a().pow(k - 1.0) * k,
            (Clamp(k, l), _) => dy * a().unary(Inside(k, l)),
            (Expm1, _) => dy * (y + 1.0),
            (Log1p, _) => dy / (a() + 1.0),
            (Rsqrt, _) => dy * y * y * y * -0.5,
            (Sub, _) => -dy,
            (Mul, 0) => dy * x[1],
            (Mul, _) => dy * a(),
            (Div, 0) => dy / x[1],
            (Div, _) => -(dy * y / x[1]),
            // A tie gives the gradient to neither side twice: half to each, as PyTorch does.
            (Max, 0) => dy * (a().greater(x[1]) + a().equal(x[1]) * 0.5),
            (Max, _) => dy * (x[1].greater(a()) + a().equal(x[1]) * 0.5),
            (Min, 0) => dy * (x[1].greater(a()) + a().equal(x[1]) * 0.5),
            (Min, _) => dy * (a().greater(x[1]) + a().equal(x[1]) * 0.5),
            (CutBelow, _) => dy * (1.0 - x[1].greater(a())),
            (SquaredDeviation, _) => dy * (a() - x[1]) * 2.0,
            (Select, 1) => a().select(dy, dy.tape().full(0.0, &dy.shape())),
            (Select, _) => a().select(dy.tape().full(0.0, &dy.shape()), dy),
        })
    }
}

/// `y = f(a, b, c)` with NumPy broadcasting; `Identity` stretches to an explicit shape.
#[derive(Debug)]
pub(super) struct Elementwise {
    pub(super) function: Function,
    /// For [`Var::expand`].
    pub(super) target: Option<Shape>,
}

impl Op for Elementwise {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let mut out = self.target.clone().unwrap_or_default();
        for s in x {
            out = shape::broadcast(&out, s).ok_or_else(|| {
                Error::shape(
                    self.name(),
                    format!("shapes do not broadcast: {x:?} {:?}", self.target),
                )
            })?;
        }
        if self.target.as_ref().is_some_and(|t| *t != out) {
            return Err(Error::shape(
                self.name(),
                format!("{:?} does not stretch to {:?}", x[0], self.target),
            ));
        }
        Ok(out)
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        (0..at.inputs.len())
            .map(|i| {
                at.wants[i].then_some(())?;
                let full = self.function.pullback(&at.inputs, at.output, at.dy, i)?;
                // The function of a stretched operand may itself be of a smaller shape (`dy * x` never is).
                Some(
                    full.expand(&at.output.shape())
                        .sum_to(&at.inputs[i].shape()),
                )
            })
            .collect()
    }

    fn elementwise(&self) -> Option<Function> {
        Some(self.function)
    }

    fn reads(&self, i: usize) -> Reads {
        match (self.function, i) {
            (Function::Identity | Function::CutBelow, 0) => Reads::Moved,
            _ => Reads::Half,
        }
    }

    fn makes_half(&self) -> bool {
        true
    }

    fn lower(&self, _: &mut Lowering<'_>, _: &[Slot], _: Slot) -> Result<()> {
        unreachable!("elementwise ops become maps when the tape is compiled")
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let operands: Vec<String> = (0..site.len()).map(|i| site.aligned(i)).collect();
        let mut y = super::onnx::elementwise(site, self.function, &operands);
        if self.target.is_some() {
            y = site.stretched(&y)?;
        }
        Ok(site.made_leading(y))
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        Cost::new(shape::len(y) as f64, x, y)
    }
}
