//! Convolutions in one, two and three dimensions, transposed ones, and with them dense layers and matrix products.
//!
//! Three maps, each linear in both operands and each a derivative of the others, so that derivatives of any order exist:
//! `Small` (large side and weights to small side: the ordinary convolution), `Large` (small side and weights to large side:
//! the transposed one) and `Weight` (both sides to weights). Weights are PyTorch's `[S, L, kd, kh, kw]`.

use std::sync::Arc;

use super::conv_tiled as tiled;
use super::elementwise::Function;
use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::onnx::Attribute;
use crate::tape::{Cost, Exported, Lowering, Op, Reads, Shape, Site, Slot, Var, Vjp};
use crate::{Error, Result};

/// Stride and zero padding by axis (D, H, W).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvSpec {
    /// Distance of neighbouring outputs in the input.
    pub stride: [usize; 3],
    /// Zeros before and after the input.
    pub padding: [usize; 3],
}

impl Default for ConvSpec {
    fn default() -> Self {
        Self {
            stride: [1; 3],
            padding: [0; 3],
        }
    }
}

impl ConvSpec {
    /// Stride and padding of a two-dimensional convolution (H, W).
    pub fn of2d(stride: [usize; 2], padding: [usize; 2]) -> Self {
        Self {
            stride: [1, stride[0], stride[1]],
            padding: [0, padding[0], padding[1]],
        }
    }
}

/// Which of the three operands a convolution makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Makes {
    Small,
    Large,
    Weight,
}

/// One of the three maps, with what comes after it in the kernel. A bias is `[C]`; the compiler makes those by cell,
/// `[C,D,H,W]`, for fixed weights (`tape/simplify/cells.rs`).
#[derive(Clone, Debug)]
pub struct Conv {
    pub(crate) makes: Makes,
    pub(crate) spec: ConvSpec,
    /// Extents of the large side, which the small one does not determine.
    pub(crate) large: [usize; 3],
    /// Kernel extents, which the sides do not determine.
    pub(crate) kernel: [usize; 3],
    /// Slope below 0 of the activation; 1 is none.
    pub(crate) slope: f32,
    /// Independent layers side by side: the channels of either side fall into so many equal parts, and so do the weights along
    /// S. More than one are made by the compiler (`tape/simplify/siblings.rs`).
    pub(crate) groups: usize,
    /// The bias is by cell.
    pub(crate) bias_by_cell: bool,
}

params! {
    /// See `conv_plain.wgsl`.
    ConvPlainParams {
        s: u32, l: u32, n: u32,
        d: u32, h: u32, w: u32, od: u32, oh: u32, ow: u32,
        kd: u32, kh: u32, kw: u32, sd: u32, sh: u32, sw: u32, pd: u32, ph: u32, pw: u32,
        bias: u32, slope: f32,
    }
}

const SOURCE: &str = wgsl!("conv_plain.wgsl", "lib/index.wgsl");
const FULL: &[crate::gpu::Binding] = &[read(1, "a"), read(2, "b"), read(3, "c"), write(4, "y")];
static SMALL: Kernel =
    Kernel::new::<ConvPlainParams>("conv_plain.wgsl", SOURCE, "conv_small_plain", FULL);
static LARGE: Kernel =
    Kernel::new::<ConvPlainParams>("conv_plain.wgsl", SOURCE, "conv_large_plain", FULL);
static WEIGHT: Kernel = Kernel::new::<ConvPlainParams>(
    "conv_plain.wgsl",
    SOURCE,
    "conv_weight_plain",
    &[read(1, "a"), read(2, "b"), write(4, "y")],
);

pub(super) static KERNELS: &[&Kernel] = &[&SMALL, &LARGE, &WEIGHT];

/// The extents of one convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extents {
    pub small_channels: usize,
    pub large_channels: usize,
    pub batch: usize,
    pub large: [usize; 3],
    pub small: [usize; 3],
    pub kernel: [usize; 3],
    pub spec: ConvSpec,
}

impl Extents {
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    pub fn small_voxels(&self) -> usize {
        self.small.iter().product()
    }
}

fn axes(shape: &[usize]) -> [usize; 3] {
    [shape[1], shape[2], shape[3]]
}

