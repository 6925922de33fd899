//! Activations kept as f16 in memory, where the adapter has f16; where it has none, that it says so.
//!
//! Every op stands between two layers that change nothing, so that it reads f16 and, if it can, writes f16. Operands are
//! multiples of 1/16, which f16 holds exactly, and sums of their products are exact in f32: all that is rounded is the
//! result, once, by 2^-11 of itself. The exact f64 result plus that is the tolerance, element by element.

use calogen::gpu::Tier;
use calogen::ops::ConvSpec;
use calogen::tape::{Options, Plan, Tape, Var};

use crate::common::{Nd, POISON, Random, gpu, run_planned};
use crate::conv_matrix::{Layer, SIZES, sixteenths, uniform};
use crate::local;
use crate::matmul::matmul;

/// Rounding to f16.
const HALF_EPSILON: f64 = 1.0 / 2048.0;

fn options(tier: Tier) -> Options {
    Options {
        tier,
        frozen: true,
        ..POISON
    }
}

/// The tiers of the adapter that keep f16. Without f16 the tier must be refused.
fn tiers() -> Vec<Tier> {
    let about = gpu().capabilities();
    if !about.f16 {
        let tape = Tape::new();
        let y = tape.input("x", &[4, 4]).relu();
        let error = tape.compile(gpu(), &[("y", y)], options(Tier::Half));
        let text = error.unwrap_err().to_string();
        for part in ["tier half needs f16", about.name.as_str(), "f16: no"] {
            assert!(text.contains(part), "no '{part}' in: {text}");
        }
        println!("not run: {text}");
        return Vec::new();
    }
    let tiers = [Tier::Half, Tier::Matrix].into_iter();
    tiers.filter(|&t| about.check_tier(t).is_ok()).collect()
}

fn is_half(name: &str) -> bool {
    name.starts_with('#') && name.ends_with('h')
}

/// Dispatches whose kernel begins with `kernel` and that read, or write, f16.
fn counted(plan: &Plan, kernel: &str) -> [usize; 2] {
    let steps = || plan.steps.iter().filter(|s| s.kernel.starts_with(kernel));
    [
        steps()
            .filter(|s| s.reads.iter().any(|n| is_half(n)))
            .count(),
        steps()
            .filter(|s| s.writes.iter().any(|n| is_half(n)))
            .count(),
    ]
}

/// Weights of a layer that changes nothing. Of kernel 3, as what is read by a narrow one of kernel 1 may become part of that.
fn eye(channels: usize) -> Nd {
    Nd::build(&[channels, channels, 1, 1, 3], |at| {
        f64::from(u8::from(at[0] == at[1] && at[4] == 1))
    })
}

/// The layer that changes nothing.
fn same<'t>(x: Var<'t>, eye: Var<'t>) -> Var<'t> {
    let spec = ConvSpec {
        padding: [0, 0, 1],
        ..ConvSpec::default()
    };
    x.conv(eye, None, &spec)
}

/// Asserts that each element is the exact one, rounded so many times. Returns how many were rounded.
fn close(what: &str, got: &[f32], want: &Nd, roundings: f64) -> usize {
    assert_eq!(got.len(), want.data.len(), "{what}: number of elements");
    for (i, (&g, &w)) in got.iter().zip(&want.data).enumerate() {
        let error = (f64::from(g) - w).abs();
        // Written so that a NaN fails.
        let fits = error <= roundings * HALF_EPSILON * w.abs();
        assert!(fits, "{what}[{i}]: got {g}, want {w}");
    }
    let pairs = got.iter().zip(&want.data);
    pairs.filter(|(g, w)| f64::from(**g) != **w).count()
}

#[test]
fn layers_read_and_write_halves() {
    for tier in tiers() {
        let mut random = Random(21);
        let [mut read, mut written, mut rounded] = [0; 3];
        for (i, sizes) in [SIZES[0], SIZES[4], SIZES[5]].into_iter().enumerate() {
            let layer = Layer::random(&mut random, sizes, i % 2 == 1);
            let inputs = layer.draw(&mut random, sixteenths);
            let want = layer.want(&inputs);
            let [before, after] = [eye(inputs[0].shape[0]), eye(want.shape[0])];
            let [x, w, b] = &inputs;
            let (got, plan) = run_planned(&[x, w, b, &before, &after], options(tier), |v| {
                same(layer.record([same(v[0], v[3]), v[1], v[2]]), v[4])
            });
            rounded += close(&format!("{tier}: {}", layer.name), &got, &want, 1.0);
            // Three layers: one before and one behind.
            let [r, w] = counted(&plan, "conv");
            (read, written) = (read + r, written + w);
        }
        // Some draws have few values a shower.
        assert!(
            read > 3 && written > 3 && rounded > 0,
            "{tier}: {read} {written} {rounded}"
        );
    }
}

