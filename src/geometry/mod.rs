//! Where the cells of a shower lie.

mod calochallenge;

use std::f64::consts::PI;
use std::fmt;

pub use calochallenge::CaloChallenge;

/// The cells of a shower and their order in a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    /// `[Z, X, Y]` cells, row major.
    Grid([usize; 3]),
    /// Layers of voxels in r and α about the shower's axis, as in the CaloChallenge data sets. In a layer r runs
    /// fastest, then α.
    Polar(Vec<PolarLayer>),
}

/// One layer of voxels in r and α.
#[derive(Debug, Clone, PartialEq)]
pub struct PolarLayer {
    /// The detector's number of the layer.
    pub id: usize,
    /// Edges of the bins in r, mm, one more than bins.
    pub r_edges: Vec<f64>,
    /// Number of equal bins in α from −π to π.
    pub alpha_bins: usize,
}

impl Geometry {
    /// Number of layers, Z.
    pub fn layers(&self) -> usize {
        match self {
            Self::Grid([z, ..]) => *z,
            Self::Polar(layers) => layers.len(),
        }
    }

    /// Number of cells in layer `z`.
    pub fn layer_cells(&self, z: usize) -> usize {
        match self {
            Self::Grid([_, x, y]) => x * y,
            Self::Polar(layers) => layers[z].r_bins() * layers[z].alpha_bins,
        }
    }

    /// Number of cells of a shower.
    pub fn cells(&self) -> usize {
        (0..self.layers()).map(|z| self.layer_cells(z)).sum()
    }

    /// `[Z, X, Y]` of a grid.
    pub fn grid(&self) -> Option<[usize; 3]> {
        match self {
            Self::Grid(shape) => Some(*shape),
            Self::Polar(_) => None,
        }
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grid(shape) => write!(f, "shape {shape:?}"),
            Self::Polar(layers) => {
                write!(f, "α × r voxels")?;
                for (k, layer) in layers.iter().enumerate() {
                    let comma = if k > 0 { "," } else { "" };
                    write!(f, "{comma} {} × {}", layer.alpha_bins, layer.r_bins())?;
                }
                Ok(())
            }
        }
    }
}

/// `[Z, α, r]` of layers that are all divided alike: a grid, whose rows are those of a file.
pub fn regular_shape(layers: &[PolarLayer]) -> Option<[usize; 3]> {
    let (first, rest) = layers.split_first()?;
    let alike = |l: &PolarLayer| l.alpha_bins == first.alpha_bins && l.r_edges == first.r_edges;
    rest.iter()
        .all(alike)
        .then(|| [layers.len(), first.alpha_bins, first.r_bins()])
}

impl PolarLayer {
    /// Number of bins in r.
    pub fn r_bins(&self) -> usize {
        self.r_edges.len().saturating_sub(1)
    }

    /// `[η, φ, r]` of each voxel's centre, mm: η = r cos α, φ = r sin α.
    pub fn centres(&self) -> Vec<[f64; 3]> {
        let step = 2.0 * PI / self.alpha_bins as f64;
        let alphas = (0..self.alpha_bins).map(|k| (k as f64 + 0.5) * step - PI);
        let radii = || {
            self.r_edges
                .windows(2)
                .map(|edges| 0.5 * (edges[0] + edges[1]))
        };
        alphas
            .flat_map(|alpha| radii().map(move |r| [r * alpha.cos(), r * alpha.sin(), r]))
            .collect()
    }
}
