//! The bundled font and the measure of text in it.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

const BYTES: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");

/// The families that a reader of the SVG may have, those of the same width first.
pub(super) const FAMILIES: &str = "DejaVu Sans, Verdana, Helvetica Neue, Arial, sans-serif";

fn face() -> Option<FontRef<'static>> {
    FontRef::try_from_slice(BYTES).ok()
}

fn scale(face: &FontRef, size: f64) -> PxScale {
    PxScale::from(
        (size * f64::from(face.height_unscaled() / face.units_per_em().unwrap_or(2048.0))) as f32,
    )
}

/// Length of `text` at `size` pixels an em.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let Some(face) = face() else {
        return 0.6 * size * text.chars().count() as f64;
    };
    let scaled = face.as_scaled(scale(&face, size));
    let mut previous = None;
    let mut length = 0.0;
    for id in text.chars().map(|c| face.glyph_id(c)) {
        length += previous.map_or(0.0, |p| scaled.kern(p, id)) + scaled.h_advance(id);
        previous = Some(id);
    }
    f64::from(length)
}

/// Calls `paint` with every covered pixel (x, y from the start of the baseline) and its share covered.
pub(super) fn rasterize(text: &str, size: f64, mut paint: impl FnMut(i32, i32, f64)) {
    let Some(face) = face() else { return };
    let scale = scale(&face, size);
    let scaled = face.as_scaled(scale);
    let mut previous = None;
    let mut pen = 0.0;
    for id in text.chars().map(|c| face.glyph_id(c)) {
        pen += previous.map_or(0.0, |p| scaled.kern(p, id));
        previous = Some(id);
        if let Some(outline) =
            face.outline_glyph(id.with_scale_and_position(scale, point(pen, 0.0)))
        {
            let origin = outline.px_bounds().min;
            outline.draw(|x, y, share| {
                paint(
                    origin.x as i32 + x as i32,
                    origin.y as i32 + y as i32,
                    f64::from(share),
                );
            });
        }
        pen += scaled.h_advance(id);
    }
}

/// `text` and a size not above `size`, shrunk and then shortened until it fits into `room`.
pub(super) fn fit(text: &str, size: f64, room: f64) -> (String, f64) {
    let length = width(text, size);
    if length <= room {
        return (text.to_owned(), size);
    }
    let size = size * (room / length).max(0.75);
    let mut kept: Vec<char> = text.chars().collect();
    while width(&kept.iter().collect::<String>(), size) > room && kept.len() > 2 {
        kept.truncate(kept.len() - 2);
        kept.push('…');
    }
    (kept.into_iter().collect(), size)
}
