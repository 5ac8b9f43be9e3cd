//! DTLS 1.3 between two of ours, over networks good and bad (RFC 9147).

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{KINDS, Kind, Large};
use gramseal_proto::config::Transport;
use gramseal_proto::wire::{AlertDescription, ProtocolVersion};
use gramseal_proto::{AlertReceived, CloseReason, Error, ExportError, KeyLog};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::sim::{Pair, Side, Sim};

/// One timeout, a few round trips of 20 ms, and nothing that is waited for in vain.
const ENOUGH: Duration = Duration::from_secs(2);

fn kinds() -> impl Iterator<Item = Kind> {
    KINDS.into_iter().filter(|kind| kind.dtls13)
}

fn connect(kind: Kind, sim: Sim, seed: u64, patience: Duration) -> (Sim, Pair) {
    let (mut sim, pair) = kind.connect(sim, seed, patience);
    if let Err(stuck) = sim.run_until(|sim| sim.connected(pair), patience) {
        panic!("{}: {stuck:?}", kind.name);
    }
    kind.check(&sim, pair);
    (sim, pair)
}

#[test] // RFC 9147 §7.1
fn an_undisturbed_handshake_needs_one_ack_and_repeats_nothing() {
    for kind in kinds().filter(|kind| !kind.slow) {
        let (mut sim, pair) = connect(kind, Sim::new(3), 3, ENOUGH);
        sim.run_for(Duration::from_secs(100));
        let stats = Side::BOTH.map(|side| sim.connection(pair, side).expect("connected").stats().clone());
        let [client, server] = &stats;
        assert_eq!((client.retransmissions, server.retransmissions), (0, 0), "{}", kind.name);
        // And each datagram with tickets needs one; here they are in one.
        let tickets = u32::from(kind.resumption.is_some());
        let share_len = if kind.large == Large::None { 0 } else { 1120 };
        if (kind.certificate_len + share_len) / kind.mtu < 6 {
            assert_eq!((client.acks_sent, server.acks_sent), (tickets, 1), "{}", kind.name);
        } else {
            // RFC 9147 §5.8.3: of flights of more than ten records the first ten are acknowledged too.
            assert!((1..=2).contains(&client.acks_sent) && (1..=3).contains(&server.acks_sent), "{}", kind.name);
        }
        assert_eq!((client.acks_received, server.acks_received), (server.acks_sent, client.acks_sent), "{}", kind.name);
    }
}

#[test] // RFC 9147 §5.8.1
fn any_single_datagram_may_get_lost() {
    for kind in kinds() {
        let (baseline, pair) = connect(kind, Sim::new(1), 1, ENOUGH);
        for side in Side::BOTH {
            let count = baseline.sent_by(pair, side).count();
            assert!(count > 0, "{}: the {side:?} sends something", kind.name);
            for index in 0..count {
                let mut sim = Sim::new(1);
                sim.drop_nth(side, index);
                let (mut sim, pair) = connect(kind, sim, 1, ENOUGH);
                // What both believe must be so: nothing that was lost may show later.
                sim.run_for(Duration::from_secs(100));
                assert!(sim.connected(pair), "{}, {side:?} datagram {index}", kind.name);
                sim.exchange(pair, b"still there");
            }
        }
    }
}

/// What each side allows, and what comes of it.
#[test] // RFC 9147 §5.3, §5.4
fn each_pair_of_sides_agrees_on_the_newest_version_of_both() {
    let (older, newer) = (ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3);
    let lists = [&[older][..], &[newer], &[newer, older]];
    for ours in lists {
        for theirs in lists {
            let common = lists.map(|list| list.first()).into_iter().flatten();
            let newest =
                common.filter(|version| ours.contains(version) && theirs.contains(version)).min_by_key(|v| v.0);
            let client = null::client_config(2).with_versions(ours).build().expect("a configuration");
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
            let server = null::server_config(3, identity).with_versions(theirs).build().expect("a configuration");
            let (client, server) = (Arc::new(client), Arc::new(server));
            for mut sim in [Sim::new(1), Sim::new(1).without_cookies()] {
                let pair = sim.connect(client.clone(), server.clone());
                let ended = |sim: &Sim| sim.connected(pair) || sim.closed(pair, Side::Client).is_some();
                sim.run_until(ended, ENOUGH * 3).expect("it works or it does not");
                let Some(version) = newest else {
                    let refused =
                        AlertReceived { description: AlertDescription::PROTOCOL_VERSION, authenticated: false };
                    let failed = CloseReason::Failed(Error::AlertReceived(refused));
                    assert_eq!(sim.closed(pair, Side::Client), Some(&failed));
                    continue;
                };
                let connection = sim.connection(pair, Side::Client).expect("connected");
                assert_eq!(connection.negotiated().map(|agreed| agreed.version), Some(*version));
                sim.exchange(pair, b"agreed");
            }
        }
    }
}

