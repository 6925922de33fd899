//! One shower: its projections, and the moments of those.

use super::{Geometry, PolarLayer};

/// A shower after its threshold, summed by layer and across.
#[derive(Debug, Clone)]
pub struct Projection {
    /// Energy per layer, `[Z]`.
    pub z: Vec<f64>,
    /// Hits per layer, `[Z]`.
    pub hits: Vec<u32>,
    across: Across,
}

/// What is summed across the layers.
#[derive(Debug, Clone)]
enum Across {
    /// Energy per x, `[X]`, and per y, `[Y]`.
    Grid { x: Vec<f64>, y: Vec<f64> },
    /// A layer of voxels each.
    Polar(Vec<PolarSums>),
}

#[derive(Debug, Clone)]
struct PolarSums {
    /// `[η, φ, r]` of each voxel.
    centres: Vec<[f64; 3]>,
    /// Σ E·v and Σ E·v² for v each of η, φ, r.
    sums: [[f64; 2]; 3],
    /// The first of these that is an observable.
    first: usize,
}

impl PolarSums {
    fn new(layer: &PolarLayer) -> Self {
        Self {
            centres: layer.centres(),
            sums: Default::default(),
            first: first_axis(layer.alpha_bins),
        }
    }
}

/// A layer that is not divided in α has no centre in η and φ, only in r.
fn first_axis(alpha_bins: usize) -> usize {
    if alpha_bins > 1 { 0 } else { 2 }
}

impl Projection {
    /// All zero.
    pub fn new(geometry: &Geometry) -> Self {
        let z = geometry.layers();
        let across = match geometry {
            Geometry::Grid([_, x, y]) => Across::Grid {
                x: vec![0.0; *x],
                y: vec![0.0; *y],
            },
            Geometry::Polar(layers) => Across::Polar(layers.iter().map(PolarSums::new).collect()),
        };
        Self {
            z: vec![0.0; z],
            hits: vec![0; z],
            across,
        }
    }

    /// Of a shower on a grid that was summed elsewhere: energy and hits per layer, energy per x and per y.
    pub fn of_sums(z: Vec<f64>, hits: Vec<u32>, x: Vec<f64>, y: Vec<f64>) -> Self {
        let across = Across::Grid { x, y };
        Self { z, hits, across }
    }

    /// Projects one shower. A cell counts if it is positive and not below `threshold`; `visit` sees the index and
    /// energy of each cell that counts.
    pub fn project(&mut self, cells: &[f64], threshold: f64, mut visit: impl FnMut(usize, f64)) {
        self.z.fill(0.0);
        self.hits.fill(0);
        let counts = |e: f64| super::counts(e, threshold);
        match &mut self.across {
            Across::Grid { x, y } => {
                x.fill(0.0);
                y.fill(0.0);
                let (nx, ny) = (x.len(), y.len());
                for (row, cells) in cells.chunks_exact(ny.max(1)).enumerate() {
                    let (k, i) = (row / nx, row % nx);
                    for (j, &e) in cells.iter().enumerate() {
                        if counts(e) {
                            self.z[k] += e;
                            x[i] += e;
                            y[j] += e;
                            self.hits[k] += 1;
                            visit(row * ny + j, e);
                        }
                    }
                }
            }
            Across::Polar(layers) => {
                let mut first = 0;
                for (k, PolarSums { centres, sums, .. }) in layers.iter_mut().enumerate() {
                    *sums = Default::default();
                    for (i, centre) in centres.iter().enumerate() {
                        let e = cells[first + i];
                        if counts(e) {
                            self.z[k] += e;
                            self.hits[k] += 1;
                            // In the order of the challenge's own script: a layer with a single voxel has a centre that
                            // may be an edge of a histogram, and a width that is 0 but for rounding.
                            for (sum, v) in sums.iter_mut().zip(centre) {
                                sum[0] += e * v;
                                sum[1] += e * (v * v);
                            }
                            visit(first + i, e);
                        }
                    }
                    first += centres.len();
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

    /// The observables of its shape, in the order of `shape_names`; ΣE must not be 0.
    pub fn shape(&self) -> Vec<f64> {
        let (cog_z, width_z) = centre_and_width(&self.z);
        let mut shape = match &self.across {
            Across::Grid { x, y } => {
                let (cog_x, width_x) = centre_and_width(x);
                let (cog_y, width_y) = centre_and_width(y);
                vec![cog_x, cog_y, cog_z, width_x, width_y, width_z]
            }
            Across::Polar(_) => vec![cog_z, width_z],
        };
        if self.z.len() >= 3 {
            shape.extend(thirds(&self.z));
        }
        if let Across::Polar(layers) = &self.across {
            for (layer, across) in layers.iter().zip(self.transverse()) {
                shape.extend(across[layer.first..].as_flattened());
            }
        }
        shape
    }

    /// Centre of energy ⟨v⟩ and width √max(0, ⟨v²⟩ − ⟨v⟩²) in mm of each polar layer, with v each of η, φ, r; nothing on a
    /// grid.
    pub fn transverse(&self) -> Vec<[[f64; 2]; 3]> {
        let Across::Polar(layers) = &self.across else {
            return Vec::new();
        };
        let of_layer = |(layer, energy): (&PolarSums, &f64)| {
            layer.sums.map(|sums| {
                // As the data sets define it: 0 in a layer without energy.
                let [mean, square] = sums.map(|sum| sum / (energy + 1e-16));
                [mean, (square - mean * mean).max(0.0).sqrt()]
            })
        };
        layers.iter().zip(&self.z).map(of_layer).collect()
    }
}

/// Names of the observables of a shower, each one number.
pub fn observable_names(geometry: &Geometry) -> Vec<String> {
    let mut names = vec!["visible_energy".into(), "n_hits".into(), "response".into()];
    names.extend(shape_names(geometry));
    names.push("shower_start".into());
    names
}

/// Names of the observables of a shower's shape. On a grid these are `cog_x` to `width_z`; in polar layers `cog_z` and
/// `width_z`, and for each layer centre of energy and width in mm along η and φ, if it is divided in α, and r. The fractions need three layers.
fn shape_names(geometry: &Geometry) -> Vec<String> {
    let mut names = match geometry {
        Geometry::Grid(_) => vec!["cog_x", "cog_y", "cog_z", "width_x", "width_y", "width_z"],
        Geometry::Polar(_) => vec!["cog_z", "width_z"],
    };
    if geometry.layers() >= 3 {
        names.extend(["e1_fraction", "e2_fraction", "e3_fraction"]);
    }
    let mut names: Vec<String> = names.into_iter().map(String::from).collect();
    if let Geometry::Polar(layers) = geometry {
        for layer in layers {
            for axis in &["eta", "phi", "r"][first_axis(layer.alpha_bins)..] {
                names.extend(
                    ["ec", "width"].map(|kind| format!("{kind}_{axis}_layer_{}", layer.id)),
                );
            }
        }
    }
    names
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
