//! High-level features of showers in layers of r and α, as the CaloChallenge defines them (arXiv:2410.21611).

use super::features::{Features, INCIDENT, LOG_OFFSET, each_shower};
use super::{Projection, Sample, counts};
use crate::geometry::{Geometry, PolarLayer};
use crate::{Error, Result};

/// Incident energies of a sample are in GeV, those of the challenge in the unit of its voxels.
const MEV: f64 = 1e3;

/// Lengths in the classifier's vector are in units of so many mm.
const LENGTH: f64 = 100.0;

/// A number that is computed of a shower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Energy of a layer.
    Energy,
    /// Energy-weighted mean of η = r cos α in a layer, mm.
    CentreEta,
    /// Energy-weighted mean of φ = r sin α in a layer, mm.
    CentrePhi,
    /// √max(0, ⟨η²⟩ − ⟨η⟩²) of a layer, mm.
    WidthEta,
    /// √max(0, ⟨φ²⟩ − ⟨φ⟩²) of a layer, mm.
    WidthPhi,
    /// Energy of the shower.
    Total,
    /// Share of a layer's voxels that is not above 0.
    Sparsity,
    /// Energy-weighted mean of r in a layer, mm.
    CentreR,
    /// √max(0, ⟨r²⟩ − ⟨r⟩²) of a layer, mm.
    WidthR,
}

impl Quantity {
    /// In the order of the classifier's vector.
    pub const ALL: [Self; 9] = [
        Self::Energy,
        Self::CentreEta,
        Self::CentrePhi,
        Self::WidthEta,
        Self::WidthPhi,
        Self::Total,
        Self::Sparsity,
        Self::CentreR,
        Self::WidthR,
    ];

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "e_layer",
            Self::CentreEta => "ec_eta",
            Self::CentrePhi => "ec_phi",
            Self::WidthEta => "width_eta",
            Self::WidthPhi => "width_phi",
            Self::Total => "e_tot",
            Self::Sparsity => "sparsity",
            Self::CentreR => "ec_r",
            Self::WidthR => "width_r",
        }
    }

    /// Whether a layer has it: one that is not divided in α has no η and φ. The total has no layer.
    fn is_of(self, layer: &PolarLayer) -> bool {
        match self {
            Self::CentreEta | Self::CentrePhi | Self::WidthEta | Self::WidthPhi => {
                layer.alpha_bins > 1
            }
            Self::Total => false,
            Self::Energy | Self::Sparsity | Self::CentreR | Self::WidthR => true,
        }
    }

    /// Its name in the classifier's vector, where energies are logarithms.
    fn feature(self) -> &'static str {
        match self {
            Self::Energy => "log10_energy",
            Self::Total => "log10_visible_energy",
            other => other.name(),
        }
    }

    fn scaled(self, value: f64) -> f64 {
        match self {
            Self::Energy | Self::Total => (value + LOG_OFFSET).log10(),
            Self::Sparsity => value,
            _ => value / LENGTH,
        }
    }
}

/// A quantity of every shower.
#[derive(Debug, Clone)]
pub struct PolarColumn {
    /// What it is.
    pub quantity: Quantity,
    /// The detector's number of the layer; none for the whole shower.
    pub layer: Option<usize>,
    /// A value for each shower, those without energy included (0 but for a sparsity of 1).
    pub values: Vec<f64>,
}

/// All quantities of all showers of a sample, and the energies of their voxels in bins.
#[derive(Debug, Default)]
pub struct PolarFeatures {
    /// Incident energies, in the voxels' unit (MeV).
    pub incident: Vec<f64>,
    /// Quantity by quantity in the classifier's order, layer by layer.
    pub columns: Vec<PolarColumn>,
    /// Voxels of each shower in each bin, `[N, bins]`.
    pub voxels: Vec<u32>,
}

impl PolarFeatures {
    /// Reads all showers of `sample`; voxels below `threshold`, compared as stored, count as 0. The others are counted by
    /// energy in the bins between `edges`.
    ///
    /// # Errors
    /// [`Error::Format`] if its showers are not in polar layers; what reading gives.
    pub fn collect(sample: &dyn Sample, threshold: f64, edges: &[f64]) -> Result<Self> {
        let info = sample.info();
        let layers = layers(sample)?;
        let mut columns: Vec<PolarColumn> = places(layers)
            .map(|(quantity, place)| PolarColumn {
                quantity,
                layer: place.map(|k| layers[k].id),
                values: Vec::with_capacity(info.events),
            })
            .collect();
        let mut incident_energies = Vec::with_capacity(info.events);
        let bins = edges.len().saturating_sub(1);
        let mut voxels = Vec::with_capacity(bins * info.events);
        let stored = info.stored(threshold);
        each_shower(sample, threshold, |shower, incident, cells| {
            incident_energies.push(incident * MEV);
            let own = voxels.len();
            voxels.resize(own + bins, 0);
            if bins > 0 {
                let hits = cells.iter().filter(|&&e| counts(e, stored));
                hits.filter_map(|&e| bin(edges, e))
                    .for_each(|bin| voxels[own + bin] += 1);
            }
            for (column, value) in columns.iter_mut().zip(values(shower, layers)) {
                column.values.push(value);
            }
        })?;
        Ok(Self {
            incident: incident_energies,
            columns,
            voxels,
        })
    }

