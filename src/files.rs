//! Files that are there whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

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

/// Makes a folder and those that it lies in, if they are not there.
///
/// # Errors
/// [`Error::Format`] if a file has its name; [`Error::Io`].
pub fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| match path.is_file() {
        true => Error::format(path, "a file, expected a folder"),
        false => Error::io(path, e),
    })
}

/// Has `write` make a file beside `path` with the same extension, then renames it.
///
/// # Errors
/// What `write` reports; nothing is left behind.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let aside = Aside::new(path)?;
    write(aside.path())?;
    aside.put_in_place()
}

/// The name of a hidden file beside another, under which that one is written. What stands there is deleted unless it is put
/// in place.
///
/// A process that is killed leaves its file behind. Whoever writes to the same name next deletes it, where it is certain that
/// nobody writes to it any more: the name says which process of which running system it belongs to, and only what a process
/// of this system and this user that is gone has left is deleted (on Linux; elsewhere nothing is).
#[derive(Debug)]
pub(crate) struct Aside {
    /// None once it is put in place.
    path: Option<PathBuf>,
    target: PathBuf,
}

impl Aside {
    pub fn new(target: &Path) -> Result<Self> {
        let Some(name) = target.file_name() else {
            let what = format!("{}: expected the name of a file", target.display());
            return Err(Error::Config(what));
        };
        // What a link leads to is replaced, not the link; a device or a pipe is neither.
        let target = match target.symlink_metadata() {
            Ok(_) => &target.canonicalize().map_err(|e| Error::io(target, e))?,
            Err(_) => target,
        };
        let name = target.file_name().unwrap_or(name);
        if target.metadata().is_ok_and(|m| !m.is_file()) {
            return Err(Error::format(target, "expected a file, or none yet"));
        }
        let system = system().unwrap_or_else(|| "0".into());
        sweep(target, &system);
        // The extension stays at the end: some formats are told by it.
        let mut hidden = std::ffi::OsString::from(format!(".{}-{system}-", std::process::id()));
        hidden.push(name);
        Ok(Self {
            path: Some(target.with_file_name(hidden)),
            target: target.to_path_buf(),
        })
    }

    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(&self.target)
    }

    pub fn put_in_place(mut self) -> Result<()> {
        if let Some(path) = &self.path {
            std::fs::rename(path, &self.target).map_err(|e| Error::io(&self.target, e))?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // It is being given up; an error here would only hide the first one, and there may be no file.
            std::fs::remove_file(path).ok();
        }
    }
}

/// What numbers of processes belong to: this run of the system and the name space of its process numbers, so that containers
/// and other machines on a shared disk are told apart.
fn system() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_hexdigit).collect() };
    // "pid:[4026531836]"
    let space: String = (space.to_str()?.chars())
        .filter(char::is_ascii_digit)
        .collect();
    let boot = digits(&boot);
    Some(format!("{}{space}", boot.get(..12)?))
}

/// Deletes what processes of this system that are gone have left beside `target`.
#[cfg(target_os = "linux")]
fn sweep(target: &Path, system: &str) {
    use std::os::unix::fs::MetadataExt;

    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Of processes of other users this one may see nothing, though they run.
    let (Ok(entries), Ok(me)) = (std::fs::read_dir(folder), std::fs::metadata("/proc/self")) else {
        return;
    };
    let Some(name) = target.file_name().and_then(|name| name.to_str()) else {
        return;
    };
    for entry in entries.flatten() {
        let hidden = entry.file_name();
        let process = (hidden.to_str())
            .and_then(|hidden| {
                hidden
                    .strip_prefix('.')?
                    .strip_suffix(name)?
                    .strip_suffix('-')
            })
            .and_then(|rest| rest.split_once('-'))
            .filter(|(process, of)| *of == system && process.parse::<u32>().is_ok());
        let Some((process, _)) = process else {
            continue;
        };
        let mine = entry
            .metadata()
            .is_ok_and(|m| m.is_file() && m.uid() == me.uid());
        if mine && !Path::new("/proc").join(process).exists() {
            // Another writer may have been quicker.
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn sweep(_: &Path, _: &str) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_the_dead_left_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a-b.h5");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (dead, system) = (child.id(), system().unwrap());
        let stale = [format!(".{dead}-{system}-a-b.h5")];
        let kept = [
            // A process that runs, another system, another target, names that only look alike.
            format!(".1-{system}-a-b.h5"),
            format!(".{dead}-{}-a-b.h5", "0".repeat(system.len())),
            format!(".{dead}-{system}-b.h5"),
            format!(".{dead}-{system}-a-b.h5.png"),
            format!(".-{system}-a-b.h5"),
            format!(".{dead}x-{system}-a-b.h5"),
            format!("{dead}-{system}-a-b.h5"),
        ];
        for name in stale.iter().chain(&kept) {
            std::fs::write(folder.path().join(name), "part").unwrap();
        }
        write_atomically(&target, b"whole").unwrap();
        let mut wanted = kept.to_vec();
        wanted.push("a-b.h5".into());
        wanted.sort();
        assert_eq!(names(folder.path()), wanted);
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
    }

    #[test]
    fn what_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("plot.png");
        std::fs::write(&target, "old").unwrap();
        let failed = replace(&target, |aside| {
            assert_eq!(aside.extension().unwrap(), "png");
            std::fs::write(aside, "new").unwrap();
            assert_eq!(names(folder.path()).len(), 2);
            Err(Error::Config("no".into()))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no");
        assert_eq!(names(folder.path()), ["plot.png"]);
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
    }

    #[test]
    fn links_stay_and_devices_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [link, file] = ["link.h5", "file.h5"].map(|name| folder.path().join(name));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        std::fs::remove_file(&file).unwrap();
        assert!(
            write_atomically(&link, b"lost").is_err(),
            "it leads nowhere"
        );
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for odd in [pipe.as_path(), Path::new("/dev/null"), folder.path()] {
            let error = write_atomically(odd, b"").unwrap_err().to_string();
            assert!(error.ends_with("expected a file, or none yet"), "{error}");
        }
        assert_eq!(names(folder.path()), ["link.h5", "pipe"]);
    }
}
