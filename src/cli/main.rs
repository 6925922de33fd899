//! The command line. A command is one file, one `mod` and one line of `commands!`.
//!
//! Results go to standard output, everything else to standard error. Exit status 0 done, 2 wrong usage, 1 anything else.

mod bench;
mod convert;
mod devices;
mod evaluate;
mod export;
mod files;
mod generate;
mod labels;
mod latent;
mod merge;
mod models;
mod output;
mod seconds;
mod tier;
mod train;
mod weights;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::sync::Arc;

use calogen::gpu::Gpu;
use calogen::{Error, Result};
use clap::builder::StyledStr;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

/// A module with `Args` and `run(&Args, &Global) -> Result<()>` for each variant; the text of its help stands at `Args`.
macro_rules! commands {
    ($($variant:ident => $module:ident,)+) => {
        #[derive(Subcommand)]
        enum Command {
            $($variant(Box<$module::Args>),)+
        }

        impl Command {
            fn run(&self, global: &Global) -> Result<()> {
                match self {
                    $(Self::$variant(args) => $module::run(args, global),)+
                }
            }
        }
    };
}

commands! {
    Devices => devices,
    Models => models,
    Weights => weights,
    Train => train,
    Generate => generate,
    Merge => merge,
    Convert => convert,
    Evaluate => evaluate,
    Latent => latent,
    Bench => bench,
    Export => export,
}

/// Trains, runs and judges generative models of calorimeter showers on any GPU
#[derive(Parser)]
#[command(name = "calogen", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(clap::Args)]
struct Global {
    /// Adapter to compute on: its index in `calogen devices`, or part of its name
    /// [default: the one that WGPU_ADAPTER_NAME names, else the first]
    #[arg(long, global = true, value_name = "INDEX|NAME", display_order = 900)]
    device: Option<String>,
    #[arg(skip)]
    gpu: OnceCell<Arc<Gpu>>,
}

impl Global {
    /// The device of this command, opened when it is first asked for.
    fn gpu(&self) -> Result<Arc<Gpu>> {
        if let Some(gpu) = self.gpu.get() {
            return Ok(gpu.clone());
        }
        let gpu = Gpu::open(self.device.as_deref())?;
        Ok(self.gpu.get_or_init(|| gpu).clone())
    }
}

/// A command whose help says of every switch that it is off by default, and of every flag that must be given that it must.
fn described(command: clap::Command) -> clap::Command {
    let described_flag = |arg: Arg| {
        let note = match arg.get_action() {
            ArgAction::SetTrue => "[default: off]",
            _ if arg.is_required_set() && !arg.is_positional() => "[required]",
            _ => return arg,
        };
        let noted = |text: Option<&StyledStr>| text.map(|text| format!("{text} {note}"));
        match (noted(arg.get_help()), noted(arg.get_long_help())) {
            (Some(help), Some(long)) => arg.help(help).long_help(long),
            (Some(help), None) => arg.help(help),
            (None, _) => arg,
        }
    };
    command.mut_args(described_flag).mut_subcommands(described)
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(output::panicked));
    let parsed = described(Cli::command()).try_get_matches();
    let cli = match parsed.and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(usage) => {
            // Nobody may be listening, and that is no error.
            let _ = usage.print();
            return ExitCode::from(usage.exit_code() as u8);
        }
    };
    calogen::data::explain_crashes("calogen", 1);
    match cli.command.run(&cli.global) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::say(&format!("calogen: {error}"));
            ExitCode::from(if matches!(error, Error::Config(_)) {
                2
            } else {
                1
            })
        }
    }
}
