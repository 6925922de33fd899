//! Which results are kept as f16 in memory: activations of layers, where every kernel that reads them can read them so.
//!
//! Decided from the ops as they were recorded and from extents without the batch, so that an event is rounded in the same
//! places whatever the batch: what folding makes of elementwise ops depends on sizes. f32 stay leaves and what follows from
//! constants alone, outputs and what is but moved to one, sums over many terms and what is computed of them and of inputs
//! alone, and the few values a shower that are codes, energies or statistics: they cost no traffic.

use super::fuse::{Unit, may_fold};
use super::op::{Leaf, Reads};
use super::shape;
use super::tape::{Id, Node};

/// Values a shower up to which a result stays f32.
const FEW: usize = 64;

/// For each node, whether its result is kept as f16. `live` are the recorded nodes that `roots` need.
pub(super) fn narrowed(nodes: &[Node], units: &[Unit], live: &[bool], roots: &[Id]) -> Vec<bool> {
    let full = needed_in_full(nodes, units, live, roots);
    let settled = settled(nodes, live);
    let activation = activations(nodes);
    let many = |node: &Node| {
        let showers = node.shape.last().copied().unwrap_or(1);
        shape::len(&node.shape) > FEW * showers
    };
    (nodes.iter().enumerate())
        .map(|(id, node)| {
            let kept = live[id] && activation[id] && node.op.makes_half();
            kept && !full[id] && settled[id] && many(node)
        })
        .collect()
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

/// What is in memory in every batch, if anything reads it: all but elementwise ops that could be computed by their readers.
fn settled(nodes: &[Node], live: &[bool]) -> Vec<bool> {
    let mut settled = vec![true; nodes.len()];
    for (id, node) in nodes.iter().enumerate().filter(|(id, _)| live[*id]) {
        for &input in &node.inputs {
            settled[input] &= nodes[input].op.elementwise().is_none() || !may_fold(nodes, id);
        }
    }
    settled
}

/// Results of layers on something that changes from run to run, and what is made of them element by element or moved.
fn activations(nodes: &[Node]) -> Vec<bool> {
    let (mut changing, mut activation) = (Vec::new(), Vec::new());
    for node in nodes {
        let any = |of: &[bool]| node.inputs.iter().any(|&i| of[i]);
        let changes = match node.op.leaf() {
            Some(leaf) => matches!(leaf, Leaf::Input(_)),
            None => any(&changing),
        };
        let passes = node.op.elementwise().is_some()
            || node.op.is_view()
            || (!node.inputs.is_empty() && node.op.reads(0) == Reads::Moved);
        let is = match passes {
            true => any(&activation),
            false => changes && node.op.makes_half(),
        };
        changing.push(changes);
        activation.push(is);
    }
    activation
}
