//! A graph of ONNX operators.

use std::collections::HashMap;

use super::wire::Message;
use super::{IR_VERSION, OPSET};

/// An attribute of an operator.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Attribute {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
    Text(&'static str),
}

/// An extent of an input or output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dim {
    /// The number of events, chosen at each call.
    Events,
    /// A fixed number.
    Fixed(usize),
}

// Element types and attribute types of the standard.
const FLOAT: i64 = 1;
const INT64: i64 = 7;
const ATTRIBUTE_FLOAT: i64 = 1;
const ATTRIBUTE_INT: i64 = 2;
const ATTRIBUTE_TEXT: i64 = 3;
const ATTRIBUTE_INTS: i64 = 7;

/// A graph to which operators are appended; values are known by name.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    /// Small constants that exist already.
    constants: HashMap<(Vec<usize>, Vec<u64>), String>,
    names: usize,
}

impl Graph {
    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{}_{}", what.to_lowercase(), self.names)
    }

    /// Appends an operator with one output, whose name is returned.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let output = self.name(operator);
        let mut node = Message::default();
        for input in inputs {
            // An empty name stands for an input that is left out.
            node = node.bytes(1, input.as_bytes());
        }
        node = node.text(2, &output).text(3, &output).text(4, operator);
        for (name, value) in attributes {
            let attribute = Message::default().text(1, name);
            node = node.message(
                5,
                &match value {
                    Attribute::Float(v) => attribute.float(2, *v).int(20, ATTRIBUTE_FLOAT),
                    Attribute::Int(v) => attribute.int(3, *v).int(20, ATTRIBUTE_INT),
                    Attribute::Text(v) => attribute.text(4, v).int(20, ATTRIBUTE_TEXT),
                    Attribute::Ints(v) => {
                        let each = v.iter().fold(attribute, |m, &v| m.int(8, v));
                        each.int(20, ATTRIBUTE_INTS)
                    }
                },
            );
        }
        self.nodes.push(node);
        output
    }

    /// A constant tensor under a name of its own: a parameter.
    pub fn parameter(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(name, FLOAT, shape, &bytes);
    }

    /// A constant tensor.
    pub fn floats(&mut self, shape: &[usize], values: &[f32]) -> String {
        let bits = values.iter().map(|v| u64::from(v.to_bits())).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(FLOAT, shape, bits, &bytes)
    }

    /// A number.
    pub fn number(&mut self, value: f32) -> String {
        self.floats(&[], &[value])
    }

    /// Constant whole numbers of any shape.
    pub fn integers(&mut self, shape: &[usize], values: &[i64]) -> String {
        let bits = values.iter().map(|&v| v as u64 ^ 1 << 63).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(INT64, shape, bits, &bytes)
    }

    /// A list of whole numbers: axes, extents.
    pub fn list(&mut self, values: &[i64]) -> String {
        self.integers(&[values.len()], values)
    }

    fn constant(&mut self, kind: i64, shape: &[usize], bits: Vec<u64>, bytes: &[u8]) -> String {
        let key = (shape.to_vec(), bits);
        if let Some(name) = self.constants.get(&key) {
            return name.clone();
        }
        let name = self.name("constant");
        self.initializer(&name, kind, shape, bytes);
        self.constants.insert(key, name.clone());
        name
    }

    fn initializer(&mut self, name: &str, kind: i64, shape: &[usize], bytes: &[u8]) {
        let tensor = shape
            .iter()
            .fold(Message::default(), |m, &e| m.int(1, e as i64))
            .int(2, kind)
            .text(8, name)
            .bytes(9, bytes);
        self.initializers.push(tensor);
    }

    /// Declares an input of floats.
    pub fn input(&mut self, name: &str, shape: &[Dim], doc: &str) {
        self.inputs.push(value(name, shape, doc));
    }

    /// Number of inputs declared.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Makes `from` an output called `name`.
    pub fn output(&mut self, from: &str, name: &str, shape: &[Dim], doc: &str) {
        let node = Message::default()
            .text(1, from)
            .text(2, name)
            .text(3, name)
            .text(4, "Identity");
        self.nodes.push(node);
        self.outputs.push(value(name, shape, doc));
    }

    /// The file. `properties` are kept with the model, for whoever asks.
    pub fn finish(self, name: &str, doc: &str, properties: &[(&str, &str)]) -> Vec<u8> {
        let graph = Message::default()
            .messages(1, &self.nodes)
            .text(2, name)
            .messages(5, &self.initializers)
            .messages(11, &self.inputs)
            .messages(12, &self.outputs);
        let properties: Vec<Message> = properties
            .iter()
            .map(|(key, value)| Message::default().text(1, key).text(2, value))
            .collect();
        Message::default()
            .int(1, IR_VERSION)
            .text(2, "calogen")
            .text(3, env!("CARGO_PKG_VERSION"))
            .text(6, doc)
            .message(7, &graph)
            .message(8, &Message::default().int(2, OPSET))
            .messages(14, &properties)
            .finish()
    }
}

fn value(name: &str, shape: &[Dim], doc: &str) -> Message {
    let dims: Vec<Message> = shape
        .iter()
        .map(|dim| match dim {
            Dim::Events => Message::default().text(2, "events"),
            Dim::Fixed(extent) => Message::default().int(1, *extent as i64),
        })
        .collect();
    let shape = Message::default().messages(1, &dims);
    let tensor = Message::default().int(1, FLOAT).message(2, &shape);
    let kind = Message::default().message(1, &tensor);
    Message::default()
        .text(1, name)
        .message(2, &kind)
        .text(3, doc)
}
