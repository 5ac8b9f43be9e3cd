//! A connection before a peer that has the keys and no manners: what it says is authentic.

use gramseal_testkit::alloc_counter::memory;
use gramseal_testkit::peer::{Peer, Peer13, Scene, Scripted, Step, ack};
use gramseal_wire::{AlertDescription, ContentType, HandshakeType, KeyUpdateRequest};

use crate::configs::{self, Choice, Sessions};
use crate::host::time;
use crate::input::Input;

/// What one association may hold in memory beside a few times what came, in bytes.
const MOST: u64 = 2 << 20;

/// The settings that the scripted peers of the test kit can cope with.
fn choice(byte: u8, version: u8) -> Choice {
    Choice { cids: false, psk: false, ..Choice::of(byte & 0xec | version) }
}

/// A side and its settings, how much of a handshake goes well, then what a peer of 1.2 says.
///
/// # Panics
/// If the connection does what it must not.
pub fn run12(data: &[u8]) {
    let mut input = Input::new(data);
    let (first, settings, good) = (input.byte(), input.byte(), input.byte());
    let choice = Choice { sessions: false, ..choice(settings, 0) };
    bounded(data.len(), || {
        let sessions = Sessions::new();
        let mut scene = if first & 1 == 0 {
            Scene::client(configs::client(choice, &sessions, None), 1)
        } else {
            Scene::server(configs::server(choice, &sessions), 1)
        };
        let mut well = scene.first_flight(false);
        well.extend(scene.last_flight(false));
        well.truncate(usize::from(good));
        scene.play(&well);
        while !input.is_empty() {
            say12(&mut scene, &mut input);
        }
    });
}

fn say12(scene: &mut Scene, input: &mut Input<'_>) {
    let what = input.byte();
    let argument = input.byte();
    let datagram = match what % 11 {
        0 => return scene.play(&[Step::Message(HandshakeType(argument % 25))]),
        1 => scene.peer.message_of(HandshakeType(argument), input.string()),
        2 => return scene.play(&[Step::ChangeCipherSpec]),
        3 => return scene.play(&[Step::SwitchKeys]),
        4 => scene.peer.record(ContentType(argument), input.string()),
        5 => {
            let number = u64::from(input.word()) << (argument & 0x1f);
            let epoch = u16::from(argument >> 5 & 1);
            scene.peer.record_numbered(ContentType(argument >> 6 | 20), epoch, number, input.string())
        }
        6 => input.string().to_vec(),
        7 => {
            scene.peer.set_next_message(u16::from(argument));
            return;
        }
        8 => {
            let message = scene.peer.message_of(HandshakeType(argument % 25), input.string());
            let fragments = Peer::fragment(&message, usize::from(input.byte()) + 1);
            let records: Vec<_> =
                fragments.iter().map(|part| scene.peer.record(ContentType::HANDSHAKE, part)).collect();
            return scene.deliver(records);
        }
        9 => return act(scene, argument),
        _ => return scene.advance(time(argument)),
    };
    let datagram = if what % 11 == 1 { scene.peer.record(ContentType::HANDSHAKE, &datagram) } else { datagram };
    scene.deliver([datagram]);
}

/// The same with a peer of 1.3.
///
/// # Panics
/// If the connection does what it must not.
pub fn run13(data: &[u8]) {
    let mut input = Input::new(data);
    let (first, settings, good) = (input.byte(), input.byte(), input.byte());
    let choice = choice(settings, 1);
    bounded(data.len(), || {
        let sessions = Sessions::new();
        let mut scene = if first & 1 == 0 {
            Scene::client13(configs::client(choice, &sessions, None), 1)
        } else {
            Scene::server13(configs::server(choice, &sessions), 1)
        };
        if first & 2 != 0 {
            scene.peer.offer_post_handshake_auth();
        }
        let mut well = scene.handshake(first & 4 != 0);
        well.truncate(usize::from(good));
        scene.say(&well);
        while !input.is_empty() {
            say13(&mut scene, &mut input);
        }
    });
}

fn say13(scene: &mut Scene<Peer13>, input: &mut Input<'_>) {
    let what = input.byte();
    let argument = input.byte();
    let datagram = match what % 12 {
        0 => scene.peer.datagram(HandshakeType(argument % 26)),
        1 => scene.peer.datagram_of(HandshakeType(argument), input.string()),
        2 => {
            scene.peer.set_epoch(u64::from(argument % 8));
            return;
        }
        3 => scene.peer.record(ContentType(argument), input.string()),
        4 => {
            let number = u64::from(input.word()) << (argument & 0x1f);
            let epoch = u64::from(argument >> 5);
            scene.peer.record_numbered(ContentType(input.byte()), epoch, number, input.string())
        }
        5 => input.string().to_vec(),
        6 => {
            scene.peer.set_next_message(u16::from(argument));
            return;
        }
        7 => {
            let message = scene.peer.message_of(HandshakeType(argument % 26), input.string());
            let fragments = Peer13::fragment(&message, usize::from(input.byte()) + 1);
            let records: Vec<_> =
                fragments.iter().map(|part| scene.peer.record(ContentType::HANDSHAKE, part)).collect();
            return scene.deliver(records);
        }
        8 => {
            let numbers: Vec<_> =
                (0..argument % 16).map(|_| (u64::from(input.byte() % 6), u64::from(input.byte()))).collect();
            scene.peer.ack(numbers)
        }
        9 => {
            // All that the side under test has sent.
            let numbers: Vec<_> = scene
                .peer
                .take_seen()
                .iter()
                .map(|seen| (seen.number.epoch.0, seen.number.sequence_number.0))
                .collect();
            scene.peer.record(ContentType::ACK, &ack(numbers))
        }
        10 => return act(scene, argument),
        _ => return scene.advance(time(argument)),
    };
    scene.deliver([datagram]);
}

/// The application of the side under test does something.
fn act<P: Scripted>(scene: &mut Scene<P>, what: u8) {
    let connection = scene.connection();
    match what % 8 {
        0 => scene.close(),
        1 => connection.abort(AlertDescription(what)),
        // Whether it can be done now is its answer.
        2 => drop(connection.update_keys(KeyUpdateRequest::Requested)),
        3 => drop(connection.update_keys(KeyUpdateRequest::NotRequested)),
        4 => drop(connection.authenticate_client()),
        5 => drop(connection.rest()),
        6 => drop(connection.search_mtu()),
        _ => connection.set_path_mtu(usize::from(what) * 8),
    }
    // What there is to send now is sent.
    scene.deliver([Vec::new()]);
}

fn bounded(len: usize, work: impl FnOnce()) {
    let used = memory(work);
    let len = u64::try_from(len).expect("an input");
    // The test kit remembers everything that was ever sent.
    assert!(used.most <= MOST + 64 * len, "{} bytes", used.most);
}
