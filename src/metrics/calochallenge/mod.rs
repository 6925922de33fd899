//! Histograms of the CaloChallenge's high-level features in its own ranges, and their separation powers.

mod bins;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Moments;
use super::leaves::{Leaves, errors, leaves};
use super::text::with_error;
use crate::Result;
use crate::geometry::{CaloChallenge, Geometry, PolarLayer};
use crate::observables::{Bootstrap, PolarFeatures, Quantity, Sample, half};
use bins::{Edges, Filled, Place, Times, sum};

/// Incident energies of data set 1 are 2^8 to 2^22 MeV; a shower counts for the point below it.
const POINTS: std::ops::RangeInclusive<i32> = 8..=22;

/// How two samples of showers in polar layers compare in the challenge's high-level features.
#[derive(Debug, Clone, Serialize)]
pub struct HighLevel {
    /// The data set with this geometry, whose ranges are used; none for another geometry, whose ranges reach to its edges.
    pub dataset: Option<&'static str>,
    /// Lower end of the histograms of energies, in the voxels' unit.
    pub cutoff: f64,
    /// What was found.
    #[serde(flatten)]
    pub figures: HighLevelFigures,
    /// Statistical errors, in the same form; absent without replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<HighLevelFigures>,
    /// What was counted, for drawing.
    #[serde(skip)]
    pub histograms: Vec<Counts>,
}

/// The figures of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct HighLevelFigures {
    /// Separation powers of generated against reference.
    pub separation_power: SeparationPowers,
    /// The same of the two halves of the reference ([`half`]): what chance alone makes of two samples of half its size.
    pub reference_halves: SeparationPowers,
    /// Means and standard deviations of the classifier's vector.
    pub features: FeatureMoments,
}

leaves!(HighLevelFigures: separation_power, reference_halves, features);

/// Separation powers by quantity; null where a sample has nothing in the range of the histogram.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SeparationPowers {
    /// Of the visible energy over the incident energy.
    pub e_tot_over_e_inc: Option<f64>,
    /// Of the same at each incident energy of data set 1, by the energy in MeV.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub e_tot_over_e_inc_by_energy: BTreeMap<u64, Option<f64>>,
    /// Of the energies of all voxels above 0.
    pub voxel_energy: Option<f64>,
    /// Mean over the layers of every other quantity, by its name.
    pub mean_of_layers: BTreeMap<&'static str, Option<f64>>,
    /// Of every other quantity by its name, then by the detector's number of the layer.
    #[serde(flatten)]
    pub layers: BTreeMap<&'static str, BTreeMap<usize, Option<f64>>>,
}

leaves!(SeparationPowers: e_tot_over_e_inc, e_tot_over_e_inc_by_energy, voxel_energy, mean_of_layers, layers);

impl<K, T: Leaves> Leaves for BTreeMap<K, T> {
    fn visit(&mut self, f: &mut dyn FnMut(&mut f64)) {
        self.values_mut().for_each(|value| value.visit(f));
    }
}

impl SeparationPowers {
    fn set(&mut self, place: Place, power: Option<f64>) {
        match place {
            Place::Ratio => self.e_tot_over_e_inc = power,
            Place::RatioAt(energy) => {
                self.e_tot_over_e_inc_by_energy.insert(energy, power);
            }
            Place::Voxel => self.voxel_energy = power,
            Place::Layer(name, layer) => {
                self.layers.entry(name).or_default().insert(layer, power);
            }
        }
    }

    fn with_means(mut self) -> Self {
        for (name, layers) in &self.layers {
            let known: Vec<f64> = layers.values().filter_map(|p| *p).collect();
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let mean = (!known.is_empty()).then_some(mean);
            self.mean_of_layers.insert(name, mean);
        }
        self
    }
}

/// Moments of the numbers of the classifier's vector.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureMoments {
    /// Names of the numbers.
    pub names: Vec<String>,
    /// In the reference.
    pub reference: Vec<Moments>,
    /// In the generated sample.
    pub generated: Vec<Moments>,
}

leaves!(FeatureMoments: reference, generated);

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
    /// In the reference.
    pub reference: Vec<u64>,
    /// In the generated sample.
    pub generated: Vec<u64>,
}

