//! What follows a handshake: every two messages, and answers to a request for a certificate.

use std::sync::Arc;

use gramseal_proto::ClientAnswer;
use gramseal_proto::config::{ClientConfig, ConnectionIds, ServerConfig};
use gramseal_proto::wire::{HandshakeType as T, ProtocolVersion};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer, Peer13, Scene, Scene13, Scripted, Step, TYPES13};
use gramseal_testkit::sim::Side;

use crate::explore::{Kind, LONG, OF_IDS, Path, Speaks, Stage, State, Word, messages};

/// A connection after its handshake. It is done when as many messages were taken.
struct After<P: Scripted> {
    scene: Scene<P>,
    speak: fn(&mut Self, Word),
    wanted: u64,
    taken: u64,
    dropped: u64,
    asked: u8,
}

impl<P: Scripted> After<P> {
    fn new(scene: Scene<P>, speak: fn(&mut Self, Word), wanted: u64) -> Self {
        Self { scene, speak, wanted, taken: 0, dropped: 0, asked: 0 }
    }
}

impl<P: Scripted> Stage for After<P> {
    fn say(&mut self, word: Word) {
        let before = self.scene.connection().stats().discards.total();
        (self.speak)(self, word);
        let dropped = self.scene.connection().stats().discards.total() - before;
        self.dropped += dropped;
        self.taken += u64::from(dropped == 0);
    }

    fn state(&self) -> State {
        match self.scene.outcome() {
            Outcome::Closed(_) => State::Failed,
            _ if self.taken >= self.wanted => State::Done,
            _ => State::Waiting,
        }
    }

    fn dropped(&mut self) -> u64 {
        self.dropped
    }

    fn wait(&mut self) {
        // It is connected and need not end: the search wants to know of handshakes alone.
        self.scene.close();
    }
}

fn speak13(after: &mut After<Peer13>, word: Word) {
    if word == Word::Message(T::CERTIFICATE_REQUEST) {
        // A context of its own, in place of none.
        after.asked += 1;
        let mut body = after.scene.peer.body_of(T::CERTIFICATE_REQUEST);
        body.splice(..1, [1, after.asked]);
        return apart(&mut after.scene, |scene| scene.say_of(T::CERTIFICATE_REQUEST, &body));
    }
    speak_apart(&mut after.scene, word);
}

/// Each exchange of messages goes on from the handshake alone (RFC 9846 §4.5).
fn apart(scene: &mut Scene13, say: impl FnOnce(&mut Scene13)) {
    let len = scene.peer.transcript_len();
    say(scene);
    scene.peer.cut_transcript(len);
}

fn speak_apart(scene: &mut Scene13, word: Word) {
    apart(scene, |scene| scene.speak(word));
    if word == Word::Message(T::KEY_UPDATE) {
        let epoch = scene.peer.epoch();
        scene.peer.set_epoch(epoch + 1);
    }
}

fn speak12(after: &mut After<Peer>, word: Word) {
    match word {
        Word::Message(msg_type) => after.scene.play(&[Step::Message(msg_type)]),
        Word::ChangeCipherSpec => after.scene.play(&[Step::BareChangeCipherSpec]),
        other => after.scene.speak(other),
    }
}

/// A server that has asked for a certificate. It is done when it knows who the client is.
struct Asked {
    scene: Scene13,
    context: Vec<u8>,
}

impl Stage for Asked {
    fn say(&mut self, word: Word) {
        let Word::Message(msg_type) = word else { return speak_apart(&mut self.scene, word) };
        let peer = &mut self.scene.peer;
        let mut body = peer.body_of(msg_type);
        match msg_type {
            T::CERTIFICATE => {
                let len = u8::try_from(self.context.len()).expect("a short context");
                body.splice(..1, [&[len][..], &self.context].concat());
            }
            T::FINISHED => body = peer.finished_afterwards(peer.epoch()),
            T::CERTIFICATE_VERIFY => {}
            _ => return speak_apart(&mut self.scene, word),
        }
        self.scene.say_of(msg_type, &body);
    }