    /// Smallest and largest energy of a voxel above 0 that is not below `threshold`; none if there is none.
    ///
    /// # Errors
    /// As [`Self::collect`].
    pub fn voxel_range(sample: &dyn Sample, threshold: f64) -> Result<Option<[f64; 2]>> {
        layers(sample)?;
        let stored = sample.info().stored(threshold);
        let mut range: Option<[f64; 2]> = None;
        each_shower(sample, threshold, |_, _, cells| {
            for &e in cells.iter().filter(|&&e| counts(e, stored)) {
                let [low, high] = range.unwrap_or([e; 2]);
                range = Some([low.min(e), high.max(e)]);
            }
        })?;
        Ok(range)
    }

    /// Names of the numbers of the classifier's vector.
    pub fn feature_names(&self) -> Vec<String> {
        let columns = self.columns.iter().map(PolarColumn::feature);
        std::iter::once(INCIDENT.to_owned())
            .chain(columns)
            .collect()
    }

    /// The numbers of the classifier's vector, each of all showers: log10 of incident energy, layer energies and total
    /// (these with 1e-8 added), centres and widths over 100 mm, sparsities. 30, 46 and 362 numbers for the challenge's data
    /// sets 1 (photons, pions) and 2 and 3.
    pub fn scaled(&self) -> Vec<Vec<f64>> {
        let incident = self.incident.iter().map(|&e| log_incident(e)).collect();
        let column = |c: &PolarColumn| c.values.iter().map(|&v| c.quantity.scaled(v)).collect();
        std::iter::once(incident)
            .chain(self.columns.iter().map(column))
            .collect()
    }

    /// The classifier's vector of every shower: [`Self::scaled`], shower by shower.
    pub fn features(&self) -> Features {
        let columns = self.scaled();
        let rows = (0..self.incident.len()).flat_map(|i| columns.iter().map(move |c| c[i]));
        Features {
            names: self.feature_names(),
            rows: rows.collect(),
        }
    }
}

/// The bin of `value` between ascending `edges`: bins are half-open, the last one closed; none outside.
pub fn bin(edges: &[f64], value: f64) -> Option<usize> {
    let bins = edges.len().checked_sub(1)?;
    let above = edges.partition_point(|&e| e <= value);
    match above.checked_sub(1)? {
        bin if bin < bins => Some(bin),
        // Above the last edge, unless it is that itself.
        last => (bins > 0 && value == edges[last]).then(|| bins - 1),
    }
}

impl PolarColumn {
    fn feature(&self) -> String {
        match self.layer {
            Some(id) => format!("{}_layer_{id}", self.quantity.feature()),
            None => self.quantity.feature().into(),
        }
    }
}

/// The classifier's vectors alone.
pub(super) fn features(sample: &dyn Sample, threshold: f64) -> Result<Features> {
    let all = PolarFeatures::collect(sample, threshold, &[])?;
    Ok(all.features())
}

fn log_incident(energy: f64) -> f64 {
    energy.max(LOG_OFFSET).log10()
}

fn layers(sample: &dyn Sample) -> Result<&[PolarLayer]> {
    let info = sample.info();
    match &info.geometry {
        Geometry::Polar(layers) => Ok(layers),
        grid => Err(Error::format(
            &info.file,
            format!("showers of {grid}, expected voxels in r and α"),
        )),
    }
}

/// Every quantity with the index of its layer, in the order of the columns.
fn places(layers: &[PolarLayer]) -> impl Iterator<Item = (Quantity, Option<usize>)> {
    Quantity::ALL.into_iter().flat_map(move |quantity| {
        let own = (0..layers.len()).filter(move |&k| quantity.is_of(&layers[k]));
        let whole = (quantity == Quantity::Total).then_some((quantity, None));
        own.map(move |k| (quantity, Some(k))).chain(whole)
    })
}

/// The values of one shower, in the order of [`places`].
fn values(shower: &Projection, layers: &[PolarLayer]) -> impl Iterator<Item = f64> {
    let across = shower.transverse();
    places(layers).map(move |(quantity, place)| {
        let Some(k) = place else {
            return shower.visible_energy();
        };
        let [eta, phi, r] = across[k];
        match quantity {
            Quantity::Energy | Quantity::Total => shower.z[k],
            Quantity::CentreEta => eta[0],
            Quantity::CentrePhi => phi[0],
            Quantity::WidthEta => eta[1],
            Quantity::WidthPhi => phi[1],
            Quantity::Sparsity => {
                let voxels = layers[k].r_bins() * layers[k].alpha_bins;
                1.0 - f64::from(shower.hits[k]) / voxels as f64
            }
            Quantity::CentreR => r[0],
            Quantity::WidthR => r[1],
        }
    })
}
