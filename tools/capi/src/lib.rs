//! The C interface, declared in `calogen.h`, where each function is described. A test of the crate compares the two.
//!
//! Every function that runs code of calogen does so inside `guard` or `get`: no panic crosses the border.
#![allow(non_camel_case_types)] // the names of the header
#![allow(clippy::missing_safety_doc)] // every pointer is what calogen.h says, or null

mod border;
mod generate;
mod gpu;
mod weights;
