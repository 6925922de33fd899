//! A tape as an ONNX graph, op by op.
//!
//! The tape has the shower axis last, other run times have it first. A tensor whose shape has the shower axis anywhere is
//! exported with that axis first, so that a convolution needs no transposition; ops that cannot work so ask for the tape's
//! own order ([`Site::plain`]). The number of events stays open: the tape is recorded for [`EVENTS`] showers, a number
//! that no other extent has, and whatever has that extent follows the caller's.

use super::compile::reachable;
use super::op::{DType, Leaf};
use super::shape::{self, Shape};
use super::tape::{Id, Tape, Var};
use crate::gpu::Gpu;
use crate::onnx::{Attribute, Dim, Graph};
use crate::{Error, Result};

/// Showers that a tape for export is recorded with: a prime number that no layer has as an extent.
pub const EVENTS: usize = 65_521;

/// A tensor of the tape in the graph.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The graph's name of it.
    name: String,
    /// Shape on the tape.
    shape: Shape,
    /// The axis of the tape that stands first in the graph; the others follow in order. `None`: all in the tape's order.
    first: Option<usize>,
}

/// An op's place in the graph: what it reads, and where its result goes.
pub struct Site<'a> {
    /// The graph.
    pub(crate) graph: &'a mut Graph,
    inputs: Vec<Exported>,
    shape: &'a [usize],
    count: &'a mut Option<String>,
}

/// The axis of showers.
fn events(shape: &[usize]) -> Option<usize> {
    shape.iter().position(|&e| e == EVENTS)
}

/// Extents for a reshape: the one that holds the showers is left to the run time.
fn open(shape: &[usize]) -> Vec<i64> {
    let open = |&e: &usize| match e % EVENTS {
        0 => -1,
        _ => e as i64,
    };
    shape.iter().map(open).collect()
}

/// `axis` before all others.
fn moved<T: Clone>(list: &[T], axis: usize) -> Vec<T> {
    let mut list = list.to_vec();
    let first = list.remove(axis);
    list.insert(0, first);
    list
}

