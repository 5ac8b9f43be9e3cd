//! Records with the peer's keys into an established connection of either version with connection ids: whatever is in
//! them, they are authentic.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gramseal_proto::{Connection, FirstHello, Instant};
use gramseal_testkit::null::SERVER_NAME;
use gramseal_testkit::peer::{Wiretap, ack};
use gramseal_testkit::sim::Side;
use gramseal_wire::{
    ConnectionIdUsage, ContentType, HandshakeHeader, HandshakeType, KeyUpdateRequest, MessageSeq, ProtocolVersion,
    SequenceNumber,
};
use pki_types::ServerName;

use crate::configs::{self, Choice, Sessions};
use crate::host::{Host, START, time};
use crate::input::Input;

/// The side under test, the version and settings, then records of its peer, time and what the application does.
///
/// # Panics
/// If the connection does what it must not; see [`Host`].
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (first, settings) = (input.byte(), input.byte());
    let side = if first & 1 == 0 { Side::Client } else { Side::Server };
    let mut scene = Scene::new(side, if first & 2 == 0 { 1 } else { 0 }, settings);
    while !input.is_empty() {
        scene.step(&mut input);
    }
}

struct Scene {
    host: Host,
    peer: Host,
    hostile: Hostile,
    now: Instant,
}

struct Hostile {
    tap: Arc<Wiretap>,
    side: Side,
    cid: Vec<u8>,
    /// That of application data, the first one in 1.3.
    epoch: u64,
    next_number: u64,
    next_message: u16,
}

impl Hostile {
    fn record(&mut self, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        self.next_number += 1;
        self.tap.seal_named(self.side, &self.cid, (self.epoch, self.next_number), content_type, content)
    }

    fn message(&mut self, msg_type: HandshakeType, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).expect("a short message");
        let header = HandshakeHeader::whole(msg_type, length, MessageSeq(self.next_message)).to_bytes();
        self.next_message = self.next_message.wrapping_add(1);
        self.record(ContentType::HANDSHAKE, &[&header[..], body].concat())
    }
}

impl Scene {
    /// The side under test, connected, with the versions and the settings that two bytes stand for.
    fn new(side: Side, versions: u8, settings: u8) -> Self {
        let choice = Choice { versions: Choice::of(versions).versions, psk: false, ..Choice::of(settings) };
        let tap = Arc::new(Wiretap::default());
        let [client, server] = connected(choice, &Sessions::new(), &tap);
        let (host, peer) = if side == Side::Client { (client, server) } else { (server, client) };
        let cid = host.connection.own_cids().first().map(|cid| cid.to_vec()).unwrap_or_default();
        let epoch = if choice.versions == [ProtocolVersion::DTLS1_2] { 1 } else { 3 };
        let next_message = if side == Side::Client { 6 } else { 2 };
        // Far above what the real peer has used.
        let hostile = Hostile { tap, side: side.peer(), cid, epoch, next_number: 1000, next_message };
        Self { host, peer, hostile, now: START }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let (what, argument) = (input.byte(), input.byte());
        let from = SocketAddr::from((Ipv4Addr::new(192, 0, 2, what >> 6), 1000));
        let datagram = match what % 10 {
            0 => self.hostile.record(ContentType(argument), input.string()),
            1 => self.hostile.message(HandshakeType(argument), input.string()),
            2 => {
                self.hostile.next_message = u16::from(argument);
                return;
            }
            3 => {
                let numbers = (0..argument % 16).map(|_| (u64::from(input.byte() % 6), u64::from(input.byte())));
                let content = ack(numbers.collect::<Vec<_>>());
                self.hostile.record(ContentType::ACK, &content)
            }
            4 => {
                // Which of its ids, whatever they are by now.
                let ids = self.host.connection.own_cids();
                let id = ids.get(usize::from(argument) % ids.len().max(1));
                self.hostile.cid = id.map(|cid| cid.to_vec()).unwrap_or_default();
                return;
            }
            5 => {
                self.hostile.next_number = u64::from(input.word()) << (argument & 0x1f);
                return;
            }
            6 => input.string().to_vec(),
            7 => return self.act(argument),
            8 => {
                // What the real peer would say; it hears of nothing else.
                let Some(datagram) = self.peer.seal(&[argument; 9]) else { return };
                datagram
            }
            _ => {
                let end = self.now + time(argument);
                self.host.advance(self.now, end);
                self.now = end;
                return;
            }
        };
        self.host.deliver(self.now, Some(from), datagram);
        self.host.outgoing.clear();
        self.host.elsewhere.clear();
    }

