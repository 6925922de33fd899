//! Layers of kernel 1 with few channels on an elementwise expression, such as a norm and the layer behind it: one pass over
//! the memory instead of three. Made by the compiler from a convolution and what it alone reads.

use super::conv::{Conv, Makes};
use super::conv_tiled::packed_layer;
use super::map::{
    Expression, MAX_INPUTS, MAX_STEPS, expression_bindings, expression_wgsl, fours, input_slots,
};
use crate::Result;
use crate::gpu::{Kernel, fold, params, read, write};
use crate::tape::{Cost, Lowering, Op, Shape, Slot, Var, Vjp, shape};

params! {
    /// See `mix.wgsl`.
    MixParams {
        columns: u32, a1: u32, a2: u32, a3: u32, has_bias: u32, slope: f32,
        c0: u32, c1: u32, c2: u32, c3: u32, c4: u32, c5: u32,
        s00: u32, s01: u32, s02: u32, s03: u32,
        s10: u32, s11: u32, s12: u32, s13: u32,
        s20: u32, s21: u32, s22: u32, s23: u32,
        s30: u32, s31: u32, s32: u32, s33: u32,
        s40: u32, s41: u32, s42: u32, s43: u32,
        s50: u32, s51: u32, s52: u32, s53: u32,
        k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
        l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
    }
}

const SOURCE: &str = expression_wgsl!("mix.wgsl", "lib/kept.wgsl");
static MIX: Kernel = Kernel::new::<MixParams>(
    "mix.wgsl",
    SOURCE,
    "mix",
    expression_bindings!("x", read(7, "wt"), write(8, "y").or_half()),
);
static MIX_FOUR: Kernel = Kernel::new::<MixParams>(
    "mix.wgsl",
    SOURCE,
    "mix_four",
    expression_bindings!("q", read(7, "wt"), write(8, "y4").or_half()),
);

pub(super) static KERNELS: &[&Kernel] = &[&MIX, &MIX_FOUR];

/// Axes of a column, after merging, that the kernel can walk.
const AXES: usize = 4;

/// `y[o] = act(bias[o] + sum over i of w[o,i] expression(inputs broadcast to the domain)[i])`. Operands: those of the
/// expression, the weights, perhaps the bias.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    pub layer: Conv,
    pub has_bias: bool,
    pub outputs: usize,
    pub expression: Expression,
    /// `[I,D,H,W,N]`
    pub domain: Shape,
    pub inputs: Vec<Shape>,
}

/// The axis of channels of the domain and the merged others, each with the strides of every input.
type Axes = ((usize, Vec<usize>), Vec<(usize, Vec<usize>)>);

fn axes(domain: &[usize], inputs: &[Shape]) -> Axes {
    let mut axes = shape::axes(domain, inputs);
    let channels = axes.remove(0);
    (channels, shape::collapse(&axes))
}

impl Mix {
    /// Channels on either side, at most: a lane holds all results of its columns.
    pub const MAX_CHANNELS: usize = 16;

    /// True if the kernel can walk these inputs of the expression; a bias takes the place of one.
    pub fn fits(domain: &[usize], inputs: &[Shape], has_bias: bool) -> bool {
        inputs.len() + usize::from(has_bias) <= MAX_INPUTS && axes(domain, inputs).1.len() <= AXES
    }
}

impl Op for Mix {
    fn name(&self) -> &'static str {
        "mix"
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Shape> {
        Ok([&[self.outputs], &self.domain[1..]].concat())
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        unreachable!("made by the compiler, after differentiation")
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let (operands, rest) = x.split_at(self.inputs.len());
        let (channel, others) = axes(&self.domain, &self.inputs);
        let columns: usize = self.domain[1..].iter().product();
        let mut extents = [1u32; AXES];
        let mut strides = [[0u32; AXES]; MAX_INPUTS];
        let mut steps = [0u32; MAX_INPUTS];
        let lead = AXES - others.len();
        for (d, (extent, by)) in others.iter().enumerate() {
            extents[lead + d] = *extent as u32;
            for (input, &step) in by.iter().enumerate() {
                strides[input][lead + d] = step as u32;
            }
        }
        for (input, &step) in channel.1.iter().enumerate() {
            steps[input] = step as u32;
        }
        let mut words = vec![columns as u32];
        words.extend(&extents[1..]);
        words.extend([u32::from(self.has_bias), self.layer.slope.to_bits()]);
        words.extend(steps);
        words.extend(strides.as_flattened());
        words.extend(self.expression.constants());
        debug_assert_eq!(words.len(), 6 + (1 + AXES) * MAX_INPUTS + 2 * MAX_STEPS);
        let params: MixParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));

        let transposed = self.layer.makes == Makes::Large;
        let wt = packed_layer(l, rest[0], self.outputs, self.domain[0], transposed)?;
        let splat = fours(&others, std::slice::from_ref(&channel));
        let row = extents[AXES - 1] as usize;
        let rows = l.on_cpu() && (32..=256).contains(&row);
        let (kernel, wg, groups) = match splat {
            Some(_) if rows => (
                &MIX_FOUR,
                (row / 4).next_power_of_two().min(64),
                columns / row,
            ),
            Some(_) => (&MIX_FOUR, 64, (columns / 4).div_ceil(64)),
            None => (&MIX, 64, columns.div_ceil(64)),
        };
        let overrides = [
            ("WG", wg as f64),
            ("INPUTS", self.inputs.len() as f64),
            ("CHANNELS", self.domain[0] as f64),
            ("OUTPUTS", self.outputs as f64),
            ("QUADS", self.outputs.div_ceil(4) as f64),
            ("SPLAT", f64::from(splat.unwrap_or(0))),
            ("BY_ROW", f64::from(u8::from(rows))),
        ];
        let mut slots = input_slots(operands);
        if let Some(&bias) = rest.get(1) {
            slots[MAX_INPUTS - 1] = bias;
        }
        slots.extend([wt, y]);
        l.dispatch_with(
            kernel,
            Some(self.expression.text()),
            &params,
            &overrides,
            &slots,
            fold(groups as u64),
        )
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let each = self.expression.flops() + 2.0 * self.outputs as f64;
        Cost::new(each * shape::len(&self.domain) as f64, x, y)
    }
}
