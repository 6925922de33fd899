//! What the rest asks of the HDF5 library: values, blocks of rows and attributes, with errors that name the dataset.

use std::ops::Range;
use std::path::Path;

use hdf5::types::{
    FixedAscii, FixedUnicode, FloatSize, TypeDescriptor, VarLenAscii, VarLenUnicode,
};
use hdf5::{
    Attribute, Container, Dataset, File, H5Type, Location, MinorErrorCode, Selection, SliceOrIndex,
};
use hdf5_metno as hdf5;

use super::crash::Reading;
use crate::{Error, Result};

/// Bytes that the library may keep of unpacked chunks, for each dataset. Its default of 1 MiB is less than the chunks
/// of many files, which would then be unpacked anew for every row.
const CHUNK_CACHE: usize = 16 << 20;

/// Longest fixed-length string and largest number of values that an attribute may have.
const LONGEST: usize = 1024;

/// A number that the library converts cells to.
pub(super) trait Number: H5Type + Copy {
    fn value(self) -> f64;
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
}

impl Number for f32 {
    fn value(self) -> f64 {
        self.into()
    }

    fn of(value: f64) -> Self {
        value as Self
    }
}

impl Number for f64 {
    fn value(self) -> f64 {
        self
    }

    fn of(value: f64) -> Self {
        value
    }
}

/// Options under which files are opened and created.
pub(super) fn options() -> hdf5::FileBuilder {
    // A signal handler or another thread must never see the library print: it would break a progress bar or JSON.
    hdf5::silence_errors(true);
    let mut options = File::with_options();
    options.with_fapl(|p| p.chunk_cache(521, CHUNK_CACHE, 0.75));
    options
}

/// Opens a file, telling apart what cannot be opened at all from what is no HDF5 file and what was cut short.
pub(super) fn open(path: &Path) -> Result<File> {
    let found = std::fs::File::open(path)
        .and_then(|f| f.metadata())
        .map_err(|e| Error::io(path, e))?;
    if found.is_dir() {
        return Err(Error::format(path, "is a directory, expected an HDF5 file"));
    }
    options().open(path).map_err(|e| {
        let text = e.to_string();
        let cut = e
            .stack()
            .is_some_and(|s| s.iter().any(|frame| frame.desc().contains("truncated")));
        Error::format(
            path,
            if cut {
                format!("truncated HDF5 file of {} bytes ({text})", found.len())
            } else if e.contains_minor(MinorErrorCode::NotHdf5) {
                format!("not an HDF5 file ({} bytes)", found.len())
            } else {
                format!("cannot be opened: {text}")
            },
        )
    })
}

/// An error of the library about one dataset of a file.
pub(super) fn failed(path: &Path, what: &str, e: hdf5::Error) -> Error {
    Error::format(path, format!("{what}: {e}"))
}

/// The reason why values of this type cannot be read as numbers.
pub(super) fn not_numeric(of: &Container) -> hdf5::Result<Option<String>> {
    let dtype = of.dtype()?;
    Ok(match dtype.to_descriptor() {
        Ok(TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_)) => {
            None
        }
        Ok(other) => Some(other.to_string()),
        // Half floats have no descriptor here, yet the library converts them.
        Err(_) if dtype.conv_to::<f32>().is_some() => None,
        Err(e) => Some(e.to_string()),
    })
}

/// Fails where `len` values cannot be allocated. Extents come from the file, and the library's own allocation of a
/// hostile size would end the process.
pub(super) fn allocatable<T>(path: &Path, name: &str, len: Option<usize>) -> Result<usize> {
    let mut probe = Vec::<T>::new();
    match len {
        // The black box keeps the optimiser from dropping an allocation that nobody uses.
        Some(len)
            if std::hint::black_box(&mut probe)
                .try_reserve_exact(len)
                .is_ok() =>
        {
            Ok(len)
        }
        _ => Err(Error::format(
            path,
            format!("dataset `{name}`: not enough memory for what is to be read"),
        )),
    }
}

/// The rows of `range` of a dataset of shape `dims`, row major. The range lies within the dataset.
pub(super) fn rows<T: H5Type>(
    path: &Path,
    name: &str,
    from: &Dataset,
    dims: &[usize],
    range: Range<usize>,
) -> Result<Vec<T>> {
    let row = dims[1..].iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let len = allocatable::<T>(path, name, row.and_then(|row| row.checked_mul(range.len())))?;
    if len == 0 {
        return Ok(Vec::new());
    }
    let _reading = Reading::many(path, len * size_of::<T>());
    from.read_slice::<T, _, ndarray::IxDyn>(block(dims, &range))
        .map(|block| block.into_raw_vec_and_offset().0)
        .map_err(|e| {
            failed(
                path,
                &format!(
                    "dataset `{name}`, events {} to {}",
                    range.start,
                    range.end - 1
                ),
                e,
            )
        })
}

