//! NumPy's npz files: arrays of numbers in a zip archive, stored or deflated.
//!
//! Sizes are checked against the file before anything of that size is read. An array of rows (C order) is read from the
//! archive piece by piece, whatever its size; one in Fortran order, where no row stands together, is held in memory.

mod directory;
mod header;
mod stream;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use directory::Entry;
use header::Header;
use stream::Stream;

use super::h5;
use crate::{Error, Result};

/// Bytes with which a zip archive begins.
pub(super) const MAGIC: &[u8; 4] = b"PK\x03\x04";

/// An open archive.
#[derive(Debug)]
pub(super) struct Npz {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// One array of an archive, whose values are read when asked for.
#[derive(Debug)]
pub(super) struct Array {
    path: PathBuf,
    /// Its key, such as `arr_0`.
    pub key: String,
    header: Header,
    values: Mutex<Values>,
}

#[derive(Debug)]
enum Values {
    /// In the archive, rows one after the other from that byte of the entry on.
    Packed { stream: Stream, start: u64 },
    /// All of them, in Fortran order.
    Fortran(Vec<u8>),
}

impl Npz {
    /// Reads the directory of an archive.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
        let entries = directory::read(&mut file)
            .map_err(|what| Error::format(path, format!("npz file: {what}")))?;
        Ok(Self {
            path: path.into(),
            entries,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keys of the arrays.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .map(|e| e.name.strip_suffix(".npy").unwrap_or(&e.name))
    }

    /// Whether there is an array of that key.
    pub fn has(&self, key: &str) -> bool {
        self.keys().any(|k| k == key)
    }

    /// The array of a key, with `rank` axes.
    pub fn array(&self, key: &str, rank: std::ops::RangeInclusive<usize>) -> Result<Array> {
        let wrong = |what: String| Error::format(&self.path, format!("array `{key}`: {what}"));
        let at = self.keys().position(|k| k == key).ok_or_else(|| {
            let keys: Vec<_> = self.keys().take(16).collect();
            Error::format(
                &self.path,
                format!("no array `{key}`; found {}", keys.join(", ")),
            )
        })?;
        let entry = self.entries[at].clone();
        let size = entry.size;
        let file = File::open(&self.path).map_err(|e| Error::io(&self.path, e))?;
        let mut stream = Stream::new(file, entry).map_err(&wrong)?;
        let (header, start) = {
            let mut head = vec![0; header::LONGEST.min(size as usize)];
            stream.read(0, &mut head).map_err(&wrong)?;
            Header::parse(&head).map_err(&wrong)?
        };
        if !rank.contains(&header.dims.len()) {
            return Err(wrong(format!(
                "shape {:?}, expected {} axes",
                header.dims,
                rank.start()
            )));
        }
        let bytes = header.bytes().and_then(|n| n.checked_add(start));
        if bytes != Some(size) {
            return Err(wrong(format!(
                "shape {:?} of {} is not the {} bytes that follow the header",
                header.dims,
                header.kind,
                size - start
            )));
        }
        let values = if header.fortran && header.dims.len() > 1 {
            let len = h5::allocatable::<u8>(&self.path, key, usize::try_from(size - start).ok())?;
            let mut all = vec![0; len];
            stream.read(start, &mut all).map_err(&wrong)?;
            Values::Fortran(all)
        } else {
            Values::Packed { stream, start }
        };
        Ok(Array {
            path: self.path.clone(),
            key: key.into(),
            header,
            values: Mutex::new(values),
        })
    }
}

impl Array {
    /// Extents.
    pub fn dims(&self) -> &[usize] {
        &self.header.dims
    }

    /// Whether values do not all fit in single precision.
    pub fn is_double(&self) -> bool {
        !self.header.kind.is_single()
    }

    /// An error about this array.
    pub fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::format(&self.path, format!("array `{}`: {what}", self.key))
    }

    /// Appends to `out`, of each row of a range, the values at the indices `pick` of the row (C order), or all.
    pub fn read<T>(
        &self,
        range: Range<usize>,
        pick: Option<&[usize]>,
        as_number: impl Fn(f64) -> T,
        out: &mut Vec<T>,
    ) -> Result<()> {
        let kind = self.header.kind;
        let (size, row) = (kind.size(), self.header.row());
        let failed = |what: String, at: usize| self.wrong(format!("row {at}: {what}"));
        // A reader that panicked left a stream that only has to begin anew.
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *values {
            Values::Fortran(all) => {
                for at in range {
                    let place = |i| self.header.fortran_place(at, i) * size;
                    let value = |i| as_number(kind.value(&all[place(i)..][..size]));
                    match pick {
                        Some(pick) => out.extend(pick.iter().map(|&i| value(i))),
                        None => out.extend((0..row).map(value)),
                    }
                }
            }
            Values::Packed { stream, start } => {
                let len = h5::allocatable::<u8>(&self.path, &self.key, row.checked_mul(size))?;
                let mut bytes = vec![0; len];
                for at in range {
                    stream
                        .read(*start + (at * len) as u64, &mut bytes)
                        .map_err(|what| failed(what, at))?;
                    let value = |i: usize| as_number(kind.value(&bytes[i * size..][..size]));
                    match pick {
                        Some(pick) => out.extend(pick.iter().map(|&i| value(i))),
                        None => out.extend((0..row).map(value)),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a file begins like a zip archive; false where it cannot be read.
pub(super) fn is_zip(path: &Path) -> bool {
    let mut head = [0; 4];
    let read = File::open(path).and_then(|mut f| f.read_exact(&mut head));
    read.is_ok() && (&head == MAGIC || &head == b"PK\x05\x06")
}
