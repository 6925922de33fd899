//! What was found fastest on this device: in memory, and in the user's cache folder for the next process.
//!
//! A choice is a few numbers under a key that names the kernel, the hash of its text and the shape. Whoever asks lists what
//! it would accept, so that a file which is old, of another device or damaged costs time at most.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::adapter::Capabilities;
use super::device::Gpu;
use super::kernel::Kernel;

const FORMAT: u32 = 1;

/// Choices by key.
type Found = BTreeMap<String, Vec<u32>>;

#[derive(Debug, Default)]
pub(super) struct Tuning {
    path: Option<PathBuf>,
    device: String,
    found: Mutex<Found>,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    device: String,
    found: Found,
}

impl Tuning {
    /// What earlier processes found on this device.
    pub(super) fn open(about: &Capabilities, folder: Option<PathBuf>) -> Self {
        let device = format!("{}, {}, {}", about.name, about.backend, about.driver);
        let path = folder.map(|f| f.join(format!("tuning-{:016x}.json", hash(&device))));
        let found = path.as_deref().and_then(|p| read(p, &device));
        Self {
            path,
            device,
            found: Mutex::new(found.unwrap_or_default()),
        }
    }

    fn save(&self) {
        let (Some(path), Ok(found)) = (&self.path, self.found.lock()) else {
            return;
        };
        // Another process may have added to the file.
        let mut all = read(path, &self.device).unwrap_or_default();
        all.extend(found.iter().map(|(k, v)| (k.clone(), v.clone())));
        let file = File {
            format: FORMAT,
            device: self.device.clone(),
            found: all,
        };
        if let (Ok(text), Some(folder)) = (serde_json::to_vec_pretty(&file), path.parent()) {
            // Failing to do so costs the next process some time only.
            let _ = std::fs::create_dir_all(folder);
            let _ = crate::files::write_atomically(path, &text);
        }
    }
}

fn read(path: &Path, device: &str) -> Option<Found> {
    let file: File = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (file.format == FORMAT && file.device == device).then_some(file.found)
}

impl Gpu {
    /// What was remembered under a key, if it is one of `accepted`.
    pub(crate) fn tuned(&self, key: &str, accepted: &[Vec<u32>]) -> Option<Vec<u32>> {
        let found = self.tuning.found.lock().ok()?;
        found.get(key).filter(|c| accepted.contains(c)).cloned()
    }

    /// Remembers choices, for this process and for later ones on the same device.
    pub(crate) fn remember(&self, choices: impl IntoIterator<Item = (String, Vec<u32>)>) {
        if let Ok(mut found) = self.tuning.found.lock() {
            found.extend(choices);
        }
        self.tuning.save();
    }
}

impl Kernel {
    /// What a choice for this kernel is remembered under.
    pub(crate) fn tuning_key(&self, shape: &str) -> String {
        format!("{} {:016x} {shape}", self.entry, hash(self.source))
    }
}

/// FNV-1a: names files and tells texts apart, nothing more.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{FORMAT, File, Found, read};

    #[test]
    fn files_of_other_devices_and_damaged_ones_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tuning.json");
        assert_eq!(read(&path, "this"), None, "no file");
        let found = Found::from([("conv".into(), vec![1, 2])]);
        let write = |format, device: &str| {
            let (device, found) = (device.into(), found.clone());
            let file = File {
                format,
                device,
                found,
            };
            let text = serde_json::to_vec(&file).unwrap();
            std::fs::write(&path, &text).unwrap();
            text
        };
        let text = write(FORMAT, "this");
        assert_eq!(read(&path, "this"), Some(found.clone()));
        assert_eq!(read(&path, "other"), None);
        write(FORMAT + 1, "this");
        assert_eq!(read(&path, "this"), None, "another format");
        for cut in 0..text.len() {
            std::fs::write(&path, &text[..cut]).unwrap();
            assert_eq!(read(&path, "this"), None, "cut to {cut} bytes");
        }
    }
}
