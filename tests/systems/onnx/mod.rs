//! A reader of ONNX files and an interpreter in f64, loop by loop after the operators' definitions: the oracle of the
//! export, which shares no code with it.

mod operators;
mod tensor;

use std::collections::{BTreeMap, HashMap};

pub use tensor::Tensor;

/// A field of a protocol buffer message.
enum Field<'a> {
    Int(i64),
    Float(f32),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Int(varint(&mut bytes) as i64),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_at(4);
                bytes = rest;
                Field::Float(f32::from_le_bytes(value.try_into().unwrap()))
            }
            kind => panic!("wire type {kind}"),
        };
        all.push((key >> 3, field));
    }
    all
}

impl<'a> Field<'a> {
    fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => panic!("expected bytes"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            _ => panic!("expected an integer"),
        }
    }
}

/// Attributes of an operator.
#[derive(Default)]
pub struct Attributes {
    ints: HashMap<String, Vec<i64>>,
    floats: HashMap<String, f32>,
    texts: HashMap<String, String>,
}

impl Attributes {
    fn add(&mut self, bytes: &[u8]) {
        let all = fields(bytes);
        let name = all.iter().find(|f| f.0 == 1).unwrap().1.text();
        for (number, field) in &all {
            match (number, field) {
                (2, Field::Float(v)) => drop(self.floats.insert(name.clone(), *v)),
                (3, f) => drop(self.ints.insert(name.clone(), vec![f.int()])),
                (4, f) => drop(self.texts.insert(name.clone(), f.text())),
                (8, f) => self.ints.entry(name.clone()).or_default().push(f.int()),
                _ => {}
            }
        }
    }

    /// A list, which must be there.
    pub fn list(&self, name: &str) -> Vec<usize> {
        self.ints[name].iter().map(|&v| v as usize).collect()
    }

    /// A whole number, or its default.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.ints.get(name).map_or(default, |v| v[0])
    }

    /// A number, which must be there.
    pub fn float(&self, name: &str) -> f64 {
        f64::from(self.floats[name])
    }

    /// A text, which must be there.
    pub fn text(&self, name: &str) -> &str {
        &self.texts[name]
    }
}

struct Node {
    operator: String,
    inputs: Vec<String>,
    output: String,
    attributes: Attributes,
}

/// A model.
pub struct Model {
    nodes: Vec<Node>,
    constants: BTreeMap<String, Tensor>,
    /// Names of the inputs.
    pub inputs: Vec<String>,
    outputs: Vec<String>,
}

impl Model {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Self {
        let model = fields(bytes);
        let graph = model.iter().find(|f| f.0 == 7).unwrap().1.bytes();
        let mut this = Self {
            nodes: Vec::new(),
            constants: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        let name = |bytes| fields(bytes).iter().find(|f| f.0 == 1).unwrap().1.text();
        for (number, field) in fields(graph) {
            match number {
                1 => this.nodes.push(node(field.bytes())),
                5 => {
                    let (name, tensor) = constant(field.bytes());
                    let before = this.constants.insert(name.clone(), tensor);
                    assert!(before.is_none(), "two constants are called {name}");
                }
                11 => this.inputs.push(name(field.bytes())),
                12 => this.outputs.push(name(field.bytes())),
                _ => {}
            }
        }
        this
    }

    /// The outputs for the given inputs. With `single` every value between is kept in single precision.
    pub fn run(&self, inputs: BTreeMap<String, Tensor>, single: bool) -> BTreeMap<String, Tensor> {
        let mut values = self.constants.clone();
        values.extend(inputs);
        for node in &self.nodes {
            let inputs: Vec<Option<&Tensor>> = node.inputs.iter().map(|i| values.get(i)).collect();
            for (name, value) in node.inputs.iter().zip(&inputs) {
                assert!(value.is_some() || name.is_empty(), "nothing makes {name}");
            }
            let mut made = operators::run(&node.operator, &inputs, &node.attributes);
            if single {
                made.data.iter_mut().for_each(|v| *v = f64::from(*v as f32));
            }
            let before = values.insert(node.output.clone(), made);
            assert!(before.is_none(), "{} is made twice", node.output);
        }
        let output = |name: &String| (name.clone(), values[name].clone());
        self.outputs.iter().map(output).collect()
    }
}

fn node(bytes: &[u8]) -> Node {
    let mut node = Node {
        operator: String::new(),
        inputs: Vec::new(),
        output: String::new(),
        attributes: Attributes::default(),
    };
    for (number, field) in fields(bytes) {
        match number {
            1 => node.inputs.push(field.text()),
            2 => node.output = field.text(),
            4 => node.operator = field.text(),
            5 => node.attributes.add(field.bytes()),
            _ => {}
        }
    }
    node
}

fn constant(bytes: &[u8]) -> (String, Tensor) {
    let (mut shape, mut kind, mut name, mut raw) = (Vec::new(), 0, String::new(), &[][..]);
    for (number, field) in fields(bytes) {
        match number {
            1 => shape.push(field.int() as usize),
            2 => kind = field.int(),
            8 => name = field.text(),
            9 => raw = field.bytes(),
            _ => {}
        }
    }
    let data = match kind {
        1 => (raw.chunks_exact(4))
            .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
            .collect(),
        7 => (raw.chunks_exact(8))
            .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64)
            .collect(),
        kind => panic!("{name} is of type {kind}"),
    };
    (name, Tensor::new(shape, data))
}
