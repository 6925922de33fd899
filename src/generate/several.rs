//! One stream of events from several devices.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Generator, LabelRows};
use crate::hits::Hits;
use crate::{Error, Result};

/// Events whose labels are held at once: a long stream needs no more memory than a short one.
const STRETCH: usize = 1 << 14;
/// Batches that a device takes at once at most, one computing while another travels to the host.
const BATCHES: u64 = 8;
/// A device takes no more than it makes in this time, so that the order waits for no slow one for long.
const TURN: Duration = Duration::from_millis(500);
/// Bytes of showers that may wait for earlier ones.
const WAITING: usize = 64 << 20;
/// Batches that may wait to be taken.
const QUEUE: usize = 2;

/// Some consecutive showers of a stream of several devices, made by one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<T> {
    /// Index of the first of them, counted from the first event of the stream.
    pub first: usize,
    /// Their labels.
    pub labels: LabelRows,
    /// Cell energies `[events, Z, X, Y]`, or [`Hits`].
    pub showers: T,
}

/// Gives the showers of `events` of `seed` to `take` in order and in bounded memory, made by all `generators` at once: of
/// the same weights, mostly one a device. The number of showers that each has made comes back.
///
/// Each generator takes the next few batches whenever it is done with its last ones, so a slow device holds up no fast one.
/// `labels` is asked for the labels of so many events from one on, in order. Showers are those of
/// [`Generator::stream`] on the device that made them: which one that is differs from run to run, and devices with
/// different drivers agree to rounding.
///
/// ```no_run
/// # use calogen::{generate::{Generator, stream_several}, gpu::Gpu};
/// let mut generators = Vec::new();
/// for device in ["0", "1"] {
///     generators.push(Generator::load(&Gpu::open(Some(device))?, "hgcal.safetensors")?);
/// }
/// let labels = |g: &Generator, first, count| g.labels(&vec![50.0; count], 1, first);
/// stream_several(&mut generators, 1, 0..1_000_000, labels, |part| {
///     println!("{} showers from event {} on", part.labels.events(), part.first);
///     Ok(())
/// })?;
/// # Ok::<(), calogen::Error>(())
/// ```
///
/// # Errors
/// The first that a device (by name, if there are several), `labels` or `take` reports; then all stop.
pub fn stream_several(
    generators: &mut [Generator],
    seed: u64,
    events: Range<u64>,
    labels: impl FnMut(&Generator, u64, usize) -> Result<LabelRows> + Send,
    take: impl FnMut(Part<Vec<f32>>) -> Result<()>,
) -> Result<Vec<u64>> {
    let make = |generator: &mut Generator, rows: &LabelRows, first, give: Give<'_, Vec<f32>>| {
        generator.stream(rows, seed, first, |block| {
            give(block.first, block.events, block.showers.to_vec())
        })
    };
    several(generators, events, labels, make, take)
}

/// The same with the hits of the showers: [`Generator::stream_hits`].
///
/// # Errors
/// As [`stream_several`].
pub fn stream_hits_several(
    generators: &mut [Generator],
    seed: u64,
    events: Range<u64>,
    labels: impl FnMut(&Generator, u64, usize) -> Result<LabelRows> + Send,
    take: impl FnMut(Part<Hits>) -> Result<()>,
) -> Result<Vec<u64>> {
    let make = |generator: &mut Generator, rows: &LabelRows, first, give: Give<'_, Hits>| {
        generator.stream_hits(rows, seed, first, |block| {
            give(block.first, block.hits.showers(), block.hits.clone())
        })
    };
    several(generators, events, labels, make, take)
}

/// Takes showers: the index of the first of them among the labels, their number, and what they are.
type Give<'a, T> = &'a mut dyn FnMut(usize, usize, T) -> Result<()>;

/// Has `make` make the showers of some labels from an event on.
fn several<T: Send>(
    generators: &mut [Generator],
    events: Range<u64>,
    labels: impl FnMut(&Generator, u64, usize) -> Result<LabelRows> + Send,
    make: impl Fn(&mut Generator, &LabelRows, u64, Give<'_, T>) -> Result<()> + Sync,
    mut take: impl FnMut(Part<T>) -> Result<()>,
) -> Result<Vec<u64>> {
    let Some(first) = generators.first() else {
        return Err(Error::Config("no device to generate on".into()));
    };
    let (alone, begin) = (generators.len() == 1, events.start);
    let batch = generators.iter().map(|g| g.batch.min(STRETCH)).max();
    let unit = batch.unwrap_or(1) as u64;
    let waiting = (WAITING / (4 * first.cells())) as u64;
    let desk = Desk {
        state: Mutex::new(State {
            labels,
            next: events.start,
            taken: events.start,
            stopped: false,
        }),
        moved: Condvar::new(),
        end: events.end,
        ahead: waiting.max(2 * unit * generators.len() as u64),
        generators: generators.len() as u64,
    };
    let mut made = vec![0; generators.len()];
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(QUEUE);
        for (index, generator) in generators.iter_mut().enumerate() {
            let (desk, make, send) = (&desk, &make, send.clone());
            scope.spawn(move || {
                if let Err(error) = desk.work(generator, index, make, &send) {
                    let name = &generator.gpu.capabilities().name;
                    // Nobody listens any more where another error came first.
                    let _ = send.send(Err(if alone { error } else { named(error, name) }));
                }
            });
        }
        drop(send);
        let done = in_order(&receive, events, |piece| {
            let events = piece.labels.events() as u64;
            made[piece.generator] += events;
            take(Part {
                first: (piece.first - begin) as usize,
                labels: piece.labels,
                showers: piece.showers,
            })?;
            desk.advance(piece.first + events);
            Ok(())
        });
        desk.stop();
        done
    })?;
    Ok(made)
}

