//! Locally connected layers: convolutions whose weights differ from place to place.
//!
//! The layer is linear in its input and in its weights. It, the adjoint for the input and the adjoint for the weights are
//! three ops whose derivatives are again these three, so derivatives of any order exist.

use super::movement::{Axis, window};
use super::permute::transpose;
use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::onnx::Attribute;
use crate::tape::{Cost, Exported, Lowering, Op, Reads, Shape, Site, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `local.wgsl`.
    LocalParams {
        n: u32, rows: u32, terms: u32, rows4: u32,
        ih: u32, iw: u32, oh: u32, ow: u32,
        kh: u32, kw: u32, sh: u32, sw: u32,
    }
}

const SOURCE: &str = wgsl!("local.wgsl", "lib/index.wgsl");
static PRODUCT: Kernel = Kernel::new::<LocalParams>(
    "local.wgsl",
    SOURCE,
    "local_product",
    &[
        read(1, "m"),
        read(2, "x").or_half(),
        write(3, "y").or_half(),
    ],
);
static WEIGHT: Kernel = Kernel::new::<LocalParams>(
    "local.wgsl",
    SOURCE,
    "local_weight",
    &[read(1, "m"), read(2, "x"), write(3, "y")],
);

pub(super) static KERNELS: &[&Kernel] = &[&PRODUCT, &WEIGHT];

/// Lanes of a workgroup. A batch is often 64 showers, of which a lane makes several.
const WG: usize = 32;

/// Extents of one layer; weights are `[oh, ow, o, c kh kw]`.
#[derive(Clone, Copy, Debug)]
struct Layer {
    c: usize,
    o: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
}

/// Which of input, weights and output is computed from the other two.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Made {
    /// From `[x, w]`.
    Output,
    /// From `[dy, w]`.
    Input,
    /// From `[x, dy]`.
    Weight,
}

#[derive(Debug)]
struct Local {
    layer: Layer,
    made: Made,
}