/// Ends of the histogram of voxel energies; none where no voxel is above the lower one. `range` is the smallest and the
/// largest voxel of the reference above 0.
fn voxel_edges(
    geometry: &Geometry,
    threshold: f64,
    range: Option<[f64; 2]>,
) -> (f64, Option<Edges>) {
    let smallest = range.map_or(0.0, |[low, _]| low);
    let cutoff = match CaloChallenge::of_layers(layers(geometry)) {
        _ if threshold > 0.0 => threshold,
        Some(set) => set.cutoff(),
        None => smallest,
    };
    let edges = range.and_then(|[_, high]| Edges::voxels(cutoff, high));
    (cutoff, edges)
}

fn layers(geometry: &Geometry) -> &[PolarLayer] {
    match geometry {
        Geometry::Polar(layers) => layers,
        Geometry::Grid(_) => &[],
    }
}

/// A reference with which samples are compared.
pub struct HighLevelReference {
    geometry: Geometry,
    cutoff: f64,
    voxels: Option<Edges>,
    threshold: f64,
    features: PolarFeatures,
}

impl HighLevelReference {
    /// Reads the reference twice: for the largest voxel, which ends a histogram, and for everything else. Voxels below
    /// `threshold` count as 0.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) if its showers are not in polar layers; what reading gives.
    pub fn collect(reference: &dyn Sample, threshold: f64) -> Result<Self> {
        let geometry = reference.info().geometry.clone();
        let range = PolarFeatures::voxel_range(reference, threshold)?;
        let (cutoff, voxels) = voxel_edges(&geometry, threshold, range);
        let mut all = Self {
            geometry,
            cutoff,
            voxels,
            threshold,
            features: PolarFeatures::default(),
        };
        all.features = all.read(reference)?;
        Ok(all)
    }

    fn read(&self, sample: &dyn Sample) -> Result<PolarFeatures> {
        let edges = self.voxels.as_ref().map_or(&[][..], |e| &e.edges);
        PolarFeatures::collect(sample, self.threshold, edges)
    }

    /// Compares a sample of the same geometry with it.
    ///
    /// # Errors
    /// As [`Self::collect`].
    pub fn compare(&self, generated: &dyn Sample, bootstrap: Bootstrap) -> Result<HighLevel> {
        let generated = self.read(generated)?;
        let (reference, set) = (
            &self.features,
            CaloChallenge::of_layers(layers(&self.geometry)),
        );
        let histograms = self.fill(set, &generated);
        let halves: Vec<u8> = (0..reference.incident.len())
            .map(|i| half(i) as u8)
            .collect();
        let [own, other] = [reference, &generated].map(PolarFeatures::scaled);
        let draw = |replica: usize| {
            let [a, b] = [(0, reference), (1, &generated)]
                .map(|(side, f)| bootstrap.column(side, f.incident.len(), replica));
            let times: Times = [&a, &b];
            let [mut separation_power, mut reference_halves] =
                [(); 2].map(|()| SeparationPowers::default());
            for histogram in &histograms {
                histogram.add(times, &halves, &mut separation_power, &mut reference_halves);
            }
            let of = |columns: &[Vec<f64>], times: &[u8]| {
                columns
                    .iter()
                    .map(|c| Moments::repeated(c, times))
                    .collect()
            };
            HighLevelFigures {
                separation_power: separation_power.with_means(),
                reference_halves: reference_halves.with_means(),
                features: FeatureMoments {
                    names: reference.feature_names(),
                    reference: of(&own, &a),
                    generated: of(&other, &b),
                },
            }
        };
        let figures = draw(0);
        let once = [reference, &generated].map(|f| vec![1; f.incident.len()]);
        let drawn = histograms
            .iter()
            .filter_map(|h| Counts::of(h, [&once[0], &once[1]], &halves));
        Ok(HighLevel {
            dataset: set.map(CaloChallenge::name),
            cutoff: self.cutoff,
            errors: errors(&figures, bootstrap, draw),
            figures,
            histograms: drawn.collect(),
        })
    }

