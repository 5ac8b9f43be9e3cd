//! Tickets in handshakes: when they come, how large they are, and when they are replaced.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, ServerConfig, Transport};
use gramseal_proto::session::TicketKeys;
use gramseal_proto::wire::HandshakeType;
use gramseal_testkit::decode::{Item, fragments, records};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Pair, Sent, Side, Sim};

use super::{configs, connect, is_resumed, negotiated};

/// Whether the server sent a ticket.
fn issued(sim: &Sim, pair: Pair) -> bool {
    let is_ticket = |item| matches!(item, Item::Handshake { msg_type: HandshakeType::NEW_SESSION_TICKET, .. });
    sim.sent_by(pair, Side::Server).flat_map(Sent::items).any(is_ticket)
}

/// The session id in the first hello of this type.
fn session_id(sim: &Sim, pair: Pair, msg_type: HandshakeType) -> Vec<u8> {
    let side = if msg_type == HandshakeType::CLIENT_HELLO { Side::Client } else { Side::Server };
    let bodies = sim.sent_by(pair, side).flat_map(|sent| {
        let contents = records(&sent.bytes).into_iter().filter(|record| record.header.epoch.0 == 0);
        contents.flat_map(|record| fragments(record.body)).collect::<Vec<_>>()
    });
    let body = bodies.filter(|fragment| fragment.msg_type == msg_type).map(|fragment| fragment.body).next();
    let after_random = &body.expect("it sent one")[34..];
    after_random[1..=usize::from(after_random[0])].to_vec()
}

#[test] // RFC 5077 §3.3
fn a_ticket_is_renewed_when_its_key_is_not_the_current_one() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = configs(&stores);
    let mut sim = Sim::new(1);
    let mut seen = Vec::new();
    for hours in [0, 1, 5, 5, 0] {
        stores.clock.advance(Duration::from_secs(hours * 3600));
        let pair = connect(&mut sim, &client, &server);
        seen.push((is_resumed(&sim, pair), issued(&sim, pair)));
    }
    // 0 h: full; 1 h, 6 h: the first key is good; 11 h: still; then a new period.
    assert_eq!(seen, [(false, true), (true, false), (true, false), (true, false), (true, false)]);
    stores.clock.advance(TicketKeys::DEFAULT_PERIOD - Duration::from_secs(11 * 3600 + 1));
    let pair = connect(&mut sim, &client, &server);
    assert_eq!((is_resumed(&sim, pair), issued(&sim, pair)), (true, true), "a new key");
    let pair = connect(&mut sim, &client, &server);
    assert_eq!((is_resumed(&sim, pair), issued(&sim, pair)), (true, false), "the client uses the new ticket");
}

#[test] // RFC 5077 §3.2
fn who_does_not_ask_gets_no_ticket() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (_, server) = configs(&stores);
    let forgetful = Arc::new(null::client());
    let mut sim = Sim::new(1);
    let pair = connect(&mut sim, &forgetful, &server);
    assert!(!issued(&sim, pair));
}

/// Both sides, with a client that shows a certificate of this many bytes.
fn with_certificate(stores: &Stores, len: usize, by_id: bool) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, len);
    let client = stores.client(null::client_config(1)).with_identity(identity).build().expect("a client");
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let verifier = Arc::new(NullVerifier::default());
    let mut server = null::server_config(2, identity)
        .with_client_auth(ClientAuth::Required(verifier))
        .with_ticket_sealer(stores.tickets.clone());
    if by_id {
        server = server.with_session_store(stores.server.clone());
    }
    (client.into(), server.build().expect("a server").into())
}

#[test] // RFC 5077 §3.3
fn a_session_too_large_for_a_ticket_is_known_by_its_id_or_not_at_all() {
    for (len, by_id, resumed, in_store) in
        [(400, false, true, 0), (400, true, true, 0), (2000, false, false, 0), (2000, true, true, 1)]
    {
        let stores = Stores::new(Some(Resumption::Ticket));
        let (client, server) = with_certificate(&stores, len, by_id);
        let mut sim = Sim::new(1);
        let pair = connect(&mut sim, &client, &server);
        assert!(issued(&sim, pair), "a ticket was promised; it may be empty");
        assert_eq!(stores.server.len(), in_store);
        let given = session_id(&sim, pair, HandshakeType::SERVER_HELLO);
        assert_eq!(given.is_empty(), !by_id, "{len} bytes, by id: {by_id}");
        let pair = connect(&mut sim, &client, &server);
        assert_eq!(is_resumed(&sim, pair), resumed, "{len} bytes, by id: {by_id}");
        // Who has a ticket has no use for that id, and makes one that names nothing.
        let shown = session_id(&sim, pair, HandshakeType::CLIENT_HELLO);
        assert_eq!(!shown.is_empty() && shown == given, in_store > 0, "{len} bytes, by id: {by_id}");
        assert_eq!(shown.is_empty(), !resumed, "{len} bytes, by id: {by_id}");
        assert_eq!(negotiated(&sim, pair)[1].peer_certificates[0].len(), len, "the server knows the client");
    }
}

