//! Folding: chains of elementwise ops become one expression, of a map or inside a reduction, a transposition or a layer of few
//! channels, and an activation moves into the kernel that makes its operand.

use std::sync::Arc;

use super::op::{Op, as_kind};
use super::shape::Shape;
use super::tape::{Id, Node, fixed, number};
use crate::ops::elementwise::Function;
use crate::ops::folded::Folded;
use crate::ops::map::{Expression, MAX_INPUTS, MAX_STEPS, Map, Register};
use crate::ops::mix::Mix;
use crate::ops::permute::Permute;

/// What is left of a node: its op and inputs after folding. `None`: it is dead or part of another.
pub(crate) type Unit = Option<(Arc<dyn Op>, Vec<Id>)>;

/// Folds the live nodes. `roots` must be materialised.
pub(crate) fn fuse(nodes: &[Node], live: &[bool], roots: &[Id]) -> Vec<Unit> {
    let mut uses = vec![0usize; nodes.len()];
    for (node, _) in nodes.iter().zip(live).filter(|(_, live)| **live) {
        let mut inputs = node.inputs.clone();
        inputs.sort_unstable();
        inputs.dedup();
        for input in inputs {
            uses[input] += 1;
        }
    }
    for &root in roots {
        uses[root] += 2; // never folded away
    }
    // One shower's last axis is of no extent: to move it moves nothing.
    let stays = |node: &Node| {
        as_kind::<Permute>(&node.op).is_some_and(|p| p.moves_nothing(&nodes[node.inputs[0]].shape))
    };
    let op = |node: &Node| match stays(node) {
        true => Arc::new(View) as Arc<dyn Op>,
        false => node.op.clone(),
    };
    let mut units: Vec<Unit> = nodes
        .iter()
        .zip(live)
        .map(|(n, &live)| live.then(|| (op(n), n.inputs.clone())))
        .collect();
    let folder = Folder {
        nodes,
        uses: &uses,
        widest: widest(nodes),
        fixed: fixed(nodes),
    };

    // Activations first: what a kernel can do on its way out costs nothing. Views in between do not matter.
    for id in 0..nodes.len() {
        let Some((op, inputs)) = units[id].clone() else {
            continue;
        };
        let Some(function) = op.elementwise().filter(|_| inputs.len() == 1) else {
            continue;
        };
        if nodes[inputs[0]].shape != nodes[id].shape {
            continue;
        }
        let mut source = inputs[0];
        while uses[source] == 1
            && let Some((view, from)) = &units[source]
            && view.is_view()
        {
            source = from[0];
        }
        if uses[source] == 1
            && let Some((op, from)) = units[source].clone()
            && let Some(both) = op.with_activation(function)
        {
            units[source] = Some((both, from));
            units[id] = Some((Arc::new(View), inputs));
        }
    }
    // Then expressions, from their last op backwards.
    for id in (0..nodes.len()).rev() {
        let Some((op, inputs)) = units[id].clone() else {
            continue;
        };
        if op.elementwise().is_some() {
            let mut build = Build::new(&units, &folder, nodes[id].shape.clone(), &Map::fits);
            build.node(id);
            let (expression, sources) = build.finish();
            let map = Map {
                expression,
                shape: nodes[id].shape.clone(),
                inputs: folder.shapes(&sources),
            };
            units[id] = Some((Arc::new(map), sources));
        } else if op.takes_expressions() {
            let source = inputs[0];
            if !folder.foldable(&units, source) {
                continue;
            }
            let domain = nodes[source].shape.clone();
            let fits = |domain: &[usize], inputs: &[Shape]| op.folds(domain, inputs);
            let mut build = Build::new(&units, &folder, domain.clone(), &fits);
            if build.grow(source).is_none() {
                continue;
            }
            let (expression, sources) = build.finish();
            let inputs = folder.shapes(&sources);
            let folded = Folded {
                expression,
                domain,
                inputs,
            };
            if let Some(whole) = op.with_folded(folded) {
                units[id] = Some((whole, sources));
            }
        } else if let Some(layer) = op.pointwise() {
            let (source, has_bias) = (inputs[0], inputs.len() > 2);
            let domain = nodes[source].shape.clone();
            let outputs = nodes[id].shape[0];
            if domain[0].max(outputs) > Mix::MAX_CHANNELS || !folder.foldable(&units, source) {
                continue;
            }
            let fits = |domain: &[usize], inputs: &[Shape]| Mix::fits(domain, inputs, has_bias);
            let mut build = Build::new(&units, &folder, domain.clone(), &fits);
            if build.grow(source).is_none() {
                continue;
            }
            let (expression, mut sources) = build.finish();
            let mix = Mix {
                layer: layer.clone(),
                has_bias,
                outputs,
                expression,
                domain,
                inputs: folder.shapes(&sources),
            };
            sources.extend(&inputs[1..]);
            units[id] = Some((Arc::new(mix), sources));
        }
    }
    units
}

