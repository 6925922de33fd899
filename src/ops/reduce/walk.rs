//! How the kernels of reductions walk their axes, and which of them suits.

use crate::Result;
use crate::gpu::{Kernel, fold, params};
use crate::ops::map::{Expression, MAX_INPUTS, MAX_STEPS, fours, input_slots};
use crate::tape::{Lowering, Shape, Slot, shape};

params! {
    /// See `lib/terms.wgsl`.
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

pub(super) const WG: usize = 64;
/// Axes on either side, after merging, that the kernels can walk.
const SIDE: usize = 4;

/// Kept and reduced axes with the strides of each input.
pub(super) type Axes = Vec<(usize, Vec<usize>)>;

pub(super) fn split(domain: &[usize], inputs: &[Shape], axes: &[usize]) -> (Axes, Axes) {
    let all = shape::axes(domain, inputs).into_iter().enumerate();
    let (reduced, kept): (Vec<_>, Vec<_>) = all.partition(|(d, _)| axes.contains(d));
    let side = |axes: Vec<(usize, _)>| -> Axes {
        let axes: Axes = axes.into_iter().map(|(_, axis)| axis).collect();
        shape::collapse(&axes)
    };
    (side(kept), side(reduced))
}

/// Lanes that make a cut worth its second pass.
pub(super) const BUSY: usize = 4096;
/// Terms that one lane joins before the reduction is cut into parts.
pub(super) const LONGEST: usize = 256;

/// Terms of a part and the number of parts, where a lane makes each. They depend on the length alone, so that a shower's are
/// the same in any batch.
pub(super) fn cut(terms: usize) -> (usize, usize) {
    let chunk = terms.div_ceil(terms.div_ceil(LONGEST).max(1)).max(1);
    (chunk, terms.div_ceil(chunk).max(1))
}

/// Whether terms are so many that they are cut.
pub(crate) fn is_cut(terms: usize) -> bool {
    terms > LONGEST
}

/// True if the kernels can reduce an expression of these inputs, broadcast to `domain`, over `axes`.
pub(super) fn fits(axes: &[usize], domain: &[usize], inputs: &[Shape]) -> bool {
    let (kept, reduced) = split(domain, inputs, axes);
    inputs.len() <= MAX_INPUTS && kept.len() <= SIDE && reduced.len() <= SIDE
}

pub(super) fn extent(axes: &Axes) -> usize {
    axes.iter().map(|(e, _)| e).product()
}

/// Kernels that do the same, each as it suits.
pub(super) struct Kernels {
    /// A lane an output.
    pub lane: &'static Kernel,
    /// A lane four outputs.
    pub four: &'static Kernel,
    /// A workgroup a row of outputs.
    pub rows: &'static Kernel,
}

/// The same where lanes that share an output make it.
pub(super) struct Groups {
    pub group: &'static Kernel,
    /// A lane takes four neighbouring terms at once.
    pub four: &'static Kernel,
}

/// Who makes an output.
pub(super) enum By {
    Lane(&'static Kernels),
    /// Several lanes, or one that walks terms that are neighbours.
    Group(&'static Groups),
}

/// Lanes that share an output whose terms are neighbours: so many that each has a few loads to do and the device is busy, on a
/// CPU, where lanes wait long for each other, as few as keep its sums short.
fn sharing(on_cpu: bool, results: u64, terms: usize, at_once: usize) -> usize {
    let loads = terms.div_ceil(at_once);
    let (each, busy) = match on_cpu {
        true => (LONGEST, 64),
        false => (4, BUSY),
    };
    let wanted = loads
        .div_ceil(each)
        .max((busy as u64).div_ceil(results) as usize);
    wanted.min(WG).min(loads).next_power_of_two()
}

/// One dispatch.
pub(super) struct Call<'a> {
    pub kept: &'a Axes,
    pub reduced: &'a Axes,
    pub parts: usize,
    pub chunk: usize,
    pub scale: f32,
    pub expression: &'a Expression,
}

impl Call<'_> {
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

    /// Records it; `further` overrides are the kernel's own.
    pub fn dispatch(
        &self,
        l: &mut Lowering<'_>,
        by: By,
        further: &[(&'static str, f64)],
        x: &[Slot],
        y: Slot,
    ) -> Result<()> {
        let params = self.params();
        let splat = match by {
            By::Lane(_) => fours(self.kept, self.reduced),
            By::Group(_) => fours(self.reduced, self.kept),
        };
        let row = self.kept.last().map_or(1, |(extent, _)| *extent);
        let by_lane = matches!(by, By::Lane(_));
        let rows = by_lane && splat.is_some() && l.on_cpu() && (32..=4096).contains(&row);
        let results = u64::from(params.outputs) * u64::from(params.parts);
        let at_once = if splat.is_some() { 4 } else { 1 };
        let share = match by_lane {
            true => 1,
            false => sharing(l.on_cpu(), results, self.chunk, at_once),
        };
        // Lanes on their own are spread over the cores of a CPU.
        let wg = match share {
            _ if rows => (row / 4).next_power_of_two().min(64),
            1 if l.on_cpu() => 16,
            _ => WG,
        };
        let mut overrides = vec![
            ("WG", wg as f64),
            ("RANK", self.reduced.len() as f64),
            ("INPUTS", self.expression.inputs as f64),
            ("SPLAT", f64::from(splat.unwrap_or(0))),
        ];
        if !by_lane {
            overrides.push(("BY", share as f64));
        }
        overrides.extend(further);
        let mut slots = input_slots(x);
        slots.push(y);
        let (kernel, groups) = match (by, splat) {
            (By::Group(k), splat) => {
                let kernel = if splat.is_some() { k.four } else { k.group };
                (kernel, results.div_ceil((wg / share) as u64))
            }
            (By::Lane(k), _) if rows => (k.rows, results / row as u64),
            (By::Lane(k), None) => (k.lane, results.div_ceil(wg as u64)),
            (By::Lane(k), Some(_)) => (k.four, (results / 4).div_ceil(wg as u64)),
        };
        l.dispatch_with(
            kernel,
            Some(self.expression.text()),
            &params,
            &overrides,
            &slots,
            fold(groups),
        )
    }
}
