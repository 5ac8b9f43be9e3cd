//! Clients that are asked for a certificate after the handshake of 1.3 (RFC 9846 §4.7.2): over networks good and
//! bad, while keys change, and by servers that do not like the answer.

use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{
    ClientAuth, ClientConfigBuilder, Identity, PeerVerifier, ServerConfig, ServerConfigBuilder,
};
use gramseal_proto::crypto::SigningKey;
use gramseal_proto::wire::handshake::KeyUpdateRequest::{NotRequested, Requested};
use gramseal_proto::wire::{CertificateType, ContentType, HandshakeType, ProtocolVersion, SignatureScheme};
use gramseal_proto::{
    AuthenticateClientError, CertificateFault, ClientAnswer, CloseReason, Connection, Discard, Error, Event, Timer,
};
use gramseal_testkit::null::{self, NullKey, NullVerifier, Slow, ToyKind};
use gramseal_testkit::peer::Scene13;
use gramseal_testkit::sim::{Conditions, Pair, Side, Sim, seeds};

/// A few timeouts.
const ENOUGH: Duration = Duration::from_secs(10);

const VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::DTLS1_3];

/// A client with a certificate that lets itself be asked.
fn client() -> ClientConfigBuilder {
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 500);
    null::client_config(2).with_versions(&VERSIONS).with_identity(identity).with_post_handshake_auth()
}

fn server() -> ServerConfigBuilder {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 300);
    null::server_config(3, identity).with_versions(&VERSIONS)
}

fn verifier() -> Arc<dyn PeerVerifier> {
    Arc::new(NullVerifier::default().with_client_name(null::CLIENT_NAME))
}

/// A server that asks nobody in the handshake.
fn asking_later() -> ServerConfig {
    server().with_post_handshake_verifier(verifier()).build().expect("a server")
}

fn connect(sim: Sim, client: ClientConfigBuilder, server: ServerConfig) -> (Sim, Pair) {
    let mut sim = sim.without_cookies();
    let pair = sim.connect(client.build().expect("a client"), server);
    sim.run_until(|sim| sim.connected(pair), Duration::from_secs(180)).expect("both sides connect");
    (sim, pair)
}

fn at_server(sim: &Sim, pair: Pair) -> &Connection {
    sim.connection(pair, Side::Server).expect("connected")
}

fn answers(sim: &Sim, pair: Pair) -> Vec<ClientAnswer> {
    let answer = |event: &Event| match event {
        Event::ClientAnswered(answer) => Some(*answer),
        _ => None,
    };
    assert!(sim.events(pair, Side::Client).iter().all(|event| answer(event).is_none()));
    sim.events(pair, Side::Server).iter().filter_map(answer).collect()
}

fn shown(sim: &Sim, pair: Pair) -> usize {
    at_server(sim, pair).negotiated().expect("connected").peer_certificates.len()
}

#[test] // RFC 9846 §4.7.2
fn a_client_that_is_asked_later_is_known_from_then_on() {
    // Longer than what anybody may send who is not asked.
    let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 20_000);
    let client = null::client_config(2).with_versions(&VERSIONS).with_identity(identity).with_post_handshake_auth();
    let (mut sim, pair) = connect(Sim::new(1), client, asking_later());
    sim.run_for(Duration::from_secs(1));
    assert_eq!(shown(&sim, pair), 0);
    for round in 1..=3 {
        sim.authenticate_client(pair).expect("nothing is in the way");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(answers(&sim, pair), vec![ClientAnswer::Authenticated; round]);
        let negotiated = at_server(&sim, pair).negotiated().expect("connected");
        assert_eq!(negotiated.peer_certificates.len(), 1);
        assert_eq!(negotiated.peer_signature_scheme, Some(SignatureScheme::ECDSA_SECP256R1_SHA256));
    }
    for side in Side::BOTH {
        assert_eq!(sim.connection(pair, side).expect("connected").stats().retransmissions, 0, "all is acknowledged");
        let timer = sim.connection(pair, side).and_then(Connection::poll_timeout).map(|(_, timer)| timer);
        assert_ne!(timer, Some(Timer::Retransmit), "nothing is on its way");
    }
    sim.exchange(pair, b"still there");
}