    fn state(&self) -> State {
        match self.scene.outcome() {
            Outcome::Closed(_) => State::Failed,
            _ if self.scene.client_answers().contains(&ClientAnswer::Authenticated) => State::Done,
            _ => State::Waiting,
        }
    }

    fn dropped(&mut self) -> u64 {
        self.scene.connection().stats().discards.total()
    }

    fn wait(&mut self) {
        self.scene.advance(LONG);
        // A server that gets no answer goes on without.
        self.scene.close();
    }
}

fn words13() -> Vec<Word> {
    let mut words = messages(&TYPES13);
    words.push(Word::Message(T::CERTIFICATE_STATUS));
    words.extend(OF_IDS);
    words
}

/// What the sides of a connection have agreed on.
#[derive(Clone, Copy)]
struct Agreed {
    /// The client may be asked for a certificate.
    asks: bool,
    ids: Ids,
}

/// Who wants connection ids in the records to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    /// Ids are not spoken of.
    Off,
    Both,
    UnderTest,
    Peer,
}

const NOTHING: Agreed = Agreed { asks: false, ids: Ids::Off };

impl Ids {
    fn of_side_under_test(self) -> ConnectionIds {
        match self {
            Self::Off | Self::Peer => ConnectionIds::Peers,
            Self::Both | Self::UnderTest => ConnectionIds::random(),
        }
    }

    fn of_peer(self) -> Option<&'static [u8]> {
        match self {
            Self::Off => None,
            Self::Both | Self::Peer => Some(b"me"),
            Self::UnderTest => Some(b""),
        }
    }
}

impl Agreed {
    fn client(self, version: ProtocolVersion) -> ClientConfig {
        let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0);
        let builder = null::client_config(2).with_versions(&[version]).with_identity(identity);
        let builder = builder.with_connection_ids(self.ids.of_side_under_test());
        let builder = if self.asks { builder.with_post_handshake_auth() } else { builder };
        builder.build().expect("a client")
    }

    fn server(self, version: ProtocolVersion) -> ServerConfig {
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let builder = null::server_config(3, identity).with_versions(&[version]);
        let builder = builder.with_connection_ids(self.ids.of_side_under_test());
        let verifier = Arc::new(NullVerifier::default());
        let builder = if self.asks { builder.with_post_handshake_verifier(verifier) } else { builder };
        builder.build().expect("a server")
    }

    fn connect(self, under_test: Side) -> Scene13 {
        let mut scene = match under_test {
            Side::Client => Scene13::client13(self.client(ProtocolVersion::DTLS1_3), 1),
            Side::Server => Scene13::server13(self.server(ProtocolVersion::DTLS1_3), 1),
        };
        if under_test == Side::Server {
            scene.peer.offer_post_handshake_auth();
        }
        if let Some(own) = self.ids.of_peer() {
            scene.peer.name_records(own);
        }
        scene.connect13();
        scene
    }

    fn connect12(self, under_test: Side) -> Scene {
        let mut scene = match under_test {
            Side::Client => Scene::client(self.client(ProtocolVersion::DTLS1_2), 1),
            Side::Server => Scene::server(self.server(ProtocolVersion::DTLS1_2), 1),
        };
        if let Some(own) = self.ids.of_peer() {
            scene.peer.name_records(own);
        }
        scene.connect();
        scene
    }
}

fn asked(ids: Ids) -> Asked {
    let mut scene = Agreed { asks: true, ids }.connect(Side::Server);
    scene.connection().authenticate_client().expect("nothing is in the way");
    // Something has to make it send.
    let ack = scene.peer.ack([]);
    scene.deliver([ack]);
    let request = scene.peer.received().last().expect("a request");
    assert_eq!(request.msg_type, T::CERTIFICATE_REQUEST);
    let context = request.body[1..=usize::from(request.body[0])].to_vec();
    Asked { scene, context }
}

/// Two messages after a handshake of 1.3.
fn after(name: &'static str, under_test: Side, agreed: Agreed, legal: &[Vec<Word>]) -> Kind {
    Kind {
        name,
        under_test,
        begin: Box::new(move || Box::new(After::new(agreed.connect(under_test), speak13, 2))),
        words: words13(),
        legal: legal.to_vec(),
    }
}

