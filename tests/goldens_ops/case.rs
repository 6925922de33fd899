//! Reading a golden case.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};

pub struct Tensor {
    pub shape: Vec<usize>,
    pub bits: Vec<u32>,
    pub integer: bool,
}

impl Tensor {
    /// An element as a reader wants to see it.
    pub fn show(&self, bits: u32) -> String {
        if self.integer {
            return bits.to_string();
        }
        f32::from_bits(bits).to_string()
    }

    pub fn f64(&self) -> Vec<f64> {
        let floats = self.bits.iter().map(|&b| f64::from(f32::from_bits(b)));
        floats.collect()
    }

    pub fn f32(&self) -> Vec<f32> {
        self.bits.iter().map(|&b| f32::from_bits(b)).collect()
    }
}

/// One file.
pub struct Case {
    pub op: String,
    pub attrs: serde_json::Value,
    pub rtol: f64,
    pub atol: f64,
    pub tensors: BTreeMap<String, Tensor>,
}

impl Case {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, head) = SafeTensors::read_metadata(&bytes).unwrap();
        let meta = head.metadata().clone().unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |(name, view): (String, safetensors::tensor::TensorView)| {
            let integer = match view.dtype() {
                Dtype::F32 => false,
                Dtype::I32 => true,
                other => panic!("{name} is {other:?}"),
            };
            let tensor = Tensor {
                shape: view.shape().to_vec(),
                bits: bytemuck::pod_collect_to_vec(view.data()),
                integer,
            };
            (name, tensor)
        };
        Self {
            op: meta["op"].clone(),
            attrs: serde_json::from_str(&meta["attrs"]).unwrap(),
            rtol: meta["rtol"].parse().unwrap(),
            atol: meta["atol"].parse().unwrap(),
            tensors: tensors.tensors().into_iter().map(tensor).collect(),
        }
    }

    /// The op, with that which it is about in brackets.
    pub fn full_op(&self) -> String {
        match self.attrs["op"].as_str() {
            Some(inner) => format!("{}({inner})", self.op),
            None => self.op.clone(),
        }
    }

    pub fn input(&self, name: &str) -> &Tensor {
        let tensor = self.tensors.get(&format!("in.{name}"));
        tensor.unwrap_or_else(|| panic!("no input {name}"))
    }

    /// Tensors whose names begin with `prefix`, without it.
    pub fn with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        let named = self.tensors.iter();
        named.filter_map(move |(name, t)| name.strip_prefix(prefix).map(|n| (n, t)))
    }
}
