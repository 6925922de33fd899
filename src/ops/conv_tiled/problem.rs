//! A convolution as the tiled kernels see it, and the tile that suits it.

use super::Device;
use crate::ops::conv::Extents;

/// What a lane computes: `4 quads` output channels of `4 groups` columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    pub(super) wg: u32,
    pub(super) quads: u32,
    pub(super) groups: u32,
    /// Rows of such groups, neighbours along h: they share what is loaded too.
    pub(super) rows: u32,
    /// The sum over inputs is split into so many parts.
    pub(super) parts: u32,
    /// Terms of the sum taken at once: so many taps along w of so many inputs.
    pub(super) taps: u32,
    pub(super) deep: u32,
    /// The groups are neighbours along w, where these read some of the same inputs: a loaded element serves several taps.
    pub(super) share: bool,
}

impl Tile {
    /// How many of the last four outputs exist, so far as all tiles have as many.
    pub(super) fn last(self, outputs: u32) -> u32 {
        match outputs.checked_sub(4 * (self.quads - 1)) {
            Some(last) => last.clamp(1, 4),
            None => 1,
        }
    }
}

/// Distance of what neighbours read up to which the kernel's arrays hold what they load together.
const MOST_APART: u32 = 3;

/// Outputs up to which a layer takes many taps at once, and so adds up in another order.
pub(crate) const FEW_OUTPUTS: usize = 4;

/// A convolution from `inputs` to `outputs` channels, or a transposed one. Extents, strides and padding are by axis in the order
/// in which the axes are walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub(super) transposed: bool,
    pub(super) batch: u32,
    pub(super) inputs: u32,
    pub(super) outputs: u32,
    pub(super) input: [u32; 3],
    pub(super) output: [u32; 3],
    pub(super) kernel: [u32; 3],
    pub(super) stride: [u32; 3],
    pub(super) pad: [u32; 3],
    /// Where each of the axes stands in memory.
    order: [usize; 3],
}

/// Fours of outputs that a lane computes, unless measured.
pub(super) fn quads(outputs: u32) -> u32 {
    match outputs {
        0..=4 => 1,
        5..=8 => 2,
        _ => 4,
    }
}

/// `y[o,m] = sum over i of w[o,i] x[i,m]` as a problem.
pub(super) fn dense(outputs: u32, inputs: u32, columns: u32, transposed: bool) -> Problem {
    let one = [1; 3];
    Problem {
        transposed,
        batch: columns,
        inputs,
        outputs,
        input: one,
        output: one,
        kernel: one,
        stride: one,
        pad: [0; 3],
        order: [0, 1, 2],
    }
}

impl Problem {
    /// `biased`: each output channel has a number added.
    pub(super) fn new(e: &Extents, transposed: bool, biased: bool) -> Self {
        let [large, small, kernel, stride, pad] =
            [e.large, e.small, e.kernel, e.spec.stride, e.spec.padding]
                .map(|a| a.map(|v| v as u32));
        let (s, l) = (e.small_channels as u32, e.large_channels as u32);
        let (inputs, outputs) = if transposed { (s, l) } else { (l, s) };
        let (input, output) = if transposed {
            (small, large)
        } else {
            (large, small)
        };
        let whole = Self {
            transposed,
            batch: e.batch as u32,
            inputs,
            outputs,
            input,
            output,
            kernel,
            stride,
            pad,
            order: [0, 1, 2],
        };
        // A kernel of 1 is a dense layer over all voxels and showers: one long row suits every kernel.
        if kernel == [1; 3] && stride == [1; 3] && pad == [0; 3] {
            return dense(
                outputs,
                inputs,
                whole.batch * input.iter().product::<u32>(),
                transposed,
            );
        }
        // With a kernel as large as the large side the small one is a single voxel: a dense layer to or from all the others.
        if large == kernel && small == [1; 3] && pad == [0; 3] {
            if !transposed {
                return dense(outputs, inputs * whole.taps(), whole.batch, false);
            }
            if !biased {
                return dense(outputs * whole.taps(), inputs, whole.batch, true);
            }
        }
        whole
    }

    /// Extents as both kernels' parameter blocks begin: sides, kernel, stride, padding, each (D, H, W).
    pub(super) fn words(&self) -> Vec<u32> {
        [self.input, self.output, self.kernel, self.stride, self.pad].concat()
    }

