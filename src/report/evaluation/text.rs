//! Figures as text.

use crate::metrics::text;

/// Where there is no figure.
const NONE: &str = "–";

/// Four significant digits.
pub fn short(value: f64) -> String {
    typeset(&text::short(value))
}

/// A figure and its error in the last digits: `1.234(12)`.
pub fn with_error(value: Option<f64>, error: Option<f64>) -> String {
    typeset(&text::with_error(value, error))
}

/// The ratio generated / reference, with the error of two independent figures.
pub fn ratio(reference: (f64, Option<f64>), generated: (f64, Option<f64>)) -> String {
    typeset(&text::ratio(reference, generated))
}

fn typeset(text: &str) -> String {
    match text {
        "-" => NONE.into(),
        text => text.replace('-', "−"),
    }
}

/// Owned names.
pub fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}
