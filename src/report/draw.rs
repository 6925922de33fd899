//! From a figure to its scene.

use super::axis::{Scale, View};
use super::cells::MISSING;
use super::figure::{Figure, Mark, Region, Role, Series};
use super::frame::{self, Frame};
use super::scene::{Anchor, INK, MUTED, PAPER, Point, Scene, Shape, mix, pale};
use super::{font, legend, ratio};
use plotters::style::RGBColor;

const WIDTH: f64 = 640.0;
const PANEL: f64 = 375.0;
const RATIO_PANEL: f64 = 130.0;
const GAP: f64 = 14.0;
const BELOW: f64 = 62.0;

/// Behind a region of the horizontal axis.
const REGION: RGBColor = RGBColor(0xf1, 0xf2, 0xf4);
const REFERENCE: RGBColor = RGBColor(0x4a, 0x4f, 0x57);

/// Okabe and Ito's colours in an order whose neighbours differ in lightness too.
const PALETTE: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

pub(super) fn color(role: Role) -> RGBColor {
    match role {
        Role::Reference => REFERENCE,
        Role::Generated(i) => PALETTE[i % PALETTE.len()],
    }
}

/// The fill of a histogram or band of this role.
pub(super) fn fill(role: Role) -> RGBColor {
    pale(
        color(role),
        if role == Role::Reference { 0.22 } else { 0.28 },
    )
}

/// Colours and what stands for them on a dark page.
pub(super) fn dark_colors() -> Vec<(RGBColor, RGBColor)> {
    let paper = RGBColor(0x16, 0x1a, 0x20);
    let grey = RGBColor(0xa9, 0xb1, 0xbb);
    let mut pairs = vec![
        (PAPER, paper),
        (INK, RGBColor(0xe2, 0xe6, 0xea)),
        (MUTED, RGBColor(0x7d, 0x86, 0x91)),
        (MISSING, RGBColor(0x2a, 0x30, 0x38)),
        (REGION, mix(paper, grey, 0.11)),
        (REFERENCE, grey),
        (fill(Role::Reference), mix(paper, grey, 0.25)),
    ];
    for role in (0..PALETTE.len()).map(Role::Generated) {
        pairs.push((fill(role), mix(paper, color(role), 0.45)));
    }
    // The darkest of the palette needs more light.
    pairs.push((PALETTE[0], RGBColor(0x3d, 0x9f, 0xdd)));
    pairs
}

pub(super) fn scene(figure: &Figure) -> Scene {
    let ratio = figure.ratio.as_ref().filter(|_| figure.series.len() > 1);
    let y = y_view(figure);
    let multiplier = y.ticks(6).multiplier.is_some();
    let top =
        if figure.title.is_empty() { 18.0 } else { 44.0 } + if multiplier { 20.0 } else { 0.0 };
    let below = BELOW + ratio.map_or(0.0, |_| RATIO_PANEL + GAP);
    let mut frame = Frame {
        left: 0.0,
        top,
        width: WIDTH,
        height: PANEL,
        x: x_view(figure),
        y,
    };
    frame.left = frame::left_room(&frame.y_ticks()).min(0.35 * WIDTH);
    frame.width = WIDTH - frame.left - frame::RIGHT;
    let legend = legend::place(&mut frame, &figure.series);

    let mut scene = Scene::new(WIDTH, top + PANEL + below, &figure.title);
    let (title, size) = font::fit(&figure.title, frame::TITLE_TEXT, frame.width);
    scene.text((frame.left, 29.0), &title, size, Anchor::Start, INK);
    for region in &figure.regions {
        shade(&mut scene, &frame, region);
    }
    let (behind, above): (Vec<_>, Vec<_>) = figure.series.iter().partition(|s| {
        s.mark == Mark::Band || (s.role == Role::Reference && s.mark != Mark::Points)
    });
    for series in behind.into_iter().chain(above) {
        draw(&mut scene, &frame, series);
    }
    if figure.series.iter().all(|s| s.points_of().next().is_none()) {
        let middle = (
            frame.left + 0.5 * frame.width,
            frame.top + 0.5 * frame.height,
        );
        scene.text(middle, "no data", frame::LABEL_TEXT, Anchor::Middle, MUTED);
    }
    legend::draw(&mut scene, &legend);
    frame.axes(
        &mut scene,
        ratio.is_none().then_some(&figure.x.label),
        &figure.y.label,
    );
    if let Some(ratio) = ratio {
        let panel = Frame {
            top: frame.bottom() + GAP,
            height: RATIO_PANEL,
            ..frame
        };
        ratio::draw(&mut scene, panel, ratio, &figure.series, &figure.x.label);
    }
    scene
}

