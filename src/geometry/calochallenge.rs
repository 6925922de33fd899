//! The four data sets of the Fast Calorimeter Simulation Challenge 2022.

use super::PolarLayer;

/// A data set of the challenge, whose files say nothing of their geometry. Edges are those of its published binning
/// files (github.com/CaloChallenge/homepage, `code/binning_dataset_*.xml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaloChallenge {
    /// Data set 1, photons: 5 layers, 368 voxels.
    Photons1,
    /// Data set 1, pions: 7 layers, 533 voxels.
    Pions1,
    /// Data set 2, electrons: 45 × 16 × 9 voxels.
    Electrons2,
    /// Data set 3, electrons: 45 × 50 × 18 voxels.
    Electrons3,
}

/// Number of the layer, bins in α, edges in r (mm).
type Row = (usize, usize, &'static [f64]);

const PHOTONS_1: [Row; 5] = [
    (0, 1, &[0., 5., 10., 30., 50., 100., 200., 400., 600.]),
    (
        1,
        10,
        &[
            0., 2., 4., 6., 8., 10., 12., 15., 20., 30., 40., 50., 70., 90., 120., 150., 200.,
        ],
    ),
    (
        2,
        10,
        &[
            0., 2., 5., 10., 15., 20., 25., 30., 40., 50., 60., 80., 100., 130., 160., 200., 250.,
            300., 350., 400.,
        ],
    ),
    (3, 1, &[0., 50., 100., 200., 400., 600.]),
    (12, 1, &[0., 100., 200., 400., 1000., 2000.]),
];

const PIONS_1: [Row; 7] = [
    (0, 1, &[0., 5., 10., 30., 50., 100., 200., 400., 600.]),
    (
        1,
        10,
        &[0., 1., 4., 7., 10., 15., 30., 50., 90., 150., 200.],
    ),
    (
        2,
        10,
        &[0., 5., 10., 20., 30., 50., 80., 130., 200., 300., 400.],
    ),
    (3, 1, &[0., 50., 100., 200., 400., 600.]),
    (
        12,
        10,
        &[
            0., 10., 20., 30., 50., 80., 100., 130., 160., 200., 250., 300., 350., 400., 1000.,
            2000.,
        ],
    ),
    (
        13,
        10,
        &[
            0., 10., 20., 30., 50., 80., 100., 130., 160., 200., 250., 300., 350., 400., 600.,
            1000., 2000.,
        ],
    ),
    (
        14,
        1,
        &[
            0., 50., 100., 150., 200., 250., 300., 400., 600., 1000., 2000.,
        ],
    ),
];

impl CaloChallenge {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Photons1,
        Self::Pions1,
        Self::Electrons2,
        Self::Electrons3,
    ];

    /// The name that the challenge's own scripts use: `1-photons`, `1-pions`, `2` or `3`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photons1 => "1-photons",
            Self::Pions1 => "1-pions",
            Self::Electrons2 => "2",
            Self::Electrons3 => "3",
        }
    }

    /// The data set of that [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// The data set with that number of voxels in a shower; no two have the same.
    pub fn of_voxels(voxels: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.voxels() == voxels)
    }

    /// The data set with these layers.
    pub fn of_layers(layers: &[PolarLayer]) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.layers() == layers)
    }

    /// Number of voxels of a shower.
    pub fn voxels(self) -> usize {
        match self {
            Self::Photons1 => 368,
            Self::Pions1 => 533,
            Self::Electrons2 => 45 * 16 * 9,
            Self::Electrons3 => 45 * 50 * 18,
        }
    }

    /// Energy in MeV below which the challenge's scripts take a voxel as empty: 1 MeV in data set 1, the readout
    /// threshold of 15.15 keV (0.5 keV over a sampling fraction of 0.033) in data sets 2 and 3.
    pub fn cutoff(self) -> f64 {
        match self {
            Self::Photons1 | Self::Pions1 => 1.0,
            Self::Electrons2 | Self::Electrons3 => 0.01515,
        }
    }

    /// The layers that hold voxels.
    pub fn layers(self) -> Vec<PolarLayer> {
        let listed = |rows: &[Row]| {
            rows.iter()
                .map(|&(id, alpha_bins, r_edges)| PolarLayer {
                    id,
                    r_edges: r_edges.to_vec(),
                    alpha_bins,
                })
                .collect()
        };
        // In whole micrometres, so that an edge is the number that its decimal digits name.
        let alike = |alpha_bins, r_bins: u32, width_um: u32| {
            let edges = (0..=r_bins).map(|k| f64::from(k * width_um) / 1000.0);
            let r_edges: Vec<f64> = edges.collect();
            (0..45)
                .map(|id| PolarLayer {
                    id,
                    r_edges: r_edges.clone(),
                    alpha_bins,
                })
                .collect()
        };
        match self {
            Self::Photons1 => listed(&PHOTONS_1),
            Self::Pions1 => listed(&PIONS_1),
            Self::Electrons2 => alike(16, 9, 4650),
            Self::Electrons3 => alike(50, 18, 2325),
        }
    }
}
