//! The scripted peer of DTLS 1.3: as [`Peer`](super::Peer), with a key schedule, record protection and messages of
//! its own. It knows one suite, TLS_AES_128_GCM_SHA256, with x25519, secp256r1 and, where a test asks for them, the
//! hybrid groups of the null provider.

mod extras;
mod keys;
mod messages;
mod wiretap;

use std::collections::BTreeMap;
use std::sync::Arc;

use gramseal_proto::crypto::{ActiveKx, CryptoProvider, SharedSecret};
use gramseal_wire::{
    Ack, Alert, ClientHello, Codec, ContentType, Cookie, Epoch, HandshakeHeader, HandshakeType, KeyShareClientHello,
    KeyShareHelloRetryRequest, KeyShareServerHello, MessageSeq, NamedGroup, PlaintextHeader, ProtocolVersion, Reader,
    RecordHeader, RecordNumber, SequenceNumber, ServerHello, UnifiedHeader,
};

use self::extras::Extras;
use self::keys::{Keys, Suite};
use super::Scripted;
use super::cids::Cids;
use super::inbox::{self, Inbox, Received, whole, whole_records};
use crate::decode::fragments;
use crate::null::{self, NullKey};
use crate::sim::Side;

pub use self::extras::Offered;
pub use self::keys::Form;
pub use self::wiretap::Wiretap;

/// What a peer could say at the wrong time: every type that some version has there, and one that none has.
pub const TYPES13: [HandshakeType; 15] = [
    HandshakeType::HELLO_REQUEST,
    HandshakeType::CLIENT_HELLO,
    HandshakeType::SERVER_HELLO,
    HandshakeType::HELLO_VERIFY_REQUEST,
    HandshakeType::NEW_SESSION_TICKET,
    HandshakeType::END_OF_EARLY_DATA,
    HandshakeType::ENCRYPTED_EXTENSIONS,
    HandshakeType::CERTIFICATE,
    HandshakeType::SERVER_KEY_EXCHANGE,
    HandshakeType::CERTIFICATE_REQUEST,
    HandshakeType::CERTIFICATE_VERIFY,
    HandshakeType::FINISHED,
    HandshakeType::KEY_UPDATE,
    HandshakeType::COMPRESSED_CERTIFICATE,
    HandshakeType(99),
];

const EARLY: u64 = 1;
const HANDSHAKE: u64 = 2;
const APPLICATION: u64 = 3;

/// The peer: what it sent, received and computed so far.
pub struct Peer13 {
    side: Side,
    provider: Arc<CryptoProvider>,
    suite: Suite,
    random: [u8; 32],
    cookie: Option<Vec<u8>>,
    offers_later: bool,
    /// The key of a session, and its place in the client's list.
    psk: Option<(Vec<u8>, u16)>,
    group: NamedGroup,
    kx: Option<Box<dyn ActiveKx>>,
    /// The secret, for a server of a group whose answers are no shares of their own.
    answered: Option<SharedSecret>,
    own_share: Vec<u8>,
    /// Of the group above, from the hello of the side under test.
    peer_share: Vec<u8>,
    /// Messages as TLS has them, without what DTLS adds to their headers.
    transcript: Vec<u8>,
    handshake_secret: Option<Vec<u8>>,
    keys: BTreeMap<u64, Keys>,
    epoch: u64,
    next_message: u16,
    next_record: BTreeMap<u64, u64>,
    inbox: Inbox,
    received: Vec<Received>,
    seen: Vec<Seen>,
    extras: Extras,
    cids: Cids,
}

/// A record of the side under test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nothing else is in a record")]
pub struct Seen {
    /// Its number.
    pub number: RecordNumber,
    /// Its type, the inner one if it was protected.
    pub content_type: ContentType,
    /// What is in it.
    pub content: Vec<u8>,
}

