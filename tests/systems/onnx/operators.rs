//! Operators of opset 17 after their definitions, as far as exported generators use them.

use super::Attributes;
use super::tensor::{Tensor, broadcast};

type Inputs<'a> = [Option<&'a Tensor>];

pub fn run(operator: &str, x: &Inputs<'_>, a: &Attributes) -> Tensor {
    if let Some(f) = function(operator, a) {
        let x: Vec<&Tensor> = x.iter().flatten().copied().collect();
        let shapes: Vec<&[usize]> = x.iter().map(|t| &t.shape[..]).collect();
        return Tensor::make(broadcast(&shapes), |i| {
            let operands: Vec<f64> = x.iter().map(|t| t.stretched(i)).collect();
            f(&operands)
        });
    }
    let t = |i: usize| x[i].unwrap_or_else(|| panic!("{operator} lacks input {i}"));
    match operator {
        "Identity" => t(0).clone(),
        "Shape" => Tensor::new(
            vec![t(0).rank()],
            t(0).shape.iter().map(|&e| e as f64).collect(),
        ),
        "Reshape" => reshape(t(0), &t(1).ints()),
        "Unsqueeze" => {
            let mut shape = t(0).shape.clone();
            for axis in t(1).ints() {
                let place = if axis < 0 {
                    axis + shape.len() as i64 + 1
                } else {
                    axis
                };
                shape.insert(place as usize, 1);
            }
            Tensor::new(shape, t(0).data.clone())
        }
        "Transpose" => {
            let order = a.list("perm");
            let shape = order.iter().map(|&d| t(0).shape[d]).collect();
            Tensor::make(shape, |i| {
                let mut from = vec![0; order.len()];
                order.iter().zip(i).for_each(|(&d, &i)| from[d] = i);
                t(0).at(&from)
            })
        }
        "Expand" => {
            let target: Vec<usize> = t(1).ints().iter().map(|&v| v as usize).collect();
            Tensor::make(broadcast(&[&t(0).shape, &target]), |i| t(0).stretched(i))
        }
        "Slice" => slice(t(0), x),
        "Pad" => {
            let (pads, rank) = (t(1).ints(), t(0).rank());
            let extent = |d: usize| (t(0).shape[d] as i64 + pads[d] + pads[d + rank]) as usize;
            Tensor::make((0..rank).map(extent).collect(), |i| {
                let from: Option<Vec<usize>> = (0..rank)
                    .map(|d| {
                        i[d].checked_sub(pads[d] as usize)
                            .filter(|&c| c < t(0).shape[d])
                    })
                    .collect();
                from.map_or(t(2).data[0], |from| t(0).at(&from))
            })
        }
        "Concat" => {
            let axis = t(0).axis(a.int("axis", 0));
            let mut shape = t(0).shape.clone();
            shape[axis] = x.iter().flatten().map(|t| t.shape[axis]).sum();
            Tensor::make(shape, |i| {
                let mut i = i.to_vec();
                for part in x.iter().flatten() {
                    if i[axis] < part.shape[axis] {
                        return part.at(&i);
                    }
                    i[axis] -= part.shape[axis];
                }
                unreachable!()
            })
        }
        "Gather" => {
            let axis = t(0).axis(a.int("axis", 0));
            let index = t(1).ints();
            let mut shape = t(0).shape.clone();
            shape[axis] = index.len();
            Tensor::make(shape, |i| {
                let mut from = i.to_vec();
                from[axis] = index[i[axis]] as usize;
                t(0).at(&from)
            })
        }
        "ReduceSum" => reduce(t(0), &t(1).ints(), 0.0, |a, b| a + b),
        "ReduceMax" => reduce(t(0), &axes(a), f64::NEG_INFINITY, f64::max),
        "ReduceMin" => reduce(t(0), &axes(a), f64::INFINITY, f64::min),
        "Softmax" => {
            let axis = [t(0).axis(a.int("axis", -1)) as i64];
            let top = reduce(t(0), &axis, f64::NEG_INFINITY, f64::max);
            let e = Tensor::make(t(0).shape.clone(), |i| {
                (t(0).at(i) - top.stretched(i)).exp()
            });
            let sum = reduce(&e, &axis, 0.0, |a, b| a + b);
            Tensor::make(e.shape.clone(), |i| e.at(i) / sum.stretched(i))
        }
        "CumSum" => {
            let axis = t(0).axis(t(1).ints()[0]);
            assert_eq!(a.int("exclusive", 0), 1);
            Tensor::make(t(0).shape.clone(), |i| {
                let mut from = i.to_vec();
                let before = |k| {
                    from[axis] = k;
                    t(0).at(&from)
                };
                (0..i[axis]).map(before).sum()
            })
        }
        "MatMul" => {
            let (a, b) = (t(0), t(1));
            let rank = a.rank();
            assert_eq!(b.rank(), rank);
            let mut shape = broadcast(&[&a.shape[..rank - 2], &b.shape[..rank - 2]]);
            shape.extend([a.shape[rank - 2], b.shape[rank - 1]]);
            Tensor::make(shape, |i| {
                let (mut l, mut r) = (i.to_vec(), i.to_vec());
                let term = |k: usize| {
                    (l[rank - 1], r[rank - 2]) = (k, k);
                    a.stretched(&l) * b.stretched(&r)
                };
                (0..a.shape[rank - 1]).map(term).sum()
            })
        }
        "Gemm" => {
            let across = a.int("transB", 0) == 1;
            let terms = t(0).shape[1];
            let columns = t(1).shape[usize::from(!across)];
            Tensor::make(vec![t(0).shape[0], columns], |i| {
                let b = |k: usize| t(1).at(&if across { [i[1], k] } else { [k, i[1]] });
                let sum: f64 = (0..terms).map(|k| t(0).at(&[i[0], k]) * b(k)).sum();
                sum + x.get(2).copied().flatten().map_or(0.0, |c| c.stretched(i))
            })
        }
        "Conv" => conv(t(0), t(1), x.get(2).copied().flatten(), a),
        "ConvTranspose" => conv_transpose(t(0), t(1), x.get(2).copied().flatten(), a),
        "AveragePool" => {
            assert_eq!(a.int("count_include_pad", 0), 1);
            let (kernel, stride, pads) =
                (a.list("kernel_shape"), a.list("strides"), a.list("pads"));
            let mut shape = t(0).shape.clone();
            for d in 0..3 {
                shape[d + 2] = (shape[d + 2] + 2 * pads[d] - kernel[d]) / stride[d] + 1;
            }
            let volume: usize = kernel.iter().product();
            Tensor::make(shape, |i| {
                let taps = Tensor::make(kernel.clone(), |k| {
                    inside(t(0), i, k, &stride, &pads).map_or(0.0, |from| t(0).at(&from))
                });
                taps.data.iter().sum::<f64>() / volume as f64
            })
        }
        "Resize" => {
            assert_eq!(a.text("coordinate_transformation_mode"), "asymmetric");
            assert_eq!(
                (a.text("mode"), a.text("nearest_mode")),
                ("nearest", "floor")
            );
            let scales = &t(2).data;
            let extents = t(0).shape.iter().zip(scales);
            Tensor::make(
                extents.map(|(&e, s)| (e as f64 * s) as usize).collect(),
                |i| {
                    let from: Vec<usize> = i
                        .iter()
                        .zip(scales)
                        .map(|(&i, s)| (i as f64 / s) as usize)
                        .collect();
                    t(0).at(&from)
                },
            )
        }
        other => panic!("operator {other}"),
    }
}

