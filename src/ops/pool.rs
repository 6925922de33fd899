//! Average and maximum over windows of a volume `[C, D, H, W, N]` or an image `[C, H, W, N]`, and upsampling.
//!
//! Everything is a pair of linear ops that are each other's adjoint, a sum over windows with its spreading and a choice of
//! cells with its putting back, so derivatives of any order exist.

use crate::gpu::{Binding, Kernel, fold, params, read, wgsl, write};
use crate::onnx::Attribute;
use crate::tape::{Cost, DType, Exported, Lowering, Op, Shape, Site, Slot, Var, Vjp};
use crate::{Error, Result};

params! {
    /// See `pool.wgsl`.
    PoolParams {
        count: u32, n: u32,
        id: u32, ih: u32, iw: u32,
        od: u32, oh: u32, ow: u32,
        kd: u32, kh: u32, kw: u32,
        sd: u32, sh: u32, sw: u32,
        pd: u32, ph: u32, pw: u32,
        scale: f32,
    }
}

const SOURCE: &str = wgsl!(
    "pool.wgsl",
    "lib/index.wgsl",
    "lib/four.wgsl",
    "lib/math.wgsl"
);

/// An entry point for any number of showers, and the one for a multiple of four.
struct Entries {
    any: Kernel,
    four: Kernel,
}

macro_rules! entries {
    ($any:literal, $four:literal, $any_bindings:expr, $four_bindings:expr) => {
        Entries {
            any: Kernel::new::<PoolParams>("pool.wgsl", SOURCE, $any, $any_bindings),
            four: Kernel::new::<PoolParams>("pool.wgsl", SOURCE, $four, $four_bindings),
        }
    };
}

const TO_Y: &[Binding] = &[read(1, "x"), read(2, "x4"), write(5, "y")];
const TO_Y4: &[Binding] = &[read(1, "x"), read(2, "x4"), write(5, "y4")];
static SUM: Entries = entries!("pool_sum", "pool_sum_four", TO_Y, TO_Y4);
static SPREAD: Entries = entries!("pool_spread", "pool_spread_four", TO_Y, TO_Y4);
static ARGMAX: Entries = entries!(
    "pool_argmax",
    "pool_argmax_four",
    &[read(1, "x"), read(2, "x4"), write(5, "found")],
    &[read(1, "x"), read(2, "x4"), write(5, "found4")]
);
static PUT: Entries = entries!(
    "pool_put",
    "pool_put_four",
    &[
        read(1, "x"),
        read(2, "x4"),
        read(3, "cell"),
        read(4, "cell4"),
        write(5, "y")
    ],
    &[
        read(1, "x"),
        read(2, "x4"),
        read(3, "cell"),
        read(4, "cell4"),
        write(5, "y4")
    ]
);
static PICK: Kernel = Kernel::new::<PoolParams>(
    "pool.wgsl",
    SOURCE,
    "pool_pick",
    &[read(1, "x"), read(3, "cell"), write(5, "y")],
);

pub(super) static KERNELS: &[&Kernel] = &[
    &SUM.any,
    &SUM.four,
    &SPREAD.any,
    &SPREAD.four,
    &ARGMAX.any,
    &ARGMAX.four,
    &PUT.any,
    &PUT.four,
    &PICK,
];

const WG: usize = 64;

/// A volume of cells and the windows on it, along the axes D, H, W.
#[derive(Clone, Copy, Debug)]
struct Windows {
    cells: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
    padding: [usize; 3],
}

impl Windows {
    /// The windows on `x` of shape `[C, D, H, W, N]`.
    fn on(
        op: &'static str,
        x: &[usize],
        kernel: [usize; 3],
        stride: [usize; 3],
        padding: [usize; 3],
    ) -> Result<Self> {
        let [_, d, h, w, _] = *x else {
            return Err(Error::shape(
                op,
                format!("wants axes [C, D, H, W, N], got {x:?}"),
            ));
        };
        let cells = [d, h, w];
        for i in 0..3 {
            let fits = stride[i] > 0 && padding[i] < kernel[i];
            if !fits || cells[i] + 2 * padding[i] < kernel[i] {
                let what = format!(
                    "kernel {kernel:?}, stride {stride:?}, padding {padding:?} on {x:?}: \
                     strides must be above 0, paddings below the kernel, the kernel within the padded volume"
                );
                return Err(Error::shape(op, what));
            }
        }
        Ok(Self {
            cells,
            kernel,
            stride,
            padding,
        })
    }

