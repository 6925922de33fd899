//! Products on cooperative matrices: which layers, which tile, which rows.

use super::problem::Problem;
use super::{CONV_MATRIX, CONV_MATRIX_ANY, ConvMatrixParams, Packing};
use super::{Finish, PACK_MATRIX, PackMatrixParams, Stack};
use crate::Result;
use crate::gpu::{Matrix, fold};
use crate::tape::{Lowering, Slot};

/// Taps of an axis, at most: a lane has a bit for each, and the last one is for rows that do not exist.
const MOST_TAPS: u32 = 31;
const NO_ROW: [u32; 4] = [0, (1 << 15) - 1, 0, 0];
/// Matrices along the sum in a stage, at most.
const MOST_DEPTH: u32 = 4;
/// Lanes of a workgroup, at most.
const MOST_LANES: u32 = 256;

/// What a workgroup computes: `across` times `down` subgroups of `cols` times `rows` matrices (columns times outputs).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    rows: u32,
    cols: u32,
    across: u32,
    down: u32,
    /// Matrices along the sum that are staged at once.
    depth: u32,
}

impl Tile {
    /// Lanes of a workgroup.
    fn lanes(self, m: Matrix) -> u32 {
        self.across * self.down * m.subgroup
    }

    /// Columns of a workgroup.
    fn width(self, m: Matrix) -> u32 {
        self.across * self.cols * m.size
    }

    /// Outputs of a workgroup.
    fn height(self, m: Matrix) -> u32 {
        self.down * self.rows * m.size
    }

    /// Bytes of workgroup memory.
    fn bytes(self, m: Matrix) -> u32 {
        let stages = 2 * self.depth * m.size * (self.width(m) + 8) * 2;
        let each = m.size * (self.cols.min(2) * m.size + 4) * 4;
        let slices = (self.across * self.down + u32::from(m.varies)) * each;
        stages + slices + self.width(m) * 4
    }

    /// Whether lanes and rows of a stage divide each other as the kernel needs.
    fn fits(self, m: Matrix, most_bytes: u32) -> bool {
        let (lanes, quads, rows) = (self.lanes(m), self.width(m) / 4, self.depth * m.size);
        lanes.is_multiple_of(quads)
            && rows.is_multiple_of(lanes / quads)
            && (1..=16).contains(&(rows * quads / lanes))
            && lanes <= MOST_LANES
            && self.bytes(m) <= most_bytes
    }

    /// Tiles that suit the problem, all of which give the same bits: first the largest that wastes little and
    /// still leaves the device enough workgroups.
    fn candidates(c: &Problem, z: u32, m: Matrix, wanted: u32, most_bytes: u32) -> Vec<Self> {
        // (rows, down, across) by the matrices along the outputs.
        let shapes: &[(u32, u32, u32)] = match c.outputs.div_ceil(m.size) {
            1 => &[(1, 1, 4), (1, 1, 2)],
            2 => &[(2, 1, 4), (1, 2, 2), (1, 1, 4)],
            3..=4 => &[(2, 2, 2), (1, 4, 1), (1, 2, 2)],
            _ => &[(4, 2, 2), (2, 2, 2), (1, 4, 1), (1, 2, 2)],
        };
        let mut all = Vec::new();
        for &(rows, down, across) in shapes {
            for cols in [4, 2, 1] {
                for depth in [2, 4, 1] {
                    all.push(Self {
                        rows,
                        cols,
                        across,
                        down,
                        depth,
                    });
                }
            }
        }
        all.retain(|t| t.fits(m, most_bytes));
        let groups = |t: &Self| c.workgroups(*t, m) * u64::from(z);
        // With few columns a wide tile would be mostly empty.
        let columns = c.most_columns().next_multiple_of(m.size.into());
        let filled = |t: &Self| u64::from(t.width(m)) < 2 * columns;
        let enough = (all.iter()).position(|t| filled(t) && groups(t) >= u64::from(wanted));
        let most = || (0..all.len()).rev().max_by_key(|&i| groups(&all[i]));
        if let Some(first) = enough.or_else(most) {
            all[..=first].rotate_right(1);
        }
        all
    }

