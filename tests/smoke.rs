use calogen::gpu::Gpu;
use calogen::tape::{Options, Tape};

#[test]
fn smoke() {
    let gpu = Gpu::open(None).unwrap();
    let t = Tape::new();
    let x = t.input("x", &[3, 5]);
    let b = t.input("b", &[3, 1]);
    let y = ((x * b + 1.0).exp() / (x.square() + 2.0)).sigmoid();
    let loss = (y * y).sum_all();
    let g = t.gradients(loss, &[x, b]);
    let s = (g[0] * g[0]).sum_all();
    let h = t.gradients(s, &[x]);
    let m = x.permute(&[1, 0]).mean(&[1]);
    let p = t
        .compile(
            &gpu,
            &[
                ("y", y),
                ("loss", loss),
                ("dx", g[0]),
                ("db", g[1]),
                ("h", h[0]),
                ("m", m),
            ],
            Options {
                poison: true,
                ..Default::default()
            },
        )
        .unwrap();
    println!("{}", p.plan());
    let xs: Vec<f32> = (0..15).map(|i| (i as f32 * 0.37).sin()).collect();
    p.set("x", &xs).unwrap();
    p.set("b", &[0.5, -0.3, 0.8]).unwrap();
    p.run().unwrap();
    for n in ["y", "loss", "dx", "db", "h", "m"] {
        println!("{n} {:?}", p.read(n).unwrap());
    }
}
