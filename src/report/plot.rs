//! One plot: description in, PNG or SVG out.

use super::{Figure, Heatmap, bitmap, cells, draw, output, scene, svg};
use crate::Result;
use std::path::Path;

/// Something to draw.
#[derive(Debug, Clone, PartialEq)]
pub enum Plot {
    /// Curves over common axes.
    Figure(Figure),
    /// One heatmap.
    Heatmap(Heatmap),
    /// Heatmaps side by side. Neighbours of equal tint, range and bar label share scale and colour bar.
    Heatmaps {
        /// Stands above all of them; may be empty.
        title: String,
        /// From left to right.
        panels: Vec<Heatmap>,
    },
}

impl From<Figure> for Plot {
    fn from(figure: Figure) -> Self {
        Self::Figure(figure)
    }
}

impl From<Heatmap> for Plot {
    fn from(heatmap: Heatmap) -> Self {
        Self::Heatmap(heatmap)
    }
}

impl Plot {
    /// Writes the plot as PNG, two pixels a logical one; beside `path` first, then renamed.
    pub fn png(&self, path: &Path) -> Result<()> {
        let scene = self.scene();
        output::replace(path, |temporary| bitmap::write(&scene, temporary))
    }

    /// The plot as an `<svg>` element, complete in itself.
    pub fn svg(&self) -> Result<String> {
        svg::write(&self.scene())
    }

    /// The width on a page of what deserves a row of its own, in pixels: at it, the text is as large as in the others.
    pub(super) fn wide(&self) -> Option<f64> {
        match self {
            Self::Heatmaps { panels, .. } if panels.len() > 1 => Some(0.75 * self.scene().width),
            _ => None,
        }
    }

    fn scene(&self) -> scene::Scene {
        match self {
            Self::Figure(figure) => draw::scene(figure),
            Self::Heatmap(heatmap) => {
                let mut scene = cells::scene("", std::slice::from_ref(heatmap));
                scene.title.clone_from(&heatmap.title);
                scene
            }
            Self::Heatmaps { title, panels } => cells::scene(title, panels),
        }
    }
}