    fn words(self) -> Vec<u32> {
        vec![self.rows, self.cols, self.across, self.down, self.depth]
    }
}

impl Problem {
    /// Columns of the largest phase.
    fn most_columns(&self) -> u64 {
        let widths = (0..3).map(|a| u64::from(self.width(a)));
        widths.product::<u64>() * u64::from(self.batch)
    }

    fn workgroups(&self, t: Tile, m: Matrix) -> u64 {
        let blocks = self.most_columns().div_ceil(u64::from(t.width(m)));
        blocks * u64::from(self.outputs.div_ceil(t.height(m)) * self.phases())
    }

    /// Whether matrices are mostly full. What decides is the layer alone: its arithmetic must not change with the batch.
    fn suits(&self, m: Matrix) -> bool {
        let terms = self.inputs * self.taps() / self.phases();
        2 * self.outputs >= m.size && terms >= m.size && self.kernel.iter().all(|&k| k <= MOST_TAPS)
    }
}

/// The rows of every phase, as `conv_matrix.wgsl` reads them, and the elements of the packed weights.
struct Rows {
    words: Vec<u32>,
    /// By phase: first row, matrices along k, first matrix of weights.
    heads: Vec<[u32; 3]>,
    /// Matrices of the packed weights of one product.
    matrices: u32,
}

fn rows(c: &Problem, size: u32, inner: u32) -> Rows {
    let phases = c.phases();
    let high = c.outputs.div_ceil(size);
    let [_, sh, sw] = c.stride;
    let plane = c.input.iter().product::<u32>() * c.batch;
    let (mut words, mut heads, mut matrices) = (vec![0; 4 * phases as usize], Vec::new(), 0);
    for phase in 0..phases {
        let at = [phase / (sw * sh), (phase / sw) % sh, phase % sw];
        // Taps of an axis: number in x, number in the kernel.
        let taps = [0, 1, 2].map(|a| {
            let (first, step) = match c.transposed {
                true => ((at[a] + c.pad[a]) % c.stride[a], c.stride[a]),
                false => (0, 1),
            };
            let kernel = (first..c.kernel[a]).step_by(step as usize);
            kernel.zip(0u32..).collect::<Vec<_>>()
        });
        let first = words.len() as u32 / 4;
        let away = |step: u32| match c.transposed {
            true => step.wrapping_neg(),
            false => step,
        };
        for &(kd, d) in &taps[0] {
            for &(kh, h) in &taps[1] {
                for &(kw, w) in &taps[2] {
                    let tap = (kd * c.kernel[1] + kh) * c.kernel[2] + kw;
                    let steps = (away(d).wrapping_mul(c.input[1]))
                        .wrapping_add(away(h))
                        .wrapping_mul(c.input[2])
                        .wrapping_add(away(w))
                        .wrapping_mul(c.batch);
                    for i in 0..c.inputs {
                        let x = i.wrapping_mul(plane).wrapping_add(steps);
                        words.extend([x, d | h << 5 | w << 10, i * inner + tap, 1]);
                    }
                }
            }
        }
        let count = words.len() as u32 / 4 - first;
        let across = count.div_ceil(size);
        let read = across.max(1).next_multiple_of(MOST_DEPTH) * size;
        words.extend(NO_ROW.repeat((read - count) as usize));
        let head = [first, across, matrices];
        words[4 * phase as usize..][..3].copy_from_slice(&head);
        heads.push(head);
        matrices += high * across;
    }
    Rows {
        words,
        heads,
        matrices,
    }
}

