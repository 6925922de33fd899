//! Observables of showers [B, Z, X, Y] and images [B, H, W] on the tape.

use calogen::tape::Var;

use super::{Out, Recorded, Recorder, y};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    match op {
        "radial_profile" => {
            let rings = r.whole("num_bins");
            y(sums(r, rings, |i, j, h, w| {
                // Twice the distance is a whole number's root.
                let twice = |c: usize, n: usize| (2 * c).abs_diff(n - 1);
                let square = twice(i, h).pow(2) + twice(j, w).pow(2);
                square.isqrt() / 2
            }))
        }
        "channel_sums_zdc" => y(sums(r, 5, |i, j, h, w| match (i + j) % 2 {
            1 => 4,
            _ => 2 * usize::from(i >= h / 2) + usize::from(j >= w / 2),
        })),
        "layer_profile" => y(r.x("x").sum(&[2, 3])),
        "n_hit" => {
            let x = r.x("x");
            let hits = x.greater(r.tape.full(r.number("threshold"), &x.shape()));
            Some(vec![("n_hit", Out::Count(hits.sum(&[1, 2, 3])))])
        }
        "moments" => Some(moments(r.x("x"))),
        _ => None,
    }
}

/// Sums over the cells of each group; `group` of a cell (i, j) of an image (h, w), beyond `groups` for none.
fn sums<'t>(
    r: &Recorder<'t, '_>,
    groups: usize,
    group: impl Fn(usize, usize, usize, usize) -> usize,
) -> Var<'t> {
    let x = r.x("x");
    let (b, h, w) = (x.extent(0), x.extent(1), x.extent(2));
    let mut member = vec![0.0; h * w * groups];
    for cell in 0..h * w {
        let group = group(cell / w, cell % w, h, w);
        if group < groups {
            member[cell * groups + group] = 1.0;
        }
    }
    x.reshape(&[b, h * w])
        .matmul(r.tape.constant(&member, &[h * w, groups]))
}

fn moments(x: Var<'_>) -> Vec<(&'static str, Out<'_>)> {
    let total = x.sum(&[1, 2, 3]);
    let along = |axis: usize, names: [&'static str; 2]| {
        let others: Vec<usize> = (1..4).filter(|&d| d != axis).collect();
        let profile = x.sum(&others);
        let positions: Vec<f32> = (0..x.extent(axis)).map(|i| i as f32).collect();
        let positions = x.tape().constant(&positions, &[positions.len()]);
        let first = (profile * positions).sum(&[1]) / total;
        let away = positions - first.unsqueeze_to(2);
        let second = (profile * away.square()).sum(&[1]) / total;
        [
            (names[0], Out::Value(first)),
            (names[1], Out::Value(second)),
        ]
    };
    let axes = [
        (2, ["m1x", "m2x"]),
        (3, ["m1y", "m2y"]),
        (1, ["m1z", "m2z"]),
    ];
    axes.into_iter()
        .flat_map(|(axis, names)| along(axis, names))
        .collect()
}