impl Peer13 {
    /// A peer that plays `side`.
    ///
    /// # Panics
    /// Never, as the null provider has what it takes.
    #[must_use]
    pub fn new(side: Side, seed: u64) -> Self {
        let provider = null::provider(seed);
        let random = provider.random_array().expect("seeded randomness never fails");
        let mut peer = Self {
            side,
            suite: Suite::new(&provider),
            provider,
            random,
            cookie: None,
            offers_later: false,
            psk: None,
            group: NamedGroup::X25519,
            kx: None,
            answered: None,
            own_share: Vec::new(),
            peer_share: Vec::new(),
            transcript: Vec::new(),
            handshake_secret: None,
            keys: BTreeMap::new(),
            epoch: 0,
            next_message: 0,
            next_record: BTreeMap::new(),
            inbox: Inbox::default(),
            received: Vec::new(),
            seen: Vec::new(),
            extras: Extras::default(),
            cids: Cids::default(),
        };
        peer.set_group(NamedGroup::X25519);
        peer
    }

    /// Makes a new share, of `group`.
    ///
    /// # Panics
    /// If the null provider lacks the group.
    pub fn set_group(&mut self, group: NamedGroup) {
        let known = self.provider.group(group).expect("a group of the null provider");
        let kx = known.start(&*self.provider.random).expect("seeded randomness never fails");
        (self.group, self.own_share, self.kx) = (group, kx.public_key().to_vec(), Some(kx));
    }

    /// Goes on, as server, with the session that has this key and stands at this place in the client's list.
    pub fn resume(&mut self, psk: Vec<u8>, selected: u16) {
        self.psk = Some((psk, selected));
    }

    fn psk(&self) -> Option<&[u8]> {
        self.psk.as_ref().map(|(psk, _)| psk.as_slice())
    }

    /// Wants `own` in the records to it, which may be nothing, and puts the other side's connection id into its records;
    /// both check return routability.
    pub fn name_records(&mut self, own: &[u8]) {
        self.cids.speak_of(own);
    }

    /// Offers, as client, to be asked for a certificate after the handshake.
    pub const fn offer_post_handshake_auth(&mut self) {
        self.offers_later = true;
    }

    /// How long the transcript is.
    #[must_use]
    pub const fn transcript_len(&self) -> usize {
        self.transcript.len()
    }

    /// Forgets what came since the transcript had this length: after the handshake each exchange goes on from the
    /// handshake alone (RFC 9846 §4.5).
    pub fn cut_transcript(&mut self, len: usize) {
        self.transcript.truncate(len);
    }

    /// The body of a Finished at this point after the handshake, for a side that writes in `epoch`
    /// (RFC 9846 §4.5).
    pub fn finished_afterwards(&mut self, epoch: u64) -> Vec<u8> {
        self.keys(epoch);
        self.suite.verify_data(&self.keys[&epoch], self.side, &self.transcript)
    }

    /// The epoch of what is sent from now on. It changes by itself with ServerHello and our Finished.
    pub const fn set_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// The epoch of what is sent now.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A message in one piece with any number, which this side does not remember.
    #[must_use]
    pub fn whole(msg_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
        whole(msg_type, MessageSeq(message_seq), body)
    }

    /// Cuts `message` (header and body) into fragments of at most `len` bytes of body.
    ///
    /// # Panics
    /// If `message` has no header.
    #[must_use]
    pub fn fragment(message: &[u8], len: usize) -> Vec<Vec<u8>> {
        inbox::fragment(message, len)
    }

    /// Chooses the number of the next message.
    pub const fn set_next_message(&mut self, message_seq: u16) {
        self.next_message = message_seq;
    }

    /// A message of this type with its header, as it must be now; takes the next number and adds it to the
    /// transcript.
    pub fn message(&mut self, msg_type: HandshakeType) -> Vec<u8> {
        let body = self.body(msg_type);
        self.message_of(msg_type, &body)
    }

    /// As [`Self::message`], with a body of the test's choice.
    pub fn message_of(&mut self, msg_type: HandshakeType, body: &[u8]) -> Vec<u8> {
        let message = whole(msg_type, MessageSeq(self.next_message), body);
        self.next_message += 1;
        self.learn(self.side, msg_type, &message);
        message
    }

    /// The body that a message of this type would have now; changes nothing.
    #[must_use]
    pub fn body_of(&self, msg_type: HandshakeType) -> Vec<u8> {
        self.body(msg_type)
    }

