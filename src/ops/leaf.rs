//! Values from outside the tape, as nodes without inputs.

use crate::Result;
use crate::tape::{Cost, DType, Leaf, Lowering, Op, Shape, Slot, Var, Vjp};

/// An input, a state or a constant.
pub(crate) struct LeafOp {
    pub leaf: Leaf,
    pub shape: Shape,
    pub dtype: DType,
}

impl std::fmt::Debug for LeafOp {
    // Equal text means an equal op: short constants by value, long ones by identity.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} ", self.dtype, self.shape)?;
        match &self.leaf {
            Leaf::Input(name) => write!(f, "input {name}"),
            Leaf::State(state) => write!(f, "state {}", state.key),
            Leaf::Constant(bits) if bits.len() <= 8 => write!(f, "constant {bits:?}"),
            Leaf::Constant(bits) => write!(f, "constant at {:p}", std::sync::Arc::as_ptr(bits)),
        }
    }
}

impl Op for LeafOp {
    fn name(&self) -> &'static str {
        match self.leaf {
            Leaf::Input(_) => "input",
            Leaf::State(_) => "state",
            Leaf::Constant(_) => "constant",
        }
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Shape> {
        Ok(self.shape.clone())
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        Vec::new()
    }

    fn lower(&self, _: &mut Lowering<'_>, _: &[Slot], _: Slot) -> Result<()> {
        Ok(())
    }

    fn cost(&self, _: &[&[usize]], _: &[usize]) -> Cost {
        Cost::default()
    }

    fn leaf(&self) -> Option<&Leaf> {
        Some(&self.leaf)
    }
}
