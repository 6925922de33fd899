//! The list of shapes between a plot's description and its files, in logical pixels from the top left.

use plotters::style::RGBColor;

pub(super) type Point = (f64, f64);

/// Text, frames and ticks.
pub(super) const INK: RGBColor = RGBColor(0x1b, 0x1f, 0x24);
/// Guide lines and remarks.
pub(super) const MUTED: RGBColor = RGBColor(0x8c, 0x93, 0x9c);
/// Behind everything.
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Line {
        points: Vec<Point>,
        width: f64,
        color: RGBColor,
    },
    Rect {
        from: Point,
        to: Point,
        color: RGBColor,
    },
    /// Between two lines that share their x.
    Area {
        upper: Vec<Point>,
        lower: Vec<Point>,
        color: RGBColor,
    },
    /// Convex.
    Polygon { points: Vec<Point>, color: RGBColor },
    Disc {
        center: Point,
        radius: f64,
        color: RGBColor,
    },
    /// `at` is on the baseline; `turned` reads upwards.
    Text {
        at: Point,
        text: String,
        size: f64,
        anchor: Anchor,
        turned: bool,
        color: RGBColor,
    },
}

#[derive(Debug)]
pub(super) struct Scene {
    pub width: f64,
    pub height: f64,
    /// What the picture shows, for those who cannot see it.
    pub title: String,
    pub shapes: Vec<Shape>,
}

impl Scene {
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        let mut scene = Self {
            width,
            height,
            title: title.to_owned(),
            shapes: Vec::new(),
        };
        scene.rect((0.0, 0.0), (width, height), PAPER);
        scene
    }

    pub fn line(&mut self, points: Vec<Point>, width: f64, color: RGBColor) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line {
                points,
                width,
                color,
            });
        }
    }

    pub fn rect(&mut self, from: Point, to: Point, color: RGBColor) {
        self.shapes.push(Shape::Rect { from, to, color });
    }

    pub fn outline(&mut self, from: Point, to: Point, width: f64, color: RGBColor) {
        self.line(
            vec![from, (to.0, from.1), to, (from.0, to.1), from],
            width,
            color,
        );
    }

    pub fn text(&mut self, at: Point, text: &str, size: f64, anchor: Anchor, color: RGBColor) {
        self.push_text(at, text, size, anchor, false, color);
    }

    pub fn turned_text(
        &mut self,
        at: Point,
        text: &str,
        size: f64,
        anchor: Anchor,
        color: RGBColor,
    ) {
        self.push_text(at, text, size, anchor, true, color);
    }

    fn push_text(
        &mut self,
        at: Point,
        text: &str,
        size: f64,
        anchor: Anchor,
        turned: bool,
        color: RGBColor,
    ) {
        if !text.is_empty() {
            // A control character has no glyph, and some are not allowed in XML.
            let text = text
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            self.shapes.push(Shape::Text {
                at,
                text,
                size,
                anchor,
                turned,
                color,
            });
        }
    }
}

/// `color` with a share of white: `strength` 1 is the colour itself.
pub(super) fn pale(color: RGBColor, strength: f64) -> RGBColor {
    mix(PAPER, color, strength)
}

/// From `a` at 0 to `b` at 1.
pub(super) fn mix(a: RGBColor, b: RGBColor, t: f64) -> RGBColor {
    let channel = |a: u8, b: u8| {
        (f64::from(a) + (f64::from(b) - f64::from(a)) * t.clamp(0.0, 1.0)).round() as u8
    };
    RGBColor(channel(a.0, b.0), channel(a.1, b.1), channel(a.2, b.2))
}