#[test] // RFC 9846 §4.7.2
fn a_client_that_was_asked_in_the_handshake_can_be_asked_again() {
    for raw in [false, true] {
        let key = NullKey::new(ToyKind::EcdsaP256, 4);
        let forms = [if raw { CertificateType::RAW_PUBLIC_KEY } else { CertificateType::X509 }];
        let verifier = Arc::new(NullVerifier::default().with_forms(&forms));
        let identity = match raw {
            true => Identity::raw_public_key(Arc::new(key)).expect("a key that is known"),
            false => null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0),
        };
        let client = null::client_config(2).with_versions(&VERSIONS).with_identity(identity).with_post_handshake_auth();
        let server = server().with_client_auth(ClientAuth::Required(verifier)).build().expect("a server");
        let (mut sim, pair) = connect(Sim::new(1), client, server);
        let before = at_server(&sim, pair).negotiated().expect("connected").clone();
        sim.authenticate_client(pair).expect("nothing is in the way");
        sim.run_for(Duration::from_secs(1));
        assert_eq!(answers(&sim, pair), [ClientAnswer::Authenticated]);
        assert_eq!(at_server(&sim, pair).negotiated(), Some(&before));
        assert_eq!(before.peer_raw_public_key.is_some(), raw);
    }
}

#[test] // RFC 9846 §4.7.2
fn a_client_without_anything_fitting_says_so_and_the_connection_goes_on() {
    let empty_handed = null::client_config(2).with_versions(&VERSIONS).with_post_handshake_auth();
    let (mut sim, pair) = connect(Sim::new(1), empty_handed, asking_later());
    sim.authenticate_client(pair).expect("nothing is in the way");
    sim.run_for(Duration::from_secs(1));
    assert_eq!((answers(&sim, pair), shown(&sim, pair)), (vec![ClientAnswer::Declined], 0));
    sim.exchange(pair, b"still there");
}

#[test] // RFC 9846 §4.5.1.3
fn a_certificate_that_does_not_pass_ends_the_association() {
    for slow in [false, true] {
        let refusing = Arc::new(NullVerifier::default().refusing(CertificateFault::Expired));
        let verifier: Arc<dyn PeerVerifier> = if slow { Arc::new(Slow(refusing)) } else { refusing };
        let server = server().with_post_handshake_verifier(verifier).build().expect("a server");
        let (mut sim, pair) = connect(Sim::new(1), client(), server);
        sim.authenticate_client(pair).expect("nothing is in the way");
        sim.run_for(Duration::from_secs(1));
        let error = Error::Certificate(CertificateFault::Expired);
        let alert = error.alert();
        assert_eq!(sim.closed(pair, Side::Server), Some(&CloseReason::Failed(error)));
        let Some(CloseReason::Failed(Error::AlertReceived(heard))) = sim.closed(pair, Side::Client) else {
            panic!("the client hears why");
        };
        assert_eq!(Some(heard.description), alert);
        assert_eq!((answers(&sim, pair), shown(&sim, pair)), (vec![], 0));
    }
}

#[test]
fn signers_and_verifiers_may_take_their_time_and_nothing_else_waits() {
    let key: Arc<dyn SigningKey> = Arc::new(Slow(Arc::new(NullKey::new(ToyKind::EcdsaP256, 1))));
    let chain = vec![null::certificate(null::CLIENT_NAME, &NullKey::new(ToyKind::EcdsaP256, 1), 0)];
    let slow = Identity::new(chain, key).expect("a chain");
    let client = null::client_config(2).with_versions(&VERSIONS).with_identity(slow).with_post_handshake_auth();
    let verifier = Arc::new(Slow(Arc::new(NullVerifier::default())));
    let server = server().with_post_handshake_verifier(verifier).build().expect("a server");
    let (mut sim, pair) = connect(Sim::new(1), client, server);
    for round in 1..=2 {
        sim.authenticate_client(pair).expect("nothing is in the way");
        for side in Side::BOTH {
            sim.update_keys(pair, side, Requested).expect("nothing is on its way");
        }
        sim.exchange(pair, format!("round {round}").as_bytes());
        sim.run_for(ENOUGH);
        assert_eq!(answers(&sim, pair), vec![ClientAnswer::Authenticated; round]);
    }
}

