//! Waiting for a signer or a verifier of ours that takes its time.
//!
//! Meanwhile datagrams are still taken in: their messages wait in order, up to the bounds that
//! reassembly has anyway. Of our flight nothing is sent, for the peer owes us nothing; only the
//! deadline of the handshake runs on. What is waited for after the handshake holds up nothing else, see
//! `authenticate`.

use alloc::boxed::Box;

use super::handshaking::Handshaking;
use super::{Connection, Phase};
use crate::handshake::{Deferred, Outcome, Receipt, Settled, State, Work};
use crate::time::Instant;

/// The answer that the handshake waits for.
pub(super) struct Deferral {
    receipt: Receipt,
    /// Until the caller has fetched it.
    work: Option<Work>,
}

impl Deferral {
    pub(super) fn new(work: Work) -> Self {
        Self { receipt: Receipt::new(), work: Some(work) }
    }

    /// What came of it, if `settled` is that; what still waits, if not.
    pub(super) fn outcome(self, settled: Settled) -> Result<Outcome, Self> {
        settled.outcome_for(&self.receipt).ok_or(self)
    }
}

impl Connection {
    /// Work that the handshake, or authentication after it, waits for: a signature or a verdict that a
    /// [`SigningKey`](crate::crypto::SigningKey) or [`PeerVerifier`](crate::config::PeerVerifier)
    /// gives [later](crate::crypto::Deferrable). There is none with those that answer at once.
    ///
    /// Run the future in any way, then give its output to
    /// [`handle_deferred`](Self::handle_deferred).
    pub fn poll_deferred(&mut self) -> Option<Deferred> {
        if self.phase == Phase::Closed {
            return None;
        }
        let handshake = self.handshake.as_mut().and_then(|handshake| handshake.deferral.as_mut());
        let afterwards = self.post.as_mut().and_then(|post| post.deferral.as_deref_mut());
        let deferral = handshake.or(afterwards)?;
        let work = deferral.work.take()?;
        Some(Deferred::new(work, deferral.receipt.clone()))
    }

    /// Goes on with the handshake after what [`poll_deferred`](Self::poll_deferred) gave is done. Of
    /// another connection, or after this one has ended, it changes nothing.
    pub fn handle_deferred(&mut self, now: Instant, settled: Settled) {
        let phase = self.phase;
        if phase == Phase::Closed {
            return;
        }
        let waits = |handshake: &&mut Box<Handshaking>| handshake.deferral.is_some();
        let Some(handshake) = self.handshake.as_mut().filter(waits) else { return self.settled_afterwards(settled) };
        let Some(deferral) = handshake.deferral.take() else { return };
        let outcome = match deferral.outcome(settled) {
            Ok(outcome) => outcome,
            Err(deferral) => {
                handshake.deferral = Some(deferral);
                return;
            }
        };
        // Whatever the peer still owes us, it has not been waiting on us for nothing.
        handshake.retransmit.resume(now);
        let state = core::mem::replace(&mut handshake.state, State::Connected);
        let mut actions = core::mem::take(&mut handshake.actions);
        let settled = state.settle(outcome, &mut actions);
        self.stepped(settled, actions, now);
        self.handle_messages(now);
        self.handle_ahead(now);
    }
}
