//! A scripted peer: it speaks DTLS 1.2 with the null cryptography and breaks every rule it is told
//! to break, consistently: its keys, signatures and Finished always fit the messages that were
//! really exchanged, in their real order. What only a peer that forgets its own lie would be caught
//! by, proves nothing.
//!
//! It is a small handshake of its own (message bodies, PRF, record protection) and shares only
//! `gramseal-wire` and the null primitives with the code under test. It knows one suite for each [`Exchange`], the one
//! with ECDHE and ECDSA unless it is told otherwise. It never retransmits or times out.
//!
//! [`Peer13`] does the same in DTLS 1.3. [`Scene`] puts one of them before a
//! [`Connection`](gramseal_proto::Connection).

mod cids;
mod exchange;
mod hellos;
mod inbox;
mod keys;
mod messages;
mod resumed;
mod scene;
mod v13;

use std::sync::Arc;

use gramseal_proto::crypto::{ActiveKx, CryptoProvider};
use gramseal_wire::{
    Alert, Codec, ContentType, Epoch, HandshakeType, MessageSeq, PlaintextHeader, ProtocolVersion, Reader,
    RecordHeader, RecordNumber, SequenceNumber,
};

use self::cids::Cids;
use self::inbox::{Inbox, whole, whole_records};
use self::keys::Keys;
use self::messages::HANDSHAKE;
use crate::decode::fragments;
use crate::null;
use crate::sim::Side;

pub use self::exchange::{Exchange, PSK_IDENTITY, PSK_KEY};
pub use self::hellos::{first_hello, met, rebuilt};
pub use self::inbox::Received;
pub use self::scene::{Outcome, Scene, Scene13, Scripted};
pub use self::v13::{Form, Offered, Peer13, Seen, TYPES13, Wiretap, ack};

/// One thing a scripted peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Sends a message with the next number, built for this moment, in the current epoch.
    Message(HandshakeType),
    /// Sends ChangeCipherSpec and goes on in epoch 1.
    ChangeCipherSpec,
    /// Goes on in epoch 1 without saying so.
    SwitchKeys,
    /// Sends ChangeCipherSpec but stays in its epoch.
    BareChangeCipherSpec,
    /// Sends application data in the current epoch.
    ApplicationData,
}

/// The peer: what it sent, received and computed so far.
pub struct Peer {
    side: Side,
    provider: Arc<CryptoProvider>,
    randoms: [[u8; 32]; 2],
    cookie: Vec<u8>,
    kx: Option<Box<dyn ActiveKx>>,
    share: Vec<u8>,
    peer_share: Option<Vec<u8>>,
    transcript: Vec<u8>,
    keys: Option<Keys>,
    epoch: u16,
    next_message: u16,
    next_record: [u64; 2],
    inbox: Inbox,
    received: Vec<Received>,
    alerts: Vec<Alert>,
    application_data: Vec<Vec<u8>>,
    /// Records that came before their keys.
    early: Vec<Vec<u8>>,
    session: Session,
    exchange: Exchange,
    shown: Shown,
    cids: Cids,
}

/// What the peer says of credentials beside those that its exchange has.
#[derive(Debug, Default)]
struct Shown {
    /// Keys take the place of certificates, on both sides.
    raw_keys: bool,
    /// What it staples to its certificate, as server.
    status: Option<Vec<u8>>,
}

/// What the peer does about sessions: nothing unless it is told to.
#[derive(Debug, Default)]
struct Session {
    /// In our hello; in a ServerHello that resumes nothing.
    id: Vec<u8>,
    /// The id in the hello of the side under test.
    peer_id: Vec<u8>,
    /// The `session_ticket` extension of our hello.
    ticket: Option<Vec<u8>>,
    /// The secret of the session that is resumed.
    resumed: Option<Vec<u8>>,
}

impl Peer {
    /// A peer that plays `side`.
    ///
    /// # Panics
    /// Never, as the null provider has what it takes.
    #[must_use]
    pub fn new(side: Side, seed: u64) -> Self {
        let provider = null::provider(seed);
        let group = provider.group(Exchange::Ecdhe.group()).expect("the null provider has x25519");
        let kx = group.start(&*provider.random).expect("seeded randomness never fails");
        let own_random = provider.random_array().expect("seeded randomness never fails");
        Self {
            side,
            randoms: [own_random; 2],
            cookie: Vec::new(),
            share: kx.public_key().to_vec(),
            kx: Some(kx),
            peer_share: None,
            transcript: Vec::new(),
            keys: None,
            epoch: 0,
            next_message: 0,
            next_record: [0; 2],
            inbox: Inbox::default(),
            received: Vec::new(),
            alerts: Vec::new(),
            application_data: Vec::new(),
            early: Vec::new(),
            session: Session::default(),
            exchange: Exchange::Ecdhe,
            shown: Shown::default(),
            cids: Cids::default(),
            provider,
        }
    }