    /// Elements from one cell to the next along each axis in x and y, and from one tap to the next in the weights, as the
    /// parameter block of `conv.wgsl` has them.
    pub(super) fn steps(&self) -> Vec<u32> {
        let steps = |extents: [u32; 3], unit: u32| {
            let mut in_memory = [0; 3];
            for (extent, place) in extents.into_iter().zip(self.order) {
                in_memory[place] = extent;
            }
            let apart = [
                in_memory[1] * in_memory[2] * unit,
                in_memory[2] * unit,
                unit,
            ];
            self.order.map(|place| apart[place])
        };
        [
            steps(self.input, self.batch),
            steps(self.output, self.batch),
            steps(self.kernel, 1),
        ]
        .concat()
    }

    /// The same with the axis walked last along which an input serves most outputs: there a lane's neighbours share what they
    /// load.
    pub(super) fn turned(&self) -> Self {
        // How many outputs an input serves, in sixths.
        let serves = |a: usize| match self.phase_taps(a) {
            taps if taps >= 3 && self.shares(a) => 6 * taps / self.apart(a),
            _ => 6,
        };
        let last = (0..3).max_by_key(|&a| serves(a)).unwrap_or(2);
        let order = [(last + 1) % 3, (last + 2) % 3, last];
        let turn = |v: [u32; 3]| order.map(|a| v[a]);
        Self {
            input: turn(self.input),
            output: turn(self.output),
            kernel: turn(self.kernel),
            stride: turn(self.stride),
            pad: turn(self.pad),
            order: order.map(|a| self.order[a]),
            ..*self
        }
    }

    /// Stride of the output cells of one phase.
    fn step(&self, a: usize) -> u32 {
        if self.transposed { self.stride[a] } else { 1 }
    }

    /// Output cells along an axis in one phase.
    pub(super) fn width(&self, a: usize) -> u32 {
        self.output[a].div_ceil(self.step(a))
    }

    /// Taps along an axis in one phase.
    fn phase_taps(&self, a: usize) -> u32 {
        self.kernel[a].div_ceil(self.step(a))
    }

    /// How far apart neighbouring outputs of a phase read along an axis, in inputs.
    pub(super) fn apart(&self, a: usize) -> u32 {
        if self.transposed { 1 } else { self.stride[a] }
    }

    /// Whether neighbours along an axis, taken together, load fewer inputs than one by one.
    fn shares(&self, a: usize) -> bool {
        let (taps, width) = (self.phase_taps(a), self.width(a));
        match self.apart(a) {
            1 if taps == 2 => self.kernel[a] == 2 * self.step(a) && width >= 2,
            apart @ 1..=MOST_APART => taps > apart && taps >= 3 && width >= 3,
            _ => false,
        }
    }

    pub(super) fn taps(&self) -> u32 {
        self.kernel.iter().product()
    }

    pub(super) fn phases(&self) -> u32 {
        if self.transposed {
            self.stride.iter().product()
        } else {
            1
        }
    }

    /// Columns of the largest phase, in pieces that a lane takes along w.
    pub(super) fn columns(&self, t: Tile) -> u64 {
        let across = if t.share { t.groups } else { 1 };
        [
            self.width(0),
            self.width(1).div_ceil(t.rows),
            self.width(2).div_ceil(across),
            self.batch,
        ]
        .into_iter()
        .map(u64::from)
        .product()
    }

    /// Whether the taps along w are a multiple of those taken at once, in every phase.
    pub(super) fn exact(&self, t: Tile) -> bool {
        t.taps == 1 || self.kernel[2].is_multiple_of(self.step(2) * t.taps)
    }

    /// Inputs as packed: filled up to what is taken at once.
    pub(super) fn padded(&self, t: Tile) -> u32 {
        self.inputs.next_multiple_of(t.deep)
    }

