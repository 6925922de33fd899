//! Several shower files read as one.

use std::ops::Range;
use std::path::Path;

use super::{ShowerFile, ShowerInfo, Showers, View, Voxels};
use crate::{Error, Result};

/// Shower files one after the other, equal in shape, unit and labels.
#[derive(Debug)]
pub struct ShowerSet {
    files: Vec<ShowerFile>,
    /// Index of the first shower of each file, and the number of all.
    starts: Vec<usize>,
    /// Those of them that belong to the set.
    events: Range<usize>,
    /// How showers are cut on reading.
    view: View,
    /// What is said of them then.
    info: ShowerInfo,
}

impl ShowerSet {
    /// Opens files and joins them.
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        Self::new(
            paths
                .into_iter()
                .map(ShowerFile::open)
                .collect::<Result<_>>()?,
        )
    }

    /// [`ShowerSet::open`] for files whose voxels lie as `voxels` says.
    pub fn open_as<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        voxels: &Voxels,
    ) -> Result<Self> {
        Self::new(
            paths
                .into_iter()
                .map(|path| ShowerFile::open_as(path, voxels))
                .collect::<Result<_>>()?,
        )
    }

    /// Joins files, at least one. Files that do not belong together are an error that says both values.
    pub fn new(files: Vec<ShowerFile>) -> Result<Self> {
        let Some(first) = files.first() else {
            return Err(Error::Config(
                "no shower file given, expected at least one".into(),
            ));
        };
        for other in &files[1..] {
            let (a, b) = (first.info(), other.info());
            let names = |info: &ShowerInfo| format!("[{}]", info.condition_names.join(", "));
            let pairs = [
                (
                    "shape [Z,X,Y]",
                    format!("{:?}", b.shape),
                    format!("{:?}", a.shape),
                ),
                ("unit", b.unit.clone(), a.unit.clone()),
                ("conditions", names(b), names(a)),
                (
                    "position",
                    yes(other.has_position()),
                    yes(first.has_position()),
                ),
            ];
            for (what, theirs, ours) in pairs {
                if theirs != ours {
                    let first = first.path().display();
                    return Err(Error::format(
                        other.path(),
                        format!("{what} is {theirs}, but {ours} in {first}"),
                    ));
                }
            }
        }
        let starts: Vec<usize> = std::iter::once(0)
            .chain(files.iter().scan(0usize, |sum, f| {
                *sum = sum.saturating_add(f.len());
                Some(*sum)
            }))
            .collect();
        let (view, info) = (View::Whole, first.info().clone());
        Ok(Self {
            events: 0..starts[files.len()],
            files,
            starts,
            view,
            info,
        })
    }

    /// The same showers cut to `shape`, or summed over layers: see [`View::between`].
    ///
    /// # Errors
    /// [`Error::Config`] if they do not fit.
    pub fn viewed(mut self, shape: [usize; 3], origin: Option<[usize; 3]>) -> Result<Self> {
        self.view = View::between(self.files[0].info().shape, shape, origin)?;
        self.info = self.view.info(self.files[0].info());
        Ok(self)
    }

    /// A range of the showers alone, counted through all files.
    ///
    /// # Errors
    /// [`Error::Config`] if it is empty or reaches beyond the last.
    pub fn limited(mut self, events: Range<usize>) -> Result<Self> {
        if events.is_empty() || events.end > self.starts[self.files.len()] {
            let all = self.starts[self.files.len()];
            let first = self.files[0].path().display();
            return Err(Error::Config(format!(
                "showers {}:{} of {first}, {all} in {} files",
                events.start,
                events.end,
                self.files.len()
            )));
        }
        self.events = events;
        Ok(self)
    }

    /// Which of the showers of all files belong to the set.
    pub fn events(&self) -> Range<usize> {
        self.events.clone()
    }

    /// The files that hold showers of a range, counted through all files, and which of their own these are.
    fn parts(&self, range: Range<usize>) -> impl Iterator<Item = (&ShowerFile, Range<usize>)> {
        let files = self.files.iter().zip(self.starts.windows(2));
        files.filter_map(move |(file, own)| {
            let (from, to) = (range.start.max(own[0]), range.end.min(own[1]));
            (from < to).then(|| (file, from - own[0]..to - own[0]))
        })
    }

    /// The first file of which another set has some of the same showers, and which of its own these are.
    pub fn shared(&self, other: &Self) -> Option<(&ShowerFile, Range<usize>)> {
        let place = |file: &ShowerFile| {
            let path = file.path();
            path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
        };
        self.parts(self.events()).find_map(|(file, mine)| {
            other.parts(other.events()).find_map(|(theirs, rows)| {
                let both = mine.start.max(rows.start)..mine.end.min(rows.end);
                (!both.is_empty() && place(file) == place(theirs)).then_some((file, both))
            })
        })
    }

    /// The files, in order.
    pub fn files(&self) -> &[ShowerFile] {
        &self.files
    }

    /// Number of showers.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Always false: a file without showers does not open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the first file says of itself, in this view; shape, unit and conditions are those of all.
    pub fn info(&self) -> &ShowerInfo {
        &self.info
    }

    /// True where the showers have an impact point.
    pub fn has_position(&self) -> bool {
        self.files[0].has_position()
    }

    /// Bytes of one shower in memory, labels included.
    pub fn shower_bytes(&self) -> usize {
        let info = self.info();
        let cells: usize = info.shape.iter().product();
        4 * (cells + 1 + 2 * usize::from(self.has_position()) + info.condition_names.len())
    }

    /// All incident energies, in GeV.
    pub fn energies(&self) -> Result<Vec<f32>> {
        let mut energies = Vec::new();
        for file in &self.files {
            energies.extend(file.energies()?);
        }
        energies.truncate(self.events.end);
        energies.drain(..self.events.start);
        Ok(energies)
    }

    /// `count` showers evenly spread over the set, or all if it has fewer, in order: files are often sorted by energy.
    pub fn spread(&self, count: usize) -> Result<Showers<f32>> {
        let (n, count) = (self.len(), count.min(self.len()));
        if count == n {
            // Row by row, a chunk of the file would be unpacked as often as it has rows.
            return self.read(0..n);
        }
        let mut all = self.read(0..0)?;
        for i in 0..count {
            let row = i * n / count;
            all.append(&self.read(row..row + 1)?);
        }
        Ok(all)
    }

    /// The showers of a range, across files.
    pub fn read(&self, range: Range<usize>) -> Result<Showers<f32>> {
        if range.start > range.end || range.end > self.len() {
            let first = self.files[0].path().display();
            let (n, files) = (self.len(), self.files.len());
            let what = format!(
                "events {}..{} of {n} in {files} files",
                range.start, range.end
            );
            return Err(Error::Config(format!("{first}: {what}")));
        }
        let range = self.events.start + range.start..self.events.start + range.end;
        let empty = range.start.min(self.files[0].len());
        let mut showers: Option<Showers> = None;
        for (file, rows) in self.parts(range) {
            let part = self.view.apply(file.read(rows)?);
            match &mut showers {
                Some(all) => all.append(&part),
                None => showers = Some(part),
            }
        }
        showers.map_or_else(
            || Ok(self.view.apply(self.files[0].read(empty..empty)?)),
            Ok,
        )
    }
}

fn yes(present: bool) -> String {
    if present {
        "present".into()
    } else {
        "absent".into()
    }
}
