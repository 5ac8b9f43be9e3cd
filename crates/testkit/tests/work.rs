//! What strangers' bytes cost: each byte of a datagram is decrypted once at most, whatever epochs there are keys of, a
//! record costs one mask at most, and a hello without a cookie one MAC.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ConnectionIds, ServerConfig};
use gramseal_proto::endpoint::{Endpoint, EndpointConfig, Route};
use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::wire::handshake::KeyUpdateRequest;
use gramseal_proto::{Connection, Instant};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::rng::Rng;
use gramseal_testkit::sim::{Pair, Side, Sim};
use gramseal_testkit::spy::Work;

/// A connection whose cryptography is counted.
fn connected(work: &Work, version: ProtocolVersion, cids: ConnectionIds) -> (Sim, Pair) {
    let verifier = Arc::new(NullVerifier::default());
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let client = ClientConfig::builder(work.spied(&null::provider(1)), verifier)
        .with_versions(&[version])
        .with_connection_ids(cids.clone());
    let server = ServerConfig::builder(work.spied(&null::provider(2)), identity)
        .with_versions(&[version])
        .with_connection_ids(cids);
    let mut sim = Sim::new(1);
    let pair = sim.connect(client.build().expect("a client"), server.build().expect("a server"));
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
    sim.exchange(pair, b"hello");
    (sim, pair)
}

/// Datagrams full of the shortest records that anybody would try to open, and of longer ones.
fn forged(rng: &mut Rng, version: ProtocolVersion, sample: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    while datagram.len() < 1100 {
        let len = 17 + usize::try_from(rng.below(60)).expect("short");
        if version == ProtocolVersion::DTLS1_3 {
            // A unified header with two bytes of number and a length, in any epoch.
            let bits = u8::try_from(rng.below(4)).expect("two bits");
            datagram.extend([0x2C | bits, 0, u8::try_from(rng.below(256)).expect("a byte")]);
        } else {
            datagram.extend([23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0]);
            datagram.extend(u16::try_from(rng.below(1000)).expect("short").to_be_bytes());
        }
        datagram.extend(u16::try_from(len).expect("short").to_be_bytes());
        datagram.extend((0..len).map(|_| u8::try_from(rng.below(256)).expect("a byte")));
    }
    // A real record, which costs as much the second time as the first, comes along.
    datagram.extend_from_slice(sample);
    datagram
}

fn receive(connection: &mut Connection, now: Instant, datagram: &mut [u8]) {
    drop(connection.handle_datagram(now, datagram));
}

#[test]
fn a_byte_that_does_not_open_is_decrypted_once() {
    for version in [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3] {
        let work = Work::default();
        let (mut sim, pair) = connected(&work, version, ConnectionIds::Off);
        for round in 0..3 {
            for side in Side::BOTH {
                let mut rng = Rng::new(round);
                let sender = sim.connection_mut(pair, side.peer()).expect("connected");
                let mut sample = vec![0; sender.sealed_len(30)];
                let len = sender.seal(&[7; 30], &mut sample).expect("connected");
                let now = sim.now();
                let before = work.done();
                let (mut bytes, mut records) = (0, 0);
                for _ in 0..50 {
                    let mut datagram = forged(&mut rng, version, &sample[..len]);
                    bytes += datagram.len();
                    records += datagram.len() / 20;
                    receive(sim.connection_mut(pair, side).expect("connected"), now, &mut datagram);
                }
                let after = work.done();
                let opened = after.opened_bytes - before.opened_bytes;
                assert!(opened <= bytes, "{version}, {side:?}: {opened} bytes decrypted of {bytes}");
                assert!(opened > 0, "{version}, {side:?}: something was tried");
                assert!(after.masks - before.masks <= records, "{version}, {side:?}: masks");
                assert_eq!(after.keys, before.keys, "{version}, {side:?}: no key is made for a stranger");
                assert!(sim.connected(pair));
            }
            // Then with keys of more than one epoch.
            if version == ProtocolVersion::DTLS1_3 {
                sim.update_keys(pair, Side::Client, KeyUpdateRequest::Requested).expect("none is on its way");
                sim.run_for(Duration::from_secs(2));
            }
        }
    }
}

#[test] // RFC 6347 §4.2.1, RFC 9147 §5.1
fn a_hello_without_a_cookie_costs_one_mac_and_one_hash() {
    const HELLOS: usize = 100;
    // MACs and hashes for each hello without a cookie, and with somebody else's. Of 1.3 the whole hello is hashed, and
    // what of it must not change; in 1.2 such a cookie is as good as none, and another is made.
    for (version, costs) in [(ProtocolVersion::DTLS1_2, [(1, 0), (2, 0)]), (ProtocolVersion::DTLS1_3, [(1, 2), (1, 0)])]
    {
        let work = Work::default();
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let server = ServerConfig::builder(work.spied(&null::provider(2)), identity).with_versions(&[version]);
        let config = EndpointConfig::server(Arc::new(server.build().expect("a server"))).expect("all it takes");
        let mut endpoint = Endpoint::<u32>::new(config);
        let client = null::client_config(1).with_versions(&[version]).build().expect("a client");
        let name = null::SERVER_NAME.try_into().expect("a DNS name");
        let now = Instant::default();
        let mut client = Connection::client(Arc::new(client), name, now).expect("a client begins");
        let mut hello = Vec::new();
        assert!(client.poll_transmit(now, &mut hello));
        let mut reply = Vec::new();
        for (round, (macs, hashes)) in (1..).zip(costs) {
            let before = work.done();
            for number in 0..HELLOS {
                let port = u16::try_from(number).expect("few");
                let route = endpoint.route(now, ([192, 0, 2, round], port).into(), &hello, &mut reply);
                assert!(matches!(route, Route::Reply), "{version} {route:?}");
            }
            let after = work.done();
            let done = (after.macs - before.macs, after.hashes - before.hashes);
            assert_eq!(done, (macs * HELLOS, hashes * HELLOS), "{version} {round}");
            let bytes = after.hashed_bytes - before.hashed_bytes;
            assert!(bytes <= HELLOS * (2 * hello.len() + 64), "{version} {round}: {bytes} bytes");
            assert_eq!(
                (after.keys, after.mac_keys, after.exchanges, after.opened_bytes),
                (before.keys, before.mac_keys, before.exchanges, before.opened_bytes),
                "{version} {round}"
            );
            drop(client.handle_datagram(now, &mut reply.clone()));
            client.poll_transmit(now, &mut hello);
        }
        assert_eq!(endpoint.entries(), 0);
    }
}
