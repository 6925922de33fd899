//! The log of losses: one CSV row every few iterations, each the mean since the last.

use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::session::Losses;
use crate::{Error, Result};

/// Means under construction. Part of a checkpoint, so that a resumed log is the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    names: Vec<String>,
    sums: Vec<f64>,
    counts: Vec<u64>,
    /// Rows since the file was last written.
    #[serde(skip)]
    fresh: Rows,
}

impl Log {
    /// Adds the losses of one step. The column of each loss is there from the first row on.
    pub fn add(&mut self, losses: &Losses) {
        for (name, value) in &losses.values {
            if let Some(i) = self.names.iter().position(|n| n == name) {
                self.sums[i] += f64::from(*value);
                self.counts[i] += 1;
            }
        }
    }

    /// A log with the given columns.
    pub fn new(names: Vec<String>) -> Self {
        let n = names.len();
        Self {
            names,
            sums: vec![0.0; n],
            counts: vec![0; n],
            fresh: Rows::default(),
        }
    }

    /// The present means, `None` where there is nothing yet.
    pub fn means(&self) -> Vec<(String, Option<f64>)> {
        let mean = |i: usize| (self.counts[i] > 0).then(|| self.sums[i] / self.counts[i] as f64);
        self.names
            .iter()
            .enumerate()
            .map(|(i, n)| (n.clone(), mean(i)))
            .collect()
    }

    /// Ends a row.
    pub fn row(&mut self, iteration: u64, epoch: f64) {
        let means: Vec<_> = self.means().into_iter().map(|(_, mean)| mean).collect();
        self.fresh.push(iteration, epoch, &means);
        self.sums.fill(0.0);
        self.counts.fill(0);
    }

    /// The first line of the file.
    pub fn header(&self) -> String {
        header(&self.names)
    }

    /// Appends the rows since the last call.
    pub fn flush(&mut self, path: &Path) -> Result<()> {
        self.fresh.flush(path, &self.names)
    }
}

/// Rows of a CSV file that were not yet written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows(String);

impl Rows {
    /// Adds a row.
    pub fn push(&mut self, iteration: u64, epoch: f64, values: &[Option<f64>]) {
        let _ = write!(self.0, "{iteration},{epoch:.4}");
        for value in values {
            let _ = match value {
                Some(value) => write!(self.0, ",{value:.7e}"),
                None => write!(self.0, ","),
            };
        }
        self.0.push('\n');
    }

    /// Appends them to the file of columns `names`.
    pub fn flush(&mut self, path: &Path, names: &[String]) -> Result<()> {
        use std::io::Write;
        let fail = |e| Error::io(path, e);
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(fail)?;
        if file.metadata().map_err(fail)?.len() == 0 {
            file.write_all(header(names).as_bytes()).map_err(fail)?;
        }
        file.write_all(self.0.as_bytes()).map_err(fail)?;
        self.0.clear();
        Ok(())
    }
}

/// The first line of a file of columns `names`.
pub(super) fn header(names: &[String]) -> String {
    format!("step,epoch,{}\n", names.join(","))
}

/// Drops the rows behind `iteration` that an interrupted run wrote after its checkpoint.
pub(super) fn truncate(path: &Path, iteration: u64) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(path) else {
        return Ok(());
    };
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| match line.split(',').next().map(str::parse::<u64>) {
            Some(Ok(step)) => step <= iteration && line.ends_with('\n'),
            _ => true,
        })
        .collect();
    crate::files::write_atomically(path, kept.as_bytes())
}
