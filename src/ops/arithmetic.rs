//! The arithmetic of [`Var`]: elementwise functions as methods and operators.

use super::elementwise::{Elementwise, Function};
use crate::tape::{Var, shape};

impl<'t> Var<'t> {
    /// An elementwise function of one operand.
    #[track_caller]
    pub fn unary(self, function: Function) -> Self {
        self.tape.record(
            Elementwise {
                function,
                target: None,
            },
            &[self],
        )
    }

    /// An elementwise function of two operands.
    #[track_caller]
    pub fn binary(self, function: Function, b: Self) -> Self {
        self.tape.record(
            Elementwise {
                function,
                target: None,
            },
            &[self, b],
        )
    }

    /// Stretches axes of extent 1 (and missing leading ones) to `shape`.
    #[track_caller]
    pub fn expand(self, shape: &[usize]) -> Self {
        if self.shape() == shape {
            return self;
        }
        self.tape.record(
            Elementwise {
                function: Function::Identity,
                target: Some(shape.to_vec()),
            },
            &[self],
        )
    }

    /// Sums over the axes along which `shape` is stretched to this one's: the adjoint of [`Var::expand`].
    #[track_caller]
    pub fn sum_to(self, shape: &[usize]) -> Self {
        let mine = self.shape();
        if mine == shape {
            return self;
        }
        let lead = mine.len().saturating_sub(shape.len());
        let axes: Vec<usize> = (0..mine.len())
            .filter(|&i| i < lead || (shape[i - lead] == 1 && mine[i] != 1))
            .collect();
        self.sum(&axes).reshape(shape)
    }

    /// `self k + l`
    #[track_caller]
    pub fn affine(self, k: f32, l: f32) -> Self {
        match (k, l) {
            (1.0, 0.0) => self,
            (0.0, l) => self.tape.full(l, &self.shape()),
            _ => self.unary(Function::Affine(k, l)),
        }
    }

    /// `self` where it is above 0, else 0.
    #[track_caller]
    pub fn relu(self) -> Self {
        self.unary(Function::LeakyRelu(0.0))
    }

    /// `self` where it is above 0, else `slope self`.
    #[track_caller]
    pub fn leaky_relu(self, slope: f32) -> Self {
        self.unary(Function::LeakyRelu(slope))
    }

    /// `self^exponent`; NaN for a negative base and a fractional exponent.
    #[track_caller]
    pub fn pow(self, exponent: f32) -> Self {
        self.unary(Function::Pow(exponent))
    }

    /// Limited to `[low, high]`; the gradient outside is 0.
    #[track_caller]
    pub fn clamp(self, low: f32, high: f32) -> Self {
        self.unary(Function::Clamp(low, high))
    }

    /// 1 where above `b`, else 0. No gradient.
    #[track_caller]
    pub fn greater(self, b: Self) -> Self {
        self.binary(Function::Greater, b)
    }

    /// 0 where below `b`; what is not finite stays. No gradient to `b`.
    #[track_caller]
    pub fn cut_below(self, b: Self) -> Self {
        self.binary(Function::CutBelow, b)
    }

    /// 1 where equal to `b`, else 0. No gradient.
    #[track_caller]
    pub fn equal(self, b: Self) -> Self {
        self.binary(Function::Equal, b)
    }

    /// The larger of both; a tie gives half the gradient to each.
    #[track_caller]
    pub fn maximum(self, b: Self) -> Self {
        self.binary(Function::Max, b)
    }

    /// The smaller of both; a tie gives half the gradient to each.
    #[track_caller]
    pub fn minimum(self, b: Self) -> Self {
        self.binary(Function::Min, b)
    }

    /// `b` where this is not 0, else `c`.
    #[track_caller]
    pub fn select(self, b: Self, c: Self) -> Self {
        self.tape.record(
            Elementwise {
                function: Function::Select,
                target: None,
            },
            &[self, b, c],
        )
    }
}

macro_rules! unary {
    ($($(#[$meta:meta])* $name:ident $function:ident),* $(,)?) => {
        impl<'t> Var<'t> {
            $($(#[$meta])* #[track_caller] pub fn $name(self) -> Self { self.unary(Function::$function) })*
        }
    };
}

unary! {
    /// |self|; the gradient at 0 is 0.
    abs Abs,
    /// e^self
    exp Exp,
    /// Natural logarithm.
    log Log,
    /// Square root.
    sqrt Sqrt,
    /// self²
    square Square,
    /// 1 / self
    recip Recip,
    /// 1 / (1 + e^-self), without overflow.
    sigmoid Sigmoid,
    /// Hyperbolic tangent.
    tanh Tanh,
    /// ln(1 + e^self), without overflow.
    softplus Softplus,
    /// -1, 0 or 1. No gradient.
    sign Sign,
    /// 1 where above 0, else 0. No gradient.
    step Step,
    /// e^self - 1, exact near 0.
    expm1 Expm1,
    /// ln(1 + self), exact near 0.
    log1p Log1p,
    /// 1 / sqrt(self)
    rsqrt Rsqrt,
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $function:ident: |$x:ident, $k:ident| $right:expr, $left:expr;)*) => { $(
        impl<'t> std::ops::$trait for Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, b: Var<'t>) -> Var<'t> {
                // A known number is folded into the function, unless it stretches the other side.
                let whole = |v: Var<'t>, other: Var<'t>| {
                    shape::broadcast(&v.shape(), &other.shape()).is_some_and(|s| s == v.shape())
                };
                if let Some(k) = b.known().filter(|_| whole(self, b)) {
                    return std::ops::$trait::$method(self, k);
                }
                if let Some(k) = self.known().filter(|_| whole(b, self)) {
                    return std::ops::$trait::$method(k, b);
                }
                self.binary(Function::$function, b)
            }
        }
        impl<'t> std::ops::$trait<f32> for Var<'t> {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, $k: f32) -> Var<'t> { let $x = self; $right }
        }
        impl<'t> std::ops::$trait<Var<'t>> for f32 {
            type Output = Var<'t>;
            #[track_caller]
            fn $method(self, $x: Var<'t>) -> Var<'t> { let $k = self; $left }
        }
    )* };
}

arithmetic! {
    Add add Add: |x, k| x.affine(1.0, k), x.affine(1.0, k);
    Sub sub Sub: |x, k| x.affine(1.0, -k), x.affine(-1.0, k);
    Mul mul Mul: |x, k| x.affine(k, 0.0), x.affine(k, 0.0);
    Div div Div: |x, k| x.affine(1.0 / k, 0.0), x.recip().affine(k, 0.0);
}

impl<'t> std::ops::Neg for Var<'t> {
    type Output = Self;
    #[track_caller]
    fn neg(self) -> Self {
        self.affine(-1.0, 0.0)
    }
}
