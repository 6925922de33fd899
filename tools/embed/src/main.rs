//! Mean visible energy of 100 electrons of 50 GeV: `embed WEIGHTS`.

use calogen::{generate::Generator, gpu::Gpu};

fn main() -> calogen::Result<()> {
    let weights = std::env::args_os()
        .nth(1)
        .unwrap_or("weights.safetensors".into());
    let mut generator = Generator::load(&Gpu::open(None)?, weights)?;
    let labels = generator.labels(&[50.0; 100], 1, 0)?; // GeV, seed, first event
    let showers = generator.generate(&labels, 1, 0)?; // [100, Z, X, Y]
    let mean = showers.iter().sum::<f32>() / 100.0;
    println!(
        "100 showers of 50 GeV: {mean:.1} {} on average",
        generator.metadata().unit
    );
    Ok(())
}
