//! Moving data without arithmetic: reshape, slice, pad, crop, concat. Axes in another order: `permute`.

use crate::gpu::{Binding, Kernel, fold, params, read, wgsl, write};
use crate::onnx::Attribute;
use crate::tape::{Exported, Lowering, Op, Reads, Shape, Site, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `move.wgsl`.
    MoveParams {
        count: u32, e1: u32, e2: u32, e3: u32, e4: u32,
        step0: u32, step1: u32, step2: u32, step3: u32, step4: u32,
        low0: u32, low1: u32, low2: u32, low3: u32, low4: u32,
        have0: u32, have1: u32, have2: u32, have3: u32, have4: u32,
        fill: f32, first: u32, inner: u32, jump: u32,
    }
}

const SOURCE: &str = wgsl!("move.wgsl", "lib/index.wgsl", "lib/four.wgsl");
static WINDOW: Kernel = Kernel::new::<MoveParams>("move.wgsl", SOURCE, "move_window", OF_ONE);
static INTO: Kernel = Kernel::new::<MoveParams>("move.wgsl", SOURCE, "move_into", OF_ONE);
static WINDOW_FOUR: Kernel =
    Kernel::new::<MoveParams>("move.wgsl", SOURCE, "move_window_four", OF_FOUR);
static INTO_FOUR: Kernel =
    Kernel::new::<MoveParams>("move.wgsl", SOURCE, "move_into_four", OF_FOUR);
const OF_ONE: &[Binding] = &[read(1, "x").or_half(), write(2, "y").or_half()];
const OF_FOUR: &[Binding] = &[read(1, "x4").or_half(), write(2, "y4").or_half()];

pub(super) static KERNELS: &[&Kernel] = &[&WINDOW, &WINDOW_FOUR, &INTO, &INTO_FOUR];

const WG: usize = 64;
const RANK: usize = 5;

/// One axis of a window.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// Extent in the result.
    pub extent: usize,
    /// Stride in the source.
    pub stride: usize,
    /// First coordinate that has an element in the source.
    pub low: isize,
    /// How many coordinates from there on have one.
    pub have: usize,
}

impl Axis {
    /// Every coordinate has an element in the source.
    pub fn whole(extent: usize, stride: usize) -> Self {
        Self {
            extent,
            stride,
            low: 0,
            have: extent,
        }
    }

    fn is_whole(&self) -> bool {
        self.low == 0 && self.have == self.extent
    }
}

/// Writes `y` from `x`, axis by axis; `fill` where `x` has no element.
pub(super) fn window(
    l: &mut Lowering<'_>,
    x: Slot,
    y: Slot,
    axes: &[Axis],
    fill: f32,
    op: &'static str,
) -> Result<()> {
    let mut merged = merge(axes);
    let fours = in_fours(&mut merged);
    if merged.len() > RANK {
        let extents: Vec<usize> = axes.iter().map(|a| a.extent).collect();
        let what = format!("more than {RANK} axes of different strides: {extents:?}");
        return Err(Error::shape(op, what));
    }
    let mut a = [Axis::whole(1, 0); RANK];
    a[RANK - merged.len()..].copy_from_slice(&merged);
    let count: usize = a.iter().map(|a| a.extent).product();
    let mut words = vec![count as u32];
    words.extend(a[1..].iter().map(|a| a.extent as u32));
    words.extend(a.iter().map(|a| a.stride as u32));
    words.extend(a.iter().map(|a| a.low as u32));
    words.extend(a.iter().map(|a| a.have as u32));
    words.extend([fill.to_bits(), 0, 0, 0]);
    let params: MoveParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
    l.dispatch(
        if fours { &WINDOW_FOUR } else { &WINDOW },
        &params,
        &[("WG", WG as f64)],
        &[x, y],
        fold(count.div_ceil(WG) as u64),
    )
}

/// Joins neighbouring axes that are whole and contiguous in the source.
fn merge(axes: &[Axis]) -> Vec<Axis> {
    let mut out: Vec<Axis> = Vec::new();
    for axis in axes.iter().filter(|a| a.extent != 1 || !a.is_whole()) {
        if let Some(last) = out.last_mut()
            && last.is_whole()
            && axis.is_whole()
            && last.stride == axis.stride * axis.extent
        {
            *last = Axis::whole(last.extent * axis.extent, axis.stride);
        } else {
            out.push(*axis);
        }
    }
    out
}

/// Counts fours instead of elements where the last axis is whole and all rows begin at a multiple of four.
fn in_fours(axes: &mut [Axis]) -> bool {
    let Some((last, before)) = axes.split_last_mut() else {
        return false;
    };
    let even = before.iter().all(|axis| axis.stride.is_multiple_of(4));
    if last.stride != 1 || !last.is_whole() || !even || !last.extent.is_multiple_of(4) {
        return false;
    }
    *last = Axis::whole(last.extent / 4, 1);
    before.iter_mut().for_each(|axis| axis.stride /= 4);
    true
}

pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// The same elements under another shape.
#[derive(Debug)]
struct Reshape(Shape);

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        if shape::len(x[0]) != shape::len(&self.0) {
            return Err(Error::shape(
                "reshape",
                format!("{:?} does not hold the elements of {:?}", self.0, x[0]),
            ));
        }
        Ok(self.0.clone())
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![at.want(0, || at.dy.reshape(&at.inputs[0].shape()))]
    }

    fn reads(&self, _: usize) -> Reads {
        Reads::Moved
    }

    fn lower(&self, _: &mut Lowering<'_>, _: &[Slot], _: Slot) -> Result<()> {
        Ok(())
    }

    fn is_view(&self) -> bool {
        true
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

/// Cuts or pads each axis: result coordinate c holds source coordinate c - low.
#[derive(Debug)]
pub(crate) struct Window {
    low: Vec<isize>,
    shape: Shape,
    fill: f32,
}

impl Window {
    /// Zeros before the first cell along D, H, W of `[C,D,H,W,N]` or `[C,H,W,N]`, if `x` loses nothing and all that is new
    /// are zeros around its cells.
    pub(crate) fn zeros_before(&self, x: &[usize]) -> Option<[usize; 3]> {
        let rank = x.len();
        let spatial = |d: usize| (1..rank - 1).contains(&d);
        let only_zeros = (0..rank).all(|d| match usize::try_from(self.low[d]) {
            Ok(low) if spatial(d) => low + x[d] <= self.shape[d],
            Ok(low) => low == 0 && x[d] == self.shape[d],
            Err(_) => false,
        });
        if self.fill != 0.0 || !only_zeros || !(4..=5).contains(&rank) {
            return None;
        }
        let mut before = [0; 3];
        for (i, zeros) in before.iter_mut().enumerate().skip(5 - rank) {
            *zeros = self.low[i + rank - 4] as usize;
        }
        Some(before)
    }
}

impl Op for Window {
    fn name(&self) -> &'static str {
        "window"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        if self.shape.len() != x[0].len() || self.shape.contains(&0) {
            return Err(Error::shape(
                "window",
                format!("{:?} cut or padded to {:?}", x[0], self.shape),
            ));
        }
        Ok(self.shape.clone())
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let back = Window {
            low: self.low.iter().map(|l| -l).collect(),
            shape: at.inputs[0].shape(),
            fill: 0.0,
        };
        vec![at.want(0, || at.dy.tape().record(back, &[at.dy]))]
    }

    fn reads(&self, _: usize) -> Reads {
        Reads::Moved
    }

    fn makes_half(&self) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let have = l.input_shape(0).to_vec();
        let steps = strides(&have);
        let axes: Vec<Axis> = (0..have.len())
            .map(|d| Axis {
                extent: self.shape[d],
                stride: steps[d],
                low: self.low[d],
                have: have[d],
            })
            .collect();
        // A negative low wraps in the kernel: c + |low| stays in range there because it is compared with `have`.
        window(l, x[0], y, &axes, self.fill, "window")
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let have = site.input_shape(0).to_vec();
        let (first, rank) = (site.events(), have.len());
        let mut y = site.aligned(0);
        let (mut axes, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
        for d in (0..rank).filter(|&d| Some(d) != first) {
            let (low, extent, have) = (self.low[d] as i64, self.shape[d] as i64, have[d] as i64);
            let (start, end) = ((-low).max(0), (extent - low).min(have));
            if (start, end) != (0, have) {
                axes.push(Site::place(first, d) as i64);
                starts.push(start);
                ends.push(end);
            }
            before[Site::place(first, d)] = low.max(0);
            after[Site::place(first, d)] = (extent - low - have).max(0);
        }
        if !axes.is_empty() {
            let [starts, ends, axes] = [&starts, &ends, &axes].map(|l| site.graph.list(l));
            y = site.node("Slice", &[&y, &starts, &ends, &axes], &[]);
        }
        if before.iter().chain(&after).any(|&n| n > 0) {
            let pads: Vec<i64> = before.into_iter().chain(after).collect();
            let (pads, fill) = (site.graph.list(&pads), site.graph.number(self.fill));
            y = site.node("Pad", &[&y, &pads, &fill], &[]);
        }
        Ok(site.made_leading(y))
    }
}

