//! Training: the loop over batches, checkpoints, the log of losses.
//!
//! A run lives in a folder: `config.toml` (the model's whole configuration), `losses.csv`, `checkpoint.safetensors` (all
//! that is needed to go on bit for bit), `model.safetensors` (what generation needs).

mod checkpoint;
mod log;
mod run;
mod session;
mod summary;

pub use run::{Event, Options, Outcome, train};
pub use session::{Losses, Session};
