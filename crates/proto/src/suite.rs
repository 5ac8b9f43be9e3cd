//! Cipher suites: what each code point stands for.

use gramseal_wire::CipherSuite;

use crate::crypto::{AeadAlgorithm, HashAlgorithm, KeyKind};

/// How a 1.2 suite agrees on its premaster secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyExchange {
    /// Ephemeral elliptic curve (RFC 8422).
    Ecdhe,
    /// Ephemeral finite field (RFC 5246 §7.4.3): only behind the legacy switch.
    Dhe,
}

/// A cipher suite of DTLS 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suite12 {
    pub(crate) id: CipherSuite,
    pub(crate) key_exchange: KeyExchange,
    pub(crate) auth: KeyKind,
    pub(crate) aead: AeadAlgorithm,
    pub(crate) hash: HashAlgorithm,
}

const fn suite(
    id: CipherSuite,
    key_exchange: KeyExchange,
    auth: KeyKind,
    aead: AeadAlgorithm,
    hash: HashAlgorithm,
) -> Suite12 {
    Suite12 { id, key_exchange, auth, aead, hash }
}

/// Every 1.2 suite gramseal implements, most preferred first.
pub(crate) static SUITES_12: &[Suite12] = {
    use AeadAlgorithm::{Aes128Gcm, Aes256Gcm, ChaCha20Poly1305};
    use CipherSuite as C;
    use HashAlgorithm::{Sha256, Sha384};
    use KeyExchange::{Dhe, Ecdhe};
    use KeyKind::{Ecdsa, Rsa};
    &[
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, Ecdhe, Ecdsa, Aes128Gcm, Sha256),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, Ecdhe, Ecdsa, Aes256Gcm, Sha384),
        suite(C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, Ecdhe, Ecdsa, ChaCha20Poly1305, Sha256),
        suite(C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, Ecdhe, Rsa, Aes128Gcm, Sha256),
        suite(C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, Ecdhe, Rsa, Aes256Gcm, Sha384),
        suite(C::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, Ecdhe, Rsa, ChaCha20Poly1305, Sha256),
        suite(C::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, Dhe, Rsa, Aes128Gcm, Sha256),
        suite(C::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, Dhe, Rsa, Aes256Gcm, Sha384),
        suite(C::TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256, Dhe, Rsa, ChaCha20Poly1305, Sha256),
    ]
};

impl Suite12 {
    /// The suite with this code point.
    pub(crate) fn find(id: CipherSuite) -> Option<&'static Self> {
        SUITES_12.iter().find(|suite| suite.id == id)
    }
}