    /// The tile to use without measuring. `split` allows a sum in parts, whose rounding depends on the batch.
    pub(super) fn tile(&self, device: Device, split: bool) -> Tile {
        let in_fours = self.batch.is_multiple_of(4);
        // Three quads where they need no more tiles than four.
        let quads = match quads(self.outputs) {
            4 if self.outputs.div_ceil(12) == self.outputs.div_ceil(16) => 3,
            quads => quads,
        };
        let (taps, width) = (self.phase_taps(2), self.width(2));
        let held = (device.sums / (4 * quads)).min(if in_fours { 8 } else { device.singles });
        let plain = Tile {
            wg: device.wg,
            quads,
            groups: held.min(2),
            rows: 1,
            parts: 1,
            taps: 1,
            deep: 1,
            share: false,
        };
        // With few outputs a loaded element serves few products: then many taps and neighbours share it.
        let few = self.outputs as usize <= FEW_OUTPUTS;
        let at_once = divided(taps, if few { device.few_taps } else { device.taps });
        let two = taps == 2;
        let mut t = if self.shares(2) {
            // Two taps serve little: where it can be, more inputs are taken at once instead of more neighbours.
            let deep = match at_once {
                2 if device.deep > 1 && !few && self.inputs.is_multiple_of(4) => 4,
                3 if self.inputs.is_multiple_of(device.deep) => device.deep,
                _ => 1,
            };
            // Sums of three groups are what a processor's nearest cache holds beside a long loop body.
            let long = at_once * deep >= 6;
            let groups = if few {
                width.div_ceil(width.div_ceil(8))
            } else if two && long {
                2
            } else if long || width.next_multiple_of(3) < width.next_multiple_of(4) {
                3
            } else {
                4
            };
            let groups = groups.min(held);
            // So do rows with one output: more sums do not fit beside the operands.
            let rows = match self.outputs {
                1 if in_fours && self.rows_share() => 2,
                _ => 1,
            };
            Tile {
                groups,
                rows,
                taps: at_once,
                deep,
                share: true,
                ..plain
            }
        } else if self.inputs < 4 && taps > 1 {
            Tile {
                taps: divided(taps, 5),
                ..plain
            }
        } else {
            Tile {
                deep: self.inputs.min(4),
                ..plain
            }
        };
        if !t.share && self.columns(t) <= u64::from(4 * t.wg) {
            t.groups = 1;
        }
        let wanted = u64::from(device.wanted);
        if split {
            let most = u64::from(self.inputs / 64).clamp(1, 64);
            t.parts = wanted.div_ceil(self.tasks(t)).min(most) as u32;
            return t;
        }
        // A few showers are made by more lanes with less to do.
        while self.tasks(t) < wanted && t.quads * t.groups * t.rows > 1 {
            match (t.rows, t.groups) {
                (1, 1) => t.quads /= 2,
                (1, _) => t.groups = t.groups.div_ceil(2),
                _ => t.rows = 1,
            }
        }
        t
    }

    /// Whether neighbours along h read neighbouring inputs, and some of them the same.
    fn rows_share(&self) -> bool {
        self.apart(1) == 1 && self.phase_taps(1) >= 2 && self.width(1) >= 2
    }

    /// Workgroups that have work, one product and all inputs at once.
    fn tasks(&self, t: Tile) -> u64 {
        self.blocks(t) * u64::from(self.phases() * self.outputs.div_ceil(4 * t.quads))
    }

    /// Tiles that give the same bits as `t`, which comes first: those that keep the order of its sums.
    pub(super) fn candidates(&self, t: Tile, device: Device) -> Vec<Tile> {
        let mut all = vec![t];
        let most = if t.share { 8 } else { 4 };
        for wg in device.wgs {
            for quads in [1, 2, 3, 4, 8] {
                for groups in 1..=most {
                    let loaded = if t.share {
                        t.taps + self.apart(2) * (groups - 1)
                    } else {
                        t.taps * groups
                    };
                    let wasted = quads > 1 && 4 * quads >= 2 * self.outputs.next_multiple_of(4);
                    let small = groups > 1 && !t.share && self.columns(t) <= u64::from(4 * wg);
                    // What the kernel's arrays hold.
                    let fits = quads * groups <= 16
                        && t.deep * loaded <= 32
                        && 2 * 4 * quads * groups <= 3 * device.sums;
                    let tile = Tile {
                        wg,
                        quads,
                        groups,
                        ..t
                    };
                    if fits && !wasted && !small && quads * groups >= 2 && !all.contains(&tile) {
                        all.push(tile);
                    }
                }
            }
        }
        // The nearest to the default first: time may run out.
        let far = |c: &Tile| {
            let times = |a: u32, b: u32| (f64::from(a) / f64::from(b)).ln().abs();
            times(c.wg, t.wg) + times(c.quads, t.quads) + times(c.groups, t.groups)
        };
        all.sort_by(|a, b| far(a).total_cmp(&far(b)));
        all
    }

    pub(super) fn blocks(&self, t: Tile) -> u64 {
        self.columns(t)
            .div_ceil(u64::from(4 * t.wg * if t.share { 1 } else { t.groups }))
    }
}

/// How many of `taps` to take at once, at most `most`: all, else a divisor of 3 or more, else equal shares but for the last.
fn divided(taps: u32, most: u32) -> u32 {
    (3..=most.min(taps))
        .rev()
        .find(|&share| taps.is_multiple_of(share))
        .unwrap_or_else(|| taps.div_ceil(taps.div_ceil(most)))
}
