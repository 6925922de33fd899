//! Observables of showers [B, Z, X, Y] and images [B, H, W] on the tape.

use calogen::losses;
use calogen::tape::Var;

use super::{Out, Recorded, Recorder, y};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    match op {
        "radial_profile" => y(losses::radial_profile(last(r), r.whole("num_bins")).batch_first()),
        "channel_sums_zdc" => {
            let x = last(r);
            let (h, w) = (x.extent(0), x.extent(1));
            let group = |i: usize, j: usize| match (i + j) % 2 {
                1 => 4,
                _ => 2 * usize::from(i >= h / 2) + usize::from(j >= w / 2),
            };
            y(losses::group_sums(x, 5, group).batch_first())
        }
        "layer_profile" => y(losses::layer_profile(last(r)).batch_first()),
        "n_hit" => {
            let x = r.x("x");
            let hits = x.greater(r.tape.full(r.number("threshold"), &x.shape()));
            Some(vec![("n_hit", Out::Count(hits.sum(&[1, 2, 3])))])
        }
        "moments" => Some(moments(r.x("x"))),
        _ => None,
    }
}

/// Input x with its showers last.
fn last<'t>(r: &Recorder<'t, '_>) -> Var<'t> {
    r.x("x").batch_last()
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