#[test]
fn maps_and_narrow_layers_read_and_write_halves() {
    for tier in tiers() {
        let mut random = Random(22);
        // One by one, in fours, by strips of cells, by rows.
        for (width, n) in [(2, 3), (2, 8), (7, 8), (2, 32)] {
            let x = sixteenths(&[18, 3, 5, width, n], &mut random);
            let s = sixteenths(&[18, 1, 1, 1, n], &mut random);
            let want = x.zip(&s, |x, s| x - s).zip(&x, |d, x| d * x + 0.5);
            let what = format!("{tier}: map of {n} showers");
            let (got, plan) = run_planned(&[&x, &s, &eye(18)], options(tier), |v| {
                let h = same(v[0], v[2]);
                same((h - v[1]) * h + 0.5, v[2])
            });
            close(&what, &got, &want, 1.0);
            assert_eq!(counted(&plan, "map"), [1, 1], "{what}");
        }
        for n in [3, 12] {
            let x = sixteenths(&[5, 3, 5, 2, n], &mut random);
            let s = sixteenths(&[5, 1, 1, 1, n], &mut random);
            let w = sixteenths(&[7, 5, 1, 1, 1], &mut random);
            let b = sixteenths(&[7], &mut random);
            let f = x.zip(&s, |x, s| (x - s).max(0.0));
            let want = crate::conv::conv(&f, &w, Some(&b), &ConvSpec::default());
            let what = format!("{tier}: narrow layer of {n} showers");
            let (got, plan) =
                run_planned(&[&x, &s, &w, &b, &eye(5), &eye(7)], options(tier), |v| {
                    let f = (same(v[0], v[4]) - v[1]).relu();
                    same(f.conv(v[2], Some(v[3]), &ConvSpec::default()), v[5])
                });
            close(&what, &got, &want, 1.0);
            assert_eq!(counted(&plan, "mix"), [1, 1], "{what}");
        }
    }
}

#[test]
fn sums_and_maxima_read_halves_and_stay_f32() {
    for tier in tiers() {
        let mut random = Random(23);
        for n in [3, 8, 32] {
            let x = sixteenths(&[18, 3, 5, 2, n], &mut random);
            let squares = x.map(|x| x * x);
            let (got, plan) = run_planned(&[&x, &eye(18)], options(tier), |v| {
                let h = same(v[0], v[1]);
                (h * h).sum(&[1, 2, 3])
            });
            let what = format!("{tier}: sum of {n} showers");
            close(&what, &got, &squares.sum(&[1, 2, 3]), 0.0);
            assert_eq!(counted(&plan, "reduce"), [1, 0], "{what}");
            let (got, plan) = run_planned(&[&x, &eye(18)], options(tier), |v| {
                same(v[0], v[1]).max_keep(&[0, 4])
            });
            let largest = x.reduce(&[0, 4], f64::NEG_INFINITY, f64::max);
            close(&format!("{tier}: maximum of {n}"), &got, &largest, 0.0);
            assert_eq!(counted(&plan, "reduce"), [1, 0], "{what}");
        }
        // So many terms that a mean and the variance come from one pass: only their own arithmetic rounds.
        let x = sixteenths(&[18, 9, 8, 4, 3], &mut random);
        let mean = x.mean(&[1, 2, 3]);
        let want = x.zip(&mean, |x, m| (x - m).powi(2)).mean(&[1, 2, 3]);
        let (got, plan) = run_planned(&[&x, &eye(18)], options(tier), |v| {
            let h = same(v[0], v[1]);
            let mean = h.mean_keep(&[1, 2, 3]);
            (h - mean).square().mean_keep(&[1, 2, 3])
        });
        close(
            &format!("{tier}: variance"),
            &got,
            &want,
            1e-5 / HALF_EPSILON,
        );
        assert_eq!(counted(&plan, "moments"), [1, 0], "{tier}: variance");
    }
}

