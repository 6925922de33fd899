//! Golden cases: inputs, outputs and gradients of PyTorch in f64, through the tape on the device.
//!
//! Runs every `*.safetensors` in `$CALOGEN_GOLDENS` (default `tests/goldens`) and prints a line a case. A case whose op is
//! not known is a failure. `tests/goldens/README.md` describes the files; a new op is a line in `tests/goldens_ops`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use calogen::gpu::Gpu;
use calogen::tape::{Options, Tape};

#[path = "goldens_ops/mod.rs"]
mod goldens_ops;

use goldens_ops::{Case, Out, Recorder, Tensor, record};

/// How a case ended: the worst error as a share of the tolerance and where it is, or what is wrong.
enum Verdict {
    Right(f64, String),
    Wrong(String),
    UnknownOp(String),
}

#[test]
fn goldens() {
    let folder = std::env::var_os("CALOGEN_GOLDENS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens"),
        PathBuf::from,
    );
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("golden cases in {}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "safetensors"));
    paths.sort();
    assert!(!paths.is_empty(), "no golden cases in {}", folder.display());
    let gpu = Gpu::open(None).expect("the golden cases need an adapter; a software one will do");
    println!("adapter: {}", gpu.capabilities().name);

    let verdicts = on_all_cores(&gpu, &paths);
    let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
    for (path, verdict) in paths.iter().zip(verdicts) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        match verdict {
            Verdict::Right(share, at) => {
                println!(
                    "ok   {name:<32} {:5.1} % of the tolerance at {at}",
                    100.0 * share
                );
            }
            Verdict::Wrong(what) => {
                println!("FAIL {name:<32} {what}");
                wrong.push(name);
            }
            Verdict::UnknownOp(op) => {
                println!("FAIL {name:<32} unknown op {op}");
                unknown.push(op);
            }
        }
    }
    let bad = wrong.len() + unknown.len();
    unknown.dedup();
    println!("{} cases, {bad} failed", paths.len());
    assert!(
        bad == 0,
        "{bad} of {} cases failed: {wrong:?}; unknown ops: {unknown:?}",
        paths.len()
    );
}

/// Runs the cases from several threads, since making pipelines takes most of the time.
fn on_all_cores(gpu: &Arc<Gpu>, paths: &[PathBuf]) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(i) else {
                return done;
            };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(gpu, path)));
            let verdict = outcome.unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
                Verdict::Wrong(format!("panic: {}", text.unwrap_or_default()))
            });
            done.push((i, verdict));
        }
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    let mut all: Vec<(usize, Verdict)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect()
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, verdict)| verdict).collect()
}

fn run(gpu: &Arc<Gpu>, path: &Path) -> Verdict {
    let case = Case::read(path);
    match compute(gpu, &case) {
        Ok(Some(results)) => judge(&case, &results),
        Ok(None) => Verdict::UnknownOp(case.full_op()),
        Err(error) => Verdict::Wrong(error.to_string()),
    }
}

/// Results by the names of their tensors.
type Results = Vec<(String, Vec<u32>)>;

