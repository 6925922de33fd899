//! Distances between samples, and transforms of flows. The library takes features times showers.

use calogen::losses::{self, SortedKernel};
use calogen::nn::flow::{self, Coupling, Spline};
use calogen::tape::Var;

use super::{Out, Recorded, Recorder};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let samples = || (r.x("x").batch_last(), r.x("y").batch_last());
    Some(match op {
        "mmd_gaussian" => {
            let (x, y) = samples();
            let mmd = losses::mmd_gaussian(x, y, &r.numbers("alphas"));
            vec![("mmd", Out::Value(mmd))]
        }
        "mmd_imq" => {
            let (x, y) = samples();
            let mmd = losses::mmd_imq(x, y, &r.numbers("scales"), r.flag("biased"));
            vec![("mmd", Out::Value(mmd))]
        }
        "sliced_wasserstein2" => {
            let (x, y) = samples();
            let directions = r.x("directions").batch_last();
            let sw2 = losses::sliced_wasserstein2(x, y, directions);
            vec![("sw2", Out::Value(sw2))]
        }
        "wasserstein1_1d" => {
            let w1 = losses::wasserstein1(r.x("x"), r.x("y"));
            vec![("w1", Out::Value(w1))]
        }
        "sorted_kernel_mmd" => {
            let (x, y) = samples();
            let spec = SortedKernel {
                size: r.whole("kernel_size"),
                stride: r.whole("stride"),
                limit: r.whole("limit"),
                alpha: r.number("alpha"),
            };
            let mmd = losses::sorted_kernel_mmd(x, y, &spec);
            vec![("mmd", Out::Value(mmd))]
        }
        "affine_coupling" => {
            let form = match r.text("form") {
                "shift_then_scale" => Coupling::ShiftThenScale,
                _ => Coupling::ScaleThenShift,
            };
            let [x, s, t] = ["x", "s", "t"].map(|name| r.x(name).batch_last());
            let (y, logdet) = flow::affine_coupling(x, s, t, form, r.flag("inverse"));
            vec![
                ("y", Out::Value(y.batch_first())),
                ("logdet", Out::Value(logdet)),
            ]
        }
        "rational_quadratic_spline" => {
            let spec = Spline {
                bound: r.number("tail_bound"),
                min_width: r.number("min_bin_width"),
                min_height: r.number("min_bin_height"),
                min_slope: r.number("min_derivative"),
            };
            let params = ["widths", "heights", "derivatives"].map(|name| r.x(name));
            let params = Var::concat(&params, 2).batch_last();
            let x = r.x("x").batch_last();
            let (y, slopes) = x.rational_quadratic_spline(params, &spec, r.flag("inverse"));
            vec![
                ("y", Out::Value(y.batch_first())),
                ("logabsdet", Out::Value(slopes.batch_first())),
            ]
        }
        _ => return None,
    })
}
