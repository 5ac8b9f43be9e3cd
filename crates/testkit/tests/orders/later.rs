//! What follows a handshake: every two messages, and answers to a request for a certificate.

use std::sync::Arc;

use gramseal_proto::ClientAnswer;
use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::wire::{HandshakeType as T, ProtocolVersion};
use gramseal_testkit::null::{self, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Peer, Peer13, Scene, Scene13, Scripted, Step, TYPES13};
use gramseal_testkit::sim::Side;

use crate::explore::{Kind, LONG, Stage, State, Word, messages};

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];

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
    let Word::Message(msg_type) = word else { unreachable!("nothing else follows a handshake") };
    let peer = &mut after.scene.peer;
    let mut body = peer.body_of(msg_type);
    if msg_type == T::CERTIFICATE_REQUEST {
        // A context of its own, in place of none.
        after.asked += 1;
        body.splice(..1, [1, after.asked]);
    }
    // Each exchange of messages goes on from the handshake alone.
    let len = peer.transcript_len();
    after.scene.say_of(msg_type, &body);
    after.scene.peer.cut_transcript(len);
    if msg_type == T::KEY_UPDATE {
        let epoch = after.scene.peer.epoch();
        after.scene.peer.set_epoch(epoch + 1);
    }
}

fn speak12(after: &mut After<Peer>, word: Word) {
    match word {
        Word::Message(msg_type) => after.scene.play(&[Step::Message(msg_type)]),
        Word::ChangeCipherSpec => after.scene.play(&[Step::BareChangeCipherSpec]),
        Word::Retry | Word::EarlyData => unreachable!("of 1.3"),
    }
}

/// A server that has asked for a certificate. It is done when it knows who the client is.
struct Asked {
    scene: Scene13,
    context: Vec<u8>,
}

impl Stage for Asked {
    fn say(&mut self, word: Word) {
        let Word::Message(msg_type) = word else { unreachable!("nothing else follows a handshake") };
        let peer = &mut self.scene.peer;
        let mut body = peer.body_of(msg_type);
        match msg_type {
            T::CERTIFICATE => {
                let len = u8::try_from(self.context.len()).expect("a short context");
                body.splice(..1, [&[len][..], &self.context].concat());
            }
            T::FINISHED => body = peer.finished_afterwards(peer.epoch()),
            _ => {}
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

/// A scene of 1.3 whose client, if it is under test, may be asked for a certificate.
fn connected(under_test: Side, asks: bool) -> Scene13 {
    let mut scene = match under_test {
        Side::Client => {
            let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0);
            let builder = null::client_config(2).with_versions(&VERSIONS).with_identity(identity);
            let builder = if asks { builder.with_post_handshake_auth() } else { builder };
            let config: ClientConfig = builder.build().expect("a client");
            Scene13::client13(config, 1)
        }
        Side::Server => {
            let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
            let builder = null::server_config(3, identity).with_versions(&VERSIONS);
            let verifier = Arc::new(NullVerifier::default());
            let builder = if asks { builder.with_post_handshake_verifier(verifier) } else { builder };
            let config: ServerConfig = builder.build().expect("a server");
            let mut scene = Scene13::server13(config, 1);
            scene.peer.offer_post_handshake_auth();
            scene
        }
    };
    scene.connect13();
    scene
}

fn asked() -> Asked {
    let mut scene = connected(Side::Server, true);
    scene.connection().authenticate_client().expect("nothing is in the way");
    // Something has to make it send.
    let ack = scene.peer.ack([]);
    scene.deliver([ack]);
    let request = scene.peer.received().last().expect("a request");
    assert_eq!(request.msg_type, T::CERTIFICATE_REQUEST);
    let context = request.body[1..=usize::from(request.body[0])].to_vec();
    Asked { scene, context }
}

fn after(name: &'static str, under_test: Side, asks: bool, wanted: u64, legal: &[&[T]]) -> Kind {
    Kind {
        name,
        under_test,
        begin: Box::new(move || Box::new(After::new(connected(under_test, asks), speak13, wanted))),
        words: words13(),
        legal: legal.iter().map(|types| messages(types)).collect(),
    }
}

fn words13() -> Vec<Word> {
    let mut words = messages(&TYPES13);
    words.extend(messages(&[T::REQUEST_CONNECTION_ID, T::NEW_CONNECTION_ID, T::CERTIFICATE_STATUS]));
    words
}

fn after12(under_test: Side) -> Kind {
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
    Kind {
        name: "1.2, a message after the handshake",
        under_test,
        begin: Box::new(move || {
            let mut scene = match under_test {
                Side::Client => Scene::client(null::client(), 1),
                Side::Server => Scene::server(null::server(), 1),
            };
            scene.connect();
            Box::new(After::new(scene, speak12, 1))
        }),
        words,
        legal: Vec::new(),
    }
}

/// All of them.
pub(crate) fn kinds() -> Vec<Kind> {
    let ticket: &[T] = &[T::NEW_SESSION_TICKET, T::NEW_SESSION_TICKET];
    let update: &[T] = &[T::KEY_UPDATE, T::KEY_UPDATE];
    let request: &[T] = &[T::CERTIFICATE_REQUEST, T::CERTIFICATE_REQUEST];
    vec![
        after12(Side::Client),
        after12(Side::Server),
        after("1.3, two messages after the handshake", Side::Client, false, 2, &[ticket, update]),
        after("1.3, two messages to one that may be asked who it is", Side::Client, true, 2, &[ticket, request]),
        after("1.3, two messages after the handshake", Side::Server, false, 2, &[update]),
        Kind {
            name: "1.3, an answer to a request for a certificate",
            under_test: Side::Server,
            begin: Box::new(|| Box::new(asked())),
            words: words13(),
            legal: vec![messages(&[T::CERTIFICATE, T::CERTIFICATE_VERIFY, T::FINISHED])],
        },
    ]
}