/// A function of single elements.
type Function<'a> = Box<dyn Fn(&[f64]) -> f64 + 'a>;

fn function<'a>(operator: &str, a: &'a Attributes) -> Option<Function<'a>> {
    fn truth(b: bool) -> f64 {
        f64::from(u8::from(b))
    }
    let f: fn(&[f64]) -> f64 = match operator {
        "Add" => |x| x[0] + x[1],
        "Sub" => |x| x[0] - x[1],
        "Mul" => |x| x[0] * x[1],
        "Div" => |x| x[0] / x[1],
        "Max" => |x| x[0].max(x[1]),
        "Min" => |x| x[0].min(x[1]),
        "Pow" => |x| x[0].powf(x[1]),
        "Abs" => |x| x[0].abs(),
        "Exp" => |x| x[0].exp(),
        "Log" => |x| x[0].ln(),
        "Sqrt" => |x| x[0].sqrt(),
        "Sign" => |x| if x[0] == 0.0 { 0.0 } else { x[0].signum() },
        "Reciprocal" => |x| 1.0 / x[0],
        "Sigmoid" => |x| 1.0 / (1.0 + (-x[0]).exp()),
        "Tanh" => |x| x[0].tanh(),
        "Softplus" => |x| x[0].exp().ln_1p(),
        "Relu" => |x| x[0].max(0.0),
        "Clip" => |x| x[0].max(x[1]).min(x[2]),
        "Greater" => |x| truth(x[0] > x[1]),
        "GreaterOrEqual" => |x| truth(x[0] >= x[1]),
        "Less" => |x| truth(x[0] < x[1]),
        "LessOrEqual" => |x| truth(x[0] <= x[1]),
        "Equal" => |x| truth(x[0] == x[1]),
        "Where" => |x| if x[0] != 0.0 { x[1] } else { x[2] },
        "Cast" => |x| x[0],
        "LeakyRelu" => {
            let slope = a.float("alpha");
            return Some(Box::new(
                move |x| if x[0] < 0.0 { slope * x[0] } else { x[0] },
            ));
        }
        _ => return None,
    };
    Some(Box::new(f))
}

fn axes(a: &Attributes) -> Vec<i64> {
    a.list("axes").iter().map(|&v| v as i64).collect()
}

