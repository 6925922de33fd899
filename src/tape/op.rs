//! What an op is.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use super::export::{Exported, Site};
use super::gradient::Vjp;
use super::lower::{Cost, Lowering, Slot};
use super::shape::Shape;
use super::tape::{State, Var};
use crate::ops::elementwise::Function;
use crate::ops::folded::Folded;
use crate::{Error, Result};

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer: indices and random seeds.
    U32,
}

/// What an op does with an operand that may be f16 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// It needs f32.
    Full,
    /// It reads f16 as well.
    Half,
    /// It reads f16 as well, and does nothing but move its elements to the result: they need be as exact as this is.
    Moved,
}

/// One kind of operation with its attributes. `Debug` must print every attribute: equal text means an equal op.
pub trait Op: Any + Debug + Send + Sync {
    /// The name that messages and profiles use.
    fn name(&self) -> &'static str;

    /// The shape of the result, or the error that names what was wanted and what was given.
    fn shape(&self, inputs: &[&[usize]]) -> Result<Shape>;

    /// Element type of the result.
    fn dtype(&self) -> DType {
        DType::F32
    }

    /// The gradient of each input from that of the result, as ops on the same tape. `None`: no gradient flows there.
    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>>;

    /// Records the dispatches that write the result.
    fn lower(&self, lowering: &mut Lowering<'_>, inputs: &[Slot], output: Slot) -> Result<()>;

    /// Floating point operations and bytes moved. The default counts every operand once and no arithmetic.
    fn cost(&self, inputs: &[&[usize]], output: &[usize]) -> Cost {
        Cost::new(0.0, inputs, output)
    }

    /// How the kernels read operand `i`.
    fn reads(&self, _i: usize) -> Reads {
        Reads::Full
    }

    /// True if the kernels can write the result as f16, and nothing is lost that matters: sums over many terms stay f32.
    fn makes_half(&self) -> bool {
        false
    }

    /// Set for ops that compute each element from the same element of their (broadcast) inputs.
    fn elementwise(&self) -> Option<Function> {
        None
    }

    /// True if the op can evaluate an elementwise expression instead of reading its operand; `folds` says for which shapes.
    fn takes_expressions(&self) -> bool {
        false
    }

    /// Whether it can evaluate an expression of inputs of these shapes, broadcast to `domain`, the operand's shape.
    fn folds(&self, _domain: &[usize], _inputs: &[Shape]) -> bool {
        false
    }

    /// The same op on an expression.
    fn with_folded(&self, _folded: Folded) -> Option<Arc<dyn Op>> {
        None
    }

    /// Set for layers of kernel 1, into which an elementwise expression of their first operand can be folded.
    fn pointwise(&self) -> Option<&crate::ops::conv::Conv> {
        None
    }

    /// The same op followed by an elementwise function of its result, if its kernel can do that on the way out.
    fn with_activation(&self, _function: Function) -> Option<Arc<dyn Op>> {
        None
    }

    /// True if the result is the first input under another shape, so that nothing need be computed.
    fn is_view(&self) -> bool {
        false
    }

    /// True for random numbers, which are an input of an exported graph.
    fn is_random(&self) -> bool {
        false
    }

    /// The op as ONNX operators.
    ///
    /// # Errors
    /// [`Error::Config`] if it has no ONNX form.
    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        if self.is_view() {
            return Ok(site.viewed());
        }
        let what = format!("{} of {:?} cannot be exported", self.name(), site.shape());
        Err(Error::Config(what))
    }

    /// Set for values that come from outside the tape.
    fn leaf(&self) -> Option<&Leaf> {
        None
    }
}

/// The op as one of kind `T`, if it is.
pub(super) fn as_kind<T: Op>(op: &Arc<dyn Op>) -> Option<&T> {
    let op: &dyn Any = op.as_ref();
    op.downcast_ref()
}

/// A value from outside the tape.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// Given before each run.
    Input(String),
    /// Kept on the device between runs and programs.
    State(State),
    /// Fixed when the tape was made.
    Constant(Arc<Vec<u32>>),
}
