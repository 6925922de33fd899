//! Normalisations of [C, D, H, W, N], from means and variances.

use calogen::tape::Var;

use super::{Out, Recorded, Recorder};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let axes: &[usize] = match op {
        "layer_norm_voxel" | "instance_norm3d" => &[1, 2, 3],
        "layer_norm" => &[0, 1, 2, 3],
        "batch_norm3d" => &[1, 2, 3, 4],
        _ => return None,
    };
    let x = r.x("x").batch_last();
    let eps = r.number("eps");
    // Per voxel [D, H, W], else per channel [C].
    let stretched = |v: Var<'t>| match v.shape()[..] {
        [d, h, w] => v.reshape(&[1, d, h, w, 1]),
        _ => v.unsqueeze_to(5),
    };
    let infer = op == "batch_norm3d" && !r.flag("training");
    let (mean, var) = if infer {
        (
            stretched(r.x("running_mean")),
            stretched(r.x("running_var")),
        )
    } else {
        (x.mean_keep(axes), x.var_keep(axes))
    };
    let mut y = (x - mean) * (var + eps).rsqrt();
    if let (Some(weight), Some(bias)) = (r.maybe("weight"), r.maybe("bias")) {
        y = y * stretched(weight) + stretched(bias);
    }
    let mut out = vec![("y", Out::Value(y.batch_first()))];
    if let (false, Some(old_mean), Some(old_var)) =
        (infer, r.maybe("running_mean"), r.maybe("running_var"))
    {
        let rate = r.number("momentum");
        let count = (x.len() / x.extent(0)) as f32;
        let moved = |old: Var<'t>, now: Var<'t>, k: f32| {
            Out::Value(old * (1.0 - rate) + now.reshape(&old.shape()) * (rate * k))
        };
        out.push(("running_mean", moved(old_mean, mean, 1.0)));
        out.push(("running_var", moved(old_var, var, count / (count - 1.0))));
    }
    Some(out)
}
