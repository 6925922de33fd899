//! Precision, recall, density and coverage: how far each sample lies within the neighbourhoods of the other's showers.

use serde::Serialize;

use super::kernel::square_distance;
use super::{Estimate, Pair};
use crate::metrics::matrix::each_piece;

/// Of the manifold that spheres about every shower of a sample make, each as large as the distance of its k-th neighbour.
/// Errors are standard deviations of independent showers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Neighbours {
    /// Share of the generated showers that lie in a sphere of the reference (arXiv:1904.06991).
    pub precision: Estimate,
    /// Share of the reference's showers that lie in a sphere of the generated ones.
    pub recall: Estimate,
    /// Mean number of the reference's spheres in which a generated shower lies, over k (arXiv:2002.09797); may exceed 1.
    pub density: Estimate,
    /// Share of the reference's spheres in which a generated shower lies.
    pub coverage: Estimate,
}

/// Rows of one sample that are compared with all of the other at a time.
const PIECE: usize = 16;

/// Precision, recall, density and coverage with `k` nearest neighbours, a shower itself not counted. Distances are Euclidean.
/// `None` where a sample has no more than `k` showers.
pub fn neighbours(pair: &Pair, k: usize) -> Option<Neighbours> {
    let rows = |v| -> Vec<&[f64]> { <[f64]>::chunks_exact(v, pair.width.max(1)).collect() };
    let (reference, generated) = (rows(&pair.reference), rows(&pair.generated));
    if k == 0 || reference.len().min(generated.len()) <= k {
        return None;
    }
    let (radii, other_radii) = (radii(&reference, k), radii(&generated, k));
    // Of each generated shower: the spheres of the reference about it.
    let mut within = vec![0u32; generated.len()];
    each_piece(&mut within, PIECE, |p, piece| {
        for (i, count) in piece.iter_mut().enumerate() {
            let own = generated[p * PIECE + i];
            let inside = |(r, radius): (&&[f64], &f64)| square_distance(own, r) < *radius;
            *count = reference.iter().zip(&radii).filter(|&v| inside(v)).count() as u32;
        }
    });
    // Of each shower of the reference: whether it lies in a sphere of a generated one, and one of those in its own.
    let mut found = vec![[false; 2]; reference.len()];
    each_piece(&mut found, PIECE, |p, piece| {
        for (i, found) in piece.iter_mut().enumerate() {
            let (own, radius) = (reference[p * PIECE + i], radii[p * PIECE + i]);
            for (other, other_radius) in generated.iter().zip(&other_radii) {
                let distance = square_distance(own, other);
                found[0] |= distance < *other_radius;
                found[1] |= distance < radius;
            }
        }
    });
    let density: Vec<f64> = within.iter().map(|&n| f64::from(n) / k as f64).collect();
    Some(Neighbours {
        precision: share(within.iter().map(|&n| n > 0)),
        recall: share(found.iter().map(|f| f[0])),
        density: mean(&density),
        coverage: share(found.iter().map(|f| f[1])),
    })
}

/// Squared distance of each row's k-th neighbour.
fn radii(rows: &[&[f64]], k: usize) -> Vec<f64> {
    let mut radii = vec![0.0; rows.len()];
    each_piece(&mut radii, PIECE, |p, piece| {
        let mut distances = Vec::with_capacity(rows.len());
        for (i, radius) in piece.iter_mut().enumerate() {
            let own = p * PIECE + i;
            let others = rows.iter().enumerate().filter(|(j, _)| *j != own);
            distances.clear();
            distances.extend(others.map(|(_, row)| square_distance(rows[own], row)));
            *radius = *distances.select_nth_unstable_by(k - 1, f64::total_cmp).1;
        }
    });
    radii
}

fn share(events: impl ExactSizeIterator<Item = bool>) -> Estimate {
    let count = events.len() as f64;
    let value = events.filter(|&e| e).count() as f64 / count;
    Estimate {
        value,
        error: (value * (1.0 - value) / count).sqrt(),
    }
}

fn mean(values: &[f64]) -> Estimate {
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let square = values
        .iter()
        .map(|v| (v - value) * (v - value))
        .sum::<f64>()
        / n;
    Estimate {
        value,
        error: (square / n).sqrt(),
    }
}
