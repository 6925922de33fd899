//! What commands write: results to standard output, messages and progress to standard error.

use std::io::{ErrorKind, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use calogen::{Error, Result};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

/// Prints a result and a line break. A reader that has closed the pipe has seen enough: no error.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::io("standard output", e)),
        _ => Ok(()),
    }
}

/// Prints a result as one JSON object.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print(&to_json(value)?)
}

/// Indented JSON.
pub fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map_err(|e| Error::NotFinite(format!("cannot be written as JSON: {e}")))
}

/// A message on standard error; if that is closed, nobody can be told.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// In place of the backtrace: one line, and the exit status of any other failure.
pub fn panicked(info: &PanicHookInfo) {
    let what = info.payload_as_str().unwrap_or("unknown");
    let place = info
        .location()
        .map_or(String::new(), |l| format!(" at {}:{}", l.file(), l.line()));
    say(&format!(
        "calogen: internal error{place}: {}",
        what.replace('\n', " ")
    ));
    std::process::exit(1);
}

/// Refuses to write where one of `inputs` is read.
pub fn not_an_input(out: &Path, inputs: &[&Path]) -> Result<()> {
    let place = |path: &Path| path.canonicalize().ok();
    let same = |input: &&&Path| place(out).is_some_and(|out| place(input) == Some(out));
    match inputs.iter().find(same) {
        None => Ok(()),
        Some(input) => Err(Error::Config(format!(
            "{} would be written over {}, which is read",
            out.display(),
            input.display()
        ))),
    }
}

/// An error if the flag is set that Ctrl-C sets.
pub fn not_stopped(stop: &AtomicBool, done: u64, of: u64) -> Result<()> {
    match stop.load(Ordering::Relaxed) {
        false => Ok(()),
        true => Err(Error::Interrupted(format!(
            "after {done} of {of} showers; nothing is written"
        ))),
    }
}

/// What [`stop_on_interrupt`] says where a file is given up.
pub const UNWRITTEN: &str = "stopping, nothing is written; once more to stop at once";

/// A flag that Ctrl-C sets, saying `message`; a second one ends the program.
pub fn stop_on_interrupt(message: &'static str) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        say(message);
    })
    .map_err(|e| Error::Config(format!("Ctrl-C cannot be caught: {e}")))?;
    Ok(stop)
}

/// The most memory that this process has held so far, where the system tells.
pub fn peak_host_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// How long nothing is said about work in progress where no bar is drawn.
const SILENCE: Duration = Duration::from_secs(10);

/// How far long work is: a bar with rate and remaining time on a terminal, else a line now and then.
pub struct Progress {
    what: &'static str,
    unit: &'static str,
    total: u64,
    done: AtomicU64,
    /// Done before this run.
    before: u64,
    start: Instant,
    spoke: Mutex<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Work of `total` pieces called `unit` begins.
    pub fn new(what: &'static str, unit: &'static str, total: u64) -> Self {
        Self::resumed(what, unit, total, 0)
    }

    /// The same with `before` pieces done by an earlier run, which do not count for the rate.
    pub fn resumed(what: &'static str, unit: &'static str, total: u64, before: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template = format!(
                "{{msg}} {{wide_bar}} {{human_pos}}/{{human_len}} {unit}, {{rate}}, {{eta}} left"
            );
            if let Ok(style) = ProgressStyle::with_template(&template) {
                let style = style.with_key(
                    "rate",
                    |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                        // Nothing is to be done about a bar that cannot be drawn.
                        let _ = out.write_str(&rate(state.per_sec()));
                    },
                );
                bar.set_style(style);
            }
            bar.set_message(what);
            bar.set_position(before);
            bar.reset_eta();
            bar
        });
        let start = Instant::now();
        Self {
            what,
            unit,
            total,
            done: AtomicU64::new(before),
            before,
            start,
            spoke: Mutex::new(start),
            bar,
        }
    }

    /// `n` more pieces are done. May be called from several threads.
    pub fn advance(&self, n: u64) {
        let done = self.done.fetch_add(n, Ordering::Relaxed) + n;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if let Ok(mut spoke) = self.spoke.try_lock()
            && spoke.elapsed() >= SILENCE
        {
            *spoke = Instant::now();
            say(&self.line(done));
        }
    }

    /// `evaluate: 3,000 of 6,375 showers, 300/s, 11 seconds left`
    fn line(&self, done: u64) -> String {
        let (what, unit, total) = (self.what, self.unit, self.total);
        let elapsed = self.start.elapsed().as_secs_f64();
        let per_second = (done - self.before) as f64 / elapsed.max(1e-9);
        let left = Duration::from_secs_f64(
            (total.saturating_sub(done) as f64 / per_second.max(1e-9)).min(1e9),
        );
        let rate = rate(per_second);
        format!(
            "{what}: {done} of {total} {unit}, {rate}, {} left",
            HumanDuration(left)
        )
    }
}

fn rate(per_second: f64) -> String {
    let digits = if per_second < 10.0 { 2 } else { 0 };
    format!("{per_second:.digits$}/s")
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
