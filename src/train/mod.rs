//! Training: the loop over batches, checkpoints, the log of losses.
//!
//! An iteration is one batch. In it the system takes one or more turns, each of which runs a step of some kind, such as the
//! critic's. Flags and files that say `step` alone count iterations.
//!
//! A run lives in a folder: `config.toml` (the model's whole configuration), `losses.csv`, `checkpoint.safetensors` (all
//! that is needed to go on bit for bit), `model.safetensors` (what generation needs); on request `watch.csv`,
//! `best.safetensors` and `epochs/`.

mod checkpoint;
mod config;
mod held;
mod keep;
mod log;
mod open;
mod options;
mod run;
mod session;
mod summary;
mod watch;

pub use config::{configured, read_config};
pub use open::open_run;
pub use options::{Event, Options, Outcome};
pub use run::train;
pub use session::{Losses, Session};
pub use watch::{Seen, Watch};
