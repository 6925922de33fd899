//! Writing a shower file block by block, so that the old file or the complete new one is found, never a part.

use std::path::{Path, PathBuf};

use super::columns::{Cells, Columns, Storage, set_string};
use super::h5::{self, failed};
use super::{ShowerInfo, Showers};
use crate::files::Aside;
use crate::hits::Hits;
use crate::{Error, Result};

/// The labels that a written file has besides the incident energy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// Whether the showers have an impact point.
    pub position: bool,
    /// Names of the columns of `conditions`; none for a file without them.
    pub conditions: Vec<String>,
}

/// Writes showers to a file of its own beside the one asked for, which `finish` puts in its place.
///
/// A writer that is dropped before that leaves nothing behind.
#[derive(Debug)]
pub struct ShowerWriter {
    // Before `aside`: some systems delete no file that is open.
    out: Columns,
    aside: Aside,
    path: PathBuf,
    info: ShowerInfo,
    events: usize,
    /// Hits written so far.
    hits: usize,
    broken: bool,
}

impl ShowerWriter {
    /// Begins a file of the default [`Storage`]. `labels` decides on the names of the conditions, not `info`.
    pub fn create(path: impl AsRef<Path>, info: &ShowerInfo, labels: Labels) -> Result<Self> {
        Self::create_as(path, info, labels, Storage::default())
    }