/// The selection of all values of some rows.
pub(super) fn block(dims: &[usize], rows: &Range<usize>) -> Selection {
    let axes = std::iter::once(rows.clone()).chain(dims[1..].iter().map(|&d| 0..d));
    hdf5::Hyperslab::from(axes.map(SliceOrIndex::from).collect::<Vec<_>>()).into()
}

/// The attribute of that name, if there is one.
///
/// It is opened by name: a listing reads every attribute's header, of which a damaged one misleads the library's binding.
fn attribute(of: &Location, name: &str) -> hdf5::Result<Option<Attribute>> {
    match of.attr(name) {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.contains_minor(MinorErrorCode::NotFound) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Number of values of an attribute, saturating.
fn count(of: &Attribute) -> usize {
    of.space().map_or(0, |s| {
        s.shape().iter().fold(1, |n: usize, &d| n.saturating_mul(d))
    })
}

/// A string attribute as a list, whatever kind of string and however many.
pub(super) fn strings(of: &Location, name: &str) -> hdf5::Result<Option<Vec<String>>> {
    let Some(found) = attribute(of, name)? else {
        return Ok(None);
    };
    let len = count(&found);
    if len == 0 || len > LONGEST {
        return Err(format!("attribute `{name}` has {len} values, expected 1 to {LONGEST}").into());
    }
    // The library's own strings trust their bytes to be UTF-8; a file's need not be.
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .trim_end_matches('\0')
            .trim()
            .to_owned()
    };
    let strings = match found.dtype()?.to_descriptor()? {
        TypeDescriptor::VarLenUnicode => found
            .read_raw::<VarLenUnicode>()?
            .iter()
            .map(|s| text(s.as_bytes()))
            .collect(),
        TypeDescriptor::VarLenAscii => found
            .read_raw::<VarLenAscii>()?
            .iter()
            .map(|s| text(s.as_bytes()))
            .collect(),
        TypeDescriptor::FixedUnicode(n) if n <= LONGEST => found
            .read_raw::<FixedUnicode<LONGEST>>()?
            .iter()
            .map(|s| text(s.as_bytes()))
            .collect(),
        TypeDescriptor::FixedAscii(n) if n <= LONGEST => found
            .read_raw::<FixedAscii<LONGEST>>()?
            .iter()
            .map(|s| text(s.as_bytes()))
            .collect(),
        other => {
            return Err(format!("attribute `{name}` is of type {other}, expected a string").into());
        }
    };
    Ok(Some(strings))
}

/// A string attribute of one value; an empty one counts as absent.
pub(super) fn string(of: &Location, name: &str) -> hdf5::Result<Option<String>> {
    match strings(of, name)? {
        Some(list) if list.len() == 1 => Ok(list.into_iter().next().filter(|s| !s.is_empty())),
        Some(list) => {
            Err(format!("attribute `{name}` has {} values, expected 1", list.len()).into())
        }
        None => Ok(None),
    }
}

/// A numeric attribute as a list.
pub(super) fn numbers<T: Number>(of: &Location, name: &str) -> hdf5::Result<Option<Vec<T>>> {
    let Some(found) = attribute(of, name)? else {
        return Ok(None);
    };
    if let Some(kind) = not_numeric(&found)? {
        return Err(format!("attribute `{name}` is of type {kind}, expected a number").into());
    }
    let len = count(&found);
    if len == 0 || len > LONGEST {
        return Err(format!("attribute `{name}` has {len} values, expected 1 to {LONGEST}").into());
    }
    let values = found.read_raw::<T>()?;
    match values.iter().map(|v| v.value()).find(|v| !v.is_finite()) {
        Some(v) => Err(format!("attribute `{name}` is {v}, expected a finite number").into()),
        None => Ok(Some(values)),
    }
}

/// A numeric attribute of one value, scalar or an array of one.
pub(super) fn number<T: Number>(of: &Location, name: &str) -> hdf5::Result<Option<T>> {
    match numbers(of, name)? {
        Some(list) if list.len() == 1 => Ok(Some(list[0])),
        Some(list) => {
            Err(format!("attribute `{name}` has {} values, expected 1", list.len()).into())
        }
        None => Ok(None),
    }
}

/// Whether values are stored as whole numbers.
pub(super) fn is_integer(of: &Container) -> hdf5::Result<bool> {
    Ok(matches!(
        of.dtype()?.to_descriptor(),
        Ok(TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_))
    ))
}

/// Whether values are stored in more than single precision.
pub(super) fn is_double(of: &Container) -> hdf5::Result<bool> {
    Ok(matches!(
        of.dtype()?.to_descriptor(),
        Ok(TypeDescriptor::Float(FloatSize::U8))
    ))
}