/// Joins along axes, which keep extent 1.
fn reduce(x: &Tensor, axes: &[i64], start: f64, join: fn(f64, f64) -> f64) -> Tensor {
    let axes: Vec<usize> = axes.iter().map(|&a| x.axis(a)).collect();
    let (mut shape, mut range) = (x.shape.clone(), vec![1; x.rank()]);
    for &d in &axes {
        (shape[d], range[d]) = (1, x.shape[d]);
    }
    Tensor::make(shape, |i| {
        let terms = Tensor::make(range.clone(), |k| {
            let from: Vec<usize> = i.iter().zip(k).map(|(i, k)| i + k).collect();
            x.at(&from)
        });
        terms.data.iter().fold(start, |a, &b| join(a, b))
    })
}

fn reshape(x: &Tensor, to: &[i64]) -> Tensor {
    let known: usize = to.iter().filter(|&&e| e > 0).map(|&e| e as usize).product();
    assert!(
        to.iter().filter(|&&e| e == -1).count() <= 1 && !to.contains(&0),
        "{to:?}"
    );
    let open = x.data.len() / known;
    let shape = to.iter().map(|&e| if e == -1 { open } else { e as usize });
    Tensor::new(shape.collect(), x.data.clone())
}

fn slice(x: &Tensor, inputs: &Inputs<'_>) -> Tensor {
    let list = |i: usize| inputs.get(i).copied().flatten().map(Tensor::ints);
    let (starts, ends) = (list(1).unwrap(), list(2).unwrap());
    let axes = list(3).unwrap_or((0..starts.len() as i64).collect());
    let steps = list(4).unwrap_or(vec![1; starts.len()]);
    let (mut shape, mut from) = (x.shape.clone(), vec![(0, 1); x.rank()]);
    for (k, &axis) in axes.iter().enumerate() {
        let d = x.axis(axis);
        let (start, end, step) = (starts[k] as usize, ends[k] as usize, steps[k] as usize);
        assert!(
            start < end && end <= x.shape[d],
            "[{start}, {end}) of {:?}",
            x.shape
        );
        shape[d] = (end - start).div_ceil(step);
        from[d] = (start, step);
    }
    Tensor::make(shape, |i| {
        let from: Vec<usize> = i
            .iter()
            .zip(&from)
            .map(|(i, (start, step))| start + i * step)
            .collect();
        x.at(&from)
    })
}

/// The place that tap `k` of the window at `i` reads, if it is not padding.
fn inside(
    x: &Tensor,
    i: &[usize],
    k: &[usize],
    stride: &[usize],
    pads: &[usize],
) -> Option<Vec<usize>> {
    let mut from = i.to_vec();
    for d in 0..3 {
        let place = (i[d + 2] * stride[d] + k[d]).checked_sub(pads[d])?;
        from[d + 2] = Some(place).filter(|&p| p < x.shape[d + 2])?;
    }
    Some(from)
}

fn conv(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, a: &Attributes) -> Tensor {
    let (stride, pads) = (a.list("strides"), a.list("pads"));
    assert_eq!(pads[..3], pads[3..]);
    let kernel = &w.shape[2..];
    let mut shape = vec![x.shape[0], w.shape[0]];
    for d in 0..3 {
        shape.push((x.shape[d + 2] + 2 * pads[d] - kernel[d]) / stride[d] + 1);
    }
    let window = [&[x.shape[1]], kernel].concat();
    Tensor::make(shape, |i| {
        let terms = Tensor::make(window.clone(), |k| {
            inside(x, i, &k[1..], &stride, &pads).map_or(0.0, |mut from| {
                from[1] = k[0];
                x.at(&from) * w.at(&[&[i[1]], k].concat())
            })
        });
        terms.data.iter().sum::<f64>() + bias.map_or(0.0, |b| b.at(&[i[1]]))
    })
}

fn conv_transpose(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, a: &Attributes) -> Tensor {
    let (stride, pads, more) = (a.list("strides"), a.list("pads"), a.list("output_padding"));
    assert_eq!(pads[..3], pads[3..]);
    let kernel = &w.shape[2..];
    let mut shape = vec![x.shape[0], w.shape[1]];
    for d in 0..3 {
        shape.push((x.shape[d + 2] - 1) * stride[d] + kernel[d] + more[d] - 2 * pads[d]);
    }
    let mut y = Tensor::make(shape, |i| bias.map_or(0.0, |b| b.at(&[i[1]])));
    // Every input adds to the outputs that its window covers.
    Tensor::make(x.shape.clone(), |i| {
        let value = x.at(i);
        Tensor::make([&[y.shape[1]], kernel].concat(), |k| {
            let place = |d: usize| {
                (i[d + 2] * stride[d] + k[d + 1])
                    .checked_sub(pads[d])
                    .filter(|&p| p < y.shape[d + 2])
            };
            if let (Some(d), Some(h), Some(l)) = (place(0), place(1), place(2)) {
                let to = [i[0], k[0], d, h, l];
                let flat = to.iter().zip(&y.shape).fold(0, |p, (&i, &e)| p * e + i);
                y.data[flat] += value * w.at(&[&[i[1]], k].concat());
            }
            0.0
        });
        0.0
    });
    y
}
