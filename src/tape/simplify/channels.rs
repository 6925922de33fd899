//! `(w * x + b) k + l` with `k` and `l` by channel is a convolution with weights `k w` and bias `k b + l`.

use std::sync::Arc;

use super::{Rules, as_kind, function, made_by, shown};
use crate::ops::conv::{Conv, Makes};
use crate::ops::elementwise::Function;
use crate::tape::{Op, Var};

pub(super) fn rule<'t>(rules: &mut Rules, op: &Arc<dyn Op>, inputs: &[Var<'t>]) -> Option<Var<'t>> {
    match (op.elementwise()?, inputs) {
        (Function::Mul, &[a, b]) => factor(rules, a, b).or_else(|| factor(rules, b, a)),
        (Function::Add, &[a, b]) => shift(rules, a, b).or_else(|| shift(rules, b, a)),
        (Function::Sub, &[a, b]) if rules.is_fixed(b) => shift(rules, a, -b),
        (Function::Affine(k, l), &[a]) => {
            let number = |v| a.tape().full(v, &vec![1; a.rank()]);
            let scaled = match k == 1.0 {
                true => a,
                false => factor(rules, a, number(k))?,
            };
            match l == 0.0 {
                true => Some(scaled),
                false => shift(rules, scaled, number(l)),
            }
        }
        _ => None,
    }
}

/// `k` as one number a channel of `a`, if it is fixed and no more than that.
fn by_channel<'t>(rules: &mut Rules, a: Var<'t>, k: Var<'t>) -> Option<Var<'t>> {
    let (shape, mine) = (a.shape(), k.shape());
    let channels = *shape.first()?;
    let along = mine.len() == shape.len() && mine[0] == channels && k.len() == channels;
    if !rules.is_fixed(k) || !(along || k.len() == 1) {
        return None;
    }
    match k.len() == channels {
        true => Some(k.reshape(&[channels])),
        false => Some(k.reshape(&[1]).expand(&[channels])),
    }
}

/// A convolution with fixed weights that `a` shows, channels first in both.
fn convolution<'t>(rules: &mut Rules, a: Var<'t>) -> Option<(Conv, Vec<Var<'t>>)> {
    let mut v = a;
    loop {
        if !rules.is_read_once(v) || v.shape().first() != a.shape().first() {
            return None;
        }
        match shown(v) {
            Some(behind) => v = behind,
            None => break,
        }
    }
    let (op, inputs) = made_by::<Conv>(v)?;
    let conv = as_kind::<Conv>(&op)?.clone();
    let fixed = inputs[1..].iter().all(|&i| rules.is_fixed(i));
    (fixed && conv.makes != Makes::Weight).then_some((conv, inputs))
}

fn factor<'t>(rules: &mut Rules, a: Var<'t>, k: Var<'t>) -> Option<Var<'t>> {
    if !rules.is_fixed(k) {
        return None;
    }
    // Behind a bias of every position, which takes the factor too.
    if let Some((Function::Add, operands)) = function(a)
        && let &[inner, fixed] = &operands[..]
        && rules.is_read_once(a)
        && rules.is_fixed(fixed)
        && let Some(scaled) = factor(rules, inner, k)
    {
        return Some(shift(rules, scaled, fixed * k).unwrap_or(scaled + fixed * k));
    }
    let channel = by_channel(rules, a, k)?;
    let (conv, mut inputs) = convolution(rules, a)?;
    let rank = inputs[1].rank();
    let outputs = usize::from(conv.makes == Makes::Large);
    if outputs == 1 && conv.groups > 1 {
        return None; // their weights lie along the other axis
    }
    let mut shape = vec![1; rank];
    shape[outputs] = channel.len();
    inputs[1] = inputs[1] * channel.reshape(&shape);
    if let Some(bias) = inputs.get_mut(2) {
        *bias = *bias * channel;
    }
    Some(a.tape().record(conv, &inputs).reshape(&a.shape()))
}

fn shift<'t>(rules: &mut Rules, a: Var<'t>, l: Var<'t>) -> Option<Var<'t>> {
    if !rules.is_fixed(l) {
        return None;
    }
    // Two shifts are one.
    if let Some((Function::Add, operands)) = function(a)
        && let &[inner, fixed] = &operands[..]
        && rules.is_read_once(a)
        && rules.is_fixed(fixed)
        && !rules.is_fixed(inner)
    {
        let both = fixed + l;
        return Some(shift(rules, inner, both).unwrap_or(inner + both));
    }
    let channel = by_channel(rules, a, l)?;
    let (conv, mut inputs) = convolution(rules, a)?;
    match inputs.get_mut(2) {
        Some(bias) => *bias = *bias + channel,
        None => inputs.push(channel),
    }
    Some(a.tape().record(conv, &inputs).reshape(&a.shape()))
}