/// Two of these, in any order.
fn pairs(words: &[Word]) -> Vec<Vec<Word>> {
    words.iter().flat_map(|first| words.iter().map(|second| vec![*first, *second])).collect()
}

/// Who has agreed on ids, and what may be said then to `under_test` beside what may always be said.
fn with_ids(under_test: Side) -> impl Iterator<Item = Kind> {
    let usual = match under_test {
        Side::Client => messages(&[T::NEW_SESSION_TICKET, T::KEY_UPDATE]),
        Side::Server => messages(&[T::KEY_UPDATE]),
    };
    let (request, given) =
        (Word::Message(T::REQUEST_CONNECTION_ID), [Word::Message(T::NEW_CONNECTION_ID), Word::ImmediateId]);
    let question = Word::Path(Path::Challenge);
    let kinds = [
        ("1.3, two messages where both sides have connection ids", Ids::Both, [&[request], &given[..]].concat()),
        ("1.3, two messages to the only side that has connection ids", Ids::UnderTest, vec![request]),
        ("1.3, two messages of the only side that has connection ids", Ids::Peer, given.to_vec()),
    ];
    kinds.into_iter().map(move |(name, ids, of_ids)| {
        let legal = pairs(&[&usual[..], &of_ids, &[question]].concat());
        after(name, under_test, Agreed { asks: false, ids }, &legal)
    })
}

fn after12(name: &'static str, under_test: Side, ids: Ids) -> Kind {
    let mut words = messages(&[
        T::HELLO_REQUEST,
        T::CLIENT_HELLO,
        T::SERVER_HELLO,
        T::HELLO_VERIFY_REQUEST,
        T::NEW_SESSION_TICKET,
        T::CERTIFICATE,
        T::SERVER_KEY_EXCHANGE,
        T::CERTIFICATE_REQUEST,
        T::SERVER_HELLO_DONE,
        T::CERTIFICATE_VERIFY,
        T::CLIENT_KEY_EXCHANGE,
        T::FINISHED,
        T::KEY_UPDATE,
        T(99),
    ]);
    words.push(Word::ChangeCipherSpec);
    words.extend(OF_IDS.into_iter().filter(|word| *word != Word::ImmediateId));
    Kind {
        name,
        under_test,
        begin: Box::new(move || {
            let scene = Agreed { asks: false, ids }.connect12(under_test);
            Box::new(After::new(scene, speak12, 1))
        }),
        words,
        legal: Vec::new(),
    }
}

/// All of them.
pub(crate) fn kinds() -> Vec<Kind> {
    let twice = |msg_type| messages(&[msg_type, msg_type]);
    let ticket = twice(T::NEW_SESSION_TICKET);
    let update = twice(T::KEY_UPDATE);
    let request = twice(T::CERTIFICATE_REQUEST);
    let asks = Agreed { asks: true, ..NOTHING };
    let mut kinds = Vec::new();
    for (name, ids) in [
        ("1.2, a message after the handshake", Ids::Off),
        ("1.2, a message where both sides have connection ids", Ids::Both),
    ] {
        kinds.extend(Side::BOTH.map(|side| after12(name, side, ids)));
    }
    let two = "1.3, two messages after the handshake";
    let to_known = "1.3, two messages to one that may be asked who it is";
    kinds.push(after(two, Side::Client, NOTHING, &[ticket.clone(), update.clone()]));
    kinds.push(after(to_known, Side::Client, asks, &[ticket, request]));
    kinds.push(after(two, Side::Server, NOTHING, &[update]));
    for (name, ids) in [
        ("1.3, an answer to a request for a certificate", Ids::Off),
        ("1.3, the same where both sides have connection ids", Ids::Both),
    ] {
        kinds.push(Kind {
            name,
            under_test: Side::Server,
            begin: Box::new(move || Box::new(asked(ids))),
            words: words13(),
            legal: vec![messages(&[T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED])],
        });
    }
    kinds.extend(Side::BOTH.into_iter().flat_map(with_ids));
    kinds
}
