//! Figures as text.

/// Four significant digits, without an exponent where that is short; a dash where there is no figure.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => return "0".into(),
        v if !v.is_finite() => return "-".into(),
        v if !(1e-4..1e7).contains(&v) => return format!("{value:.3e}"),
        v => 3 - v.log10().floor() as i32,
    };
    format!("{value:.*}", digits.max(0) as usize)
}

/// A figure and its error in the last digits: `1.234(12)` is 1.234 ± 0.012. Without an error as [`short`].
pub(crate) fn with_error(value: Option<f64>, error: Option<f64>) -> String {
    let Some(value) = value.filter(|v| v.is_finite()) else {
        return "-".into();
    };
    let Some(error) = error.filter(|&e| e.is_finite() && e > 0.0) else {
        return short(value);
    };
    let size = value.abs().max(error);
    if !(1e-3..1e7).contains(&size) {
        let power = size.log10().floor() as i32;
        let scale = 10f64.powi(-power);
        return format!("{}e{power}", plain(value * scale, error * scale));
    }
    plain(value, error)
}

fn plain(value: f64, error: f64) -> String {
    // Two digits of the error; 0.0996 becomes 0.100, with three.
    let decimals = (1 - error.log10().floor() as i32).clamp(0, 12) as usize;
    let last = (error * 10f64.powi(decimals as i32)).round();
    format!("{value:.decimals$}({last})")
}

/// The ratio generated / reference, with the error of two independent figures; a dash where it is not defined.
pub(crate) fn ratio(reference: (f64, Option<f64>), generated: (f64, Option<f64>)) -> String {
    let value = generated.0 / reference.0;
    let relative = |(v, e): (f64, Option<f64>)| e.map(|e| e / v);
    let error = (relative(reference).zip(relative(generated))).map(|(a, b)| value * a.hypot(b));
    with_error(Some(value), error.map(f64::abs))
}