impl Conv {
    fn name(&self) -> &'static str {
        match self.makes {
            Makes::Small => "conv",
            Makes::Large => "conv_transpose",
            Makes::Weight => "conv_weight",
        }
    }

    /// Extents of the small side.
    pub(crate) fn small(&self) -> Option<[usize; 3]> {
        let mut out = [0; 3];
        for (i, o) in out.iter_mut().enumerate() {
            let room = (self.large[i] + 2 * self.spec.padding[i]).checked_sub(self.kernel[i])?;
            *o = room / self.spec.stride[i].max(1) + 1;
        }
        Some(out)
    }

    /// Extents of one group.
    fn extents(&self, x: &[&[usize]]) -> Result<Extents> {
        let wrong = |what: String| Error::shape(self.name(), what);
        let describe = || format!("{x:?}, kernel {:?}, {:?}", self.kernel, self.spec);
        if x[0].len() != 5 || x[1].len() != 5 {
            return Err(wrong(format!(
                "expected [C,D,H,W,N] and five axes of weights, got {}",
                describe()
            )));
        }
        let small = self
            .small()
            .filter(|_| self.spec.stride.iter().all(|&s| s > 0));
        let small = small.ok_or_else(|| {
            wrong(format!(
                "the kernel is larger than the padded input: {}",
                describe()
            ))
        })?;
        let e = |small_channels, large_channels, batch| Extents {
            small_channels,
            large_channels,
            batch,
            large: self.large,
            small,
            kernel: self.kernel,
            spec: self.spec,
        };
        let groups = self.groups;
        let (fits, e) = match self.makes {
            Makes::Small => (
                x[0][0] == groups * x[1][1] && axes(x[0]) == self.large && x[1][2..] == self.kernel,
                e(x[1][0] / groups, x[1][1], x[0][4]),
            ),
            Makes::Large => (
                x[0][0] == x[1][0] && axes(x[0]) == small && x[1][2..] == self.kernel,
                e(x[1][0] / groups, x[1][1], x[0][4]),
            ),
            Makes::Weight => (
                axes(x[0]) == self.large && axes(x[1]) == small && x[0][4] == x[1][4],
                e(x[1][0], x[0][0], x[0][4]),
            ),
        };
        if !fits {
            return Err(wrong(format!(
                "operands do not fit each other: {}",
                describe()
            )));
        }
        if let Some(bias) = x.get(2) {
            let (channels, cells) = match self.makes {
                Makes::Small => (groups * e.small_channels, small),
                _ => (groups * e.large_channels, self.large),
            };
            let mut wanted = vec![channels];
            if self.bias_by_cell {
                wanted.extend(cells);
            }
            if **bias != wanted[..] {
                return Err(wrong(format!(
                    "expected a bias of {wanted:?}, got {bias:?}"
                )));
            }
        }
        Ok(e)
    }

    /// Each result is made of a single cell, the one in its place.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.spec == ConvSpec::default() && self.kernel == [1; 3]
    }

    fn derivative(&self, makes: Makes) -> Self {
        Self {
            makes,
            slope: 1.0,
            ..self.clone()
        }
    }

    /// The plain kernel.
    fn lower_plain(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot, e: &Extents) -> Result<()> {
        const WG: usize = 64;
        let [[d, h, w], [od, oh, ow], [kd, kh, kw]] =
            [e.large, e.small, e.kernel].map(|a| a.map(|v| v as u32));
        let [[sd, sh, sw], [pd, ph, pw]] =
            [e.spec.stride, e.spec.padding].map(|a| a.map(|v| v as u32));
        let bias = u32::from(x.len() > 2);
        let (s, c, n) = (
            e.small_channels as u32,
            e.large_channels as u32,
            e.batch as u32,
        );
        let params = ConvPlainParams {
            s,
            l: c,
            n,
            d,
            h,
            w,
            od,
            oh,
            ow,
            kd,
            kh,
            kw,
            sd,
            sh,
            sw,
            pd,
            ph,
            pw,
            bias,
            slope: self.slope,
        };
        let (kernel, count) = match self.makes {
            Makes::Small => (&SMALL, e.small_channels * e.small_voxels() * e.batch),
            Makes::Large => (
                &LARGE,
                e.large_channels * e.large.iter().product::<usize>() * e.batch,
            ),
            Makes::Weight => (&WEIGHT, e.small_channels * e.large_channels * e.taps()),
        };
        let mut slots = vec![x[0], x[1]];
        if self.makes != Makes::Weight {
            slots.push(*x.get(2).unwrap_or(&x[1]));
        }
        slots.push(y);
        l.dispatch(
            kernel,
            &params,
            &[("WG", WG as f64)],
            &slots,
            fold(count.div_ceil(WG) as u64),
        )
    }
}

