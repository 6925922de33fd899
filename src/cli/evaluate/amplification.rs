//! `--amplification`: how many showers of the simulation the generated ones are worth.

use calogen::metrics::AmplificationOptions;
use calogen::models::Weights;
use calogen::{Error, Result};

/// How the worth is found.
#[derive(clap::Args)]
pub struct AmplificationArgs {
    /// How many showers of the reference the generated ones are worth, by quantiles of observables (after Butter et al. 2021);
    /// with the number of showers that the generator was trained on, or its weights, also by what factor that is
    /// more. Generate many times as many as it was trained on [default: off]
    #[arg(long, value_name = "N|WEIGHTS", num_args = 0..=1, default_missing_value = "")]
    amplification: Option<String>,
    /// Quantiles of --amplification
    #[arg(long, value_name = "Q", default_value_t = 10, requires = "amplification", value_parser = clap::value_parser!(u16).range(2..))]
    amplification_quantiles: u16,
    /// Observables of --amplification [default: visible_energy, n_hits, cog_z, width_x]
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        requires = "amplification"
    )]
    amplification_observables: Vec<String>,
    /// Random splits of the reference for --amplification
    #[arg(long, value_name = "R", default_value_t = 50, requires = "amplification", value_parser = clap::value_parser!(u16).range(2..))]
    amplification_repetitions: u16,
}

impl AmplificationArgs {
    /// The options, if it is asked for.
    pub fn find(&self) -> Result<Option<AmplificationOptions>> {
        let Some(trained) = &self.amplification else {
            return Ok(None);
        };
        let trained_on = match trained.parse() {
            _ if trained.is_empty() => None,
            Ok(0) => {
                return Err(Error::Config(
                    "--amplification: trained on 0 showers".into(),
                ));
            }
            Ok(n) => Some(n),
            Err(_) => {
                let path = crate::weights::find(trained)?;
                let text = Weights::read(&path)?.metadata.trained_on;
                let n = showers(&text).ok_or_else(|| {
                    let what =
                        format!("'trained_on' is '{text}', which names no number of showers");
                    Error::format(&path, what)
                })?;
                Some(n)
            }
        };
        Ok(Some(AmplificationOptions {
            observables: self.amplification_observables.clone(),
            quantiles: self.amplification_quantiles.into(),
            repetitions: self.amplification_repetitions.into(),
            trained_on,
            ..AmplificationOptions::default()
        }))
    }
}

/// The number in `… (1000 showers)` and in `… (showers 0:900 of 1000)`.
fn showers(text: &str) -> Option<u64> {
    let (_, last) = text.rsplit_once('(')?;
    let last = last.strip_suffix(')')?;
    match last.strip_prefix("showers ") {
        None => last.strip_suffix(" showers")?.parse().ok(),
        Some(range) => {
            let (start, end) = range.split_once(" of ")?.0.split_once(':')?;
            let [start, end] = [start.parse::<u64>().ok()?, end.parse().ok()?];
            end.checked_sub(start)
        }
    }
}
