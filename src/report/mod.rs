//! Plots and the HTML page of a comparison or a training run.
//!
//! A plot is described as data ([`Plot`], [`Figure`], [`Heatmap`]), laid out once as a list of shapes, and written as
//! PNG or SVG from that list, so the two agree. The font is part of the crate; nothing is read from the system.
//! Points that cannot be drawn (NaN, infinite, not positive on a logarithmic axis) are left out, never an error.
//!
#![doc = include_str!("evaluation.md")]

mod axis;
mod bitmap;
mod cells;
mod draw;
mod evaluation;
mod figure;
mod font;
mod frame;
mod heatmap;
#[cfg(feature = "hdf5")]
mod latent;
mod legend;
mod losses;
mod page;
mod plot;
mod ratio;
#[cfg(feature = "hdf5")]
mod sample;
mod scan;
mod scene;
mod svg;
mod watch;

pub use axis::{Axis, Scale};
pub use evaluation::EvaluationReport;
pub use figure::{Figure, Mark, Ratio, Region, Role, Series};
pub use heatmap::{Heatmap, Tint};
#[cfg(feature = "hdf5")]
pub use latent::{Group, latent_plot, row_of_images};
pub use losses::{LossTable, losses_plot};
pub use page::{Page, Section, Table};
pub use plot::Plot;
#[cfg(feature = "hdf5")]
pub use sample::FileSample;
pub use scan::ScanReport;
pub use watch::watch_plots;