    /// The body of a HelloRetryRequest that asks for a share of `group` and for `cookie`.
    #[must_use]
    pub fn retry_body(group: Option<NamedGroup>, cookie: Option<&[u8]>) -> Vec<u8> {
        messages::retry(group, cookie)
    }

    /// The body of a Certificate message for `name` and `key`.
    #[must_use]
    pub fn certificate_body(name: &str, key: &NullKey) -> Vec<u8> {
        messages::certificate_message(&null::certificate(name, key, 0))
    }

    /// A message and a record around it: a datagram of its own. The record has the epoch from before the message.
    pub fn datagram(&mut self, msg_type: HandshakeType) -> Vec<u8> {
        let body = self.body(msg_type);
        self.datagram_of(msg_type, &body)
    }

    /// As [`Self::datagram`], with a body of the test's choice.
    pub fn datagram_of(&mut self, msg_type: HandshakeType, body: &[u8]) -> Vec<u8> {
        let epoch = self.epoch;
        let message = self.message_of(msg_type, body);
        self.record_in(epoch, ContentType::HANDSHAKE, &message)
    }

    /// A record in the current epoch with the next number.
    pub fn record(&mut self, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        self.record_in(self.epoch, content_type, content)
    }

    /// A record in `epoch` with the next number.
    pub fn record_in(&mut self, epoch: u64, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        let next = self.next_record.entry(epoch).or_default();
        let number = *next;
        *next += 1;
        self.record_numbered(content_type, epoch, number, content)
    }

    /// A record with any number; protected in every epoch but 0.
    pub fn record_numbered(&mut self, content_type: ContentType, epoch: u64, number: u64, content: &[u8]) -> Vec<u8> {
        self.record_formed(content_type, epoch, number, content, Form::default())
    }

    /// The same in another form, of which epoch 0 has just one.
    ///
    /// # Panics
    /// If `content` is longer than a record can be.
    pub fn record_formed(
        &mut self,
        content_type: ContentType,
        epoch: u64,
        number: u64,
        content: &[u8],
        form: Form,
    ) -> Vec<u8> {
        let number = RecordNumber::new(Epoch(epoch), SequenceNumber(number));
        if epoch == 0 {
            let header = PlaintextHeader {
                content_type,
                version: ProtocolVersion::DTLS1_2,
                epoch: number.epoch,
                sequence_number: number.sequence_number,
                length: u16::try_from(content.len()).expect("a record's length"),
            };
            return [&header.to_bytes()[..], content].concat();
        }
        let side = self.side;
        let cid = self.cids.of_peer().to_vec();
        self.keys(epoch).seal(side, &cid, number, content_type, content, form)
    }

    /// An ACK in the current epoch for these record numbers.
    pub fn ack(&mut self, numbers: impl IntoIterator<Item = (u64, u64)>) -> Vec<u8> {
        let content = ack(numbers);
        self.record(ContentType::ACK, &content)
    }

    fn receive_record(&mut self, record: &[u8], header: RecordHeader) {
        let from = self.side.peer();
        match header {
            RecordHeader::Plaintext(header) => {
                let number = RecordNumber::new(header.epoch, header.sequence_number);
                self.receive_content(number, header.content_type, record[PlaintextHeader::LEN..].to_vec());
            }
            RecordHeader::Unified(header) => {
                // The newest epoch with these bits whose keys open it. After deviations the two sides may have
                // different keys; then nothing can be read.
                let fits = |epoch: &&u64| UnifiedHeader::epoch_bits_of(Epoch(**epoch)) == header.epoch_bits;
                let epochs: Vec<u64> = self.keys.keys().rev().filter(fits).copied().collect();
                let cid_len = self.cids.own_len();
                let open = |epoch: u64| self.keys[&epoch].open(from, Epoch(epoch), record, cid_len);
                if let Some((number, content_type, content)) = epochs.into_iter().find_map(open) {
                    self.receive_content(number, content_type, content);
                }
            }
            RecordHeader::Cid12(_) => panic!("a record of 1.2"),
        }
    }

