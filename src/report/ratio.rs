//! The panel below a figure: every further series over the first.

use super::axis::{Axis, View};
use super::draw;
use super::figure::{Mark, Ratio, Role, Series};
use super::frame::Frame;
use super::scene::{MUTED, Point, Scene, Shape};

/// The quotient of two values with its standard deviation from the numerator alone.
struct Quotient {
    x: f64,
    value: f64,
    error: f64,
}

fn quotients(over: &Series, under: &Series) -> Vec<Quotient> {
    let below: Vec<_> = under.points_of().collect();
    let quotient = |(i, x, y, error): (usize, f64, f64, f64)| {
        let k = below.binary_search_by_key(&i, |p| p.0).ok()?;
        let divisor = below[k].2;
        // Series that stand at other places have no quotient.
        let same = (below[k].1 - x).abs() <= 1e-9 * x.abs().max(below[k].1.abs());
        let value = y / divisor;
        (same && divisor != 0.0 && value.is_finite()).then(|| Quotient {
            x,
            value,
            error: (error / divisor).abs(),
        })
    };
    over.points_of().filter_map(quotient).collect()
}

/// Half of the range about 1 that holds nine in ten of the values.
fn half_range(all: &[Vec<Quotient>]) -> f64 {
    let mut sizes: Vec<f64> = all
        .iter()
        .flatten()
        .map(|q| (q.value - 1.0).abs())
        .collect();
    sizes.sort_by(f64::total_cmp);
    let most = sizes.get(sizes.len() * 9 / 10).copied().unwrap_or(0.0);
    [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
        .into_iter()
        .find(|half| most <= 0.9 * half)
        .unwrap_or(1.0)
}

pub(super) fn draw(
    scene: &mut Scene,
    mut frame: Frame,
    ratio: &Ratio,
    series: &[Series],
    x_label: &str,
) {
    let Some((first, others)) = series.split_first() else {
        return;
    };
    let all: Vec<Vec<Quotient>> = others.iter().map(|s| quotients(s, first)).collect();
    let half = half_range(&all);
    let about_one = [1.0 - 1.08 * half, 1.0 + 1.08 * half];
    let axis = Axis {
        label: String::new(),
        range: ratio.range,
        ..Axis::default()
    };
    frame.y = View::fit(&axis, about_one, (0.0, 0.0));

    reference_band(scene, &frame, first);
    if let Some(one) = frame
        .py(1.0)
        .filter(|y| (frame.top..=frame.bottom()).contains(y))
    {
        scene.line(vec![(frame.left, one), (frame.right(), one)], 1.2, MUTED);
    }
    for (series, quotients) in others.iter().zip(&all) {
        if series.mark == Mark::Line {
            let (x, y) = quotients.iter().map(|q| (q.x, q.value)).unzip();
            for line in draw::lines(&frame, &Series::line("", series.role, x, y)) {
                scene.line(line, 2.2, draw::color(series.role));
            }
            continue;
        }
        let radius = if quotients.len() > 40 { 2.6 } else { 3.6 };
        for q in quotients {
            point(scene, &frame, q, series, radius);
        }
    }
    frame.axes(scene, Some(x_label), &ratio.label);
}

/// The relative error of the reference about 1.
fn reference_band(scene: &mut Scene, frame: &Frame, first: &Series) {
    let Some(errors) = &first.error else { return };
    let relative = |(i, x, y, error): (usize, f64, f64, f64)| {
        errors.get(i)?;
        let share = (error / y).abs();
        let (from, to) = match &first.mark {
            Mark::Steps { edges } => (edges[i], edges[i + 1]),
            _ => (x, x),
        };
        share.is_finite().then_some((from, to, share))
    };
    let is_steps = matches!(first.mark, Mark::Steps { .. });
    let mut areas: Vec<(Vec<Point>, Vec<Point>)> = Vec::new();
    let mut end = f64::NAN;
    for (from, to, share) in first.points_of().filter_map(relative) {
        let places = (
            frame.px(from),
            frame.px(to),
            frame.py(1.0 + share),
            frame.py(1.0 - share),
        );
        if let (Some(from), Some(to), Some(high), Some(low)) = places {
            // Empty bins have no error; the band must not bridge them.
            if areas.is_empty() || is_steps && (from - end).abs() > 0.01 {
                areas.push(Default::default());
            }
            end = to;
            let Some((upper, lower)) = areas.last_mut() else {
                continue;
            };
            for x in [from, to] {
                upper.push(frame.clamp((x, high)));
                lower.push(frame.clamp((x, low)));
            }
        }
    }
    scene
        .shapes
        .extend(areas.into_iter().map(|(upper, lower)| Shape::Area {
            upper,
            lower,
            color: draw::fill(Role::Reference),
        }));
}

fn point(scene: &mut Scene, frame: &Frame, q: &Quotient, series: &Series, radius: f64) {
    let Some((x, y)) = frame.point(q.x, q.value) else {
        return;
    };
    if !(frame.left..=frame.right()).contains(&x) {
        return;
    }
    let color = draw::color(series.role);
    if let (Some(high), Some(low), true) = (
        frame.py(q.value + q.error),
        frame.py(q.value - q.error),
        q.error > 0.0,
    ) && high < frame.bottom()
        && low > frame.top
    {
        scene.line(
            vec![frame.clamp((x, high)), frame.clamp((x, low))],
            1.3,
            color,
        );
    }
    if frame.inside((x, y)) {
        draw::marker(scene, (x, y), series.role, radius);
        return;
    }
    // An arrow head at the edge for what lies beyond.
    let (edge, base) = if y < frame.top {
        (frame.top + 2.0, 7.0)
    } else {
        (frame.bottom() - 2.0, -7.0)
    };
    let points = vec![(x, edge), (x + 3.5, edge + base), (x - 3.5, edge + base)];
    scene.shapes.push(Shape::Polygon { points, color });
}