    fn act(&mut self, what: u8) {
        let count = what >> 4;
        let connection = &mut self.host.connection;
        match what % 11 {
            0 => connection.close(),
            // Whether it can be done now is its answer.
            1 => drop(connection.update_keys(KeyUpdateRequest::Requested)),
            2 => drop(connection.update_keys(KeyUpdateRequest::NotRequested)),
            3 => drop(connection.issue_cids(count, ConnectionIdUsage::Spare)),
            4 => drop(connection.issue_cids(count, ConnectionIdUsage::Immediate)),
            5 => drop(connection.request_cids(count)),
            6 => drop(connection.use_next_cid()),
            7 => drop(connection.authenticate_client()),
            8 => drop(connection.rest()),
            9 => drop(connection.search_mtu()),
            _ => connection.set_peer(SocketAddr::from((Ipv4Addr::new(192, 0, 2, count), 1000))),
        }
        self.host.drain(self.now);
        self.host.outgoing.clear();
    }
}

/// A client and a server that have talked, with the client's secrets in `tap`.
///
/// # Panics
/// If they do not connect.
#[must_use]
pub fn connected(choice: Choice, sessions: &Sessions, tap: &Arc<Wiretap>) -> [Host; 2] {
    let name = ServerName::try_from(SERVER_NAME).expect("a name");
    let config = configs::client(choice, sessions, Some(tap.clone()));
    let client = Connection::client(config, name, START).expect("a client begins");
    let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
    let server = Connection::server(configs::server(choice, sessions), first, START);
    let mut hosts = [Host::new(client, START), Host::new(server, START)];
    let [client, server] = &mut hosts;
    std::mem::take(&mut client.outgoing).into_iter().for_each(|datagram| server.deliver(START, None, datagram));
    server.outgoing.iter().for_each(|datagram| tap.hear(datagram));
    exchange(&mut hosts, START);
    assert!(hosts.iter().all(|host| host.connection.is_connected()), "{hosts:?}");
    hosts
}

/// Lets both sides hear each other until neither has anything to say.
pub fn exchange([client, server]: &mut [Host; 2], now: Instant) {
    loop {
        let (to_server, to_client) = (std::mem::take(&mut client.outgoing), std::mem::take(&mut server.outgoing));
        if to_server.is_empty() && to_client.is_empty() {
            return;
        }
        to_server.into_iter().for_each(|datagram| server.deliver(now, None, datagram));
        to_client.into_iter().for_each(|datagram| client.deliver(now, None, datagram));
    }
}

#[cfg(test)]
mod tests {
    use super::{ContentType, Input, Scene, Side};
    use crate::input::Output;

    #[test]
    fn what_is_sealed_opens_in_either_version_with_ids_and_without() {
        for side in Side::BOTH {
            for versions in [0, 1] {
                for settings in [0, 4, 0x8c, 0x24] {
                    let mut scene = Scene::new(side, versions, settings);
                    assert_eq!(scene.host.connection.own_cids().is_empty(), settings & 4 == 0);
                    let before = scene.host.received.len();
                    let said = Output::new().byte(0).byte(ContentType::APPLICATION_DATA.0).string(b"hello");
                    scene.step(&mut Input::new(&said.into_bytes()));
                    assert_eq!(scene.host.received[before..], [b"hello"], "{side:?} {versions} {settings:#x}");
                }
            }
        }
    }
}