/// Joins tensors along an axis.
#[derive(Debug)]
pub(crate) struct Concat(pub(crate) usize);

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let mut out = x[0].to_vec();
        for s in &x[1..] {
            let agree = s.len() == out.len() && (0..s.len()).all(|d| d == self.0 || s[d] == out[d]);
            if !agree || self.0 >= out.len() {
                return Err(Error::shape(
                    "concat",
                    format!("shapes {x:?} along axis {}", self.0),
                ));
            }
            out[self.0] += s[self.0];
        }
        Ok(out)
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let parts: Vec<String> = (0..site.len()).map(|i| site.aligned(i)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let axis = Site::place(site.events(), self.0) as i64;
        let y = site.node("Concat", &parts, &[("axis", Attribute::Int(axis))]);
        Ok(site.made_leading(y))
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let mut first = 0;
        (0..at.inputs.len())
            .map(|i| {
                let (start, size) = (first, at.inputs[i].extent(self.0));
                first += size;
                at.want(i, || at.dy.slice(self.0, start, start + size))
            })
            .collect()
    }

    fn reads(&self, _: usize) -> Reads {
        Reads::Moved
    }

    fn makes_half(&self) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let (_, whole, inner) = shape::around(l.output_shape(), self.0);
        let mut first = 0;
        for (i, &slot) in x.iter().enumerate() {
            let shape = l.input_shape(i).to_vec();
            let mine = shape[self.0] * inner;
            let numbers = [shape::len(&shape), first, mine, whole * inner];
            let fours = numbers.iter().all(|n| n.is_multiple_of(4));
            let [count, at, inner, jump] = numbers.map(|n| if fours { n / 4 } else { n } as u32);
            let params = MoveParams {
                count,
                first: at,
                inner,
                jump,
                ..Default::default()
            };
            let groups = (count as usize).div_ceil(WG) as u64;
            l.dispatch(
                if fours { &INTO_FOUR } else { &INTO },
                &params,
                &[("WG", WG as f64)],
                &[slot, y],
                fold(groups),
            )?;
            first += mine;
        }
        Ok(())
    }
}

impl<'t> Var<'t> {
    /// The same elements in the same order under another shape.
    #[track_caller]
    pub fn reshape(self, shape: &[usize]) -> Self {
        if self.shape() == shape {
            return self;
        }
        self.tape.record(Reshape(shape.to_vec()), &[self])
    }

    /// The same value, through which no gradient flows.
    #[track_caller]
    pub fn detach(self) -> Self {
        self.tape.record(Detach, &[self])
    }

    /// Drops `axes`, whose extent must be 1.
    #[track_caller]
    pub fn squeeze(self, axes: &[usize]) -> Self {
        let shape = self.shape();
        let kept: Vec<usize> = (0..shape.len())
            .filter(|d| !axes.contains(d))
            .map(|d| shape[d])
            .collect();
        self.reshape(&kept)
    }

    /// Appends axes of extent 1 up to `rank`, so that a per-channel tensor broadcasts over voxels and showers.
    #[track_caller]
    pub fn unsqueeze_to(self, rank: usize) -> Self {
        let mut shape = self.shape();
        shape.resize(rank.max(shape.len()), 1);
        self.reshape(&shape)
    }

    /// All axes but the last merged: `[C, D, H, W, N]` to `[C D H W, N]`.
    #[track_caller]
    pub fn flatten(self) -> Self {
        let shape = self.shape();
        let n = shape.last().copied().unwrap_or(1);
        self.reshape(&[shape::len(&shape) / n, n])
    }

    /// Elements `[start, end)` along `axis`.
    #[track_caller]
    pub fn slice(self, axis: usize, start: usize, end: usize) -> Self {
        let mut shape = self.shape();
        if axis >= shape.len() || start >= end || end > shape[axis] {
            let what = format!("[{start}, {end}) of axis {axis} of {shape:?}");
            return self.tape.fail(Error::shape("slice", what));
        }
        if start == 0 && end == shape[axis] {
            return self;
        }
        let mut low = vec![0; shape.len()];
        low[axis] = -(start as isize);
        shape[axis] = end - start;
        self.tape.record(
            Window {
                low,
                shape,
                fill: 0.0,
            },
            &[self],
        )
    }

    /// Adds `(before, after)` elements of value `fill` on each axis.
    #[track_caller]
    pub fn pad(self, around: &[(usize, usize)], fill: f32) -> Self {
        let shape = self.shape();
        if around.len() != shape.len() {
            return self.tape.fail(Error::shape(
                "pad",
                format!("{} pairs for {shape:?}", around.len()),
            ));
        }
        let low = around.iter().map(|p| p.0 as isize).collect();
        let shape = shape
            .iter()
            .zip(around)
            .map(|(s, p)| s + p.0 + p.1)
            .collect();
        self.tape.record(Window { low, shape, fill }, &[self])
    }

    /// Takes `size[d]` elements from `start[d]` on each axis.
    #[track_caller]
    pub fn crop(self, start: &[usize], size: &[usize]) -> Self {
        let shape = self.shape();
        let inside = start.len() == shape.len()
            && size.len() == shape.len()
            && (0..shape.len()).all(|d| size[d] > 0 && start[d] + size[d] <= shape[d]);
        if !inside {
            return self.tape.fail(Error::shape(
                "crop",
                format!("{size:?} from {start:?} of {shape:?}"),
            ));
        }
        let low = start.iter().map(|&s| -(s as isize)).collect();
        self.tape.record(
            Window {
                low,
                shape: size.to_vec(),
                fill: 0.0,
            },
            &[self],
        )
    }

    /// Joins tensors along `axis`.
    #[track_caller]
    pub fn concat(parts: &[Self], axis: usize) -> Self {
        match parts {
            [one] => *one,
            [first, ..] => first.tape.record(Concat(axis), parts),
            [] => panic!("concat of nothing"),
        }
    }
}