    /// Does `steps`; each that sends anything makes a datagram of one record.
    pub fn play(&mut self, steps: &[Step]) -> Vec<Vec<u8>> {
        steps.iter().filter_map(|step| self.step(*step)).collect()
    }

    fn step(&mut self, step: Step) -> Option<Vec<u8>> {
        Some(match step {
            Step::Message(msg_type) => {
                let message = self.message(msg_type);
                self.record(HANDSHAKE, &message)
            }
            Step::ChangeCipherSpec => {
                let record = self.record(ContentType::CHANGE_CIPHER_SPEC, &[1]);
                self.switch_keys();
                record
            }
            Step::SwitchKeys => {
                self.switch_keys();
                return None;
            }
            Step::BareChangeCipherSpec => self.record(ContentType::CHANGE_CIPHER_SPEC, &[1]),
            Step::ApplicationData => self.record(ContentType::APPLICATION_DATA, b"from the scripted peer"),
        })
    }

    /// A message of this type with its header, as it must be now; takes the next number and adds
    /// it to the transcript.
    pub fn message(&mut self, msg_type: HandshakeType) -> Vec<u8> {
        let body = self.body(msg_type);
        self.message_of(msg_type, &body)
    }

    /// As [`Self::message`], with a body of the test's choice.
    pub fn message_of(&mut self, msg_type: HandshakeType, body: &[u8]) -> Vec<u8> {
        let message = whole(msg_type, MessageSeq(self.next_message), body);
        self.next_message += 1;
        self.learn(msg_type, &message);
        message
    }

    /// Goes on with the session of another peer, which has finished: a client with the id or ticket
    /// that it is given, a server with the id of the hello.
    ///
    /// # Panics
    /// If the other has no keys.
    pub fn resume(&mut self, other: &Self) {
        let keys = other.keys.as_ref().expect("a peer that has finished");
        self.session.resumed = Some(keys.master_secret().to_vec());
    }

    /// The session id in a hello: as client the one to resume, as server that of a new session.
    pub fn set_session_id(&mut self, id: &[u8]) {
        self.session.id = id.to_vec();
    }

    /// Sends `session_ticket` with this content in a hello (RFC 5077 §3.2).
    pub fn set_session_ticket(&mut self, ticket: &[u8]) {
        self.session.ticket = Some(ticket.to_vec());
    }

    /// Shows raw public keys in place of certificates and wants the same of the other side (RFC 7250).
    pub const fn show_raw_keys(&mut self) {
        self.shown.raw_keys = true;
    }

    /// Promises, as server, to staple this status to its certificate (RFC 6066 §8).
    pub fn staple(&mut self, status: &[u8]) {
        self.shown.status = Some(status.to_vec());
    }

    /// Wants `own` in the records to it, which may be nothing, and puts the other side's connection id into its records;
    /// both check return routability.
    pub fn name_records(&mut self, own: &[u8]) {
        self.cids.speak_of(own);
    }

    /// The body that a message of this type would have now; changes nothing.
    pub fn body_of(&mut self, msg_type: HandshakeType) -> Vec<u8> {
        self.body(msg_type)
    }

    /// Chooses the number of the next message.
    pub fn set_next_message(&mut self, message_seq: u16) {
        self.next_message = message_seq;
    }

    /// A record in the current epoch with the next sequence number.
    pub fn record(&mut self, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        let epoch = self.epoch;
        let number = &mut self.next_record[usize::from(epoch)];
        let sequence_number = *number;
        *number += 1;
        self.record_numbered(content_type, epoch, sequence_number, content)
    }

    /// A record with any number; protected in every epoch but 0.
    ///
    /// # Panics
    /// If `content` is longer than a record can be.
    pub fn record_numbered(&mut self, content_type: ContentType, epoch: u16, number: u64, content: &[u8]) -> Vec<u8> {
        let number = RecordNumber::new(Epoch(u64::from(epoch)), SequenceNumber(number));
        if epoch > 0 {
            let (side, cid) = (self.side, self.cids.of_peer().to_vec());
            return self.keys().seal(side, &cid, number, content_type, content);
        }
        let header = PlaintextHeader {
            content_type,
            version: ProtocolVersion::DTLS1_2,
            epoch: number.epoch,
            sequence_number: number.sequence_number,
            length: u16::try_from(content.len()).expect("a record's length"),
        };
        [&header.to_bytes()[..], content].concat()
    }

    /// Cuts `message` (header and body) into fragments of at most `len` bytes of body.
    ///
    /// # Panics
    /// If `message` has no header.
    #[must_use]
    pub fn fragment(message: &[u8], len: usize) -> Vec<Vec<u8>> {
        inbox::fragment(message, len)
    }

