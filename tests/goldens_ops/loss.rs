use super::{Out, Recorded, Recorder};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    if op == "kl_divergence_normal" {
        let (mu, logvar) = (r.x("mu"), r.x("logvar"));
        let terms = logvar + 1.0 - mu.square() - logvar.exp();
        let kl = terms.sum_all() * (-0.5 / mu.extent(0) as f32);
        return Some(vec![("kl", Out::Value(kl))]);
    }
    let (x, t) = (|| r.x("x"), || r.x("target"));
    let terms = match op {
        "bce_with_logits" => x().softplus() - x() * t(),
        "mse_loss" => (x() - t()).square(),
        "l1_loss" => (x() - t()).abs(),
        _ => return None,
    };
    let loss = match r.text("reduction") {
        "mean" => terms.mean_all(),
        _ => terms.sum_all(),
    };
    Some(vec![("loss", Out::Value(loss))])
}
