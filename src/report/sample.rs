//! Shower files as samples: the next blocks are read on a thread while one is computed on.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::data::{ShowerFile, Showers, View, Voxels};
use crate::observables::{Geometry, Sample, SampleInfo, ShowerBlock};
use crate::{Error, Result};

/// Bytes of a block, and blocks that wait while another is computed on.
const BLOCK: usize = 8 << 20;
const AHEAD: usize = 2;

/// A shower file that can be evaluated.
#[derive(Debug, Clone)]
pub struct FileSample {
    file: Arc<ShowerFile>,
    view: View,
    events: Range<usize>,
    info: SampleInfo,
}

impl FileSample {
    /// Opens a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        ShowerFile::open(path).map(Self::new)
    }

    /// Opens a file whose voxels lie as `voxels` says.
    pub fn open_as(path: impl AsRef<Path>, voxels: &Voxels) -> Result<Self> {
        ShowerFile::open_as(path, voxels).map(Self::new)
    }

    /// The showers of an open file.
    pub fn new(file: ShowerFile) -> Self {
        let info = SampleInfo {
            file: file.path().display().to_string(),
            events: file.len(),
            geometry: match &file.info().polar {
                Some(layers) => Geometry::Polar(layers.clone()),
                None => Geometry::Grid(file.info().shape),
            },
            unit: file.info().unit.clone(),
            threshold: file.threshold(),
            mip: match file.info().unit.as_str() {
                "MIP" => Some(1.0),
                "MeV" => file.info().mip.map(f64::from),
                _ => None,
            },
            single: !file.is_double(),
        };
        Self {
            events: 0..file.len(),
            file: Arc::new(file),
            view: View::Whole,
            info,
        }
    }

    /// The same showers cut to `shape`, or summed over layers: see [`View::between`].
    ///
    /// # Errors
    /// [`Error::Format`] with the file's name if they do not fit.
    pub fn viewed(mut self, shape: [usize; 3], origin: Option<[usize; 3]>) -> Result<Self> {
        let from = self.file.info().shape;
        self.view = View::between(from, shape, origin)
            .map_err(|e| Error::format(self.file.path(), e.to_string()))?;
        let layers = self.info.geometry.layers();
        let polar = self.info.geometry.grid().is_none();
        if polar && (self.view != View::Whole || shape[0] != layers) {
            let what = "its voxels in r and α are no grid of which a part or a sum could be taken";
            return Err(Error::format(self.file.path(), what));
        }
        if !polar {
            self.info.geometry = Geometry::Grid(shape);
        }
        // Sums are in double precision, whatever the file has.
        self.info.single &= !matches!(self.view, View::SumLayers { .. });
        Ok(self)
    }

    /// The same showers with their cells where those of `other` are, if they are of one shape: a grid `[Z, α, r]` becomes
    /// the voxels that it was made for.
    pub fn arranged_like(mut self, other: &Self) -> Self {
        let shape = |sample: &Self| sample.file.info().shape;
        if self.view == View::Whole && shape(&self) == shape(other) {
            self.info.geometry = other.info.geometry.clone();
        }
        self
    }

    /// The showers of a range of the file alone.
    ///
    /// # Errors
    /// [`Error::Config`] if the range is empty or reaches beyond the file.
    pub fn limited(mut self, events: Range<usize>) -> Result<Self> {
        if events.is_empty() || events.end > self.file.len() {
            return Err(Error::Config(format!(
                "showers {}:{} of {}, which holds {}",
                events.start,
                events.end,
                self.info.file,
                self.file.len()
            )));
        }
        self.info.events = events.len();
        self.events = events;
        Ok(self)
    }

    /// The file.
    pub fn file(&self) -> &ShowerFile {
        &self.file
    }

    /// Showers of a block: whole chunks of the file, as many as fit.
    fn block(&self) -> usize {
        let cells: usize = self.file.info().shape.iter().product();
        let bytes = cells.saturating_mul(8).max(1);
        let chunk = self.file.rows_together().max(1);
        (BLOCK / bytes / chunk).max(1) * chunk
    }
}

impl Sample for FileSample {
    fn info(&self) -> &SampleInfo {
        &self.info
    }

    fn blocks(&self) -> Box<dyn Iterator<Item = Result<ShowerBlock>> + '_> {
        let (to, blocks) = sync_channel(AHEAD);
        let (file, view, block) = (self.file.clone(), self.view, self.block());
        let events = self.events.clone();
        let read = move || {
            for showers in file.chunks_of(events, block) {
                let failed = showers.is_err();
                // Nobody waits any more, or nothing can follow.
                if to.send(showers.map(|s| widened(view.apply(s)))).is_err() || failed {
                    break;
                }
            }
        };
        match std::thread::Builder::new()
            .name("showers".into())
            .spawn(read)
        {
            Ok(reader) => Box::new(Blocks {
                blocks: Some(blocks),
                reader: Some(reader),
                file: &self.file,
                left: self.info.events,
            }),
            Err(e) => Box::new(std::iter::once(Err(Error::io(self.file.path(), e)))),
        }
    }
}

fn widened(showers: Showers<f64>) -> ShowerBlock {
    ShowerBlock {
        energy: showers.energy.iter().map(|&e| e.into()).collect(),
        cells: showers.layers,
        position: showers.position,
    }
}

/// Blocks that a thread reads.
struct Blocks<'a> {
    blocks: Option<Receiver<Result<ShowerBlock>>>,
    reader: Option<JoinHandle<()>>,
    file: &'a ShowerFile,
    /// Showers that are still to come.
    left: usize,
}

impl Iterator for Blocks<'_> {
    type Item = Result<ShowerBlock>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.blocks.as_ref()?.recv();
        match &next {
            Ok(Ok(block)) => {
                self.left = self.left.saturating_sub(block.energy.len());
                return next.ok();
            }
            Ok(Err(_)) => self.left = 0,
            Err(_) => {}
        }
        self.blocks = None;
        let lost = std::mem::take(&mut self.left);
        next.ok().or_else(|| {
            let what = format!("reading ended {lost} showers before the last");
            (lost > 0).then(|| Err(Error::format(self.file.path(), what)))
        })
    }
}

impl Drop for Blocks<'_> {
    fn drop(&mut self) {
        self.blocks = None;
        // The library must not be in use when the process ends. A panic there was reported as showers that are missing.
        let _ = self.reader.take().map(JoinHandle::join);
    }
}
