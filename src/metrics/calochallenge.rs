//! Histograms of the CaloChallenge's high-level features in its own ranges, and their separation powers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Moments, separation_power};
use crate::geometry::{CaloChallenge, Geometry, PolarLayer};
use crate::observables::{PolarColumn, PolarFeatures, Quantity, Sorted, half};

/// Edges of the histograms: layer energies, voxel energies, sparsities, and everything else.
const ENERGY_EDGES: usize = 40;
const VOXEL_EDGES: usize = 50;
const SPARSITY_EDGES: usize = 21;
const EDGES: usize = 101;

/// The layers of data set 1 that belong to the hadronic calorimeter, whose voxels are larger.
const WIDE: [usize; 2] = [12, 13];

/// Incident energies of data set 1 are 2^8 to 2^22 MeV; a shower counts for the point below it.
const POINTS: std::ops::RangeInclusive<i32> = 8..=22;

/// How two samples of showers in polar layers compare in the challenge's high-level features.
#[derive(Debug, Clone, Serialize)]
pub struct HighLevel {
    /// The data set with this geometry, whose ranges are used; none for another geometry, whose ranges reach to its edges.
    pub dataset: Option<&'static str>,
    /// Lower end of the histograms of energies, in the voxels' unit.
    pub cutoff: f64,
    /// Separation powers of generated against reference.
    pub separation_power: SeparationPowers,
    /// The same of the two halves of the reference ([`half`]): what chance alone makes of two samples of half its size.
    pub reference_halves: SeparationPowers,
    /// Means and standard deviations of the classifier's vector.
    pub features: FeatureMoments,
    /// What was counted, for drawing.
    #[serde(skip)]
    pub histograms: Vec<Counts>,
}

/// Separation powers by quantity; null where a sample has nothing in the range of the histogram.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SeparationPowers {
    /// Of the visible energy over the incident energy.
    pub e_tot_over_e_inc: Option<f64>,
    /// Of the same at each incident energy of data set 1, by the energy in MeV.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub e_tot_over_e_inc_by_energy: BTreeMap<u64, Option<f64>>,
    /// Of the energies of all voxels above 0; not known for halves.
    pub voxel_energy: Option<f64>,
    /// Of every other quantity by its name, then by the detector's number of the layer.
    #[serde(flatten)]
    pub layers: BTreeMap<&'static str, BTreeMap<usize, Option<f64>>>,
}

/// Moments of the columns of a feature matrix.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureMoments {
    /// Names of the columns.
    pub names: Vec<String>,
    /// In the reference.
    pub reference: Vec<Moments>,
    /// In the generated sample.
    pub generated: Vec<Moments>,
}

/// Counts of two samples in the challenge's bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// What is counted, such as `ec_eta`.
    pub name: &'static str,
    /// The detector's number of the layer; none for the whole shower.
    pub layer: Option<usize>,
    /// Edges, one more than bins.
    pub edges: Vec<f64>,
    /// Whether the edges are equal in log10.
    pub log: bool,
    /// In the reference, and in its two halves.
    pub reference: [Vec<u64>; 3],
    /// In the generated sample.
    pub generated: Vec<u64>,
}

/// A histogram to be made: edges, and whether they are logarithmic.
type Bins = (Vec<f64>, bool);

