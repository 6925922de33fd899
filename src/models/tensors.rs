//! Safetensors files of f32 tensors, read from bytes that nobody vouches for.
//!
//! Eight bytes hold the length of a JSON header, which says each tensor's type, shape and place in the data behind it.
//! Nothing is allocated by a size that the header claims: every claim is compared with the file's own length first, and the
//! tensors must fill the data exactly, without overlap.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// Largest header in bytes, as in the reference implementation.
const HEADER: usize = 100_000_000;

/// Tensors by name: shape and values.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The metadata, and the part of the file behind the header with what the header says of it.
pub(crate) struct Header<'a> {
    pub about: BTreeMap<String, String>,
    entries: Vec<(String, Entry)>,
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads and checks the header of a file.
    ///
    /// # Errors
    /// What is wrong with it, without the file's name.
    pub fn read(bytes: &'a [u8]) -> std::result::Result<Self, String> {
        let (length, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| format!("{} bytes, too short for a header", bytes.len()))?;
        let claimed = u64::from_le_bytes(*length);
        let length = usize::try_from(claimed).ok().filter(|&n| n <= HEADER);
        let (header, data) = length
            .and_then(|n| rest.split_at_checked(n))
            .ok_or_else(|| {
                format!(
                    "a header of {claimed} bytes is claimed in a file of {} ({HEADER} at most)",
                    bytes.len()
                )
            })?;
        let mut parts: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(header).map_err(|e| format!("its header: {e}"))?;
        let about = match parts.remove("__metadata__") {
            Some(about) => {
                serde_json::from_value(about).map_err(|e| format!("its metadata: {e}"))?
            }
            None => BTreeMap::new(),
        };
        let mut entries = Vec::with_capacity(parts.len());
        for (name, entry) in parts {
            let entry = Entry::deserialize(entry).map_err(|e| format!("tensor '{name}': {e}"))?;
            entries.push((name, entry));
        }
        entries.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut end = 0;
        for (name, entry) in &entries {
            let [start, stop] = entry.data_offsets;
            if start != end || stop < start || stop > data.len() {
                return Err(format!(
                    "tensor '{name}' claims bytes {start} to {stop} of {}, expected from {end} on",
                    data.len()
                ));
            }
            end = stop;
        }
        if end != data.len() {
            let n = data.len();
            return Err(format!(
                "tensors fill {end} of {n} bytes: cut off, or something else behind"
            ));
        }
        Ok(Self {
            about,
            entries,
            data,
        })
    }

    /// The tensors.
    ///
    /// # Errors
    /// The first that is not f32 or not of the length of its shape.
    pub fn tensors(self) -> std::result::Result<Tensors, String> {
        let mut tensors = Tensors::new();
        for (name, entry) in self.entries {
            let Entry {
                dtype,
                shape,
                data_offsets: [start, stop],
            } = entry;
            if dtype != "F32" {
                return Err(format!("tensor '{name}' is {dtype}, expected F32"));
            }
            let size = shape
                .iter()
                .try_fold(4usize, |n, &extent| n.checked_mul(extent));
            if size != Some(stop - start) {
                let bytes = stop - start;
                return Err(format!(
                    "tensor '{name}' of shape {shape:?} has {bytes} bytes"
                ));
            }
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&self.data[start..stop]);
            tensors.insert(name, (shape, values));
        }
        Ok(tensors)
    }
}

/// Writes f32 tensors and metadata as safetensors, beside and renamed.
///
/// The header is written here, in alphabetical order: the library's own writer takes metadata from a hash map, whose order
/// changes from run to run, and equal weights would have different hashes.
pub(crate) fn write(path: &Path, tensors: &Tensors, about: BTreeMap<String, String>) -> Result<()> {
    let mut header = BTreeMap::from([("__metadata__".to_owned(), serde_json::json!(about))]);
    let mut data = Vec::new();
    for (name, (shape, values)) in tensors {
        let start = data.len();
        data.extend_from_slice(bytemuck::cast_slice(values));
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let failed = |e: serde_json::Error| Error::format(path, format!("cannot be written: {e}"));
    let mut text = serde_json::to_vec(&header).map_err(failed)?;
    // Data start at a multiple of eight bytes.
    text.resize(text.len().next_multiple_of(8), b' ');
    let bytes = [&(text.len() as u64).to_le_bytes()[..], &text, &data].concat();
    crate::files::write_atomically(path, &bytes)
}
