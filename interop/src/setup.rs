//! Configurations and certificates for both sides.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use gramseal_proto::config::{
    ClientConfig, ClientConfigBuilder, Identity, PeerVerifier, ServerConfig, ServerConfigBuilder, Transport,
};
use gramseal_proto::crypto::CryptoProvider;
use gramseal_proto::pki_types::SignatureVerificationAlgorithm;
use gramseal_proto::wire::ProtocolVersion;
use gramseal_testkit::pki::{TestIdentity, TestKeyKind, TestPki};
use gramseal_webpki::{ChainVerifier, Fingerprint, RawPublicKeyVerifier};

/// The name in the certificates of servers.
pub const SERVER_NAME: &str = "server.example";

/// aws-lc-rs, with AES-CCM and the finite-field exchange of the pure-Rust provider.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = gramseal_aws_lc::provider();
        provider.finite_field = Some(gramseal_rustcrypto::FINITE_FIELD);
        provider.groups.extend(gramseal_rustcrypto::ffdhe_groups());
        provider.aeads.extend(gramseal_rustcrypto::ccm_aeads());
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

/// The pure-Rust provider alone, for tests that are about it.
#[must_use]
pub fn pure_rust() -> Arc<CryptoProvider> {
    Arc::new(gramseal_rustcrypto::provider(Arc::new(gramseal_rustcrypto::OsRandom::new())))
}

/// An ECDSA authority that signs keys of `kind`.
#[must_use]
pub fn pki(kind: TestKeyKind) -> TestPki {
    TestPki::new().with_keys(kind)
}

/// Trusts the root of `pki`, by the clock of this machine.
#[must_use]
pub fn trust(pki: &TestPki) -> Arc<dyn PeerVerifier> {
    trust_by(pki, gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS)
}

/// The same, where all certificates are signed with ECDSA: peers are told of it, since handshakes may be signed
/// in other ways as well.
#[must_use]
pub fn trust_ecdsa(pki: &TestPki) -> Arc<dyn PeerVerifier> {
    trust_by(pki, &gramseal_aws_lc::ALL_VERIFICATION_ALGORITHMS[..9])
}

fn trust_by(
    pki: &TestPki,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
) -> Arc<dyn PeerVerifier> {
    let builder = ChainVerifier::builder(algorithms).with_roots([pki.root()]).expect("the test's root is readable");
    Arc::new(builder.build().expect("there is a root"))
}

/// `from` as our side wants it.
#[must_use]
pub fn identity(from: &TestIdentity) -> Identity {
    let key = provider().keys.load(&from.key).expect("every kind of test key can be loaded");
    Identity::new(from.chain.clone(), key).expect("the chain is not empty")
}

/// The public key of `from` in place of a certificate, for our side to show.
#[must_use]
pub fn raw_identity(from: &TestIdentity) -> Identity {
    let key = provider().keys.load(&from.key).expect("every kind of test key can be loaded");
    Identity::raw_public_key(key).expect("it tells its public half")
}

/// Trusts the public key of `from` alone.
#[must_use]
pub fn trust_key(from: &TestIdentity) -> Arc<dyn PeerVerifier> {
    let key = provider().keys.load(&from.key).expect("every kind of test key can be loaded");
    let public = key.public_key().expect("it tells its public half");
    Arc::new(RawPublicKeyVerifier::new([Fingerprint::of_public_key(&public)]))
}

/// Several datagrams a flight, so that a storm takes parts of flights.
#[must_use]
pub fn pieces() -> Transport {
    Transport { mtu: 600, ..Transport::default() }
}

/// Every length that max_fragment_length can ask for (RFC 6066 §4).
pub const FRAGMENT_LENGTHS: [u16; 4] = [512, 1024, 2048, 4096];

/// So that only a record can be too small for a certificate.
#[must_use]
pub fn wide() -> Transport {
    Transport { mtu: 8000, ..Transport::default() }
}

/// Our client of 1.2, trusting the root of `pki`.
pub fn client(pki: &TestPki) -> ClientConfigBuilder {
    default_client(pki).with_versions(&[ProtocolVersion::DTLS1_2])
}

/// Our server of 1.2 with a certificate for [`SERVER_NAME`] from `pki`.
pub fn server(pki: &TestPki) -> ServerConfigBuilder {
    default_server(pki).with_versions(&[ProtocolVersion::DTLS1_2])
}

/// Our client as it comes, trusting the root of `pki`.
pub fn default_client(pki: &TestPki) -> ClientConfigBuilder {
    ClientConfig::builder(provider(), trust(pki))
}

/// Our server as it comes, with a certificate for [`SERVER_NAME`] from `pki`.
pub fn default_server(pki: &TestPki) -> ServerConfigBuilder {
    ServerConfig::builder(provider(), identity(&pki.server(SERVER_NAME)))
}

/// A folder of its own for a peer's files; gone when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it, below the system's folder for temporary files.
    ///
    /// # Panics
    /// If nothing can be written there.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a folder is made, not a default taken")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("gramseal-interop-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the folder for temporary files is writable");
        Self(path)
    }

    /// The path of `name` in this folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("the folder is writable");
        path
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it; the next cleaning of temporary files gets what is left.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}
