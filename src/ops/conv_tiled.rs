//! Register-tiled convolution kernels.

use super::conv::{Conv, Extents};
use crate::Result;
use crate::tape::{Lowering, Slot};

pub(super) fn lower(
    op: &Conv,
    l: &mut Lowering<'_>,
    x: &[Slot],
    y: Slot,
    e: &Extents,
) -> Result<()> {
    op.lower_plain(l, x, y, e)
}