#[test] // RFC 9846 §4.3.6
fn who_cannot_be_asked_is_not() {
    use AuthenticateClientError as E;
    let mut sim = Sim::new(1).without_cookies();
    let pair = sim.connect(client().build().expect("a client"), asking_later());
    let ask = |sim: &mut Sim, side| sim.connection_mut(pair, side).expect("a connection").authenticate_client();
    assert_eq!(sim.authenticate_client(pair), Err(E::NotConnected));
    assert_eq!(ask(&mut sim, Side::Client), Err(E::NotServer));
    sim.run_until(|sim| sim.connected(pair), ENOUGH).expect("both sides connect");
    assert_eq!(ask(&mut sim, Side::Client), Err(E::NotServer));
    sim.authenticate_client(pair).expect("nothing is in the way");
    assert_eq!(sim.authenticate_client(pair), Err(E::InProgress));
    sim.run_for(Duration::from_secs(1));
    sim.close(pair, Side::Server);
    assert_eq!(sim.authenticate_client(pair), Err(E::Closed));

    let identity = || null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 0);
    let silent = null::client_config(2).with_versions(&VERSIONS).with_identity(identity());
    let (mut sim, pair) = connect(Sim::new(1), silent, asking_later());
    assert_eq!(sim.authenticate_client(pair), Err(E::NotOffered));

    let (mut sim, pair) = connect(Sim::new(1), client(), server().build().expect("a server"));
    assert_eq!(sim.authenticate_client(pair), Err(E::NoVerifier));

    let raw_only = Arc::new(NullVerifier::default().with_forms(&[CertificateType::RAW_PUBLIC_KEY]));
    let raw_only = server().with_post_handshake_verifier(raw_only).build().expect("a server");
    let (mut sim, pair) = connect(Sim::new(1), client(), raw_only);
    assert_eq!(sim.authenticate_client(pair), Err(E::NoCommonCertificateType));

    let older = [ProtocolVersion::DTLS1_2];
    let server = server().with_versions(&older).with_post_handshake_verifier(verifier()).build().expect("a server");
    let (mut sim, pair) = connect(Sim::new(1), client().with_versions(&older), server);
    assert_eq!(sim.authenticate_client(pair), Err(E::NotInThisVersion));
}

#[test]
fn a_request_waits_behind_new_keys() {
    let (mut sim, pair) = connect(Sim::new(1), client(), asking_later());
    sim.run_for(Duration::from_secs(1));
    let next = sim.sent_by(pair, Side::Server).count();
    sim.drop_nth(Side::Server, next);
    sim.update_keys(pair, Side::Server, NotRequested).expect("nothing is on its way");
    sim.authenticate_client(pair).expect("it waits behind the KeyUpdate");
    assert_eq!(sim.authenticate_client(pair), Err(AuthenticateClientError::InProgress));
    sim.run_for(ENOUGH);
    assert_eq!(answers(&sim, pair), [ClientAnswer::Authenticated]);
}

#[test] // RFC 9147 §5.8.4: the request, its ACK, the answer in its records, their ACK
fn any_single_datagram_of_an_exchange_may_get_lost() {
    let run = |lost: Option<(Side, usize)>| {
        let identity = null::identity(ToyKind::EcdsaP256, null::CLIENT_NAME, 2500);
        let client = null::client_config(2).with_versions(&VERSIONS).with_identity(identity);
        let (mut sim, pair) = connect(Sim::new(1), client.with_post_handshake_auth(), asking_later());
        sim.run_for(Duration::from_secs(1));
        let before = Side::BOTH.map(|side| sim.sent_by(pair, side).count());
        if let Some((side, index)) = lost {
            sim.drop_nth(side, before[side as usize] + index);
        }
        sim.authenticate_client(pair).expect("nothing is in the way");
        sim.run_for(ENOUGH);
        let sent = Side::BOTH.map(|side| sim.sent_by(pair, side).count() - before[side as usize]);
        (sim, pair, sent)
    };
    let (_, _, sent) = run(None);
    assert!(sent[0] >= 3 && sent[1] >= 2, "the answer takes several datagrams: {sent:?}");
    for side in Side::BOTH {
        for index in 0..sent[side as usize] {
            let (mut sim, pair, _) = run(Some((side, index)));
            assert_eq!(answers(&sim, pair), [ClientAnswer::Authenticated], "{side:?} datagram {index}");
            sim.exchange(pair, b"still there");
        }
    }
}

