//! How products are computed: flags of the commands that generate.

use std::time::Duration;

use calogen::generate::Generator;
use calogen::gpu::Tier;
use calogen::{Error, Result};

use super::output::{Progress, say};
use super::seconds::seconds;

/// Seconds that tuning takes if nobody says otherwise.
const SECONDS: &str = "60";

#[derive(clap::Args)]
pub struct Tiers {
    /// How products are computed and activations kept: portable (f32, on any device), half (f32, kept as f16 in memory: about
    /// half the traffic), matrix (cooperative matrices: operands rounded to f16, sums in f32, kept as f16), or auto (the
    /// fastest that the device offers, timed once and remembered). Cells of half and matrix differ from portable ones by some
    /// 0.2 % of the largest. Events are the same to the bit within a tier
    #[arg(long, default_value = "portable", value_name = "TIER")]
    tier: String,
    /// First time tiles for every layer at this batch, for about so many seconds, unless that was done before on this device;
    /// later runs use what was found too. Events stay the same to the bit [default: off; without a number: 60]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = SECONDS, value_parser = seconds)]
    tune: Option<Duration>,
    /// Tune again what is remembered: after a change of the machine
    #[arg(long)]
    retune: bool,
}

impl Tiers {
    /// Refuses what no device could do, before one is opened. `None` is the fastest tier.
    pub fn check(&self) -> Result<Option<Tier>> {
        match self.tier.as_str() {
            "auto" => Ok(None),
            name => match name.parse() {
                Ok(tier) => Ok(Some(tier)),
                Err(Error::Config(what)) => Err(Error::Config(format!("{what}, auto"))),
                Err(error) => Err(error),
            },
        }
    }

    /// Sets what was asked for; every generator computes alike. Returns the tier.
    pub fn apply(&self, generators: &mut [Generator], batch: usize) -> Result<Tier> {
        let tier = match self.check()? {
            None => generators[0].set_fastest_tier(batch, self.retune)?,
            Some(tier) => tier,
        };
        let budget = match (self.tune, self.retune) {
            (None, true) => seconds(SECONDS).ok(),
            (budget, _) => budget,
        };
        for generator in generators {
            generator.set_tier(tier)?;
            let Some(budget) = budget else { continue };
            let mut progress = None;
            let mut before = 0;
            let tuned = generator.tune(batch, budget, self.retune, |done, of| {
                let bar = progress.get_or_insert_with(|| Progress::new("tune", "tiles", of as u64));
                bar.advance((done - before) as u64);
                before = done;
            })?;
            drop(progress);
            if tuned.candidates == 0 {
                say(
                    "calogen: nothing to tune: all tiles are remembered (--retune times them again)",
                );
                continue;
            }
            say(&format!(
                "calogen: {}: {} of {} tiles timed for {} layers, {} of them changed",
                generator.gpu().capabilities().name,
                tuned.timed,
                tuned.candidates,
                tuned.choices,
                tuned.changed
            ));
        }
        Ok(tier)
    }
}
