//! What is added to each cell behind a convolution, the same for all showers, is a bias that its kernel adds on the way out:
//! the untied biases of the HGCAL networks, and the shifts of norms over voxels.

use super::{anew, as_kind, fixed, made_by, readers};
use crate::ops::conv::{Conv, Makes};
use crate::ops::elementwise::Function;
use crate::tape::tape::{Id, Node, Tape};
use crate::tape::{Var, shape};

/// What is known of the nodes of a tape.
struct Known<'a> {
    nodes: &'a [Node],
    readers: Vec<usize>,
    /// Depends on constants and states alone.
    fixed: Vec<bool>,
}

impl<'a> Known<'a> {
    fn of(nodes: &'a [Node], roots: &[Id]) -> Self {
        Self {
            nodes,
            readers: readers(nodes, roots),
            fixed: fixed(nodes),
        }
    }

    /// Whether node `sum` adds `b` to each cell of what a convolution makes, and nothing else reads that.
    fn is_bias(&self, sum: Id, a: Id, b: Id) -> bool {
        let [whole, full, mine] = [sum, a, b].map(|id| &self.nodes[id].shape);
        let showers = full.last();
        let cells = mine.len() == full.len()
            && mine.last() == Some(&1)
            && mine[..mine.len() - 1] == full[..full.len() - 1];
        if !cells || whole != full || !self.fixed[b] || self.fixed[a] {
            return false;
        }
        let mut v = a;
        while self.readers[v] == 1 && self.nodes[v].op.is_view() {
            v = self.nodes[v].inputs[0];
        }
        let node = &self.nodes[v];
        let Some(conv) = as_kind::<Conv>(&node.op) else {
            return false;
        };
        // A kernel of 1 is computed as one long row, which knows no cells.
        let plain = conv.makes != Makes::Weight && conv.slope == 1.0 && conv.kernel != [1; 3];
        let alike = node.shape[0] == full[0] && node.shape.last() == showers;
        plain && alike && self.readers[v] == 1 && node.inputs.len() == 2
    }
}

/// The tape with such sums rewritten.
pub(super) fn biased(tape: &Tape, roots: &[Id]) -> (Tape, Vec<Id>) {
    let nodes = tape.nodes();
    let known = Known::of(&nodes, roots);
    anew(tape, roots, |new, id, inputs| {
        let node = &nodes[id];
        let made = match (node.op.elementwise(), &node.inputs[..]) {
            (Some(Function::Add), &[a, b]) if known.is_bias(id, a, b) => with(inputs[0], inputs[1]),
            (Some(Function::Add), &[a, b]) if known.is_bias(id, b, a) => with(inputs[1], inputs[0]),
            _ => None,
        };
        made.unwrap_or_else(|| new.record_shared(node.op.clone(), inputs))
    })
}

/// `a`, which shows a convolution, with `bias` added by its kernel.
fn with<'t>(a: Var<'t>, bias: Var<'t>) -> Option<Var<'t>> {
    let mut v = a;
    while let Some(behind) = super::shown(v) {
        v = behind;
    }
    let (op, mut inputs) = made_by::<Conv>(v)?;
    let conv = Conv {
        bias_by_cell: true,
        ..as_kind::<Conv>(&op)?.clone()
    };
    let made = v.shape();
    debug_assert_eq!(shape::len(&made[..4]), bias.len());
    inputs.push(bias.reshape(&made[..4]));
    Some(a.tape().record(conv, &inputs).reshape(&a.shape()))
}