#[test] // RFC 9147 §5.5
fn hellos_that_need_several_datagrams_are_asked_for_a_cookie_too() {
    let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    let transport = Transport { mtu: 256, ..Transport::default() };
    let protocols: Vec<String> =
        (0..10).map(|number| format!("a protocol with a long name, number {number}")).collect();
    let client = null::client_config(2).with_versions(&versions).with_alpn(&protocols).with_transport(transport);
    let client = Arc::new(client.build().expect("a configuration"));
    for theirs in [&versions[..], &versions[..1], &versions[1..]] {
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let server = null::server_config(3, identity).with_versions(theirs).build().expect("a configuration");
        let server = Arc::new(server);
        for lost in (0..6).map(Some).chain([None]) {
            let mut sim = Sim::new(1);
            if let Some(index) = lost {
                sim.drop_nth(Side::Client, index);
            }
            let pair = sim.connect(client.clone(), server.clone());
            if let Err(stuck) = sim.run_until(|sim| sim.connected(pair), ENOUGH) {
                panic!("{theirs:?}, lost {lost:?}: {stuck:?}");
            }
            assert!(sim.sent_by(pair, Side::Client).all(|sent| sent.bytes.len() <= 256));
            let agreed = sim.connection(pair, Side::Client).and_then(|connection| connection.negotiated());
            assert_eq!(agreed.map(|agreed| agreed.version), theirs.first().copied());
            sim.exchange(pair, b"agreed");
        }
    }
}

#[test] // RFC 6347 §4.2.1
fn a_client_of_both_versions_shows_its_cookie_to_a_server_of_the_older() {
    let versions = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
    let client = null::client_config(2).with_versions(&versions).build().expect("a configuration");
    let mut sim = Sim::new(1);
    let pair = sim.connect(client, null::server());
    sim.run_until(|sim| sim.connected(pair), ENOUGH).expect("both sides connect");
    sim.exchange(pair, b"agreed");
}

#[test] // RFC 9846 §7.5
fn both_sides_export_the_same_keys_and_log_the_same_secrets() {
    let logs = [Arc::new(Lines::default()), Arc::new(Lines::default())];
    let versions = [ProtocolVersion::DTLS1_3];
    let client = null::client_config(2).with_versions(&versions).with_key_log(logs[0].clone());
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_versions(&versions).with_key_log(logs[1].clone());
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client.build().expect("a configuration"), server.build().expect("a configuration"));
    sim.run_until(|sim| sim.connected(pair), ENOUGH).expect("both sides connect");
    let export = |side, context| {
        let mut out = [0; 40];
        let connection = sim.connection(pair, side).expect("a connection");
        connection.export_keying_material(b"EXPERIMENTAL test", context, &mut out).expect("connected");
        out
    };
    assert_eq!(export(Side::Client, None), export(Side::Server, None));
    assert_eq!(export(Side::Client, None), export(Side::Client, Some(&[])), "unlike 1.2");
    assert_ne!(export(Side::Client, None), export(Side::Client, Some(b"context")));
    // RFC 5869 §2.3
    let too_long = sim
        .connection(pair, Side::Client)
        .map(|connection| connection.export_keying_material(b"EXPERIMENTAL test", None, &mut [0; 255 * 48 + 1]));
    assert_eq!(too_long, Some(Err(ExportError::OutputTooLong)));

    let [ours, theirs] = logs.map(|log| log.0.lock().expect("not poisoned").clone());
    assert_eq!(ours, theirs);
    let labels: Vec<_> = ours.iter().map(|(label, _)| label.as_str()).collect();
    let expected = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
    ];
    assert_eq!(labels, expected);
}

/// Labels and secrets of a key log.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for Lines {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        self.0.lock().expect("not poisoned").push((label.to_owned(), secret.to_vec()));
    }
}

#[test] // RFC 9147 §7.2
fn forged_acks_stop_no_retransmission() {
    let versions = [ProtocolVersion::DTLS1_3];
    let client = null::client_config(2).with_versions(&versions).build().expect("a configuration");
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(3, identity).with_versions(&versions).build().expect("a configuration");
    let mut sim = Sim::new(1).without_cookies();
    // The hello is lost, and somebody says that it arrived.
    sim.drop_nth(Side::Client, 0);
    let pair = sim.connect(client, server);
    let mut forged = vec![26, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 18, 0, 16];
    forged.extend([0; 16]);
    sim.inject(pair, Side::Client, forged);
    sim.run_until(|sim| sim.connected(pair), ENOUGH).expect("both sides connect");
}
