//! ONNX models, written by hand: the wire format and a graph that is built node by node. What an op of the tape becomes
//! stands with the op ([`Op::onnx`](crate::tape::Op)).

mod graph;
mod wire;

pub use graph::{Attribute, Dim, Graph};

/// Version of the standard operators that graphs are made of.
pub const OPSET: i64 = 17;
/// Version of the file format: the one that came with that opset.
const IR_VERSION: i64 = 8;
