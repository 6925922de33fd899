//! Sums, maxima and minima over any set of axes, of a tensor or of an elementwise expression folded in.

use super::map::{BINDINGS_OF_FOUR, Expression, MAX_INPUTS, MAX_STEPS, fours, padded};
use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::onnx::Attribute;
use crate::tape::{Cost, Exported, Lowering, Op, Shape, Site, Slot, Var, Vjp, shape};
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
    /// What is reduced, of `inputs` broadcast to `domain`; set by the compiler.
    pub(crate) folded: Option<(Expression, Shape, Vec<Shape>)>,
}

params! {
    /// See `reduce.wgsl`.
    ReduceParams {
        outputs: u32, terms: u32, parts: u32, chunk: u32,
        a1: u32, a2: u32, a3: u32, b1: u32, b2: u32, b3: u32, scale: f32,
        s00: u32, s01: u32, s02: u32, s03: u32, s04: u32, s05: u32, s06: u32, s07: u32,
        s10: u32, s11: u32, s12: u32, s13: u32, s14: u32, s15: u32, s16: u32, s17: u32,
        s20: u32, s21: u32, s22: u32, s23: u32, s24: u32, s25: u32, s26: u32, s27: u32,
        s30: u32, s31: u32, s32: u32, s33: u32, s34: u32, s35: u32, s36: u32, s37: u32,
        s40: u32, s41: u32, s42: u32, s43: u32, s44: u32, s45: u32, s46: u32, s47: u32,
        s50: u32, s51: u32, s52: u32, s53: u32, s54: u32, s55: u32, s56: u32, s57: u32,
        k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
        l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
    }
}

const SOURCE: &str = wgsl!(
    "reduce.wgsl",
    "lib/index.wgsl",
    "lib/kept.wgsl",
    "lib/reduce.wgsl",
    "lib/math.wgsl",
    "lib/functions.wgsl",
    "lib/four.wgsl",
    "lib/spread.wgsl",
    "lib/expression.wgsl"
);
static LANE_FOUR: Kernel =
    Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_lane_four", BINDINGS_OF_FOUR);
static ROWS: Kernel =
    Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_rows", BINDINGS_OF_FOUR);
static LANE: Kernel = Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_lane", BINDINGS);
static GROUP: Kernel = Kernel::new::<ReduceParams>("reduce.wgsl", SOURCE, "reduce_group", BINDINGS);
const BINDINGS: &[crate::gpu::Binding] = &[
    read(1, "x0"),
    read(2, "x1"),
    read(3, "x2"),
    read(4, "x3"),
    read(5, "x4"),
    read(6, "x5"),
    write(7, "y"),
];

pub(super) static KERNELS: &[&Kernel] = &[&LANE, &LANE_FOUR, &ROWS, &GROUP];

const WG: usize = 64;
/// Axes on either side, after merging, that the kernel can walk.
const SIDE: usize = 4;
/// Terms that one lane joins before the reduction is cut into parts.
const LONGEST: usize = 256;
/// Lanes that make a cut worth its second pass.
const BUSY: usize = 4096;

/// Kept and reduced axes with the strides of each input.
type Axes = Vec<(usize, Vec<usize>)>;

fn split(domain: &[usize], inputs: &[Shape], axes: &[usize]) -> (Axes, Axes) {
    let strides: Vec<Vec<usize>> = inputs
        .iter()
        .map(|s| shape::strides_in(s, domain))
        .collect();
    let axis = |d: usize| (domain[d], strides.iter().map(|s| s[d]).collect());
    let side = |reduced: bool| -> Axes {
        let list: Vec<_> = (0..domain.len())
            .filter(|d| axes.contains(d) == reduced)
            .map(axis)
            .collect();
        shape::collapse(&list)
    };
    (side(false), side(true))
}

impl Reduce {
    /// True if the kernel can reduce an expression of these inputs broadcast to `domain`.
    pub(crate) fn fits(&self, domain: &[usize], inputs: &[Shape]) -> bool {
        let (kept, reduced) = split(domain, inputs, &self.axes);
        inputs.len() <= MAX_INPUTS && kept.len() <= SIDE && reduced.len() <= SIDE
    }
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.join {
            Join::Sum => "sum",
            Join::Max => "max",
            Join::Min => "min",
        }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let domain = self.folded.as_ref().map_or(x[0], |(_, domain, _)| domain);
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

