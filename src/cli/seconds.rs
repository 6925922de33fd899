//! Times on the command line.

use std::time::Duration;

/// A number of seconds above 0; what is too long for the clock is for ever.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 => Ok(Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)),
        _ => Err("expected a number of seconds above 0".into()),
    }
}
