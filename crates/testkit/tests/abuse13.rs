//! Peers of 1.3 that have the keys and send anything: nothing panics, nobody connects without a Finished, and what is
//! sent in turn can be read.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::wire::{ContentType, HandshakeHeader, HandshakeType as T, MessageSeq, ProtocolVersion};
use gramseal_testkit::alloc_counter::memory;
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Form, Outcome, Peer13, Scene13};
use gramseal_testkit::rng::Rng;
use gramseal_testkit::sim::Side;

const HANDSHAKE: ContentType = ContentType::HANDSHAKE;

fn scene(under_test: Side) -> Scene13 {
    let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    match under_test {
        Side::Client => {
            let client = null::client_config(2).with_versions(&versions).with_post_handshake_auth();
            Scene13::client13(client.build().expect("a configuration"), 1)
        }
        Side::Server => {
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
            let verifier = Arc::new(NullVerifier::default());
            let server = null::server_config(3, identity).with_versions(&versions);
            let server = server.with_post_handshake_verifier(verifier).build();
            Scene13::server13(server.expect("a configuration"), 1)
        }
    }
}

struct Hostile {
    rng: Rng,
    /// Whether it has the keys of the handshake.
    keyed: bool,
}

impl Hostile {
    /// A message of any type but Finished, as it should be or not.
    fn message(&mut self, peer: &Peer13) -> Vec<u8> {
        let types = [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 13, 15, 24, 25, 67, 99, 254];
        let msg_type = T(types[self.rng.index(types.len())]);
        let mut body = if self.rng.index(3) == 0 { self.rng.junk(60) } else { peer.body_of(msg_type) };
        self.rng.damage(&mut body);
        Peer13::whole(msg_type, self.rng.byte(8).into(), &body)
    }

    /// A fragment whose fields need not fit each other.
    fn fragment(&mut self) -> Vec<u8> {
        let body = self.rng.junk(40);
        let mut header =
            HandshakeHeader::whole(T(self.rng.byte(30)), self.rng.byte(200).into(), MessageSeq(0)).to_bytes();
        header[5] = self.rng.byte(8);
        header[8] = self.rng.byte(200);
        header[11] = if self.rng.index(5) == 0 { self.rng.byte(255) } else { u8::try_from(body.len()).expect("short") };
        [&header[..], &body].concat()
    }

    fn datagram(&mut self, peer: &mut Peer13) -> Vec<u8> {
        let epochs: &[u64] = if self.keyed { &[0, 2, 2, 2, 3, 4] } else { &[0] };
        let epoch = epochs[self.rng.index(epochs.len())];
        let (content_type, content) = match self.rng.index(8) {
            0 => (ContentType(self.rng.byte(40)), self.rng.junk(80)),
            1 => (ContentType::ACK, self.rng.junk(40)),
            2 => {
                let count = self.rng.index(70);
                let numbers: Vec<(u64, u64)> = (0..count).map(|_| (self.rng.below(5), self.rng.below(20))).collect();
                (ContentType::ACK, gramseal_testkit::peer::ack(numbers))
            }
            3 => (HANDSHAKE, self.fragment()),
            4 => (HANDSHAKE, [self.fragment(), self.message(peer)].concat()),
            5 => (ContentType::APPLICATION_DATA, self.rng.junk(30)),
            _ => (HANDSHAKE, self.message(peer)),
        };
        // Alerts would end it too soon.
        let content_type = if content_type == ContentType::ALERT { HANDSHAKE } else { content_type };
        let form = Form {
            short_number: self.rng.index(2) == 0,
            without_length: self.rng.index(2) == 0,
            padding: self.rng.index(3),
        };
        let number = self.rng.below(60);
        let mut datagram = peer.record_formed(content_type, epoch, number, &content, form);
        self.rng.damage_datagram(&mut datagram);
        datagram
    }
}

#[test]
fn whatever_a_peer_with_the_keys_sends_it_does_not_connect_without_a_finished() {
    let mut ended = 0;
    for seed in 0..800_u64 {
        let side = Side::BOTH[usize::from(seed % 2 == 1)];
        let mut scene = scene(side);
        let honest = scene.handshake(false);
        let mut hostile = Hostile { rng: Rng::new(seed), keyed: false };
        let stage = hostile.rng.index(honest.len());
        scene.say(&honest[..stage]);
        hostile.keyed = stage > 0;
        for _ in 0..40 {
            let datagram = hostile.datagram(&mut scene.peer);
            scene.deliver([datagram]);
            if hostile.rng.index(10) == 0 {
                scene.advance(Duration::from_millis(hostile.rng.below(500)));
            }
            assert!(!scene.was_connected() && scene.received().is_empty(), "seed {seed}");
        }
        ended += usize::from(scene.outcome() != Outcome::Waiting);
        scene.advance(Duration::from_secs(600));
        assert!(matches!(scene.outcome(), Outcome::Closed(_)), "seed {seed}");
    }
    assert!((50..780).contains(&ended), "some end at once, some are waited for: {ended}");
}

#[test]
fn whatever_a_peer_sends_after_the_handshake_nothing_panics() {
    for seed in 0..300_u64 {
        let side = Side::BOTH[usize::from(seed % 2 == 1)];
        let mut scene = scene(side);
        scene.peer.offer_post_handshake_auth();
        scene.connect13();
        let mut hostile = Hostile { rng: Rng::new(seed), keyed: true };
        for _ in 0..40 {
            let datagram = hostile.datagram(&mut scene.peer);
            scene.deliver([datagram]);
            if hostile.rng.index(10) == 0 {
                // Clients cannot, and one request at a time is enough.
                let _ = scene.connection().authenticate_client();
                scene.advance(Duration::from_secs(hostile.rng.below(100)));
            }
        }
    }
}

/// Everything that a stranger can send without keys, and never stops sending.
#[test] // RFC 9147 §11
fn strangers_cost_no_memory_and_draw_few_datagrams() {
    for side in Side::BOTH {
        let mut scene = scene(side);
        let honest = scene.handshake(false);
        scene.say(&honest[..1]);
        scene.take_sent();
        let mut stranger = Hostile { rng: Rng::new(7), keyed: false };
        let mut other = Peer13::new(scene.peer.side(), 99);
        let before = scene.connection().stats().retransmissions;
        let memory = memory(|| {
            for _ in 0..8_000 {
                let content = if stranger.rng.below(2) == 0 { stranger.fragment() } else { stranger.message(&other) };
                let number = stranger.rng.below(1 << 20);
                let record = other.record_numbered(HANDSHAKE, 0, number, &content);
                scene.deliver([record]);
                scene.advance(Duration::from_millis(1));
                scene.take_sent();
            }
        });
        assert!(memory.most < 16 * 1024, "{side:?}: {memory:?}");
        // In 8 seconds: the timeouts after 0.4, 1.2, 2.8 and 6 s, and what a peer may ask for.
        let drawn = scene.connection().stats().retransmissions - before;
        assert!(drawn <= 4 + 8, "{side:?}: {drawn}");
        scene.say(&honest[1..]);
        assert_eq!(scene.outcome(), Outcome::Connected, "{side:?}");
    }
}
