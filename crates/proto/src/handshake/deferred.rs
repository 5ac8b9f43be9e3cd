//! Answers of a signer or verifier that a handshake waits for.
//!
//! A state that cannot go on says so with [`Action::Defer`] (see [`now_or_defer`]) and becomes one that
//! waits. The connection hands the work to its caller as a [`Deferred`]; what comes out of it,
//! a [`Settled`], goes back into [`State::settle`](super::State::settle). Nothing here runs a future.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Action;
use crate::config::Verdict;
use crate::crypto::{CryptoError, Deferrable};

/// A signature of ours, or why there is none.
pub(crate) type Signed = Result<Vec<u8>, CryptoError>;

/// What a handshake waits for.
pub(crate) enum Work {
    Signature(Pin<Box<dyn Future<Output = Signed> + Send>>),
    Verdict(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

/// The answer, if it is there; if not, the state that needs it has to wait for the `work` of finding it.
pub(super) fn now_or_defer<T>(
    answer: Deferrable<T>,
    work: impl FnOnce(Pin<Box<dyn Future<Output = T> + Send>>) -> Work,
    out: &mut Vec<Action>,
) -> Option<T> {
    match answer {
        Deferrable::Now(answer) => Some(answer),
        Deferrable::Later(future) => {
            out.push(Action::Defer(work(future)));
            None
        }
    }
}

/// What came out of [`Work`].
pub(crate) enum Outcome {
    Signature(Signed),
    Verdict(Verdict),
}

/// Tells the work of one connection from that of every other, so that no outcome can be given to a
/// handshake that did not ask for it.
#[derive(Clone)]
pub(crate) struct Receipt(Arc<()>);

impl Receipt {
    pub(crate) fn new() -> Self {
        Self(Arc::new(()))
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Work that a handshake waits for: a future that somebody must run.
///
/// [`Connection::poll_deferred`](crate::Connection::poll_deferred) gives it, and
/// [`Connection::handle_deferred`](crate::Connection::handle_deferred) takes what it gives. Dropping
/// it leaves the handshake waiting until its deadline.
#[must_use = "the handshake waits until it is run and its outcome is handed back"]
pub struct Deferred {
    work: Work,
    receipt: Receipt,
}

impl Deferred {
    pub(crate) fn new(work: Work, receipt: Receipt) -> Self {
        Self { work, receipt }
    }
}

impl Future for Deferred {
    type Output = Settled;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Settled> {
        let outcome = match &mut self.work {
            Work::Signature(future) => future.as_mut().poll(context).map(Outcome::Signature),
            Work::Verdict(future) => future.as_mut().poll(context).map(Outcome::Verdict),
        };
        outcome.map(|outcome| Settled { outcome, receipt: self.receipt.clone() })
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.work {
            Work::Signature(_) => "Deferred(signature)",
            Work::Verdict(_) => "Deferred(verdict)",
        })
    }
}

/// What came out of a [`Deferred`], for the connection that gave it.
#[must_use = "the handshake waits for it"]
pub struct Settled {
    outcome: Outcome,
    receipt: Receipt,
}

impl Settled {
    /// The outcome, if it answers what `receipt` was given out for.
    pub(crate) fn outcome_for(self, receipt: &Receipt) -> Option<Outcome> {
        self.receipt.is(receipt).then_some(self.outcome)
    }
}

impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.outcome {
            Outcome::Signature(Ok(_)) => "Settled(signature)",
            Outcome::Signature(Err(_)) => "Settled(no signature)",
            Outcome::Verdict(Ok(_)) => "Settled(accepted)",
            Outcome::Verdict(Err(_)) => "Settled(refused)",
        })
    }
}
