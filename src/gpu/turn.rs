//! Submitting and waiting, by turns where wgpu needs it.
//!
//! wgpu's GL backend keeps a device's context to itself in almost every call, and *panics* in a thread that has waited 6 s
//! for it. A software driver compiles and computes inside a submission, which may well take longer than that. So on GL
//! one thread of ours at a time talks to wgpu, the first that asked; it submits little at once and waits in slices, so that
//! threads of a host program that use its device find gaps. Other backends know no turns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{ThreadId, current};
use std::time::Duration;

use super::adapter::Capabilities;
use super::device::Gpu;
use crate::{Error, Result};

/// How long one thread keeps a GL context while it waits.
const SLICE: Duration = Duration::from_millis(10);

/// Who talks to a device, if that matters.
#[derive(Debug)]
pub(super) struct Turns(Option<Queue>);

/// Threads are served in the order in which they asked.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    next: Condvar,
}

#[derive(Debug, Default)]
struct State {
    asked: u64,
    served: u64,
    /// Whose turn it is, and how often it took it.
    owner: Option<(ThreadId, usize)>,
}

/// This thread's turn, until dropped.
pub(super) struct Turn<'a>(&'a Queue);

/// Bound on what is submitted at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubmissionLimit {
    /// Floating point operations.
    pub flops: f64,
    /// Dispatches.
    pub dispatches: usize,
}

impl Turns {
    pub fn new(capabilities: &Capabilities) -> Arc<Self> {
        Arc::new(Self((capabilities.backend == "gl").then(Queue::default)))
    }

    /// Waits for this thread's turn. A thread that has it takes it again at once.
    pub fn take(&self) -> Option<Turn<'_>> {
        self.0.as_ref().map(Queue::take)
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Turn<'_> {
        let mut state = self.state();
        let me = current().id();
        match &mut state.owner {
            Some((owner, times)) if *owner == me => *times += 1,
            _ => {
                let mine = state.asked;
                state.asked += 1;
                while state.served != mine {
                    state = self
                        .next
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                state.owner = Some((me, 1));
            }
        }
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        match &mut state.owner {
            Some((_, times)) if *times > 1 => *times -= 1,
            _ => {
                state.owner = None;
                state.served += 1;
                self.0.next.notify_all();
            }
        }
    }
}

impl Gpu {
    /// How much is submitted at once.
    pub(crate) fn most_at_once(&self) -> SubmissionLimit {
        // 0.2 s on 0.5 TFLOP/s, so that a desktop system does not reset the device; on GL it may be a processor.
        let (flops, dispatches) = match self.turns.0 {
            None => (1e11, usize::MAX),
            Some(_) => (1e9, 8),
        };
        SubmissionLimit { flops, dispatches }
    }

    /// Submits what was recorded.
    pub(super) fn submit_recorded(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        let _turn = self.turns.take();
        self.queue.submit([encoder.finish()])
    }

    /// Waits until everything submitted is done.
    pub fn wait(&self) -> Result<()> {
        self.wait_for(None)
    }

    /// Waits until what was submitted up to here is done.
    pub(super) fn wait_for(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let timeout = self.turns.0.as_ref().map(|_| SLICE);
        loop {
            let turn = self.turns.take();
            // wgpu panics where the driver says, while it is waited for, that the device is lost.
            let poll = AssertUnwindSafe(|| {
                self.device.poll(wgpu::PollType::Wait {
                    submission_index: submission_index.clone(),
                    timeout,
                })
            });
            let waited = catch_unwind(poll);
            drop(turn);
            let failed = |why: &str| Error::Device(format!("waiting for it failed: {why}"));
            match waited {
                Ok(Err(wgpu::PollError::Timeout)) if timeout.is_some() => self.check()?,
                Ok(Ok(_)) => return self.check(),
                Ok(Err(e)) => return self.check().and(Err(failed(&e.to_string()))),
                Err(_) => return self.check().and(Err(failed("it was lost"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Queue;

    #[test]
    fn one_thread_at_a_time_in_the_order_of_asking() {
        let queue = Queue::default();
        let inside = AtomicUsize::new(0);
        let order = std::sync::Mutex::new(Vec::new());
        let held = queue.take();
        std::thread::scope(|scope| {
            for i in 0..4 {
                let (queue, inside, order) = (&queue, &inside, &order);
                scope.spawn(move || {
                    let _turn = queue.take();
                    let _again = queue.take();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    order.lock().expect("unbroken").push(i);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
                while queue.state().asked < i + 2 {
                    std::thread::yield_now();
                }
            }
            assert!(order.lock().expect("unbroken").is_empty());
            drop(held);
        });
        assert_eq!(*order.lock().expect("unbroken"), [0, 1, 2, 3]);
    }

    #[test]
    fn a_panic_ends_a_turn() {
        let queue = Queue::default();
        std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let _turn = queue.take();
                panic!("on purpose");
            });
            assert!(panics.join().is_err());
        });
        drop(queue.take());
    }
}
