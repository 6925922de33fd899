//! The tape and its variables.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

use super::op::{DType, Leaf, Op};
use super::shape::{self, Shape};
use crate::gpu::{Buffer, Gpu};
use crate::ops::elementwise::Function;
use crate::ops::leaf::LeafOp;
use crate::{Error, Result};

pub(crate) type Id = usize;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub op: Arc<dyn Op>,
    pub inputs: Vec<Id>,
    pub shape: Shape,
    pub dtype: DType,
}

/// A change of a state at the end of a run, such as an optimiser's step.
#[derive(Debug)]
pub(crate) struct Effect {
    pub op: Arc<dyn crate::ops::update::Update>,
    pub states: Vec<State>,
    pub inputs: Vec<Id>,
}

/// Whether a node depends on constants and states alone, given which of those before it do.
pub(super) fn is_fixed(node: &Node, fixed: &[bool]) -> bool {
    match node.op.leaf() {
        Some(leaf) => !matches!(leaf, Leaf::Input(_)),
        None => node.inputs.iter().all(|&i| fixed[i]),
    }
}

/// [`is_fixed`] of all nodes.
pub(super) fn fixed(nodes: &[Node]) -> Vec<bool> {
    let mut fixed = Vec::with_capacity(nodes.len());
    for node in nodes {
        fixed.push(is_fixed(node, &fixed));
    }
    fixed
}

/// The number that every element of a node is known to be, read through stretching, and the constant that holds it.
pub(super) fn number(nodes: &[Node], id: Id) -> Option<(f32, Id)> {
    let node = nodes.get(id)?;
    match node.op.leaf() {
        Some(Leaf::Constant(bits)) if bits.len() == 1 && node.dtype == DType::F32 => {
            Some((f32::from_bits(bits[0]), id))
        }
        Some(_) => None,
        None => (node.op.elementwise() == Some(Function::Identity))
            .then(|| number(nodes, node.inputs[0]))?,
    }
}

/// A recording of ops. See the [module](super).
#[derive(Debug, Default)]
pub struct Tape {
    nodes: RefCell<Vec<Node>>,
    interned: RefCell<HashMap<(String, Vec<Id>), Id>>,
    effects: RefCell<Vec<Effect>>,
    error: RefCell<Option<Error>>,
    /// There was an error, which may have been returned.
    pub(super) failed: Cell<bool>,
    /// Tensors may be larger than kernels can address.
    unbounded: bool,
}

/// A tensor that outlives a program: a parameter, a running statistic, an optimiser's moment.
///
/// Several states may share one buffer, so that one kernel can update all parameters at once.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) buffer: Buffer,
    /// In bytes, aligned for binding.
    pub(crate) offset: u64,
    pub(crate) shape: Shape,
    /// Unique text: what [`Op`] equality sees.
    pub(crate) key: Arc<str>,
}

impl State {
    /// A state of `shape` at `offset` bytes into `buffer`.
    ///
    /// `key` tells states apart within one tape and must be unique there.
    pub fn new(buffer: Buffer, offset: u64, shape: &[usize], key: &str) -> Self {
        Self {
            buffer,
            offset,
            shape: shape.to_vec(),
            key: key.into(),
        }
    }

    /// The extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// `count` elements from `start` on, a multiple of 64, as a state of one axis.
    pub(crate) fn piece(&self, start: usize, count: usize) -> Self {
        let key = match (start, count) {
            (0, n) if n == shape::len(&self.shape) => self.key.to_string(),
            _ => format!("{}[{start}..]", self.key),
        };
        let offset = self.offset + start as u64 * 4;
        Self::new(self.buffer.clone(), offset, &[count], &key)
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        shape::len(&self.shape) as u64 * 4
    }

    /// Overwrites the state.
    pub fn set(&self, gpu: &Gpu, values: &[f32]) -> Result<()> {
        if values.len() as u64 * 4 != self.bytes() {
            return Err(Error::shape(
                "State::set",
                format!("{} values for shape {:?}", values.len(), self.shape),
            ));
        }
        gpu.write(&self.buffer, self.offset, bytemuck::cast_slice(values))
    }

    /// Reads the state back.
    pub fn get(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        Ok(bytemuck::pod_collect_to_vec(&gpu.read_bytes(
            &self.buffer,
            self.offset,
            self.bytes(),
        )?))
    }
}

/// A value on a tape. Copy it freely; it is a number.
#[derive(Clone, Copy)]
pub struct Var<'t> {
    pub(crate) tape: &'t Tape,
    pub(crate) id: Id,
}

