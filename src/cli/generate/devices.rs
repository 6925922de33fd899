//! The devices that generate, and what each of them did.

use std::sync::Arc;

use calogen::gpu::{Gpu, Tier, adapters, several};
use calogen::{Error, Result};

use super::super::Global;

/// Opens what `--devices` names, else the one device that every command uses.
pub fn open(devices: Option<&str>, global: &Global) -> Result<Vec<Arc<Gpu>>> {
    let Some(devices) = devices else {
        return Ok(vec![global.gpu()?]);
    };
    if global.device.is_some() {
        let what = "--device names one adapter and --devices several: give one of them";
        return Err(Error::Config(what.into()));
    }
    let indices = several(&adapters(), devices)?;
    let open = |i: usize| Gpu::open(Some(&i.to_string()));
    indices.into_iter().map(open).collect()
}

/// Name, interface and driver of each, the same ones once, and the tier: what decides on the last bits of a shower.
pub fn described(gpus: &[Arc<Gpu>], tier: Tier) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for gpu in gpus {
        let about = gpu.capabilities();
        let one = format!("{}, {}, {}", about.name, about.backend, about.driver);
        let mut one = one.trim_end_matches([',', ' ']).to_owned();
        if tier != Tier::Portable {
            one.push_str(&format!(", tier {tier}"));
        }
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}