#[test]
fn halves_are_moved_as_they_are() {
    for tier in tiers() {
        let mut random = Random(24);
        for n in [3, 8] {
            let x = sixteenths(&[18, 3, 5, 2, n], &mut random);
            let (got, plan) = run_planned(&[&x, &eye(18), &eye(36)], options(tier), |v| {
                let h = same(v[0], v[1]);
                let around = [(0, 0), (1, 0), (0, 2), (0, 0), (0, 0)];
                let padded = h
                    .pad(&around, 0.25)
                    .crop(&[0, 0, 2, 0, 0], &[18, 3, 5, 2, n]);
                same(Var::concat(&[h, padded], 0), v[2]).permute(&[0, 2, 1, 3, 4])
            });
            let want = Nd::build(&[36, 5, 3, 2, n], |at| {
                let [h, d] = [at[1], at[2]];
                match at[0] {
                    c if c < 18 => x.at(&[c, d, h, at[3], at[4]]),
                    _ if d == 0 || h + 2 >= 5 => 0.25,
                    c => x.at(&[c - 18, d - 1, h + 2, at[3], at[4]]),
                }
            });
            let what = format!("{tier}: moved, {n} showers");
            assert_eq!(close(&what, &got, &want, 0.0), 0);
            assert_eq!(counted(&plan, "move_into"), [2, 2], "{what}");
            assert_eq!(counted(&plan, "move_window"), [2, 2], "{what}");
            let (got, plan) = run_planned(&[&x, &eye(18), &eye(3)], options(tier), |v| {
                let turned = same(v[0], v[1]).permute(&[1, 0, 2, 3, 4]);
                same(turned, v[2])
            });
            close(&what, &got, &x.permute(&[1, 0, 2, 3, 4]), 0.0);
            assert_eq!(counted(&plan, "move_window"), [1, 0], "{what}");
            let (got, plan) = run_planned(&[&x, &eye(18)], options(tier), |v| {
                same(v[0], v[1]).batch_first().sum(&[0])
            });
            close(&what, &got, &x.sum(&[4]), 0.0);
            assert_eq!(counted(&plan, "transpose"), [1, 0], "{what}");
        }
    }
}

#[test]
fn layers_of_places_and_stacks_read_and_write_halves() {
    for tier in tiers() {
        let mut random = Random(25);
        for n in [3, 8] {
            let x = sixteenths(&[18, 7, 5, n], &mut random);
            let w = sixteenths(&[3, 4, 7, 18 * 6], &mut random);
            let want = local::oracle(&x, &w, [3, 2], [2, 1]);
            let what = format!("{tier}: places, {n} showers");
            let (got, plan) = run_planned(&[&x, &w, &eye(18), &eye(7)], options(tier), |v| {
                let h = same(v[0].reshape(&[18, 1, 7, 5, n]), v[2]);
                let y = (h.reshape(&[18, 7, 5, n])).locally_connected2d(v[1], None, [3, 2], [2, 1]);
                same(y.reshape(&[7, 1, 3, 4, n]), v[3])
            });
            close(&what, &got, &want, 1.0);
            assert_eq!(counted(&plan, "local"), [1, 1], "{what}");
        }
        let x = sixteenths(&[18, 3, 5, 2, 7], &mut random);
        let a = sixteenths(&[2, 37, 9], &mut random);
        let want = matmul(&a, &x.reshape(&[2, 9, 210]));
        let (got, plan) = run_planned(&[&x, &a, &eye(18), &eye(74)], options(tier), |v| {
            let h = same(v[0], v[2]).reshape(&[2, 9, 210]);
            same(v[1].matmul(h).reshape(&[74, 3, 5, 2, 7]), v[3])
        });
        close(&format!("{tier}: stack"), &got, &want, 1.0);
        // The layer before, the stack, the layer behind.
        assert_eq!(counted(&plan, "conv"), [2, 2], "{tier}: stack");
    }
}

/// Bytes are counted as they are.
#[test]
fn halves_take_half_the_bytes() {
    for tier in tiers() {
        let x = Nd::zeros(&[18, 3, 5, 2, 8]);
        let plan = |tier| {
            run_planned(&[&x, &eye(18)], options(tier), |v| {
                same(same(v[0], v[1]), v[1])
            })
            .1
        };
        let (full, half) = (plan(Tier::Portable), plan(tier));
        let elements = x.data.len() as f64;
        // Written once and read once, two bytes less each.
        assert_eq!(full.bytes() - half.bytes(), 4.0 * elements, "{tier}");
        assert!(
            half.buffers.contains(&(2 * elements as u64)),
            "{tier}: {:?}",
            half.buffers
        );
    }
}

