//! Elements along an axis by index, and the adjoint: adding elements to the places that indices name.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::onnx::Attribute;
use crate::tape::{DType, Exported, Lowering, Op, Shape, Site, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `gather.wgsl`.
    GatherParams { count: u32, extent: u32, picks: u32, inner: u32 }
}

const SOURCE: &str = wgsl!("gather.wgsl", "lib/index.wgsl");
static GATHER: Kernel = Kernel::new::<GatherParams>("gather.wgsl", SOURCE, "gather", BINDINGS);
static ADD: Kernel = Kernel::new::<GatherParams>("gather.wgsl", SOURCE, "scatter_add", BINDINGS);
static SCATTER: Kernel = Kernel::new::<GatherParams>("gather.wgsl", SOURCE, "scatter", BINDINGS);
const BINDINGS: &[crate::gpu::Binding] = &[read(1, "x"), read(2, "index"), write(3, "y")];

pub(super) static KERNELS: &[&Kernel] = &[&GATHER, &ADD, &SCATTER];

const WG: usize = 64;

/// `y[o,q,i] = x[o, index[o,q,i], i]`; the second input is the index, alike in shape but along `axis`, or `[q]`.
#[derive(Debug)]
struct Gather {
    axis: usize,
    unique: bool,
}

/// `y[o,e,i] = sum of x[o,q,i] with index[o,q,i] = e`: the adjoint of [`Gather`].
#[derive(Debug)]
struct Scatter {
    axis: usize,
    extent: usize,
    unique: bool,
}

/// Number of picks along `axis` of an index that belongs to a tensor of shape `x`, and whether all rows share it.
fn picks(x: &[usize], index: &[usize], axis: usize) -> Option<(usize, bool)> {
    let alike = x.len() == index.len() && (0..x.len()).all(|d| d == axis || x[d] == index[d]);
    match *index {
        _ if axis >= x.len() => None,
        _ if alike => Some((index[axis], false)),
        [picks] => Some((picks, true)),
        _ => None,
    }
}

fn wrong(op: &'static str, x: &[usize], index: &[usize], axis: usize) -> Error {
    let what = format!(
        "along axis {axis} of {x:?}: wants an index of that shape but along the axis, or one axis, got {index:?}"
    );
    Error::shape(op, what)
}

struct Call {
    shared: bool,
    params: GatherParams,
}

impl Call {
    /// `gathered` is the side of full extent.
    fn new(gathered: &[usize], index: &[usize], axis: usize) -> Self {
        let (_, extent, inner) = shape::around(gathered, axis);
        let (picks, shared) = picks(gathered, index, axis).unwrap_or((1, true));
        let params = GatherParams {
            count: 0,
            extent: extent as u32,
            picks: picks as u32,
            inner: inner as u32,
        };
        Self { shared, params }
    }

    fn dispatch(
        &self,
        l: &mut Lowering<'_>,
        kernel: &'static Kernel,
        slots: &[Slot],
        count: usize,
    ) -> Result<()> {
        let params = GatherParams {
            count: count as u32,
            ..self.params
        };
        let overrides = [
            ("WG", WG as f64),
            ("SHARED", f64::from(u8::from(self.shared))),
        ];
        let grid = fold(count.div_ceil(WG) as u64);
        l.dispatch(kernel, &params, &overrides, slots, grid)
    }
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let (picks, _) = picks(x[0], x[1], self.axis)
            .ok_or_else(|| wrong(self.name(), x[0], x[1], self.axis))?;
        let mut out = x[0].to_vec();
        out[self.axis] = picks;
        Ok(out)
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let extent = at.inputs[0].extent(self.axis);
        let dx = || {
            at.dy
                .scatter_add(self.axis, at.inputs[1], extent, self.unique)
        };
        vec![at.want(0, dx), None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let call = Call::new(l.input_shape(0), l.input_shape(1), self.axis);
        let count = shape::len(l.output_shape());
        call.dispatch(l, &GATHER, &[x[0], x[1], y], count)
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let (x, index) = (site.aligned(0), site.plain(1));
        if site.input_shape(1).len() != 1 {
            let what = "gather by an index of several axes cannot be exported";
            return Err(Error::Config(what.into()));
        }
        let axis = Site::place(site.events(), self.axis) as i64;
        let y = site.node("Gather", &[&x, &index], &[("axis", Attribute::Int(axis))]);
        Ok(site.made_leading(y))
    }
}

impl Op for Scatter {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let fits = picks(x[0], x[1], self.axis).is_some_and(|(p, _)| p == x[0][self.axis]);
        if !fits || self.extent == 0 {
            return Err(wrong(self.name(), x[0], x[1], self.axis));
        }
        let mut out = x[0].to_vec();
        out[self.axis] = self.extent;
        Ok(out)
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let dx = || at.dy.gather(self.axis, at.inputs[1], self.unique);
        vec![at.want(0, dx), None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let call = Call::new(l.output_shape(), l.input_shape(1), self.axis);
        let (given, made) = (shape::len(l.input_shape(0)), shape::len(l.output_shape()));
        match self.unique && call.params.picks == call.params.extent {
            true => call.dispatch(l, &SCATTER, &[x[0], x[1], y], given),
            false => call.dispatch(l, &ADD, &[x[0], x[1], y], made),
        }
    }
}

impl<'t> Var<'t> {
    /// `y[o,q,i] = self[o, index[o,q,i], i]` around `axis`. The index holds integers; it has this shape but along `axis`,
    /// or is one list `[q]` for all. An index beyond the extent gives 0.
    ///
    /// `unique` promises that the index is a permutation along the axis, which makes the gradient cheap; otherwise each
    /// element of the gradient looks through all indices.
    #[track_caller]
    pub fn gather(self, axis: usize, index: Self, unique: bool) -> Self {
        index.if_integers("gather", || {
            self.tape.record(Gather { axis, unique }, &[self, index])
        })
    }

    /// `y[o,e,i]` is the sum of `self[o,q,i]` with `index[o,q,i] = e`, for e below `extent`: the adjoint of
    /// [`Var::gather`]. If `unique` is promised and wrong, elements are lost.
    #[track_caller]
    pub fn scatter_add(self, axis: usize, index: Self, extent: usize, unique: bool) -> Self {
        let op = Scatter {
            axis,
            extent,
            unique,
        };
        index.if_integers("scatter_add", || self.tape.record(op, &[self, index]))
    }

    /// `make()`, or an error if this holds no integers.
    #[track_caller]
    pub(super) fn if_integers(self, op: &'static str, make: impl FnOnce() -> Self) -> Self {
        let dtype = self.tape.nodes().get(self.id).map(|n| n.dtype);
        match dtype {
            Some(DType::F32) => {
                let what = format!("wants integers, got floats of shape {:?}", self.shape());
                self.tape.fail(Error::shape(op, what))
            }
            _ => make(),
        }
    }
}
