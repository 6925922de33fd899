//! Mean and variance of the same terms in one pass over the memory. Made by the compiler from a mean and the variance about
//! it (`tape/simplify/moments.rs`).

use std::sync::Arc;

use super::walk::{By, Call, Kernels, ReduceParams, WG, cut, extent, fits, split};
use crate::Result;
use crate::gpu::{Kernel, fold, read, write};
use crate::ops::folded::{Folded, cost, folded};
use crate::ops::map::{BINDINGS, BINDINGS_OF_FOUR, expression_wgsl};
use crate::tape::{Cost, Lowering, Op, Reads, Shape, Slot, Var, Vjp, shape};

const FILE: &str = "moments.wgsl";
const SOURCE: &str = expression_wgsl!("moments.wgsl", "lib/kept.wgsl", "lib/terms.wgsl");
static LANE: Kernel = Kernel::new::<ReduceParams>(FILE, SOURCE, "moments_lane", BINDINGS);
static LANE_FOUR: Kernel =
    Kernel::new::<ReduceParams>(FILE, SOURCE, "moments_lane_four", BINDINGS_OF_FOUR);
static ROWS: Kernel = Kernel::new::<ReduceParams>(FILE, SOURCE, "moments_rows", BINDINGS_OF_FOUR);
static JOIN: Kernel = Kernel::new::<ReduceParams>(
    FILE,
    SOURCE,
    "moments_join",
    &[read(1, "x0"), write(7, "y")],
);
static BY_LANE: Kernels = Kernels {
    lane: &LANE,
    four: &LANE_FOUR,
    rows: &ROWS,
};

pub(in crate::ops) static KERNELS: &[&Kernel] = &[&LANE, &LANE_FOUR, &ROWS, &JOIN];

/// Mean and sum of squared deviations, `[2, parts, outputs]`, of each of equal parts of the terms over `axes`. A [`Statistic`]
/// is made of it.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    /// Ascending.
    axes: Vec<usize>,
    /// What is reduced, if not the operand; set by the compiler.
    folded: Option<Folded>,
}

impl Op for Moments {
    fn name(&self) -> &'static str {
        "moments"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let domain = self.folded.as_ref().map_or(x[0], |f| &f.domain);
        let terms: usize = self.axes.iter().map(|&a| domain[a]).product();
        Ok(vec![2, cut(terms).1, shape::len(domain) / terms])
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        unreachable!("made by the compiler, after differentiation")
    }

    fn reads(&self, _: usize) -> Reads {
        Reads::Half
    }

    fn takes_expressions(&self) -> bool {
        true
    }

    fn folds(&self, domain: &[usize], inputs: &[Shape]) -> bool {
        fits(&self.axes, domain, inputs)
    }

    fn with_folded(&self, folded: Folded) -> Option<Arc<dyn Op>> {
        Some(Arc::new(Self {
            folded: Some(folded),
            ..self.clone()
        }))
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let folded = folded(&self.folded, l);
        let (kept, reduced) = split(&folded.domain, &folded.inputs, &self.axes);
        let (chunk, parts) = cut(extent(&reduced));
        let call = Call {
            kept: &kept,
            reduced: &reduced,
            parts,
            chunk,
            scale: 1.0,
            expression: &folded.expression,
        };
        call.dispatch(l, By::Lane(&BY_LANE), &[], x, y)
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        cost(&self.folded, x, y, 4.0)
    }
}

/// The mean of all terms, or the mean of their squared deviations from it, from [`Moments`].
#[derive(Clone, Debug)]
pub(crate) struct Statistic {
    variance: bool,
    terms: usize,
    /// Of the result.
    shape: Shape,
}

impl Op for Statistic {
    fn name(&self) -> &'static str {
        if self.variance { "variance" } else { "mean" }
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Shape> {
        Ok(self.shape.clone())
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        unreachable!("made by the compiler, after differentiation")
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let outputs = shape::len(&self.shape);
        let (chunk, parts) = cut(self.terms);
        let params = ReduceParams {
            outputs: outputs as u32,
            terms: self.terms as u32,
            parts: parts as u32,
            chunk: chunk as u32,
            ..ReduceParams::default()
        };
        // A GPU has lanes to spare where outputs are few, and waits long for each part.
        let (wg, by) = if l.on_cpu() { (16, 1) } else { (WG, 8) };
        let overrides = [
            ("WG", wg as f64),
            ("BY", by as f64),
            ("VARIANCE", f64::from(u8::from(self.variance))),
        ];
        let groups = fold((outputs as u64).div_ceil((wg / by) as u64));
        l.dispatch(&JOIN, &params, &overrides, &[x[0], y], groups)
    }
}

impl<'t> Var<'t> {
    /// Mean and variance over `axes`, ascending, which keep extent 1.
    pub(crate) fn moments_keep(self, axes: &[usize]) -> (Self, Self) {
        let mut shape = self.shape();
        let terms = axes.iter().map(|&a| shape[a]).product();
        axes.iter().for_each(|&a| shape[a] = 1);
        let parts = Moments {
            axes: axes.to_vec(),
            folded: None,
        };
        let parts = self.tape().record(parts, &[self]);
        let made = |variance| {
            let statistic = Statistic {
                variance,
                terms,
                shape: shape.clone(),
            };
            self.tape().record(statistic, &[parts])
        };
        (made(false), made(true))
    }
}
