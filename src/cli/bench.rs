//! `calogen bench`: how fast kernels, training and generation run on this machine.

mod cases;
mod ceilings;
mod cold;
mod generate;
mod kernels;
mod timing;
mod train;

use calogen::Result;

use super::Global;

/// Measure kernels, training or generation on this device
///
/// Times are wall-clock from submission to completion, the median of 20 after 3 warm-ups; fewer where one run is slow.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    Kernels(kernels::Args),
    Train(train::Args),
    Generate(generate::Args),
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    match &args.what {
        What::Kernels(args) => kernels::run(args, global),
        What::Train(args) => train::run(args, global),
        What::Generate(args) => generate::run(args, global),
    }
}
