//! How statistical errors are found.

use calogen::observables::Bootstrap;

/// Replicas of the samples.
#[derive(clap::Args)]
pub struct ErrorArgs {
    /// Bootstrap replicas of each sample from which statistical errors are found; 0 leaves errors out [default: 100]
    #[arg(long, value_name = "N", value_parser = replicas)]
    replicas: Option<usize>,
    /// Seed of these replicas: the same seed gives the same errors [default: 0]
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 0,
        hide_default_value = true
    )]
    replica_seed: u64,
}

impl ErrorArgs {
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            replicas: self.replicas.unwrap_or(Bootstrap::default().replicas),
            seed: self.replica_seed,
        }
    }
}

/// None, or enough for a deviation; not so many that their sums fill the memory.
fn replicas(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n == 0 || (2..=10_000).contains(&n) => Ok(n),
        _ => Err("expected 0, or 2 to 10000".into()),
    }
}
