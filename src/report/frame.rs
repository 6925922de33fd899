//! A frame with axes: where values stand on the page, ticks, labels, and clipping.

use super::axis::{Ticks, View};
use super::font;
use super::scene::{Anchor, INK, Point, Scene};

pub(super) const TICK_TEXT: f64 = 16.0;
pub(super) const LABEL_TEXT: f64 = 18.0;
pub(super) const TITLE_TEXT: f64 = 19.0;

/// Room at the right of every frame: half a tick label.
pub(super) const RIGHT: f64 = 30.0;

#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub x: View,
    pub y: View,
}

impl Frame {
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub fn px(&self, x: f64) -> Option<f64> {
        self.x
            .at(x)
            .map(|t| self.left + t.clamp(-50.0, 50.0) * self.width)
    }

    /// What a logarithmic axis cannot show stands at its low end.
    pub fn py(&self, y: f64) -> Option<f64> {
        self.y
            .at_or_floor(y)
            .map(|t| self.bottom() - t.clamp(-50.0, 50.0) * self.height)
    }

    /// The place of (x, y); none where an axis cannot show it.
    pub fn point(&self, x: f64, y: f64) -> Option<Point> {
        self.y.at(y)?;
        Some((self.px(x)?, self.py(y)?))
    }

    pub fn inside(&self, (x, y): Point) -> bool {
        (self.left - 0.5..=self.right() + 0.5).contains(&x)
            && (self.top - 0.5..=self.bottom() + 0.5).contains(&y)
    }

    pub fn clamp(&self, (x, y): Point) -> Point {
        (
            x.clamp(self.left, self.right()),
            y.clamp(self.top, self.bottom()),
        )
    }

    /// The parts of a line that lie inside.
    pub fn clip(&self, line: &[Point]) -> Vec<Vec<Point>> {
        let mut parts: Vec<Vec<Point>> = Vec::new();
        for pair in line.windows(2) {
            let Some((a, b)) = self.clip_segment(pair[0], pair[1]) else {
                continue;
            };
            match parts.last_mut() {
                Some(part) if part.last() == Some(&a) => part.push(b),
                _ => parts.push(vec![a, b]),
            }
        }
        parts
    }

    fn clip_segment(&self, a: Point, b: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut from, mut to) = (0.0f64, 1.0f64);
        let sides = [
            (-dx, a.0 - self.left),
            (dx, self.right() - a.0),
            (-dy, a.1 - self.top),
            (dy, self.bottom() - a.1),
        ];
        for (step, room) in sides {
            if step == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if step < 0.0 {
                from = from.max(room / step);
            } else {
                to = to.min(room / step);
            }
        }
        let at = |t: f64| match t {
            0.0 => a,
            1.0 => b,
            _ => (a.0 + t * dx, a.1 + t * dy),
        };
        (from <= to).then(|| (at(from), at(to)))
    }

    /// About one label in 75 pixels across, one in 55 up, but never too few to read a value.
    pub fn x_ticks(&self) -> Ticks {
        self.x.ticks((self.width / 75.0) as usize)
    }

    pub fn y_ticks(&self) -> Ticks {
        self.y.ticks(((self.height / 55.0) as usize).max(4))
    }

    /// The frame with ticks on its four sides; labels below only if `x_label` is given.
    pub fn axes(&self, scene: &mut Scene, x_label: Option<&str>, y_label: &str) {
        let (x, y) = (self.x_ticks(), self.y_ticks());
        let lengths = x
            .minor
            .iter()
            .map(|t| (*t, 4.0))
            .chain(x.major.iter().map(|(t, _)| (*t, 8.0)));
        for (t, length) in lengths {
            let at = self.left + t * self.width;
            scene.line(
                vec![(at, self.bottom()), (at, self.bottom() - length)],
                1.2,
                INK,
            );
            scene.line(vec![(at, self.top), (at, self.top + length)], 1.2, INK);
        }
        let lengths = y
            .minor
            .iter()
            .map(|t| (*t, 4.0))
            .chain(y.major.iter().map(|(t, _)| (*t, 8.0)));
        for (t, length) in lengths {
            let at = self.bottom() - t * self.height;
            scene.line(vec![(self.left, at), (self.left + length, at)], 1.2, INK);
            scene.line(
                vec![(self.right(), at), (self.right() - length, at)],
                1.2,
                INK,
            );
        }
        scene.outline(
            (self.left, self.top),
            (self.right(), self.bottom()),
            1.5,
            INK,
        );
        self.y_labels(scene, &y, y_label);
        if let Some(label) = x_label {
            self.x_labels(scene, &x, label);
        }
    }

    fn x_labels(&self, scene: &mut Scene, ticks: &Ticks, label: &str) {
        let mut free = f64::NEG_INFINITY;
        let mut major: Vec<_> = ticks.major.iter().collect();
        major.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (t, text) in major {
            let (at, half) = (
                self.left + t * self.width,
                0.5 * font::width(text, TICK_TEXT),
            );
            if at - half > free {
                scene.text(
                    (at, self.bottom() + 21.0),
                    text,
                    TICK_TEXT,
                    Anchor::Middle,
                    INK,
                );
                free = at + half + 6.0;
            }
        }
        let baseline = self.bottom() + 46.0;
        let mut end = self.right();
        if let Some(multiplier) = &ticks.multiplier {
            scene.text((end, baseline), multiplier, TICK_TEXT, Anchor::End, INK);
            end -= font::width(multiplier, TICK_TEXT) + 14.0;
        }
        let (label, size) = font::fit(label, LABEL_TEXT, end - self.left + 60.0);
        scene.text((end, baseline), &label, size, Anchor::End, INK);
    }

    fn y_labels(&self, scene: &mut Scene, ticks: &Ticks, label: &str) {
        let mut free = f64::INFINITY;
        let mut major: Vec<_> = ticks.major.iter().collect();
        major.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (t, text) in major {
            let at = self.bottom() - t * self.height;
            if at + 0.5 * TICK_TEXT < free {
                scene.text(
                    (self.left - 7.0, at + 0.36 * TICK_TEXT),
                    text,
                    TICK_TEXT,
                    Anchor::End,
                    INK,
                );
                free = at - 0.5 * TICK_TEXT;
            }
        }
        if let Some(multiplier) = &ticks.multiplier {
            scene.text(
                (self.left, self.top - 7.0),
                multiplier,
                TICK_TEXT,
                Anchor::Start,
                INK,
            );
        }
        let (label, size) = font::fit(label, LABEL_TEXT, self.height + 6.0);
        scene.turned_text((LABEL_TEXT + 4.0, self.top), &label, size, Anchor::End, INK);
    }
}

/// Room at the left for the labels of `ticks` and a turned label.
pub(super) fn left_room(ticks: &Ticks) -> f64 {
    let widest = ticks
        .major
        .iter()
        .map(|(_, text)| font::width(text, TICK_TEXT))
        .fold(0.0, f64::max);
    (widest + 42.0).max(80.0)
}
