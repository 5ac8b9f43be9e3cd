//! What a client's verifier has to do with sessions that are resumed: nothing, unless it is to be asked again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramseal_proto::config::{
    ClientConfig, ConfigError, Identity, PeerCredential, PeerRole, PeerVerifier, Presented, Psk, ServerConfig, Verdict,
};
use gramseal_proto::crypto::Deferrable;
use gramseal_proto::wire::{CertificateType, ProtocolVersion};
use gramseal_proto::{CertificateFault, CloseReason, Error};
use gramseal_testkit::null::{self, NullKey, NullVerifier, Slow, ToyKind};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Pair, Side, Sim};

const PATIENCE: Duration = Duration::from_secs(10);
const STAPLE: &[u8] = b"a good response";
const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS1_2, ProtocolVersion::DTLS1_3];

/// Notes whom it is asked about, and changes its mind when it is told to.
#[derive(Debug, Default)]
struct Fickle {
    fault: Mutex<Option<CertificateFault>>,
    asked: Mutex<Vec<Question>>,
    forms: Vec<CertificateType>,
}

/// Name, certificates or key, response.
type Question = (String, Vec<Vec<u8>>, Vec<u8>);

impl Fickle {
    fn for_forms(forms: &[CertificateType]) -> Arc<Self> {
        Arc::new(Self { forms: forms.to_vec(), ..Self::default() })
    }

    fn asked(&self) -> Vec<Question> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panicked"))
    }

    fn refuse_from_now_on(&self) {
        *self.fault.lock().expect("nobody panicked") = Some(CertificateFault::Expired);
    }

    fn accept_from_now_on(&self) {
        *self.fault.lock().expect("nobody panicked") = None;
    }
}

impl PeerVerifier for Fickle {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        let PeerRole::Server(name) = presented.role else { panic!("clients verify servers") };
        let shown = match presented.credential {
            PeerCredential::Chain { end_entity, intermediates } => {
                std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect()
            }
            PeerCredential::RawPublicKey(key) => vec![key.to_vec()],
        };
        let question = (name.to_str().into_owned(), shown, presented.ocsp_response.to_vec());
        self.asked.lock().expect("nobody panicked").push(question);
        match *self.fault.lock().expect("nobody panicked") {
            Some(fault) => Err(fault).into(),
            None => NullVerifier::default().verify(presented),
        }
    }

    fn certificate_types(&self) -> &[CertificateType] {
        &self.forms
    }

    fn wants_ocsp_response(&self) -> bool {
        true
    }
}

fn chain() -> Identity {
    let key = Arc::new(NullKey::new(ToyKind::EcdsaP256, 1));
    let certificates =
        vec![null::certificate(null::SERVER_NAME, &key, 0), null::certificate("an authority", &key, 300)];
    Identity::new(certificates, key).expect("a chain").with_ocsp_source(Arc::new(STAPLE.to_vec()))
}

fn raw_key() -> Identity {
    Identity::raw_public_key(Arc::new(NullKey::new(ToyKind::EcdsaP256, 1))).expect("a key")
}

/// How the sides of a test are set up.
#[derive(Clone, Copy)]
struct Setup {
    version: ProtocolVersion,
    identity: fn() -> Identity,
    slow: bool,
    again: bool,
}

impl Setup {
    const PLAIN: Self = Self { version: ProtocolVersion::DTLS1_3, identity: chain, slow: false, again: true };

    fn configs(self, stores: &Stores, verifier: &Arc<Fickle>) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        let verifier: Arc<dyn PeerVerifier> =
            if self.slow { Arc::new(Slow(Arc::clone(verifier))) } else { verifier.clone() };
        let mut client =
            stores.client(ClientConfig::builder(null::provider(1), verifier)).with_versions(&[self.version]);
        if self.again {
            client = client.with_reverification();
        }
        let server = stores.server(null::server_config(2, (self.identity)())).with_versions(&[self.version]);
        (client.build().expect("a client").into(), server.build().expect("a server").into())
    }
}

/// Begins a connection, and lets it come to what it comes to.
fn connect(sim: &mut Sim, configs: &(Arc<ClientConfig>, Arc<ServerConfig>)) -> Pair {
    let pair = sim.connect(Arc::clone(&configs.0), Arc::clone(&configs.1));
    let done = |sim: &Sim| sim.connected(pair) || sim.closed(pair, Side::Client).is_some();
    sim.run_until(done, PATIENCE).expect("the handshake ends");
    // In 1.3 tickets come after it.
    sim.run_for(Duration::from_secs(1));
    pair
}

fn resumed(sim: &Sim, pair: Pair) -> bool {
    let negotiated = sim.connection(pair, Side::Client).and_then(|connection| connection.negotiated());
    negotiated.expect("connected").resumed
}

