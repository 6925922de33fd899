use super::{Recorded, Recorder, y};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let x = || r.x("x").batch_last();
    let pooled = match op {
        "avg_pool3d" => {
            let whole = r.flag("count_include_pad");
            x().avg_pool3d(
                r.fixed("kernel_size"),
                r.fixed("stride"),
                r.fixed("padding"),
                whole,
            )
        }
        "avg_pool2d" => {
            let whole = r.flag("count_include_pad");
            x().avg_pool2d(
                r.fixed("kernel_size"),
                r.fixed("stride"),
                r.fixed("padding"),
                whole,
            )
        }
        "max_pool3d" => x().max_pool3d(
            r.fixed("kernel_size"),
            r.fixed("stride"),
            r.fixed("padding"),
        ),
        "upsample_nearest3d" => x().upsample_nearest3d(r.fixed("scale_factor")),
        _ => return None,
    };
    y(pooled.batch_first())
}