#[test]
fn what_must_be_f32_stays_so() {
    let x = Nd::zeros(&[18, 3, 5, 2, 8]);
    let few = Nd::zeros(&[18, 1, 1, 1, 8]);
    for tier in tiers() {
        type Network = dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>;
        let halves = |inputs: &[&Nd], options, f: &Network| {
            let plan = run_planned(inputs, options, f).1;
            counted(&plan, "").iter().sum::<usize>()
        };
        let e = eye(18);
        let twice: &Network = &|v| same(same(v[0], v[1]), v[1]);
        assert!(halves(&[&x, &e], options(tier), twice) > 0, "{tier}");
        let trained = Options {
            frozen: false,
            ..options(Tier::Half)
        };
        assert_eq!(halves(&[&x, &e], trained, twice), 0, "training");
        let plain = Options {
            plain: true,
            ..options(tier)
        };
        assert_eq!(halves(&[&x, &e], plain, twice), 0, "plain kernels");
        let portable = options(Tier::Portable);
        assert_eq!(halves(&[&x, &e], portable, twice), 0, "portable");
        assert_eq!(halves(&[&few, &e], options(tier), twice), 0, "few values");
        // Outputs, and what is moved to them or cut below a threshold on the way.
        let cut: &Network = &|v| same(v[0], v[1]).cut_below(v[2]).batch_first();
        let threshold = Nd::full(&[1], 0.5);
        assert_eq!(halves(&[&x, &e, &threshold], options(tier), cut), 0, "cut");
        // What an op reads that knows f32 alone.
        let pooled: &Network = &|v| same(v[0], v[1]).avg_pool3d([1, 2, 1], [1, 1, 1], [0; 3], true);
        assert_eq!(halves(&[&x, &e], options(tier), pooled), 0, "pooled");
        // What is computed of statistics and inputs alone.
        let alone: &Network = &|v| same(v[0] * v[0] + 1.0, v[1]);
        assert_eq!(halves(&[&x, &e], options(tier), alone), 0, "inputs");
    }
}

/// A value that f16 cannot hold is not lost silently.
#[test]
fn what_is_beyond_f16_becomes_infinite() {
    for tier in tiers() {
        let x = Nd::full(&[18, 3, 5, 2, 3], 40000.0);
        let (got, _) = run_planned(&[&x, &eye(18)], options(tier), |v| {
            let h = same(v[0], v[1]);
            same(same(h + h, v[1]), v[1]).sum(&[1, 2, 3])
        });
        assert!(got.iter().all(|v| !v.is_finite()), "{tier}: {got:?}");
    }
}

/// A shower is the same, to the bit, beside any others. The network reads its activations twice and divides by their moments,
/// so that folding, which depends on sizes, has something to choose.
#[test]
fn a_shower_is_the_same_in_any_batch() {
    for tier in tiers() {
        let mut random = Random(26);
        let w = uniform(&[20, 20, 3, 3, 1], &mut random);
        let narrow = uniform(&[6, 20, 1, 1, 1], &mut random);
        let whole = uniform(&[20, 3, 5, 2, 64], &mut random);
        let spec = ConvSpec {
            stride: [1, 1, 1],
            padding: [1, 1, 0],
        };
        fn normed(h: Var<'_>) -> Var<'_> {
            let d = h - h.mean_keep(&[1, 2, 3]).expand(&h.shape());
            let s = (d * d).mean_keep(&[1, 2, 3]) + 1e-3;
            d / s.sqrt().expand(&h.shape())
        }
        let results = [64, 40, 8, 3, 1].map(|n| {
            let x = Nd::build(&[20, 3, 5, 2, n], |at| whole.at(at));
            let (y, plan) = run_planned(&[&x, &w, &narrow], options(tier), |v| {
                let h = v[0].conv(v[1], None, &spec);
                let a = normed(h).sigmoid();
                let b = (a.conv(v[1], None, &spec) + a).relu();
                let c = normed(b).conv(v[2], None, &ConvSpec::default());
                (c * c.exp()).batch_first()
            });
            let [read, written] = counted(&plan, "");
            assert!(read > 2 && written > 1, "{tier}: {read} {written}");
            y[..y.len() / n].to_vec()
        });
        for (i, other) in results.iter().enumerate() {
            assert_eq!(&results[0], other, "{tier}: batch {i}");
        }
    }
}
