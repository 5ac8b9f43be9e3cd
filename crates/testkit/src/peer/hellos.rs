//! Hellos of clients under test, as they are and changed, for servers under test.

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::pki_types::ServerName;
use gramseal_proto::{CloseReason, Connection, Error, Instant};
use gramseal_wire::{ClientHello, Codec, ContentType, ExtensionType, ExtensionsBuf, HandshakeType};

use super::{Outcome, Scene};
use crate::decode::{fragments, records};

/// The body of the hello with which a client begins that wants to talk with `name`.
///
/// # Panics
/// If it cannot begin, or needs more than one datagram for it.
pub fn first_hello(config: &Arc<ClientConfig>, name: &'static str) -> Vec<u8> {
    let name = ServerName::try_from(name).expect("a name");
    let mut connection = Connection::client(Arc::clone(config), name, Instant::from_micros(1)).expect("begun");
    let mut datagram = Vec::new();
    assert!(connection.poll_transmit(Instant::from_micros(1), &mut datagram));
    let body = fragments(records(&datagram)[0].body)[0].body.to_vec();
    assert!(!connection.poll_transmit(Instant::from_micros(1), &mut datagram), "one datagram has it all");
    body
}

/// The hello with its extensions in another order, without some and with others.
///
/// # Panics
/// If `body` is none, or gets too long.
pub fn rebuilt(body: &[u8], change: impl FnOnce(&mut Vec<(ExtensionType, Vec<u8>)>)) -> Vec<u8> {
    let hello = ClientHello::from_bytes(body).expect("a hello");
    let mut list: Vec<_> = hello.extensions.iter().map(|(extension, content)| (extension, content.to_vec())).collect();
    change(&mut list);
    let mut extensions = ExtensionsBuf::new();
    list.iter().for_each(|(extension, content)| extensions.push_raw(*extension, content));
    ClientHello { extensions: extensions.as_extensions(), ..hello }.to_vec().expect("short")
}

/// A server that has met a client's hello with this body.
///
/// # Errors
/// Why it ended the handshake, if it did.
///
/// # Panics
/// If it neither ended the handshake nor waits for the client.
pub fn met(config: &Arc<ServerConfig>, body: &[u8]) -> Result<Scene, Error> {
    let mut scene = Scene::server(Arc::clone(config), 1);
    let message = scene.peer.message_of(HandshakeType::CLIENT_HELLO, body);
    let record = scene.peer.record(ContentType::HANDSHAKE, &message);
    scene.deliver([record]);
    match scene.outcome() {
        Outcome::Closed(CloseReason::Failed(error)) => Err(error),
        outcome => {
            assert_eq!(outcome, Outcome::Waiting);
            Ok(scene)
        }
    }
}
