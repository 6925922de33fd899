//! The legend: in the corner that covers least; where all cover something, the frame gets headroom.

use super::draw;
use super::figure::{Mark, Role, Series};
use super::font;
use super::frame::Frame;
use super::scene::{Anchor, INK, Point, Scene, Shape};

const TEXT: f64 = 16.0;
const ROW: f64 = 24.0;
const SAMPLE: f64 = 34.0;
const MARGIN: f64 = 14.0;

#[derive(Debug, Default)]
pub(super) struct Legend {
    at: Point,
    width: f64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    label: String,
    role: Role,
    kind: Kind,
    bar: bool,
    marked: bool,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Filled,
    Outline,
    Line,
    Points,
    Band,
}

/// The legend of `series`, placed; raises the top of a frame whose range is free until it covers nothing.
pub(super) fn place(frame: &mut Frame, series: &[Series]) -> Legend {
    let room = 0.62 * frame.width - SAMPLE;
    let entries: Vec<Entry> = series
        .iter()
        .filter(|s| !s.label.is_empty())
        .map(|s| Entry {
            label: font::fit(&s.label, TEXT, room).0,
            role: s.role,
            kind: match s.mark {
                Mark::Steps { .. } if s.role == Role::Reference => Kind::Filled,
                Mark::Steps { .. } => Kind::Outline,
                Mark::Line => Kind::Line,
                Mark::Points => Kind::Points,
                Mark::Band => Kind::Band,
            },
            bar: s.error.is_some(),
            marked: s.is_marked(),
        })
        .collect();
    let widest = entries
        .iter()
        .map(|e| font::width(&e.label, TEXT))
        .fold(0.0, f64::max);
    let mut legend = Legend {
        at: (0.0, 0.0),
        width: SAMPLE + 10.0 + widest,
        entries,
    };
    if legend.entries.is_empty() {
        return legend;
    }
    let covered = legend.settle(frame, series);
    let height = legend.height() + 1.5 * MARGIN;
    if covered > 0 && frame.y.auto && height < 0.6 * frame.height {
        let length = frame.y.high - frame.y.low;
        frame.y.high = frame.y.low + length * frame.height / (frame.height - height);
        legend.settle(frame, series);
    }
    legend
}

impl Legend {
    fn height(&self) -> f64 {
        ROW * self.entries.len() as f64
    }

    /// Moves to the best of six places; how much it covers there.
    fn settle(&mut self, frame: &Frame, series: &[Series]) -> usize {
        let marks: Vec<Point> = series.iter().flat_map(|s| footprint(frame, s)).collect();
        let left = frame.left + MARGIN;
        let right = frame.right() - MARGIN - self.width;
        let (top, bottom) = (frame.top + MARGIN, frame.bottom() - MARGIN - self.height());
        let middle = 0.5 * (left + right);
        let places = [
            (right, top),
            (left, top),
            (middle, top),
            (right, bottom),
            (left, bottom),
            (middle, bottom),
        ];
        let covered = |(x, y): Point| {
            let near = |p: &&Point| {
                (x - 8.0..=x + self.width + 8.0).contains(&p.0)
                    && (y - 8.0..=y + self.height() + 8.0).contains(&p.1)
            };
            marks.iter().filter(near).count()
        };
        let best = places
            .into_iter()
            .map(|p| (covered(p), p))
            .min_by_key(|(count, _)| *count);
        let (count, at) = best.unwrap_or((0, places[0]));
        self.at = at;
        count
    }
}

/// Points no more than a few pixels apart on all that is drawn of a series.
fn footprint(frame: &Frame, series: &Series) -> Vec<Point> {
    let mut marks: Vec<Point> = series
        .points_of()
        .filter_map(|p| frame.point(p.1, p.2))
        .collect();
    let mut along = |a: Point, b: Point| {
        let count = ((b.0 - a.0).hypot(b.1 - a.1) / 6.0)
            .ceil()
            .clamp(1.0, 400.0) as usize;
        let share = |k: usize| k as f64 / count as f64;
        marks.extend(
            (0..=count).map(|k| (a.0 + share(k) * (b.0 - a.0), a.1 + share(k) * (b.1 - a.1))),
        );
    };
    for (x, high, low) in draw::spans(frame, series) {
        along((x, high), (x, low));
    }
    let filled = matches!(series.mark, Mark::Steps { .. }) && series.role == Role::Reference;
    for pair in draw::lines(frame, series)
        .iter()
        .flat_map(|line| line.windows(2))
    {
        along(pair[0], pair[1]);
        if filled {
            along(pair[0], (pair[0].0, frame.bottom()));
        }
    }
    marks
}

pub(super) fn draw(scene: &mut Scene, legend: &Legend) {
    for (k, entry) in legend.entries.iter().enumerate() {
        let (left, middle) = (legend.at.0, legend.at.1 + ROW * (k as f64 + 0.5));
        let (center, right) = (left + 0.5 * SAMPLE, left + SAMPLE);
        let color = draw::color(entry.role);
        match entry.kind {
            Kind::Filled | Kind::Band => {
                let (from, to) = ((left, middle - 7.0), (right, middle + 7.0));
                scene.shapes.push(Shape::Rect {
                    from,
                    to,
                    color: draw::fill(entry.role),
                });
                if entry.kind == Kind::Filled {
                    scene.outline(from, to, 1.8, color);
                }
            }
            Kind::Outline => {
                draw::stroke(
                    scene,
                    vec![(left, middle), (right, middle)],
                    2.4,
                    entry.role,
                );
            }
            Kind::Line => scene.line(vec![(left, middle), (right, middle)], 2.4, color),
            Kind::Points if entry.bar => {
                let bar = vec![(center, middle - 10.0), (center, middle + 10.0)];
                scene.line(bar, 1.8, color);
            }
            Kind::Points => {}
        }
        if entry.marked {
            draw::marker(scene, (center, middle), entry.role, 4.6);
        }
        scene.text(
            (right + 10.0, middle + 0.36 * TEXT),
            &entry.label,
            TEXT,
            Anchor::Start,
            INK,
        );
    }
}
