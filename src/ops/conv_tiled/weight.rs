//! Gradients of weights.

use super::packing::{Packing, packed};
use super::problem::{Problem, dense, quads};
use super::{CONV_WEIGHT, ConvWeightParams, Device, Finish, ONE, Partial, run, sum_parts};
use crate::Result;
use crate::gpu::fold;
use crate::ops::conv::Extents;
use crate::tape::{Lowering, Slot};

/// Columns up to which a dense layer's gradient is a product of packed operands.
const FEW_COLUMNS: usize = 1024;

/// `dw[s,l,k] = sum over o, n of small[s,o,n] large[l, o stride + k - pad, n]`
pub(super) fn weight(
    l: &mut Lowering<'_>,
    large: Slot,
    small: Slot,
    dw: Slot,
    e: &Extents,
) -> Result<()> {
    let device = Device::of(l);
    let c = Problem::new(e, false, false);
    if c.taps() == 1 && c.stride == [1; 3] && c.pad == [0; 3] && (c.batch as usize) <= FEW_COLUMNS {
        // dw[o,i] = sum over m of dy[o,m] x[i,m], with x transposed.
        let (outputs, inputs, columns) = (c.outputs, c.inputs, c.batch);
        let product = dense(outputs, columns, inputs, false);
        let t = product.tile(device, true);
        let wt = packed(l, small, Packing::weights(&product, t, 1))?;
        let transposition = Packing::transposition(inputs, columns);
        let x = packed(l, large, transposition)?;
        return run(l, (&product, t, ONE), (x, wt), Finish::NONE, dw);
    }
    let quads = quads(c.outputs);
    let terms = c.taps() * c.inputs;
    let (tiles, term_tiles) = (c.outputs.div_ceil(4 * quads), terms.div_ceil(8));
    // A part's share of x and dy, read by every tile, should stay in a cache.
    let bytes = |v: [u32; 3], channels: u32| {
        v.iter().map(|&e| u64::from(e)).product::<u64>()
            * u64::from(channels)
            * u64::from(c.batch)
            * 4
    };
    let cached = ((bytes(c.input, c.inputs) + bytes(c.output, c.outputs)) >> 20).min(32) as u32;
    let wg = device.weight_wg;
    let row = c.output[2] * c.batch;
    let rows = c.output[0] * c.output[1] * row.div_ceil(256 * wg);
    let parts = device
        .weight_wanted
        .div_ceil(tiles * term_tiles)
        .max(cached)
        .min(rows)
        .max(1);
    let piece = row.next_multiple_of(4).min(64 * 4 * wg);
    let pieces = row.div_ceil(piece);
    let units = c.output[0] * c.output[1] * pieces;
    // As many as have something to do.
    let parts = units.div_ceil(units.div_ceil(parts));
    let groups = u64::from(tiles) * u64::from(term_tiles) * u64::from(parts);
    let mut words = vec![c.batch, c.outputs, c.inputs];
    words.extend(c.words());
    words.extend([
        tiles,
        terms,
        term_tiles,
        piece,
        pieces,
        units,
        units.div_ceil(parts),
    ]);
    words.extend([groups as u32, (1.0 / c.batch as f32).to_bits()]);
    let params: ConvWeightParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
    let flag = |b: bool| f64::from(u8::from(b));
    let overrides = [
        ("WG", f64::from(wg)),
        ("QUADS", f64::from(quads)),
        ("VECTOR", flag(c.batch.is_multiple_of(4))),
        ("ONE_TAP", flag(c.inputs.is_multiple_of(8))),
    ];
    let weights = c.outputs * c.inputs * c.taps();
    let target = if parts > 1 {
        l.scratch(weights as usize * parts as usize)
    } else {
        dw
    };
    l.dispatch(
        &CONV_WEIGHT,
        &params,
        &overrides,
        &[small, small, large, large, target],
        fold(groups),
    )?;
    if parts > 1 {
        sum_parts(
            l,
            Partial {
                parts,
                channels: weights,
                columns: 1,
                size: weights,
            },
            target,
            Finish::NONE,
            dw,
        )?;
    }
    Ok(())
}
