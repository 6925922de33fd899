use super::{Recorded, Recorder, y};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let x = || r.x("x");
    let (a, b) = (|| r.x("a"), || r.x("b"));
    let bound = |name: &str, open: f32| match r.case.attrs[name].is_null() {
        true => open,
        false => r.number(name),
    };
    y(match op {
        "add" => a() + b(),
        "sub" => a() - b(),
        "mul" => a() * b(),
        "div" => a() / b(),
        "relu" => x().relu(),
        "leaky_relu" => x().leaky_relu(r.number("negative_slope")),
        "sigmoid" => x().sigmoid(),
        "tanh" => x().tanh(),
        "softplus" => x().softplus(),
        "exp" => x().exp(),
        "log" => x().log(),
        "sqrt" => x().sqrt(),
        "square" => x().square(),
        "abs" => x().abs(),
        "pow" => x().pow(r.number("exponent")),
        "clamp" => x().clamp(bound("min", f32::MIN), bound("max", f32::MAX)),
        "dropout" => x() * r.x("mask") * (1.0 / (1.0 - r.number("p"))),
        _ => return None,
    })
}