/// Every result of a case; `None` for an unknown op.
fn compute(gpu: &Arc<Gpu>, case: &Case) -> calogen::Result<Option<Results>> {
    let tape = Tape::new();
    let r = Recorder::new(&tape, gpu, case);
    let Some(outputs) = record(&case.op, &r) else {
        return Ok(None);
    };
    tape.check()?;
    let wrt: Vec<&str> = case.with("grad.").map(|(name, _)| name).collect();
    let inputs: Vec<_> = wrt.iter().map(|name| r.x(name)).collect();
    let mut seeds = Vec::new();
    for (name, cotangent) in case.with("cotangent.") {
        let out = outputs.iter().find(|(n, _)| *n == name);
        match out {
            Some((_, Out::Value(y))) => {
                seeds.push((
                    *y,
                    tape.input(&format!("cotangent.{name}"), &cotangent.shape),
                ));
            }
            _ => panic!("no output {name} to differentiate"),
        }
    }
    let mut values: Vec<(String, _)> = Vec::new();
    let mut results = Vec::new();
    for (name, out) in &outputs {
        let name = format!("out.{name}");
        let want = &case.tensors[&name];
        match out {
            Out::Value(v) | Out::Count(v) | Out::Index(v) => {
                if v.shape() != want.shape {
                    let what = format!("{name} of shape {:?}, wanted {:?}", v.shape(), want.shape);
                    return Err(calogen::Error::Config(what));
                }
                values.push((name, *v));
            }
            Out::Host(v) => results.push((name, v.iter().map(|v| (*v as f32).to_bits()).collect())),
            Out::State(_) => {}
        }
    }
    let grads = tape.pullback(&seeds, &inputs);
    values.extend(
        wrt.iter()
            .zip(grads)
            .map(|(name, g)| (format!("grad.{name}"), g)),
    );
    let list: Vec<_> = values.iter().map(|(name, v)| (name.as_str(), *v)).collect();
    let options = Options {
        poison: true,
        ..Default::default()
    };
    let program = tape.compile(gpu, &list, options)?;
    for (name, tensor) in case.with("in.") {
        program.set_u32(name, &tensor.bits)?;
    }
    for (name, tensor) in case.with("cotangent.") {
        program.set_u32(&format!("cotangent.{name}"), &tensor.bits)?;
    }
    program.run()?;
    for (name, _) in &values {
        results.push((name.clone(), program.read_u32(name)?));
    }
    for (name, out) in &outputs {
        match out {
            Out::State(state) => {
                let bits = state.get(gpu)?.iter().map(|v| v.to_bits()).collect();
                results.push((format!("out.{name}"), bits));
            }
            // Counted in floats.
            Out::Count(_) => {
                let name = format!("out.{name}");
                let found = results.iter_mut().find(|(n, _)| *n == name);
                found
                    .into_iter()
                    .flat_map(|(_, bits)| bits)
                    .for_each(|b| *b = f32::from_bits(*b) as u32);
            }
            _ => {}
        }
    }
    Ok(Some(results))
}

fn judge(case: &Case, results: &[(String, Vec<u32>)]) -> Verdict {
    let (mut worst, mut at) = (0.0, String::new());
    for (name, want) in &case.tensors {
        if !name.starts_with("out.") && !name.starts_with("grad.") {
            continue;
        }
        let Some((_, got)) = results.iter().find(|(n, _)| n == name) else {
            return Verdict::Wrong(format!("{name} is not computed"));
        };
        if got.len() != want.bits.len() {
            return Verdict::Wrong(format!(
                "{name}: {} elements, not {}",
                got.len(),
                want.bits.len()
            ));
        }
        for (i, (&g, &w)) in got.iter().zip(&want.bits).enumerate() {
            let share = share(case, want, g, w);
            // A NaN fails.
            if share.is_nan() || share > 1.0 {
                let (got, want) = (want.show(g), want.show(w));
                return Verdict::Wrong(format!(
                    "{name}[{i}] is {got}, wanted {want}: {share:.3} tolerances"
                ));
            }
            if share >= worst {
                (worst, at) = (share, format!("{name}[{i}]"));
            }
        }
    }
    Verdict::Right(worst, at)
}

/// The error of one element as a share of the tolerance.
fn share(case: &Case, tensor: &Tensor, got: u32, want: u32) -> f64 {
    if tensor.integer {
        return if got == want { 0.0 } else { f64::INFINITY };
    }
    let (got, want) = (
        f64::from(f32::from_bits(got)),
        f64::from(f32::from_bits(want)),
    );
    if got == want {
        return 0.0;
    }
    (got - want).abs() / (case.atol + case.rtol * want.abs())
}

/// The comparison must be able to fail.
#[test]
fn wrong_results_are_caught() {
    let tensor = |values: &[f32]| Tensor {
        shape: vec![values.len()],
        bits: values.iter().map(|v| v.to_bits()).collect(),
        integer: false,
    };
    let case = Case {
        op: "none".into(),
        attrs: serde_json::Value::Null,
        rtol: 1e-5,
        atol: 1e-6,
        tensors: [("out.y".to_owned(), tensor(&[1.0, 0.0]))].into(),
    };
    let verdict = |y: &[f32]| judge(&case, &[("out.y".into(), tensor(y).bits)]);
    assert!(matches!(verdict(&[1.0, 0.0]), Verdict::Right(..)));
    assert!(matches!(verdict(&[1.000005, 1e-7]), Verdict::Right(..)));
    assert!(matches!(verdict(&[1.00002, 0.0]), Verdict::Wrong(_)));
    assert!(matches!(verdict(&[1.0, f32::NAN]), Verdict::Wrong(_)));
    assert!(matches!(verdict(&[1.0]), Verdict::Wrong(_)));
    assert!(matches!(judge(&case, &[]), Verdict::Wrong(_)));
}