/// For each node the elements of the largest tensor that it is computed from, looking through elementwise ops.
fn widest(nodes: &[Node]) -> Vec<usize> {
    let mut widest: Vec<usize> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let largest = node.inputs.iter().map(|&i| widest[i]).max();
        widest.push(match largest.filter(|_| node.op.elementwise().is_some()) {
            Some(largest) => largest,
            None => node.shape.iter().product(),
        });
    }
    widest
}

/// Elements from which a tensor of pairs is computed again by each op that reads it, however costly: kernels between all
/// pairs of showers would fill the memory.
const MANY: usize = 1 << 20;

/// Elements from which a costly function is not repeated for each of them.
const LARGE: usize = 1 << 16;

struct Folder<'a> {
    nodes: &'a [Node],
    uses: &'a [usize],
    widest: Vec<usize>,
    /// Depends on constants and states alone.
    fixed: Vec<bool>,
}

impl Folder<'_> {
    /// An elementwise op that only one other op reads, or that is better computed again than read.
    fn foldable(&self, units: &[Unit], id: Id) -> bool {
        let Some(function) = units[id].as_ref().and_then(|(op, _)| op.elementwise()) else {
            return false;
        };
        self.uses[id] == 1
            || ((!function.is_costly() || self.of_pairs(id)) && self.reads_little(id))
    }

    fn shapes(&self, ids: &[Id]) -> Vec<Shape> {
        ids.iter().map(|&id| self.nodes[id].shape.clone()).collect()
    }

    /// Much larger than all that it is computed from: an outer product.
    fn of_pairs(&self, id: Id) -> bool {
        let size: usize = self.nodes[id].shape.iter().product();
        size >= MANY && size >= 8 * self.widest[id]
    }

    /// Reads at most one tensor of the size of its result, weights aside: computing it again moves few more bytes than reading
    /// it. Weights do not count however few the showers are, as a shower's kernels, and with them the places at which a driver
    /// may join a product and a sum, shall not depend on the batch.
    fn reads_little(&self, id: Id) -> bool {
        let size = |id: Id| self.nodes[id].shape.iter().product::<usize>();
        let weight = |i: Id| self.fixed[i] && !self.fixed[id];
        let large = |&&i: &&Id| !weight(i) && size(i) * 8 > size(id);
        self.nodes[id].inputs.iter().filter(large).count() <= 1
    }
}

/// An expression under construction.
struct Build<'a> {
    units: &'a [Unit],
    folder: &'a Folder<'a>,
    domain: Shape,
    /// Whether the kernel can walk inputs of these shapes.
    walks: &'a dyn Fn(&[usize], &[Shape]) -> bool,
    expression: Expression,
    sources: Vec<Id>,
    /// Where nodes taken in already stand: an operand may occur twice.
    done: Vec<(Id, Register)>,
    /// A constant whose number is part of the expression.
    constant: Option<Id>,
}

impl<'a> Build<'a> {
    fn new(
        units: &'a [Unit],
        folder: &'a Folder<'a>,
        domain: Shape,
        walks: &'a dyn Fn(&[usize], &[Shape]) -> bool,
    ) -> Self {
        let expression = Expression {
            inputs: 0,
            steps: Vec::new(),
        };
        Self {
            units,
            folder,
            domain,
            walks,
            expression,
            sources: Vec::new(),

            done: Vec::new(),
            constant: None,
        }
    }

    fn fits(&self) -> bool {
        let walks = (self.walks)(&self.domain, &self.folder.shapes(&self.sources));
        self.expression.steps.len() <= MAX_STEPS && self.sources.len() <= MAX_INPUTS && walks
    }