impl Site<'_> {
    /// Shape of the result on the tape.
    pub(crate) fn shape(&self) -> &[usize] {
        self.shape
    }

    /// Shape of the `i`-th input on the tape.
    pub(crate) fn input_shape(&self, i: usize) -> &[usize] {
        &self.inputs[i].shape
    }

    /// Number of inputs.
    pub(crate) fn len(&self) -> usize {
        self.inputs.len()
    }

    /// The axis of the result that stands first in the graph.
    pub(crate) fn events(&self) -> Option<usize> {
        events(self.shape)
    }

    /// The axis of the `i`-th input that stands first in the graph.
    pub(crate) fn first(&self, i: usize) -> Option<usize> {
        self.inputs[i].first
    }

    /// Where `axis` of the tape stands in a tensor whose axis `first` stands first.
    pub(crate) fn place(first: Option<usize>, axis: usize) -> usize {
        match first {
            Some(p) if axis == p => 0,
            Some(p) if axis < p => axis + 1,
            _ => axis,
        }
    }

    /// An operator with one output.
    pub(crate) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        self.graph.node(operator, inputs, attributes)
    }

    /// `name` times a number.
    pub(crate) fn scaled(&mut self, name: String, scale: f32) -> String {
        if scale == 1.0 {
            return name;
        }
        let scale = self.graph.number(scale);
        self.node("Mul", &[&name, &scale], &[])
    }

    /// `name` under another shape, at most one extent of which is open.
    pub(crate) fn reshaped(&mut self, name: &str, shape: &[i64]) -> String {
        let shape = self.graph.list(shape);
        self.node("Reshape", &[name, &shape], &[])
    }

    /// `name` with its axes in another order.
    pub(crate) fn permuted(&mut self, name: &str, order: &[usize]) -> String {
        if order.is_sorted() {
            return name.to_owned();
        }
        let order = order.iter().map(|&d| d as i64).collect();
        self.node("Transpose", &[name], &[("perm", Attribute::Ints(order))])
    }

    /// The `i`-th input in the tape's order of axes.
    pub(crate) fn plain(&mut self, i: usize) -> String {
        let Exported { name, shape, first } = self.inputs[i].clone();
        let Some(axis) = first else { return name };
        let order: Vec<usize> = (0..shape.len())
            .map(|d| Self::place(Some(axis), d))
            .collect();
        self.permuted(&name, &order)
    }

    /// The `i`-th input with `axis` first.
    pub(crate) fn leading(&mut self, i: usize, axis: usize) -> String {
        if self.inputs[i].first == Some(axis) {
            return self.inputs[i].name.clone();
        }
        let rank = self.inputs[i].shape.len();
        let name = self.plain(i);
        self.permuted(&name, &moved(&(0..rank).collect::<Vec<_>>(), axis))
    }

    /// The `i`-th input as the result has its axes, of the result's rank up to leading extents of 1: what broadcasts.
    pub(crate) fn aligned(&mut self, i: usize) -> String {
        let Some(p) = self.events() else {
            return self.plain(i);
        };
        let (rank, shape) = (self.shape.len(), self.inputs[i].shape.clone());
        let mut full = vec![1; rank - shape.len()];
        full.extend(&shape);
        let (name, now) = match events(&shape) {
            Some(q) => (self.leading(i, q), moved(&shape, q)),
            None => (self.plain(i), shape),
        };
        let wanted = moved(&full, p);
        let core = |s: &[usize]| {
            s.iter()
                .copied()
                .skip_while(|&e| e == 1)
                .collect::<Vec<_>>()
        };
        match core(&now) == core(&wanted) {
            true => name,
            false => self.reshaped(&name, &open(&wanted)),
        }
    }

    /// Extents `[1]` that hold the number of events.
    fn events_now(&mut self) -> Result<String> {
        self.count.clone().ok_or_else(|| {
            let what = "a tensor of the number of events before any input that has it";
            Error::Config(format!("export: {what}"))
        })
    }

    /// `name`, which broadcasts to the result, stretched to it.
    pub(crate) fn stretched(&mut self, name: &str) -> Result<String> {
        let p = self.events();
        let extents = p.map_or(self.shape.to_vec(), |p| moved(self.shape, p));
        let extents = match p {
            None => self.graph.list(&open(&extents)),
            Some(_) => {
                let events = self.events_now()?;
                match extents.len() {
                    1 => events,
                    _ => {
                        let rest = self.graph.list(&open(&extents[1..]));
                        let axis = [("axis", Attribute::Int(0))];
                        self.node("Concat", &[&events, &rest], &axis)
                    }
                }
            }
        };
        Ok(self.node("Expand", &[name, &extents], &[]))
    }

    /// The result, in the tape's order of axes.
    pub(crate) fn made_plain(&self, name: String) -> Exported {
        self.made(name, None)
    }

    /// The result, its axis of showers (if it has one) first.
    pub(crate) fn made_leading(&self, name: String) -> Exported {
        self.made(name, self.events())
    }

    fn made(&self, name: String, first: Option<usize>) -> Exported {
        Exported {
            name,
            shape: self.shape.to_vec(),
            first,
        }
    }

    /// The result: the same elements as the first input, under another shape.
    pub(crate) fn viewed(&mut self) -> Exported {
        let from = self.input_shape(0).to_vec();
        if let (Some(p), Some(q)) = (events(&from), self.events()) {
            let before = |shape: &[usize], axis: usize| shape::len(&shape[..axis]);
            if before(&from, p) == before(self.shape, q) {
                let (name, now) = (self.leading(0, p), moved(&from, p));
                let wanted = moved(self.shape, q);
                let name = match now == wanted {
                    true => name,
                    false => self.reshaped(&name, &open(&wanted)),
                };
                return self.made_leading(name);
            }
        }
        let name = self.plain(0);
        let name = match from == self.shape {
            true => name,
            false => self.reshaped(&name, &open(self.shape)),
        };
        self.made_plain(name)
    }

    /// The result: noise that the caller gives as an input.
    pub(crate) fn noise(&mut self, doc: &str) -> Result<Exported> {
        let axis = self
            .events()
            .ok_or_else(|| Error::Config("export: noise that does not belong to showers".into()))?;
        let name = noise_name(self.graph.inputs() - 1);
        let dims: Vec<Dim> = moved(self.shape, axis).iter().map(dim).collect();
        self.graph.input(&name, &dims, doc);
        Ok(self.made_leading(name))
    }
}

fn dim(&extent: &usize) -> Dim {
    match extent {
        EVENTS => Dim::Events,
        extent => Dim::Fixed(extent),
    }
}

