use super::{Recorded, Recorder, y};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    if op == "softmax" {
        return y(r.x("x").softmax(r.whole("dim")));
    }
    if !["sum", "mean", "var", "logsumexp"].contains(&op) {
        return None;
    }
    let (x, dims) = (r.x("x"), r.list("dims"));
    let kept = match op {
        "sum" => x.sum_keep(&dims),
        "mean" => x.mean_keep(&dims),
        "var" => x.var_keep(&dims),
        _ => x.logsumexp_keep(&dims),
    };
    y(if r.flag("keepdim") {
        kept
    } else {
        kept.squeeze(&dims)
    })
}
