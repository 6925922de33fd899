//! Where showers come from: a stream of blocks that fit in memory.

use super::Geometry;
use crate::Result;

/// Some showers in order.
#[derive(Debug, Clone, Default)]
pub struct ShowerBlock {
    /// Cell energies of the n showers (`[n, Z, X, Y]` row major on a grid), in the sample's unit, widened from what is stored.
    pub cells: Vec<f64>,
    /// Incident energy of each of the n showers, GeV.
    pub energy: Vec<f64>,
    /// Impact point x, y of each, mm, where it is known.
    pub position: Option<Vec<[f32; 2]>>,
}

impl ShowerBlock {
    /// The same showers with every cell empty that does not count: that is not positive, or below `threshold`, rounded as
    /// [`SampleInfo::stored`] does.
    pub fn cut(mut self, threshold: f64) -> Self {
        cut(&mut self.cells, threshold);
        self
    }
}

/// Whether a cell counts: it is positive, as NaN is not, and not below `threshold`.
pub(crate) fn counts<T: PartialOrd + Default>(energy: T, threshold: T) -> bool {
    energy > T::default() && energy >= threshold
}

/// Empties cells that do not count.
pub(crate) fn cut<T: PartialOrd + Default + Copy>(cells: &mut [T], threshold: T) {
    for e in cells.iter_mut().filter(|e| !counts(**e, threshold)) {
        *e = T::default();
    }
}

/// What a sample says of itself.
#[derive(Debug, Clone)]
pub struct SampleInfo {
    /// The file, as reports and errors name it.
    pub file: String,
    /// Number of showers.
    pub events: usize,
    /// Cells of one shower.
    pub geometry: Geometry,
    /// Unit of the cell energies, such as `MeV`.
    pub unit: String,
    /// Energy below which a cell counts as 0, in `unit`, where the file names one.
    pub threshold: Option<f64>,
    /// What a minimum ionising particle leaves in a cell, in `unit`, where the file names it.
    pub mip: Option<f64>,
    /// Whether cells are stored as float32. A threshold is rounded to the stored type before it is compared, so that
    /// a cell that holds the threshold itself is kept.
    pub single: bool,
}

impl SampleInfo {
    /// `threshold` as this sample's cells are compared with it.
    pub fn stored(&self, threshold: f64) -> f64 {
        if self.single {
            f64::from(threshold as f32)
        } else {
            threshold
        }
    }
}

/// Showers that can be read, from the first, as often as needed. Two samples are read in two threads.
pub trait Sample: Sync {
    /// What the sample is.
    fn info(&self) -> &SampleInfo;
    /// All showers in order, in pieces that fit in memory.
    fn blocks(&self) -> Box<dyn Iterator<Item = Result<ShowerBlock>> + '_>;
}

/// Showers held in memory.
#[derive(Debug, Clone)]
pub struct MemorySample {
    info: SampleInfo,
    showers: ShowerBlock,
    block: usize,
}

impl MemorySample {
    /// The showers of `cells`, one for each `energy`, handed out `block` at a time. `info.events` is set here.
    pub fn new(mut info: SampleInfo, cells: Vec<f64>, energy: Vec<f64>, block: usize) -> Self {
        info.events = energy.len();
        Self {
            info,
            showers: ShowerBlock {
                cells,
                energy,
                position: None,
            },
            block: block.max(1),
        }
    }
}

impl Sample for MemorySample {
    fn info(&self) -> &SampleInfo {
        &self.info
    }

    fn blocks(&self) -> Box<dyn Iterator<Item = Result<ShowerBlock>> + '_> {
        let cells = self
            .showers
            .cells
            .chunks((self.info.geometry.cells() * self.block).max(1));
        let energy = self.showers.energy.chunks(self.block);
        Box::new(cells.zip(energy).map(|(cells, energy)| {
            Ok(ShowerBlock {
                cells: cells.to_vec(),
                energy: energy.to_vec(),
                position: None,
            })
        }))
    }
}

/// Showers held in memory in single precision.
#[derive(Debug, Clone)]
pub struct SingleSample {
    info: SampleInfo,
    cells: Vec<f32>,
    energy: Vec<f32>,
}

impl SingleSample {
    /// Cells of a block, in double precision 8 MiB.
    const BLOCK: usize = 1 << 20;

    /// The showers of `cells`, one for each `energy`. `info.events` is set here.
    pub fn new(mut info: SampleInfo, cells: Vec<f32>, energy: Vec<f32>) -> Self {
        info.events = energy.len();
        Self {
            info,
            cells,
            energy,
        }
    }
}

impl Sample for SingleSample {
    fn info(&self) -> &SampleInfo {
        &self.info
    }

    fn blocks(&self) -> Box<dyn Iterator<Item = Result<ShowerBlock>> + '_> {
        let size = self.info.geometry.cells().max(1);
        let block = (Self::BLOCK / size).max(1);
        let wide = |values: &[f32]| values.iter().map(|&v| v.into()).collect();
        let cells = self.cells.chunks(block * size);
        Box::new(
            cells
                .zip(self.energy.chunks(block))
                .map(move |(cells, energy)| {
                    Ok(ShowerBlock {
                        cells: wide(cells),
                        energy: wide(energy),
                        position: None,
                    })
                }),
        )
    }
}