    /// Begins a file.
    pub fn create_as(
        path: impl AsRef<Path>,
        info: &ShowerInfo,
        labels: Labels,
        storage: Storage,
    ) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        if let Some(what) = unwritable(info, &labels) {
            return Err(Error::Config(format!("{}: {what}", path.display())));
        }
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        std::fs::metadata(folder).map_err(|e| Error::io(folder, e))?;
        if path.is_dir() {
            return Err(Error::format(
                &path,
                "is a directory, expected the name of a file",
            ));
        }
        let wrong = |e| failed(&path, "cannot be created", e);
        let aside = Aside::new(&path)?;
        let file = h5::options().create(aside.path()).map_err(wrong)?;
        let info = ShowerInfo {
            condition_names: labels.conditions.clone(),
            ..info.clone()
        };
        let out = Columns::create(file, &info, &labels, storage).map_err(wrong)?;
        Ok(Self {
            out,
            aside,
            path,
            info,
            events: 0,
            hits: 0,
            broken: false,
        })
    }

    /// Sets a string attribute on the root, such as the seed or the hash of the weights.
    pub fn attribute(&mut self, name: &str, value: &str) -> Result<()> {
        set_string(&self.out.file, name, value)
            .map_err(|e| failed(&self.path, &format!("attribute `{name}`"), e))
    }

    /// Number of showers written so far.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Appends showers of the file's shape and labels, with finite energies.
    pub fn append(&mut self, showers: &Showers) -> Result<()> {
        self.check_labels(showers)?;
        self.check_cells(showers)?;
        let cells = match &self.out.cells {
            Cells::Dense(_) => None,
            Cells::Sparse { .. } => Some(Hits::of(&showers.layers, showers.cells())),
        };
        self.write(showers, cells.as_ref())
    }

    /// Appends showers given by their hits to a sparse file. Of `labels` all is taken but the cells.
    pub fn append_hits(&mut self, labels: &Showers, hits: &Hits) -> Result<()> {
        self.check_labels(labels)?;
        if !matches!(self.out.cells, Cells::Sparse { .. }) {
            return Err(Error::format(
                &self.path,
                "hits for a file of whole showers",
            ));
        }
        self.check_hits(labels, hits)?;
        self.write(labels, Some(hits))
    }

    fn write(&mut self, showers: &Showers, hits: Option<&Hits>) -> Result<()> {
        let rows = self.events..self.events + showers.len();
        match self.out.append(showers, hits, self.hits) {
            Ok(()) => {
                self.events = rows.end;
                self.hits += hits.map_or(0, |hits| hits.cells.len());
                Ok(())
            }
            Err(e) => {
                self.broken = true;
                let what = format!("writing events up to {}", rows.end - 1);
                Err(failed(&self.path, &what, e))
            }
        }
    }

    /// Completes the file and puts it in place.
    pub fn finish(self) -> Result<()> {
        let Self {
            out,
            aside,
            path,
            events,
            broken,
            ..
        } = self;
        if broken {
            return Err(Error::format(
                &path,
                "not written: an earlier block of showers failed",
            ));
        }
        if events == 0 {
            return Err(Error::format(&path, "not written: there are no showers"));
        }
        out.finish()
            .map_err(|e| failed(&path, "cannot be completed", e))?;
        // Else a power cut soon after the rename could leave an empty file under the final name.
        std::fs::OpenOptions::new()
            .write(true)
            .open(aside.path())
            .and_then(|f| f.sync_all())
            .map_err(|e| Error::io(&path, e))?;
        aside.put_in_place()
    }

    fn check_labels(&self, showers: &Showers) -> Result<()> {
        let (n, columns) = (showers.len(), self.info.condition_names.len());
        let wrong = |what: String| Err(Error::format(&self.path, what));
        if showers.shape != self.info.shape {
            return wrong(format!(
                "showers of shape {:?}, expected {:?}",
                showers.shape, self.info.shape
            ));
        }
        if showers.condition_names != self.info.condition_names {
            let (found, expected) = (&showers.condition_names, &self.info.condition_names);
            return wrong(format!(
                "showers with conditions {found:?}, expected {expected:?}"
            ));
        }
        let counts = [
            (
                "position",
                showers.position.as_ref().map(Vec::len),
                self.out.position.as_ref().map(|_| n),
            ),
            (
                "conditions",
                showers.conditions.as_ref().map(Vec::len),
                self.out.conditions.as_ref().map(|_| n * columns),
            ),
        ];
        for (name, found, expected) in counts {
            if found != expected {
                let say = |n: Option<usize>| n.map_or("none".into(), |n| n.to_string());
                return wrong(format!(
                    "{} values of `{name}`, expected {}",
                    say(found),
                    say(expected)
                ));
            }
        }
        for i in 0..n {
            let energy = showers.energy[i];
            if !(energy.is_finite() && energy >= 0.0) {
                return Err(self.not_finite(i, format!("the incident energy is {energy}")));
            }
            let position = showers.position.as_ref().map_or(&[][..], |p| &p[i]);
            let mut labels = showers.condition_row(i).iter().chain(position);
            if let Some(label) = labels.find(|v| !v.is_finite()) {
                return Err(self.not_finite(i, format!("a label is {label}")));
            }
        }
        Ok(())
    }

    fn check_cells(&self, showers: &Showers) -> Result<()> {
        let (found, expected) = (showers.layers.len(), showers.len() * showers.cells());
        if found != expected {
            let what = format!("{found} values of `layers`, expected {expected}");
            return Err(Error::format(&self.path, what));
        }
        match showers.layers.iter().position(|v| !v.is_finite()) {
            Some(at) => {
                let what = format!("a cell is {}", showers.layers[at]);
                Err(self.not_finite(at / showers.cells(), what))
            }
            None => Ok(()),
        }
    }

    fn check_hits(&self, labels: &Showers, hits: &Hits) -> Result<()> {
        let wrong = |what: String| Err(Error::format(&self.path, what));
        let (total, cells) = (hits.cells.len(), labels.cells());
        let bounds = (hits.offsets.first(), hits.offsets.last());
        if hits.showers() != labels.len()
            || bounds != (Some(&0), Some(&total))
            || hits.energies.len() != total
            || !hits.offsets.is_sorted()
        {
            return wrong(format!(
                "hits that are not those of {} showers",
                labels.len()
            ));
        }
        for i in 0..labels.len() {
            let (own, energies) = hits.shower(i);
            let ascending = own.is_sorted_by(|a, b| a < b);
            if !ascending || own.last().is_some_and(|&c| c as usize >= cells) {
                let event = self.events + i;
                return wrong(format!(
                    "event {event} to be written: its cells are not ascending ones below {cells}"
                ));
            }
            if let Some(cell) = energies.iter().find(|v| !v.is_finite()) {
                return Err(self.not_finite(i, format!("a cell is {cell}")));
            }
        }
        Ok(())
    }

    /// The event is counted within the block that is to be written.
    fn not_finite(&self, event: usize, what: String) -> Error {
        Error::NotFinite(format!(
            "{}: event {} to be written: {what}",
            self.path.display(),
            self.events + event
        ))
    }
}

/// What of a description could not be read back.
fn unwritable(info: &ShowerInfo, labels: &Labels) -> Option<String> {
    if info.shape.contains(&0) {
        return Some(format!("showers of shape {:?}", info.shape));
    }
    let numbers = info
        .threshold
        .iter()
        .chain(&info.mip)
        .chain(info.cell_size_mm.iter().flatten());
    if let Some(value) = numbers.into_iter().find(|v| !v.is_finite()) {
        return Some(format!(
            "an attribute that is {value}, expected finite ones"
        ));
    }
    let names = &labels.conditions;
    let wrong = |(i, n): &(usize, &String)| {
        n.trim().is_empty() || n.contains(',') || names[..*i].contains(n)
    };
    let (_, name) = names.iter().enumerate().find(wrong)?;
    Some(format!(
        "a condition named {name:?}, expected distinct names without a comma"
    ))
}