#[test] // RFC 5077 §3.3
fn how_long_a_ticket_may_be_is_the_servers_choice() {
    let (len, wide) = (2000, Transport { mtu: 4000, ..Transport::default() });
    for (limit, resumed) in [(None, false), (Some(len), false), (Some(2 * len), true)] {
        let stores = Stores::new(Some(Resumption::Ticket));
        let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, len);
        let client = stores.client(null::client_config(1)).with_identity(identity).with_transport(wide.clone());
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let mut server = null::server_config(2, identity)
            .with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default())))
            .with_ticket_sealer(stores.tickets.clone());
        if let Some(limit) = limit {
            server = server.with_max_ticket_len(limit);
        }
        let (client, server) = (client.build().expect("a client").into(), server.build().expect("a server").into());
        let mut sim = Sim::new(1).mtu(5000);
        connect(&mut sim, &client, &server);
        let pair = connect(&mut sim, &client, &server);
        assert_eq!(is_resumed(&sim, pair), resumed, "{limit:?}");
    }
}

#[test]
fn no_setting_lets_a_ticket_outgrow_its_message() {
    let (len, stores) = (65_450, Stores::new(Some(Resumption::Ticket)));
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, len);
    let client = stores.client(null::client_config(1)).with_identity(identity).build().expect("a client").into();
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let server = null::server_config(2, identity)
        .with_client_auth(ClientAuth::Required(Arc::new(NullVerifier::default())))
        .with_ticket_sealer(stores.tickets.clone())
        .with_max_ticket_len(usize::MAX);
    let server = server.build().expect("a server").into();
    let mut sim = Sim::new(1);
    for _ in 0..2 {
        let pair = connect(&mut sim, &client, &server);
        assert!(!is_resumed(&sim, pair) && stores.client.is_empty());
    }
}

#[test] // RFC 6347 §4.2.1: a server without state can answer only a hello in one piece
fn the_largest_ticket_leaves_the_hello_in_one_datagram() {
    let mut longest = 0;
    for len in (300..900).step_by(20) {
        let stores = Stores::new(Some(Resumption::Ticket));
        let (client, server) = with_certificate(&stores, len, false);
        let mut sim = Sim::new(1);
        connect(&mut sim, &client, &server);
        let pair = connect(&mut sim, &client, &server);
        for sent in sim.sent_by(pair, Side::Client) {
            for item in sent.items() {
                if let Item::Handshake { msg_type: HandshakeType::CLIENT_HELLO, .. } = item {
                    longest = longest.max(sent.bytes.len());
                }
            }
        }
        let hellos = sim.sent_by(pair, Side::Client).flat_map(Sent::items);
        let pieces =
            hellos.filter(|item| matches!(item, Item::Handshake { msg_type: HandshakeType::CLIENT_HELLO, .. }));
        assert_eq!(pieces.count(), 2, "one without and one with the cookie");
    }
    assert!((900..=1200).contains(&longest), "{longest}");
}

#[test]
fn a_hello_that_a_ticket_would_make_too_long_goes_without_it() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = configs(&stores);
    let mut sim = Sim::new(1);
    connect(&mut sim, &client, &server);
    let transport = Transport { mtu: 300, ..Default::default() };
    let stated = |stores: &Stores| stores.client(null::client_config(1)).with_session_context("small");
    let wide = Arc::new(stated(&stores).build().expect("a client"));
    let narrow = Arc::new(stated(&stores).with_transport(transport).build().expect("a client"));
    connect(&mut sim, &wide, &server);
    let pair = connect(&mut sim, &narrow, &server);
    assert!(!is_resumed(&sim, pair));
}

#[test]
fn a_ticket_that_no_hello_can_carry_takes_no_place_in_the_store() {
    for (mtu, kept) in [(1200, 1), (300, 0)] {
        let stores = Stores::new(Some(Resumption::Ticket));
        let (_, server) = with_certificate(&stores, 400, false);
        let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 400);
        let transport = Transport { mtu, ..Default::default() };
        let client = stores.client(null::client_config(1)).with_identity(identity).with_transport(transport);
        let mut sim = Sim::new(1);
        let pair = connect(&mut sim, &Arc::new(client.build().expect("a client")), &server);
        assert!(issued(&sim, pair));
        assert_eq!(stores.client.len(), kept, "{mtu}");
    }
}
