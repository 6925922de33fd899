//! Weights in the order in which a tile reads them.

use super::problem::{Problem, Tile, dense};
use super::{PACK, PACK_QUADS, PackParams};
use crate::Result;
use crate::gpu::fold;
use crate::tape::{Lowering, Slot};

/// Three axes of an array, repacked into tiles of one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    pub(super) count: u32,
    pub(super) tile: u32,
    pub(super) rows: u32,
    pub(super) cols: u32,
    pub(super) padded: u32,
    pub(super) step: u32,
    pub(super) outer: u32,
    pub(super) inner: u32,
    pub(super) skip: u32,
    pub(super) stack: u32,
}

impl Packing {
    /// Elements of one packed array.
    pub(super) fn words(&self) -> u32 {
        self.count.div_ceil(self.tile) * self.tile * self.rows * self.padded
    }

    /// PyTorch's weights `[S,L,k]`, or a stack of matrices, for a problem.
    pub(super) fn weights(c: &Problem, t: Tile, stack: u32) -> Self {
        let k = c.taps();
        let (step, inner) = Self::steps(c);
        Self {
            count: c.outputs,
            tile: 4 * t.quads,
            rows: k,
            cols: c.inputs,
            padded: c.padded(t),
            step,
            outer: 1,
            inner,
            skip: if stack > 1 {
                c.inputs * c.outputs * k
            } else {
                0
            },
            stack,
        }
    }

    /// Elements from one output to the next in PyTorch's weights, and from one input to the next.
    pub(super) fn steps(c: &Problem) -> (u32, u32) {
        let k = c.taps();
        match c.transposed {
            true => (k, c.outputs * k),
            false => (c.inputs * k, k),
        }
    }

    /// A matrix `[rows, columns]` transposed.
    pub(super) fn transposition(rows: u32, columns: u32) -> Self {
        Self {
            count: rows,
            tile: rows,
            rows: 1,
            cols: columns,
            padded: columns,
            step: columns,
            outer: 0,
            inner: 1,
            skip: 0,
            stack: 1,
        }
    }

    fn dispatch(&self, l: &mut Lowering<'_>, src: Slot, dst: Slot) -> Result<()> {
        let total = u64::from(self.words()) * u64::from(self.stack);
        let (kernel, lanes) = if self.tile.is_multiple_of(4) {
            let quads = self.count.div_ceil(self.tile) * (self.tile / 4);
            let columns =
                u64::from(self.rows) * u64::from(self.padded.div_ceil(4)) * u64::from(self.stack);
            (&PACK_QUADS, u64::from(quads) * columns)
        } else {
            (&PACK, total)
        };
        let Self {
            count,
            tile,
            rows,
            cols,
            padded,
            step,
            outer,
            inner,
            skip,
            ..
        } = *self;
        let params = PackParams {
            count,
            tile,
            rows,
            cols,
            padded,
            step,
            outer,
            inner,
            skip,
            total: total as u32,
        };
        l.dispatch(
            kernel,
            &params,
            &[("WG", 64.0)],
            &[src, dst],
            fold(lanes.div_ceil(64)),
        )
    }
}

/// Weights of `source` in the order that the tile reads, once per program and packing.
pub(super) fn packed(l: &mut Lowering<'_>, source: Slot, packing: Packing) -> Result<Slot> {
    let words = packing.words() as usize * packing.stack as usize;
    l.derived(source, format!("{packing:?}"), words, |l, to| {
        packing.dispatch(l, source, to)
    })
}

/// Weights of a layer of kernel 1 as [`super::PACK_QUADS`] packs them into one tile: `[input][output]`, outputs filled up
/// to a multiple of four. `transposed`: the weights are `[input, output]` already.
pub(in crate::ops) fn packed_layer(
    l: &mut Lowering<'_>,
    source: Slot,
    outputs: usize,
    inputs: usize,
    transposed: bool,
) -> Result<Slot> {
    let layer = dense(outputs as u32, inputs as u32, 1, transposed);
    let tile = Tile {
        wg: 1,
        quads: layer.outputs.div_ceil(4),
        groups: 1,
        rows: 1,
        parts: 1,
        taps: 1,
        deep: 1,
        share: false,
    };
    packed(l, source, Packing::weights(&layer, tile, 1))
}
