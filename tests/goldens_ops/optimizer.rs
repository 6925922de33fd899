use calogen::ops::Optimizer;
use calogen::tape::State;

use super::{Out, Recorded, Recorder};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let (optimizer, moments): (_, &[&'static str]) = match op {
        "adam_step" => {
            let (beta1, beta2) = (r.number("beta1"), r.number("beta2"));
            let eps = r.number("eps");
            (Optimizer::Adam { beta1, beta2, eps }, &["m", "v"])
        }
        "rmsprop_step" => {
            let (alpha, eps) = (r.number("alpha"), r.number("eps"));
            (Optimizer::RmsProp { alpha, eps }, &["square_avg"])
        }
        "sgd_step" => {
            let momentum = r.number("momentum");
            let names: &[_] = if momentum == 0.0 {
                &[]
            } else {
                &["momentum_buffer"]
            };
            (Optimizer::Sgd { momentum }, names)
        }
        _ => return None,
    };
    let state = |name: &'static str| {
        let param = r.case.input("param");
        let values = match r.maybe(name) {
            Some(_) => r.case.input(name).f32(),
            None => vec![0.0; param.bits.len()],
        };
        let buffer = r.gpu.buffer(values.len() as u64 * 4).unwrap();
        let state = State::new(buffer, 0, &param.shape, name);
        state.set(r.gpu, &values).unwrap();
        state
    };
    let spare = ["first", "second"];
    let name = |i: usize| moments.get(i).copied().unwrap_or(spare[i]);
    let (q, g, m, v) = (
        state("param"),
        state("grad"),
        state(name(0)),
        state(name(1)),
    );
    let step = r.case.attrs["step"].as_u64().unwrap_or(1);
    let hyper = r
        .tape
        .constant(&optimizer.hyper(r.number("lr"), step), &[3]);
    r.tape.optimize(optimizer, [&q, &g, &m, &v], hyper);
    let mut out = vec![("param", Out::State(q))];
    out.extend(moments.iter().copied().zip([m, v].map(Out::State)));
    Some(out)
}