/// Compares two samples of one geometry, whose voxels below `threshold` counted as 0.
pub fn high_level(
    geometry: &Geometry,
    threshold: f64,
    reference: &PolarFeatures,
    generated: &PolarFeatures,
) -> HighLevel {
    let layers: &[PolarLayer] = match geometry {
        Geometry::Polar(layers) => layers,
        Geometry::Grid(_) => &[],
    };
    let set = CaloChallenge::of_layers(layers);
    let smallest = || reference.voxels.counted().next().map_or(0.0, |(e, _)| e);
    let cutoff = match set {
        _ if threshold > 0.0 => threshold,
        Some(set) => set.cutoff(),
        None => smallest(),
    };
    let mut powers = [SeparationPowers::default(), SeparationPowers::default()];
    let mut histograms = Vec::new();

    let ratio = |f: &PolarFeatures| -> Vec<f64> {
        let total = f.columns.iter().find(|c| c.quantity == Quantity::Total);
        let total = total.map_or(&[][..], |c| &c.values);
        let pairs = total.iter().zip(&f.incident);
        pairs.map(|(total, incident)| total / incident).collect()
    };
    let (a, b) = (ratio(reference), ratio(generated));
    let counts = |within: &dyn Fn(f64) -> bool| {
        let of = |f: &PolarFeatures, ratios: &[f64]| -> Vec<(usize, f64)> {
            let pairs = f.incident.iter().zip(ratios).enumerate();
            pairs
                .filter(|(_, (incident, _))| within(**incident))
                .map(|(i, (_, &ratio))| (i, ratio))
                .collect()
        };
        let bins = (linear(0.5, 1.5, EDGES), false);
        Counts::of(
            "e_tot_over_e_inc",
            None,
            bins,
            &of(reference, &a),
            &of(generated, &b),
        )
    };
    let all = counts(&|_| true);
    let [own, halves] = all.powers();
    (powers[0].e_tot_over_e_inc, powers[1].e_tot_over_e_inc) = (own, halves);
    histograms.push(all);
    if matches!(set, Some(CaloChallenge::Photons1 | CaloChallenge::Pions1)) {
        for k in POINTS {
            let (low, high) = (2f64.powi(k), 2f64.powi(k + 1));
            // Energies went through GeV in single precision.
            let found = counts(&|e| (low..high).contains(&(e * (1.0 + 1e-6)))).powers();
            for (power, found) in powers.iter_mut().zip(found) {
                power.e_tot_over_e_inc_by_energy.insert(low as u64, found);
            }
        }
    }

    if let Some(counts) = voxels(cutoff, &reference.voxels, &generated.voxels) {
        powers[0].voxel_energy = power(&counts.reference[0], &counts.generated);
        histograms.push(counts);
    }
    for (a, b) in reference.columns.iter().zip(&generated.columns) {
        let Some(layer) = a.layer else { continue };
        let bins = bins(a, layers, set, cutoff);
        let [of_a, of_b] = [a, b].map(|c| c.values.iter().copied().enumerate().collect::<Vec<_>>());
        let counts = bins.map(|bins| Counts::of(a.quantity.name(), a.layer, bins, &of_a, &of_b));
        let found = counts.as_ref().map_or([None; 2], Counts::powers);
        for (power, found) in powers.iter_mut().zip(found) {
            let of_quantity = power.layers.entry(a.quantity.name()).or_default();
            of_quantity.insert(layer, found);
        }
        histograms.extend(counts);
    }
    let [separation_power, reference_halves] = powers;
    HighLevel {
        dataset: set.map(CaloChallenge::name),
        cutoff,
        separation_power,
        reference_halves,
        features: moments(reference, generated),
        histograms,
    }
}

/// The challenge's bins for a quantity of a layer; none where no energy of the reference is above the cutoff.
fn bins(
    column: &PolarColumn,
    layers: &[PolarLayer],
    set: Option<CaloChallenge>,
    cutoff: f64,
) -> Option<Bins> {
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
        Quantity::Sparsity => return Some((linear(0.0, 1.0, SPARSITY_EDGES), false)),
        Quantity::Energy | Quantity::Total => {
            let largest = column.values.iter().copied().fold(0.0, f64::max);
            return Some((logarithmic(cutoff, largest, ENERGY_EDGES)?, true));
        }
    };
    Some((linear(low, high, EDGES), false))
}

fn voxels(cutoff: f64, reference: &Sorted, generated: &Sorted) -> Option<Counts> {
    let largest = reference.counted().last()?.0;
    let edges = logarithmic(cutoff, largest, VOXEL_EDGES)?;
    let counts = |sample: &Sorted| count(&edges, sample.counted());
    Some(Counts {
        name: "voxel_energy",
        layer: None,
        reference: [counts(reference), Vec::new(), Vec::new()],
        generated: counts(generated),
        log: true,
        edges,
    })
}