/// What a server shows, and what that is.
type Form = (fn() -> Identity, &'static [CertificateType]);

/// All that can be said of versions, verifiers and forms.
fn setups() -> impl Iterator<Item = (Setup, &'static [CertificateType])> {
    let forms: [Form; 2] = [(chain, &[CertificateType::X509]), (raw_key, &[CertificateType::RAW_PUBLIC_KEY])];
    VERSIONS.into_iter().flat_map(move |version| {
        forms.into_iter().flat_map(move |(identity, forms)| {
            [false, true].map(|slow| (Setup { version, identity, slow, ..Setup::PLAIN }, forms))
        })
    })
}

#[test]
fn a_session_counts_whatever_became_of_its_certificate() {
    for (setup, forms) in setups() {
        let (stores, verifier) = (Stores::new(Some(Resumption::Ticket)), Fickle::for_forms(forms));
        let configs = Setup { again: false, ..setup }.configs(&stores, &verifier);
        let mut sim = Sim::new(1).without_cookies();
        connect(&mut sim, &configs);
        assert_eq!(verifier.asked().len(), 1);
        verifier.refuse_from_now_on();
        let pair = connect(&mut sim, &configs);
        assert!(resumed(&sim, pair) && verifier.asked().is_empty());
    }
}

#[test]
fn the_verifier_is_asked_the_same_again_where_that_is_wanted() {
    for (setup, forms) in setups() {
        let (stores, verifier) = (Stores::new(Some(Resumption::Ticket)), Fickle::for_forms(forms));
        let configs = setup.configs(&stores, &verifier);
        let mut sim = Sim::new(1).without_cookies();
        connect(&mut sim, &configs);
        let first = verifier.asked();
        let stapled = forms == [CertificateType::X509];
        assert_eq!((first[0].0.as_str(), first[0].2.is_empty()), (null::SERVER_NAME, !stapled));
        for _ in 0..2 {
            let pair = connect(&mut sim, &configs);
            assert!(resumed(&sim, pair));
            assert_eq!(verifier.asked(), first, "the whole chain, and what was stapled to it");
            sim.exchange(pair, b"hello");
            let negotiated = sim.connection(pair, Side::Client).and_then(|connection| connection.negotiated());
            assert_eq!(negotiated.expect("connected").peer_ocsp_response, first[0].2);
        }
    }
}

#[test]
fn a_server_that_is_not_accepted_any_more_hears_why() {
    for (setup, forms) in setups() {
        let (stores, verifier) = (Stores::new(Some(Resumption::Ticket)), Fickle::for_forms(forms));
        let configs = setup.configs(&stores, &verifier);
        let mut sim = Sim::new(1).without_cookies();
        connect(&mut sim, &configs);
        verifier.refuse_from_now_on();
        let pair = connect(&mut sim, &configs);
        let refused = Error::Certificate(CertificateFault::Expired);
        assert_eq!(sim.closed(pair, Side::Client), Some(&CloseReason::Failed(refused.clone())));
        assert!(!sim.connected(pair), "the server does not take part any more");
        let Some(CloseReason::Failed(Error::AlertReceived(alert))) = sim.closed(pair, Side::Server) else {
            // In 1.2 the alert is not protected, and waits for what contradicts it.
            assert_eq!(setup.version, ProtocolVersion::DTLS1_2);
            continue;
        };
        assert_eq!(Some(alert.description), refused.alert());
    }
}

#[test] // what was stapled may be too old by now, and the server may have something newer
fn after_a_refusal_the_next_handshake_is_a_full_one() {
    for (setup, forms) in setups() {
        let (stores, verifier) = (Stores::new(Some(Resumption::Ticket)), Fickle::for_forms(forms));
        let configs = setup.configs(&stores, &verifier);
        let mut sim = Sim::new(1).without_cookies();
        connect(&mut sim, &configs);
        verifier.refuse_from_now_on();
        connect(&mut sim, &configs);
        verifier.accept_from_now_on();
        let pair = connect(&mut sim, &configs);
        assert!(!resumed(&sim, pair), "{:?}", setup.version);
    }
}

#[test]
fn who_is_known_by_a_key_alone_is_not_asked_about() {
    for version in VERSIONS {
        let stores = Stores::new(Some(Resumption::Ticket));
        let psk = || Psk::new(b"me".to_vec(), vec![7; 32]).expect("a key");
        let verifier = Fickle::for_forms(&[CertificateType::X509]);
        let client = stores.client(ClientConfig::builder(null::provider(1), verifier.clone()));
        let client = client.with_psk(psk()).with_versions(&[version]).with_reverification();
        let server = ServerConfig::psk_builder(null::provider(2), Arc::new(vec![psk()]));
        let server = stores.server(server).with_versions(&[version]).build().expect("a server");
        let configs = (client.build().expect("a client").into(), server.into());
        let mut sim = Sim::new(1).without_cookies();
        for round in 0..2 {
            let pair = connect(&mut sim, &configs);
            assert_eq!((resumed(&sim, pair), verifier.asked().len()), (round > 0, 0));
        }
    }
}

#[test]
fn early_data_would_be_too_early() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let builder = stores.client(null::client_config(1)).with_versions(&VERSIONS).with_early_data();
    assert!(builder.clone().build().is_ok());
    let refused = builder.with_reverification().build().map(drop);
    assert_eq!(refused, Err(ConfigError::EarlyDataBeforeReverification));
}