    /// Number of windows along each axis.
    fn count(&self) -> [usize; 3] {
        std::array::from_fn(|i| {
            (self.cells[i] + 2 * self.padding[i] - self.kernel[i]) / self.stride[i] + 1
        })
    }

    /// `shape` with the extents along D, H, W exchanged for `to`; an error if they are not `from`.
    fn exchange(
        op: &'static str,
        shape: &[usize],
        from: [usize; 3],
        to: [usize; 3],
    ) -> Result<Shape> {
        match *shape {
            [c, d, h, w, n] if [d, h, w] == from => Ok(vec![c, to[0], to[1], to[2], n]),
            _ => Err(Error::shape(
                op,
                format!("wants {from:?} along D, H, W, got {shape:?}"),
            )),
        }
    }

    /// How many cells each window holds.
    fn occupancy(&self) -> Vec<f32> {
        let along = |i: usize| -> Vec<usize> {
            let (k, p) = (self.kernel[i], self.padding[i]);
            let held = |low: usize| (low + k - p).min(self.cells[i]) - low.saturating_sub(p);
            (0..self.count()[i])
                .map(|o| held(o * self.stride[i]))
                .collect()
        };
        let (d, h, w) = (along(0), along(1), along(2));
        let mut held = Vec::new();
        for a in &d {
            for b in &h {
                held.extend(w.iter().map(|c| (a * b * c) as f32));
            }
        }
        held
    }

    fn volume(&self) -> usize {
        self.kernel.iter().product()
    }

    /// `at_once`: showers and elements along W that a lane makes.
    fn dispatch(
        &self,
        l: &mut Lowering<'_>,
        kernel: &'static Kernel,
        slots: &[Slot],
        scale: f32,
        at_once: [usize; 2],
    ) -> Result<()> {
        let &[c, d, h, w, n] = l.output_shape() else {
            unreachable!("Op::shape made five axes");
        };
        let [showers, span] = at_once;
        let count = c * d * h * w.div_ceil(span) * n.div_ceil(showers);
        let mut words = vec![count as u32, n as u32];
        for triple in [
            self.cells,
            self.count(),
            self.kernel,
            self.stride,
            self.padding,
        ] {
            words.extend(triple.map(|v| v as u32));
        }
        words.push(scale.to_bits());
        let params: PoolParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
        let groups = fold(count.div_ceil(WG) as u64);
        let overrides = [
            ("WG", WG as f64),
            ("SPAN", span as f64),
            ("FOUR", f64::from(u8::from(n.is_multiple_of(4)))),
        ];
        l.dispatch(kernel, &params, &overrides, slots, groups)
    }

    /// Each window visits its cells once: additions of a sum, comparisons of a maximum.
    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let outer: usize = y[0] * y[4];
        let windows: usize = self.count().iter().product();
        Cost::new((outer * windows * self.volume()) as f64, x, y)
    }
}

/// What is done with the windows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Cells to windows: `y_o = scale * sum of x_v`.
    Sum(f32),
    /// Windows to cells: `y_v = scale * sum of x_o`.
    Spread(f32),
    /// Cells to windows: the cell of the largest.
    ArgMax,
    /// Cells to windows: `y_o = x_cell(o)`, the second input the cells.
    Pick,
    /// Windows to cells: `y_v = sum of x_o with cell(o) = v`.
    Put,
}

#[derive(Debug)]
pub(crate) struct Pool {
    windows: Windows,
    kind: Kind,
}

impl Pool {
    /// How often each cell is repeated along D, H, W, if this is an upsampling.
    pub(crate) fn repeats(&self) -> Option<[usize; 3]> {
        let w = &self.windows;
        let repeats = w.kernel == w.stride && w.padding == [0; 3];
        matches!(self.kind, Kind::Spread(scale) if scale == 1.0 && repeats).then_some(w.stride)
    }
}

