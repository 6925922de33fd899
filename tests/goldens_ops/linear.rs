//! Convolutions, dense and locally connected layers, products.

use calogen::ops::ConvSpec;
use calogen::tape::Var;

use super::{Recorded, Recorder, y};

/// Two-dimensional tensors get a depth of 1 on axis `at`.
fn deep(v: Var<'_>, at: usize) -> Var<'_> {
    let mut shape = v.shape();
    shape.insert(at, 1);
    v.reshape(&shape)
}

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let (weight, bias) = (|| r.x("weight"), r.maybe("bias"));
    y(match op {
        "conv3d" | "conv_transpose3d" => {
            let spec = ConvSpec {
                stride: r.fixed("stride"),
                padding: r.fixed("padding"),
            };
            let x = r.x("x").batch_last();
            let y = match op {
                "conv3d" => x.conv(weight(), bias, &spec),
                _ => x.conv_transpose(weight(), bias, &spec, r.fixed("output_padding")),
            };
            y.batch_first()
        }
        "conv2d" | "conv_transpose2d" => {
            let spec = ConvSpec::of2d(r.fixed("stride"), r.fixed("padding"));
            let x = deep(r.x("x").batch_last(), 1);
            let weight = deep(weight(), 2);
            let y = match op {
                "conv2d" => x.conv(weight, bias, &spec),
                _ => {
                    let [h, w] = r.fixed("output_padding");
                    x.conv_transpose(weight, bias, &spec, [0, h, w])
                }
            };
            y.squeeze(&[1]).batch_first()
        }
        "linear" => {
            let x = r.x("x");
            let mut shape = x.shape();
            let (last, weight) = (shape.len() - 1, weight());
            let rows: usize = shape[..last].iter().product();
            let y = x
                .reshape(&[rows, shape[last]])
                .batch_last()
                .linear(weight, bias);
            shape[last] = weight.extent(0);
            y.batch_first().reshape(&shape)
        }
        "locally_connected2d" => {
            let (kernel, stride) = (r.fixed("kernel_size"), r.fixed("stride"));
            let x = r.x("x").batch_last();
            x.locally_connected2d(weight(), bias, kernel, stride)
                .batch_first()
        }
        "matmul" => r.x("a").matmul(r.x("b")),
        _ => return None,
    })
}
