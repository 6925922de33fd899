//! `calogen models`: the models, and their networks layer by layer.

use calogen::Result;
use calogen::models::{self, Preset};
use calogen::nn::{Layer, Network};

use super::Global;
use super::output::{print, print_json};

/// List the models, or show one's networks layer by layer
#[derive(clap::Args)]
pub struct Args {
    /// Name of a model
    model: Option<String>,
    /// Sizes: paper (as published) or small
    #[arg(long, default_value_t = Preset::Paper, value_name = "paper|small")]
    preset: Preset,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, _: &Global) -> Result<()> {
    let Some(name) = &args.model else {
        if args.json {
            let names: Vec<_> = models::ENTRIES.iter().map(|e| e.name).collect();
            return print_json(&serde_json::json!({ "models": names }));
        }
        let mut lines = Vec::new();
        for models::Entry { name, about, .. } in models::ENTRIES {
            let total = |p| -> Result<usize> {
                Ok(models::preset(name, p)?
                    .networks()?
                    .iter()
                    .map(Network::parameters)
                    .sum())
            };
            let (paper, small) = (total(Preset::Paper)?, total(Preset::Small)?);
            lines.push(format!(
                "{name:<18} {about}\n{:18} {paper} parameters as published, {small} small",
                ""
            ));
        }
        return print(&lines.join("\n"));
    };
    let system = models::preset(name, args.preset)?;
    let networks = system.networks()?;
    let total: usize = networks.iter().map(Network::parameters).sum();
    if args.json {
        let list: Vec<_> = networks
            .iter()
            .map(|n| serde_json::json!({ "name": n.name, "parameters": n.parameters(), "layers": n.layers }))
            .collect();
        return print_json(&serde_json::json!({
            "model": name, "preset": args.preset.name(), "networks": list, "parameters": total,
            "config": system.config(),
        }));
    }
    let mut text = String::new();
    for network in &networks {
        text += &format!("{} ({} parameters)\n", network.name, network.parameters());
        let shape = |layer: &Layer| {
            let extents = layer.output.iter().map(usize::to_string);
            extents.collect::<Vec<_>>().join(" x ")
        };
        let widest =
            |of: &dyn Fn(&Layer) -> usize| network.layers.iter().map(of).max().unwrap_or(0);
        let (names, kinds) = (widest(&|l| l.name.len()), widest(&|l| l.kind.len()));
        let shapes = widest(&|l| shape(l).len());
        for layer in &network.layers {
            text += &format!(
                "  {:<names$}  {:<kinds$}  {:>shapes$}{:>11}\n",
                layer.name,
                layer.kind,
                shape(layer),
                layer.parameters
            );
        }
    }
    print(&format!("{text}{total} parameters in all"))
}