    fn receive_record(&mut self, record: &[u8], header: RecordHeader) {
        let body = &record[header.header_len()..];
        let from = self.side.peer();
        // After deviations the two sides may have different keys; then nothing can be read.
        match header {
            RecordHeader::Plaintext(header) if header.epoch == Epoch::UNPROTECTED => {
                self.receive_content(header.epoch, header.content_type, body);
            }
            _ if self.keys.is_none() && !self.can_compute_keys() => self.early.push(record.to_vec()),
            RecordHeader::Plaintext(header) => {
                if let Some(content) = self.keys().open(from, &header, body) {
                    self.receive_content(header.epoch, header.content_type, &content);
                }
            }
            RecordHeader::Cid12(header) => {
                if let Some((content_type, content)) = self.keys().open_named(from, &header, record) {
                    self.receive_content(header.epoch, content_type, &content);
                }
            }
            RecordHeader::Unified(_) => panic!("a record of 1.3"),
        }
    }

    fn receive_content(&mut self, epoch: Epoch, content_type: ContentType, content: &[u8]) {
        match content_type {
            ContentType::HANDSHAKE => {
                fragments(content).iter().for_each(|fragment| self.inbox.insert(epoch.0, fragment));
                while let Some(message) = self.inbox.next() {
                    self.cids.learn(message.msg_type, &message.body);
                    self.learn(message.msg_type, &message.to_bytes());
                    self.received.push(message);
                }
            }
            ContentType::ALERT => self.alerts.extend(Alert::from_bytes(content)),
            ContentType::APPLICATION_DATA => self.application_data.push(content.to_vec()),
            _ => {}
        }
    }

    /// The messages received so far, in order and once each.
    #[must_use]
    pub fn received(&self) -> &[Received] {
        &self.received
    }

    /// The alerts received so far, those that could be read.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The application data received so far.
    #[must_use]
    pub fn application_data(&self) -> &[Vec<u8>] {
        &self.application_data
    }

    /// The side it plays.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Takes from a message, sent or received, what later ones depend on.
    fn learn(&mut self, msg_type: HandshakeType, message: &[u8]) {
        let body = &message[gramseal_wire::HandshakeHeader::LEN..];
        match msg_type {
            // RFC 6347 §4.2.1: neither it nor the hello before it are part of the transcript.
            HandshakeType::HELLO_VERIFY_REQUEST => {
                if let Some(cookie) = body.get(2..).and_then(|rest| Reader::new(rest).vec8().ok()) {
                    self.cookie = cookie.to_vec();
                }
                self.transcript.clear();
                return;
            }
            HandshakeType::CLIENT_HELLO => {
                self.learn_random(0, body);
                let id = body.get(34..).and_then(|rest| Reader::new(rest).vec8().ok());
                self.session.peer_id = id.unwrap_or_default().to_vec();
            }
            HandshakeType::SERVER_HELLO => self.learn_random(1, body),
            HandshakeType::SERVER_KEY_EXCHANGE if self.side == Side::Client => self.learn_share(body),
            HandshakeType::CLIENT_KEY_EXCHANGE if self.side == Side::Server => self.learn_share(body),
            _ => {}
        }
        self.transcript.extend_from_slice(message);
        if msg_type == HandshakeType::CLIENT_KEY_EXCHANGE && self.keys.is_none() {
            self.compute_keys();
        }
    }

    fn learn_random(&mut self, of: usize, body: &[u8]) {
        if let Some(random) = body.get(2..34).and_then(|random| random.try_into().ok()) {
            self.randoms[of] = random;
        }
    }

    fn switch_keys(&mut self) {
        self.epoch = 1;
    }

    fn can_compute_keys(&self) -> bool {
        self.peer_share.is_some() || self.session.resumed.is_some() || self.exchange == Exchange::Psk
    }

    /// The keys; where no key exchange took place, those that follow from an empty secret, as
    /// attackers on careless implementations use them.
    fn keys(&mut self) -> &Keys {
        if self.keys.is_none() {
            self.compute_keys();
        }
        self.keys.as_ref().expect("computed above")
    }

    fn compute_keys(&mut self) {
        if let Some(secret) = &self.session.resumed {
            self.keys = Some(Keys::resumed(&self.provider, secret, self.randoms));
            return self.receive_early();
        }
        let premaster = self.premaster();
        self.keys = Some(Keys::new(&self.provider, &premaster, &self.transcript, self.randoms));
        self.receive_early();
    }

    fn receive_early(&mut self) {
        for record in std::mem::take(&mut self.early) {
            self.receive(&record);
        }
    }
}

impl Scripted for Peer {
    fn receive(&mut self, datagram: &[u8]) {
        for (header, record) in whole_records(datagram, self.cids.own_len()) {
            self.receive_record(record, header);
        }
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("side", &self.side).field("received", &self.received.len()).finish_non_exhaustive()
    }
}
