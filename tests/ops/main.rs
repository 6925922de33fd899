//! Every op against its definition: value and all gradients from one row. To add an op: a file here of the op's name, a
//! line below, and one `Row` with an oracle in f64 (see `common.rs`).

mod common;

mod harness;

mod gather;
mod local;
mod pool;
mod random;
mod sort;
