//! A mean and the mean of squared deviations from it, over the same long axes, come from one pass over the memory.

use std::collections::{HashMap, HashSet};

use super::{anew, as_kind};
use crate::ops::elementwise::Function;
use crate::ops::reduce::{Join, Reduce, is_cut};
use crate::tape::tape::{Id, Node, Tape};

/// The axes if the node is a mean over so many terms that they are cut into parts: with fewer, a mean and a variance of their own
/// take two dispatches, and one pass three.
fn long_mean(nodes: &[Node], id: Id) -> Option<&[usize]> {
    let reduce = as_kind::<Reduce>(&nodes[id].op)?;
    let domain = &nodes[nodes[id].inputs[0]].shape;
    let terms: usize = reduce.axes.iter().map(|&a| domain[a]).product();
    let mean = reduce.join == Join::Sum && reduce.scale == 1.0 / terms as f32;
    (mean && is_cut(terms)).then_some(&reduce.axes)
}

/// The mean that a variance is about.
fn about(nodes: &[Node], variance: Id) -> Option<Id> {
    let axes = long_mean(nodes, variance)?;
    let square = &nodes[nodes[variance].inputs[0]];
    if square.op.elementwise() != Some(Function::Square) {
        return None;
    }
    let difference = &nodes[square.inputs[0]];
    let (&[x, mean], Some(Function::Sub)) = (&difference.inputs[..], difference.op.elementwise())
    else {
        return None;
    };
    let same = long_mean(nodes, mean)? == axes && nodes[mean].inputs == [x];
    same.then_some(mean)
}

/// The tape with such pairs rewritten.
pub(super) fn paired(tape: &Tape, roots: &[Id]) -> (Tape, Vec<Id>) {
    let nodes = tape.nodes();
    let mean_of: HashMap<Id, Id> = (0..nodes.len())
        .filter_map(|id| Some((id, about(&nodes, id)?)))
        .collect();
    let means: HashSet<Id> = mean_of.values().copied().collect();
    // Where the variance about each mean stands on the new tape.
    let mut recorded: HashMap<Id, Id> = HashMap::new();
    anew(tape, roots, |new, id, inputs| {
        if means.contains(&id)
            && let Some(axes) = long_mean(&nodes, id)
        {
            let (mean, variance) = inputs[0].moments_keep(axes);
            recorded.insert(id, variance.id);
            return mean;
        }
        match mean_of.get(&id).and_then(|mean| recorded.get(mean)) {
            Some(&variance) => new.var(variance),
            None => new.record_shared(nodes[id].op.clone(), inputs),
        }
    })
}