impl Layer {
    fn output(&self) -> [usize; 2] {
        std::array::from_fn(|i| (self.input[i] - self.kernel[i]) / self.stride[i] + 1)
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn shapes(&self, n: usize) -> [Shape; 3] {
        let ([ih, iw], [oh, ow]) = (self.input, self.output());
        [
            vec![self.c, ih, iw, n],
            vec![oh, ow, self.o, self.c * self.taps()],
            vec![self.o, oh, ow, n],
        ]
    }

    fn params(&self, n: usize, rows: usize, terms: usize, rows4: usize) -> LocalParams {
        let ([ih, iw], [oh, ow]) = (self.input, self.output());
        let words = [
            n,
            rows,
            terms,
            rows4,
            ih,
            iw,
            oh,
            ow,
            self.kernel[0],
            self.kernel[1],
            self.stride[0],
            self.stride[1],
        ];
        bytemuck::cast(words.map(|v| v as u32))
    }

    /// `y` from `x` and `w`, or with `back` the gradient of `x` from that of `y`.
    fn product(
        &self,
        l: &mut Lowering<'_>,
        x: Slot,
        w: Slot,
        y: Slot,
        n: usize,
        back: bool,
    ) -> Result<()> {
        let (taps, columns) = (self.taps(), self.c * self.taps());
        let [oh, ow] = self.output();
        let (rows, terms, row_step, term_step) = match back {
            false => (self.o, self.c, columns, taps),
            true => (self.c, self.o, taps, columns),
        };
        let (tile, rows4) = tiles(rows);
        let words = oh * ow * taps * terms * rows4 * 4;
        let packed = l.derived(w, format!("{self:?} {back}"), words, |l, packed| {
            let axes = [
                Axis::whole(oh * ow, self.o * columns),
                Axis::whole(taps, 1),
                Axis::whole(terms, term_step),
                Axis {
                    have: rows,
                    ..Axis::whole(rows4 * 4, row_step)
                },
            ];
            window(l, w, packed, &axes, 0.0, "local")
        })?;
        let [h, w] = if back { self.input } else { [oh, ow] };
        let wg = n
            .next_power_of_two()
            .clamp(if l.on_cpu() { 8 } else { 32 }, WG);
        let showers = n.div_ceil(wg).clamp(1, 4);
        let groups = h * w * n.div_ceil(wg * showers) * (rows4 / tile);
        let params = self.params(n, rows, terms, rows4);
        l.dispatch(
            &PRODUCT,
            &params,
            &overrides(wg, tile, showers, back),
            &[packed, x, y],
            fold(groups as u64),
        )
    }

    /// The gradient of the weights from `x` and the gradient of `y`.
    fn weight(&self, l: &mut Lowering<'_>, x: Slot, dy: Slot, dw: Slot, n: usize) -> Result<()> {
        let ([ih, iw], [oh, ow]) = (self.input, self.output());
        let (tile, rows4) = tiles(self.o);
        let places = oh * ow;
        let packed = l.derived(
            dy,
            format!("{self:?} dy"),
            places * n * rows4 * 4,
            |l, packed| {
                let axes = [
                    Axis::whole(places, n),
                    Axis::whole(n, 1),
                    Axis {
                        have: self.o,
                        ..Axis::whole(rows4 * 4, places * n)
                    },
                ];
                window(l, dy, packed, &axes, 0.0, "local")
            },
        )?;
        let cells = ih * iw * n;
        let last = l.derived(x, "channels last".into(), cells * self.c, |l, last| {
            transpose(l, x, last, self.c, cells)
        })?;
        let columns = self.c * self.taps();
        let terms = columns.div_ceil(WG).clamp(1, 4);
        let groups = places * columns.div_ceil(WG * terms) * (rows4 / tile);
        let params = self.params(n, self.o, self.c, rows4);
        l.dispatch(
            &WEIGHT,
            &params,
            &overrides(WG, tile, terms, false),
            &[packed, last, dw],
            fold(groups as u64),
        )
    }
}

/// Rows / 4 that one lane makes, and all rows / 4 rounded up to whole tiles of them.
fn tiles(rows: usize) -> (usize, usize) {
    let need = rows.div_ceil(4);
    let count = need.div_ceil(4);
    let tile = need.div_ceil(count);
    (tile, tile * count)
}

fn overrides(wg: usize, rows: usize, columns: usize, back: bool) -> [(&'static str, f64); 4] {
    [
        ("WG", wg as f64),
        ("ROWS", rows as f64),
        ("COLUMNS", columns as f64),
        ("BACK", f64::from(u8::from(back))),
    ]
}

impl Op for Local {
    fn name(&self) -> &'static str {
        match self.made {
            Made::Output => "locally_connected2d",
            Made::Input => "locally_connected2d_input",
            Made::Weight => "locally_connected2d_weight",
        }
    }

    fn shape(&self, given: &[&[usize]]) -> Result<Shape> {
        let n = given[0].last().copied().unwrap_or(1);
        let [x, w, y] = self.layer.shapes(n);
        let (want, made) = match self.made {
            Made::Output => ([x, w], y),
            Made::Input => ([y, w], x),
            Made::Weight => ([x, y], w),
        };
        if want[0] != given[0] || want[1] != given[1] {
            return Err(Error::shape(
                self.name(),
                format!("wants {want:?}, got {given:?}"),
            ));
        }
        Ok(made)
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        if self.made != Made::Output {
            let what = format!("{} cannot be exported", self.name());
            return Err(Error::Config(what));
        }
        let Layer {
            c, kernel, stride, ..
        } = self.layer;
        let [oh, ow] = self.layer.output();
        // Every tap as an image of its own, [taps, C, OH, OW, N], then place by place a product with the weights.
        let x = site.plain(0);
        let mut taps = Vec::with_capacity(self.layer.taps());
        for (a, b) in (0..kernel[0]).flat_map(|a| (0..kernel[1]).map(move |b| (a, b))) {
            let end =
                |from: usize, count: usize, step: usize| (from + (count - 1) * step + 1) as i64;
            let starts = site.graph.list(&[a as i64, b as i64]);
            let ends = [end(a, oh, stride[0]), end(b, ow, stride[1])];
            let (ends, axes) = (site.graph.list(&ends), site.graph.list(&[1, 2]));
            let steps = site.graph.list(&[stride[0] as i64, stride[1] as i64]);
            let image = site.node("Slice", &[&x, &starts, &ends, &axes, &steps], &[]);
            taps.push(site.reshaped(&image, &[1, c as i64, oh as i64, ow as i64, -1]));
        }
        let taps: Vec<&str> = taps.iter().map(String::as_str).collect();
        let taps = site.node("Concat", &taps, &[("axis", Attribute::Int(0))]);
        let columns = site.permuted(&taps, &[2, 3, 1, 0, 4]);
        let terms = (c * self.layer.taps()) as i64;
        let columns = site.reshaped(&columns, &[oh as i64, ow as i64, terms, -1]);
        let w = site.plain(1);
        let y = site.node("MatMul", &[&w, &columns], &[]);
        let y = site.permuted(&y, &[2, 0, 1, 3]);
        Ok(site.made_plain(y))
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let (a, b, dz) = (at.inputs[0], at.inputs[1], at.dy);
        let op = |made, of: [Var<'t>; 2]| {
            let layer = self.layer;
            at.dy.tape().record(Local { layer, made }, &of)
        };
        match self.made {
            Made::Output => vec![
                at.want(0, || op(Made::Input, [dz, b])),
                at.want(1, || op(Made::Weight, [a, dz])),
            ],
            Made::Input => vec![
                at.want(0, || op(Made::Output, [dz, b])),
                at.want(1, || op(Made::Weight, [dz, a])),
            ],
            Made::Weight => vec![
                at.want(0, || op(Made::Input, [b, dz])),
                at.want(1, || op(Made::Output, [a, dz])),
            ],
        }
    }

    fn reads(&self, i: usize) -> Reads {
        match self.made == Made::Output && i == 0 {
            true => Reads::Half,
            false => Reads::Full,
        }
    }

    fn makes_half(&self) -> bool {
        self.made == Made::Output
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let n = l.input_shape(0).last().copied().unwrap_or(1);
        match self.made {
            Made::Output => self.layer.product(l, x[0], x[1], y, n, false),
            Made::Input => self.layer.product(l, x[0], x[1], y, n, true),
            Made::Weight => self.layer.weight(l, x[0], x[1], y, n),
        }
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let n = x[0].last().copied().unwrap_or(1);
        let [_, weights, _] = self.layer.shapes(n);
        Cost::new(2.0 * (shape::len(&weights) * n) as f64, x, y)
    }
}

impl<'t> Var<'t> {
    /// A convolution of `[C, H, W, N]` without padding whose weights `[OH, OW, O, C kh kw]` (the last index
    /// `(c kh + a) kw + b`) and bias `[OH, OW, O]` differ from place to place.
    #[track_caller]
    pub fn locally_connected2d(
        self,
        weight: Self,
        bias: Option<Self>,
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> Self {
        const NAME: &str = "locally_connected2d";
        let (x, w) = (self.shape(), weight.shape());
        let (&[c, ih, iw, _], &[_, _, o, _]) = (&x[..], &w[..]) else {
            let what =
                format!("wants x [C, H, W, N] and weights [OH, OW, O, C kh kw], got {x:?}, {w:?}");
            return self.tape.fail(Error::shape(NAME, what));
        };
        let input = [ih, iw];
        if (0..2).any(|i| kernel[i] == 0 || stride[i] == 0 || kernel[i] > input[i]) {
            let what = format!(
                "kernel {kernel:?}, stride {stride:?} on {x:?}: must be above 0, the kernel within x"
            );
            return self.tape.fail(Error::shape(NAME, what));
        }
        let layer = Layer {
            c,
            o,
            input,
            kernel,
            stride,
        };
        let made = Made::Output;
        let y = self.tape.record(Local { layer, made }, &[self, weight]);
        let Some(bias) = bias else {
            return y;
        };
        let [oh, ow] = layer.output();
        if bias.shape() != [oh, ow, o] {
            let what = format!("wants bias {:?}, got {:?}", [oh, ow, o], bias.shape());
            return self.tape.fail(Error::shape(NAME, what));
        }
        y + bias.permute(&[2, 0, 1]).unsqueeze_to(4)
    }
}
