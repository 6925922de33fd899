//! Random bits, and what the metrics compute without a device.

use super::{Out, Recorded, Recorder};

pub fn record<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    if op == "philox4x32_10" {
        let bits = r.tape.philox(r.x("counter"), r.x("key"));
        return Some(vec![("bits", Out::Index(bits))]);
    }
    host(op, r)
}

#[cfg(not(feature = "report"))]
fn host<'t>(_: &str, _: &Recorder<'t, '_>) -> Recorded<'t> {
    None
}

#[cfg(feature = "report")]
fn host<'t>(op: &str, r: &Recorder<'t, '_>) -> Recorded<'t> {
    let values = |name: &str| r.case.input(name).f64();
    match op {
        "jensen_shannon" => {
            let jsd = calogen::metrics::jensen_shannon(&values("p"), &values("q")).unwrap();
            Some(vec![("jsd", Out::Host(vec![jsd]))])
        }
        "frechet_distance" => {
            let features = r.case.input("x").shape[1];
            let distance = calogen::metrics::frechet_distance(&values("x"), &values("y"), features);
            Some(vec![("distance", Out::Host(vec![distance.unwrap()]))])
        }
        "correlation_matrix" => {
            let x = r.case.input("x");
            let (rows, columns) = (values("x"), x.shape[1]);
            let column = |k| rows.iter().skip(k).step_by(columns).copied().collect();
            let columns: Vec<Vec<f64>> = (0..columns).map(column).collect();
            let corr = calogen::metrics::pearson(columns.iter().map(Vec::as_slice));
            let flat = corr.into_iter().flatten().map(Option::unwrap).collect();
            Some(vec![("corr", Out::Host(flat))])
        }
        _ => None,
    }
}