    fn receive_content(&mut self, number: RecordNumber, content_type: ContentType, content: Vec<u8>) {
        if content_type == ContentType::HANDSHAKE {
            fragments(&content).iter().for_each(|fragment| self.inbox.insert(number.epoch.0, fragment));
        }
        self.seen.push(Seen { number, content_type, content });
        while let Some(message) = self.inbox.next() {
            self.learn(self.side.peer(), message.msg_type, &message.to_bytes());
            self.received.push(message);
        }
    }

    /// The messages received so far, in order and once each.
    #[must_use]
    pub fn received(&self) -> &[Received] {
        &self.received
    }

    /// The records received so far, those that could be read.
    #[must_use]
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// The records received since this was last asked.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// The side it plays.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Takes from a message, sent or received, what later ones depend on.
    fn learn(&mut self, from: Side, msg_type: HandshakeType, message: &[u8]) {
        let (header, body) = message.split_at(HandshakeHeader::LEN);
        let message = [&header[..4], body].concat();
        if from != self.side {
            self.cids.learn(msg_type, body);
        }
        match msg_type {
            HandshakeType::HELLO_VERIFY_REQUEST => return,
            HandshakeType::CLIENT_HELLO if from != self.side => self.learn_shares(body),
            HandshakeType::SERVER_HELLO => {
                let hello = ServerHello::from_bytes(body).ok();
                if let Some(hello) = hello.filter(ServerHello::is_hello_retry_request) {
                    let digest = self.suite.digest(&self.transcript);
                    self.transcript = [&[HandshakeType::MESSAGE_HASH.0, 0, 0, 32][..], &digest, &message].concat();
                    return self.learn_request(from, &hello);
                }
                if let Some(hello) = hello.filter(|_| from != self.side) {
                    self.learn_key(&hello);
                    if let Ok(Some(share)) = hello.extensions.find::<KeyShareServerHello<'_>>() {
                        self.peer_share = share.server_share.key_exchange.to_vec();
                    }
                }
            }
            _ => {}
        }
        self.transcript.extend_from_slice(&message);
        match msg_type {
            HandshakeType::CLIENT_HELLO => self.begin_early(),
            HandshakeType::SERVER_HELLO => {
                self.keys(HANDSHAKE);
                self.epoch = self.epoch.max(HANDSHAKE);
            }
            HandshakeType::FINISHED => {
                match from {
                    Side::Server => drop(self.keys(APPLICATION)),
                    Side::Client => _ = self.extras.until_finished.get_or_insert(self.transcript.len()),
                }
                if from == self.side {
                    self.epoch = self.epoch.max(APPLICATION);
                }
            }
            _ => {}
        }
    }

    fn learn_shares(&mut self, body: &[u8]) {
        let Ok(hello) = ClientHello::from_bytes(body) else { return };
        let Ok(Some(offer)) = hello.extensions.find::<KeyShareClientHello<'_>>() else { return };
        if let Some(share) = offer.client_shares.iter().find(|share| share.group == self.group) {
            self.peer_share = share.key_exchange.to_vec();
            self.answer();
        }
    }

    /// As server of a hybrid group: the share follows from the client's.
    fn answer(&mut self) {
        let hybrid = [NamedGroup::X25519MLKEM768, NamedGroup::SECP256R1MLKEM768].contains(&self.group);
        if !hybrid || self.side == Side::Client {
            return;
        }
        let known = self.provider.group(self.group).expect("a group of the null provider");
        if let Ok((share, secret)) = known.answer(&*self.provider.random, &self.peer_share) {
            (self.own_share, self.answered) = (share, Some(secret));
        }
    }

    fn learn_request(&mut self, from: Side, request: &ServerHello<'_>) {
        let group = request.extensions.find::<KeyShareHelloRetryRequest>().ok().flatten();
        if let Some(group) = group.map(|share| share.selected_group).filter(|group| *group != self.group) {
            // A group that nobody has cannot be answered.
            if self.provider.group(group).is_some() {
                self.set_group(group);
            }
        }
        // RFC 9846 §4.2.4: whoever asks takes no early data, and who is asked announces none.
        self.extras.early_data = false;
        if from != self.side {
            let cookie = request.extensions.find::<Cookie<'_>>().ok().flatten();
            self.cookie = cookie.map(|cookie| cookie.cookie.to_vec());
        }
    }

    fn verify_data(&self) -> Vec<u8> {
        let early;
        let keys = match self.keys.get(&HANDSHAKE) {
            Some(keys) => keys,
            None => {
                early = self.handshake_keys(&self.suite.handshake_secret(self.psk(), self.without_exchange()));
                &early
            }
        };
        self.suite.verify_data(keys, self.side, &self.transcript)
    }

    /// What stands in the place of a shared secret: zeros where a pre-shared key does without (RFC 9846 §7.1).
    const fn without_exchange(&self) -> &'static [u8] {
        if self.extras.key_alone { &[0; 32] } else { &[] }
    }

    fn handshake_keys(&self, secret: &[u8]) -> Keys {
        self.suite.keys(secret, ["c hs traffic", "s hs traffic"], &self.transcript)
    }

    /// The keys of `epoch`, made of what is there; where no key exchange took place, those that follow from an
    /// empty secret, as attackers on careless implementations use them.
    fn keys(&mut self, epoch: u64) -> &Keys {
        if !self.keys.contains_key(&epoch) {
            let keys = match epoch {
                HANDSHAKE => {
                    let kx = self.kx.take();
                    let kx = kx.filter(|_| !self.extras.key_alone);
                    let complete = || kx.and_then(|kx| kx.complete(&self.peer_share).ok());
                    let shared = self.answered.take().or_else(complete);
                    let shared = shared.as_ref().map_or_else(|| self.without_exchange(), AsRef::as_ref);
                    let secret = self.suite.handshake_secret(self.psk(), shared);
                    let keys = self.handshake_keys(&secret);
                    self.handshake_secret = Some(secret);
                    keys
                }
                APPLICATION => {
                    self.keys(HANDSHAKE);
                    let main = self.suite.main_secret(self.handshake_secret.as_deref().unwrap_or_default());
                    self.suite.keys(&main, ["c ap traffic", "s ap traffic"], &self.transcript)
                }
                // Without a key, keys that nobody has.
                0 | EARLY => {
                    let secret = self.suite.early_secret(self.early_key());
                    self.suite.keys(&secret, ["c e traffic"; 2], &self.transcript)
                }
                later => {
                    self.keys(later - 1);
                    self.suite.next(&self.keys[&(later - 1)])
                }
            };
            self.keys.insert(epoch, keys);
        }
        &self.keys[&epoch]
    }
}

