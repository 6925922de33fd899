//! Axes in another order; where the last two change places, of an elementwise expression as well.

use std::sync::Arc;

use super::folded::{Folded, cost, folded};
use super::map::{
    BINDINGS, BINDINGS_OF_FOUR, Expression, MAX_INPUTS, expression_wgsl, fours, input_slots,
};
use super::movement::{self, strides, window};
use crate::gpu::{Kernel, fold, params};
use crate::tape::{Cost, Exported, Lowering, Op, Reads, Shape, Site, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `transpose.wgsl`.
    TransposeParams {
        batch: u32, rows: u32, columns: u32,
        b0: u32, r0: u32, c0: u32,
        b1: u32, r1: u32, c1: u32,
        b2: u32, r2: u32, c2: u32,
        b3: u32, r3: u32, c3: u32,
        b4: u32, r4: u32, c4: u32,
        b5: u32, r5: u32, c5: u32,
        k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
        l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
    }
}

const SOURCE: &str = expression_wgsl!("transpose.wgsl");
static TRANSPOSE: Kernel =
    Kernel::new::<TransposeParams>("transpose.wgsl", SOURCE, "transpose", BINDINGS);
static TRANSPOSE_FOUR: Kernel =
    Kernel::new::<TransposeParams>("transpose.wgsl", SOURCE, "transpose_four", BINDINGS_OF_FOUR);

pub(super) static KERNELS: &[&Kernel] = &[&TRANSPOSE, &TRANSPOSE_FOUR];

/// Extent of an axis and the strides of the inputs along it.
type Axis = (usize, Vec<usize>);

/// `y[b, c, r] = f(x[b, r, c])`, with broadcast inputs of `f`.
struct Transposition {
    /// `b`, `r` and `c`.
    axes: [Axis; 3],
}

impl Transposition {
    /// Of inputs broadcast to `domain`, whose axes change to `order`, if that is all they do.
    fn of(order: &[usize], domain: &[usize], inputs: &[Shape]) -> Option<Self> {
        let result: Shape = order.iter().map(|&d| domain[d]).collect();
        let steps = strides(&result);
        let mut axes = shape::axes(domain, inputs);
        // The result's strides last, so that axes are merged only where it has no jump either.
        for (&d, &to) in order.iter().zip(&steps) {
            axes[d].1.push(to);
        }
        let mut axes = shape::collapse(&axes);
        if axes.len() == 2 {
            let whole = shape::len(domain);
            axes.insert(0, (1, [vec![0; inputs.len()], vec![whole]].concat()));
        }
        let mut axes: [Axis; 3] = axes.try_into().ok()?;
        let written = axes.each_mut().map(|(_, steps)| steps.pop());
        let [_, (rows, _), (columns, _)] = &axes;
        let wanted = [rows * columns, 1, *rows].map(Some);
        (written == wanted).then_some(Self { axes })
    }

    /// Records it.
    fn dispatch(&self, l: &mut Lowering<'_>, f: &Expression, x: &[Slot], y: Slot) -> Result<()> {
        let [batch, rows, columns] = self.axes.each_ref().map(|(extent, _)| *extent);
        let mut words = [batch, rows, columns].map(|e| e as u32).to_vec();
        for input in 0..MAX_INPUTS {
            let step = |axis: &Axis| axis.1.get(input).copied().unwrap_or(0) as u32;
            words.extend(self.axes.iter().map(step));
        }
        words.extend(f.constants());
        let params: TransposeParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
        let splat = fours(&self.axes, &[]).filter(|_| l.on_cpu() && rows.is_multiple_of(4));
        let (kernel, groups) = match splat {
            Some(_) => (
                &TRANSPOSE_FOUR,
                (batch * (rows / 4) * (columns / 4)).div_ceil(64),
            ),
            None => (&TRANSPOSE, batch * rows.div_ceil(16) * columns.div_ceil(16)),
        };
        let overrides = [
            ("INPUTS", f.inputs as f64),
            ("SPLAT", f64::from(splat.unwrap_or(0))),
        ];
        let mut slots = input_slots(x);
        slots.push(y);
        l.dispatch_with(
            kernel,
            Some(f.text()),
            &params,
            &overrides,
            &slots,
            fold(groups as u64),
        )
    }
}

