//! What can go wrong, and how it reads.
//!
//! A message stands on its own in the log of a host program: it names the op, file, dataset or tensor, what was found
//! and what was expected.

use std::path::{Path, PathBuf};

/// The one error type of the crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No adapter satisfied the request.
    #[error("no usable GPU adapter: {0}")]
    NoAdapter(String),
    /// The device or its driver reported an error, or was lost.
    #[error("device: {0}")]
    Device(String),
    /// The device has no memory left for what was asked.
    #[error("out of device memory: {0}")]
    OutOfMemory(String),
    /// An operand has a shape that the op cannot take.
    #[error("{op}: {what}")]
    Shape {
        /// The op as the caller wrote it.
        op: &'static str,
        /// What was wanted, and the shapes given.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        what: String,
    },
    /// A configuration, option or argument cannot be used.
    #[error("{0}")]
    Config(String),
    /// A computation gave NaN or infinity.
    #[error("{0}")]
    NotFinite(String),
    /// The user asked to stop; what was done so far is saved.
    #[error("interrupted: {0}")]
    Interrupted(String),
}

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A shape error of `op`.
    pub fn shape(op: &'static str, what: impl Into<String>) -> Self {
        Self::Shape {
            op,
            what: what.into(),
        }
    }

    /// A file that is not what it should be. Libraries' own words may hold line breaks; a message is one line.
    pub fn format(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        let what: String = what.into();
        let lines: Vec<&str> = what.lines().map(str::trim).collect();
        Self::Format {
            path: path.as_ref().to_path_buf(),
            what: lines.join(" "),
        }
    }

    /// A file that cannot be read or written.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.as_ref().to_path_buf(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_one_line() {
        let error = Error::format("a.h5", "write failed:\n  no space left\r\n on the device");
        let text = error.to_string();
        assert!(
            text.contains("write failed: no space left on the device"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
    }
}