    /// The node at the end of the expression: it must be computed here, its operands only if they fit.
    fn node(&mut self, id: Id) -> Register {
        let nodes = self.folder.nodes;
        let Some(function) = nodes[id].op.elementwise() else {
            return self.source(id);
        };
        let operands: Vec<Id> = nodes[id].inputs.clone();
        // Reserve what the plain op needs, then let each operand grow while there is room for the rest.
        let mut registers = Vec::new();
        for (i, &operand) in operands.iter().enumerate() {
            registers.push(match self.grow_leaving(operand, &operands[i + 1..], 1) {
                Some(register) => register,
                None => self.source(operand),
            });
        }
        self.step(function, registers)
    }

    fn step(&mut self, function: Function, registers: Vec<Register>) -> Register {
        if function == Function::Identity {
            return registers[0];
        }
        self.expression.steps.push((function, registers));
        Register::Step(self.expression.steps.len() - 1)
    }

    fn source(&mut self, id: Id) -> Register {
        let at = self
            .sources
            .iter()
            .position(|&s| s == id)
            .unwrap_or_else(|| {
                self.sources.push(id);
                self.sources.len() - 1
            });
        Register::Input(at)
    }

    /// Takes a foldable node into the expression if the whole still fits with `later` operands and `steps` steps to come.
    fn grow_leaving(&mut self, id: Id, later: &[Id], steps: usize) -> Option<Register> {
        let before = (
            self.expression.clone(),
            self.sources.clone(),
            self.done.clone(),
        );
        let register = self.take(id, later, steps)?;
        let after = (self.expression.clone(), self.sources.clone());
        for &operand in later {
            self.source(operand);
        }
        let room = self.expression.steps.len() + steps <= MAX_STEPS && self.fits();
        (self.expression, self.sources) = after;
        if !room {
            (self.expression, self.sources, self.done) = before;
            return None;
        }
        Some(register)
    }

    fn take(&mut self, id: Id, later: &[Id], steps: usize) -> Option<Register> {
        if let Some((number, constant)) = number(self.folder.nodes, id) {
            self.constant = Some(constant);
            return Some(self.step(Function::Constant(number), Vec::new()));
        }
        if !self.folder.foldable(self.units, id) {
            return None;
        }
        if let Some((_, register)) = self.done.iter().find(|(done, _)| *done == id) {
            return Some(*register);
        }
        let node = &self.folder.nodes[id];
        let function = node.op.elementwise()?;
        if function.is_costly() && self.is_far_larger_than(&node.shape) {
            return None;
        }
        let mut registers = Vec::new();
        for (i, &operand) in node.inputs.iter().enumerate() {
            let mut to_come = node.inputs[i + 1..].to_vec();
            to_come.extend(later);
            registers.push(match self.grow_leaving(operand, &to_come, steps + 1) {
                Some(register) => register,
                None => self.source(operand),
            });
        }
        let register = self.step(function, registers);
        self.done.push((id, register));
        Some(register)
    }

    /// A tensor of this shape is better made by a dispatch of its own than at every element.
    fn is_far_larger_than(&self, shape: &Shape) -> bool {
        let size = |shape: &Shape| shape.iter().product::<usize>();
        size(&self.domain) >= LARGE && size(&self.domain) >= 8 * size(shape)
    }

    /// As the operand of a reduction.
    fn grow(&mut self, id: Id) -> Option<Register> {
        self.grow_leaving(id, &[], 0)
    }

    /// The expression and its inputs.
    fn finish(mut self) -> (Expression, Vec<Id>) {
        if self.sources.is_empty() {
            // A kernel binds at least one input: all operands are numbers, so read one of them.
            self.sources.extend(self.constant);
        }
        self.expression.inputs = self.sources.len();
        (self.expression, self.sources)
    }
}

/// A node whose elements another one has computed already, in this order.
#[derive(Debug)]
struct View;

impl Op for View {
    fn name(&self) -> &'static str {
        "view"
    }

    fn shape(&self, x: &[&[usize]]) -> crate::Result<Shape> {
        Ok(x[0].to_vec())
    }

    fn gradient<'t>(&self, _: &super::Vjp<'t>) -> Vec<Option<super::Var<'t>>> {
        unreachable!("views are made by the compiler, after differentiation")
    }

    fn lower(
        &self,
        _: &mut super::Lowering<'_>,
        _: &[super::Slot],
        _: super::Slot,
    ) -> crate::Result<()> {
        Ok(())
    }

    fn is_view(&self) -> bool {
        true
    }
}
