//! Derivatives of derivatives.

use calogen::ops::ConvSpec;
use calogen::tape::Var;

use super::{Out, Recorded, Recorder, whole_numbers};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    match op {
        "double_backward" => double_backward(r),
        "gradient_penalty" => Some(gradient_penalty(r)),
        _ => None,
    }
}

/// The sum of the squares of an op's gradient.
fn double_backward<'t>(r: &Recorder<'t, '_>) -> Recorded<'t> {
    let outputs = super::record(r.text("op"), r)?;
    let Some(("y", Out::Value(y))) = outputs.into_iter().next() else {
        return None;
    };
    let g = r.tape.pullback(&[(y, r.x("cotangent"))], &[r.x("x")])[0];
    let s = g.square().sum_all();
    Some(vec![
        ("s", Out::Value(s)),
        ("g", Out::Value(g)),
        ("y", Out::Value(y)),
    ])
}

/// The penalty of a small critic: conv, norm per voxel, conv, dense.
fn gradient_penalty<'t>(r: &Recorder<'t, '_>) -> Vec<(&'static str, Out<'t>)> {
    let slope = r.number("negative_slope");
    let conv = |name: &str, x: Var<'t>| {
        let attrs = &r.case.attrs[name];
        let triple = |key: &str| whole_numbers(&attrs[key]).try_into().unwrap();
        let spec = ConvSpec {
            stride: triple("stride"),
            padding: triple("padding"),
        };
        let bias = r.x(&format!("{name}.bias"));
        x.conv(r.x(&format!("{name}.weight")), Some(bias), &spec)
    };
    let x = r.x("x");
    let z = conv("conv1", x.batch_last());
    let axes = [1, 2, 3];
    let scale = (z.var_keep(&axes) + r.number("eps")).rsqrt();
    let own = |name: &str| r.x(name).unsqueeze_to(4);
    let z = (z - z.mean_keep(&axes)) * scale * own("norm.weight") + own("norm.bias");
    let z = conv("conv2", z.leaky_relu(slope)).leaky_relu(slope);
    let critic = z
        .flatten()
        .linear(r.x("linear.weight"), Some(r.x("linear.bias")));

    let g = r.tape.gradients(critic.sum_all(), &[x])[0];
    let norm = g.square().sum(&[1, 2, 3, 4]).sqrt();
    let gp = (norm - 1.0).square().mean_all();
    vec![
        ("gp", Out::Value(gp)),
        ("critic", Out::Value(critic.batch_first())),
        ("grad_norm", Out::Value(norm)),
    ]
}