impl Op for Pool {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sum(_) => "pool_sum",
            Kind::Spread(_) => "pool_spread",
            Kind::ArgMax => "pool_argmax",
            Kind::Pick => "pool_pick",
            Kind::Put => "pool_put",
        }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let (cells, windows) = (self.windows.cells, self.windows.count());
        let (from, to) = match self.kind {
            Kind::Spread(_) | Kind::Put => (windows, cells),
            _ => (cells, windows),
        };
        let out = Windows::exchange(self.name(), x[0], from, to)?;
        if let Some(&chosen) = x.get(1) {
            let want = Windows::exchange(self.name(), chosen, windows, windows)?;
            if want[0] != out[0] || want[4] != out[4] {
                return Err(Error::shape(
                    self.name(),
                    format!("cells {chosen:?} do not belong to {:?}", x[0]),
                ));
            }
        }
        Ok(out)
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let Windows {
            kernel,
            stride,
            padding,
            ..
        } = self.windows;
        let x = site.leading(0, 4);
        let ints = |list: &[usize]| Attribute::Ints(list.iter().map(|&v| v as i64).collect());
        let y = match self.kind {
            Kind::Sum(scale) => {
                let attributes = [
                    ("kernel_shape", ints(&kernel)),
                    ("strides", ints(&stride)),
                    ("pads", ints(&[padding, padding].concat())),
                    ("count_include_pad", Attribute::Int(1)),
                ];
                let mean = site.node("AveragePool", &[&x], &attributes);
                site.scaled(mean, scale * self.windows.volume() as f32)
            }
            Kind::Spread(scale) if kernel == stride && padding == [0; 3] => {
                let scales = [&[1.0, 1.0], &kernel.map(|k| k as f32)[..]].concat();
                let scales = site.graph.floats(&[5], &scales);
                let attributes = [
                    ("mode", Attribute::Text("nearest")),
                    (
                        "coordinate_transformation_mode",
                        Attribute::Text("asymmetric"),
                    ),
                    ("nearest_mode", Attribute::Text("floor")),
                ];
                let y = site.node("Resize", &[&x, "", &scales], &attributes);
                site.scaled(y, scale)
            }
            _ => {
                let what = format!("{} cannot be exported", self.name());
                return Err(Error::Config(what));
            }
        };
        Ok(super::onnx::channels_last(site, y))
    }

    fn dtype(&self) -> DType {
        match self.kind {
            Kind::ArgMax => DType::U32,
            _ => DType::F32,
        }
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let back = match self.kind {
            Kind::Sum(scale) => Kind::Spread(scale),
            Kind::Spread(scale) => Kind::Sum(scale),
            Kind::Pick => Kind::Put,
            Kind::Put => Kind::Pick,
            Kind::ArgMax => return vec![None],
        };
        let mut inputs = vec![at.dy];
        inputs.extend(&at.inputs[1..]);
        let op = Pool {
            windows: self.windows,
            kind: back,
        };
        let mut grads = vec![None; at.inputs.len()];
        grads[0] = at.want(0, || at.dy.tape().record(op, &inputs));
        grads
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let w = self.windows;
        let fours = l.output_shape()[4].is_multiple_of(4);
        let of = |e: &'static Entries| if fours { &e.four } else { &e.any };
        // A cell lies in few windows: finding them costs more than adding them, so a lane takes several cells.
        let (to_windows, to_cells) = ([4, 1], [4, 4]);
        match self.kind {
            Kind::Sum(scale) => w.dispatch(l, of(&SUM), &[x[0], x[0], y], scale, to_windows),
            Kind::Spread(scale) => w.dispatch(l, of(&SPREAD), &[x[0], x[0], y], scale, to_cells),
            Kind::ArgMax => w.dispatch(l, of(&ARGMAX), &[x[0], x[0], y], 1.0, to_windows),
            Kind::Put => {
                let slots = [x[0], x[0], x[1], x[1], y];
                w.dispatch(l, of(&PUT), &slots, 1.0, to_cells)
            }
            Kind::Pick => w.dispatch(l, &PICK, &[x[0], x[1], y], 1.0, [1, 1]),
        }
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        self.windows.cost(x, y)
    }
}

