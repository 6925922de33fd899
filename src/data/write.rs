//! Writing a shower file block by block, so that the old file or the complete new one is found, never a part.

use std::path::{Path, PathBuf};

use super::columns::{Columns, append, set_string};
use super::h5::{self, failed};
use super::{ShowerInfo, Showers};
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
    // Before `temporary`: some systems delete no file that is open.
    out: Columns,
    temporary: Temporary,
    path: PathBuf,
    info: ShowerInfo,
    events: usize,
    broken: bool,
}

/// A file that is deleted unless it is renamed.
#[derive(Debug)]
struct Temporary(Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It is being given up; an error here would only hide the first one.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl ShowerWriter {
    /// Begins a file. `labels` decides on the names of the conditions, not `info`.
    pub fn create(path: impl AsRef<Path>, info: &ShowerInfo, labels: Labels) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        if let Some(what) = unwritable(info, &labels) {
            return Err(Error::Config(format!("{}: {what}", path.display())));
        }
        let Some(name) = path.file_name() else {
            return Err(Error::Config(format!(
                "{}: not the name of a file",
                path.display()
            )));
        };
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
        let beside = folder.join(format!(
            ".{}.tmp-{}",
            name.to_string_lossy(),
            std::process::id()
        ));
        let wrong = |e| failed(&path, "cannot be created", e);
        let file = h5::options().create(&beside).map_err(wrong)?;
        let temporary = Temporary(Some(beside));
        let info = ShowerInfo {
            condition_names: labels.conditions.clone(),
            ..info.clone()
        };
        let out = Columns::create(file, &info, &labels).map_err(wrong)?;
        Ok(Self {
            out,
            temporary,
            path,
            info,
            events: 0,
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
        self.check(showers)?;
        let rows = self.events..self.events + showers.len();
        let cells = |n: usize| {
            let [z, x, y] = self.info.shape;
            vec![n, z, x, y]
        };
        let written = (|| {
            append(&self.out.layers, cells, &rows, &showers.layers)?;
            append(&self.out.energy, |n| vec![n, 1], &rows, &showers.energy)?;
            if let (Some(data), Some(position)) = (&self.out.position, &showers.position) {
                append(data, |n| vec![n, 2], &rows, position.as_flattened())?;
            }
            if let (Some(data), Some(conditions)) = (&self.out.conditions, &showers.conditions) {
                append(
                    data,
                    |n| vec![n, self.info.condition_names.len()],
                    &rows,
                    conditions,
                )?;
            }
            Ok(())
        })();
        match written {
            Ok(()) => self.events = rows.end,
            Err(_) => self.broken = true,
        }
        written.map_err(|e| {
            failed(
                &self.path,
                &format!("writing events {} to {}", rows.start, rows.end),
                e,
            )
        })
    }

    /// Completes the file and puts it in place.
    pub fn finish(self) -> Result<()> {
        let Self {
            out,
            mut temporary,
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
        let Columns {
            layers,
            energy,
            position,
            conditions,
            file,
        } = out;
        file.flush()
            .map_err(|e| failed(&path, "cannot be completed", e))?;
        drop((layers, energy, position, conditions));
        file.close()
            .map_err(|e| failed(&path, "cannot be completed", e))?;
        if let Some(beside) = &temporary.0 {
            // Else a power cut soon after the rename could leave an empty file under the final name.
            std::fs::OpenOptions::new()
                .write(true)
                .open(beside)
                .and_then(|f| f.sync_all())
                .and_then(|()| std::fs::rename(beside, &path))
                .map_err(|e| Error::io(&path, e))?;
        }
        temporary.0 = None;
        Ok(())
    }

    fn check(&self, showers: &Showers) -> Result<()> {
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
                "layers",
                Some(showers.layers.len()),
                Some(n * showers.cells()),
            ),
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
            let at = self.events + i;
            let energy = showers.energy[i];
            if !(energy.is_finite() && energy >= 0.0) {
                return Err(self.not_finite(at, format!("the incident energy is {energy}")));
            }
            if let Some(cell) = showers.shower(i).iter().find(|v| !v.is_finite()) {
                return Err(self.not_finite(at, format!("a cell is {cell}")));
            }
            let position = showers.position.as_ref().map_or(&[][..], |p| &p[i]);
            if let Some(label) = showers
                .condition_row(i)
                .iter()
                .chain(position)
                .find(|v| !v.is_finite())
            {
                return Err(self.not_finite(at, format!("a label is {label}")));
            }
        }
        Ok(())
    }

    fn not_finite(&self, event: usize, what: String) -> Error {
        Error::NotFinite(format!(
            "{}: event {event} to be written: {what}",
            self.path.display()
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
