//! `calogen merge`: ranges of events from many machines into the one file.

use std::path::{Path, PathBuf};

use calogen::data::{Labels, Provenance, ShowerFile, ShowerWriter};
use calogen::{Error, Result};

use super::Global;
use super::files::Compression;
use super::output::{Progress, UNWRITTEN, not_stopped, print, print_json, stop_on_interrupt};

/// Join files of consecutive events, generated in several ranges (`generate --first-event`), in the order of their events
///
/// The files must be of the same weights, seed, labels and settings, all sparse or none, and their ranges must follow one
/// another.
#[derive(clap::Args)]
pub struct Args {
    /// Shower files that `calogen generate` wrote, in any order
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File to write (HDF5)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    compression: Compression,
    /// Print a summary as one JSON object
    #[arg(long)]
    json: bool,
}

struct Part {
    file: ShowerFile,
    from: Provenance,
}

impl Part {
    fn open(path: &Path) -> Result<Self> {
        let (file, from) = (ShowerFile::open(path)?, Provenance::read(path)?);
        if from.first_event.checked_add(file.len() as u64).is_none() {
            let what = format!("events from {} on end beyond 2^64 - 1", from.first_event);
            return Err(Error::format(path, what));
        }
        Ok(Self { file, from })
    }

    fn end(&self) -> u64 {
        self.from.first_event + self.file.len() as u64
    }

    fn name(&self) -> std::path::Display<'_> {
        self.file.path().display()
    }
}

pub fn run(args: &Args, _: &Global) -> Result<()> {
    let mut parts = Vec::with_capacity(args.files.len());
    for path in &args.files {
        parts.push(Part::open(path)?);
    }
    parts.sort_by_key(|part| part.from.first_event);
    for pair in parts.windows(2) {
        same_origin(&pair[0], &pair[1])?;
        consecutive(&pair[0], &pair[1])?;
    }
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Err(Error::Config("no file to merge".into()));
    };
    let labels = Labels {
        position: first.file.has_position(),
        conditions: first.file.info().condition_names.clone(),
    };
    let total = last.end() - first.from.first_event;
    let storage = args.compression.storage(first.file.is_sparse());
    let mut writer = ShowerWriter::create_as(&args.out, first.file.info(), labels, storage)?;
    let mut from = first.from.clone();
    for device in parts.iter().flat_map(|part| &part.from.devices) {
        if !from.devices.contains(device) {
            from.devices.push(device.clone());
        }
    }
    from.write(&mut writer)?;
    let stop = stop_on_interrupt(UNWRITTEN)?;
    let (progress, mut done) = (Progress::new("merge", "showers", total), 0);
    for part in &parts {
        let (events, together) = (part.file.len(), part.file.rows_together());
        for start in (0..events).step_by(together) {
            let rows = start..(start + together).min(events);
            not_stopped(&stop, done, total)?;
            writer.append(&part.file.read(rows.clone())?)?;
            done += rows.len() as u64;
            progress.advance(rows.len() as u64);
        }
    }
    writer.finish()?;
    drop(progress);
    if args.json {
        return print_json(&serde_json::json!({
            "file": args.out, "files": parts.len(), "events": total, "first_event": from.first_event,
            "seed": from.seed, "weights_sha256": from.weights, "devices": from.devices,
        }));
    }
    print(&format!(
        "{total} showers, events {} to {} of seed {}, from {} files: {}",
        from.first_event,
        last.end() - 1,
        from.seed,
        parts.len(),
        args.out.display()
    ))
}

/// The tier that stands behind the names of devices; events of another tier are not the same to the bit.
fn tier(devices: &[String]) -> String {
    let of = |device: &String| Some(device.rsplit_once(", tier ")?.1.to_owned());
    devices.iter().find_map(of).unwrap_or("portable".into())
}

/// Refuses two files that no single run could have written.
fn same_origin(a: &Part, b: &Part) -> Result<()> {
    let both = [&a.file, &b.file].map(|file| {
        let info = file.info();
        let layout = if file.is_sparse() { "sparse" } else { "dense" };
        [
            ("shape [Z,X,Y]", format!("{:?}", info.shape)),
            ("unit", info.unit.clone()),
            (
                "threshold",
                file.threshold().map_or("none".into(), |t| t.to_string()),
            ),
            ("detector", format!("{:?}", info.detector)),
            ("cell_size_mm", format!("{:?}", info.cell_size_mm)),
            ("conditions", info.condition_names.join(", ")),
            ("position", file.has_position().to_string()),
            ("layout", layout.to_owned()),
        ]
    });
    let origins = [&a.from, &b.from].map(|from| {
        [
            ("weights_sha256", from.weights.clone()),
            ("seed", from.seed.to_string()),
            ("labels", from.labels.clone()),
            ("generated_by", from.generated_by.clone()),
            ("tier", tier(&from.devices)),
        ]
    });
    let [ours, theirs] = [0, 1].map(|i| origins[i].iter().chain(&both[i]));
    match ours.zip(theirs).find(|(a, b)| a.1 != b.1) {
        None => Ok(()),
        Some(((what, ours), (_, theirs))) => Err(Error::format(
            b.file.path(),
            format!("its {what} is {theirs}, that of {} is {ours}", a.name()),
        )),
    }
}

fn consecutive(a: &Part, b: &Part) -> Result<()> {
    let (end, next) = (a.end(), b.from.first_event);
    match end.cmp(&next) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(Error::format(
            b.file.path(),
            format!(
                "begins with event {next}, which {} holds already (up to event {})",
                a.name(),
                end - 1
            ),
        )),
        std::cmp::Ordering::Less => Err(Error::format(
            b.file.path(),
            format!(
                "begins with event {next}, and no file holds events {end} to {} behind {}",
                next - 1,
                a.name()
            ),
        )),
    }
}
