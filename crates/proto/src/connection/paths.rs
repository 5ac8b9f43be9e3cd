//! Return routability checks: answers to a peer that wants to know whether we are where our records come from.
//!
//! ```text
//! path_challenge, from where the peer is  --> path_response in poll_transmit
//! path_challenge, from somewhere else     --> path_response in poll_transmit_to
//! ```
//!
//! What this side wants to know of the peer is in `path_check`.
//!
//! An answer goes back on the path of its challenge: that the path works both ways is what the check is about (RFC 9853
//! §5.4). No path is ever dropped by us, for none is preferred to another: where records go the caller decides.

use alloc::vec::Vec;
use core::net::SocketAddr;

use gramseal_wire::return_routability::{ReturnRoutabilityCheck, RrcCookie};
use gramseal_wire::{Codec, ContentType, Epoch, RecordNumber};

use super::allowance::Allowance;
use super::path_check::Checking;
use super::{Connection, Phase, address};
use crate::discard::Discard;
use crate::time::Instant;

/// How many challenges may wait to be answered: a datagram of the usual size does not bring more, and answers go out
/// after each.
const MAX_WAITING: usize = 32;
/// How many challenges of one datagram are answered elsewhere: who asks more often asks in other datagrams
/// (RFC 9853 §5.3).
const MAX_ELSEWHERE: u8 = 2;

/// Bytes of a message that is known here: its type, and a cookie.
pub(super) const RRC_LEN: usize = 9;

/// What goes on about where either side is. A connection has little of it in its life, so that there is one only while
/// something is in it.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// What is still to be sent, the oldest first: each cookie, and where it came from if that is not where the peer is.
    answers: Vec<(RrcCookie, Option<SocketAddr>)>,
    /// How many of them the datagram that is read has brought from elsewhere.
    from_elsewhere: u8,
    pub(super) check: Option<Checking>,
}

impl Connection {
    /// Clears `datagram` and fills it with the next datagram that goes to another address than the
    /// [peer's](Self::peer), and returns that address; `None` if there is none. Call it until then.
    ///
    /// Only who gives datagrams to [`handle_datagram_from`](Self::handle_datagram_from) has to. A path_challenge that
    /// came from elsewhere is answered there (RFC 9853 §5.4), at once and with one datagram, unless that would be more
    /// than three times as long as the record; and where the peer seems to have moved it is asked whether it is there. All
    /// together no more than three times the bytes that came from there go there.
    pub fn poll_transmit_to(&mut self, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        datagram.clear();
        while let Some((cookie, to)) = self.next_path_answer(Option::is_some) {
            let Some(to) = to else { continue };
            self.put_elsewhere(address(to), |connection| connection.put_path_response(cookie, datagram));
            if !datagram.is_empty() {
                self.count_to(address(to), datagram.len());
                self.stats.datagrams_sent += 1;
                return Some(to);
            }
        }
        let to = self.put_challenge_elsewhere(datagram)?;
        self.stats.datagrams_sent += 1;
        Some(to)
    }

    /// The answers that go where the peer is, as many as fit.
    pub(super) fn put_path_answers(&mut self, datagram: &mut Vec<u8>) {
        if self.paths.is_none() {
            return;
        }
        let needed = self.records.sealed_len(self.records.write_epoch(), RRC_LEN);
        while datagram.len() + needed <= self.mtu.bytes() {
            let Some((cookie, _)) = self.next_path_answer(Option::is_none) else { return };
            self.put_path_response(cookie, datagram);
        }
    }

    /// Takes the oldest answer that goes to such an address.
    fn next_path_answer(
        &mut self,
        is_there: fn(&Option<SocketAddr>) -> bool,
    ) -> Option<(RrcCookie, Option<SocketAddr>)> {
        if self.waits_for_checkpoint() {
            return None;
        }
        let waiting = &mut self.paths.as_mut()?.answers;
        let at = waiting.iter().position(|(_, to)| is_there(to))?;
        let answer = waiting.remove(at);
        self.forget_paths_if_empty();
        Some(answer)
    }

    pub(super) fn forget_paths_if_empty(&mut self) {
        self.paths.take_if(|paths| paths.answers.is_empty() && paths.check.is_none());
    }

    fn put_path_response(&mut self, cookie: RrcCookie, datagram: &mut Vec<u8>) {
        if let Ok(response) = ReturnRoutabilityCheck::PathResponse(cookie).to_vec() {
            // Without keys the association ends; the challenger hears nothing then.
            let _ =
                self.put_record(self.records.write_epoch(), ContentType::RETURN_ROUTABILITY_CHECK, &response, datagram);
        }
    }

    /// What is read next is another datagram from elsewhere.
    pub(super) fn another_from_elsewhere(&mut self) {
        if let Some(paths) = &mut self.paths {
            paths.from_elsewhere = 0;
        }
    }

    /// A record of return routability checks of so many `bytes` came, from `elsewhere` if that is not where the peer is.
    pub(super) fn path_record(
        &mut self,
        number: RecordNumber,
        (content, bytes): (&[u8], usize),
        elsewhere: Option<SocketAddr>,
        now: Instant,
    ) {
        let agreed = self.negotiated().is_some_and(|negotiated| negotiated.return_routability_check);
        // RFC 9853 §3, §4: only where both want it, and under the keys of the association.
        if !agreed || self.phase != Phase::Connected || number.epoch == Epoch::UNPROTECTED {
            return self.discard(Discard::UnexpectedContent);
        }
        match ReturnRoutabilityCheck::from_bytes(content) {
            Ok(ReturnRoutabilityCheck::PathChallenge(cookie)) => self.challenged(cookie, elsewhere, bytes),
            Ok(ReturnRoutabilityCheck::PathResponse(cookie)) => self.path_response(cookie, elsewhere, now),
            Ok(ReturnRoutabilityCheck::PathDrop(cookie)) => self.path_drop(cookie, elsewhere, now),
            // RFC 9853 §4: something newer.
            Ok(ReturnRoutabilityCheck::Unknown { .. }) => self.discard(Discard::UnexpectedContent),
            Err(_) => self.discard(Discard::Malformed),
        }
    }

    /// A challenge came in a record of so many `bytes`.
    fn challenged(&mut self, cookie: RrcCookie, elsewhere: Option<SocketAddr>, bytes: usize) {
        // Who is elsewhere may not have asked: our record may be much longer than the peer's, by an id that the peer chose;
        // which of its ids it will be is open.
        let longer = self.records.longest_spare_cid().saturating_sub(self.peer_cid().len());
        let needed = self.records.sealed_len(self.records.write_epoch(), RRC_LEN) + longer;
        let is_answered = elsewhere.is_none() || Allowance::of(bytes).spend(needed);
        let paths = self.paths.get_or_insert_default();
        let has_room = elsewhere.is_none() || paths.from_elsewhere < MAX_ELSEWHERE;
        if is_answered && has_room && paths.answers.len() < MAX_WAITING {
            paths.from_elsewhere += u8::from(elsewhere.is_some());
            paths.answers.push((cookie, elsewhere));
        } else {
            self.discard(Discard::PathChallengesFull);
            self.forget_paths_if_empty();
        }
    }
}
