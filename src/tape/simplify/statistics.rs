//! Statistics of `x k + l` from those of `x`, where `k` and `l` are the same for all that is summed.
//!
//! - a convolution of one channel with kernel 1 is the product `x w + b`, which whatever reads it can compute itself;
//! - `sum(x k) = k sum(x)`, `sum(x + l) = sum(x) + n l`, `sum((x k)²) = k² sum(x²)`;
//! - `(x + l) - (y + l) = x - y`, `x k - y k = (x - y) k`.
//!
//! Together: the norm over voxels of such a product needs mean and variance of `x` alone, and what is added to all voxels
//! alike before a norm, such as features of the whole shower, is never computed.

use std::sync::Arc;

use super::{Rules, as_kind, function};
use crate::ops::conv::{Conv, Makes};
use crate::ops::elementwise::Function;
use crate::ops::reduce::{Join, Reduce};
use crate::tape::{Op, Var, shape};

pub(super) fn rule<'t>(rules: &mut Rules, op: &Arc<dyn Op>, inputs: &[Var<'t>]) -> Option<Var<'t>> {
    if let Some(conv) = as_kind::<Conv>(op) {
        return product(rules, conv, inputs);
    }
    if let Some(reduce) = as_kind::<Reduce>(op) {
        return sum(reduce, inputs[0]);
    }
    match (op.elementwise()?, inputs) {
        (Function::Sub, &[a, b]) => difference(a, b),
        (Function::SquaredDeviation, &[a, b]) => {
            Some(difference(a, b).unwrap_or_else(|| a - b).square())
        }
        _ => None,
    }
}

fn product<'t>(rules: &mut Rules, conv: &Conv, inputs: &[Var<'t>]) -> Option<Var<'t>> {
    let (x, w) = (inputs[0], inputs[1]);
    if !conv.is_pointwise() || conv.makes != Makes::Small || x.extent(0) != 1 || !rules.is_fixed(w)
    {
        return None;
    }
    let outputs = w.extent(0);
    let column = |v: Var<'t>| v.reshape(&[outputs, 1, 1, 1, 1]);
    let y = x * column(w);
    Some(inputs.get(2).map_or(y, |&bias| y + column(bias)))
}

/// `v` with as many axes as a tensor of `rank`, leading ones of extent 1.
fn ranked(v: Var<'_>, rank: usize) -> Var<'_> {
    let shape = v.shape();
    let lead = vec![1; rank.saturating_sub(shape.len())];
    v.reshape(&[lead, shape].concat())
}

/// Of two operands, the one that changes along `axes` of a result of `full` and the one that does not.
fn parted<'t>(operands: &[Var<'t>], full: &[usize], axes: &[usize]) -> Option<(Var<'t>, Var<'t>)> {
    let &[a, b] = operands else { return None };
    let (a, b) = (ranked(a, full.len()), ranked(b, full.len()));
    let fixed = |v: Var<'t>| axes.iter().all(|&d| v.extent(d) == 1);
    let whole = |v: Var<'t>| axes.iter().all(|&d| v.extent(d) == full[d]);
    match (fixed(a), fixed(b)) {
        (false, true) if whole(a) => Some((a, b)),
        (true, false) if whole(b) => Some((b, a)),
        _ => None,
    }
}

fn sum<'t>(reduce: &Reduce, x: Var<'t>) -> Option<Var<'t>> {
    if reduce.join != Join::Sum {
        return None;
    }
    let (full, axes) = (x.shape(), &reduce.axes);
    let again = |v: Var<'t>| {
        let deeper = sum(reduce, v);
        deeper.unwrap_or_else(|| v.tape().record(reduce.clone(), &[v]))
    };
    let (f, operands) = function(x)?;
    match f {
        Function::Mul => {
            let (varies, fixed) = parted(&operands, &full, axes)?;
            Some(again(varies) * fixed)
        }
        Function::Add => {
            let (varies, fixed) = parted(&operands, &full, axes)?;
            let terms: usize = axes.iter().map(|&d| full[d]).product();
            Some(again(varies) + fixed * rounded(terms, reduce.scale))
        }
        Function::Square => match function(operands[0])? {
            (Function::Mul, inner) => {
                let (varies, fixed) = parted(&inner, &full, axes)?;
                Some(again(varies.square()) * fixed.square())
            }
            _ => None,
        },
        _ => None,
    }
}

/// `terms * scale`; exactly 1 for a mean.
fn rounded(terms: usize, scale: f32) -> f32 {
    match scale == 1.0 / terms as f32 {
        true => 1.0,
        false => (terms as f64 * f64::from(scale)) as f32,
    }
}

fn difference<'t>(a: Var<'t>, b: Var<'t>) -> Option<Var<'t>> {
    let ((f, p), (g, q)) = (function(a)?, function(b)?);
    if f != g || !matches!(f, Function::Add | Function::Mul) {
        return None;
    }
    let full = shape::broadcast(&a.shape(), &b.shape())?;
    // The same operand on both sides, up to leading axes of extent 1.
    let same = |x: Var<'t>, y: Var<'t>| {
        let rank = x.rank().max(y.rank());
        ranked(x, rank).id == ranked(y, rank).id
    };
    for (x, k) in [(p[0], p[1]), (p[1], p[0])] {
        for (y, l) in [(q[0], q[1]), (q[1], q[0])] {
            if !same(k, l) {
                continue;
            }
            let left = difference(x, y).unwrap_or_else(|| x - y);
            let all = match f {
                Function::Add => left,
                _ => left * k,
            };
            return Some(all.expand(&full));
        }
    }
    None
}
