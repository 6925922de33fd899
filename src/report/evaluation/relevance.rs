//! Which cells a regressor's energies come from.

use super::Part;
use super::names::Names;
use super::text::short;
use crate::metrics::{Evaluation, RelevanceMap, RelevanceMaps};
use crate::report::{Axis, Figure, Heatmap, Plot, Role, Series, Tint};

/// Energies that are drawn at most.
const DRAWN: usize = 4;

/// The section.
pub fn part(all: &[Evaluation], names: &Names) -> Part {
    let mut plots = Vec::new();
    let maps: Vec<(&RelevanceMaps, &String)> = all
        .iter()
        .zip(&names.generated)
        .filter_map(|(e, name)| Some((e.relevance.as_ref()?, name)))
        .collect();
    if let Some((first, _)) = maps.first() {
        let count = first.energies.len().min(DRAWN);
        let drawn = (0..count).map(|i| match count {
            1 => 0,
            _ => i * (first.energies.len() - 1) / (count - 1),
        });
        for k in drawn {
            plots.extend(at_energy(&maps, k, names));
        }
    }
    Part {
        heading: "Relevance",
        text: "How much of a regressor's energy comes from each cell, by layer-wise relevance propagation (Bach et al. \
               2015) with the ε-rule: means over the showers of one incident energy, summed along the line of sight. \
               Blue cells take energy away. What the network's biases hold belongs to no cell, so the sum is not the \
               whole energy.",
        tables: Vec::new(),
        plots,
    }
}

/// Maps and layers at the energy of index `k`, where all samples have it.
fn at_energy(maps: &[(&RelevanceMaps, &String)], k: usize, names: &Names) -> Vec<(String, Plot)> {
    let Some((first, _)) = maps.first() else {
        return Vec::new();
    };
    let [nz, nx, ny] = first.shape;
    let energy = first.energies[k];
    let label = format!("{} GeV", short(energy));
    let generated = maps.iter().filter_map(|(m, name)| {
        let k = m.energies.iter().position(|&e| e == energy)?;
        Some((&m.generated[k], *name))
    });
    let samples: Vec<(&RelevanceMap, &String)> =
        std::iter::once((&first.reference[k], &names.reference))
            .chain(generated)
            .collect();
    let panels = |x_label: &str, width: usize, of: fn(&RelevanceMap) -> &Vec<f64>| {
        let size = |m: &RelevanceMap| of(m).iter().fold(0.0, |a: f64, v| a.max(v.abs()));
        let most = samples
            .iter()
            .map(|(m, _)| size(m))
            .fold(f64::MIN_POSITIVE, f64::max);
        let panel = |(map, name): &(&RelevanceMap, &String)| {
            let image = of(map);
            // Stored with y fastest; drawn with y upwards.
            let row = |y: usize| (0..width).map(|i| Some(image[i * ny + y])).collect();
            Heatmap {
                x_label: x_label.into(),
                tint: Tint::Diverging,
                range: Some((-most, most)),
                ..Heatmap::image(
                    (*name).clone(),
                    (0..ny).map(row).collect(),
                    "Relevance [GeV]",
                )
            }
        };
        samples.iter().map(panel).collect::<Vec<_>>()
    };
    let file = |what: &str| format!("relevance_{what}_{:.0}GeV", energy);
    let mut plots = vec![(
        file("front"),
        Plot::Heatmaps {
            title: format!("Relevance from the front, {label}"),
            panels: panels("x [cells]", nx, |m| &m.front),
        },
    )];
    if nz > 1 {
        plots.push((
            file("side"),
            Plot::Heatmaps {
                title: format!("Relevance from the side, {label}"),
                panels: panels("z [layers]", nz, |m| &m.side),
            },
        ));
        let axes = [Axis::linear("Layer"), Axis::linear("Relevance [GeV]")];
        let [across, up] = axes;
        let mut figure = Figure::new(format!("Relevance by layer, {label}"), across, up);
        let edges: Vec<f64> = (0..=nz).map(|z| z as f64 - 0.5).collect();
        for (i, (map, name)) in samples.iter().enumerate() {
            let role = if i == 0 {
                Role::Reference
            } else {
                Role::Generated(i - 1)
            };
            figure = figure.with(Series::steps(
                *name,
                role,
                edges.clone(),
                map.by_layer.clone(),
            ));
        }
        plots.push((file("layers"), figure.into()));
    }
    plots
}
