//! Figures as text.

/// Where there is no figure.
pub const NONE: &str = "–";

/// Four significant digits.
pub fn short(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".into(),
        v if !v.is_finite() => return NONE.into(),
        v if (1e-4..1e7).contains(&v) => {
            let digits = 3 - v.log10().floor() as i32;
            format!("{value:.*}", digits.max(0) as usize)
        }
        _ => format!("{value:.3e}"),
    };
    text.replace('-', "−")
}

/// A figure, or [`NONE`].
pub fn number(value: Option<f64>) -> String {
    value.map_or(NONE.into(), short)
}

/// Owned names.
pub fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}
