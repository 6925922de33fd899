//! An elementwise expression that a kernel computes in the place of its operand.

use super::map::Expression;
use crate::tape::{Cost, Lowering, Shape, shape};

/// What is computed in the place of an operand.
#[derive(Clone, Debug)]
pub struct Folded {
    pub(crate) expression: Expression,
    /// What its inputs are broadcast to: the shape of the operand.
    pub(crate) domain: Shape,
    pub(crate) inputs: Vec<Shape>,
}

/// What is folded in, or else the operand as it is.
pub(super) fn folded(folded: &Option<Folded>, l: &Lowering<'_>) -> Folded {
    folded.clone().unwrap_or_else(|| {
        let shape = l.input_shape(0).to_vec();
        Folded {
            expression: Expression::identity(),
            domain: shape.clone(),
            inputs: vec![shape],
        }
    })
}

/// What it costs to make `y` of `x`, or of what is folded in, with so many operations for each element of that.
pub(super) fn cost(folded: &Option<Folded>, x: &[&[usize]], y: &[usize], each: f64) -> Cost {
    let (steps, terms) = match folded {
        Some(f) => (f.expression.flops(), shape::len(&f.domain)),
        None => (0.0, shape::len(x[0])),
    };
    Cost::new((steps + each) * terms as f64, x, y)
}
