//! Many payloads sealed at once: records of one length next to each other.

use std::time::Duration;

use gramseal_proto::wire::{CipherSuite, ProtocolVersion};
use gramseal_proto::{Connection, SealedBatch, SendError};
use gramseal_testkit::alloc_counter::allocations;
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

const SUITES: [CipherSuite; 2] =
    [CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, CipherSuite::TLS_AES_128_GCM_SHA256];

fn connected(suite: CipherSuite) -> (Sim, Pair) {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 500);
    let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    let client = null::client_config(1).with_versions(&versions).with_cipher_suites(&[suite]);
    let server = null::server_config(2, identity).with_versions(&versions).with_cipher_suites(&[suite]);
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"warm up");
    (sim, pair)
}

fn client(sim: &mut Sim, pair: Pair) -> &mut Connection {
    sim.connection_mut(pair, Side::Client).expect("a connection")
}

/// Cuts a batch as a system does, and opens what comes out.
fn opened(sim: &mut Sim, pair: Pair, batch: SealedBatch, out: &mut [u8]) -> Vec<Vec<u8>> {
    let now = sim.now();
    let server = sim.connection_mut(pair, Side::Server).expect("a connection");
    let datagrams = out[..batch.bytes].chunks_mut(batch.segment);
    assert_eq!(datagrams.len(), batch.records);
    datagrams
        .flat_map(|datagram| server.handle_datagram(now, datagram).map(|payload| payload.to_vec()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_batch_has_records_of_one_length_and_perhaps_a_shorter_one() {
    for suite in SUITES {
        let (mut sim, pair) = connected(suite);
        let lengths = [100, 100, 100, 40, 40, 90, 90, 0, 0, 7];
        let payloads: Vec<Vec<u8>> = (0..).zip(lengths).map(|(n, len)| vec![n; len]).collect();
        let (mut rest, mut counts, mut received) = (&payloads[..], Vec::new(), Vec::new());
        let mut out = vec![0; 10_000];
        while !rest.is_empty() {
            let batch = client(&mut sim, pair).seal_batch(rest, &mut out).expect("a batch");
            counts.push(batch.records);
            rest = &rest[batch.records..];
            received.extend(opened(&mut sim, pair, batch, &mut out));
        }
        assert_eq!(counts, [4, 1, 3, 1, 1], "{suite}: a longer record begins another batch");
        assert_eq!(received, payloads);
        let none: [&[u8]; 0] = [];
        assert_eq!(client(&mut sim, pair).seal_batch(&none, &mut out).map(|batch| batch.records), Ok(0));
    }
}

#[test]
fn a_batch_ends_where_the_room_does() {
    for suite in SUITES {
        let (mut sim, pair) = connected(suite);
        let payloads = [[7; 100]; 5];
        let record = client(&mut sim, pair).sealed_len(100);
        let mut out = vec![0; 3 * record + record / 2];
        let batch = client(&mut sim, pair).seal_batch(&payloads, &mut out).expect("a batch");
        assert_eq!((batch.records, batch.bytes, batch.segment), (3, 3 * record, record));
        assert_eq!(opened(&mut sim, pair, batch, &mut out), payloads[..3]);
        let refused = client(&mut sim, pair).seal_batch(&payloads, &mut out[..record - 1]);
        assert_eq!(refused, Err(SendError::BufferTooSmall { needed: record }));
    }
}

#[test]
fn what_is_too_long_ends_a_batch_and_fails_as_its_first() {
    for suite in SUITES {
        let (mut sim, pair) = connected(suite);
        let limit = client(&mut sim, pair).max_payload();
        let payloads = [vec![1; limit], vec![2; limit], vec![3; limit + 1], vec![4; 5]];
        let mut out = vec![0; 10_000];
        let batch = client(&mut sim, pair).seal_batch(&payloads, &mut out).expect("a batch");
        assert_eq!(opened(&mut sim, pair, batch, &mut out), payloads[..2]);
        let sealed = client(&mut sim, pair).stats().records_sealed;
        let refused = client(&mut sim, pair).seal_batch(&payloads[2..], &mut out);
        assert_eq!(refused, Err(SendError::TooLarge { limit }));
        assert_eq!(client(&mut sim, pair).stats().records_sealed, sealed, "no number was used");
        let batch = client(&mut sim, pair).seal_batch(&payloads[3..], &mut out).expect("a batch");
        assert_eq!(opened(&mut sim, pair, batch, &mut out), payloads[3..]);
    }
}

#[test]
fn batches_allocate_nothing() {
    for suite in SUITES {
        let (mut sim, pair) = connected(suite);
        let client = client(&mut sim, pair);
        let (payloads, mut out) = ([[7; 1000]; 20], vec![0; 30_000]);
        let count = allocations(|| {
            for _ in 0..10 {
                assert_eq!(client.seal_batch(&payloads, &mut out).map(|batch| batch.records), Ok(20));
            }
        });
        assert_eq!(count, 0);
    }
}
