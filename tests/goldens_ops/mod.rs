//! From the ops of golden cases to calls on the tape. Inputs and results have PyTorch's layout, showers first; what the
//! crate wants otherwise is permuted on the tape, so that gradients come back in PyTorch's layout too.

mod case;
mod distance;
mod elementwise;
mod linear;
mod loss;
mod metric;
mod movement;
mod norm;
mod observable;
mod optimizer;
mod pool;
mod reduction;
mod second;

use std::sync::Arc;

use calogen::gpu::Gpu;
use calogen::tape::{State, Tape, Var};

pub use case::{Case, Tensor};

/// A result of an op.
pub enum Out<'t> {
    /// On the tape.
    Value(Var<'t>),
    /// Whole numbers in floats, compared with integers.
    Count(Var<'t>),
    /// Integers.
    Index(Var<'t>),
    /// A state after the run.
    State(State),
    /// Computed without the device.
    Host(Vec<f64>),
}

/// What an op is recorded with.
pub struct Recorder<'t, 'c> {
    pub tape: &'t Tape,
    pub gpu: &'c Arc<Gpu>,
    pub case: &'c Case,
}

pub type Recorded<'t> = Option<Vec<(&'static str, Out<'t>)>>;

/// Records `op`, `None` if there is none of that name.
pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    type Family = for<'t> fn(&str, &Recorder<'t, '_>) -> Recorded<'t>;
    const FAMILIES: &[Family] = &[
        elementwise::record,
        reduction::record,
        norm::record,
        linear::record,
        pool::record,
        movement::record,
        loss::record,
        distance::record,
        observable::record,
        metric::record,
        optimizer::record,
        second::record,
    ];
    FAMILIES.iter().find_map(|family| family(op, r))
}

/// The usual case: one output called y.
pub fn y(value: Var<'_>) -> Recorded<'_> {
    Some(vec![("y", Out::Value(value))])
}

impl<'t, 'c> Recorder<'t, 'c> {
    pub fn new(tape: &'t Tape, gpu: &'c Arc<Gpu>, case: &'c Case) -> Self {
        Self { tape, gpu, case }
    }

    /// An input as it is in the file.
    pub fn x(&self, name: &str) -> Var<'t> {
        let tensor = self.case.input(name);
        if tensor.integer {
            return self.tape.input_u32(name, &tensor.shape);
        }
        self.tape.input(name, &tensor.shape)
    }

    /// An input that some cases lack.
    pub fn maybe(&self, name: &str) -> Option<Var<'t>> {
        let there = self.case.tensors.contains_key(&format!("in.{name}"));
        there.then(|| self.x(name))
    }

    /// An attribute that is a number.
    pub fn number(&self, name: &str) -> f32 {
        let value = self.case.attrs[name].as_f64();
        value.unwrap_or_else(|| panic!("attribute {name}")) as f32
    }

    pub fn whole(&self, name: &str) -> usize {
        let value = self.case.attrs[name].as_u64();
        value.unwrap_or_else(|| panic!("attribute {name}")) as usize
    }

    pub fn flag(&self, name: &str) -> bool {
        let value = self.case.attrs[name].as_bool();
        value.unwrap_or_else(|| panic!("attribute {name}"))
    }

    pub fn text(&self, name: &str) -> &'c str {
        let value = self.case.attrs[name].as_str();
        value.unwrap_or_else(|| panic!("attribute {name}"))
    }

    /// An attribute that is a list of whole numbers.
    pub fn list(&self, name: &str) -> Vec<usize> {
        whole_numbers(&self.case.attrs[name])
    }

    /// The same of known length.
    pub fn fixed<const N: usize>(&self, name: &str) -> [usize; N] {
        let list = self.list(name);
        list.try_into()
            .unwrap_or_else(|_| panic!("attribute {name} of length {N}"))
    }

    /// An attribute that is a list of numbers.
    pub fn numbers(&self, name: &str) -> Vec<f32> {
        let list = self.case.attrs[name].as_array();
        let list = list.unwrap_or_else(|| panic!("attribute {name}"));
        list.iter().map(|v| v.as_f64().unwrap() as f32).collect()
    }
}

/// A JSON list of whole numbers.
pub fn whole_numbers(value: &serde_json::Value) -> Vec<usize> {
    let list = value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is no list"));
    list.iter().map(|v| v.as_u64().unwrap() as usize).collect()
}
