//! A convolution of cells that were each repeated `s` times is a transposed convolution of stride `s` of the cells.
//!
//! Along one axis, with kernel `K` and `p` zeros before the repeated cells,
//! `y[v] = sum_k w[k] x[(v + k - p) / s] = sum_j x[j] u[v + K - 1 - p - s j]`, where `u[t]` is the sum of those `w[k]` for
//! which `k + t - (K - 1)` lies in `[0, s)`. Of `K^d` products for each result `((K + s - 1) / s)^d` are left, the repeated
//! cells are never written, and their padding, which may differ before and behind, is none at all.

use std::sync::Arc;

use super::{Rules, as_kind, made_by, shown};
use crate::ops::ConvSpec;
use crate::ops::conv::{Conv, Makes};
use crate::ops::movement::Window;
use crate::ops::pool::Pool;
use crate::tape::{Op, Var};

/// What a convolution reads: cells, how often each is repeated along D, H, W, and zeros before the first.
struct Repeated<'t> {
    cells: Var<'t>,
    scale: [usize; 3],
    before: [usize; 3],
}

pub(super) fn rule<'t>(rules: &mut Rules, op: &Arc<dyn Op>, inputs: &[Var<'t>]) -> Option<Var<'t>> {
    let conv = as_kind::<Conv>(op).filter(|c| c.groups == 1)?;
    let dense = conv.makes == Makes::Small && conv.spec.stride == [1; 3];
    if !dense || !rules.is_fixed(inputs[1]) {
        return None;
    }
    let from = repeated(rules, inputs[0])?;
    let large = conv.small()?;
    let mut spec = ConvSpec {
        stride: from.scale,
        padding: [0; 3],
    };
    for (d, padding) in spec.padding.iter_mut().enumerate() {
        let before = from.before[d] + conv.spec.padding[d];
        *padding = (conv.kernel[d] - 1).checked_sub(before)?;
    }
    let transposed = Conv {
        makes: Makes::Large,
        spec,
        large,
        kernel: [0, 1, 2].map(|d| conv.kernel[d] + from.scale[d] - 1),
        slope: conv.slope,
        groups: 1,
        bias_by_cell: conv.bias_by_cell,
    };
    // More zeros behind than before are so many outputs more: fewer than a stride of them, or there is no such layer.
    let extents = from.cells.shape();
    if transposed.small()?[..] != extents[1..4] {
        return None;
    }
    let mut operands = vec![from.cells, weights(inputs[1], conv.kernel, from.scale)];
    operands.extend(inputs.get(2));
    Some(inputs[0].tape().record(transposed, &operands))
}

/// Looks from the input `[C,D,H,W,N]` of a convolution through views and padding to an upsampling.
fn repeated<'t>(rules: &mut Rules, x: Var<'t>) -> Option<Repeated<'t>> {
    let (mut v, mut before) = (behind_views(rules, x)?, [0; 3]);
    if let Some((op, inputs)) = made_by::<Window>(v) {
        before = as_kind::<Window>(&op)?.zeros_before(&inputs[0].shape())?;
        v = behind_views(rules, inputs[0])?;
    }
    let (op, inputs) = made_by::<Pool>(v)?;
    Some(Repeated {
        cells: inputs[0],
        scale: as_kind::<Pool>(&op)?.repeats()?,
        before,
    })
}

/// What `v` shows, as long as only an axis D of extent 1 comes or goes and nothing else reads it.
fn behind_views<'t>(rules: &mut Rules, mut v: Var<'t>) -> Option<Var<'t>> {
    loop {
        if !rules.is_read_once(v) {
            return None;
        }
        match shown(v) {
            Some(behind) if volume(&behind.shape())? == volume(&v.shape())? => v = behind,
            Some(_) => return None,
            None => return Some(v),
        }
    }
}

/// `[C,H,W,N]` as `[C,1,H,W,N]`.
fn volume(shape: &[usize]) -> Option<[usize; 5]> {
    match *shape {
        [c, d, h, w, n] => Some([c, d, h, w, n]),
        [c, h, w, n] => Some([c, 1, h, w, n]),
        _ => None,
    }
}

/// `u` of the formula, axis by axis, in the order of a transposed convolution: `[S,L,k]` becomes `[L,S,k + s - 1]`.
fn weights<'t>(w: Var<'t>, kernel: [usize; 3], scale: [usize; 3]) -> Var<'t> {
    let mut u = w;
    for d in (0..3).filter(|&d| (kernel[d], scale[d]) != (1, 1)) {
        let (taps, s) = (kernel[d], scale[d]);
        let sums = taps + s - 1;
        let mut shares = vec![0.0; taps * sums];
        for k in 0..taps {
            let first = taps - 1 - k;
            shares[k * sums + first..][..s].fill(1.0);
        }
        // This axis last, then back.
        let mut order: Vec<usize> = (0..5).collect();
        order.swap(2 + d, 4);
        let mut shape = u.permute(&order).shape();
        let flat = u.permute(&order).reshape(&[u.len() / taps, taps]);
        shape[4] = sums;
        let summed = flat.matmul(w.tape().constant(&shares, &[taps, sums]));
        u = summed.reshape(&shape).permute(&order);
    }
    u.permute(&[1, 0, 2, 3, 4])
}
