//! A scene as SVG: text stays text, in the reader's font.

use super::scene::{Anchor, Point, Scene, Shape};
use super::{font, page};
use crate::{Error, Result};
use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle};

/// The backend knows whole units only: ten to a logical pixel.
const SCALE: f64 = 10.0;

/// The font size that the backend divides by this is the size of the em.
const EM: f64 = 1.24;

pub(super) fn write(scene: &Scene) -> Result<String> {
    let size = (units(scene.width) as u32, units(scene.height) as u32);
    let mut buffer = String::new();
    let mut backend = SVGBackend::with_string(&mut buffer, size);
    for shape in &scene.shapes {
        draw(&mut backend, shape)
            .map_err(|e| Error::Config(format!("SVG of \"{}\": {e}", scene.title)))?;
    }
    backend
        .present()
        .map_err(|e| Error::Config(format!("SVG of \"{}\": {e}", scene.title)))?;
    drop(backend);
    Ok(finish(scene, size, &buffer))
}

/// Puts the head of our own in place of the backend's, and drops what says nothing.
fn finish(scene: &Scene, size: (u32, u32), buffer: &str) -> String {
    let body = buffer.find('>').map_or(buffer, |end| &buffer[end + 1..]);
    // Text is escaped, so a quote is always one of an attribute; the baseline is where we put it.
    let body = body
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" dy=\"-0.5ex\"", "")
        .replace("\">\n", "\">")
        .replace("\n</text>", "</text>");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0}\" height=\"{:.0}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-label=\"{}\" stroke-linejoin=\"round\" stroke-linecap=\"round\">{body}",
        scene.width,
        scene.height,
        size.0,
        size.1,
        page::escape(&scene.title),
    )
}

fn units(v: f64) -> i32 {
    (v * SCALE).round() as i32
}

fn point(p: &Point) -> (i32, i32) {
    (units(p.0), units(p.1))
}

fn stroke(color: RGBColor, width: f64) -> ShapeStyle {
    ShapeStyle::from(color).stroke_width(units(width) as u32)
}

/// The backend's error as text: its type has no name outside it.
fn draw(backend: &mut SVGBackend, shape: &Shape) -> std::result::Result<(), String> {
    let done = match shape {
        Shape::Line {
            points,
            width,
            color,
        } => backend.draw_path(points.iter().map(point), &stroke(*color, *width)),
        Shape::Rect { from, to, color } => {
            backend.draw_rect(point(from), point(to), &color.filled(), true)
        }
        Shape::Area {
            upper,
            lower,
            color,
        } if upper.len() > 1 => backend.fill_polygon(
            upper.iter().chain(lower.iter().rev()).map(point),
            &color.filled(),
        ),
        Shape::Area { .. } => Ok(()),
        Shape::Polygon { points, color } => {
            backend.fill_polygon(points.iter().map(point), &color.filled())
        }
        Shape::Disc {
            center,
            radius,
            color,
        } => backend.draw_circle(point(center), units(*radius) as u32, &color.filled(), true),
        Shape::Text {
            at,
            text,
            size,
            anchor,
            turned,
            color,
        } => {
            let side = match anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let mut font = (font::FAMILIES, size * SCALE * EM).into_font();
            if *turned {
                font = font.transform(FontTransform::Rotate270);
            }
            let style = TextStyle::from(font)
                .color(color)
                .pos(Pos::new(side, VPos::Bottom));
            backend.draw_text(text, &style, point(at))
        }
    };
    done.map_err(|e| e.to_string())
}
