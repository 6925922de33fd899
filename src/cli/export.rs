//! `calogen export`: the generator for other run times.

use std::path::PathBuf;

use calogen::files::write_atomically;
use calogen::models::Preset;
use calogen::{Error, Result};
use clap::ValueEnum;

use super::Global;
use super::labels::{Source, Wanted};
use super::output::{not_an_input, print, say};
use super::weights::{find, open};

/// Write the generator for other run times
///
/// An ONNX model of opset 17 has the inputs `conditions` and `noise`, `noise_2`, .., which say of themselves how they are
/// distributed, and the output `showers`, whose number of events is open. Cells below the threshold are not emptied: do that
/// to its output.
#[derive(clap::Args)]
pub struct Args {
    /// A weights file, a run's folder, the name of weights that ship with the program (`calogen weights`), or the name of a
    /// model, which then is untrained: to compare speeds
    weights: String,
    /// Sizes of an untrained model: paper (as published) or small
    #[arg(long, default_value_t = Preset::Paper, value_name = "paper|small")]
    preset: Preset,
    /// File format
    #[arg(long, value_name = "FORMAT", default_value = "onnx")]
    format: Format,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Leave out an optional part of the model, such as the `post` processor or the `prior` of a BIB-AE; several times for
    /// several [default: none]
    #[arg(long, value_name = "PART")]
    without: Vec<String>,
    /// Write inputs and output of some events as computed here too, as a safetensors file, to check the other run time
    /// against [default: none]
    #[arg(long, value_name = "FILE")]
    example: Option<PathBuf>,
    /// Events of --example
    #[arg(long, default_value_t = 16, value_name = "N", requires = "example")]
    events: u32,
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// ONNX, opset 17
    Onnx,
}

pub fn run(args: &Args, global: &Global) -> Result<()> {
    if args.events == 0 {
        return Err(Error::Config("--events must be at least 1".into()));
    }
    let gpu = global.gpu()?;
    if let Ok(path) = find(&args.weights) {
        not_an_input(&args.out, &[&path])?;
    }
    let (generator, _) = open(&gpu, &args.weights, args.preset, &args.without)?;
    let model = match args.format {
        Format::Onnx => generator.to_onnx()?,
    };
    if let Some(file) = &args.example {
        let events = args.events as usize;
        let mut source = Source::new(&args.wanted, &generator, events as u64)?;
        let labels = source.rows(&generator, 0, events)?;
        let example = generator.example(&labels, args.wanted.seed, 0)?;
        example.write(file)?;
        say(&format!(
            "{events} events with their inputs: {}",
            file.display()
        ));
    }
    write_atomically(&args.out, &model)?;
    print(&format!("{} bytes: {}", model.len(), args.out.display()))
}
