//! Waiting for a signer or a verifier of ours that takes its time.
//!
//! Meanwhile datagrams are still taken in: their messages wait in order, up to the bounds that
//! reassembly has anyway. Of our flight nothing is sent, for the peer owes us nothing; only the
//! deadline of the handshake runs on.

use alloc::vec::Vec;

use super::{Connection, Phase};
use crate::handshake::{Deferred, Receipt, Settled, State, Work};
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
}

impl Connection {
    /// Work that the handshake waits for: a signature or a verdict that a
    /// [`SigningKey`](crate::crypto::SigningKey) or [`PeerVerifier`](crate::config::PeerVerifier)
    /// gives [later](crate::crypto::Deferrable). There is none with those that answer at once.
    ///
    /// Run the future in any way, then give its output to
    /// [`handle_deferred`](Self::handle_deferred).
    pub fn poll_deferred(&mut self) -> Option<Deferred> {
        let deferral = self.handshake.as_mut()?.deferral.as_mut()?;
        let work = deferral.work.take()?;
        Some(Deferred::new(work, deferral.receipt.clone()))
    }

    /// Goes on with the handshake after what [`poll_deferred`](Self::poll_deferred) gave is done. Of
    /// another connection, or after this one has ended, it changes nothing.
    pub fn handle_deferred(&mut self, now: Instant, settled: Settled) {
        let phase = self.phase;
        let Some(handshake) = self.handshake.as_mut().filter(|_| phase != Phase::Closed) else { return };
        let Some(deferral) = handshake.deferral.take() else { return };
        let Some(outcome) = settled.outcome_for(&deferral.receipt) else {
            handshake.deferral = Some(deferral);
            return;
        };
        // Whatever the peer still owes us, it has not been waiting on us for nothing.
        handshake.retransmit.resume(now);
        let state = core::mem::replace(&mut handshake.state, State::Connected);
        let mut actions = Vec::new();
        let settled = state.settle(outcome, &mut actions);
        self.stepped(settled, actions, now);
        self.handle_messages(now);
        self.handle_early(now);
    }
}