fn x_view(figure: &Figure) -> View {
    let steps = figure
        .series
        .iter()
        .any(|s| matches!(s.mark, Mark::Steps { .. }));
    let lines_only = figure
        .series
        .iter()
        .all(|s| matches!(s.mark, Mark::Line | Mark::Band));
    let pad = if steps || lines_only { 0.0 } else { 0.05 };
    View::fit(
        &figure.x,
        figure.series.iter().flat_map(Series::extent),
        (pad, pad),
    )
}

fn y_view(figure: &Figure) -> View {
    let steps = figure
        .series
        .iter()
        .any(|s| matches!(s.mark, Mark::Steps { .. }));
    let log = figure.y.scale == Scale::Log;
    let mut values: Vec<f64> = Vec::new();
    for (_, _, y, error) in figure.series.iter().flat_map(Series::points_of) {
        values.push(y);
        values.push(y + error);
        // A bar that reaches below 0 must not lift the floor of a histogram.
        let low = if steps {
            (y - error).max(y.min(0.0))
        } else {
            y - error
        };
        if !(log && low < 0.3 * y) {
            values.push(low);
        }
    }
    if steps && !log && !values.is_empty() {
        values.push(0.0);
    }
    if log {
        // A stray tiny value must not squeeze all others into the top of the frame.
        let largest = values
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max);
        values.retain(|v| *v >= 1e-10 * largest);
    }
    let bottom = if steps && !log && values.iter().all(|v| *v >= 0.0) {
        0.0
    } else {
        0.06
    };
    View::fit(&figure.y, values, (bottom, 0.08))
}

/// The lines that a series is drawn with, clipped: outlines, curves; nothing for points and bands.
pub(super) fn lines(frame: &Frame, series: &Series) -> Vec<Vec<Point>> {
    let mut runs: Vec<Vec<Point>> = vec![Vec::new()];
    let mut push = |points: Option<[Point; 2]>| match (points, runs.last_mut()) {
        (Some(points), Some(run)) => run.extend(points),
        _ => runs.push(Vec::new()),
    };
    match &series.mark {
        Mark::Steps { edges } => {
            let floor = frame.bottom() - frame.y.floor() * frame.height;
            let mut open = false;
            for (k, pair) in edges.windows(2).take(series.y.len()).enumerate() {
                let bin = frame
                    .px(pair[0])
                    .zip(frame.px(pair[1]))
                    .zip(frame.py(series.y[k]));
                match bin {
                    Some(((from, to), y)) => {
                        if !open {
                            push(Some([(from, floor), (from, y)]));
                        }
                        push(Some([(from, y), (to, y)]));
                        open = true;
                    }
                    None => {
                        push(None);
                        open = false;
                    }
                }
            }
            let last = edges
                .windows(2)
                .take(series.y.len())
                .next_back()
                .and_then(|pair| frame.px(pair[1]));
            if let Some(x) = last.filter(|_| open) {
                push(Some([(x, floor), (x, floor)]));
            }
        }
        Mark::Line => {
            for (x, y) in series.x.iter().zip(&series.y) {
                push(frame.point(*x, *y).map(|p| [p, p]));
            }
        }
        Mark::Points | Mark::Band => {}
    }
    for run in &mut runs {
        run.dedup();
    }
    runs.iter().flat_map(|run| frame.clip(run)).collect()
}

/// The vertical extents of a series: bars of points and bins, edges of a band; (x, upper, lower), clipped.
pub(super) fn spans(frame: &Frame, series: &Series) -> Vec<(f64, f64, f64)> {
    let Some(errors) = &series.error else {
        return Vec::new();
    };
    let span = |(i, x, y, error): (usize, f64, f64, f64)| {
        errors.get(i).filter(|e| e.is_finite())?;
        frame.point(x, y)?;
        let x = frame
            .px(x)
            .filter(|x| (frame.left..=frame.right()).contains(x))?;
        let (upper, lower) = (frame.py(y + error)?, frame.py(y - error)?);
        let upper = upper.clamp(frame.top, frame.bottom());
        Some((x, upper, lower.clamp(frame.top, frame.bottom())))
    };
    series.points_of().filter_map(span).collect()
}

