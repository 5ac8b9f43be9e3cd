//! Scenes in which both sides of 1.2 remember a session and the scripted one is about to speak.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::session::TicketKeys;
use gramseal_wire::{Codec, HandshakeType, NewSessionTicket12};

use super::{Outcome, Peer, Scene, Step};
use crate::null::{self, ToyKind};
use crate::sessions::{Resumption, Stores};
use crate::sim::Side;

const TICKET: Step = Step::Message(HandshakeType::NEW_SESSION_TICKET);

impl Scene {
    /// A connection under test that has met its peer before, in a full handshake.
    ///
    /// # Panics
    /// If that handshake does not work.
    #[must_use]
    pub fn resumed(under_test: Side, resumption: Resumption) -> Self {
        let stores = Stores::new(Some(resumption));
        match under_test {
            Side::Client => resuming_client(&stores, resumption),
            Side::Server => resuming_server(&stores, resumption),
        }
    }
}

fn resuming_client(stores: &Stores, resumption: Resumption) -> Scene {
    let config = Arc::new(stores.client(null::client_config(2)).build().expect("a client"));
    let mut first = Scene::client(Arc::clone(&config), 1);
    let mut last_flight = first.last_flight(false);
    if resumption == Resumption::Id {
        first.peer.set_session_id(&[9; 32]);
    } else {
        first.peer.set_session_ticket(&[]);
        last_flight.insert(0, TICKET);
    }
    first.play(&first.first_flight(false));
    first.play(&last_flight);
    assert_eq!(first.outcome(), Outcome::Connected);
    let mut scene = Scene::client(config, 3);
    scene.peer.resume(&first.peer);
    if resumption == Resumption::NewTicket {
        scene.peer.set_session_ticket(&[]);
    }
    scene
}

fn resuming_server(stores: &Stores, resumption: Resumption) -> Scene {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    let config = Arc::new(stores.server(null::server_config(3, identity)).build().expect("a server"));
    let mut first = Scene::server(Arc::clone(&config), 1);
    first.peer.set_session_ticket(&[]);
    first.connect();
    let mut scene = Scene::server(config, 4);
    scene.peer.resume(&first.peer);
    if resumption == Resumption::Id {
        scene.peer.set_session_id(&session_id(&first.peer));
    } else {
        scene.peer.set_session_id(b"mine");
        scene.peer.set_session_ticket(&ticket(&first.peer));
    }
    if resumption == Resumption::NewTicket {
        stores.clock.advance(TicketKeys::DEFAULT_PERIOD - Duration::from_secs(1));
    }
    scene
}

/// The id in the ServerHello that a scripted client received.
fn session_id(peer: &Peer) -> Vec<u8> {
    let hello = peer.received().iter().find(|message| message.msg_type == HandshakeType::SERVER_HELLO);
    let body = &hello.expect("a ServerHello").body;
    body[35..35 + usize::from(body[34])].to_vec()
}

/// The ticket that a scripted client received.
fn ticket(peer: &Peer) -> Vec<u8> {
    let message = peer.received().iter().find(|message| message.msg_type == HandshakeType::NEW_SESSION_TICKET);
    let issued = NewSessionTicket12::from_bytes(&message.expect("a NewSessionTicket").body).expect("it can be read");
    issued.ticket.to_vec()
}
