//! Sums, maxima and minima over any set of axes, of a tensor or of an elementwise expression folded in.

mod moments;
mod walk;

pub(crate) use walk::is_cut;
use walk::{
    Axes, BUSY, By, Call, Groups, Kernels, LONGEST, ReduceParams, WG, cut, extent, fits, split,
};

use std::sync::Arc;

use super::elementwise::Function;
use super::folded::{Folded, cost, folded};
use super::map::{
    BINDINGS, BINDINGS_OF_FOUR, BINDINGS_OF_FOUR_TO_ONE, Expression, expression_wgsl,
};
use crate::gpu::Kernel;
use crate::onnx::Attribute;
use crate::tape::{Cost, Exported, Lowering, Op, Reads, Shape, Site, Slot, Var, Vjp};
use crate::{Error, Result};

/// How terms are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Addition.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// `y = scale * join over axes of x`; reduced axes keep extent 1.
#[derive(Clone, Debug)]
pub struct Reduce {
    pub(crate) join: Join,
    /// Ascending.
    pub(crate) axes: Vec<usize>,
    pub(crate) scale: f32,
    /// What is reduced, if not the operand; set by the compiler.
    pub(crate) folded: Option<Folded>,
}

const SOURCE: &str = expression_wgsl!("reduce.wgsl", "lib/kept.wgsl", "lib/terms.wgsl");
static LANE_FOUR: Kernel =
    Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_lane_four", BINDINGS_OF_FOUR);
static ROWS: Kernel =
    Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_rows", BINDINGS_OF_FOUR);
static LANE: Kernel = Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_lane", BINDINGS);
static GROUP: Kernel = Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_group", BINDINGS);
static GROUP_FOUR: Kernel = Kernel::new::<ReduceParams>(
    "reduce.wgsl",
    SOURCE,
    "reduce_group_four",
    BINDINGS_OF_FOUR_TO_ONE,
);
static BY_LANE: Kernels = Kernels {
    lane: &LANE,
    four: &LANE_FOUR,
    rows: &ROWS,
};
static BY_GROUP: Groups = Groups {
    group: &GROUP,
    four: &GROUP_FOUR,
};

pub(super) static KERNELS: &[&Kernel] = &[&LANE, &LANE_FOUR, &ROWS, &GROUP, &GROUP_FOUR];
pub(super) use moments::KERNELS as MOMENTS_KERNELS;

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.join {
            Join::Sum => "sum",
            Join::Max => "max",
            Join::Min => "min",
        }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let domain = self.folded.as_ref().map_or(x[0], |f| &f.domain);
        if let Some(axis) = self.axes.iter().find(|&&a| a >= domain.len()) {
            return Err(Error::shape(
                self.name(),
                format!("no axis {axis} in {domain:?}"),
            ));
        }
        Ok(domain
            .iter()
            .enumerate()
            .map(|(i, &e)| if self.axes.contains(&i) { 1 } else { e })
            .collect())
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let x = at.inputs[0];
        let full = x.shape();
        vec![at.want(0, || match self.join {
            Join::Sum => (at.dy * self.scale).expand(&full),
            // Shared equally by ties.
            Join::Max | Join::Min => {
                let hit = x.equal(at.output.expand(&full));
                hit * (at.dy / hit.sum_keep(&self.axes)).expand(&full)
            }
        })]
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

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let first = site.first(0).filter(|p| !self.axes.contains(p));
        let operator = match self.join {
            Join::Sum => "ReduceSum",
            Join::Max => "ReduceMax",
            Join::Min => "ReduceMin",
        };
        let mut made = match first {
            Some(p) => site.leading(0, p),
            None => site.plain(0),
        };
        // Axis by axis: other run times add up one term after the other, and sums over whole showers lose three digits.
        let long = |&&axis: &&usize| site.input_shape(0)[axis] > 1;
        let axes: Vec<usize> = self.axes.iter().rev().filter(long).copied().collect();
        for axis in axes {
            let place = Site::place(first, axis) as i64;
            made = match self.join {
                Join::Sum => {
                    let place = site.graph.list(&[place]);
                    site.node(operator, &[&made, &place], &[])
                }
                _ => {
                    let axes = Attribute::Ints(vec![place]);
                    site.node(operator, &[&made], &[("axes", axes)])
                }
            };
        }
        let made = site.scaled(made, self.scale);
        Ok(match first {
            Some(_) => site.made_leading(made),
            None => site.made_plain(made),
        })
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let folded = folded(&self.folded, l);
        let (kept, reduced) = split(&folded.domain, &folded.inputs, &self.axes);
        let (outputs, terms) = (extent(&kept), extent(&reduced));
        // One lane an output reads coalesced when the last axis is kept.
        let last = |axes: &Axes| {
            axes.last().map_or(usize::MAX, |(_, s)| {
                s.iter()
                    .copied()
                    .filter(|&s| s > 0)
                    .min()
                    .unwrap_or(usize::MAX)
            })
        };
        // Where a shower must be the same in any batch, the choice must not depend on it either.
        let by_lane =
            terms < 16 || l.per_shower() || (outputs >= 8 && last(&kept) <= last(&reduced));
        let (chunk, parts) = match by_lane {
            true => cut(terms),
            false => {
                let per_lane = terms.div_ceil(WG);
                let busy = (BUSY / (outputs * WG)).min(per_lane / 64);
                let wanted = per_lane.div_ceil(LONGEST).max(busy).max(1);
                let chunk = (per_lane.div_ceil(wanted) * WG).max(1);
                (chunk, terms.div_ceil(chunk).max(1))
            }
        };
        let by = if by_lane {
            By::Lane(&BY_LANE)
        } else {
            By::Group(&BY_GROUP)
        };
        let target = if parts > 1 {
            l.scratch(outputs * parts)
        } else {
            y
        };
        let scale = if parts > 1 { 1.0 } else { self.scale };
        let call = Call {
            kept: &kept,
            reduced: &reduced,
            parts,
            chunk,
            scale,
            expression: &folded.expression,
        };
        let join = [("JOIN", self.join as usize as f64)];
        call.dispatch(l, by, &join, x, target)?;
        if parts > 1 {
            // The partial results lie [parts, outputs].
            let kept = vec![(outputs, vec![1])];
            let reduced = vec![(parts, vec![outputs])];
            let identity = Expression::identity();
            let by = if outputs >= 8 || parts < 64 || l.per_shower() {
                By::Lane(&BY_LANE)
            } else {
                By::Group(&BY_GROUP)
            };
            let call = Call {
                kept: &kept,
                reduced: &reduced,
                parts: 1,
                chunk: parts,
                scale: self.scale,
                expression: &identity,
            };
            call.dispatch(l, by, &join, &[target], y)?;
        }
        Ok(())
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        cost(&self.folded, x, y, 1.0)
    }
}

