//! When no image is made.

use std::time::Duration;

use gramseal_proto::wire::ProtocolVersion;
use gramseal_proto::{Connection, NotMovable};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::sessions::Resumption;
use gramseal_testkit::sim::{Pair, Side, Sim};
use std::sync::Arc;

use crate::common::{KINDS, Kind};
use crate::{VERSIONS, connect, connect_as, connection, import, key, move_side};

fn refusal(sim: &mut Sim, pair: Pair, side: Side) -> Option<NotMovable> {
    let now = sim.now();
    connection(sim, pair, side).export(&key(), b"", now).err()
}

#[test]
fn a_handshake_does_not_move_and_goes_on() {
    for kind in KINDS {
        let (mut sim, pair) = kind.connect(Sim::new(1), 1, Duration::from_secs(60));
        let mut reasons = Vec::new();
        while !sim.connected(pair) {
            for side in Side::BOTH {
                if sim.connection(pair, side).is_some_and(|connection| !connection.is_connected()) {
                    reasons.push(refusal(&mut sim, pair, side));
                }
            }
            sim.run_for(Duration::from_millis(5));
        }
        assert!(reasons.len() > 2 && reasons.iter().all(|reason| *reason == Some(NotMovable::NotConnected)));
        sim.exchange(pair, b"as if nothing had been");
    }
}

#[test] // RFC 6347 §4.2.4, RFC 9147 §5.8.1
fn who_spoke_last_moves_once_the_peer_has_it() {
    for (version, last) in [(VERSIONS[0], Side::Server), (VERSIONS[1], Side::Client)] {
        let configs = connect(version).2;
        let mut sim = Sim::new(1).without_cookies();
        let pair = sim.connect(configs.0.clone(), configs.1.clone());
        let done = |sim: &Sim| sim.connection(pair, last).is_some_and(Connection::is_connected);
        sim.run_until(done, Duration::from_secs(10)).expect("it is done");
        assert_eq!(refusal(&mut sim, pair, last), Some(NotMovable::LastFlight));
        sim.run_for(Duration::from_secs(1));
        sim.exchange(pair, b"now it is known");
        move_side(&mut sim, pair, &configs, last);
        sim.exchange(pair, b"after");
    }
}

#[test]
fn what_has_ended_does_not_move() {
    for version in VERSIONS {
        let (mut sim, pair, _) = connect(version);
        sim.close(pair, Side::Client);
        sim.run_for(Duration::from_secs(1));
        for side in Side::BOTH {
            assert_eq!(refusal(&mut sim, pair, side), Some(NotMovable::Closed));
        }
    }
}

/// A connection of 1.3 whose client can be asked who it is, if it offers that.
fn later(offers: bool) -> (Sim, Pair, crate::Configs) {
    let versions = [ProtocolVersion::DTLS1_3];
    let mut client = null::client_config(2).with_versions(&versions).with_identity(null::identity(
        ToyKind::EcdsaP256,
        null::CLIENT_NAME,
        300,
    ));
    if offers {
        client = client.with_post_handshake_auth();
    }
    let verifier = Arc::new(NullVerifier::default().with_client_name(null::CLIENT_NAME));
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    let server = null::server_config(3, identity).with_versions(&versions).with_post_handshake_verifier(verifier);
    let (client, server) = (client.build().expect("a configuration"), server.build().expect("a configuration"));
    connect_as((Arc::new(client), Arc::new(server)))
}

#[test] // RFC 9846 §4.7.2
fn authentication_after_the_handshake_does_not_move() {
    let (mut sim, pair, configs) = later(true);
    assert_eq!(refusal(&mut sim, pair, Side::Client), Some(NotMovable::ClientAuthentication));
    sim.authenticate_client(pair).expect("the client has offered it");
    assert_eq!(refusal(&mut sim, pair, Side::Server), Some(NotMovable::ClientAuthentication));
    sim.run_for(Duration::from_secs(1));
    let name = |sim: &mut Sim| connection(sim, pair, Side::Server).negotiated().map(|it| it.peer_certificates.len());
    assert_eq!(name(&mut sim), Some(1));
    move_side(&mut sim, pair, &configs, Side::Server);
    assert_eq!(name(&mut sim), Some(1), "who the client is moves along");
    assert!(sim.authenticate_client(pair).is_err());
    sim.exchange(pair, b"after");
    let (mut sim, pair, configs) = later(false);
    move_side(&mut sim, pair, &configs, Side::Client);
    sim.exchange(pair, b"after");
}

#[test] // RFC 9147 §7.2: what was acknowledged is never sent again
fn a_message_in_part_does_not_move() {
    let kind = KINDS.into_iter().find(|kind| kind.dtls13 && kind.resumption == Some(Resumption::FirstTicket));
    // The tickets hold the client's certificate, and come in several datagrams.
    let kind = Kind { client_auth: true, certificate_len: 400, mtu: 300, ..kind.expect("there is one") };
    let begin = |lost: Option<usize>| {
        let (mut sim, pair, configs) = kind.connect_keeping(Sim::new(4), 4, Duration::from_secs(60), None);
        lost.into_iter().for_each(|index| sim.drop_nth(Side::Server, index));
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(30)).expect("both sides connect");
        (sim, pair, configs)
    };
    let (sim, pair, _) = begin(None);
    let last = sim.sent_by(pair, Side::Server).count() - 1;
    let (mut sim, pair, configs) = begin(Some(last));
    let (mut moved, mut reasons) = (0, Vec::new());
    while moved < 20 {
        let now = sim.now();
        match connection(&mut sim, pair, Side::Client).export(&key(), b"along", now) {
            Err(reason) => reasons.push(reason),
            Ok(image) => {
                let imported = import(&configs, Side::Client, &image, now).expect("the image is as it was");
                sim.replace(pair, Side::Client, imported.connection);
                moved += 1;
            }
        }
        sim.run_for(Duration::from_millis(5));
    }
    reasons.dedup();
    assert_eq!(reasons, [NotMovable::LastFlight, NotMovable::MessageInPart]);
    sim.run_for(Duration::from_secs(5));
    sim.exchange(pair, b"after");
}
