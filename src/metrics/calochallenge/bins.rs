//! The challenge's histograms: their edges, and the showers that fill them.

use super::SeparationPowers;
use crate::geometry::{CaloChallenge, PolarLayer};
use crate::metrics::separation_power;
use crate::observables::{PolarColumn, Quantity, bin};

/// Edges of the histograms: layer energies, voxel energies, sparsities, and everything else.
const ENERGY_EDGES: usize = 40;
const VOXEL_EDGES: usize = 50;
const SPARSITY_EDGES: usize = 21;
const EDGES: usize = 101;

/// The layers of data set 1 that belong to the hadronic calorimeter, whose voxels are larger.
const WIDE: [usize; 2] = [12, 13];

/// A histogram to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges {
    /// One more than bins.
    pub edges: Vec<f64>,
    /// Whether they are equal in log10.
    pub log: bool,
}

impl Edges {
    /// A histogram without bins.
    pub fn none() -> Self {
        Self {
            edges: vec![0.0],
            log: false,
        }
    }

    fn linear(low: f64, high: f64, edges: usize) -> Self {
        Self {
            edges: linear(low, high, edges),
            log: false,
        }
    }

    /// Edges equal in log10 with the exact ends; none unless 0 < low < high.
    fn logarithmic(low: f64, high: f64, edges: usize) -> Option<Self> {
        if !(low > 0.0 && low < high) {
            return None;
        }
        let mut edges = linear(low.log10(), high.log10(), edges);
        edges.iter_mut().for_each(|e| *e = 10f64.powf(*e));
        let last = edges.len() - 1;
        (edges[0], edges[last]) = (low, high);
        Some(Self { edges, log: true })
    }

    /// Of the visible over the incident energy.
    pub fn ratio() -> Self {
        Self::linear(0.5, 1.5, EDGES)
    }

    /// Of voxel energies from the cutoff to the largest; none where that is not above the cutoff.
    pub fn voxels(cutoff: f64, largest: f64) -> Option<Self> {
        Self::logarithmic(cutoff, largest, VOXEL_EDGES)
    }

    /// Of a quantity of a layer; none where no energy of the reference is above the cutoff.
    ///
    /// The challenge's evaluation gives ranges of the radii to the data sets 2 and 3 and 500 mm to the layers of data set
    /// 1; for those of its hadronic calorimeter 1500 mm is ours: their voxels reach so far.
    pub fn of(
        column: &PolarColumn,
        layers: &[PolarLayer],
        set: Option<CaloChallenge>,
        cutoff: f64,
    ) -> Option<Self> {
        let id = column.layer?;
        let radius = layers.iter().find(|l| l.id == id)?.r_edges.last()?;
        let wide = WIDE.contains(&id);
        use CaloChallenge::{Electrons2, Electrons3};
        let pick = |electrons: f64, near: f64, far: f64| match set {
            Some(Electrons2 | Electrons3) => electrons,
            Some(_) if wide => far,
            Some(_) => near,
            None => *radius,
        };
        let (low, high) = match column.quantity {
            Quantity::CentreEta | Quantity::CentrePhi => {
                let end = pick(30.0, 100.0, 500.0);
                (-end, end)
            }
            Quantity::WidthEta | Quantity::WidthPhi => (0.0, pick(30.0, 100.0, 400.0)),
            Quantity::CentreR => (0.0, pick(42.0, 500.0, 1500.0)),
            Quantity::WidthR => (0.0, pick(20.0, 500.0, 1500.0)),
            Quantity::Sparsity => return Some(Self::linear(0.0, 1.0, SPARSITY_EDGES)),
            Quantity::Energy | Quantity::Total => {
                let largest = column.values.iter().copied().fold(0.0, f64::max);
                return Self::logarithmic(cutoff, largest, ENERGY_EDGES);
            }
        };
        Some(Self::linear(low, high, EDGES))
    }
}

fn linear(low: f64, high: f64, edges: usize) -> Vec<f64> {
    let last = edges - 1;
    let step = (high - low) / last as f64;
    let mut edges: Vec<f64> = (0..last).map(|k| low + k as f64 * step).collect();
    edges.push(high);
    edges
}

/// Where a separation power stands among all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    Ratio,
    /// At an incident energy of data set 1, MeV.
    RatioAt(u64),
    Voxel,
    Layer(&'static str, usize),
}

/// A histogram and what falls into it.
#[derive(Debug)]
pub struct Filled {
    pub place: Place,
    pub edges: Edges,
    /// Shower, bin and count in the reference and the generated sample.
    sides: [Vec<(u32, u16, u32)>; 2],
}

/// How often a draw holds each shower of both samples.
pub type Times<'a> = [&'a [u8]; 2];

impl Filled {
    /// One value of each shower in `values`.
    pub fn of_values(place: Place, edges: Edges, values: [&[(usize, f64)]; 2]) -> Self {
        let sides = values.map(|values| {
            let entry = |&(shower, value): &(usize, f64)| {
                let bin = bin(&edges.edges, value)?;
                Some((shower as u32, bin as u16, 1))
            };
            values.iter().filter_map(entry).collect()
        });
        Self {
            place,
            edges,
            sides,
        }
    }

    /// Counts of each shower, `[N, bins]`.
    pub fn of_counts(place: Place, edges: Edges, counts: [&[u32]; 2]) -> Self {
        let bins = edges.edges.len() - 1;
        let sides = counts.map(|counts| {
            let entry = |(k, &n): (usize, &u32)| {
                (n > 0).then_some(((k / bins) as u32, (k % bins) as u16, n))
            };
            counts.iter().enumerate().filter_map(entry).collect()
        });
        Self {
            place,
            edges,
            sides,
        }
    }

    /// Counts in a draw: of the showers of the reference in each half, and of the generated ones.
    pub fn counts(&self, times: Times, halves: &[u8]) -> [Vec<u64>; 3] {
        let mut all = [(); 3].map(|()| vec![0; self.edges.edges.len() - 1]);
        for &(shower, bin, n) in &self.sides[0] {
            let shower = shower as usize;
            let part = usize::from(halves[shower]);
            all[part][usize::from(bin)] += u64::from(n) * u64::from(times[0][shower]);
        }
        for &(shower, bin, n) in &self.sides[1] {
            let times = times[1][shower as usize];
            all[2][usize::from(bin)] += u64::from(n) * u64::from(times);
        }
        all
    }

    /// Adds to `own` the separation power of generated from reference in a draw, and to `noise` that of the halves.
    pub fn add(
        &self,
        times: Times,
        halves: &[u8],
        own: &mut SeparationPowers,
        noise: &mut SeparationPowers,
    ) {
        let [first, second, generated] = self.counts(times, halves);
        let reference = sum(&first, &second);
        own.set(self.place, power(&reference, &generated));
        noise.set(self.place, power(&first, &second));
    }
}

/// Counts of both together.
pub fn sum(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn power(a: &[u64], b: &[u64]) -> Option<f64> {
    let [a, b] = [a, b].map(|counts| counts.iter().map(|&n| n as f64).collect::<Vec<_>>());
    separation_power(&a, &b)
}
