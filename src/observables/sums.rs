//! Sums over the showers of a sample and over each replica of it.

use super::spectrum::{middle_of, step_of, steps};
use super::{Geometry, Projection, Spectrum};

/// Sums over showers, an entry a quantity, each for the sample and its replicas.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicated<T> {
    /// The sample and its replicas.
    draws: usize,
    /// `[entries, draws]`.
    sums: Vec<T>,
}

impl<T: Copy + Default + std::ops::AddAssign> Replicated<T> {
    fn new(entries: usize, draws: usize) -> Self {
        Self {
            draws,
            sums: vec![T::default(); entries * draws],
        }
    }

    fn add(&mut self, entry: usize, terms: impl Iterator<Item = T>) {
        let row = &mut self.sums[entry * self.draws..][..self.draws];
        row.iter_mut()
            .zip(terms)
            .for_each(|(sum, term)| *sum += term);
    }

    fn merge(&mut self, other: &Self) {
        let pairs = self.sums.iter_mut().zip(&other.sums);
        pairs.for_each(|(a, &b)| *a += b);
    }

    /// Number of draws: the sample and its replicas.
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// All entries in one draw: 0 is the sample itself.
    pub fn draw(&self, draw: usize) -> impl Iterator<Item = T> + '_ {
        self.sums.iter().skip(draw).step_by(self.draws).copied()
    }
}

/// What is summed over the showers of a sample or of half of it.
#[derive(Debug, Clone)]
pub struct Sums {
    /// `cell_energy`: all cells above zero of all showers.
    pub cells: Spectrum,
    /// Energy of each cell.
    pub energy: Vec<f64>,
    /// Showers in which each cell is hit.
    pub hits: Vec<f64>,
    /// Number of showers.
    pub showers: Replicated<f64>,
    /// Energy of each layer, `[Z]`.
    pub layers: Replicated<f64>,
    /// Hits of each layer, `[Z]`.
    pub layer_hits: Replicated<f64>,
    /// Energy of each ring of one cell about the axis; of showers on a grid alone.
    pub rings: Replicated<f64>,
    /// Σd and Σd² of each layer and Σd·d' of each and the next, `[3, Z]`, d the difference of a layer's energy from that
    /// of `origin`.
    pub neighbours: Replicated<f64>,
    /// Layer energies of the sample's first shower: differences from it keep their digits.
    pub origin: Vec<f64>,
    /// Cells above zero by energy, in steps of a relative width of 1.1 %.
    pub steps: Replicated<u32>,
    /// The ring of each cell of a layer.
    ring_of: Vec<usize>,
}

/// Bits of a float32 below the steps: 64 steps per factor of two.
const DROPPED: u32 = 17;

impl Sums {
    /// Of no shower yet.
    pub fn new(geometry: &Geometry, exact_cells: usize, replicas: usize) -> Self {
        let draws = replicas + 1;
        let layers = geometry.layers();
        let ring_of = geometry.grid().map_or(Vec::new(), |[_, x, y]| rings(x, y));
        let rings = ring_of.iter().max().map_or(0, |&last| last + 1);
        Self {
            cells: Spectrum::new(exact_cells),
            energy: vec![0.0; geometry.cells()],
            hits: vec![0.0; geometry.cells()],
            showers: Replicated::new(1, draws),
            layers: Replicated::new(layers, draws),
            layer_hits: Replicated::new(layers, draws),
            rings: Replicated::new(rings, draws),
            neighbours: Replicated::new(3 * layers, draws),
            origin: Vec::new(),
            // One draw needs no steps: the spectrum has the values themselves.
            steps: Replicated::new(if replicas > 0 { steps(DROPPED) } else { 0 }, draws),
            ring_of,
        }
    }

