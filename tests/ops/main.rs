//! Every op against its definition: value and all gradients from one row. To add an op: a file here of the op's name, a
//! line below, and one `Row` with an oracle in f64 (see `common.rs`).

mod common;
mod nd;

mod ceiling;
mod compact;
mod conv;
mod conv_matrix;
mod distance;
mod elementwise;
mod gather;
mod half;
mod halve;
mod harness;
mod leaf;
mod local;
mod map;
mod matmul;
mod mix;
mod moments;
mod movement;
mod permute;
mod pool;
mod random;
mod reduce;
mod siblings;
mod simplify;
mod sinkhorn;
mod sort;
mod spline;
mod update;
