//! A sending and a receiving thread that run and pause together, each on a core of its own.

use std::fs;
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

/// The cores of the threads. Left to the system, both may come to share one.
const SENDING: usize = 0;
const RECEIVING: usize = 1;

/// How long what was sent last needs to arrive, at most.
const DRAIN: Duration = Duration::from_millis(15);

/// What a sender asks and both sides count.
#[derive(Debug, Default)]
pub(super) struct Shared {
    runs: AtomicBool,
    wanted: Mutex<bool>,
    changed: Condvar,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Shared {
    /// Whether the sender is to go on. Does not block.
    pub(super) fn runs(&self) -> bool {
        self.runs.load(Ordering::Relaxed)
    }

    /// Blocks until the sender is to go on.
    pub(super) fn wait(&self) {
        let mut wanted = self.wanted.lock().expect("not poisoned");
        while !*wanted {
            wanted = self.changed.wait(wanted).expect("not poisoned");
        }
    }

    pub(super) fn sent(&self, datagrams: usize) {
        self.sent.fetch_add(datagrams as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, datagrams: usize) {
        self.received.fetch_add(datagrams as u64, Ordering::Relaxed);
    }

    fn set(&self, wanted: bool) {
        *self.wanted.lock().expect("not poisoned") = wanted;
        self.runs.store(wanted, Ordering::Relaxed);
        self.changed.notify_all();
    }
}

/// Two threads. They end with the program.
#[derive(Debug)]
pub struct Flow {
    shared: Arc<Shared>,
    /// What Linux tells of each thread's processor time.
    clocks: [PathBuf; 2],
}

impl Flow {
    /// Starts `receive` and, once it has handed over what to begin with, `send`; each goes on for good.
    pub(super) fn start<T: Send + 'static>(
        receive: impl FnOnce(Arc<Shared>, Sender<T>) + Send + 'static,
        send: impl FnOnce(Arc<Shared>, T, Sender<()>) + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let (ready, begin) = channel();
        let receiver = spawn(RECEIVING, &shared, move |shared| receive(shared, ready));
        let beginning = begin.recv().expect("the receiver is ready");
        let (ready, connected) = channel();
        let sender = spawn(SENDING, &shared, move |shared| send(shared, beginning, ready));
        connected.recv().expect("the sender is connected");
        Self { shared, clocks: [sender, receiver] }
    }

    pub(super) fn run(&self) {
        self.shared.set(true);
    }

    pub(super) fn pause(&self) {
        self.shared.set(false);
        thread::sleep(DRAIN);
    }

    pub(super) fn progress(&self) -> Progress {
        let [sending, receiving] = [&self.clocks[0], &self.clocks[1]].map(|clock| nanoseconds(clock.as_path()));
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        Progress { sent: count(&self.shared.sent), received: count(&self.shared.received), sending, receiving }
    }
}

fn spawn(core: usize, shared: &Arc<Shared>, work: impl FnOnce(Arc<Shared>) + Send + 'static) -> PathBuf {
    let (tell, told) = channel();
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut cores = CpuSet::new();
        cores.set(core);
        sched_setaffinity(None, &cores).expect("two cores");
        let own = fs::read_link("/proc/thread-self").expect("Linux");
        tell.send(PathBuf::from("/proc").join(own).join("schedstat")).expect("somebody waits for it");
        work(shared);
    });
    told.recv().expect("the thread has begun")
}

/// The processor time of a thread.
fn nanoseconds(schedstat: &Path) -> f64 {
    let text = fs::read_to_string(schedstat).expect("the thread goes on for good");
    text.split_whitespace().next().and_then(|first| first.parse().ok()).expect("a number")
}

/// What was done so far, or between two looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Datagrams.
    pub(super) sent: f64,
    pub(super) received: f64,
    /// Nanoseconds of processor time of each thread.
    pub(super) sending: f64,
    pub(super) receiving: f64,
}

impl Sub for Progress {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            sent: self.sent - other.sent,
            received: self.received - other.received,
            sending: self.sending - other.sending,
            receiving: self.receiving - other.receiving,
        }
    }
}