    fn reduction(&self) -> Option<&Reduce> {
        Some(self)
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
        let (expression, domain, inputs) = match &self.folded {
            Some((e, d, i)) => (e.clone(), d.clone(), i.clone()),
            None => {
                let shape = l.input_shape(0).to_vec();
                (Expression::identity(), shape.clone(), vec![shape])
            }
        };
        let (kept, reduced) = split(&domain, &inputs, &self.axes);
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
        let per_lane = if by_lane { terms } else { terms.div_ceil(WG) };
        // By lane the cut depends on the length alone, so that a shower's sum is the same in any batch.
        let busy = if by_lane {
            1
        } else {
            (BUSY / (outputs * WG)).min(per_lane / 64)
        };
        let wanted = per_lane.div_ceil(LONGEST).max(busy).max(1);
        let chunk = (per_lane.div_ceil(wanted) * if by_lane { 1 } else { WG }).max(1);
        let parts = terms.div_ceil(chunk).max(1);
        let by = if by_lane { By::Lane } else { By::Group };
        let target = if parts > 1 {
            l.scratch(outputs * parts)
        } else {
            y
        };
        let scale = if parts > 1 { 1.0 } else { self.scale };
        let call = ReduceCall {
            kept: &kept,
            reduced: &reduced,
            parts,
            chunk,
            scale,
            expression: &expression,
        };
        self.dispatch(l, by, &call, x, target)?;
        if parts > 1 {
            // The partial results lie [parts, outputs].
            let kept = vec![(outputs, vec![1])];
            let reduced = vec![(parts, vec![outputs])];
            let identity = Expression::identity();
            let by = if outputs >= 8 || parts < 64 || l.per_shower() {
                By::Lane
            } else {
                By::Group
            };
            let call = ReduceCall {
                kept: &kept,
                reduced: &reduced,
                parts: 1,
                chunk: parts,
                scale: self.scale,
                expression: &identity,
            };
            self.dispatch(l, by, &call, &[target], y)?;
        }
        Ok(())
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let (steps, domain) = match &self.folded {
            Some((e, d, _)) => (e.flops(), shape::len(d)),
            None => (0.0, shape::len(x[0])),
        };
        let elements = x.iter().map(|s| shape::len(s)).sum::<usize>() + shape::len(y);
        Cost {
            flops: (steps + 1.0) * domain as f64,
            bytes: 4.0 * elements as f64,
        }
    }
}

fn extent(axes: &Axes) -> usize {
    axes.iter().map(|(e, _)| e).product()
}

struct ReduceCall<'a> {
    kept: &'a Axes,
    reduced: &'a Axes,
    parts: usize,
    chunk: usize,
    scale: f32,
    expression: &'a Expression,
}

impl ReduceCall<'_> {
    fn params(&self) -> ReduceParams {
        let mut extents = [[1u32; SIDE]; 2];
        let mut strides = [[0u32; 2 * SIDE]; MAX_INPUTS];
        for (side, axes) in [self.kept, self.reduced].into_iter().enumerate() {
            let lead = SIDE - axes.len();
            for (d, (extent, steps)) in axes.iter().enumerate() {
                extents[side][lead + d] = *extent as u32;
                for (input, step) in steps.iter().enumerate() {
                    strides[input][side * SIDE + lead + d] = *step as u32;
                }
            }
        }
        let (outputs, terms) = (extent(self.kept), extent(self.reduced));
        let mut words = vec![
            outputs as u32,
            terms as u32,
            self.parts as u32,
            self.chunk as u32,
        ];
        words.extend(&extents[0][1..]);
        words.extend(&extents[1][1..]);
        words.push(self.scale.to_bits());
        words.extend(strides.as_flattened());
        words.extend(self.expression.constants());
        debug_assert_eq!(words.len(), 11 + 2 * SIDE * MAX_INPUTS + 2 * MAX_STEPS);
        bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words))
    }
}

impl Reduce {
    fn dispatch(
        &self,
        l: &mut Lowering<'_>,
        by: By,
        call: &ReduceCall<'_>,
        x: &[Slot],
        y: Slot,
    ) -> Result<()> {
        let params = call.params();
        let splat = fours(call.kept, call.reduced).filter(|_| by == By::Lane);
        let row = call.kept.last().map_or(1, |(extent, _)| *extent);
        let rows = splat.is_some() && l.on_cpu() && (32..=4096).contains(&row);
        // Lanes of a group share a result; lanes on their own are spread over the cores of a CPU.
        let wg = match by {
            _ if rows => (row / 4).next_power_of_two().min(64),
            By::Lane if l.on_cpu() => 16,
            _ => WG,
        };
        let overrides = [
            ("WG", wg as f64),
            ("RANK", call.reduced.len() as f64),
            ("INPUTS", call.expression.inputs as f64),
            ("JOIN", self.join as usize as f64),
            ("SPLAT", f64::from(splat.unwrap_or(0))),
        ];
        let mut slots = padded(x, y);
        slots.push(y);
        let results = u64::from(params.outputs) * u64::from(params.parts);
        let (kernel, groups) = match (by, splat) {
            (By::Group, _) => (&GROUP, results),
            _ if rows => (&ROWS, results / row as u64),
            (By::Lane, None) => (&LANE, results.div_ceil(wg as u64)),
            (By::Lane, Some(_)) => (&LANE_FOUR, (results / 4).div_ceil(wg as u64)),
        };
        l.dispatch_with(
            kernel,
            Some(call.expression.text()),
            &params,
            &overrides,
            &slots,
            fold(groups),
        )
    }
}

/// Who makes an output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Lane,
    Group,
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
        (self - self.mean_keep(axes)).square().mean_keep(axes)
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

    /// The same value, through which no gradient flows.
    #[track_caller]
    pub fn detach(self) -> Self {
        self.tape.record(Detach, &[self])
    }
}

/// A view that stops gradients.
#[derive(Debug)]
struct Detach;

impl Op for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        Ok(x[0].to_vec())
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None]
    }

    fn lower(&self, _: &mut Lowering<'_>, _: &[Slot], _: Slot) -> Result<()> {
        Ok(())
    }

    fn is_view(&self) -> bool {
        true
    }
}
