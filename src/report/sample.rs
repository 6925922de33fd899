//! Shower files as samples: the next blocks are read on a thread while one is computed on.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::data::{ShowerFile, Showers, View};
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
    info: SampleInfo,
}

impl FileSample {
    /// Opens a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        ShowerFile::open(path).map(Self::new)
    }

    /// The showers of an open file.
    pub fn new(file: ShowerFile) -> Self {
        let info = SampleInfo {
            file: file.path().display().to_string(),
            events: file.len(),
            geometry: Geometry::Grid(file.info().shape),
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
        self.info.geometry = Geometry::Grid(shape);
        // Sums are in double precision, whatever the file has.
        self.info.single &= self.view != View::SumLayers;
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
        let read = move || {
            for showers in file.chunks(block) {
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
                left: self.file.len(),
            }),
            Err(e) => Box::new(std::iter::once(Err(Error::io(self.file.path(), e)))),
        }
    }
}

fn widened(showers: Showers<f64>) -> ShowerBlock {
    ShowerBlock {
        energy: showers.energy.iter().map(|&e| e.into()).collect(),
        cells: showers.layers,
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
