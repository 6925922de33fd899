//! From heatmaps side by side to their scene.

use super::axis::{Axis, Scale, View, number};
use super::font;
use super::frame::{LABEL_TEXT, TICK_TEXT, TITLE_TEXT};
use super::heatmap::{Heatmap, Tint};
use super::scene::{Anchor, INK, MUTED, Scene, mix};
use plotters::style::RGBColor;

const VIRIDIS: [u32; 9] = [
    0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962, 0xaddc30, 0xfde725,
];
const BLUE_RED: [u32; 9] = [
    0x2166ac, 0x4393c3, 0x92c5de, 0xd1e5f0, 0xf7f7f7, 0xfddbc7, 0xf4a582, 0xd6604d, 0xb2182b,
];

/// Cells without a value.
pub(super) const MISSING: RGBColor = RGBColor(0xeb, 0xec, 0xee);
const CELL_DARK: RGBColor = RGBColor(0x11, 0x11, 0x11);
const CELL_LIGHT: RGBColor = RGBColor(0xfe, 0xfe, 0xfe);

const TOP: f64 = 50.0;
const GAP: f64 = 30.0;
const BAR_WIDTH: f64 = 18.0;

fn color(tint: Tint, t: f64) -> RGBColor {
    let anchors = if tint == Tint::Diverging {
        BLUE_RED
    } else {
        VIRIDIS
    };
    let place = t.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
    let k = (place as usize).min(anchors.len() - 2);
    let rgb = |c: u32| RGBColor((c >> 16) as u8, (c >> 8) as u8, c as u8);
    mix(rgb(anchors[k]), rgb(anchors[k + 1]), place - k as f64)
}

fn luminance(c: RGBColor) -> f64 {
    (0.299 * f64::from(c.0) + 0.587 * f64::from(c.1) + 0.114 * f64::from(c.2)) / 255.0
}

/// The common scale of panels of equal key.
fn view(panels: &[Heatmap]) -> View {
    let Some(first) = panels.first() else {
        return View::fit(&Axis::default(), [], (0.0, 0.0));
    };
    let mut values: Vec<f64> = panels
        .iter()
        .flat_map(|p| p.values.iter().flatten().flatten().copied())
        .collect();
    if first.tint == Tint::Diverging {
        let largest = values
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .fold(0.0, |a: f64, v| a.max(v.abs()));
        values = vec![-largest, largest];
    }
    if first.tint == Tint::Log {
        let largest = values
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max);
        values.retain(|v| *v >= 1e-8 * largest);
    }
    let scale = if first.tint == Tint::Log {
        Scale::Log
    } else {
        Scale::Linear
    };
    View::fit(
        &Axis {
            label: String::new(),
            scale,
            range: first.range,
        },
        values,
        (0.0, 0.0),
    )
}

pub(super) fn scene(title: &str, panels: &[Heatmap]) -> Scene {
    let longest = |names: &[String]| {
        names
            .iter()
            .map(|n| font::width(n, TICK_TEXT))
            .fold(0.0, f64::max)
    };
    let label = |text: &str| if text.is_empty() { 0.0 } else { 26.0 };
    let height = panels
        .iter()
        .map(|p| p.extent().1 as f64 * p.cell_size())
        .fold(60.0, f64::max);
    let below = panels
        .iter()
        .map(|p| longest(&p.columns).max(18.0) + 16.0 + label(&p.x_label))
        .fold(30.0, f64::max);
    let top = TOP + if title.is_empty() { 0.0 } else { 30.0 };
    let mut scene = Scene::new(0.0, top + height + below, title);
    scene.shapes.clear();
    let mut left = 14.0;
    let mut start = 0;
    while start < panels.len() {
        let same = panels[start..]
            .iter()
            .take_while(|p| p.key() == panels[start].key())
            .count();
        let group = &panels[start..start + same];
        let view = view(group);
        for (k, panel) in group.iter().enumerate() {
            // Names and indices that repeat those at the left are left out.
            let repeats = start + k > 0
                && panels[start + k - 1].rows == panel.rows
                && panels[start + k - 1].extent().1 == panel.extent().1;
            let names = if repeats {
                0.0
            } else {
                longest(&panel.rows).max(26.0) + 12.0 + label(&panel.y_label)
            };
            left += names;
            draw_panel(&mut scene, panel, &view, (left, top), !repeats);
            left += panel.extent().0 as f64 * panel.cell_size() + GAP;
        }
        left += draw_bar(&mut scene, &group[0], &view, (left - 0.45 * GAP, top)) + GAP;
        start += same;
    }
    scene.width = (left - 0.5 * GAP).max(120.0);
    let (title, size) = font::fit(title, TITLE_TEXT, scene.width - 28.0);
    scene.text((14.0, 30.0), &title, size, Anchor::Start, INK);
    let mut framed = Scene::new(scene.width, scene.height, &scene.title);
    framed.shapes.append(&mut scene.shapes);
    framed
}