impl Scripted for Peer13 {
    fn receive(&mut self, datagram: &[u8]) {
        for (header, record) in whole_records(datagram, self.cids.own_len()) {
            self.receive_record(record, header);
        }
    }
}

/// The content of an ACK for these record numbers.
#[must_use]
pub fn ack(numbers: impl IntoIterator<Item = (u64, u64)>) -> Vec<u8> {
    let number = |(epoch, number)| RecordNumber::new(Epoch(epoch), SequenceNumber(number));
    let numbers: gramseal_wire::OwnedList<RecordNumber> = numbers.into_iter().map(number).collect();
    (Ack { record_numbers: numbers.as_list() }).to_vec().expect("it fits its length field")
}

impl Seen {
    /// The alert in it, if it is one.
    #[must_use]
    pub fn alert(&self) -> Option<Alert> {
        (self.content_type == ContentType::ALERT).then(|| Alert::from_bytes(&self.content).ok()).flatten()
    }

    /// The record numbers in it, if it is an ACK.
    #[must_use]
    pub fn acknowledged(&self) -> Option<Vec<(u64, u64)>> {
        let ack = (self.content_type == ContentType::ACK).then(|| Ack::read(&mut Reader::new(&self.content)).ok());
        let pair = |number: RecordNumber| (number.epoch.0, number.sequence_number.0);
        ack.flatten().map(|ack| ack.record_numbers.iter().map(pair).collect())
    }
}

impl std::fmt::Debug for Peer13 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer13")
            .field("side", &self.side)
            .field("received", &self.received.len())
            .finish_non_exhaustive()
    }
}
