//! A scene as PNG, drawn at twice the resolution of the file and averaged, so that edges are smooth.

use super::font;
use super::scene::{Anchor, Point, Scene, Shape};
use crate::{Error, Result};
use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::style::{Color, RGBColor};
use std::path::Path;

/// Pixels of the file in a logical pixel.
const DENSITY: usize = 2;
/// Drawn pixels in a pixel of the file, along each axis.
const OVERSAMPLE: usize = 2;
const SCALE: f64 = (DENSITY * OVERSAMPLE) as f64;

pub(super) fn write(scene: &Scene, path: &Path) -> Result<()> {
    let failed = |e: String| Error::io(path, std::io::Error::other(e));
    let (width, height) = (
        scene.width.ceil() as usize * DENSITY,
        scene.height.ceil() as usize * DENSITY,
    );
    let (fine_width, fine_height) = (width * OVERSAMPLE, height * OVERSAMPLE);
    let mut fine = vec![255; 3 * fine_width * fine_height];
    let mut canvas = Canvas {
        size: (fine_width as f64, fine_height as f64),
        backend: BitMapBackend::with_buffer(&mut fine, (fine_width as u32, fine_height as u32)),
    };
    for shape in &scene.shapes {
        canvas.draw(shape).map_err(failed)?;
    }
    drop(canvas);
    let averaged = average(&fine, width, height);
    let size = (width as u32, height as u32);
    let mut file = BitMapBackend::new(path, size);
    file.blit_bitmap((0, 0), size, &averaged)
        .map_err(|e| failed(e.to_string()))?;
    file.present().map_err(|e| failed(e.to_string()))
}

fn average(fine: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * width * height);
    let count = (OVERSAMPLE * OVERSAMPLE) as u32;
    for (y, x, c) in
        (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c))))
    {
        let mut sum = count / 2;
        for (i, j) in (0..OVERSAMPLE).flat_map(|i| (0..OVERSAMPLE).map(move |j| (i, j))) {
            sum += u32::from(
                fine[3 * ((y * OVERSAMPLE + i) * width * OVERSAMPLE + x * OVERSAMPLE + j) + c],
            );
        }
        out.push((sum / count) as u8);
    }
    out
}

/// The backend's error as text: its type has no name outside it.
type Drawn = std::result::Result<(), String>;

struct Canvas<'a> {
    size: (f64, f64),
    backend: BitMapBackend<'a>,
}

