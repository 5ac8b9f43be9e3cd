//! A peer that seems to have moved: whether it is where its newest record came from (RFC 9853 §5).
//!
//! ```text
//!       newest record, from elsewhere
//!      Enhanced |            | Basic
//!               v            |
//!   Before: path_challenge   |   T is up, or path_drop
//!     to where it was -------+------------------> After: path_challenge to where it seems to be
//!               |                                   |                    |
//!               | path_response                     | path_response      | T is up
//!               v                                   v from there         v
//!            it stays                            it has moved         it stays
//! ```
//!
//! Until it has moved, what the association sends goes where the peer was. Where it seems to be may be somebody who never
//! asked for anything: nothing but challenges and answers to the peer's own goes there, and three times as many bytes at
//! most as came from there. One check goes on at a time; who moves again meanwhile is checked when it is heard of next.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use gramseal_wire::return_routability::{ReturnRoutabilityCheck, RrcCookie};
use gramseal_wire::{Codec, ContentType};
use subtle::ConstantTimeEq;

use super::allowance::Allowance;
use super::paths::RRC_LEN;
use super::stats::{RoundTrip, count};
use super::{Connection, address};
use crate::config::PathCheck;
use crate::discard::Discard;
use crate::time::Instant;

/// How many challenges go to each address: one in each third of T, which is a round trip where T is three
/// (RFC 9853 §5.3, §5.5).
const CHALLENGES: u8 = 3;
/// Less of T would ask for answers that could not be there yet.
const LEAST_T: Duration = Duration::from_millis(30);
/// What is measured on a fast path says little of the time that a busy peer takes.
const LEAST_MEASURED_T: Duration = Duration::from_millis(100);

/// Whom the check asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The peer where it was.
    Before,
    /// Whoever is where it seems to be.
    After,
}

/// A check that goes on.
#[derive(Debug)]
pub(super) struct Checking {
    /// Where the peer seems to be.
    to: SocketAddr,
    stage: Stage,
    /// Whether a challenge waits to be sent.
    due: bool,
    /// How many more there will be in this stage.
    left: u8,
    /// When the next one is due, or T is up.
    next: Instant,
    interval: Duration,
    /// When the last challenge became due.
    asked: Instant,
    /// What was sent. A late answer from where the peer was still says that it is there.
    sent: Vec<Challenge>,
    allowance: Allowance,
}

/// A path_challenge that was sent.
#[derive(Debug, Clone, Copy)]
struct Challenge {
    cookie: RrcCookie,
    stage: Stage,
    at: Instant,
}

impl Checking {
    /// A challenge is due, and `left` more after it.
    fn ask(&mut self, left: u8, now: Instant) {
        (self.due, self.left, self.asked, self.next) = (true, left, now, now + self.interval);
    }
}

impl Connection {
    /// Where the peer seems to be, while a [check](crate::config::PathCheck) of that goes on. Who has several addresses can
    /// note which of them it wrote to, for what [`poll_transmit_to`](Self::poll_transmit_to) sends there later.
    #[must_use]
    pub fn checked_address(&self) -> Option<SocketAddr> {
        self.paths.as_ref()?.check.as_ref().map(|check| check.to)
    }

    fn checking(&mut self) -> Option<&mut Checking> {
        self.paths.as_mut()?.check.as_mut()
    }

    /// When the check wants to go on.
    pub(super) fn path_deadline(&self) -> Option<Instant> {
        self.paths.as_ref()?.check.as_ref().map(|check| check.next)
    }

    /// So many `bytes` came from there in a record that opened (RFC 9853 §2).
    pub(super) fn allow_to(&mut self, from: SocketAddr, bytes: usize) {
        if let Some(check) = self.checking().filter(|check| check.to == from) {
            check.allowance.received(bytes);
        }
    }

    /// So many bytes go there: an answer to a challenge that came from there, which has allowed it.
    pub(super) fn count_to(&mut self, to: SocketAddr, bytes: usize) {
        if let Some(check) = self.checking().filter(|check| check.to == to) {
            check.allowance.went(bytes);
        }
    }

    /// The newest record, of so many `bytes`, came from `to`.
    pub(super) fn check_path(&mut self, to: SocketAddr, bytes: usize, now: Instant) {
        if self.checking().is_some() {
            return;
        }
        let stage = match self.role.common().transport.path_check {
            PathCheck::Enhanced => Stage::Before,
            PathCheck::Basic => Stage::After,
        };
        let allowance = Allowance::of(bytes);
        let (sent, interval) = (Vec::new(), Duration::ZERO);
        let check = Checking { to, stage, due: false, left: 0, next: now, interval, asked: now, sent, allowance };
        self.paths.get_or_insert_default().check = Some(check);
        count(&mut self.stats.paths().begun, 1);
        self.begin_path_stage(stage, now);
    }

    fn begin_path_stage(&mut self, stage: Stage, now: Instant) {
        let timeout = self.role.common().transport.path_check_timeout;
        // RFC 9853 §5.5: of the new path nothing is known.
        let measured = self.stats.round_trip().map(|once| (3 * once).max(LEAST_MEASURED_T));
        let t = match stage {
            Stage::Before => measured.unwrap_or(timeout),
            Stage::After => timeout.max(measured.unwrap_or_default()),
        };
        // Whoever delays an answer is not to make later checks last as long as it likes.
        let t = t.min(4 * timeout).max(LEAST_T);
        let interval = t / CHALLENGES.into();
        let Some(check) = self.checking() else { return };
        (check.stage, check.interval) = (stage, interval);
        check.ask(CHALLENGES - 1, now);
    }

