//! The layer in which a shower starts.

/// Which definition of the shower start is used.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ShowerStart {
    /// The first layer whose energy is at least 5 % of the shower's largest layer. Any unit.
    #[default]
    Fraction,
    /// CALICE's finder for hadrons.
    Calice(Calice),
}

/// The first layer l with `A_l + A_(l+1) > energy + energy_slope · p` (in MIP) and
/// `N_l + N_(l+1) > hits + hits_slope · ln p`, where A is the mean energy of the last `window` layers up to l, N the
/// number of hits of a layer and p the incident energy in GeV. A shower without such a layer has no start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calice {
    /// Constant of the energy criterion, MIP.
    pub energy: f64,
    /// Slope of the energy criterion, MIP per GeV.
    pub energy_slope: f64,
    /// Constant of the hit criterion.
    pub hits: f64,
    /// Factor of ln(p / GeV) in the hit criterion.
    pub hits_slope: f64,
    /// Layers in the moving average, the present one included.
    pub window: usize,
    /// One MIP in the unit of the cells.
    pub mip: f64,
}

impl Default for Calice {
    fn default() -> Self {
        Self {
            energy: 6.0,
            energy_slope: 0.1,
            hits: 3.77,
            hits_slope: 1.44,
            window: 10,
            mip: 1.0,
        }
    }
}

impl ShowerStart {
    /// The start layer of a shower with these layer energies and hits, if it has one. `incident` in GeV.
    pub fn find(&self, layers: &[f64], hits: &[u32], incident: f64) -> Option<usize> {
        match self {
            Self::Fraction => {
                let largest = layers.iter().copied().fold(0.0, f64::max);
                layers
                    .iter()
                    .position(|&e| largest > 0.0 && e >= 0.05 * largest)
            }
            Self::Calice(c) => c.find(layers, hits, incident),
        }
    }

    /// The definition in words, for the report.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fraction => "fraction",
            Self::Calice(_) => "calice",
        }
    }
}

impl Calice {
    fn find(&self, layers: &[f64], hits: &[u32], incident: f64) -> Option<usize> {
        // NaN and negative momenta fail this test too.
        if incident.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
            return None;
        }
        let average = |l: usize| {
            let window = &layers[(l + 1).saturating_sub(self.window.max(1))..=l];
            window.iter().sum::<f64>() / window.len() as f64 / self.mip
        };
        let energy = self.energy + self.energy_slope * incident;
        let count = self.hits + self.hits_slope * incident.ln();
        (0..layers.len().saturating_sub(1)).find(|&l| {
            average(l) + average(l + 1) > energy && f64::from(hits[l] + hits[l + 1]) > count
        })
    }
}
