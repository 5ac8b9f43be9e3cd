//! What fails on this side: internal_error, whatever it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gramseal_proto::config::{ClientConfig, Identity, ServerConfig};
use gramseal_proto::crypto::{CryptoError, CryptoProvider, Deferrable, SecureRandom, SigningKey};
use gramseal_proto::wire::{
    AlertDescription as Alert, HandshakeType, MessageSeq, ProtocolVersion, SequenceNumber, SignatureScheme,
};
use gramseal_proto::{Connection, Error, FirstHello, Instant, LocalFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, SeededRandom, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, Step};
use pki_types::{ServerName, SubjectPublicKeyInfoDer};

use crate::assert_refused;

/// Works so many times.
#[derive(Debug)]
struct FailingRandom {
    left: AtomicU32,
    seeded: SeededRandom,
}

impl SecureRandom for FailingRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 { Err(CryptoError::new()) } else { self.seeded.fill(out) }
    }
}

fn provider(fills: u32) -> Arc<CryptoProvider> {
    let mut provider = Arc::into_inner(null::provider(1)).expect("nobody else has it");
    provider.random = Arc::new(FailingRandom { left: fills.into(), seeded: SeededRandom::new(1) });
    Arc::new(provider)
}

#[derive(Debug)]
struct FailingKey(NullKey);

impl SigningKey for FailingKey {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn sign(&self, _: SignatureScheme, _: &[u8], _: &dyn SecureRandom) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        Err(CryptoError::new()).into()
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }
}

fn failing_identity() -> Identity {
    let key = NullKey::new(ToyKind::EcdsaP256, 1);
    let chain = vec![null::certificate(null::SERVER_NAME, &key, 0)];
    Identity::new(chain, Arc::new(FailingKey(key))).expect("a chain")
}

#[test] // RFC 5246 §7.2.2
fn a_server_without_randomness() {
    let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
    // Building the configuration takes one, then random and share take one each.
    for fills in 1..3 {
        let config = ServerConfig::builder(provider(fills), identity.clone())
            .with_versions(&[ProtocolVersion::DTLS1_2])
            .build()
            .expect("a configuration");
        let mut scene = Scene::server(config, 1);
        scene.play(&[Step::Message(HandshakeType::CLIENT_HELLO)]);
        assert_refused(&scene, LocalFault::Crypto, Alert::INTERNAL_ERROR);
    }
}

#[test]
fn a_client_without_randomness_does_not_begin() {
    let config = ClientConfig::builder(provider(1), Arc::new(NullVerifier::default()))
        .with_versions(&[ProtocolVersion::DTLS1_2])
        .build()
        .expect("a configuration");
    let name = ServerName::try_from(null::SERVER_NAME).expect("a name");
    let error = Connection::client(Arc::new(config), name, Instant::from_micros(0)).expect_err("no random");
    assert_eq!(error, Error::Local(LocalFault::Crypto));
}

#[test] // RFC 5246 §7.2.2
fn a_private_key_that_does_not_sign() {
    let config = null::server_config(3, failing_identity()).build().expect("a configuration");
    let mut scene = Scene::server(config, 1);
    scene.play(&[Step::Message(HandshakeType::CLIENT_HELLO)]);
    assert_refused(&scene, LocalFault::Crypto, Alert::INTERNAL_ERROR);

    let config = null::client_config(2).with_identity(failing_identity()).build().expect("a configuration");
    let mut scene = Scene::client(config, 1);
    let flight = scene.first_flight(true);
    scene.play(&flight);
    assert_refused(&scene, LocalFault::Crypto, Alert::INTERNAL_ERROR);
}

#[test] // RFC 6347 §4.2.2: message_seq does not wrap
fn a_hello_with_the_last_number_leaves_none_for_the_answer() {
    let first = FirstHello { message_seq: MessageSeq(u16::MAX), sequence_number: SequenceNumber(0) };
    let mut connection = Connection::server(Arc::new(null::server()), first, Instant::from_micros(1));
    let mut scene = Scene::server(null::server(), 1);
    scene.peer.set_next_message(u16::MAX);
    let body = scene.peer.body_of(HandshakeType::CLIENT_HELLO);
    let header = gramseal_proto::wire::HandshakeHeader::whole(
        HandshakeType::CLIENT_HELLO,
        u32::try_from(body.len()).expect("short"),
        MessageSeq(u16::MAX),
    );
    let message = [&header.to_bytes()[..], &body].concat();
    let mut record = scene.peer.record(gramseal_proto::wire::ContentType::HANDSHAKE, &message);
    drop(connection.handle_datagram(Instant::from_micros(1), &mut record));
    let failed = gramseal_proto::CloseReason::Failed(Error::Local(LocalFault::MessageTooLong));
    assert_eq!(connection.poll_event(), Some(gramseal_proto::Event::Closed(failed)));
    assert_eq!(scene.outcome(), Outcome::Waiting);
}
