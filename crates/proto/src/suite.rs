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
    /// A pre-shared key alone (RFC 4279 §2): no forward secrecy, no public-key operation.
    Psk,
    /// A pre-shared key and an ephemeral elliptic curve (RFC 8442, RFC 5489 §2).
    EcdhePsk,
}

impl KeyExchange {
    /// Whether an ephemeral share of an elliptic curve is part of it.
    pub(crate) fn uses_curve(self) -> bool {
        matches!(self, Self::Ecdhe | Self::EcdhePsk)
    }
}

/// A cipher suite of DTLS 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suite12 {
    pub(crate) id: CipherSuite,
    pub(crate) key_exchange: KeyExchange,
    /// The server's certificate; `None` where a pre-shared key authenticates both sides.
    pub(crate) auth: Option<KeyKind>,
    pub(crate) aead: AeadAlgorithm,
    pub(crate) hash: HashAlgorithm,
}

const fn suite(
    id: CipherSuite,
    key_exchange: KeyExchange,
    auth: Option<KeyKind>,
    aead: AeadAlgorithm,
    hash: HashAlgorithm,
) -> Suite12 {
    Suite12 { id, key_exchange, auth, aead, hash }
}

/// Every 1.2 suite gramseal implements, most preferred first.
pub(crate) static SUITES_12: &[Suite12] = {
    use AeadAlgorithm::{Aes128Ccm, Aes128Ccm8, Aes128Gcm, Aes256Ccm, Aes256Ccm8, Aes256Gcm, ChaCha20Poly1305};
    use CipherSuite as C;
    use HashAlgorithm::{Sha256, Sha384};
    use KeyExchange::{Dhe, Ecdhe, EcdhePsk, Psk};
    const ECDSA: Option<KeyKind> = Some(KeyKind::Ecdsa);
    const RSA: Option<KeyKind> = Some(KeyKind::Rsa);
    &[
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, Ecdhe, ECDSA, Aes128Gcm, Sha256),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, Ecdhe, ECDSA, Aes256Gcm, Sha384),
        suite(C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, Ecdhe, ECDSA, ChaCha20Poly1305, Sha256),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_128_CCM, Ecdhe, ECDSA, Aes128Ccm, Sha256),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_256_CCM, Ecdhe, ECDSA, Aes256Ccm, Sha256),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, Ecdhe, ECDSA, Aes128Ccm8, Sha256),
        suite(C::TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8, Ecdhe, ECDSA, Aes256Ccm8, Sha256),
        suite(C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, Ecdhe, RSA, Aes128Gcm, Sha256),
        suite(C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, Ecdhe, RSA, Aes256Gcm, Sha384),
        suite(C::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, Ecdhe, RSA, ChaCha20Poly1305, Sha256),
        suite(C::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256, EcdhePsk, None, Aes128Gcm, Sha256),
        suite(C::TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384, EcdhePsk, None, Aes256Gcm, Sha384),
        suite(C::TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, EcdhePsk, None, ChaCha20Poly1305, Sha256),
        suite(C::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256, EcdhePsk, None, Aes128Ccm, Sha256),
        suite(C::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256, EcdhePsk, None, Aes128Ccm8, Sha256),
        suite(C::TLS_PSK_WITH_AES_128_GCM_SHA256, Psk, None, Aes128Gcm, Sha256),
        suite(C::TLS_PSK_WITH_AES_256_GCM_SHA384, Psk, None, Aes256Gcm, Sha384),
        suite(C::TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, Psk, None, ChaCha20Poly1305, Sha256),
        suite(C::TLS_PSK_WITH_AES_128_CCM, Psk, None, Aes128Ccm, Sha256),
        suite(C::TLS_PSK_WITH_AES_128_CCM_8, Psk, None, Aes128Ccm8, Sha256),
        suite(C::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, Dhe, RSA, Aes128Gcm, Sha256),
        suite(C::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, Dhe, RSA, Aes256Gcm, Sha384),
        suite(C::TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256, Dhe, RSA, ChaCha20Poly1305, Sha256),
    ]
};

/// A cipher suite of DTLS 1.3: key exchange and signature are chosen apart from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suite13 {
    pub(crate) id: CipherSuite,
    pub(crate) aead: AeadAlgorithm,
    pub(crate) hash: HashAlgorithm,
}

/// Every 1.3 suite gramseal implements, most preferred first (RFC 9846 §B.4).
pub(crate) static SUITES_13: &[Suite13] = {
    use AeadAlgorithm::{Aes128Ccm, Aes128Ccm8, Aes128Gcm, Aes256Gcm, ChaCha20Poly1305};
    use CipherSuite as C;
    use HashAlgorithm::{Sha256, Sha384};
    &[
        Suite13 { id: C::TLS_AES_128_GCM_SHA256, aead: Aes128Gcm, hash: Sha256 },
        Suite13 { id: C::TLS_AES_256_GCM_SHA384, aead: Aes256Gcm, hash: Sha384 },
        Suite13 { id: C::TLS_CHACHA20_POLY1305_SHA256, aead: ChaCha20Poly1305, hash: Sha256 },
        Suite13 { id: C::TLS_AES_128_CCM_SHA256, aead: Aes128Ccm, hash: Sha256 },
        Suite13 { id: C::TLS_AES_128_CCM_8_SHA256, aead: Aes128Ccm8, hash: Sha256 },
    ]
};

impl Suite13 {
    /// The suite with this code point.
    pub(crate) fn find(id: CipherSuite) -> Option<&'static Self> {
        SUITES_13.iter().find(|suite| suite.id == id)
    }

    /// Whether nobody gets it unasked: its tags are short (RFC 9147 §4.5.3).
    pub(crate) fn must_be_named(&self) -> bool {
        self.aead.tag_len() < 16
    }
}

impl Suite12 {
    /// The suite with this code point.
    pub(crate) fn find(id: CipherSuite) -> Option<&'static Self> {
        SUITES_12.iter().find(|suite| suite.id == id)
    }

    /// Whether it is only used where it is named: for its short tags (RFC 9325 §4.2), or because
    /// whoever learns its key later can read what was recorded (RFC 9257 §4.2).
    pub(crate) fn must_be_named(&self) -> bool {
        self.aead.tag_len() < 16 || self.key_exchange == KeyExchange::Psk
    }
}
