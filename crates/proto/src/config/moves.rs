//! What comes of records from another address than the peer's.

/// How a peer that seems to have moved is checked where both sides agreed on return routability checks (RFC 9853 §5).
///
/// Either way an answer from where the newest record came is needed before the peer's address changes. Meanwhile what is
/// sent to the peer goes where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the standard has two")]
pub enum PathCheck {
    /// The peer is asked where it was first (RFC 9853 §5.2). If it answers there it stays there: somebody sent its record
    /// on from elsewhere, and would have got between the two. That does not stop somebody who drops records, or whose copies
    /// are faster in both directions: the peer answers to where the challenge seems to come from, and the answer may be
    /// kept there. The price: behind a NAT that has forgotten it, a peer is
    /// believed only after three round trips, or [`Transport::path_check_timeout`](super::Transport::path_check_timeout) if
    /// they are not known.
    #[default]
    Enhanced,
    /// The peer is asked where it seems to be at once (RFC 9853 §5.1): no time is lost, and who sees its records on their
    /// way and is faster than they are can bring the connection to a path of their own.
    Basic,
}

/// What comes of the newest authentic record when it has one of our connection ids, comes from another address than the
/// peer's, and return routability checks were not agreed on. What is late, replayed or forged moves no peer in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "whether to believe it is a yes or no")]
pub enum MovePolicy {
    /// Nothing: what is sent to the peer goes where it was. RFC 9146 §6 forbids more to who cannot tell whether the peer
    /// receives anything there. With `gramseal_proto` alone [`Event::PeerElsewhere`](crate::Event::PeerElsewhere) tells of
    /// it, and [`set_peer`](crate::Connection::set_peer) may name another place. `gramseal` writes it to the log, and the
    /// peer stays where it was.
    #[default]
    Stay,
    /// The peer is there from now on. It is for peers that do not know RFC 9853, behind NATs, and for applications that
    /// send little to who has not sent something itself: who can see records on their way and forge addresses can have
    /// what is sent to the peer delivered to somebody else, until its next record comes. No key of theirs opens it, but
    /// it may be much, and it is lost to the peer.
    FollowNewest,
}
