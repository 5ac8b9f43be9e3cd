//! Application data costs no allocation, in either direction, once the handshake is over.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::ConnectionIds;
use gramseal_proto::wire::{CipherSuite, ContentType, HandshakeHeader, HandshakeType, MessageSeq, ProtocolVersion};
use gramseal_testkit::alloc_counter::allocations;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Peer, ack, first_hello};
use gramseal_testkit::sim::{Pair, Side, Sim};

fn connected(suite: CipherSuite, cids: ConnectionIds) -> (Sim, Pair) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 500);
    // A version that does not have the suite falls away.
    let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    let client = null::client_config(1).with_versions(&versions).with_cipher_suites(&[suite]);
    let server = null::server_config(2, identity).with_versions(&versions).with_cipher_suites(&[suite]);
    let (client, server) = (client.with_connection_ids(cids.clone()), server.with_connection_ids(cids));
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"warm up");
    (sim, pair)
}

#[test]
fn sealing_and_opening_records_allocates_nothing() {
    for suite in [
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite::TLS_AES_128_GCM_SHA256,
        CipherSuite::TLS_AES_256_GCM_SHA384,
        CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
        CipherSuite::TLS_AES_128_CCM_8_SHA256,
    ] {
        for cids in [ConnectionIds::Off, ConnectionIds::random()] {
            let (mut sim, pair) = connected(suite, cids);
            let now = sim.now();
            let (payload, mut datagram) = ([0x5A; 1000], [0; 1200]);
            for from in Side::BOTH {
                let mut opened = 0;
                let count = allocations(|| {
                    for _ in 0..100 {
                        let sender = sim.connection_mut(pair, from).expect("a connection");
                        let len = sender.seal(&payload, &mut datagram).expect("room for a record");
                        let receiver = sim.connection_mut(pair, from.peer()).expect("a connection");
                        for received in receiver.handle_datagram(now, &mut datagram[..len]) {
                            opened += usize::from(*received == payload);
                        }
                        // What a driver asks after every datagram.
                        assert!(receiver.poll_event().is_none());
                        assert!(receiver.poll_timeout().is_none_or(|(at, _)| at > now));
                    }
                });
                assert_eq!(opened, 100, "{suite} from the {from:?}");
                assert_eq!(count, 0, "allocations for 100 records of {suite} from the {from:?}");
            }
        }
    }
}

#[test]
fn datagrams_that_are_dropped_allocate_nothing() {
    for (suite, cids) in [
        (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ConnectionIds::Off),
        (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ConnectionIds::random()),
        (CipherSuite::TLS_AES_128_GCM_SHA256, ConnectionIds::Off),
        (CipherSuite::TLS_AES_128_GCM_SHA256, ConnectionIds::random()),
    ] {
        for side in Side::BOTH {
            drops_without_allocating(suite, cids.clone(), side);
        }
    }
}

/// Whole records that nothing protects, as anybody can make them.
fn plaintext() -> Vec<Vec<u8>> {
    let hello = first_hello(&Arc::new(null::client()), null::SERVER_NAME);
    let message = |msg_type, message_seq, body: &[u8]| {
        let length = u32::try_from(body.len()).expect("short");
        let header = HandshakeHeader::whole(msg_type, length, MessageSeq(message_seq)).to_bytes();
        [&header[..], body].concat()
    };
    let hellos = (0..12).map(|number| message(HandshakeType::CLIENT_HELLO, number, &hello));
    let fragments = hellos.clone().map(|whole| Peer::fragment(&whole, 50).remove(1));
    let finished = (0..12).map(|number| message(HandshakeType::FINISHED, number, &[7; 12]));
    let messages = hellos.chain(fragments).chain(finished).map(|message| (ContentType::HANDSHAKE, message));
    let alerts = [[1, 0], [2, 40]].map(|alert| (ContentType::ALERT, alert.to_vec()));
    let acks = [ack([]), ack((0..60).map(|number| (3, number)))].map(|ack| (ContentType::ACK, ack));
    let contents = messages.chain(alerts).chain(acks).chain([(ContentType::CHANGE_CIPHER_SPEC, vec![1])]);
    let mut stranger = Peer::new(Side::Client, 99);
    (1000..)
        .zip(contents)
        .map(|(number, (kind, content))| stranger.record_numbered(kind, 0, number, &content))
        .collect()
}

fn drops_without_allocating(suite: CipherSuite, cids: ConnectionIds, side: Side) {
    let plaintext = plaintext();
    let (mut sim, pair) = connected(suite, cids);
    let now = sim.now();
    let mut datagram = [0; 1200];
    let sender = sim.connection_mut(pair, side.peer()).expect("a connection");
    let len = sender.seal(b"payload", &mut datagram).expect("room for a record");
    let receiver = sim.connection_mut(pair, side).expect("a connection");
    // The first one makes room for the counters.
    let mut payloads = receiver.handle_datagram(now, &mut [0; 40]).count();
    let count = allocations(|| {
        for bit in 0..len * 8 {
            let mut damaged = datagram;
            damaged[bit / 8] ^= 1 << (bit % 8);
            payloads += receiver.handle_datagram(now, &mut damaged[..len]).count();
        }
        for first in 0..=255 {
            payloads += receiver.handle_datagram(now, &mut [first; 40]).count();
        }
        for record in &plaintext {
            let mut copy = [0; 1200];
            copy[..record.len()].copy_from_slice(record);
            payloads += receiver.handle_datagram(now, &mut copy[..record.len()]).count();
        }
    });
    assert_eq!((payloads, count), (0, 0), "payloads and allocations, {suite} {side:?}");
    assert!(receiver.is_connected());
}
