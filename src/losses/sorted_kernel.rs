//! Sorted-kernel MMD: cell energy spectra compared rank by rank.

use crate::Error;
use crate::tape::Var;

/// Windows over the ranks of the cells of a shower, largest first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SortedKernel {
    /// Ranks in a window.
    pub size: usize,
    /// Ranks from one window's start to the next.
    pub stride: usize,
    /// Windows start below this rank (and below the number of cells).
    pub limit: usize,
    /// Of the Gaussian kernel `exp(-alpha (a-b)²)`, in 1 / energy².
    pub alpha: f32,
}

impl Default for SortedKernel {
    /// Of the BIB-AE's post processor, energies in MeV.
    fn default() -> Self {
        Self {
            size: 100,
            stride: 25,
            limit: 2000,
            alpha: 200.0,
        }
    }
}

/// Sorted-kernel MMD of the BIB-AE (arXiv:2005.05334): both showers' cells are sorted, largest first; in each window of ranks
/// the biased MMD of the two sets of energies is taken, `mean k(u,u') + mean k(v,v') - 2 mean k(u,v)`; then the mean over
/// windows and showers. A scalar.
///
/// `x` and `y` are cells times showers, `[P, N]`, shower n of one against shower n of the other. A window that runs over
/// the end holds the cells that there are.
#[track_caller]
pub fn sorted_kernel_mmd<'t>(x: Var<'t>, y: Var<'t>, spec: &SortedKernel) -> Var<'t> {
    let shape = x.shape();
    if shape.len() != 2 || y.shape() != shape || spec.size * spec.stride * spec.limit == 0 {
        let what = format!("{spec:?} of {shape:?} and {:?}, wants [P, N]", y.shape());
        return x.tape().fail(Error::shape("sorted_kernel_mmd", what));
    }
    let (cells, showers) = (shape[0], shape[1]);
    let windows = Windows {
        count: spec.limit.min(cells).div_ceil(spec.stride),
        size: spec.size.min(cells),
        stride: spec.stride,
    };
    let of = |v: Var<'t>| windows.of(v.sort_descending(0).0);
    let (u, v) = (of(x), of(y));
    let weights = windows.weights(cells);
    let (w, k) = (windows.count, windows.size);
    // Over the partners first: sums of a lane, in which nothing but the partner changes.
    let kernel = |a: Var<'t>, b: Var<'t>| {
        let difference = a.reshape(&[w, k, 1, showers]) - b.reshape(&[w, 1, k, showers]);
        let kernel = (difference.square() * -spec.alpha).exp();
        match &weights {
            None => kernel.mean(&[2]).mean_all(),
            Some(weights) => {
                let weight = x.tape().constant(weights, &[w, 1, k, 1]);
                let inner = (kernel * weight).sum(&[2]);
                (inner * weight.reshape(&[w, k, 1])).sum_all() * (1.0 / (w * showers) as f32)
            }
        }
    };
    kernel(u, u) + kernel(v, v) - kernel(u, v) * 2.0
}

struct Windows {
    count: usize,
    size: usize,
    stride: usize,
}

impl Windows {
    /// The windows of sorted cells `[P, N]`: `[W, K, N]`, zeros beyond the end.
    ///
    /// Window w holds the ranks from w S: the first S of every window are one stretch of the list cut into rows, so are
    /// the next S, and so on, as many as fit into a window. Unlike a gather, that has a cheap gradient.
    fn of<'t>(&self, sorted: Var<'t>) -> Var<'t> {
        let (cells, showers) = (sorted.extent(0), sorted.extent(1));
        let stretches = self.size.div_ceil(self.stride);
        let span = (self.count + stretches - 1) * self.stride;
        let sorted = match span > cells {
            true => sorted.pad(&[(0, span - cells), (0, 0)], 0.0),
            false => sorted,
        };
        let stretch = |s: usize| {
            let start = s * self.stride;
            let rows = sorted.slice(0, start, start + self.count * self.stride);
            rows.reshape(&[self.count, self.stride, showers]).slice(
                1,
                0,
                self.stride.min(self.size - start),
            )
        };
        let stretches: Vec<_> = (0..stretches).map(stretch).collect();
        Var::concat(&stretches, 1)
    }

    /// One over the number of cells of a window at its cells, 0 beyond the end; `None` if all windows are whole.
    fn weights(&self, cells: usize) -> Option<Vec<f32>> {
        let length = |w: usize| self.size.min(cells - w * self.stride);
        if length(self.count - 1) == self.size {
            return None;
        }
        let row = |w| (0..self.size).map(move |k| (w, k));
        let weights = (0..self.count).flat_map(row).map(|(w, k)| {
            let length = length(w);
            if k < length { 1.0 / length as f32 } else { 0.0 }
        });
        Some(weights.collect())
    }
}
