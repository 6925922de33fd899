//! Files that are either whole or absent.

use crate::{Error, Result};
use std::ffi::OsString;
use std::path::Path;

/// Writes a file beside `path`, then renames it: whoever looks finds the old file or the whole new one.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |temporary| {
        std::fs::write(temporary, bytes).map_err(|e| Error::io(path, e))
    })
}

/// Has `write` make a file beside `path` with the same extension, then renames it.
pub(super) fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let Some(name) = path.file_name() else {
        return Err(Error::Config(format!(
            "{}: expected the name of a file",
            path.display()
        )));
    };
    let mut hidden = OsString::from(format!(".{}-", std::process::id()));
    hidden.push(name);
    let temporary = path.with_file_name(hidden);
    let done = write(&temporary)
        .and_then(|()| std::fs::rename(&temporary, path).map_err(|e| Error::io(path, e)));
    if done.is_err() {
        // The first error is the one to report; there may be no file to remove.
        std::fs::remove_file(&temporary).ok();
    }
    done
}
