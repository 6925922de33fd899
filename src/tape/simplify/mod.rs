//! Rewrites of a program whose states never change: less arithmetic and less traffic for the same values, up to rounding.
//!
//! The tape is recorded anew, op by op, and each op may become something cheaper made of what is recorded already. Every
//! rule is an identity of real arithmetic; what it makes of states alone is computed once. Training is compiled without.
//!
//! | file | rule |
//! |---|---|
//! | `cells` | what is added to each cell behind a convolution is its bias |
//! | `channels` | factors and shifts of channels behind a convolution move into its weights and bias: batch norm |
//! | `siblings` | chains of like layers that are joined at their end are computed side by side: the towers of a generator |
//! | `statistics` | sums of `x k + l` where `k` and `l` do not change along what is summed; a convolution of one channel with kernel 1 is a product: norms over voxels |
//! | `moments` | a mean and the variance about it come from one pass over the memory |
//! | `upsample` | a convolution of repeated cells is a transposed one of the cells themselves |

mod cells;
mod channels;
mod moments;
mod siblings;
mod statistics;
mod upsample;

use std::sync::Arc;

use super::op::{Op, as_kind};
use super::tape::{Id, Node, Tape, Var, fixed, is_fixed};
use crate::gpu::Tier;
use crate::ops::elementwise::Function;

/// The part of `tape` that `roots` need, recorded anew with all rules applied for a tier and a kind of device, and where the
/// roots are there.
pub(super) fn simplified(tape: &Tape, roots: &[Id], tier: Tier, on_cpu: bool) -> (Tape, Vec<Id>) {
    let nodes = tape.nodes();
    let readers = readers(&nodes, roots);
    let mut rules = Rules {
        tier,
        on_cpu,
        readers: Vec::new(),
        fixed: Vec::new(),
    };
    let (simpler, roots) = anew(tape, roots, |new, id, inputs| {
        let op = &nodes[id].op;
        rules.update(new);
        let result = rules.apply(op, inputs);
        let result = result.unwrap_or_else(|| new.record_shared(op.clone(), inputs));
        rules.update(new);
        rules.readers[result.id] = rules.readers[result.id].max(readers[id]);
        result
    });
    // Last, as the other rules know sums and shifts.
    let (simpler, roots) = moments::paired(&simpler, &roots);
    cells::biased(&simpler, &roots)
}

/// Records what `roots` need on a new tape: `record` makes a node of the old tape, given its inputs on the new one.
fn anew(
    tape: &Tape,
    roots: &[Id],
    mut record: impl for<'t> FnMut(&'t Tape, Id, &[Var<'t>]) -> Var<'t>,
) -> (Tape, Vec<Id>) {
    let new = Tape::new();
    let nodes = tape.nodes();
    let live = super::compile::reachable(nodes.len(), roots, |id| &nodes[id].inputs);
    let mut made: Vec<Option<Id>> = vec![None; nodes.len()];
    for (id, node) in nodes.iter().enumerate().filter(|(id, _)| live[*id]) {
        let inputs = node.inputs.iter().filter_map(|&i| made[i]);
        let inputs: Vec<Var<'_>> = inputs.map(|i| new.var(i)).collect();
        let result = record(&new, id, &inputs);
        debug_assert_eq!(result.shape(), node.shape, "{} rewritten", node.op.name());
        made[id] = Some(result.id);
    }
    let roots = roots.iter().filter_map(|&r| made[r]).collect();
    (new, roots)
}

/// For each node how many of those that `roots` need read it, and the roots themselves.
fn readers(nodes: &[Node], roots: &[Id]) -> Vec<usize> {
    let live = super::compile::reachable(nodes.len(), roots, |id| &nodes[id].inputs);
    let mut readers = vec![0; nodes.len()];
    for (node, _) in nodes.iter().zip(&live).filter(|(_, live)| **live) {
        node.inputs.iter().for_each(|&i| readers[i] += 1);
    }
    roots.iter().for_each(|&root| readers[root] += 1);
    readers
}

/// What rules know of the variables recorded so far.
struct Rules {
    /// What the program is for.
    tier: Tier,
    on_cpu: bool,
    /// Ops of the old tape that read each; 0 if it only stands on the way to another.
    readers: Vec<usize>,
    /// Depends on constants and states alone.
    fixed: Vec<bool>,
}

impl Rules {
    /// Takes note of what was recorded since.
    fn update(&mut self, tape: &Tape) {
        let nodes = tape.nodes();
        for node in &nodes[self.fixed.len()..] {
            let fixed = is_fixed(node, &self.fixed);
            self.fixed.push(fixed);
            self.readers.push(0);
        }
    }

    /// What can stand in the place of `op` on `inputs`.
    fn apply<'t>(&mut self, op: &Arc<dyn Op>, inputs: &[Var<'t>]) -> Option<Var<'t>> {
        let fixed = |v: &Var<'_>| self.fixed.get(v.id) == Some(&true);
        if inputs.iter().all(fixed) {
            return None;
        }
        upsample::rule(self, op, inputs)
            .or_else(|| statistics::rule(self, op, inputs))
            .or_else(|| channels::rule(self, op, inputs))
            .or_else(|| siblings::rule(self, op, inputs))
    }

    fn is_fixed(&mut self, v: Var<'_>) -> bool {
        self.update(v.tape());
        self.fixed[v.id]
    }

    /// At most one op reads it, so that nothing is computed twice when another takes its place.
    fn is_read_once(&mut self, v: Var<'_>) -> bool {
        self.update(v.tape());
        self.readers[v.id] <= 1
    }
}

/// The op behind a variable if it is of this kind, with its inputs.
fn made_by<'t, T: Op>(v: Var<'t>) -> Option<(Arc<dyn Op>, Vec<Var<'t>>)> {
    let node = v.tape().nodes()[v.id].clone();
    let inputs = node.inputs.iter().map(|&i| v.tape().var(i)).collect();
    as_kind::<T>(&node.op)
        .is_some()
        .then_some((node.op, inputs))
}

/// The function and the operands of an elementwise op.
fn function<'t>(v: Var<'t>) -> Option<(Function, Vec<Var<'t>>)> {
    let node = v.tape().nodes()[v.id].clone();
    let inputs = node.inputs.iter().map(|&i| v.tape().var(i)).collect();
    Some((node.op.elementwise()?, inputs))
}

/// What `v` is a view of, itself if it is none.
fn shown(v: Var<'_>) -> Option<Var<'_>> {
    let nodes = v.tape().nodes();
    let node = &nodes[v.id];
    node.op.is_view().then(|| v.tape().var(node.inputs[0]))
}
