//! One shower: its projections on the axes, and the moments of those.

/// A shower after its threshold, summed onto each axis.
#[derive(Debug, Clone)]
pub struct Projection {
    /// Energy per layer, `[Z]`.
    pub z: Vec<f64>,
    /// Energy per x, `[X]`.
    pub x: Vec<f64>,
    /// Energy per y, `[Y]`.
    pub y: Vec<f64>,
    /// Hits per layer, `[Z]`.
    pub hits: Vec<u32>,
}

impl Projection {
    /// All zero, for showers of `shape` `[Z, X, Y]`.
    pub fn new(shape: [usize; 3]) -> Self {
        let [z, x, y] = shape;
        Self {
            z: vec![0.0; z],
            x: vec![0.0; x],
            y: vec![0.0; y],
            hits: vec![0; z],
        }
    }

    /// Projects one shower `[Z, X, Y]`. A cell counts if it is positive and not below `threshold`; `visit` sees the
    /// index and energy of each cell that counts.
    pub fn project(&mut self, cells: &[f64], threshold: f64, mut visit: impl FnMut(usize, f64)) {
        self.z.fill(0.0);
        self.x.fill(0.0);
        self.y.fill(0.0);
        self.hits.fill(0);
        let (nx, ny) = (self.x.len(), self.y.len());
        for (row, cells) in cells.chunks_exact(ny.max(1)).enumerate() {
            let (z, x) = (row / nx, row % nx);
            for (y, &e) in cells.iter().enumerate() {
                // NaN is not positive.
                if e > 0.0 && e >= threshold {
                    self.z[z] += e;
                    self.x[x] += e;
                    self.y[y] += e;
                    self.hits[z] += 1;
                    visit(row * ny + y, e);
                }
            }
        }
    }

    /// ΣE over all cells.
    pub fn visible_energy(&self) -> f64 {
        self.z.iter().sum()
    }

    /// Number of cells above zero.
    pub fn n_hits(&self) -> u64 {
        self.hits.iter().map(|&n| u64::from(n)).sum()
    }
}

/// `cog = Σ i·E_i / ΣE` and `width = Σ E_i (i − cog)² / ΣE` of a projection, in cells and cells²; ΣE must not be 0.
///
/// Indices are counted from the first one that has energy, so a shower in a single index has its exact centre and a
/// width of exactly 0.
pub fn centre_and_width(projection: &[f64]) -> (f64, f64) {
    let first = projection.iter().position(|&e| e > 0.0).unwrap_or(0);
    let rest = || {
        projection[first..]
            .iter()
            .enumerate()
            .map(|(i, &e)| (i as f64, e))
    };
    let sum: f64 = rest().map(|(_, e)| e).sum();
    let centre = rest().map(|(i, e)| i * e).sum::<f64>() / sum;
    let width = rest()
        .map(|(i, e)| e * (i - centre) * (i - centre))
        .sum::<f64>()
        / sum;
    (first as f64 + centre, width)
}

/// Shares of ΣE in layers `[0, Z/3)`, `[Z/3, 2Z/3)` and `[2Z/3, Z)`, bounds rounded down; ΣE must not be 0.
pub fn thirds(layers: &[f64]) -> [f64; 3] {
    let z = layers.len();
    let sum: f64 = layers.iter().sum();
    let share = |a: usize, b: usize| layers[a..b].iter().sum::<f64>() / sum;
    [
        share(0, z / 3),
        share(z / 3, 2 * z / 3),
        share(2 * z / 3, z),
    ]
}
