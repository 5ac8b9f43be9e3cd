//! Why something that arrived was dropped, and how often.
//!
//! A [`Discard`] ends nothing: whoever can send a datagram can cause one (RFC 6347 §4.1.2.7,
//! RFC 9147 §4.5.2). It is a type of its own, with no conversion to an error that ends an
//! association, so that the two cannot be mixed up. `record`, `flight`, `connection` and `endpoint` share it.

use alloc::boxed::Box;
use core::fmt;

/// The reason why a datagram, a record or a handshake fragment was dropped.
///
/// The association goes on as if it had never arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Discard {
    /// Bytes of another protocol (RFC 7983, RFC 9443).
    Foreign,
    /// Not a record, or not what its content type promises.
    Malformed,
    /// The record's version is not one that DTLS uses here.
    UnknownVersion,
    /// The record's content type is not one that this version of DTLS knows.
    UnknownContentType,
    /// The record's epoch has no keys, and none are expected.
    UnknownEpoch,
    /// The record belongs to the next epoch, whose keys are not there yet.
    NextEpoch,
    /// The store for records of the next epoch is full.
    NextEpochFull,
    /// Early data, of which too much waits to be fetched already.
    EarlyDataFull,
    /// The sequence number is left of the replay window.
    TooOld,
    /// The sequence number was received before.
    Replayed,
    /// The record is not authentic.
    BadTag,
    /// So many forged records were tried on this key that it opens nothing any more.
    KeyWornOut,
    /// The record is longer than the protocol allows, or than what was agreed on (RFC 8449).
    Oversized,
    /// Content of this type has no place here at this time.
    UnexpectedContent,
    /// The fragment contradicts what was received of the same handshake message.
    FragmentMismatch,
    /// The handshake message is too far ahead of the next one expected.
    FragmentTooFarAhead,
    /// The handshake message was processed before.
    FragmentOld,
    /// The handshake message is longer than the configured limit.
    MessageTooLong,
    /// Reassembly holds as many bytes as it may.
    ReassemblyFull,
    /// Application data of an epoch whose Finished has not been verified yet.
    BeforeFinished,
    /// An alert that nothing authenticates.
    UnauthenticatedAlert,
    /// The record, or one after it in a datagram, has a connection id that is none of the association's, or of any
    /// (RFC 9146 §3, RFC 9147 §4).
    UnknownCid,
    /// The record has a connection id, and none was agreed on (RFC 9147 §9.1).
    UnnegotiatedCid,
    /// The record is protected and has no connection id, though one was agreed on.
    MissingCid,
    /// A path_response or path_drop that answers no path_challenge of ours (RFC 9853 §5.4).
    UnaskedPathAnswer,
    /// A path_challenge while too many wait to be answered (RFC 9853 §5.4).
    PathChallengesFull,
    /// The association has ended.
    Closed,
    /// Nothing that begins an association, from an address that has none.
    UnknownPeer,
    /// A part of a ClientHello, from an address that has no association, without all of the
    /// fields up to the cookie: it cannot be answered without keeping it.
    HelloFragment,
    /// A ClientHello of 1.3 shorter than its answer would be: who forges an address must not make us
    /// send more to it than they do.
    HelloTooShort,
    /// A ClientHello from an address of which one waits for the application already.
    AlreadyWaiting,
    /// A ClientHello while a limit of the endpoint is reached, which
    /// [`EndpointStats`](crate::endpoint::EndpointStats::limits) names.
    LimitReached,
}

impl Discard {
    /// Every reason, in the order in which [`DiscardCounts`] lists them.
    pub const ALL: [Self; 32] = [
        Self::Foreign,
        Self::Malformed,
        Self::UnknownVersion,
        Self::UnknownContentType,
        Self::UnknownEpoch,
        Self::NextEpoch,
        Self::NextEpochFull,
        Self::EarlyDataFull,
        Self::TooOld,
        Self::Replayed,
        Self::BadTag,
        Self::KeyWornOut,
        Self::Oversized,
        Self::UnexpectedContent,
        Self::FragmentMismatch,
        Self::FragmentTooFarAhead,
        Self::FragmentOld,
        Self::MessageTooLong,
        Self::ReassemblyFull,
        Self::BeforeFinished,
        Self::UnauthenticatedAlert,
        Self::UnknownCid,
        Self::UnnegotiatedCid,
        Self::MissingCid,
        Self::UnaskedPathAnswer,
        Self::PathChallengesFull,
        Self::Closed,
        Self::UnknownPeer,
        Self::HelloFragment,
        Self::HelloTooShort,
        Self::AlreadyWaiting,
        Self::LimitReached,
    ];