fn linear(low: f64, high: f64, edges: usize) -> Vec<f64> {
    let last = edges - 1;
    let step = (high - low) / last as f64;
    let mut edges: Vec<f64> = (0..last).map(|k| low + k as f64 * step).collect();
    edges.push(high);
    edges
}

/// Edges equal in log10 with the exact ends; none unless 0 < low < high.
fn logarithmic(low: f64, high: f64, edges: usize) -> Option<Vec<f64>> {
    if !(low > 0.0 && low < high) {
        return None;
    }
    let mut edges: Vec<f64> = linear(low.log10(), high.log10(), edges);
    edges.iter_mut().for_each(|e| *e = 10f64.powf(*e));
    let last = edges.len() - 1;
    (edges[0], edges[last]) = (low, high);
    Some(edges)
}

/// Counts in bins that are half-open, the last one closed; what lies outside is not counted.
fn count(edges: &[f64], values: impl Iterator<Item = (f64, u64)>) -> Vec<u64> {
    let bins = edges.len() - 1;
    let mut counts = vec![0; bins];
    for (value, n) in values {
        let above = edges.partition_point(|&e| e <= value);
        if value == edges[bins] {
            counts[bins - 1] += n;
        } else if (1..=bins).contains(&above) {
            counts[above - 1] += n;
        }
    }
    counts
}

impl Counts {
    fn of(
        name: &'static str,
        layer: Option<usize>,
        (edges, log): Bins,
        reference: &[(usize, f64)],
        generated: &[(usize, f64)],
    ) -> Self {
        let all = |values: &[(usize, f64)]| count(&edges, values.iter().map(|&(_, v)| (v, 1)));
        let part = |which: usize| {
            let values = reference
                .iter()
                .filter(|(shower, _)| half(*shower) == which);
            count(&edges, values.map(|&(_, v)| (v, 1)))
        };
        Self {
            reference: [all(reference), part(0), part(1)],
            generated: all(generated),
            name,
            layer,
            log,
            edges,
        }
    }

    /// Of generated against reference, and of the reference's halves.
    fn powers(&self) -> [Option<f64>; 2] {
        let [all, first, second] = &self.reference;
        [power(all, &self.generated), power(first, second)]
    }
}

fn power(a: &[u64], b: &[u64]) -> Option<f64> {
    let [a, b] = [a, b].map(|counts| counts.iter().map(|&n| n as f64).collect::<Vec<_>>());
    separation_power(&a, &b)
}

impl fmt::Display for HighLevel {
    /// Separation powers, those of layers as their mean.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |power: Option<f64>| power.map_or("-".into(), |p| format!("{p:.5}"));
        let mean = |of: &SeparationPowers, name: &str| {
            let known: Vec<f64> = of.layers.get(name)?.values().filter_map(|p| *p).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let (own, halves) = (&self.separation_power, &self.reference_halves);
        writeln!(
            f,
            "\n{:<32} {:>10} {:>20}",
            "separation power", "generated", "reference's halves"
        )?;
        let mut row = |name: &str, of: &dyn Fn(&SeparationPowers) -> Option<f64>| {
            let (own, halves) = (number(of(own)), number(of(halves)));
            writeln!(f, "{name:<32} {own:>10} {halves:>20}")
        };
        row("visible / incident energy", &|s| s.e_tot_over_e_inc)?;
        row("voxel energy", &|s| s.voxel_energy)?;
        for quantity in Quantity::ALL {
            let name = quantity.name();
            if own.layers.contains_key(name) {
                row(&format!("{name}, mean of layers"), &|s| mean(s, name))?;
            }
        }
        Ok(())
    }
}

fn moments(reference: &PolarFeatures, generated: &PolarFeatures) -> FeatureMoments {
    let of = |f: &PolarFeatures| -> Vec<Moments> {
        let features = f.features();
        let width = features.width();
        let column = |k: usize| -> Vec<f64> {
            features
                .rows
                .iter()
                .skip(k)
                .step_by(width)
                .copied()
                .collect()
        };
        (0..width).map(|k| Moments::of(&column(k))).collect()
    };
    FeatureMoments {
        names: reference.feature_names(),
        reference: of(reference),
        generated: of(generated),
    }
}
