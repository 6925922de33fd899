//! `calogen convert`: any shower file that is read, as one of the crate's own layout.

use std::ops::Range;
use std::path::PathBuf;

use calogen::data::{Labels, ShowerFile, ShowerWriter};
use calogen::{Error, Result};

use super::Global;
use super::files::{StorageArgs, VoxelArgs, events};
use super::output::{Progress, UNWRITTEN, not_stopped, print, stop_on_interrupt};

/// Bytes of cells that are held at once.
const BLOCK: usize = 32 << 20;

/// Convert a shower file of any layout that is read into HDF5 of datasets `layers` and `energy`, or of hits (--sparse)
///
/// Reads CaloChallenge files, npz files of ALICE ZDC and CMS HGCAL, and HDF5 with its datasets in a group, dense or sparse.
/// Cells are written as float32.
#[derive(clap::Args)]
pub struct Args {
    /// Shower file to read; of a pair of npz files that of the responses, or RESPONSES.npz,PARTICLES.npz
    input: PathBuf,
    /// File to write (HDF5)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Showers to take, from A up to and without B [default: all]
    #[arg(long, value_name = "A:B", value_parser = events)]
    events: Option<Range<usize>>,
    #[command(flatten)]
    storage: StorageArgs,
    #[command(flatten)]
    voxels: VoxelArgs,
}

pub fn run(args: &Args, _: &Global) -> Result<()> {
    let file = ShowerFile::open_as(&args.input, &args.voxels.voxels()?)?;
    let info = file.info();
    let events = args.events.clone().unwrap_or(0..file.len());
    if events.end > file.len() {
        return Err(Error::Config(format!(
            "--events {}:{}, but {} holds {} showers",
            events.start,
            events.end,
            args.input.display(),
            file.len()
        )));
    }
    let labels = Labels {
        position: file.has_position(),
        conditions: info.condition_names.clone(),
    };
    let mut writer = ShowerWriter::create_as(&args.out, info, labels, args.storage.storage())?;
    let progress = Progress::new("convert", "showers", events.len() as u64);
    let cells: usize = info.shape.iter().product();
    let (chunk, count) = (file.rows_together(), events.len());
    let step = (BLOCK / 4 / cells.max(1) / chunk).max(1) * chunk;
    let stop = stop_on_interrupt(UNWRITTEN)?;
    let mut start = events.start;
    while start < events.end {
        not_stopped(&stop, (start - events.start) as u64, count as u64)?;
        let end = ((start / step + 1) * step).min(events.end);
        writer.append(&file.read(start..end)?)?;
        progress.advance((end - start) as u64);
        start = end;
    }
    writer.finish()?;
    drop(progress);
    let shape = info.shape.map(|n| n.to_string()).join(" × ");
    print(&format!(
        "{count} showers of {shape} in {}: {}",
        info.unit,
        args.out.display()
    ))
}
