//! Options on the shower files that a command reads.

use std::ops::Range;
use std::path::PathBuf;

use calogen::Result;
use calogen::data::{Storage, Voxels, read_binning};
use calogen::geometry::CaloChallenge;

/// How the voxels of CaloChallenge files lie, which the files do not say.
#[derive(clap::Args)]
pub struct VoxelArgs {
    /// Data set of the CaloChallenge whose voxels the files hold: 1-photons, 1-pions, 2 or 3 [default: the one that has
    /// as many voxels]
    #[arg(long, value_name = "NAME", conflicts_with = "binning", value_parser = data_set)]
    dataset: Option<CaloChallenge>,
    /// Binning file (XML) of the CaloChallenge by which the voxels of the files lie [default: none]
    #[arg(long, value_name = "FILE.xml")]
    binning: Option<PathBuf>,
    /// Name or PDG id of the particle to take from the binning file, where it has several [default: the only one]
    #[arg(long, value_name = "NAME|PID", requires = "binning")]
    particle: Option<String>,
}

impl VoxelArgs {
    pub fn voxels(&self) -> Result<Voxels> {
        Ok(match (&self.binning, self.dataset) {
            (Some(path), _) => Voxels::Layers(read_binning(path, self.particle.as_deref())?),
            (None, Some(set)) => Voxels::Layers(set.layers()),
            (None, None) => Voxels::Recognised,
        })
    }
}

/// How a shower file is written.
#[derive(clap::Args)]
pub struct StorageArgs {
    /// Write only the cells hit: `offsets` [N+1], `cells` and `energies` in place of `layers`; every command reads it
    #[arg(long)]
    sparse: bool,
    #[command(flatten)]
    compression: Compression,
}

impl StorageArgs {
    pub fn storage(&self) -> Storage {
        self.compression.storage(self.sparse)
    }
}

/// How hard a file is compressed.
#[derive(clap::Args)]
pub struct Compression {
    /// How hard to compress: 0 not at all; 1 with an encoder for energies that keeps up with generation; 2 to 9 with zlib's level
    /// where that is smaller, several times slower for a file that hardly shrinks. HDF5's own filters read all of them
    #[arg(long, default_value_t = Storage::default().level, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=9))]
    compression: u8,
}

impl Compression {
    pub fn storage(&self, sparse: bool) -> Storage {
        Storage {
            sparse,
            level: self.compression,
        }
    }
}

fn data_set(text: &str) -> std::result::Result<CaloChallenge, String> {
    CaloChallenge::named(text).ok_or_else(|| {
        let known = CaloChallenge::ALL.map(CaloChallenge::name);
        format!("expected one of {}", known.join(", "))
    })
}

/// A range of showers, A:B: from A, counted from 0, up to and without B.
pub fn events(text: &str) -> std::result::Result<Range<usize>, String> {
    text.split_once(':')
        .and_then(|(a, b)| Some(a.trim().parse().ok()?..b.trim().parse().ok()?))
        .filter(|range| !range.is_empty())
        .ok_or_else(|| "expected A:B with A < B, such as 0:9000".into())
}
