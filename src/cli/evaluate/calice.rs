//! `--shower-start` and the coefficients of its CALICE rule.

use calogen::observables::{Calice, Sample, ShowerStart};
use calogen::report::FileSample;
use calogen::{Error, Result};
use clap::ValueEnum;

use super::not_negative;

/// How the start of a shower is found.
#[derive(clap::Args)]
pub struct StartArgs {
    /// How the layer in which a shower starts is found: `fraction`, the first with 5 % of the largest layer's energy,
    /// or `calice`, the first whose moving average of energies and whose hits both exceed a threshold
    #[arg(long, value_name = "RULE", default_value = "fraction")]
    shower_start: Start,
    #[command(flatten)]
    calice: Coefficients,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Start {
    Fraction,
    Calice,
}

/// Coefficients of `--shower-start calice`.
#[derive(clap::Args)]
struct Coefficients {
    /// Constant of the calice rule for the energy, MIP [default: 6]
    #[arg(long, value_name = "MIP", value_parser = not_negative)]
    calice_energy: Option<f64>,
    /// Slope of the calice rule for the energy, MIP per GeV [default: 0.1]
    #[arg(long, value_name = "MIP/GEV", value_parser = not_negative)]
    calice_energy_slope: Option<f64>,
    /// Constant of the calice rule for the hits, hits [default: 3.77]
    #[arg(long, value_name = "HITS", value_parser = not_negative)]
    calice_hits: Option<f64>,
    /// Slope of the calice rule for the hits, hits per ln(GeV) [default: 1.44]
    #[arg(long, value_name = "HITS", value_parser = not_negative)]
    calice_hits_slope: Option<f64>,
    /// Layers in the moving average of the calice rule, layers [default: 10]
    #[arg(long, value_name = "LAYERS", value_parser = clap::value_parser!(u64).range(1..))]
    calice_window: Option<u64>,
    /// One MIP for the calice rule, in the files' unit [default: 1 where that is MIP, else the attribute `mip_MeV` of
    /// the reference]
    #[arg(long, value_name = "E", value_parser = not_negative)]
    calice_mip: Option<f64>,
}

impl StartArgs {
    /// Whether the flags go together.
    pub fn check(&self) -> Result<()> {
        match (self.shower_start, self.calice.given()) {
            (Start::Fraction, Some(flag)) => Err(Error::Config(format!(
                "{flag} is of use only with --shower-start calice"
            ))),
            _ => Ok(()),
        }
    }

    /// The rule; what the flags do not say is taken from the reference.
    pub fn find(&self, reference: &FileSample) -> Result<ShowerStart> {
        match self.shower_start {
            Start::Fraction => Ok(ShowerStart::Fraction),
            Start::Calice => self.calice.find(reference).map(ShowerStart::Calice),
        }
    }
}

impl Coefficients {
    /// The first of these flags that was given.
    fn given(&self) -> Option<&'static str> {
        let numbers = [
            ("--calice-energy", self.calice_energy),
            ("--calice-energy-slope", self.calice_energy_slope),
            ("--calice-hits", self.calice_hits),
            ("--calice-hits-slope", self.calice_hits_slope),
            ("--calice-window", self.calice_window.map(|n| n as f64)),
            ("--calice-mip", self.calice_mip),
        ];
        let mut given = numbers.into_iter().filter(|(_, value)| value.is_some());
        given.next().map(|(flag, _)| flag)
    }

    fn find(&self, reference: &FileSample) -> Result<Calice> {
        let default = Calice::default();
        let mip = self
            .calice_mip
            .or(reference.info().mip)
            .filter(|&mip| mip > 0.0);
        let Some(mip) = mip else {
            let (path, unit) = (&reference.info().file, &reference.info().unit);
            return Err(Error::Config(format!(
                "--shower-start calice needs --calice-mip, one MIP in {unit}: {path} does not say it"
            )));
        };
        Ok(Calice {
            energy: self.calice_energy.unwrap_or(default.energy),
            energy_slope: self.calice_energy_slope.unwrap_or(default.energy_slope),
            hits: self.calice_hits.unwrap_or(default.hits),
            hits_slope: self.calice_hits_slope.unwrap_or(default.hits_slope),
            window: self.calice_window.map_or(default.window, |n| n as usize),
            mip,
        })
    }
}
