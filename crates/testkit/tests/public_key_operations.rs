//! Which handshakes do public-key operations: full ones with certificates do, resumed ones and those with
//! a pre-shared key alone do not (RFC 5246 §7.3, RFC 4279 §2).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gramseal_proto::config::{ClientAuth, ClientConfig, Identity, PeerVerifier, Presented, Psk, ServerConfig, Verdict};
use gramseal_proto::crypto::{ActiveKx, CryptoError, CryptoProvider, Deferrable, KxGroup, SecureRandom, SigningKey};
use gramseal_proto::wire::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind, certificate};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::{Side, Sim};
use pki_types::SubjectPublicKeyInfoDer;

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Counts what it stands before.
#[derive(Debug)]
struct Counting<T>(T);

fn count<T>(value: T) -> T {
    COUNT.fetch_add(1, Ordering::Relaxed);
    value
}

impl KxGroup for Counting<&'static dyn KxGroup> {
    fn name(&self) -> NamedGroup {
        self.0.name()
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        count(self.0.start(random))
    }
}

impl SigningKey for Counting<NullKey> {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        count(self.0.sign(scheme, message, random))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }
}

impl PeerVerifier for Counting<NullVerifier> {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        count(self.0.verify(presented))
    }
}

fn provider(seed: u64) -> Arc<CryptoProvider> {
    let mut provider = (*null::provider(seed)).clone();
    for group in &mut provider.groups {
        *group = Box::leak(Box::new(Counting(*group)));
    }
    Arc::new(provider)
}

fn identity(name: &str) -> Identity {
    let key = NullKey::new(ToyKind::EcdsaP256, 1);
    let chain = vec![certificate(name, &key, 0)];
    Identity::new(chain, Arc::new(Counting(key))).expect("a chain")
}

/// How many operations each of two connections takes, both sides together.
fn operations(client: ClientConfig, server: ServerConfig) -> [usize; 2] {
    let (client, server) = (Arc::new(client), Arc::new(server));
    let mut sim = Sim::new(1);
    [(); 2].map(|()| {
        COUNT.store(0, Ordering::Relaxed);
        let pair = sim.connect(Arc::clone(&client), Arc::clone(&server));
        sim.run_until(|sim| sim.connected(pair), Duration::from_secs(10)).expect("both sides connect");
        assert!(sim.connection(pair, Side::Server).is_some());
        COUNT.load(Ordering::Relaxed)
    })
}

// One test: they share the count.
#[test]
fn neither_a_resumed_handshake_nor_a_pre_shared_key_takes_any() {
    for kind in [Resumption::Id, Resumption::Ticket] {
        let stores = Stores::new(Some(kind));
        let client = ClientConfig::builder(provider(1), Arc::new(Counting(NullVerifier::default())))
            .with_versions(&[ProtocolVersion::DTLS1_2]);
        let client = stores.client(client).with_identity(identity(null::CLIENT_NAME)).build().expect("a client");
        let server =
            ServerConfig::builder(provider(2), identity(null::SERVER_NAME)).with_versions(&[ProtocolVersion::DTLS1_2]);
        let verifier = Arc::new(Counting(NullVerifier::default()));
        let server = stores.server(server).with_client_auth(ClientAuth::Required(verifier)).build().expect("a server");
        // Two key pairs, two signatures, two chains.
        assert_eq!(operations(client, server), [6, 0], "{kind:?}");
    }

    let psk = Psk::new("client", [7; 16]).expect("good lengths");
    for (suite, counts) in [
        (CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256, [0, 0]),
        (CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, [2, 2]),
    ] {
        let client = ClientConfig::psk_builder(provider(1), psk.clone()).with_cipher_suites(&[suite]);
        let server = ServerConfig::psk_builder(provider(2), Arc::new(vec![psk.clone()])).with_cipher_suites(&[suite]);
        assert_eq!(operations(client.build().expect("a client"), server.build().expect("a server")), counts, "{suite}");
    }
}
