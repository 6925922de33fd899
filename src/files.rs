//! Files that are there whole or not at all.

use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// Writes a file beside `path`, flushes it to the disk and renames it: whoever looks finds the old file or the new one.
///
/// # Errors
/// [`Error::Io`] of the file; nothing is left behind.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |aside| {
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(aside)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|e| Error::io(path, e))
    })
}

/// Has `write` make a file beside `path` with the same extension, then renames it.
///
/// # Errors
/// What `write` reports; nothing is left behind.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let Some(name) = path.file_name() else {
        let what = format!("{}: expected the name of a file", path.display());
        return Err(Error::Config(what));
    };
    let mut hidden = std::ffi::OsString::from(format!(".{}-", std::process::id()));
    hidden.push(name);
    let aside = path.with_file_name(hidden);
    let done =
        write(&aside).and_then(|()| std::fs::rename(&aside, path).map_err(|e| Error::io(path, e)));
    if done.is_err() {
        // The first error is the one to report; there may be no file to remove.
        std::fs::remove_file(&aside).ok();
    }
    done
}