    fn fill(&self, set: Option<CaloChallenge>, generated: &PolarFeatures) -> Vec<Filled> {
        let reference = &self.features;
        let mut all = Vec::new();
        let [a, b] = [reference, generated].map(ratios);
        all.push(Filled::of_values(Place::Ratio, Edges::ratio(), [&a, &b]));
        if matches!(set, Some(CaloChallenge::Photons1 | CaloChallenge::Pions1)) {
            for k in POINTS {
                let (low, high) = (2f64.powi(k), 2f64.powi(k + 1));
                // Energies went through GeV in single precision.
                let within = |f: &PolarFeatures, all: &[(usize, f64)]| -> Vec<(usize, f64)> {
                    let inside = |i: usize| (low..high).contains(&(f.incident[i] * (1.0 + 1e-6)));
                    all.iter().copied().filter(|&(i, _)| inside(i)).collect()
                };
                let values = [&within(reference, &a)[..], &within(generated, &b)];
                let place = Place::RatioAt(low as u64);
                all.push(Filled::of_values(place, Edges::ratio(), values));
            }
        }
        if let Some(edges) = &self.voxels {
            let counts = [&reference.voxels[..], &generated.voxels];
            all.push(Filled::of_counts(Place::Voxel, edges.clone(), counts));
        }
        for (a, b) in reference.columns.iter().zip(&generated.columns) {
            let Some(layer) = a.layer else { continue };
            let edges = Edges::of(a, layers(&self.geometry), set, self.cutoff);
            // Without edges there is nothing in range, and no power.
            let edges = edges.unwrap_or_else(Edges::none);
            let values = [a, b].map(|c| c.values.iter().copied().enumerate().collect::<Vec<_>>());
            let place = Place::Layer(a.quantity.name(), layer);
            all.push(Filled::of_values(place, edges, [&values[0], &values[1]]));
        }
        all
    }
}

/// Visible over incident energy of each shower.
fn ratios(f: &PolarFeatures) -> Vec<(usize, f64)> {
    let total = f.columns.iter().find(|c| c.quantity == Quantity::Total);
    let total = total.map_or(&[][..], |c| &c.values);
    let pairs = total.iter().zip(&f.incident);
    pairs
        .map(|(total, incident)| total / incident)
        .enumerate()
        .collect()
}

impl Counts {
    /// None for one that is not drawn.
    fn of(histogram: &Filled, times: Times, halves: &[u8]) -> Option<Self> {
        let (name, layer) = match histogram.place {
            Place::Ratio => ("e_tot_over_e_inc", None),
            Place::RatioAt(_) => return None,
            Place::Voxel => ("voxel_energy", None),
            Place::Layer(name, layer) => (name, Some(layer)),
        };
        if histogram.edges.edges.len() < 2 {
            return None;
        }
        let [first, second, generated] = histogram.counts(times, halves);
        Some(Self {
            name,
            layer,
            edges: histogram.edges.edges.clone(),
            log: histogram.edges.log,
            reference: sum(&first, &second),
            generated,
        })
    }
}

impl fmt::Display for HighLevel {
    /// Separation powers, those of layers as their mean.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<32} {:>16} {:>20}",
            "separation power", "generated", "reference's halves"
        )?;
        let errors = self.errors.as_ref();
        let mut row = |name: &str, of: &dyn Fn(&SeparationPowers) -> Option<f64>| {
            let own = |f: &HighLevelFigures| of(&f.separation_power);
            let halves = |f: &HighLevelFigures| of(&f.reference_halves);
            let own = with_error(own(&self.figures), errors.and_then(own));
            let halves = with_error(halves(&self.figures), errors.and_then(halves));
            writeln!(f, "{name:<32} {own:>16} {halves:>20}")
        };
        row("visible / incident energy", &|s| s.e_tot_over_e_inc)?;
        row("voxel energy", &|s| s.voxel_energy)?;
        for quantity in Quantity::ALL {
            let name = quantity.name();
            if self.figures.separation_power.layers.contains_key(name) {
                row(&format!("{name}, mean of layers"), &|s| {
                    *s.mean_of_layers.get(name)?
                })?;
            }
        }
        Ok(())
    }
}
