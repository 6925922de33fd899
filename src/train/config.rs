//! Configurations from TOML files: a user's settings, and what a run records of itself.

use std::path::Path;

use serde_json::Value;

use crate::models::{self, Preset, System};
use crate::{Error, Result};

/// A TOML file, such as a run's `config.toml`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] with line and column if it is no TOML.
pub fn read_config(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    toml::from_str(&text).map_err(|e| Error::format(path, format!("no TOML: {e}")))
}

/// The system `model` with the settings of a preset, over which those of `files` are put one after the other: each file's
/// table `config`, or all of it. A file that has all settings, as a run's `config.toml`, replaces what was before.
///
/// # Errors
/// As [`read_config`] and [`models::open`]; [`Error::Format`] if a file says that it is of another model.
pub fn configured(model: &str, preset: Preset, files: &[&Path]) -> Result<Box<dyn System>> {
    let mut config = models::preset(model, preset)?.config();
    for path in files {
        let over = settings(path, model)?;
        match models::open(model, over.clone()) {
            Ok(whole) => config = whole.config(),
            Err(_) => merge(&mut config, over),
        }
    }
    models::open(model, config)
}

fn settings(path: &Path, model: &str) -> Result<Value> {
    let mut value = read_config(path)?;
    match value.get("model").and_then(Value::as_str) {
        Some(other) if other != model => Err(Error::format(
            path,
            format!("a configuration of model {other}, not of {model}"),
        )),
        _ => Ok(value.get_mut("config").map(Value::take).unwrap_or(value)),
    }
}

/// Replaces what `over` gives; tables are merged key by key.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// The first setting in which two configurations differ: its name, such as `generator.hidden`, and its two values.
pub(super) fn difference<'v>(
    one: &'v Value,
    other: &'v Value,
) -> Option<(String, &'v Value, &'v Value)> {
    let (Value::Object(left), Value::Object(right)) = (one, other) else {
        return (one != other).then_some((String::new(), one, other));
    };
    let keys = left.keys().chain(right.keys());
    keys.into_iter().find_map(|key| {
        let (a, b) = (left.get(key), right.get(key));
        let (below, a, b) = difference(a.unwrap_or(&Value::Null), b.unwrap_or(&Value::Null))?;
        let dot = if below.is_empty() { "" } else { "." };
        Some((format!("{key}{dot}{below}"), a, b))
    })
}
