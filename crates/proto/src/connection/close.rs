//! The end of an association, and alerts on the way there.

use gramseal_wire::{Alert, AlertDescription, AlertLevel, Epoch};

use super::{CloseReason, Connection, Phase};
use crate::error::Error;
use crate::flight::Outbound;

impl Connection {
    /// Ends the association in good order: close_notify goes out with the next
    /// [`poll_transmit`](Self::poll_transmit). Closing twice does nothing.
    pub fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.say_goodbye();
            self.end(CloseReason::Local);
        }
    }

    /// Ends the association with a fatal alert of the caller's, for reasons that the protocol does not know of; it
    /// goes out with the next [`poll_transmit`](Self::poll_transmit). The session, if it has one, is not resumed
    /// (RFC 5246 §7.2.2), and no [keying material](Self::export_keying_material) is exported any more. Does nothing once
    /// the association has ended.
    ///
    /// Two descriptions are of no failure, and end the association in good order as [`close`](Self::close) does:
    /// `CLOSE_NOTIFY`, and `USER_CANCELED`, of which a warning goes before close_notify (RFC 9846 §6.1).
    pub fn abort(&mut self, description: AlertDescription) {
        if self.phase == Phase::Closed {
            return;
        }
        match description {
            AlertDescription::CLOSE_NOTIFY => self.close(),
            AlertDescription::USER_CANCELED => {
                self.say(description);
                self.end(CloseReason::Local);
            }
            _ => self.end_with_alert(Some(description), CloseReason::Local),
        }
    }

    /// RFC 5246 §7.2.1: close_notify is answered in kind. RFC 9846 §6.1 lets a side go on sending, and lets
    /// it close at once too; we do that in 1.3 as well. A payload is sealed and sent in one step, so that
    /// none can be cut off by it, and a datagram has no place in a stream that another one could be behind.
    pub(super) fn closed_by_peer(&mut self) {
        self.say_goodbye();
        self.end(CloseReason::Peer);
    }

    pub(super) fn say_goodbye(&mut self) {
        self.say(AlertDescription::CLOSE_NOTIFY);
    }

    /// Says goodbye in one of the two ways that are of no failure.
    fn say(&mut self, description: AlertDescription) {
        let waits = self.handshake.as_ref().is_some_and(|handshake| handshake.state.is_waiting());
        self.pending_alert = Some((self.alert_epoch(waits), Alert::new(description)));
    }

    /// The epoch of an alert; `withheld` says that no more of our flight goes out. If nothing of it did, because it
    /// waits for a signer, the peer does not have the keys that come of it.
    fn alert_epoch(&self, withheld: bool) -> Epoch {
        let outbound = self.handshake.as_ref().filter(|_| withheld).map(|handshake| &handshake.outbound);
        let unsent = outbound.filter(|outbound| outbound.transmission() == 0).and_then(Outbound::pending_epoch);
        unsent.unwrap_or_else(|| self.records.speaking_epoch())
    }

    /// Ends the association because of `error`, and tells the peer if it may know.
    pub(super) fn fail(&mut self, error: Error) {
        self.end_with_alert(error.alert(), CloseReason::Failed(error));
    }

    fn end_with_alert(&mut self, description: Option<AlertDescription>, reason: CloseReason) {
        if description.is_some() {
            // The alert needs keys.
            self.awake();
        }
        // The first reason counts, also if there are none.
        if self.phase == Phase::Closed {
            return;
        }
        let epoch = self.alert_epoch(true);
        // Our flight is void; only the alert still goes out.
        self.handshake = None;
        self.forget_session();
        self.pending_alert = description.map(|description| (epoch, Alert { level: AlertLevel::FATAL, description }));
        self.end(reason);
        self.forget_secrets();
    }

    /// RFC 9846 §6: an association that failed has no secrets. The keys of records stay until the last alert is out.
    pub(super) fn forget_secrets(&mut self) {
        if let Some(agreed) = &mut self.agreed {
            agreed.keying = None;
        }
        self.forget_early_secrets();
        self.post = None;
        self.alert_is_out();
    }

    /// No alert is pending, or not any more.
    pub(super) fn alert_is_out(&mut self) {
        // Who ends in good order may have some of its flight still to send.
        let failed = self.agreed.as_ref().is_none_or(|agreed| agreed.keying.is_none()) && self.handshake.is_none();
        if self.phase == Phase::Closed && failed && self.pending_alert.is_none() {
            self.records.forget_keys();
        }
    }

    /// Sends a warning; a pending alert that ends the association goes first.
    pub(super) fn warn(&mut self, description: AlertDescription) {
        if self.pending_alert.is_none() {
            self.pending_alert =
                Some((self.records.speaking_epoch(), Alert { level: AlertLevel::WARNING, description }));
        }
    }

    pub(super) fn end(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed;
        // Nothing but an alert follows the end.
        self.paths = None;
        self.unread.closed = Some(reason);
    }
}