fn draw(scene: &mut Scene, frame: &Frame, series: &Series) {
    let color = color(series.role);
    let reference = series.role == Role::Reference;
    if matches!(series.mark, Mark::Steps { .. }) && reference {
        fill_steps(scene, frame, series);
    }
    if series.mark == Mark::Band {
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        for (x, high, low) in spans(frame, series) {
            upper.push((x, high));
            lower.push((x, low));
        }
        scene.shapes.push(Shape::Area {
            upper,
            lower,
            color: fill(series.role),
        });
    } else {
        let bars = if matches!(series.mark, Mark::Steps { .. }) {
            1.2
        } else {
            1.8
        };
        for (x, high, low) in spans(frame, series) {
            scene.line(vec![(x, high), (x, low)], bars, color);
        }
    }
    let width = if reference { 1.8 } else { 2.2 };
    for line in lines(frame, series) {
        // Histograms cross each other all the time; curves through points are noisy enough without dashes.
        match series.mark {
            Mark::Steps { .. } => stroke(scene, line, width, series.role),
            _ => scene.line(line, width, color),
        }
    }
    if series.is_marked() {
        for (_, x, y, _) in series.points_of() {
            if let Some(at) = frame.point(x, y).filter(|p| frame.inside(*p)) {
                marker(scene, at, series.role, 4.6);
            }
        }
    }
}

/// Lengths drawn and left out in turn, so that colour is not the only difference between outlines; none for an unbroken one.
fn dashes(role: Role) -> &'static [f64] {
    match role {
        Role::Reference => &[],
        Role::Generated(i) => match i % 4 {
            0 => &[],
            1 => &[9.0, 4.0],
            2 => &[3.0, 3.0],
            _ => &[11.0, 3.5, 3.0, 3.5],
        },
    }
}

/// A line in colour and dashes of its role.
pub(super) fn stroke(scene: &mut Scene, line: Vec<Point>, width: f64, role: Role) {
    let (pattern, color) = (dashes(role), color(role));
    if pattern.is_empty() {
        return scene.line(line, width, color);
    }
    let (mut k, mut left) = (0, pattern[0]);
    let mut dash: Vec<Point> = line.first().copied().into_iter().collect();
    for pair in line.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let t = done / length;
            let at = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
            dash.push(at);
            let drawn = std::mem::replace(&mut dash, vec![at]);
            if k % 2 == 0 {
                scene.line(drawn, width, color);
            }
            k = (k + 1) % pattern.len();
            left = pattern[k];
        }
        left -= length - done;
        dash.push(to);
    }
    if k % 2 == 0 {
        scene.line(dash, width, color);
    }
}

fn shade(scene: &mut Scene, frame: &Frame, region: &Region) {
    let at = |x: f64| Some(frame.px(x)?.clamp(frame.left, frame.right()));
    if let (Some(from), Some(to)) = (at(region.from), at(region.to)) {
        scene.rect((from, frame.top), (to, frame.bottom()), REGION);
    }
    let within = |x: &f64| (frame.left..=frame.right()).contains(x);
    if let Some(x) = frame.px(region.at).filter(within) {
        scene.line(vec![(x, frame.top), (x, frame.bottom())], 1.2, MUTED);
    }
}

fn fill_steps(scene: &mut Scene, frame: &Frame, series: &Series) {
    let Mark::Steps { edges } = &series.mark else {
        return;
    };
    let floor = frame.bottom() - frame.y.floor() * frame.height;
    for (pair, y) in edges.windows(2).zip(&series.y) {
        let (Some(from), Some(to), Some(y)) = (frame.px(pair[0]), frame.px(pair[1]), frame.py(*y))
        else {
            continue;
        };
        let (from, to) = (frame.clamp((from, y)), frame.clamp((to, floor)));
        let (high, low) = (from.1.min(to.1), from.1.max(to.1));
        if to.0 > from.0 && low > high {
            scene.rect((from.0, high), (to.0, low), fill(series.role));
        }
    }
}

/// Disc, square, triangle and diamond in turn, so that colour is not the only difference.
pub(super) fn marker(scene: &mut Scene, (x, y): Point, role: Role, r: f64) {
    let color = color(role);
    let corners: &[Point] = match role {
        Role::Reference => &[],
        Role::Generated(i) => match i % 4 {
            0 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            1 => &[(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)],
            2 => &[(0.0, -1.35), (1.1, 0.0), (0.0, 1.35), (-1.1, 0.0)],
            _ => &[(0.0, 1.25), (-1.15, -0.85), (1.15, -0.85)],
        },
    };
    if corners.is_empty() {
        scene.shapes.push(Shape::Disc {
            center: (x, y),
            radius: r,
            color,
        });
    } else {
        let points = corners.iter().map(|c| (x + r * c.0, y + r * c.1)).collect();
        scene.shapes.push(Shape::Polygon { points, color });
    }
}