/// Name of the `k`-th noise input.
fn noise_name(k: usize) -> String {
    match k {
        0 => "noise".into(),
        k => format!("noise_{}", k + 1),
    }
}

impl Tape {
    /// The random tensors that `output` depends on by the names of the noise inputs of [`Tape::export`], events first.
    pub fn noises<'t>(&'t self, output: Var<'t>) -> Vec<(String, Var<'t>)> {
        let mut random = self.needed(output.id);
        random.retain(|&id| self.nodes()[id].op.is_random());
        let noise = |(k, id): (usize, Id)| (noise_name(k), self.var(id).batch_first());
        random.into_iter().enumerate().map(noise).collect()
    }

    /// Adds what `output` needs to `graph`, whose only input is `conditions` so far, and makes it an output called `name`.
    /// Random tensors become inputs, parameters tensors of their own names.
    ///
    /// # Errors
    /// [`Error::Config`] naming an op that has no ONNX form; an error of the tape or of reading parameters.
    pub fn export(&self, gpu: &Gpu, graph: &mut Graph, output: Var<'_>, name: &str) -> Result<()> {
        self.check()?;
        let nodes = self.nodes();
        let mut made: Vec<Option<Exported>> = vec![None; nodes.len()];
        let mut count = None;
        for id in self.needed(output.id) {
            let node = &nodes[id];
            let exported = match node.op.leaf() {
                // The random key: what it makes are inputs.
                Some(Leaf::Input(_)) if node.dtype == DType::U32 => continue,
                Some(Leaf::Input(name)) => {
                    let shape = [graph.list(&[0]), graph.list(&[1])];
                    let extents = graph.node("Shape", &[name], &[]);
                    let slice = [extents.as_str(), &shape[0], &shape[1]];
                    count = Some(graph.node("Slice", &slice, &[]));
                    Exported {
                        name: name.clone(),
                        shape: node.shape.clone(),
                        first: events(&node.shape),
                    }
                }
                Some(leaf) => Exported {
                    name: constant(gpu, graph, leaf, &node.shape, node.dtype)?,
                    shape: node.shape.clone(),
                    first: None,
                },
                None => {
                    let inputs = match node.op.is_random() {
                        true => Vec::new(),
                        false => node
                            .inputs
                            .iter()
                            .filter_map(|&i| made[i].clone())
                            .collect(),
                    };
                    let mut site = Site {
                        graph,
                        inputs,
                        shape: &node.shape,
                        count: &mut count,
                    };
                    node.op.onnx(&mut site)?
                }
            };
            made[id] = Some(exported);
        }
        let Some(result) = made[output.id].take() else {
            return Err(Error::Config(
                "export: the output depends on nothing".into(),
            ));
        };
        let shape = result.shape.clone();
        let dims: Vec<Dim> = shape.iter().map(dim).collect();
        let mut site = Site {
            graph,
            inputs: vec![result],
            shape: &shape,
            count: &mut count,
        };
        let from = site.plain(0);
        graph.output(&from, name, &dims, "");
        Ok(())
    }

    /// The nodes that `root` depends on, in order of recording.
    fn needed(&self, root: Id) -> Vec<Id> {
        let nodes = self.nodes();
        let live = reachable(nodes.len(), &[root], |id| &nodes[id].inputs);
        (0..nodes.len()).filter(|&id| live[id]).collect()
    }
}

fn constant(
    gpu: &Gpu,
    graph: &mut Graph,
    leaf: &Leaf,
    shape: &[usize],
    dtype: DType,
) -> Result<String> {
    Ok(match leaf {
        Leaf::State(state) => {
            // "generator/mean.deconv.weight" is the parameter "generator.deconv.weight".
            let (network, rest) = state.key.split_once('/').unwrap_or(("", &state.key));
            let name = match rest.split_once('.') {
                Some((_, tensor)) => format!("{network}.{tensor}"),
                None => state.key.to_string(),
            };
            graph.parameter(&name, shape, &state.get(gpu)?);
            name
        }
        Leaf::Constant(bits) if dtype == DType::U32 => {
            let values: Vec<i64> = bits.iter().map(|&b| i64::from(b)).collect();
            graph.integers(shape, &values)
        }
        Leaf::Constant(bits) => {
            let values: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
            graph.floats(shape, &values)
        }
        Leaf::Input(name) => name.clone(),
    })
}