impl<'t> Var<'t> {
    /// Mean over windows of `[C, D, H, W, N]`; the grid of windows is rounded down. Divides by the volume of the kernel,
    /// or without `count_include_pad` by the number of cells of the window that are not padding.
    #[track_caller]
    pub fn avg_pool3d(
        self,
        kernel: [usize; 3],
        stride: [usize; 3],
        padding: [usize; 3],
        count_include_pad: bool,
    ) -> Self {
        let windows = match self.windows("avg_pool3d", kernel, stride, padding) {
            Ok(windows) => windows,
            Err(bad) => return bad,
        };
        let volume = windows.volume() as f32;
        if count_include_pad || padding == [0; 3] {
            let kind = Kind::Sum(1.0 / volume);
            return self.tape.record(Pool { windows, kind }, &[self]);
        }
        let [d, h, w] = windows.count();
        let shares: Vec<f32> = windows.occupancy().iter().map(|v| 1.0 / v).collect();
        let kind = Kind::Sum(1.0);
        self.tape.record(Pool { windows, kind }, &[self])
            * self.tape.constant(&shares, &[1, d, h, w, 1])
    }

    /// Mean over windows of `[C, H, W, N]`. See [`Var::avg_pool3d`].
    #[track_caller]
    pub fn avg_pool2d(
        self,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        count_include_pad: bool,
    ) -> Self {
        self.volume("avg_pool2d")
            .avg_pool3d(
                deep(kernel, 1),
                deep(stride, 1),
                deep(padding, 0),
                count_include_pad,
            )
            .image()
    }

    /// Largest over windows of `[C, D, H, W, N]`, padded with -infinity; the grid of windows is rounded down. The first of
    /// equal cells gets the gradient.
    #[track_caller]
    pub fn max_pool3d(self, kernel: [usize; 3], stride: [usize; 3], padding: [usize; 3]) -> Self {
        let windows = match self.windows("max_pool3d", kernel, stride, padding) {
            Ok(windows) => windows,
            Err(bad) => return bad,
        };
        let record = |kind, inputs: &[Self]| self.tape.record(Pool { windows, kind }, inputs);
        record(Kind::Pick, &[self, record(Kind::ArgMax, &[self])])
    }

    /// Largest over windows of `[C, H, W, N]`. See [`Var::max_pool3d`].
    #[track_caller]
    pub fn max_pool2d(self, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Self {
        self.volume("max_pool2d")
            .max_pool3d(deep(kernel, 1), deep(stride, 1), deep(padding, 0))
            .image()
    }

    /// Repeats each cell of `[C, D, H, W, N]` `scale` times along D, H, W.
    #[track_caller]
    pub fn upsample_nearest3d(self, scale: [usize; 3]) -> Self {
        let shape = self.shape();
        if shape.len() != 5 || scale.contains(&0) {
            let what =
                format!("wants axes [C, D, H, W, N] and scales above 0, got {shape:?}, {scale:?}");
            return self.tape.fail(Error::shape("upsample_nearest3d", what));
        }
        let windows = Windows {
            cells: std::array::from_fn(|i| shape[i + 1] * scale[i]),
            kernel: scale,
            stride: scale,
            padding: [0; 3],
        };
        let kind = Kind::Spread(1.0);
        self.tape.record(Pool { windows, kind }, &[self])
    }

    /// Repeats each cell of `[C, H, W, N]` `scale` times along H, W.
    #[track_caller]
    pub fn upsample_nearest2d(self, scale: [usize; 2]) -> Self {
        self.volume("upsample_nearest2d")
            .upsample_nearest3d(deep(scale, 1))
            .image()
    }

    #[track_caller]
    fn windows(
        self,
        op: &'static str,
        kernel: [usize; 3],
        stride: [usize; 3],
        padding: [usize; 3],
    ) -> std::result::Result<Windows, Self> {
        Windows::on(op, &self.shape(), kernel, stride, padding).map_err(|e| self.tape.fail(e))
    }

    /// `[C, H, W, N]` as `[C, 1, H, W, N]`.
    #[track_caller]
    pub(crate) fn volume(self, op: &'static str) -> Self {
        match *self.shape() {
            [c, h, w, n] => self.reshape(&[c, 1, h, w, n]),
            ref other => self.tape.fail(Error::shape(
                op,
                format!("wants axes [C, H, W, N], got {other:?}"),
            )),
        }
    }

    /// `[C, 1, H, W, N]` as `[C, H, W, N]`.
    #[track_caller]
    pub(crate) fn image(self) -> Self {
        match *self.shape() {
            [c, 1, h, w, n] => self.reshape(&[c, h, w, n]),
            _ => self,
        }
    }
}

fn deep([h, w]: [usize; 2], d: usize) -> [usize; 3] {
    [d, h, w]
}
