//! Part of the showers of a file, or sums of their layers: what a system sees of them.

use super::{ShowerInfo, Showers};
use crate::{Error, Result};

/// A number in which cell energies are held.
pub trait Cell: Copy + Into<f64> {
    /// A sum of energies, rounded.
    fn from_sum(sum: f64) -> Self;
}

impl Cell for f32 {
    fn from_sum(sum: f64) -> Self {
        sum as Self
    }
}

impl Cell for f64 {
    fn from_sum(sum: f64) -> Self {
        sum
    }
}

/// How showers are cut before anything else sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As they are.
    Whole,
    /// Summed over blocks of neighbouring layers, all of one size.
    SumLayers {
        /// Layers that are left, of which the showers have a multiple; one makes images.
        left: usize,
    },
    /// The cells from `origin` on, `shape` of them along each axis.
    Crop {
        /// First layer and cell.
        origin: [usize; 3],
        /// Extents (Z, X, Y).
        shape: [usize; 3],
    },
}

impl View {
    /// The view in which showers of shape `from` have shape `to`: cut at `origin` if there is one; else the same, or summed
    /// over blocks of layers where `to` has fewer.
    ///
    /// # Errors
    /// [`Error::Config`] if there is no such view.
    pub fn between(from: [usize; 3], to: [usize; 3], origin: Option<[usize; 3]>) -> Result<Self> {
        match origin {
            Some(origin) if (0..3).all(|i| origin[i] + to[i] <= from[i]) => {
                Ok(Self::Crop { origin, shape: to })
            }
            Some(origin) => Err(Error::Config(format!(
                "showers are {from:?} (layers, x, y), too small for {to:?} from {origin:?} on"
            ))),
            None if from == to => Ok(Self::Whole),
            None if to[1..] == from[1..] && from[0].is_multiple_of(to[0]) => {
                Ok(Self::SumLayers { left: to[0] })
            }
            None => Err(Error::Config(format!(
                "showers are {from:?} (layers, x, y), expected {to:?} or a multiple of its layers"
            ))),
        }
    }

    /// What is said of showers in this view.
    pub fn info(self, info: &ShowerInfo) -> ShowerInfo {
        let shape = match self {
            Self::Whole => info.shape,
            Self::SumLayers { left } => [left, info.shape[1], info.shape[2]],
            Self::Crop { shape, .. } => shape,
        };
        ShowerInfo {
            shape,
            // Part of the layers, or their sums, are voxels no longer.
            polar: info.polar.clone().filter(|_| self == Self::Whole),
            ..info.clone()
        }
    }

    /// The showers in this view.
    pub fn apply<T: Cell>(self, showers: Showers<T>) -> Showers<T> {
        let from = showers.shape;
        let row = from[2];
        let (shape, layers) = match self {
            Self::Whole => return showers,
            Self::SumLayers { left } => {
                let image = from[1] * from[2];
                let mut layers = Vec::with_capacity(showers.len() * left * image);
                // In double precision: thirty layers of very different energies meet in one cell.
                let mut sums = vec![0.0f64; image];
                for block in showers.layers.chunks_exact(from[0] / left * image) {
                    sums.fill(0.0);
                    for layer in block.chunks_exact(image) {
                        sums.iter_mut()
                            .zip(layer)
                            .for_each(|(s, &e)| *s += e.into());
                    }
                    layers.extend(sums.iter().map(|&s| T::from_sum(s)));
                }
                ([left, from[1], from[2]], layers)
            }
            Self::Crop { origin, shape } => {
                let mut layers =
                    Vec::with_capacity(showers.len() * shape.iter().product::<usize>());
                for shower in showers.layers.chunks_exact(showers.cells()) {
                    for z in 0..shape[0] {
                        for x in 0..shape[1] {
                            let start =
                                ((origin[0] + z) * from[1] + origin[1] + x) * row + origin[2];
                            layers.extend_from_slice(&shower[start..start + shape[2]]);
                        }
                    }
                }
                (shape, layers)
            }
        };
        Showers {
            shape,
            layers,
            ..showers
        }
    }
}
