//! Reading a shower file in ranges, in rows and in chunks.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::binning::Voxels;
use super::crash::Held;
use super::h5::{self, Number};
use super::layout::{Column, Layout};
use super::{ShowerInfo, Showers};
use crate::{Error, Result};

/// Rows of labels read at once, and bytes of cells where the file has no chunks.
const LABEL_ROWS: usize = 1 << 16;
const SPAN_BYTES: usize = 1 << 20;

/// Largest number of bytes of cells read at once where single rows are wanted.
const LARGEST_SPAN: usize = 64 << 20;

/// An open shower file. Handles are the library's, so it can be sent to another thread.
#[derive(Debug)]
pub struct ShowerFile {
    path: PathBuf,
    layout: Held<Layout>,
}

impl ShowerFile {
    /// Opens a file and checks all that can be checked without reading cells: the datasets, their types and shapes,
    /// the attributes, and the incident energies.
    ///
    /// Besides the crate's own layout these are read: CaloChallenge files (HDF5), and npz files of ALICE ZDC (the file of
    /// the responses, beside which that of the particles lies, or `RESPONSES.npz,PARTICLES.npz`) and CMS HGCAL.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_as(path, &Voxels::Recognised)
    }

    /// [`ShowerFile::open`] for a file whose voxels lie as `voxels` says.
    pub fn open_as(path: impl AsRef<Path>, voxels: &Voxels) -> Result<Self> {
        let path = path.as_ref();
        let opened = Self {
            path: path.to_path_buf(),
            layout: Held::new(path, Layout::of(path, voxels)?),
        };
        for start in (0..opened.len()).step_by(LABEL_ROWS) {
            opened.energy(start..(start + LABEL_ROWS).min(opened.len()))?;
        }
        Ok(opened)
    }

    /// The path it was opened with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of showers, at least one.
    pub fn len(&self) -> usize {
        self.layout.events
    }

    /// Always false: a file without showers does not open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the file says of itself.
    pub fn info(&self) -> &ShowerInfo {
        &self.layout.info
    }

    /// The threshold of [`ShowerFile::info`] as precisely as the file has it.
    pub fn threshold(&self) -> Option<f64> {
        self.layout.threshold
    }

    /// True where cells are stored as float64. Everything else is compared and computed as float32 without loss.
    pub fn is_double(&self) -> bool {
        self.layout.double
    }

    /// True where cells are stored as hits.
    pub fn is_sparse(&self) -> bool {
        self.layout.sparse
    }

    /// Rows that are best read together: those of a chunk.
    pub fn rows_together(&self) -> usize {
        self.span().0
    }

    /// True where the showers have an impact point.
    pub fn has_position(&self) -> bool {
        self.layout.position.is_some()
    }

    /// All incident energies, in GeV.
    pub fn energies(&self) -> Result<Vec<f32>> {
        self.energy(0..self.len())
    }

    /// The showers of a range. An energy that is not finite is an error that names event and cell.
    pub fn read(&self, range: Range<usize>) -> Result<Showers<f32>> {
        self.read_as(range)
    }

    /// The showers of a range in double precision, as the file has them.
    pub fn read_f64(&self, range: Range<usize>) -> Result<Showers<f64>> {
        self.read_as(range)
    }

    /// The showers of the given indices, in that order; they need not be sorted or distinct. The file is read chunk by
    /// chunk, each once.
    pub fn read_rows(&self, indices: &[usize]) -> Result<Showers<f32>> {
        for &i in indices {
            self.within(&(i..i.saturating_add(1)))?;
        }
        let cells: usize = self.info().shape.iter().product();
        let total = h5::allocatable::<f32>(
            &self.path,
            &self.layout.layers.name,
            indices.len().checked_mul(cells),
        )?;
        let columns = self.info().condition_names.len();
        let mut out = Showers {
            shape: self.info().shape,
            layers: vec![0.0; total],
            energy: vec![0.0; indices.len()],
            position: self.has_position().then(|| vec![[0.0; 2]; indices.len()]),
            conditions: self
                .layout
                .conditions
                .as_ref()
                .map(|_| vec![0.0; indices.len() * columns]),
            condition_names: self.info().condition_names.clone(),
        };
        let mut order: Vec<usize> = (0..indices.len()).collect();
        order.sort_by_key(|&i| indices[i]);
        let (span, chunked) = self.span();
        // Without chunks there is nothing to gain by reading the rows between two wanted ones.
        let together = |a: usize, b: usize| a / span == b / span && (chunked || b - a <= 1);
        for run in order.chunk_by(|&a, &b| together(indices[a], indices[b])) {
            let (first, last) = (indices[run[0]], indices[run[run.len() - 1]]);
            let block = self.unchecked::<f32>(first..last + 1)?;
            for &to in run {
                let row = indices[to] - first;
                out.layers[to * cells..(to + 1) * cells].copy_from_slice(block.shower(row));
                out.energy[to] = block.energy[row];
                if let (Some(out), Some(block)) = (&mut out.position, &block.position) {
                    out[to] = block[row];
                }
                if let Some(out) = &mut out.conditions {
                    out[to * columns..(to + 1) * columns].copy_from_slice(block.condition_row(row));
                }
            }
        }
        self.check(&out, |i| indices[i])?;
        Ok(out)
    }

    /// The whole file in order, `n` showers at a time (the last time fewer), in double precision.
    pub fn chunks(&self, n: usize) -> impl Iterator<Item = Result<Showers<f64>>> {
        self.chunks_of(0..self.len(), n)
    }

    /// The showers of a range of the file in order, up to `n` at a time: blocks end at multiples of `n`, so that where `n`
    /// is that of [`ShowerFile::rows_together`] none is unpacked twice.
    pub fn chunks_of(
        &self,
        range: Range<usize>,
        n: usize,
    ) -> impl Iterator<Item = Result<Showers<f64>>> {
        let (n, end) = (n.max(1), range.end.min(self.len()));
        let mut start = range.start;
        std::iter::from_fn(move || {
            let from = start;
            start = (from / n).saturating_add(1).saturating_mul(n).min(end);
            (from < end).then(|| self.read_f64(from..start))
        })
    }

    /// Rows that are best read together, and whether the file is chunked so.
    fn span(&self) -> (usize, bool) {
        let row = self
            .info()
            .shape
            .iter()
            .product::<usize>()
            .saturating_mul(4);
        match self.layout.chunk {
            Some(chunk) => (chunk.min(LARGEST_SPAN / row).max(1), true),
            None => ((SPAN_BYTES / row).max(1), false),
        }
    }

    fn within(&self, range: &Range<usize>) -> Result<()> {
        if range.start > range.end || range.end > self.len() {
            let (path, n) = (self.path.display(), self.len());
            return Err(Error::Config(format!(
                "{path}: events {}..{} of {n}",
                range.start, range.end
            )));
        }
        Ok(())
    }

    fn read_as<T: Number>(&self, range: Range<usize>) -> Result<Showers<T>> {
        self.within(&range)?;
        let start = range.start;
        let showers = self.unchecked(range)?;
        self.check(&showers, |i| start + i)?;
        Ok(showers)
    }

    /// The rows of a range within the file, whatever they hold.
    fn unchecked<T: Number>(&self, range: Range<usize>) -> Result<Showers<T>> {
        let Layout {
            layers,
            position,
            conditions,
            info,
            ..
        } = &*self.layout;
        let position = match position {
            Some(position) => {
                let flat: Vec<f32> = self.rows(position, range.clone())?;
                Some(flat.chunks_exact(2).map(|p| [p[0], p[1]]).collect())
            }
            None => None,
        };
        Ok(Showers {
            shape: info.shape,
            layers: self.rows(layers, range.clone())?,
            energy: self.energy(range.clone())?,
            position,
            conditions: conditions
                .as_ref()
                .map(|c| self.rows(c, range))
                .transpose()?,
            condition_names: info.condition_names.clone(),
        })
    }

    fn rows<T: Number>(&self, column: &Column, range: Range<usize>) -> Result<Vec<T>> {
        column.read(&self.path, range)
    }

    /// Incident energies in GeV, checked.
    fn energy(&self, range: Range<usize>) -> Result<Vec<f32>> {
        let start = range.start;
        let energy: Vec<f32> = self.rows(&self.layout.energy, range)?;
        match energy.iter().position(|e| !(e.is_finite() && *e >= 0.0)) {
            Some(i) => Err(self.bad(
                &self.layout.energy,
                start + i,
                &format!("the incident energy is {}", energy[i]),
            )),
            None => Ok(energy),
        }
    }

    /// Checks cells and labels; `event` gives the index in the file of a shower of `showers`. Negative cells pass:
    /// noise makes them.
    fn check<T: Number>(&self, showers: &Showers<T>, event: impl Fn(usize) -> usize) -> Result<()> {
        let [_, nx, ny] = showers.shape;
        for i in 0..showers.len() {
            if let Some(at) = showers
                .shower(i)
                .iter()
                .position(|v| !v.value().is_finite())
            {
                let (z, x, y) = (at / (nx * ny), at / ny % nx, at % ny);
                let value = showers.shower(i)[at].value();
                let what = format!("the cell at z = {z}, x = {x}, y = {y} is {value}");
                return Err(self.bad(&self.layout.layers, event(i), &what));
            }
            if let Some(at) = showers.condition_row(i).iter().position(|v| !v.is_finite())
                && let Some(column) = &self.layout.conditions
            {
                let what = format!(
                    "`{}` is {}",
                    showers.condition_names[at],
                    showers.condition_row(i)[at]
                );
                return Err(self.bad(column, event(i), &what));
            }
            if let (Some(all), Some(column)) = (&showers.position, &self.layout.position)
                && let [x, y] = all[i]
                && !(x.is_finite() && y.is_finite())
            {
                return Err(self.bad(column, event(i), &format!("the position is ({x}, {y})")));
            }
        }
        Ok(())
    }

    fn bad(&self, column: &Column, event: usize, what: &str) -> Error {
        Error::format(
            &self.path,
            format!("dataset `{}`, event {event}: {what}", column.name),
        )
    }
}