    /// Adds a shower: its projection, its cells above zero with their indices, how often each draw holds it, and the layer
    /// energies of the sample's first shower.
    pub fn add(
        &mut self,
        shower: &Projection,
        cells: &[(usize, f64)],
        times: &[u8],
        origin: &[f64],
    ) {
        let layers = shower.z.len();
        let mut rings = vec![0.0; self.ring_of.iter().max().map_or(0, |&last| last + 1)];
        for &(cell, e) in cells {
            self.energy[cell] += e;
            self.hits[cell] += 1.0;
            if let Some(layer) = cell.checked_rem(self.ring_of.len()) {
                rings[self.ring_of[layer]] += e;
            }
        }
        let energies: Vec<f64> = cells.iter().map(|&(_, e)| e).collect();
        self.cells.add(&energies);
        if times.len() > 1 {
            for &e in &energies {
                self.steps
                    .add(step_of(e, DROPPED), times.iter().map(|&n| u32::from(n)));
            }
        }
        let weights: Vec<f64> = times.iter().map(|&n| f64::from(n)).collect();
        let put = |sums: &mut Replicated<f64>, entry: usize, value: f64| {
            if value != 0.0 {
                sums.add(entry, weights.iter().map(|w| w * value));
            }
        };
        put(&mut self.showers, 0, 1.0);
        for (ring, &e) in rings.iter().enumerate() {
            put(&mut self.rings, ring, e);
        }
        let away = |z: usize| shower.z[z] - origin[z];
        for z in 0..layers {
            put(&mut self.layers, z, shower.z[z]);
            put(&mut self.layer_hits, z, f64::from(shower.hits[z]));
            let d = away(z);
            put(&mut self.neighbours, z, d);
            put(&mut self.neighbours, layers + z, d * d);
            if z + 1 < layers {
                put(&mut self.neighbours, 2 * layers + z, d * away(z + 1));
            }
        }
        if self.origin.is_empty() {
            self.origin = origin.to_vec();
        }
    }

    /// Adds to energies of cells and rings what the cells of showers sum to that were added without them.
    pub fn add_cells(&mut self, summed: &[f64]) {
        for (cell, &e) in summed.iter().enumerate() {
            self.energy[cell] += e;
            if let Some(layer) = cell.checked_rem(self.ring_of.len()) {
                self.rings.add(self.ring_of[layer], std::iter::once(e));
            }
        }
    }

    /// Adds the showers of another part of the same sample.
    pub fn merge(&mut self, other: &Self) {
        self.cells.merge(&other.cells);
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        add(&mut self.energy, &other.energy);
        add(&mut self.hits, &other.hits);
        for (a, b) in [
            (&mut self.showers, &other.showers),
            (&mut self.layers, &other.layers),
            (&mut self.layer_hits, &other.layer_hits),
            (&mut self.rings, &other.rings),
            (&mut self.neighbours, &other.neighbours),
        ] {
            a.merge(b);
        }
        self.steps.merge(&other.steps);
        if self.origin.is_empty() {
            self.origin.clone_from(&other.origin);
        }
    }

    /// Number of showers in a draw.
    pub fn events(&self, draw: usize) -> f64 {
        self.showers.draw(draw).sum()
    }

    /// Cells above zero of one draw: the energies at the middle of each step that occurs in the sample, ascending and within
    /// `ends`, and how often each occurs.
    pub fn stepped(&self, draw: usize, ends: (f64, f64)) -> (Vec<f64>, Vec<u64>) {
        let occur = self.steps.draw(0).zip(self.steps.draw(draw)).enumerate();
        let occur = occur.filter(|(_, (all, _))| *all > 0);
        let middle = |step| middle_of(step, DROPPED).clamp(ends.0, ends.1);
        occur
            .map(|(step, (_, n))| (middle(step), u64::from(n)))
            .unzip()
    }
}

/// The ring of each cell of a layer of `[X, Y]` cells: ring k holds those with k ≤ r < k + 1, r the distance from
/// ((X−1)/2, (Y−1)/2) in cells.
pub fn rings(nx: usize, ny: usize) -> Vec<usize> {
    // Twice the distance is the root of an integer, so a cell on a ring's edge falls on its right side.
    let ring = |x: usize, y: usize| {
        let (dx, dy) = ((2 * x + 1).abs_diff(nx), (2 * y + 1).abs_diff(ny));
        (dx * dx + dy * dy).isqrt() / 2
    };
    (0..nx * ny).map(|i| ring(i / ny, i % ny)).collect()
}
