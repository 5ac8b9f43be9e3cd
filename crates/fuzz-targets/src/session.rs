//! A client and a server, and somebody between them who drops, repeats, reorders, edits and invents what they send.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use gramseal_proto::{Connection, FirstHello, ImageKey, Imported, Instant};
use gramseal_testkit::alloc_counter::memory;
use gramseal_testkit::null::{self, SERVER_NAME};
use gramseal_wire::{ConnectionIdUsage, KeyUpdateRequest, MessageSeq, SequenceNumber};
use pki_types::ServerName;

use crate::configs::{self, Choice, Sessions};
use crate::host::{Host, START, time};

/// One thing that happens; `to` is the client if it is false.
#[derive(Debug, Clone, Arbitrary)]
enum Step {
    /// A datagram on its way arrives.
    Arrive { to: bool, index: u8 },
    /// All of them arrive, in order.
    ArriveAll { to: bool },
    /// It is lost.
    Lose { to: bool, index: u8 },
    /// It arrives, and will once more.
    Repeat { to: bool, index: u8 },
    /// It is changed on its way.
    Edit { to: bool, index: u8, at: u16, with: u8 },
    /// It is cut off.
    Cut { to: bool, index: u8, len: u16 },
    /// Two become one.
    Join { to: bool, index: u8, other: u8 },
    /// The bytes of one are put into another.
    Splice { to: bool, index: u8, other: u8, at: u16, len: u8 },
    /// Something that nobody sent arrives.
    Invent { to: bool, bytes: Vec<u8> },
    /// What goes the other way comes back.
    Reflect { to: bool, index: u8 },
    /// Time goes by.
    Wait { time: u8 },
    /// An application sends something.
    Send { from: bool, len: u8 },
    /// An application does something else.
    Act { side: bool, what: u8 },
}

/// Everything that an input says.
#[derive(Debug, Arbitrary)]
struct Script {
    choice: u8,
    steps: Vec<Step>,
}

/// Memory that both sides and their datagrams may take, in bytes.
const MOST: u64 = 8 << 20;

/// # Panics
/// If something forged or repeated is delivered, a side never ends up connected or closed once it is left alone, or two
/// connected sides cannot talk.
pub fn run(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let used = memory(|| {
        let mut session = Session::new(Choice::of(script.choice));
        for step in script.steps.iter().take(200) {
            session.step(step);
        }
        session.settle();
    });
    assert!(used.most <= MOST, "{} bytes", used.most);
}

struct Session {
    hosts: [Host; 2],
    configs: (Arc<gramseal_proto::config::ClientConfig>, Arc<gramseal_proto::config::ServerConfig>),
    /// On their way to the client and to the server.
    on_their_way: [VecDeque<Vec<u8>>; 2],
    /// What was sent to each side and has not arrived there.
    sent: [BTreeMap<Vec<u8>, u32>; 2],
    checked: [usize; 2],
    now: Instant,
    payloads: u32,
}

/// More than this waits nowhere.
const MOST_ON_THEIR_WAY: usize = 200;