impl Canvas<'_> {
    fn draw(&mut self, shape: &Shape) -> Drawn {
        match shape {
            Shape::Line {
                points,
                width,
                color,
            } => self.line(points, *width, *color),
            Shape::Rect { from, to, color } => self.rect(*from, *to, *color),
            Shape::Area {
                upper,
                lower,
                color,
            } => {
                for (up, low) in upper.windows(2).zip(lower.windows(2)) {
                    self.convex(&[up[0], up[1], low[1], low[0]], *color)?;
                }
                Ok(())
            }
            Shape::Polygon { points, color } => self.convex(points, *color),
            Shape::Disc {
                center,
                radius,
                color,
            } => self.disc(*center, *radius, *color),
            Shape::Text {
                at,
                text,
                size,
                anchor,
                turned,
                color,
            } => {
                let shift = match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => 0.5,
                    Anchor::End => 1.0,
                };
                let back = shift * font::width(text, *size);
                let start = if *turned {
                    (at.0, at.1 + back)
                } else {
                    (at.0 - back, at.1)
                };
                self.text(start, text, *size, *turned, *color)
            }
        }
    }

    fn place(&self, p: Point) -> Point {
        (
            (p.0 * SCALE).clamp(0.0, self.size.0),
            (p.1 * SCALE).clamp(0.0, self.size.1),
        )
    }

    fn rect(&mut self, from: Point, to: Point, color: RGBColor) -> Drawn {
        let (from, to) = (self.place(from), self.place(to));
        // The backend fills up to and without the lower right corner.
        let corner = |p: Point| (p.0.round() as i32, p.1.round() as i32);
        let (from, to) = (corner(from), corner(to));
        if from.0 >= to.0 || from.1 >= to.1 {
            return Ok(());
        }
        self.backend
            .draw_rect(from, to, &color.filled(), true)
            .map_err(|e| e.to_string())
    }

    /// Segments as rectangles, with discs at the joints of slanted ones.
    fn line(&mut self, points: &[Point], width: f64, color: RGBColor) -> Drawn {
        let half = 0.5 * width;
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            if length == 0.0 {
                continue;
            }
            if a.0 == b.0 || a.1 == b.1 {
                let (along_x, along_y) = if a.1 == b.1 && points.len() > 2 {
                    (half, half)
                } else {
                    (0.0, 0.0)
                };
                let (grow_x, grow_y) = if a.1 == b.1 {
                    (along_x, half)
                } else {
                    (half, along_y)
                };
                let from = (a.0.min(b.0) - grow_x, a.1.min(b.1) - grow_y);
                self.rect(from, (a.0.max(b.0) + grow_x, a.1.max(b.1) + grow_y), color)?;
                continue;
            }
            let (nx, ny) = (-half * (b.1 - a.1) / length, half * (b.0 - a.0) / length);
            let corners = [
                (a.0 + nx, a.1 + ny),
                (b.0 + nx, b.1 + ny),
                (b.0 - nx, b.1 - ny),
                (a.0 - nx, a.1 - ny),
            ];
            self.convex(&corners, color)?;
            self.disc(a, half, color)?;
            self.disc(b, half, color)?;
        }
        Ok(())
    }

    /// Row by row between the leftmost and the rightmost edge.
    fn convex(&mut self, points: &[Point], color: RGBColor) -> Drawn {
        let points: Vec<Point> = points.iter().map(|p| self.place(*p)).collect();
        let top = points
            .iter()
            .map(|p| p.1)
            .fold(f64::INFINITY, f64::min)
            .round();
        let bottom = points
            .iter()
            .map(|p| p.1)
            .fold(f64::NEG_INFINITY, f64::max)
            .round();
        for row in top as i32..bottom as i32 {
            let y = f64::from(row) + 0.5;
            let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
            for (k, a) in points.iter().enumerate() {
                let b = points[(k + 1) % points.len()];
                if (a.1 <= y) != (b.1 <= y) {
                    let x = a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1);
                    from = from.min(x);
                    to = to.max(x);
                }
            }
            let (from, to) = (from.round() as i32, to.round() as i32);
            if from < to {
                self.backend
                    .draw_rect((from, row), (to, row + 1), &color.filled(), true)
                    .map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }

    fn disc(&mut self, center: Point, radius: f64, color: RGBColor) -> Drawn {
        let corners: Vec<Point> = (0..16)
            .map(|k| f64::from(k) * std::f64::consts::TAU / 16.0)
            .map(|angle| {
                (
                    center.0 + radius * angle.cos(),
                    center.1 + radius * angle.sin(),
                )
            })
            .collect();
        self.convex(&corners, color)
    }

    fn text(
        &mut self,
        start: Point,
        text: &str,
        size: f64,
        turned: bool,
        color: RGBColor,
    ) -> Drawn {
        let origin = (
            (start.0 * SCALE).floor() as i32,
            (start.1 * SCALE).floor() as i32,
        );
        let mut done = Ok(());
        font::rasterize(text, size * SCALE, |u, v, share| {
            let at = if turned {
                (origin.0 + v, origin.1 - u - 1)
            } else {
                (origin.0 + u, origin.1 + v)
            };
            if done.is_ok() {
                let color = color.mix(share.min(1.0)).to_backend_color();
                done = self
                    .backend
                    .draw_pixel(at, color)
                    .map_err(|e| e.to_string());
            }
        });
        done
    }
}