    /// A short name for counters and machine-readable output; never changes for a reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
            Self::UnknownVersion => "unknown_version",
            Self::UnknownContentType => "unknown_content_type",
            Self::UnknownEpoch => "unknown_epoch",
            Self::NextEpoch => "next_epoch",
            Self::NextEpochFull => "next_epoch_full",
            Self::EarlyDataFull => "early_data_full",
            Self::TooOld => "too_old",
            Self::Replayed => "replayed",
            Self::BadTag => "bad_tag",
            Self::KeyWornOut => "key_worn_out",
            Self::Oversized => "oversized",
            Self::UnexpectedContent => "unexpected_content",
            Self::FragmentMismatch => "fragment_mismatch",
            Self::FragmentTooFarAhead => "fragment_too_far_ahead",
            Self::FragmentOld => "fragment_old",
            Self::MessageTooLong => "message_too_long",
            Self::ReassemblyFull => "reassembly_full",
            Self::BeforeFinished => "before_finished",
            Self::UnauthenticatedAlert => "unauthenticated_alert",
            Self::UnknownCid => "unknown_cid",
            Self::UnnegotiatedCid => "unnegotiated_cid",
            Self::MissingCid => "missing_cid",
            Self::UnaskedPathAnswer => "unasked_path_answer",
            Self::PathChallengesFull => "path_challenges_full",
            Self::Closed => "closed",
            Self::UnknownPeer => "unknown_peer",
            Self::HelloFragment => "hello_fragment",
            Self::HelloTooShort => "hello_too_short",
            Self::AlreadyWaiting => "already_waiting",
            Self::LimitReached => "limit_reached",
        }
    }

    /// What happened, as the end of a sentence for people.
    const fn description(self) -> &'static str {
        match self {
            Self::Foreign => "not a DTLS datagram",
            Self::Malformed => "not a well-formed record",
            Self::UnknownVersion => "record of another version",
            Self::UnknownContentType => "record of an unknown content type",
            Self::UnknownEpoch => "record of an unknown epoch",
            Self::NextEpoch => "record of the next epoch, which has no keys yet",
            Self::NextEpochFull => "no room for more records of the next epoch",
            Self::EarlyDataFull => "no room for more early data",
            Self::TooOld => "record older than the replay window",
            Self::Replayed => "record received before",
            Self::BadTag => "record that is not authentic",
            Self::KeyWornOut => "record for a key that saw too many forgeries",
            Self::Oversized => "record longer than allowed",
            Self::UnexpectedContent => "content that has no place here",
            Self::FragmentMismatch => "handshake fragment that contradicts an earlier one",
            Self::FragmentTooFarAhead => "handshake fragment too far ahead",
            Self::FragmentOld => "handshake fragment of a message already processed",
            Self::MessageTooLong => "handshake message longer than allowed",
            Self::ReassemblyFull => "no room for more handshake fragments",
            Self::BeforeFinished => "application data before Finished",
            Self::UnauthenticatedAlert => "alert that is not authenticated",
            Self::UnknownCid => "record with an unknown connection id",
            Self::UnnegotiatedCid => "record with a connection id, where none was agreed on",
            Self::MissingCid => "record without the connection id that was agreed on",
            Self::UnaskedPathAnswer => "path_response or path_drop that answers nothing",
            Self::PathChallengesFull => "no room for more path_challenges",
            Self::Closed => "the association has ended",
            Self::UnknownPeer => "nothing that begins an association, from an unknown peer",
            Self::HelloFragment => "part of a ClientHello without its cookie field, from an unknown peer",
            Self::HelloTooShort => "ClientHello shorter than its answer",
            Self::AlreadyWaiting => "ClientHello from a peer whose handshake waits for the application",
            Self::LimitReached => "ClientHello while a limit of the endpoint is reached",
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// How often each [`Discard`] happened. A count stops at [`u32::MAX`].
///
/// There is memory for it, 4 bytes a reason, from the first one on: an idle connection has usually seen none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiscardCounts {
    counts: Option<Box<[u32; Discard::ALL.len()]>>,
}

impl DiscardCounts {
    /// Adds one for `reason`.
    pub fn count(&mut self, reason: Discard) {
        let counts = self.counts.get_or_insert_with(|| Box::new([0; Discard::ALL.len()]));
        if let Some(count) = counts.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        let Some(others) = other.counts.as_deref() else { return };
        let counts = self.counts.get_or_insert_with(|| Box::new([0; Discard::ALL.len()]));
        for (count, other) in counts.iter_mut().zip(others) {
            *count = count.saturating_add(*other);
        }
    }

    /// How often `reason` happened.
    #[must_use]
    pub fn get(&self, reason: Discard) -> u32 {
        self.counts.as_ref().and_then(|counts| counts.get(reason as usize)).copied().unwrap_or_default()
    }

    /// How often anything was dropped.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| u64::from(count)).sum()
    }

    /// Every reason with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Discard, u32)> + '_ {
        Discard::ALL.into_iter().map(|reason| (reason, self.get(reason)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    use super::{Discard, DiscardCounts};

    #[test]
    fn every_reason_is_listed_at_its_own_index() {
        for (index, reason) in Discard::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason}");
        }
    }

    #[test]
    fn names_and_descriptions_tell_reasons_apart() {
        let names: BTreeSet<_> = Discard::ALL.iter().map(|reason| reason.name()).collect();
        let texts: BTreeSet<_> = Discard::ALL.iter().map(ToString::to_string).collect();
        assert_eq!((names.len(), texts.len()), (Discard::ALL.len(), Discard::ALL.len()));
    }

    #[test]
    fn counts_are_kept_apart_and_do_not_wrap() {
        let mut counts = DiscardCounts::default();
        counts.count(Discard::BadTag);
        counts.count(Discard::BadTag);
        counts.count(Discard::Closed);
        assert_eq!((counts.get(Discard::BadTag), counts.get(Discard::Closed), counts.total()), (2, 1, 3));
        assert_eq!(counts.iter().filter(|(_, count)| *count > 0).count(), 2);

        counts.counts.as_mut().expect("counted above")[Discard::BadTag as usize] = u32::MAX;
        counts.count(Discard::BadTag);
        assert_eq!(counts.get(Discard::BadTag), u32::MAX);

        let mut sum = DiscardCounts::default();
        sum.add(&DiscardCounts::default());
        assert_eq!(sum, DiscardCounts::default(), "nothing is no memory");
        (0..2).for_each(|_| sum.add(&counts));
        assert_eq!((sum.get(Discard::BadTag), sum.get(Discard::Closed), sum.get(Discard::Foreign)), (u32::MAX, 2, 0));
    }
}
