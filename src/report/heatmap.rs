//! The description of a colour-coded table: a correlation matrix with names, a mean shower image with indices.

/// Values in cells of colour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heatmap {
    /// Stands above the cells.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Name of the vertical axis.
    pub y_label: String,
    /// Names of the columns; indices from 0 where empty.
    pub columns: Vec<String>,
    /// Names of the rows; indices from 0 where empty. Named rows run downwards, indices upwards.
    pub rows: Vec<String>,
    /// Row by row. What is absent, not finite, or not positive under [`Tint::Log`] is left grey.
    pub values: Vec<Vec<Option<f64>>>,
    /// From values to colours.
    pub tint: Tint,
    /// The values at the ends of the colour bar; chosen from the data where absent.
    pub range: Option<(f64, f64)>,
    /// The quantity of the colour bar with its unit.
    pub bar_label: String,
    /// Prints the values with two decimals in their cells.
    pub printed: bool,
    /// Leaves out what is right of the diagonal.
    pub lower_triangle: bool,
    /// Drawn small, as one of many in a row.
    pub small: bool,
}

/// A colour map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tint {
    /// Blue, white, red about 0.
    Diverging,
    /// Dark to light.
    #[default]
    Sequential,
    /// Dark to light by logarithm.
    Log,
}

impl Heatmap {
    /// A correlation matrix in −1 to 1: named, printed, without the half that repeats.
    pub fn correlation(
        title: impl Into<String>,
        names: &[String],
        values: Vec<Vec<Option<f64>>>,
    ) -> Self {
        Self {
            title: title.into(),
            columns: names.to_vec(),
            rows: names.to_vec(),
            values,
            tint: Tint::Diverging,
            range: Some((-1.0, 1.0)),
            bar_label: "Correlation".into(),
            printed: true,
            lower_triangle: true,
            ..Self::default()
        }
    }

    /// A mean shower image on a logarithmic scale; `values[y][x]`.
    pub fn image(
        title: impl Into<String>,
        values: Vec<Vec<Option<f64>>>,
        bar_label: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            x_label: "x [cells]".into(),
            y_label: "y [cells]".into(),
            values,
            tint: Tint::Log,
            bar_label: bar_label.into(),
            ..Self::default()
        }
    }

    pub(super) fn extent(&self) -> (usize, usize) {
        let columns = self.values.iter().map(Vec::len).max().unwrap_or(0);
        (
            columns.max(self.columns.len()).max(1),
            self.values.len().max(self.rows.len()).max(1),
        )
    }

    /// Panels side by side share a scale where this is equal.
    pub(super) fn key(&self) -> (Tint, Option<(f64, f64)>, &str) {
        (self.tint, self.range, &self.bar_label)
    }

    pub(super) fn cell_size(&self) -> f64 {
        let (columns, rows) = self.extent();
        let named = !(self.columns.is_empty() && self.rows.is_empty());
        let (least, most, whole) = if named {
            (22.0, 46.0, 560.0)
        } else if self.small {
            (1.0, 46.0, 150.0)
        } else {
            (1.0, 46.0, 390.0)
        };
        (whole / columns.max(rows) as f64).clamp(least, most)
    }
}
