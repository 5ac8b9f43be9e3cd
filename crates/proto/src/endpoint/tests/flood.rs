//! Strangers in numbers: no state, no amplification, no panic.

use proptest::prelude::*;

use super::*;

#[test] // RFC 6347 §4.2.1
fn a_hundred_thousand_strangers_leave_nothing_behind() {
    let mut endpoint = server();
    let mut reply = Vec::new();
    let kinds = [
        hello(7),
        hello(7).with_cookie(&[0; 18]),
        hello(7).with_cookie(&[9; 32]),
        hello(7).cut(0, 36),
        hello(7).cut(36, usize::MAX),
    ]
    .map(|shape| shape.datagram());
    let mut replies = 0;
    let mut capacity = 0;
    for number in 0..100_000 {
        let datagram = &kinds[number as usize % kinds.len()];
        match endpoint.route(Instant::from_micros(number.into()), peer(number), datagram, &mut reply) {
            Route::Reply => {
                replies += 1;
                assert!(!reply.is_empty() && reply.len() <= datagram.len());
            }
            Route::Discard(Discard::HelloFragment) => {}
            other => panic!("{other:?}"),
        }
        if number == 0 {
            capacity = reply.capacity();
        }
    }
    assert_eq!((replies, endpoint.stats().cookies_sent), (80_000, 80_000));
    assert_eq!((endpoint.entries(), endpoint.stats().incoming), (0, 0));
    assert_eq!(reply.capacity(), capacity, "the reply buffer never grew");
}

fn shapes() -> impl Strategy<Value = HelloShape> {
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..=max);
    let cut = prop_oneof![Just(usize::MAX), 0..400_usize];
    (any::<[u8; 32]>(), bytes(32), bytes(255), 0..=20_u16, 0..1_u64 << 48, 0..300_usize, cut).prop_map(
        |(random, session_id, cookie, message_seq, sequence_number, rest, end)| HelloShape {
            random,
            session_id,
            cookie,
            message_seq,
            sequence_number,
            rest,
            fragment: (0, end),
            ..hello(0)
        },
    )
}

/// A hello of any shape with some bytes overwritten, or just bytes.
fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let damaged = (shapes(), damage).prop_map(|(shape, damage)| {
        let mut datagram = shape.datagram();
        for (index, byte) in damage {
            *index.get_mut(&mut datagram) = byte;
        }
        datagram
    });
    prop_oneof![damaged, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn a_reply_is_never_longer_than_its_request(shape in shapes()) {
        let mut endpoint = server();
        let datagram = shape.datagram();
        let (outcome, reply) = route(&mut endpoint, seconds(0), peer(1), &datagram);
        let answerable = shape.fragment.1 >= 36 + shape.session_id.len() + shape.cookie.len();
        prop_assert_eq!(outcome == Outcome::Reply, answerable && shape.message_seq <= 255);
        prop_assert!(reply.len() <= datagram.len());
    }

    #[test]
    fn no_datagram_panics_or_leaves_anything(datagrams in prop::collection::vec(datagrams(), 1..8)) {
        let mut endpoint = server();
        for datagram in &datagrams {
            let (outcome, reply) = route(&mut endpoint, seconds(0), peer(1), datagram);
            prop_assert!(matches!(outcome, Outcome::Reply | Outcome::Discard(_)), "{outcome:?}");
            prop_assert!(reply.len() <= datagram.len());
            prop_assert_eq!(endpoint.entries(), 0);
        }
    }

    #[test]
    fn any_hello_that_brings_its_cookie_back_is_offered(shape in shapes()) {
        let mut endpoint = server();
        let first = HelloShape { cookie: Vec::new(), message_seq: 0, fragment: (0, usize::MAX), ..shape };
        let second = proved(&mut endpoint, seconds(0), peer(1), &first);
        offered(&mut endpoint, seconds(20), peer(1), &second);
    }
}