/// The error of one device of several.
fn named(error: Error, device: &str) -> Error {
    match error {
        Error::Device(what) => Error::Device(format!("{device}: {what}")),
        Error::OutOfMemory(what) => Error::OutOfMemory(format!("{device}: {what}")),
        other => other,
    }
}

/// Showers of some consecutive events.
struct Piece<T> {
    first: u64,
    labels: LabelRows,
    showers: T,
    generator: usize,
}

/// Where generators fetch events.
struct Desk<L> {
    state: Mutex<State<L>>,
    moved: Condvar,
    end: u64,
    /// How far behind the first event that was not taken work may begin.
    ahead: u64,
    generators: u64,
}

struct State<L> {
    labels: L,
    /// The first event that nobody works at.
    next: u64,
    /// The first event that was not taken yet.
    taken: u64,
    stopped: bool,
}

impl<L: FnMut(&Generator, u64, usize) -> Result<LabelRows>> Desk<L> {
    fn state(&self) -> MutexGuard<'_, State<L>> {
        // What a thread that panics leaves behind is whole: its panic is passed on when the threads are joined.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, taken: u64) {
        self.state().taken = taken;
        self.moved.notify_all();
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.moved.notify_all();
    }

    /// Makes showers until there are no events left, or nobody wants them.
    fn work<T>(
        &self,
        generator: &mut Generator,
        index: usize,
        make: &impl Fn(&mut Generator, &LabelRows, u64, Give<'_, T>) -> Result<()>,
        send: &SyncSender<Result<Piece<T>>>,
    ) -> Result<()> {
        let mut batches = 1;
        while let Some((first, labels)) = self.next(generator, batches)? {
            let start = Instant::now();
            let mut left = false;
            let streamed = make(generator, &labels, first, &mut |at, events, showers| {
                let values = &labels.values[at * labels.columns..];
                let piece = Piece {
                    first: first + at as u64,
                    labels: LabelRows {
                        values: values[..events * labels.columns].to_vec(),
                        columns: labels.columns,
                    },
                    showers,
                    generator: index,
                };
                send.send(Ok(piece)).map_err(|_| {
                    left = true;
                    Error::Interrupted("nobody takes the showers".into())
                })
            });
            if left {
                return Ok(());
            }
            streamed?;
            let made = labels.events().div_ceil(generator.batch) as f64;
            let one = start.elapsed().as_secs_f64() / made;
            batches = (TURN.as_secs_f64() / one.max(1e-9)) as u64;
        }
        Ok(())
    }

    /// The next events to work at with their labels: about so many batches, fewer towards the end, so that all generators
    /// end together.
    fn next(&self, generator: &Generator, batches: u64) -> Result<Option<(u64, LabelRows)>> {
        let batch = generator.batch.min(STRETCH) as u64;
        let mut state = self.state();
        loop {
            if state.stopped || state.next == self.end {
                return Ok(None);
            }
            // The one that works at the first event never waits here.
            if state.next - state.taken < self.ahead {
                break;
            }
            state = (self.moved.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
        let left = self.end - state.next;
        let most = STRETCH as u64 / batch; // at least 1
        let batches = match self.generators {
            1 => most,
            n => batches
                .min(BATCHES)
                .min(left / batch / (2 * n))
                .clamp(1, most),
        };
        let mut count = left.min(batch * batches);
        // A last batch that is not full is computed with the full one before it, by the same program.
        if left - count < batch && left < STRETCH as u64 {
            count = left;
        }
        let first = state.next;
        let rows = (state.labels)(generator, first, count as usize)?;
        state.next += count;
        Ok(Some((first, rows)))
    }
}

/// Gives `take` what arrives in the order of its events.
fn in_order<T>(
    receive: &Receiver<Result<Piece<T>>>,
    events: Range<u64>,
    mut take: impl FnMut(Piece<T>) -> Result<()>,
) -> Result<()> {
    let mut next = events.start;
    let mut early = BTreeMap::new();
    while next < events.end {
        // Without an error senders are gone only after the last event, or in a panic, which is passed on afterwards.
        let Ok(piece) = receive.recv() else {
            return Ok(());
        };
        let piece = piece?;
        early.insert(piece.first, piece);
        while let Some(piece) = early.remove(&next) {
            next += piece.labels.events() as u64;
            take(piece)?;
        }
    }
    Ok(())
}