impl Op for Conv {
    fn name(&self) -> &'static str {
        self.name()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let e = self.extents(x)?;
        Ok(match self.makes {
            Makes::Small => vec![
                self.groups * e.small_channels,
                e.small[0],
                e.small[1],
                e.small[2],
                e.batch,
            ],
            Makes::Large => vec![
                self.groups * e.large_channels,
                e.large[0],
                e.large[1],
                e.large[2],
                e.batch,
            ],
            Makes::Weight => {
                vec![
                    e.small_channels,
                    e.large_channels,
                    e.kernel[0],
                    e.kernel[1],
                    e.kernel[2],
                ]
            }
        })
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        assert_eq!(
            self.groups, 1,
            "made by the compiler, after differentiation"
        );
        let (a, b, dy) = (at.inputs[0], at.inputs[1], at.dy);
        let make = |makes, x: &[Var<'t>]| dy.tape().record(self.derivative(makes), x);
        let mut out = match self.makes {
            // a = large side, b = weights, dy on the small side
            Makes::Small => vec![
                at.want(0, || make(Makes::Large, &[dy, b])),
                at.want(1, || make(Makes::Weight, &[a, dy])),
            ],
            // a = small side, b = weights, dy on the large side
            Makes::Large => vec![
                at.want(0, || make(Makes::Small, &[dy, b])),
                at.want(1, || make(Makes::Weight, &[dy, a])),
            ],
            // a = large side, b = small side, dy weights
            Makes::Weight => vec![
                at.want(0, || make(Makes::Large, &[b, dy])),
                at.want(1, || make(Makes::Small, &[a, dy])),
            ],
        };
        if at.inputs.len() > 2 {
            out.push(at.want(2, || dy.sum(&[1, 2, 3, 4])));
        }
        out
    }

    fn pointwise(&self) -> Option<&Conv> {
        let plain = self.is_pointwise() && self.groups == 1;
        (plain && self.makes != Makes::Weight).then_some(self)
    }

    fn reads(&self, i: usize) -> Reads {
        match self.makes != Makes::Weight && i == 0 {
            true => Reads::Half,
            false => Reads::Full,
        }
    }

    fn makes_half(&self) -> bool {
        self.makes != Makes::Weight
    }

    fn with_activation(&self, function: Function) -> Option<Arc<dyn Op>> {
        match function {
            Function::LeakyRelu(slope) if self.slope == 1.0 && self.makes != Makes::Weight => {
                Some(Arc::new(Self {
                    slope,
                    ..self.clone()
                }))
            }
            _ => None,
        }
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let shapes: Vec<Shape> = (0..x.len()).map(|i| l.input_shape(i).to_vec()).collect();
        let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let e = self.extents(&views)?;
        if l.plain() && self.groups == 1 {
            self.lower_plain(l, x, y, &e)
        } else {
            tiled::lower(self, l, x, y, &e)
        }
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let shapes: Vec<Shape> = (0..site.len())
            .map(|i| site.input_shape(i).to_vec())
            .collect();
        let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let e = self.extents(&views)?;
        let (mut x, mut w) = (site.leading(0, 4), site.plain(1));
        let bias = (site.len() > 2).then(|| site.plain(2));
        let dense = e.taps() == 1 && e.large == [1; 3] && e.small == [1; 3];
        let (given, made) = match self.makes {
            Makes::Small => (e.large_channels, e.small_channels),
            Makes::Large => (e.small_channels, e.large_channels),
            Makes::Weight => {
                let what = "the gradient of a convolution's weights cannot be exported";
                return Err(Error::Config(what.into()));
            }
        };
        if dense {
            x = site.reshaped(&x, &[-1, given as i64]);
            w = site.reshaped(&w, &[e.small_channels as i64, e.large_channels as i64]);
        }
        let mut inputs = vec![x.as_str(), &w];
        inputs.extend(bias.as_deref());
        let ints = |list: &[usize]| Attribute::Ints(list.iter().map(|&v| v as i64).collect());
        let (spec, pads) = (e.spec, [e.spec.padding, e.spec.padding].concat());
        let mut attributes = vec![
            ("kernel_shape", ints(&e.kernel)),
            ("strides", ints(&spec.stride)),
            ("pads", ints(&pads)),
        ];
        let y = match (dense, self.makes) {
            (true, makes) => {
                let across = i64::from(makes == Makes::Small);
                let y = site.node("Gemm", &inputs, &[("transB", Attribute::Int(across))]);
                site.reshaped(&y, &[-1, made as i64, 1, 1, 1])
            }
            (_, Makes::Small) => site.node("Conv", &inputs, &attributes),
            _ => {
                let more: Vec<usize> = (0..3)
                    .map(|i| {
                        let reach = (e.small[i] - 1) * spec.stride[i] + e.kernel[i];
                        e.large[i] + 2 * spec.padding[i] - reach
                    })
                    .collect();
                attributes.push(("output_padding", ints(&more)));
                site.node("ConvTranspose", &inputs, &attributes)
            }
        };
        Ok(super::onnx::channels_last(site, y))
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let macs = self.extents(x).map_or(0.0, |e| {
            let pairs = (self.groups * e.small_channels * e.large_channels * e.batch) as f64;
            // Taps beyond the border are counted: what a plain implementation would do.
            pairs * (e.small_voxels() * e.taps()) as f64
        });
        Cost::new(2.0 * macs, x, y)
    }
}

