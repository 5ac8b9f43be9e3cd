//! The end of an association, and alerts on the way there.

use gramseal_wire::{Alert, AlertDescription, AlertLevel};

use super::{CloseReason, Connection, Phase};
use crate::error::Error;

impl Connection {
    /// Ends the association in good order: close_notify goes out with the next
    /// [`poll_transmit`](Self::poll_transmit). Closing twice does nothing.
    pub fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.say_goodbye();
            self.end(CloseReason::Local);
        }
    }

    /// RFC 5246 §7.2.1: close_notify is answered in kind. RFC 9846 §6.1 lets a side go on sending, and lets
    /// it close at once too; we do that in 1.3 as well. A payload is sealed and sent in one step, so that
    /// none can be cut off by it, and a datagram has no place in a stream that another one could be behind.
    pub(super) fn closed_by_peer(&mut self) {
        self.say_goodbye();
        self.end(CloseReason::Peer);
    }

    fn say_goodbye(&mut self) {
        self.pending_alert = Some(Alert { level: AlertLevel::WARNING, description: AlertDescription::CLOSE_NOTIFY });
    }

    /// Ends the association because of `error`, and tells the peer if it may know.
    pub(super) fn fail(&mut self, error: Error) {
        // Our flight is void; only the alert still goes out.
        self.handshake = None;
        self.forget_session();
        self.pending_alert = error.alert().map(|description| Alert { level: AlertLevel::FATAL, description });
        self.end(CloseReason::Failed(error));
    }

    /// Sends a warning; a pending alert that ends the association goes first.
    pub(super) fn warn(&mut self, description: AlertDescription) {
        if self.pending_alert.is_none() {
            self.pending_alert = Some(Alert { level: AlertLevel::WARNING, description });
        }
    }

    pub(super) fn end(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed;
        self.unread.closed = Some(reason);
    }
}
