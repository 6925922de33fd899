//! What the steps and samplers of systems are built from.

use super::{Networks, Preprocess, System};
use crate::nn::{Mode, Net, Parameters};
use crate::tape::{Tape, Var};

/// What a step or a sampler is built from: a tape, the networks, and a batch's inputs.
///
/// The inputs of the program are `showers` `[N,Z,X,Y]`, `conditions` `[N,C]` in the order of [`System::conditions`], and
/// `random`, four words: the seed, and the number of the first event or of the step.
pub struct Build<'t> {
    /// The tape.
    pub tape: &'t Tape,
    networks: &'t Networks,
    shape: [usize; 3],
    conditions: usize,
    batch: usize,
}

impl<'t> Build<'t> {
    /// For batches of `batch` showers of `system`.
    pub fn new(tape: &'t Tape, networks: &'t Networks, system: &dyn System, batch: usize) -> Self {
        Self {
            tape,
            networks,
            shape: system.shape(),
            conditions: system.conditions().len(),
            batch,
        }
    }

    /// Showers in the batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The showers of the batch, `[Z,X,Y,N]` in the unit of the file.
    pub fn showers(&self) -> Var<'t> {
        let [z, x, y] = self.shape;
        self.tape
            .input("showers", &[self.batch, z, x, y])
            .batch_last()
    }

    /// The same as networks see them.
    pub fn real(&self, preprocess: &Preprocess) -> Var<'t> {
        preprocess.forward(self.showers(), self.energy())
    }

    /// The conditions of the batch, `[C,N]`, the incident energy in GeV first.
    pub fn conditions(&self) -> Var<'t> {
        self.tape
            .input("conditions", &[self.batch, self.conditions])
            .batch_last()
    }

    /// Incident energy in GeV, `[1,N]`.
    pub fn energy(&self) -> Var<'t> {
        self.conditions().slice(0, 0, 1)
    }

    /// Network `name`, run in `mode`.
    pub fn net(&self, name: &str, mode: Mode) -> Net<'t> {
        self.find(name, |p| Net::new(self.tape, p, mode))
    }

    /// Network `name` as sampling runs it: running statistics, and the running mean of its parameters if kept.
    pub fn trained(&self, name: &str) -> Net<'t> {
        self.find(name, |p| Net::averaged(self.tape, p, Mode::Infer))
    }

    fn find(&self, name: &str, make: impl FnOnce(&'t Parameters) -> Net<'t>) -> Net<'t> {
        match self.networks.get(name) {
            Ok(parameters) => make(parameters),
            Err(_) => panic!("the system asks for a network '{name}' that it did not declare"),
        }
    }

    /// Drops each element of `x` with probability `p` where `net` trains; see [`Net::dropout`].
    #[track_caller]
    pub fn dropout(&self, net: &Net<'t>, x: Var<'t>, p: f32, stream: u32) -> Var<'t> {
        net.dropout(x, p, self.tape.input_u32("random", &[4]), stream)
    }

    /// Uniform numbers in (0, 1) of shape `[.., N]`, at stream `stream` of this step or these events.
    #[track_caller]
    pub fn uniform(&self, stream: u32, shape: &[usize]) -> Var<'t> {
        self.tape
            .uniform(self.tape.input_u32("random", &[4]), stream, shape)
    }

    /// Standard normal numbers, likewise.
    #[track_caller]
    pub fn normal(&self, stream: u32, shape: &[usize]) -> Var<'t> {
        self.tape
            .normal(self.tape.input_u32("random", &[4]), stream, shape)
    }

    /// What a generator starts from, `[length,N]`: standard normal numbers, or uniform ones in (-1, 1).
    #[track_caller]
    pub fn noise(&self, stream: u32, length: usize, normal: bool) -> Var<'t> {
        let shape = [length, self.batch];
        match normal {
            true => self.normal(stream, &shape),
            false => self.uniform(stream, &shape) * 2.0 - 1.0,
        }
    }
}