impl std::fmt::Debug for Var<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Var {} {:?}", self.id, self.shape())
    }
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty tape to export, not to compile: its tensors may have any size.
    pub(crate) fn unbounded() -> Self {
        Self {
            unbounded: true,
            ..Self::default()
        }
    }

    /// A value given before each run under `name`.
    #[track_caller]
    pub fn input<'t>(&'t self, name: &str, shape: &[usize]) -> Var<'t> {
        self.leaf(Leaf::Input(name.into()), shape, DType::F32)
    }

    /// An integer input: indices, seeds, event numbers.
    #[track_caller]
    pub fn input_u32<'t>(&'t self, name: &str, shape: &[usize]) -> Var<'t> {
        self.leaf(Leaf::Input(name.into()), shape, DType::U32)
    }

    /// The present value of a state when the program runs.
    #[track_caller]
    pub fn state<'t>(&'t self, state: &State) -> Var<'t> {
        self.leaf(Leaf::State(state.clone()), &state.shape, DType::F32)
    }

    /// Fixed values.
    #[track_caller]
    pub fn constant<'t>(&'t self, values: &[f32], shape: &[usize]) -> Var<'t> {
        if values.len() != shape::len(shape) {
            return self.fail(Error::shape(
                "constant",
                format!("{} values for shape {shape:?}", values.len()),
            ));
        }
        let bits = values.iter().map(|v| v.to_bits()).collect();
        self.leaf(Leaf::Constant(Arc::new(bits)), shape, DType::F32)
    }

    /// Fixed indices.
    #[track_caller]
    pub fn indices<'t>(&'t self, values: &[u32], shape: &[usize]) -> Var<'t> {
        if values.len() != shape::len(shape) {
            return self.fail(Error::shape(
                "indices",
                format!("{} values for shape {shape:?}", values.len()),
            ));
        }
        self.leaf(Leaf::Constant(Arc::new(values.to_vec())), shape, DType::U32)
    }

    /// A tensor filled with `value`.
    #[track_caller]
    pub fn full<'t>(&'t self, value: f32, shape: &[usize]) -> Var<'t> {
        self.constant(&[value], &[]).expand(shape)
    }

    #[track_caller]
    fn leaf(&self, leaf: Leaf, shape: &[usize], dtype: DType) -> Var<'_> {
        self.record(
            LeafOp {
                leaf,
                shape: shape.to_vec(),
                dtype,
            },
            &[],
        )
    }

    /// Appends an op, or returns the variable of an equal op that is there already.
    #[track_caller]
    pub fn record<'t>(&'t self, op: impl Op, inputs: &[Var<'t>]) -> Var<'t> {
        self.record_shared(Arc::new(op), inputs)
    }

    #[track_caller]
    pub(crate) fn record_shared<'t>(&'t self, op: Arc<dyn Op>, inputs: &[Var<'t>]) -> Var<'t> {
        if inputs.iter().any(|v| v.id == BAD) {
            return self.bad();
        }
        assert!(
            inputs.iter().all(|v| std::ptr::eq(v.tape, self)),
            "{}: operands from different tapes",
            op.name()
        );
        let ids: Vec<Id> = inputs.iter().map(|v| v.id).collect();
        let key = (format!("{op:?}"), ids.clone());
        if let Some(&id) = self.interned.borrow().get(&key) {
            return Var { tape: self, id };
        }
        let shapes: Vec<Shape> = inputs.iter().map(Var::shape).collect();
        let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let shape = match op.shape(&views) {
            Ok(shape) if shape.contains(&0) => {
                let what = format!("an extent of 0 in {shape:?}");
                return self.fail(Error::shape(op.name(), what));
            }
            Ok(shape) if self.unbounded || shape::addressable(&shape) => shape,
            Ok(shape) => {
                return self.fail(Error::OutOfMemory(format!(
                    "{}: a tensor of shape {shape:?} has more than 2^32 elements",
                    op.name()
                )));
            }
            Err(error) => return self.fail(error),
        };
        let mut nodes = self.nodes.borrow_mut();
        // A view keeps the element type of what it shows.
        let dtype = if op.is_view() {
            nodes[ids[0]].dtype
        } else {
            op.dtype()
        };
        nodes.push(Node {
            op,
            inputs: ids,
            shape,
            dtype,
        });
        let id = nodes.len() - 1;
        self.interned.borrow_mut().insert(key, id);
        Var { tape: self, id }
    }

    /// Marks the tape as failed; [`Tape::compile`] returns the first such error with the caller's place.
    #[track_caller]
    pub fn fail(&self, error: Error) -> Var<'_> {
        let place = Location::caller();
        let error = match error {
            Error::Shape { op, what } => Error::Shape {
                op,
                what: format!("{what} ({}:{})", place.file(), place.line()),
            },
            other => other,
        };
        self.error.borrow_mut().get_or_insert(error);
        self.failed.set(true);
        self.bad()
    }

    fn bad(&self) -> Var<'_> {
        Var {
            tape: self,
            id: BAD,
        }
    }

    /// Records a change of states that happens at the end of each run, after everything that reads them.
    pub(crate) fn effect(
        &self,
        op: Arc<dyn crate::ops::update::Update>,
        states: &[State],
        inputs: &[Var<'_>],
    ) {
        if inputs.iter().any(|v| v.id == BAD) {
            return;
        }
        let inputs = inputs.iter().map(|v| v.id).collect();
        self.effects.borrow_mut().push(Effect {
            op,
            states: states.to_vec(),
            inputs,
        });
    }

    /// The first error of the recording since the last call.
    pub fn check(&self) -> Result<()> {
        match self.error.borrow_mut().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    pub(crate) fn nodes(&self) -> std::cell::Ref<'_, Vec<Node>> {
        self.nodes.borrow()
    }

    pub(crate) fn effects(&self) -> std::cell::Ref<'_, Vec<Effect>> {
        self.effects.borrow()
    }

    pub(crate) fn var(&self, id: Id) -> Var<'_> {
        Var { tape: self, id }
    }
}

/// The variable that a failed op returns.
pub(crate) const BAD: Id = usize::MAX;

impl<'t> Var<'t> {
    /// The tape.
    pub fn tape(self) -> &'t Tape {
        self.tape
    }

    /// The number that every element is known to be.
    pub(crate) fn known(self) -> Option<f32> {
        Some(number(&self.tape.nodes(), self.id)?.0)
    }

    /// The extents, the last axis fastest. Of a failed variable: a scalar's.
    pub fn shape(&self) -> Shape {
        self.tape
            .nodes()
            .get(self.id)
            .map(|n| n.shape.clone())
            .unwrap_or_default()
    }

    /// Extent of one axis, 1 if there is no such axis.
    pub fn extent(&self, axis: usize) -> usize {
        self.shape().get(axis).copied().unwrap_or(1)
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        shape::len(&self.shape())
    }

    /// True for a tensor without elements; there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape().len()
    }
}
