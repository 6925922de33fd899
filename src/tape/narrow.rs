//! Which results are kept as f16 in memory: activations of layers, where every kernel that reads them can read them so.
//!
//! Decided so that an event is rounded in the same places whatever the batch, though what other passes make of a tape depends
//! on sizes: from the ops as they were recorded, not as they were folded (`fuse`), and alike for layers one by one and side by
//! side (`simplify/siblings`). Kept as f32: leaves and what follows from constants alone; outputs and what is only moved to one;
//! sums over many terms and what is computed of them and of inputs alone; results of a single cell: dense layers, whose codes and
//! energies decide on a whole shower and are little traffic.

use super::fuse::Unit;
use super::op::{Op, Reads, as_kind};
use super::tape::{Id, Node, fixed};
use crate::ops::conv::Conv;
use crate::ops::mix::Mix;

/// For each node, whether its result is kept as f16. `live` are the recorded nodes that `roots` need.
pub(super) fn narrowed(nodes: &[Node], units: &[Unit], live: &[bool], roots: &[Id]) -> Vec<bool> {
    let full = needed_in_full(nodes, units, live, roots);
    let settled = settled(nodes, live);
    let activation = activations(nodes);
    (nodes.iter().enumerate())
        .map(|(id, node)| {
            let kept = live[id] && activation[id] && node.op.makes_half();
            kept && !full[id] && settled[id] && has_cells(node)
        })
        .collect()
}

/// `[C, .., N]` with more than one cell between channels and showers.
fn has_cells(node: &Node) -> bool {
    let inner = node.shape.len().saturating_sub(1);
    (node.shape.get(1..inner)).is_some_and(|cells| cells.iter().product::<usize>() > 1)
}

/// What must be f32: outputs, what some reader can only read so, and what is moved to such a place unchanged.
fn needed_in_full(nodes: &[Node], units: &[Unit], live: &[bool], roots: &[Id]) -> Vec<bool> {
    let mut full = vec![false; nodes.len()];
    roots.iter().for_each(|&root| full[root] = true);
    for (id, node) in nodes.iter().enumerate().rev().filter(|(id, _)| live[*id]) {
        // An activation function that moved into the layer before it left a view.
        let view = units[id].as_ref().is_some_and(|(op, _)| op.is_view());
        for (i, &input) in node.inputs.iter().enumerate() {
            full[input] |= match node.op.reads(i) {
                _ if view => full[id],
                Reads::Full => true,
                Reads::Half => false,
                Reads::Moved => full[id],
            };
        }
    }
    full
}

/// What is in memory in every batch, if anything reads it: all but elementwise ops that could be computed by their readers. What
/// moves elements counts as its readers do, as it is not there where layers are computed side by side.
fn settled(nodes: &[Node], live: &[bool]) -> Vec<bool> {
    let moves = |op: &dyn Op| op.elementwise().is_none() && !op.is_view() && is_mover(op);
    let mut may_fold = vec![false; nodes.len()];
    for (id, node) in nodes.iter().enumerate().rev().filter(|(id, _)| live[*id]) {
        let op = node.op.as_ref();
        // Of the layers that expressions are folded into what is the same side by side.
        let narrow = as_kind::<Conv>(&node.op).is_some_and(|layer| {
            let inputs = nodes[node.inputs[0]].shape[0] / layer.groups;
            layer.is_pointwise() && inputs <= Mix::MAX_CHANNELS
        });
        let takes = op.elementwise().is_some() || op.takes_expressions() || narrow;
        if takes || moves(op) && may_fold[id] {
            node.inputs.iter().for_each(|&input| may_fold[input] = true);
        }
    }
    (nodes.iter().zip(may_fold))
        .map(|(node, folds)| {
            let op = node.op.as_ref();
            !(folds && (op.elementwise().is_some() || moves(op)))
        })
        .collect()
}

/// Whether the result holds elements of the operands and no others.
fn is_mover(op: &dyn Op) -> bool {
    op.reads(0) == Reads::Moved
}

/// Results of layers on something that changes from run to run, and what is made of them element by element or moved.
fn activations(nodes: &[Node]) -> Vec<bool> {
    let fixed = fixed(nodes);
    let mut activation = Vec::<bool>::new();
    for (node, &fixed) in nodes.iter().zip(&fixed) {
        let passes =
            node.op.elementwise().is_some() || node.op.is_view() || is_mover(node.op.as_ref());
        let is = match passes {
            true => node.inputs.iter().any(|&i| activation[i]),
            false => !fixed && node.op.makes_half(),
        };
        activation.push(is);
    }
    activation
}
