//! The description of a figure: axes, series and an optional ratio panel.

use super::Axis;

/// Curves over common axes, with a ratio panel below on request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figure {
    /// Stands above the frame.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn. The reference, where there is one, is the first.
    pub series: Vec<Series>,
    /// A panel below: every further series divided by the first.
    pub ratio: Option<Ratio>,
    /// Parts of the horizontal axis that are shaded.
    pub regions: Vec<Region>,
}

/// A shaded part of the horizontal axis and a line in it; the label of the axis says what it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Region {
    /// Where it begins.
    pub from: f64,
    /// The line.
    pub at: f64,
    /// Where it ends.
    pub to: f64,
}

impl Figure {
    /// A figure without series.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            series: Vec::new(),
            ratio: None,
            regions: Vec::new(),
        }
    }

    /// The figure with one more series.
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// The figure with a ratio panel named `label`.
    pub fn with_ratio(mut self, label: impl Into<String>) -> Self {
        self.ratio = Some(Ratio {
            label: label.into(),
            range: None,
        });
        self
    }
}

/// The ratio panel: y of series i over y of series 0, point by point.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ratio {
    /// Name of its vertical axis, such as `gen. / ref.`.
    pub label: String,
    /// Its range; chosen about 1 where absent. Points outside are marked at the edge.
    pub range: Option<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// The outline of a histogram: bin k of `y` spans `edges[k]` to `edges[k + 1]`. The reference is filled.
    Steps {
        /// One more than there are bins, ascending.
        edges: Vec<f64>,
    },
    /// A line through the points, broken where one cannot be drawn.
    Line,
    /// Markers, with vertical bars where the series has errors.
    Points,
    /// The area y ± error.
    Band,
}

/// Whose data a series is; decides its colour and marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What is compared with: dark grey, filled lightly.
    Reference,
    /// A sample or quantity of its own: colour and marker of this number.
    Generated(usize),
}

/// One set of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The name in the legend; an empty one stays out of it.
    pub label: String,
    /// Whose data it is.
    pub role: Role,
    /// How it is drawn.
    pub mark: Mark,
    /// Positions; not used by [`Mark::Steps`], whose bins stand at their centres.
    pub x: Vec<f64>,
    /// Values.
    pub y: Vec<f64>,
    /// One standard deviation of each value.
    pub error: Option<Vec<f64>>,
}

impl Series {
    /// A histogram: `y` one shorter than `edges`.
    pub fn steps(label: impl Into<String>, role: Role, edges: Vec<f64>, y: Vec<f64>) -> Self {
        Self {
            label: label.into(),
            role,
            mark: Mark::Steps { edges },
            x: Vec::new(),
            y,
            error: None,
        }
    }

    /// A line through (x, y).
    pub fn line(label: impl Into<String>, role: Role, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self {
            label: label.into(),
            role,
            mark: Mark::Line,
            x,
            y,
            error: None,
        }
    }

    /// Markers at (x, y).
    pub fn points(label: impl Into<String>, role: Role, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self {
            label: label.into(),
            role,
            mark: Mark::Points,
            x,
            y,
            error: None,
        }
    }

    /// The area y ± error over x.
    pub fn band(
        label: impl Into<String>,
        role: Role,
        x: Vec<f64>,
        y: Vec<f64>,
        error: Vec<f64>,
    ) -> Self {
        Self {
            label: label.into(),
            role,
            mark: Mark::Band,
            x,
            y,
            error: Some(error),
        }
    }

    /// The series with one standard deviation for each value.
    pub fn with_error(mut self, error: Vec<f64>) -> Self {
        self.error = Some(error);
        self
    }

    /// Whether its points have markers: those of a line so that its colour is not all, while they are few.
    pub(super) fn is_marked(&self) -> bool {
        const FEW: usize = 40;
        let few = self.points_of().take(FEW + 1).count() <= FEW;
        self.mark == Mark::Points || (self.mark == Mark::Line && few)
    }

    /// Finite points as (index, x, y, error); bins stand at their centres.
    pub(super) fn points_of(&self) -> impl Iterator<Item = (usize, f64, f64, f64)> + '_ {
        self.y.iter().enumerate().filter_map(|(i, &y)| {
            let x = match &self.mark {
                Mark::Steps { edges } => 0.5 * (edges.get(i)? + edges.get(i + 1)?),
                _ => *self.x.get(i)?,
            };
            let error = self
                .error
                .as_ref()
                .and_then(|e| e.get(i))
                .copied()
                .filter(|e| e.is_finite() && *e >= 0.0);
            (x.is_finite() && y.is_finite()).then_some((i, x, y, error.unwrap_or(0.0)))
        })
    }

    /// Every x that the axis should hold.
    pub(super) fn extent(&self) -> Vec<f64> {
        match &self.mark {
            Mark::Steps { edges } => edges[..edges.len().min(self.y.len() + 1)].to_vec(),
            _ => self.points_of().map(|p| p.1).collect(),
        }
    }
}