    /// Asks again, or goes on to the next stage, or gives up.
    pub(super) fn mind_path_check(&mut self, now: Instant) {
        let Some(check) = self.checking().filter(|check| check.next <= now) else { return };
        match (check.left.checked_sub(1), check.stage) {
            (Some(left), _) => check.ask(left, now),
            (None, Stage::Before) => self.begin_path_stage(Stage::After, now),
            (None, Stage::After) => {
                count(&mut self.stats.paths().failed, 1);
                self.end_path_check();
            }
        }
    }

    pub(super) fn end_path_check(&mut self) {
        if let Some(paths) = &mut self.paths {
            paths.check = None;
        }
        self.forget_paths_if_empty();
    }

    /// path_response came, from `elsewhere` if that is not where the peer is.
    pub(super) fn path_response(&mut self, cookie: RrcCookie, elsewhere: Option<SocketAddr>, now: Instant) {
        let Some(Challenge { stage, at, .. }) = self.path_answered(cookie, elsewhere) else {
            return self.discard(Discard::UnaskedPathAnswer);
        };
        let taken = now.saturating_since(at);
        match (stage, self.checking().map(|check| check.to)) {
            (Stage::After, Some(to)) => {
                count(&mut self.stats.paths().succeeded, 1);
                // Answers to somewhere else may have had another one meanwhile.
                self.lend_cid(to);
                self.peer_moved(to);
                self.stats.round_trip = RoundTrip::of(taken);
            }
            // RFC 9853 §5.2: it is still where it was, and wants to be.
            _ => {
                count(&mut self.stats.paths().refuted, 1);
                self.end_path_check();
                // Of the same path as before: only less says something.
                self.stats.round_trip.measured(Some(taken));
            }
        }
    }

    /// path_drop came, from `elsewhere` if that is not where the peer is.
    pub(super) fn path_drop(&mut self, cookie: RrcCookie, elsewhere: Option<SocketAddr>, now: Instant) {
        let asked = self.path_answered(cookie, elsewhere).map(|challenge| challenge.stage);
        match (asked, self.checking().map(|check| check.stage)) {
            (Some(Stage::Before), Some(Stage::Before)) => self.begin_path_stage(Stage::After, now),
            // That is known, or taken for granted.
            (Some(Stage::Before), _) => {}
            // It is there, and does not want to be.
            (Some(Stage::After), _) => {
                count(&mut self.stats.paths().failed, 1);
                self.end_path_check();
            }
            (None, _) => self.discard(Discard::UnaskedPathAnswer),
        }
    }

    /// The challenge with this cookie; `None` if there was none.
    ///
    /// That the peer has moved is shown by an answer from there alone: the path has to work both ways (RFC 9853 §5.4). That
    /// it receives what goes where it was is shown by the cookie, and whoever sends its records on faster than it can send
    /// them may do so with the answer, too.
    fn path_answered(&mut self, cookie: RrcCookie, elsewhere: Option<SocketAddr>) -> Option<Challenge> {
        let check = self.checking()?;
        let is_there = elsewhere.map(address) == Some(check.to);
        let same = |sent: &Challenge| bool::from(sent.cookie.0.as_slice().ct_eq(&cookie.0));
        let answers = |sent: &Challenge| same(sent) && (is_there || sent.stage == Stage::Before);
        let at = check.sent.iter().position(answers)?;
        Some(check.sent.swap_remove(at))
    }

    /// A challenge to where the peer was, if one is due and fits.
    pub(super) fn put_challenge_to_peer(&mut self, datagram: &mut Vec<u8>) {
        let needed = self.challenge_len();
        let fits = datagram.len() + needed <= self.mtu.bytes();
        if self.checking().is_some_and(|check| check.due && check.stage == Stage::Before) && fits {
            self.put_challenge(datagram);
        }
    }

    /// A challenge to where the peer seems to be, if one is due and as much came from there; says where that is.
    pub(super) fn put_challenge_elsewhere(&mut self, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        if self.waits_for_checkpoint() {
            return None;
        }
        let to = self.checking().filter(|check| check.due && check.stage == Stage::After)?.to;
        self.put_elsewhere(to, |connection| {
            let needed = connection.challenge_len();
            // It waits until more came; the time goes on.
            if connection.checking().is_some_and(|check| check.allowance.spend(needed)) {
                connection.put_challenge(datagram);
            }
        });
        (!datagram.is_empty()).then_some(to)
    }

    fn challenge_len(&self) -> usize {
        self.records.sealed_len(self.records.write_epoch(), RRC_LEN)
    }

    fn put_challenge(&mut self, datagram: &mut Vec<u8>) {
        // RFC 9853 §5.3, §8: a new one each time. Without randomness nobody is asked.
        let cookie = self.role.common().provider.random_array().map(RrcCookie);
        let Some(check) = self.checking() else { return };
        check.due = false;
        let Ok(cookie) = cookie else { return };
        check.sent.push(Challenge { cookie, stage: check.stage, at: check.asked });
        if let Ok(challenge) = ReturnRoutabilityCheck::PathChallenge(cookie).to_vec() {
            // Without keys the association ends; the check ends by its timer.
            let epoch = self.records.write_epoch();
            let _ = self.put_record(epoch, ContentType::RETURN_ROUTABILITY_CHECK, &challenge, datagram);
        }
    }
}