fn draw_panel(
    scene: &mut Scene,
    panel: &Heatmap,
    view: &View,
    (left, top): (f64, f64),
    row_names: bool,
) {
    let (columns, rows) = panel.extent();
    let size = panel.cell_size();
    let upwards = panel.rows.is_empty();
    let line_of = |row: usize| if upwards { rows - 1 - row } else { row };
    for line in 0..rows {
        let row = line_of(line);
        for column in 0..columns {
            if panel.lower_triangle && column > row {
                continue;
            }
            let value = panel
                .values
                .get(row)
                .and_then(|r| r.get(column))
                .copied()
                .flatten();
            let value = value
                .filter(|v| v.is_finite())
                .and_then(|v| Some((v, view.at(v)?)));
            let fill = value.map_or(MISSING, |(_, t)| color(panel.tint, t));
            let from = (left + column as f64 * size, top + line as f64 * size);
            // A little overlap hides the seam to the next cell.
            let end = if panel.lower_triangle {
                row + 1
            } else {
                columns
            };
            let over = |more: bool| size + if more { 0.5 } else { 0.0 };
            scene.rect(
                from,
                (
                    from.0 + over(column + 1 < end),
                    from.1 + over(line + 1 < rows),
                ),
                fill,
            );
            if panel.printed && size >= 16.0 {
                let ink = match value {
                    None => MUTED,
                    Some(_) if luminance(fill) > 0.55 => CELL_DARK,
                    Some(_) => CELL_LIGHT,
                };
                let text = value.map_or("–".into(), |(v, _)| number(v, 2));
                let (text, points) = font::fit(&text, (0.31 * size).min(14.0), size - 3.0);
                let at = (from.0 + 0.5 * size, from.1 + 0.5 * size + 0.36 * points);
                scene.text(at, &text, points, Anchor::Middle, ink);
            }
        }
    }
    let (right, bottom) = (left + columns as f64 * size, top + rows as f64 * size);
    scene.outline((left, top), (right, bottom), 1.4, INK);
    let (title, points) = font::fit(&panel.title, LABEL_TEXT, right - left + 0.5 * GAP);
    scene.text((left, top - 12.0), &title, points, Anchor::Start, INK);
    let indices = |n: usize| {
        let range = Axis::linear("").with_range(-0.5, n as f64 - 0.5);
        let ticks = View::fit(&range, [], (0.0, 0.0)).ticks(5.min(n)).major;
        ticks.into_iter().filter(|(_, text)| !text.contains('.'))
    };
    if panel.columns.is_empty() {
        for (t, text) in indices(columns) {
            let x = left + t * (right - left);
            scene.line(vec![(x, bottom), (x, bottom + 5.0)], 1.2, INK);
            scene.text((x, bottom + 21.0), &text, TICK_TEXT, Anchor::Middle, INK);
        }
    }
    for (k, name) in panel.columns.iter().enumerate() {
        let x = left + (k as f64 + 0.5) * size + 0.36 * TICK_TEXT;
        scene.turned_text((x, bottom + 8.0), name, TICK_TEXT, Anchor::End, INK);
    }
    scene.text(
        (right, scene.height - 10.0),
        &panel.x_label,
        LABEL_TEXT,
        Anchor::End,
        INK,
    );
    if !row_names {
        return;
    }
    let mut widest: f64 = 26.0;
    if upwards {
        for (t, text) in indices(rows) {
            let y = bottom - t * (bottom - top);
            scene.line(vec![(left, y), (left - 5.0, y)], 1.2, INK);
            scene.text(
                (left - 9.0, y + 0.36 * TICK_TEXT),
                &text,
                TICK_TEXT,
                Anchor::End,
                INK,
            );
        }
    }
    for (k, name) in panel.rows.iter().enumerate() {
        let y = top + (line_of(k) as f64 + 0.5) * size + 0.36 * TICK_TEXT;
        scene.text((left - 8.0, y), name, TICK_TEXT, Anchor::End, INK);
        widest = widest.max(font::width(name, TICK_TEXT));
    }
    scene.turned_text(
        (left - widest - 16.0, top),
        &panel.y_label,
        LABEL_TEXT,
        Anchor::End,
        INK,
    );
}

/// The colour bar; returns the width that it takes.
fn draw_bar(scene: &mut Scene, panel: &Heatmap, view: &View, (left, top): (f64, f64)) -> f64 {
    const SLICES: usize = 120;
    let height = panel.extent().1 as f64 * panel.cell_size();
    let (right, bottom) = (left + BAR_WIDTH, top + height);
    for k in 0..SLICES {
        let y = |k: usize| bottom - height * k as f64 / SLICES as f64;
        let overlap = if k == 0 { 0.0 } else { 0.5 };
        let t = (k as f64 + 0.5) / SLICES as f64;
        scene.rect(
            (left, y(k + 1)),
            (right, y(k) + overlap),
            color(panel.tint, t),
        );
    }
    scene.outline((left, top), (right, bottom), 1.4, INK);
    let ticks = view.ticks((height / 60.0) as usize);
    let mut widest: f64 = 0.0;
    for (t, text) in &ticks.major {
        let y = bottom - t * height;
        scene.line(vec![(right, y), (right + 5.0, y)], 1.2, INK);
        scene.text(
            (right + 9.0, y + 0.36 * TICK_TEXT),
            text,
            TICK_TEXT,
            Anchor::Start,
            INK,
        );
        widest = widest.max(font::width(text, TICK_TEXT));
    }
    if let Some(multiplier) = &ticks.multiplier {
        scene.text(
            (left, top - 10.0),
            multiplier,
            TICK_TEXT,
            Anchor::Start,
            INK,
        );
    }
    let end = right + 9.0 + widest + 22.0;
    let (label, size) = font::fit(&panel.bar_label, LABEL_TEXT, height);
    scene.turned_text((end, top), &label, size, Anchor::End, INK);
    end + 8.0 - left
}