/// Writes `y [columns, rows]` from `x [rows, columns]`.
pub(super) fn transpose(
    l: &mut Lowering<'_>,
    x: Slot,
    y: Slot,
    rows: usize,
    columns: usize,
) -> Result<()> {
    let axes = [(1, vec![0]), (rows, vec![columns]), (columns, vec![1])];
    Transposition { axes }.dispatch(l, &Expression::identity(), &[x], y)
}

/// `y[.., c_d, ..] = x[.., c_order[d] .., ]`
#[derive(Clone, Debug)]
pub(crate) struct Permute {
    order: Vec<usize>,
    /// What is moved, if not the operand; set by the compiler.
    folded: Option<Folded>,
}

impl Permute {
    /// Whether the elements of a tensor of this shape stay in order, as only axes of extent 1 move.
    pub(crate) fn moves_nothing(&self, shape: &[usize]) -> bool {
        let mut moved = self.order.iter().filter(|&&d| shape[d] != 1);
        let mut behind = None;
        moved.all(|&d| behind.replace(d) < Some(d))
    }
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let domain = self.folded.as_ref().map_or(x[0], |f| &f.domain);
        let mut seen = self.order.clone();
        seen.sort_unstable();
        if seen != (0..domain.len()).collect::<Vec<_>>() {
            return Err(Error::shape(
                "permute",
                format!("{:?} is no order of the axes of {domain:?}", self.order),
            ));
        }
        Ok(self.order.iter().map(|&d| domain[d]).collect())
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let mut back = vec![0; self.order.len()];
        for (to, &from) in self.order.iter().enumerate() {
            back[from] = to;
        }
        vec![at.want(0, || at.dy.permute(&back))]
    }

    fn reads(&self, _: usize) -> Reads {
        Reads::Moved
    }

    fn takes_expressions(&self) -> bool {
        true
    }

    fn folds(&self, domain: &[usize], inputs: &[Shape]) -> bool {
        inputs.len() <= MAX_INPUTS && Transposition::of(&self.order, domain, inputs).is_some()
    }

    fn with_folded(&self, folded: Folded) -> Option<Arc<dyn Op>> {
        Some(Arc::new(Self {
            folded: Some(folded),
            ..self.clone()
        }))
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let f = folded(&self.folded, l);
        if let Some(whole) = Transposition::of(&self.order, &f.domain, &f.inputs) {
            return whole.dispatch(l, &f.expression, x, y);
        }
        let steps = strides(&f.domain);
        let axes = self
            .order
            .iter()
            .map(|&d| movement::Axis::whole(f.domain[d], steps[d]));
        window(l, x[0], y, &axes.collect::<Vec<_>>(), 0.0, "permute")
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        cost(&self.folded, x, y, 0.0)
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let (Some(p), Some(q)) = (site.first(0), site.events()) else {
            let x = site.plain(0);
            let y = site.permuted(&x, &self.order);
            return Ok(site.made_plain(y));
        };
        let x = site.leading(0, p);
        let mut order = vec![0];
        let others = (0..self.order.len()).filter(|&d| d != q);
        order.extend(others.map(|d| Site::place(Some(p), self.order[d])));
        let y = site.permuted(&x, &order);
        Ok(site.made_leading(y))
    }
}

impl<'t> Var<'t> {
    /// Result axis `d` is axis `order[d]`.
    #[track_caller]
    pub fn permute(self, order: &[usize]) -> Self {
        if order.iter().enumerate().all(|(i, &d)| i == d) && order.len() == self.rank() {
            return self;
        }
        let order = order.to_vec();
        let folded = None;
        self.tape.record(Permute { order, folded }, &[self])
    }

    /// The host's order to the device's: the first axis, showers, becomes the last.
    #[track_caller]
    pub fn batch_last(self) -> Self {
        let order: Vec<usize> = (1..self.rank()).chain([0]).collect();
        self.permute(&order)
    }

    /// The device's order to the host's: the last axis, showers, becomes the first.
    #[track_caller]
    pub fn batch_first(self) -> Self {
        let last = self.rank().saturating_sub(1);
        let order: Vec<usize> = std::iter::once(last).chain(0..last).collect();
        self.permute(&order)
    }
}
