//! Sorting along an axis, largest first.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Cost, DType, Lowering, Op, Shape, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `sort.wgsl`.
    SortParams { count: u32, extent: u32, padded: u32, inner: u32, run: u32, step: u32, levels: u32 }
}

const SOURCE: &str = wgsl!("sort.wgsl", "lib/index.wgsl");
static START: Kernel = Kernel::new::<SortParams>(
    "sort.wgsl",
    SOURCE,
    "sort_start",
    &[read(1, "x"), write(2, "key"), write(3, "place")],
);
static MERGE: Kernel = Kernel::new::<SortParams>(
    "sort.wgsl",
    SOURCE,
    "sort_merge",
    &[write(2, "key"), write(3, "place")],
);
static FINISH: Kernel = Kernel::new::<SortParams>(
    "sort.wgsl",
    SOURCE,
    "sort_finish",
    &[read(4, "sorted"), write(5, "index")],
);

pub(super) static KERNELS: &[&Kernel] = &[&START, &MERGE, &FINISH];

const WG: usize = 64;
/// Elements that one lane sorts.
const PER_LANE: usize = 8;

/// Which element along `axis` stands at each place when they are sorted, largest first.
#[derive(Debug)]
struct ArgSort {
    axis: usize,
}

impl Op for ArgSort {
    fn name(&self) -> &'static str {
        "argsort_descending"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        if self.axis >= x[0].len() {
            let what = format!("no axis {} in {:?}", self.axis, x[0]);
            return Err(Error::shape(self.name(), what));
        }
        Ok(x[0].to_vec())
    }

    fn dtype(&self) -> DType {
        DType::U32
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let (outer, extent, inner) = shape::around(l.input_shape(0), self.axis);
        let padded = extent.next_power_of_two().max(PER_LANE);
        let key = l.scratch(outer * padded * inner);
        let place = l.scratch(outer * padded * inner);
        let lanes = outer * padded / PER_LANE * inner;
        let params = SortParams {
            count: lanes as u32,
            extent: extent as u32,
            padded: padded as u32,
            inner: inner as u32,
            ..Default::default()
        };
        let wg = [("WG", WG as f64)];
        let grid = fold(lanes.div_ceil(WG) as u64);
        l.dispatch(&START, &params, &wg, &[x[0], key, place], grid)?;
        let mut run = 2 * PER_LANE;
        while run <= padded {
            // log2(run) levels, three a dispatch; the last takes the rest, because eight neighbours always exist.
            let mut left = run.ilog2();
            while left > 0 {
                let levels = left.min(3);
                left -= levels;
                let params = SortParams {
                    run: run as u32,
                    step: 1 << left,
                    levels,
                    ..params
                };
                l.dispatch(&MERGE, &params, &wg, &[key, place], grid)?;
            }
            run *= 2;
        }
        let count = outer * extent * inner;
        let params = SortParams {
            count: count as u32,
            ..params
        };
        let grid = fold(count.div_ceil(WG) as u64);
        l.dispatch(&FINISH, &params, &wg, &[place, y], grid)
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let levels = f64::from(x[0][self.axis].next_power_of_two().ilog2());
        Cost {
            flops: shape::len(y) as f64 * levels * (levels + 1.0) / 4.0,
            bytes: 8.0 * shape::len(y) as f64,
        }
    }
}

impl<'t> Var<'t> {
    /// Integer indices along `axis` that sort this tensor, largest first; equal elements keep their order. NaN stands
    /// before everything else.
    #[track_caller]
    pub fn argsort_descending(self, axis: usize) -> Self {
        self.tape.record(ArgSort { axis }, &[self])
    }

    /// The elements along `axis`, largest first, and the indices they had. The gradient flows through the elements.
    #[track_caller]
    pub fn sort_descending(self, axis: usize) -> (Self, Self) {
        let index = self.argsort_descending(axis);
        (self.gather(axis, index, true), index)
    }
}
