//! Trace once, replay many.
//!
//! Model code runs once against a [`Tape`] and records ops in order; each makes a new [`Var`]. [`Tape::gradients`]
//! appends the adjoint ops to the same tape, so a derivative is made of ordinary ops and has derivatives itself.
//! [`Tape::compile`] makes a [`Program`]: dead ops dropped, equal ops merged (already while recording), elementwise
//! chains folded, buffers planned by lifetime, pipelines and bind groups created. [`Program::run`] only submits.
//!
//! Tensors are contiguous, the last axis fastest. An activation is `[C, D, H, W, N]` with the shower index N last.
//! A wrong shape does not interrupt the model's text: the op's result is marked bad, everything made from it is too, and
//! `compile` returns the first such error with the place that caused it.

mod bind;
mod compile;
mod export;
mod fuse;
mod gradient;
mod lower;
mod narrow;
mod op;
mod plan;
mod program;
pub(crate) mod shape;
mod simplify;
#[allow(clippy::module_inception)]
mod tape;
mod tune;

pub use compile::Options;
pub use export::{EVENTS, Exported, Site};
pub use gradient::Vjp;
pub use lower::{Cost, Lowering, Slot};
pub(crate) use op::Leaf;
pub use op::{DType, Op, Reads};
pub use plan::{Plan, PlanStep, StepTime};
pub use program::Program;
pub use shape::Shape;
pub(crate) use tape::BAD;
pub use tape::{State, Tape, Var};
pub use tune::Tuned;
pub(crate) use tune::tune;
