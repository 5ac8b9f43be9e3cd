//! Which hellos are answered, however they are cut and numbered.

use gramseal_wire::ProtocolVersion;

use super::*;

/// Bytes of the fields up to and with an empty cookie field.
const PREFIX: usize = 2 + 32 + 1 + 1;

#[test] // RFC 6347 §4.2.1: the numbers are checked where the cookie is taken from the reply
fn the_reply_copies_the_numbers_of_the_hello() {
    let mut endpoint = server();
    let shape = HelloShape { message_seq: 3, sequence_number: 0x0102_0304_0506, ..hello(7) };
    proved(&mut endpoint, seconds(0), peer(1), &shape);
}

#[test]
fn a_first_fragment_up_to_the_cookie_is_enough() {
    let mut endpoint = server();
    let first = hello(7).cut(0, PREFIX);
    let second = proved(&mut endpoint, seconds(0), peer(1), &first);
    let end = PREFIX + second.cookie.len();
    let cut_short = outcome(&mut endpoint, seconds(0), peer(1), &second.clone().cut(0, end - 1));
    assert_eq!(cut_short, Outcome::Discard(Discard::HelloFragment));
    offered(&mut endpoint, seconds(0), peer(1), &second.cut(0, end));
}

#[test]
fn other_fragments_from_unknown_addresses_are_dropped() {
    let mut endpoint = server();
    for shape in [hello(7).cut(PREFIX, usize::MAX), hello(7).cut(1, 60), hello(7).cut(0, PREFIX - 1)] {
        assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &shape), Outcome::Discard(Discard::HelloFragment));
    }
    assert_eq!((endpoint.stats().discards.get(Discard::HelloFragment), endpoint.entries()), (3, 0));
}

#[test]
fn hellos_that_no_client_sends_are_dropped() {
    let mut endpoint = server();
    let cases = [
        (HelloShape { epoch: 1, ..hello(7) }, Discard::UnknownPeer),
        (HelloShape { record_version: ProtocolVersion(0x0303), ..hello(7) }, Discard::UnknownVersion),
        (HelloShape { version: ProtocolVersion(0x0303), ..hello(7) }, Discard::UnknownVersion),
        (HelloShape { message_seq: 256, ..hello(7) }, Discard::FragmentTooFarAhead),
    ];
    for (shape, reason) in cases {
        assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &shape), Outcome::Discard(reason));
    }
    let mut server_hello = hello(7).datagram();
    server_hello[13] = 2;
    assert_eq!(route(&mut endpoint, seconds(0), peer(1), &server_hello).0, Outcome::Discard(Discard::UnknownPeer));
    let datagram = hello(7).datagram();
    for end in 1..datagram.len() {
        let cut = route(&mut endpoint, seconds(0), peer(1), &datagram[..end]).0;
        assert_eq!(cut, Outcome::Discard(Discard::Malformed), "{end}");
    }
}

#[test] // A datagram full of hellos must not be answered more than once.
fn many_hellos_in_one_datagram_get_one_answer() {
    let mut endpoint = server();
    let datagram = [hello(7).datagram(), hello(8).datagram(), hello(9).datagram()].concat();
    let (outcome, reply) = route(&mut endpoint, seconds(0), peer(1), &datagram);
    assert_eq!(outcome, Outcome::Reply);
    cookie_of(&reply, &hello(7));
    assert_eq!(endpoint.stats().cookies_sent, 1);
}