impl<'t> Var<'t> {
    /// Convolution of `[L,D,H,W,N]` with weights `[S,L,kd,kh,kw]` to `[S,OD,OH,OW,N]`, as PyTorch's `conv3d`:
    /// `y[s,o,n] = bias[s] + sum over l, k of w[s,l,k] x[l, o stride + k - padding, n]`.
    #[track_caller]
    pub fn conv(self, weight: Self, bias: Option<Self>, spec: &ConvSpec) -> Self {
        self.convolve(Makes::Small, weight, bias, spec, |v, i| v.extent(1 + i))
    }

    /// Transposed convolution of `[S,D,H,W,N]` with weights `[S,L,kd,kh,kw]` to `[L,..]`, as PyTorch's
    /// `conv_transpose3d`: extents `(n - 1) stride - 2 padding + k + output_padding`.
    #[track_caller]
    pub fn conv_transpose(
        self,
        weight: Self,
        bias: Option<Self>,
        spec: &ConvSpec,
        output_padding: [usize; 3],
    ) -> Self {
        let (kernel, spec) = (weight.shape(), *spec);
        self.convolve(Makes::Large, weight, bias, &spec, |v, i| {
            let reach =
                (v.extent(1 + i) - 1) * spec.stride[i] + kernel.get(2 + i).copied().unwrap_or(1);
            (reach + output_padding[i]).saturating_sub(2 * spec.padding[i])
        })
    }

    #[track_caller]
    fn convolve(
        self,
        makes: Makes,
        weight: Self,
        bias: Option<Self>,
        spec: &ConvSpec,
        large: impl Fn(&Self, usize) -> usize,
    ) -> Self {
        let k = weight.shape();
        let kernel = [2, 3, 4].map(|i| k.get(i).copied().unwrap_or(1));
        let large = [0, 1, 2].map(|i| large(&self, i));
        let mut inputs = vec![self, weight];
        inputs.extend(bias);
        self.tape.record(
            Conv {
                makes,
                spec: *spec,
                large,
                kernel,
                slope: 1.0,
                groups: 1,
                bias_by_cell: false,
            },
            &inputs,
        )
    }

    /// Dense layer: `y[o,..,n] = bias[o] + sum over i of w[o,i] x[i,..,n]` for `[I,..,N]` and weights `[O,I]`.
    #[track_caller]
    pub fn linear(self, weight: Self, bias: Option<Self>) -> Self {
        let (x, w) = (self.shape(), weight.shape());
        if x.is_empty() || w.len() != 2 || w[1] != x[0] {
            let what = format!("expected x [I,..,N] and weights [O,I], got {x:?} and {w:?}");
            return self.tape.fail(Error::shape("linear", what));
        }
        let columns: usize = x[1..].iter().product();
        let y = self.reshape(&[x[0], 1, 1, 1, columns]).conv(
            weight.reshape(&[w[0], w[1], 1, 1, 1]),
            bias,
            &ConvSpec::default(),
        );
        let mut shape = x;
        shape[0] = w[0];
        y.reshape(&shape)
    }
}
