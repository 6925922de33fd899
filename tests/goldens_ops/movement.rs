use calogen::tape::Var;

use super::{Out, Recorded, Recorder, y};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let x = || r.x("x");
    y(match op {
        "pad3d" => {
            // The last axis first, as in PyTorch.
            let [w0, w1, h0, h1, d0, d1] = r.fixed("pad");
            let around = [(0, 0), (d0, d1), (h0, h1), (w0, w1), (0, 0)];
            x().batch_last()
                .pad(&around, r.number("value"))
                .batch_first()
        }
        "crop3d" => {
            let x = x().batch_last();
            let ([d, h, w], [od, oh, ow]) = (r.fixed("start"), r.fixed("size"));
            let size = [x.extent(0), od, oh, ow, x.extent(4)];
            x.crop(&[0, d, h, w, 0], &size).batch_first()
        }
        "concat" => {
            let parts: Vec<Var> = (0..).map_while(|i| r.maybe(&format!("x{i}"))).collect();
            Var::concat(&parts, r.whole("dim"))
        }
        "slice" => x().slice(r.whole("dim"), r.whole("start"), r.whole("end")),
        "permute" => x().permute(&r.list("dims")),
        "reshape" => x().reshape(&r.list("shape")),
        "gather" => x().gather(r.whole("dim"), r.x("index"), false),
        "sort_descending" => {
            let (values, indices) = x().sort_descending(r.whole("dim"));
            return Some(vec![
                ("values", Out::Value(values)),
                ("indices", Out::Index(indices)),
            ]);
        }
        _ => return None,
    })
}