/// Lowers a stack of products to cooperative matrices; `false` if they do not suit the problem or the device.
pub(super) fn lower(
    l: &mut Lowering<'_>,
    (c, z): (&Problem, Stack),
    (x, w): (Slot, Slot),
    finish: Finish,
    y: Slot,
) -> Result<bool> {
    let Some(m) = l.matrix().filter(|&m| c.suits(m)) else {
        return Ok(false);
    };
    let wanted = if l.on_cpu() { 4 } else { 512 };
    let most_bytes = l.capabilities().limits.max_compute_workgroup_storage_size;
    let tiles = Tile::candidates(c, z.count, m, wanted, most_bytes);
    if tiles.is_empty() {
        return Ok(false);
    }
    let words: Vec<Vec<u32>> = tiles.iter().map(|t| t.words()).collect();
    let shape = format!("{m:?} {c:?} {}{}", z.count, l.element_key(&[x, y]));
    let vector = [c.batch, z.x, z.y].iter().all(|n| n.is_multiple_of(4));
    let kernel = match vector {
        true => &CONV_MATRIX,
        false => &CONV_MATRIX_ANY,
    };
    let taken = l.choose(kernel, &shape, words);
    let t = tiles.into_iter().find(|t| t.words() == taken);
    let Some(t) = t else { return Ok(false) };
    let (step, inner) = Packing::steps(c);
    let skip = match z.count > 1 {
        true => c.inputs * c.outputs * c.taps(),
        false => 0,
    };
    let Rows {
        words,
        heads,
        matrices,
    } = rows(c, m.size, inner);
    let table = l.constant(words);
    let key = format!("matrices of {} {c:?} {}", m.size, z.count);
    let each = m.size * m.size / 2; // pairs of a matrix
    let packed = (matrices * each) as usize * z.count as usize;
    let wt = l.derived(w, key, packed, |l, dst| {
        for [first, across, at] in heads {
            let pairs = c.outputs.div_ceil(m.size) * across * each;
            let params = PackMatrixParams {
                outputs: c.outputs,
                size: m.size,
                across,
                first,
                step,
                skip,
                at: at * each,
                stride: matrices * each,
                pairs,
                total: pairs * z.count,
            };
            let groups = fold(u64::from(params.total).div_ceil(64));
            if across > 0 {
                l.dispatch(
                    &PACK_MATRIX,
                    &params,
                    &[("WG", 64.0)],
                    &[w, table, dst],
                    groups,
                )?;
            }
        }
        Ok(())
    })?;
    let blocks = c.most_columns().div_ceil(u64::from(t.width(m)));
    let tiles = c.outputs.div_ceil(t.height(m));
    let groups = blocks * u64::from(tiles * c.phases()) * u64::from(z.count);
    let mut words = vec![c.batch, c.outputs];
    words.extend([c.input, c.output, c.stride, c.pad].concat());
    words.extend([
        u32::from(c.transposed),
        tiles,
        c.phases(),
        groups as u32,
        blocks as u32,
    ]);
    words.extend([z.x, if z.count > 1 { matrices } else { 0 }, z.y]);
    let bias = match finish.bias {
        None => 0,
        Some(_) => 1 + u32::from(finish.by_cell),
    };
    words.extend([bias, finish.slope.to_bits()]);
    let params: ConvMatrixParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
    let overrides = [
        ("WG", f64::from(t.lanes(m))),
        ("SUBGROUP", f64::from(m.subgroup)),
        ("SPARE", f64::from(u8::from(m.varies))),
        ("ROWS", f64::from(t.rows)),
        ("COLS", f64::from(t.cols)),
        ("ACROSS", f64::from(t.across)),
        ("DEPTH", f64::from(t.depth)),
        ("VECTOR", f64::from(u8::from(vector))),
    ];
    let slots = [x, x, wt, table, finish.bias.unwrap_or(x), y];
    let text = m.text(l.element(x), l.element(y));
    l.dispatch_with(
        kernel,
        Some(text),
        &params,
        &overrides,
        &slots,
        fold(groups),
    )?;
    Ok(true)
}