impl Session {
    fn new(choice: Choice) -> Self {
        let sessions = Sessions::new();
        let configs = (configs::client(choice, &sessions, None), configs::server(choice, &sessions));
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let client = Connection::client(configs.0.clone(), name, START).expect("a client begins");
        let first = FirstHello { message_seq: MessageSeq(0), sequence_number: SequenceNumber(0) };
        let server = Connection::server(configs.1.clone(), first, START);
        let mut session = Self {
            hosts: [Host::new(client, START), Host::new(server, START)],
            configs,
            on_their_way: Default::default(),
            sent: Default::default(),
            checked: [0; 2],
            now: START,
            payloads: 0,
        };
        session.collect();
        session
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Arrive { to, index } => {
                if let Some(datagram) = self.take(to, index) {
                    self.deliver(to, datagram);
                }
            }
            Step::ArriveAll { to } => self.arrive_all(usize::from(to)),
            Step::Lose { to, index } => drop(self.take(to, index)),
            Step::Repeat { to, index } => {
                if let Some(datagram) = self.find(to, index).cloned() {
                    self.deliver(to, datagram);
                }
            }
            Step::Edit { to, index, at, with } => {
                if let Some(datagram) = self.find(to, index) {
                    let at = usize::from(at) % datagram.len();
                    datagram[at] ^= with;
                }
            }
            Step::Cut { to, index, len } => {
                if let Some(datagram) = self.find(to, index) {
                    datagram.truncate(usize::from(len) % datagram.len() + 1);
                }
            }
            Step::Join { to, index, other } => {
                let first = self.take(to, index);
                let second = self.take(to, other);
                let both = [first.unwrap_or_default(), second.unwrap_or_default()].concat();
                self.put(to, both);
            }
            Step::Splice { to, index, other, at, len } => {
                self.splice(to, [index, other], usize::from(at), usize::from(len))
            }
            Step::Invent { to, ref bytes } => self.deliver(to, bytes.clone()),
            Step::Reflect { to, index } => {
                if let Some(datagram) = self.find(!to, index).cloned() {
                    self.deliver(to, datagram);
                }
            }
            Step::Wait { time: byte } => self.wait(time(byte)),
            Step::Send { from, len } => drop(self.send(usize::from(from), usize::from(len))),
            Step::Act { side, what } => self.act(usize::from(side), what),
        }
    }

    fn find(&mut self, to: bool, index: u8) -> Option<&mut Vec<u8>> {
        let queue = &mut self.on_their_way[usize::from(to)];
        let index = usize::from(index) % queue.len().max(1);
        queue.get_mut(index)
    }

    fn take(&mut self, to: bool, index: u8) -> Option<Vec<u8>> {
        let queue = &mut self.on_their_way[usize::from(to)];
        queue.remove(usize::from(index) % queue.len().max(1))
    }

    fn put(&mut self, to: bool, datagram: Vec<u8>) {
        let queue = &mut self.on_their_way[usize::from(to)];
        if !datagram.is_empty() && queue.len() < MOST_ON_THEIR_WAY {
            queue.push_back(datagram);
        }
    }

    fn splice(&mut self, to: bool, [index, other]: [u8; 2], at: usize, len: usize) {
        let Some(from) = self.find(to, other).cloned() else { return };
        let Some(into) = self.find(to, index) else { return };
        let at = at % into.len();
        let part = &from[..len.min(from.len())];
        let end = (at + part.len()).min(into.len());
        into[at..end].copy_from_slice(&part[..end - at]);
    }

    fn deliver(&mut self, to: bool, datagram: Vec<u8>) {
        self.hosts[usize::from(to)].deliver(self.now, None, datagram);
        self.collect();
    }

    /// Takes what the sides have to send, and looks at what they have received.
    fn collect(&mut self) {
        for side in 0..2 {
            let outgoing = std::mem::take(&mut self.hosts[side].outgoing);
            outgoing.into_iter().for_each(|datagram| self.put(side == 0, datagram));
            self.hosts[side].elsewhere.clear();
            let host = &self.hosts[side];
            for payload in &host.received[self.checked[side]..] {
                let count = self.sent[side].get_mut(payload).filter(|count| **count > 0);
                *count.expect("nobody sent this, or it has arrived before") -= 1;
            }
            self.checked[side] = host.received.len();
        }
    }

    fn arrive_all(&mut self, to: usize) {
        for datagram in std::mem::take(&mut self.on_their_way[to]) {
            self.deliver(to == 1, datagram);
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        for host in &mut self.hosts {
            host.advance(self.now, end);
        }
        self.now = end;
        self.collect();
    }

    /// Sends a payload that is like no other.
    fn send(&mut self, from: usize, len: usize) -> Option<Vec<u8>> {
        self.payloads += 1;
        let mut payload = self.payloads.to_be_bytes().to_vec();
        payload.resize(4 + len, 0x5a);
        let host = &mut self.hosts[from];
        let datagram = host.seal(&payload).or_else(|| {
            let mut datagram = vec![0; host.connection.sealed_early_len(payload.len())];
            let len = host.connection.seal_early(&payload, &mut datagram).ok()?;
            datagram.truncate(len);
            Some(datagram)
        })?;
        *self.sent[1 - from].entry(payload.clone()).or_default() += 1;
        self.put(from == 0, datagram);
        let now = self.now;
        self.hosts[from].drain(now);
        self.collect();
        Some(payload)
    }

    fn act(&mut self, side: usize, what: u8) {
        let connection = &mut self.hosts[side].connection;
        match what % 12 {
            0 => connection.close(),
            // Whether it can be done now is its answer.
            1 => drop(connection.update_keys(KeyUpdateRequest::Requested)),
            2 => drop(connection.update_keys(KeyUpdateRequest::NotRequested)),
            3 => drop(connection.issue_cids(1, ConnectionIdUsage::Spare)),
            4 => drop(connection.issue_cids(1, ConnectionIdUsage::Immediate)),
            5 => drop(connection.request_cids(1)),
            6 => drop(connection.use_next_cid()),
            7 => drop(connection.authenticate_client()),
            8 => drop(connection.rest()),
            9 => drop(connection.search_mtu()),
            10 => connection.set_path_mtu(usize::from(what) * 8),
            _ => self.move_elsewhere(side),
        }
        let now = self.now;
        self.hosts[side].drain(now);
        self.collect();
    }

    /// Another process goes on with a connection.
    fn move_elsewhere(&mut self, side: usize) {
        let key = ImageKey::new(null::provider(5), &[5; ImageKey::LEN]).expect("the provider has what it takes");
        let connection = &mut self.hosts[side].connection;
        let Ok(image) = connection.export(&key, &[], self.now) else { return };
        let imported = if side == 0 {
            Connection::import_client(self.configs.0.clone(), &key, &image, self.now)
        } else {
            Connection::import_server(self.configs.1.clone(), &key, &image, self.now)
        };
        let Imported { connection, .. } = imported.expect("an image of ours");
        self.hosts[side].connection = connection;
    }

    /// Nobody interferes any more.
    fn settle(&mut self) {
        // Handshakes time out after a minute or so, waits grow to a minute.
        for _ in 0..400 {
            if self.on_their_way.iter().all(VecDeque::is_empty) && self.hosts.iter().all(Host::is_final) {
                break;
            }
            (0..2).for_each(|to| self.arrive_all(to));
            self.wait(Duration::from_millis(500));
        }
        let states = self.hosts.each_ref().map(|host| (host.connection.is_connected(), host.closed().cloned()));
        assert!(self.hosts.iter().all(Host::is_final), "neither connected nor closed: {states:?}");
        if self.hosts.iter().any(|host| host.connection.is_closed()) {
            return;
        }
        // What key updates wait for comes, or is sent again.
        for side in 0..2 {
            let Some(payload) = self.send(side, 10) else { continue };
            (0..2).for_each(|to| self.arrive_all(to));
            let arrived = self.hosts[1 - side].received.contains(&payload);
            assert!(
                arrived || self.hosts.iter().any(|host| host.connection.is_closed()),
                "{payload:?} does not arrive"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, Session};
    use crate::configs::Choice;

    /// Otherwise the target would find nothing.
    #[test]
    fn two_that_nobody_disturbs_connect_whatever_the_settings() {
        for byte in 0..=u8::MAX {
            let mut session = Session::new(Choice::of(byte));
            session.settle();
            let connected = |host: &Host| host.connection.is_connected();
            assert!(session.hosts.iter().all(connected), "{byte:#x}: {:?}", session.hosts);
            assert_eq!(session.hosts.each_ref().map(|host| host.received.len()), [1, 1], "{byte:#x}");
        }
    }

    #[test]
    #[should_panic = "nobody sent this"]
    fn what_nobody_sent_is_noticed() {
        let mut session = Session::new(Choice::of(0));
        session.settle();
        let forged = session.hosts[0].received[0].clone();
        session.hosts[0].received.push(forged);
        session.collect();
    }
}
