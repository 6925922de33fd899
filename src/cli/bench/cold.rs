//! From the start of a process to its first shower, with empty caches and with warm ones.

use std::process::{Command, Stdio};
use std::time::Instant;

use calogen::{Error, Result};
use serde::Serialize;

/// Seconds from the start of a process to its end after one shower.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ColdStart {
    /// Pipelines were never compiled for this device before.
    pub without_cache: f64,
    /// They were, by a process before.
    pub with_cache: f64,
}

/// Runs this program with `arguments` twice in a cache folder of its own.
///
/// # Errors
/// [`Error::Io`] if it cannot be started; [`Error::Device`] if it fails.
pub fn measure(arguments: &[String]) -> Result<ColdStart> {
    let program = std::env::current_exe().map_err(|e| Error::io("this program", e))?;
    let cache = std::env::temp_dir().join(format!("calogen-cold-{}", std::process::id()));
    let once = || -> Result<f64> {
        let start = Instant::now();
        // The caches of this program and of Mesa both lie there.
        let child = Command::new(&program)
            .args(arguments)
            .env("XDG_CACHE_HOME", &cache)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(|e| Error::io(&program, e))?;
        let seconds = start.elapsed().as_secs_f64();
        match child.status.success() {
            true => Ok(seconds),
            false => Err(Error::Device(format!(
                "a process for one shower failed: {}",
                String::from_utf8_lossy(&child.stderr).trim()
            ))),
        }
    };
    let measured = once().and_then(|without_cache| {
        Ok(ColdStart {
            without_cache,
            with_cache: once()?,
        })
    });
    // What is left there is of no use to anybody.
    let _ = std::fs::remove_dir_all(&cache);
    measured
}