impl<'t> Var<'t> {
    #[track_caller]
    fn reduce(self, join: Join, axes: &[usize], scale: f32) -> Self {
        let mut axes: Vec<usize> = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        self.tape.record(
            Reduce {
                join,
                axes,
                scale,
                folded: None,
            },
            &[self],
        )
    }

    /// Sum over `axes`, which keep extent 1.
    #[track_caller]
    pub fn sum_keep(self, axes: &[usize]) -> Self {
        self.reduce(Join::Sum, axes, 1.0)
    }

    /// Mean over `axes`, which keep extent 1.
    #[track_caller]
    pub fn mean_keep(self, axes: &[usize]) -> Self {
        let shape = self.shape();
        let terms: usize = axes
            .iter()
            .map(|&a| shape.get(a).copied().unwrap_or(1))
            .product();
        self.reduce(Join::Sum, axes, 1.0 / terms as f32)
    }

    /// Largest over `axes`, which keep extent 1. Ties share the gradient.
    #[track_caller]
    pub fn max_keep(self, axes: &[usize]) -> Self {
        self.reduce(Join::Max, axes, 1.0)
    }

    /// Smallest over `axes`, which keep extent 1. Ties share the gradient.
    #[track_caller]
    pub fn min_keep(self, axes: &[usize]) -> Self {
        self.reduce(Join::Min, axes, 1.0)
    }

    /// Sum over `axes`, which are dropped.
    #[track_caller]
    pub fn sum(self, axes: &[usize]) -> Self {
        self.sum_keep(axes).squeeze(axes)
    }

    /// Mean over `axes`, which are dropped.
    #[track_caller]
    pub fn mean(self, axes: &[usize]) -> Self {
        self.mean_keep(axes).squeeze(axes)
    }

    /// Sum of all elements, a scalar.
    #[track_caller]
    pub fn sum_all(self) -> Self {
        let axes: Vec<usize> = (0..self.rank()).collect();
        self.sum(&axes)
    }

    /// Mean of all elements, a scalar.
    #[track_caller]
    pub fn mean_all(self) -> Self {
        let axes: Vec<usize> = (0..self.rank()).collect();
        self.mean(&axes)
    }

    /// Variance over `axes`, which keep extent 1: mean of (x - mean)², divided by n.
    #[track_caller]
    pub fn var_keep(self, axes: &[usize]) -> Self {
        let mean = self.mean_keep(axes);
        let squares = self.binary(Function::SquaredDeviation, mean);
        squares.mean_keep(axes)
    }

    /// ln of the sum of e^x over `axes`, which keep extent 1, without overflow.
    #[track_caller]
    pub fn logsumexp_keep(self, axes: &[usize]) -> Self {
        // The largest is a constant here: its gradient cancels.
        let top = self.max_keep(axes).detach();
        (self - top).exp().sum_keep(axes).log() + top
    }

    /// e^x over its sum along `axis`.
    #[track_caller]
    pub fn softmax(self, axis: usize) -> Self {
        (self - self.logsumexp_keep(&[axis])).exp()
    }
}