#[test] // RFC 9846 §4.5: the Finished is made with the secret of the epoch that it is sent in
fn requests_and_answers_cross_with_new_keys() {
    for (first, second) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
        for delay in [0, 10, 20, 30, 40, 60, 80] {
            let (mut sim, pair) = connect(Sim::new(1), client(), asking_later());
            sim.run_for(Duration::from_secs(1));
            sim.authenticate_client(pair).expect("nothing is in the way");
            sim.run_for(Duration::from_millis(delay));
            sim.update_keys(pair, first, Requested).expect("nothing is on its way");
            let _ = sim.update_keys(pair, second, NotRequested);
            sim.run_for(ENOUGH);
            assert_eq!(answers(&sim, pair), [ClientAnswer::Authenticated], "{first:?} {delay}");

            sim.update_keys(pair, first, Requested).expect("nothing is on its way");
            sim.run_for(Duration::from_millis(delay));
            sim.authenticate_client(pair).expect("nothing is in the way");
            sim.run_for(ENOUGH);
            assert_eq!(answers(&sim, pair).len(), 2, "{first:?} {delay}");
            sim.exchange(pair, b"new keys");
        }
    }
}

#[test]
fn exchanges_survive_a_bad_network_with_changing_keys() {
    let mut all = 0;
    for seed in seeds(0..100) {
        let (mut sim, pair) = connect(Sim::new(seed).loss(0.2).reorder(0.1).duplicate(0.05), client(), asking_later());
        let mut asked = 0;
        for round in 0..10_u64 {
            asked += usize::from(sim.authenticate_client(pair).is_ok());
            let side = Side::BOTH[usize::from(round % 2 == 0)];
            let _ = sim.update_keys(pair, side, if round % 3 == 0 { Requested } else { NotRequested });
            sim.run_for(Duration::from_millis(round * 200));
        }
        sim.run_for(Duration::from_secs(200));
        assert_eq!(answers(&sim, pair), vec![ClientAnswer::Authenticated; asked], "seed {seed}");
        all += asked;
        for side in Side::BOTH {
            sim.set_conditions(side, Conditions::default());
        }
        sim.exchange(pair, b"still there");
    }
    assert!(all > 200, "each is asked more than once: {all}");
}

/// Sends most of a Certificate of 65,000 bytes; gives how many of 60 parts were dropped because it is too long.
fn parts_dropped(scene: &mut Scene13, message_seq: u8) -> u32 {
    let before = scene.connection().stats().discards.get(Discard::MessageTooLong);
    for part in 0..60_u32 {
        let offset = (part * 1000).to_be_bytes();
        let header = [&[11, 0, 0xfd, 0xe8, 0, message_seq][..], &offset[1..], &[0, 3, 0xe8]].concat();
        let record = scene.peer.record(ContentType::HANDSHAKE, &[&header[..], &[7; 1000]].concat());
        scene.deliver([record]);
    }
    scene.connection().stats().discards.get(Discard::MessageTooLong) - before
}

#[test]
fn nobody_keeps_a_long_message_that_nobody_asked_for() {
    let mut scene = Scene13::server13(asking_later(), 1);
    scene.peer.offer_post_handshake_auth();
    scene.connect13();
    // After its ClientHello and its Finished.
    let next = 2;
    assert_eq!(parts_dropped(&mut scene, next), 60);

    scene.connection().authenticate_client().expect("nothing is in the way");
    // Something has to make it send.
    let ack = scene.peer.ack([]);
    scene.deliver([ack]);
    let context = scene.peer.received().last().expect("a request").body[..17].to_vec();
    // Behind the answer there is no more room than before.
    parts_dropped(&mut scene, next + 3);
    assert!(scene.connection().stats().discards.get(Discard::ReassemblyFull) > 50);

    let certificate = scene.peer.body_of(HandshakeType::CERTIFICATE);
    scene.say_of(HandshakeType::CERTIFICATE, &[&context, &certificate[1..]].concat());
    scene.say(&[HandshakeType::CERTIFICATE_VERIFY]);
    let finished = scene.peer.finished_afterwards(scene.peer.epoch());
    scene.say_of(HandshakeType::FINISHED, &finished);
    assert_eq!(scene.client_answers(), [ClientAnswer::Authenticated]);
    assert_eq!(parts_dropped(&mut scene, next + 3), 60);
}
