//! Chains of like layers that are joined at their end become one chain: layer by layer their channels are computed side by side.
//!
//! The towers of the HGCAL generator are seven such chains of small layers. One dispatch instead of seven fills a device that a
//! single layer of a small batch cannot fill, and is one launch.

use std::sync::Arc;

use super::{Rules, as_kind};
use crate::gpu::Tier;
use crate::ops::conv::{Conv, Makes};
use crate::ops::conv_tiled::FEW_OUTPUTS;
use crate::ops::elementwise::Function;
use crate::ops::movement::Concat;
use crate::tape::{Op, Var};

/// Elements of the largest tensor that is made for all chains at once, on a processor and on a GPU. Beyond it the first layers
/// of a chain fill a device by themselves too, and one chain after the other stays in a processor's caches. The tier of
/// cooperative matrices has no limit: whether a layer fills them depends on its outputs, and a shower must not depend on the
/// batch.
const MOST_ON_CPU: usize = 1 << 22;
const MOST_ON_GPU: usize = 1 << 25;

pub(super) fn rule<'t>(rules: &mut Rules, op: &Arc<dyn Op>, inputs: &[Var<'t>]) -> Option<Var<'t>> {
    let joins = as_kind::<Concat>(op)?.0 == 0 && inputs.len() > 1;
    joins.then(|| joined(rules, inputs))?
}

fn all_same(parts: &[Var<'_>]) -> bool {
    parts.iter().all(|p| p.id == parts[0].id)
}

/// The parts one after the other along the first axis, computed together; `None` if they differ in more than their operands.
fn joined<'t>(rules: &mut Rules, parts: &[Var<'t>]) -> Option<Var<'t>> {
    let shape = parts[0].shape();
    let whole = [&[shape.first()? * parts.len()], &shape[1..]].concat();
    let most = if rules.on_cpu {
        MOST_ON_CPU
    } else {
        MOST_ON_GPU
    };
    let many = rules.tier != Tier::Matrix && whole.iter().product::<usize>() > most;
    if many || parts.iter().any(|p| p.shape() != shape) {
        return None;
    }
    if parts.iter().all(|&p| rules.is_fixed(p)) {
        return Some(Var::concat(parts, 0));
    }
    if parts.iter().any(|&p| !rules.is_read_once(p)) {
        return None;
    }
    let (op, operands) = alike(parts)?;
    if op.is_view() {
        return Some(joined(rules, &operands[0])?.reshape(&whole));
    }
    if let Some(conv) = as_kind::<Conv>(&op) {
        return layer(rules, conv, &operands);
    }
    match op.elementwise()? {
        Function::Identity => {
            let stretched = operands[0][0].extent(0) != shape[0];
            (!stretched).then(|| Some(joined(rules, &operands[0])?.expand(&whole)))?
        }
        _ => {
            let operands: Option<Vec<Var<'t>>> = (operands.iter())
                .map(|each| operand(rules, each, &shape))
                .collect();
            Some(parts[0].tape().record_shared(op, &operands?))
        }
    }
}

/// For each operand of an op those of all parts.
type Operands<'t> = Vec<Vec<Var<'t>>>;

/// The op that made all parts, if it is the same, and its operands.
fn alike<'t>(parts: &[Var<'t>]) -> Option<(Arc<dyn Op>, Operands<'t>)> {
    let tape = parts[0].tape();
    let nodes = tape.nodes();
    let first = &nodes[parts[0].id];
    let text = format!("{:?}", first.op);
    let same = |p: &Var<'t>| {
        let node = &nodes[p.id];
        node.inputs.len() == first.inputs.len() && format!("{:?}", node.op) == text
    };
    if first.op.leaf().is_some() || !parts.iter().all(same) {
        return None;
    }
    let of = |i: usize| {
        let each = parts.iter().map(|p| tape.var(nodes[p.id].inputs[i]));
        each.collect()
    };
    let operands = (0..first.inputs.len()).map(of).collect();
    Some((first.op.clone(), operands))
}

/// An operand of an elementwise op whose results have the given shape.
fn operand<'t>(rules: &mut Rules, each: &[Var<'t>], shape: &[usize]) -> Option<Var<'t>> {
    let mine = each[0].shape();
    let along = mine.len() == shape.len() && mine[0] == shape[0];
    match along {
        // The same for all channels of all parts.
        false if all_same(each) => Some(each[0]),
        true if all_same(each) && shape[0] == 1 => Some(each[0]),
        true => joined(rules, each),
        false => None,
    }
}

fn layer<'t>(rules: &mut Rules, conv: &Conv, operands: &[Vec<Var<'t>>]) -> Option<Var<'t>> {
    let fixed = |each: &Vec<Var<'t>>| each.iter().all(|&v| rules.is_fixed(v));
    if conv.makes == Makes::Weight || conv.groups != 1 || !operands[1..].iter().all(fixed) {
        return None;
    }
    let (x, weights) = (&operands[0], &operands[1]);
    let outputs = match conv.makes {
        Makes::Large => weights[0].extent(1),
        _ => weights[0].extent(0),
    };
    // All give the same bits, so that joining may depend on the batch.
    if all_same(x) && outputs <= FEW_OUTPUTS && conv.kernel != [1; 3] {
        return None;
    }
    let (x, axis, groups) = match all_same(x) {
        // Of one input: a layer of more outputs.
        true => (x[0], usize::from(conv.makes == Makes::Large), 1),
        false => (joined(rules, x)?, 0, x.len()),
    };
    let mut inputs = vec![x, Var::concat(weights, axis)];
    inputs.extend(operands.get(2).map(|biases| Var::concat(biases, 0)));
    let side_by_side = Conv {
        groups,
        ..conv.clone()
    };
    Some(x.tape().record(side_by_side, &inputs))
}
