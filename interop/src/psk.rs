//! The pre-shared key of the tests: ours, and as command lines want it.

use gramseal_proto::config::{ClientConfig, ClientConfigBuilder, Psk};
use gramseal_proto::wire::CipherSuite;

use crate::{Node, provider};

/// Its identity.
pub const IDENTITY: &str = "interop device 7";

/// The key.
pub const KEY: [u8; 16] = [0x5A; 16];

/// The key, in hexadecimal digits.
pub const KEY_HEX: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// Another key, in hexadecimal digits.
pub const WRONG_KEY_HEX: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5b";

/// The key with its identity.
///
/// # Panics
/// Never: the lengths are good.
#[must_use]
pub fn psk() -> Psk {
    Psk::new(IDENTITY, KEY).expect("good lengths")
}

/// Our client with one suite, for a server that gives `hint`: with one, the key is its second.
///
/// # Panics
/// Never: the lengths are good.
pub fn client(suite: CipherSuite, hint: Option<&str>) -> ClientConfigBuilder {
    let config = match hint {
        None => ClientConfig::psk_builder(provider(), psk()),
        Some(hint) => {
            let other = Psk::new("nobody", [1; 16]).expect("good lengths");
            ClientConfig::psk_builder(provider(), other).with_psk(psk().for_hint(hint))
        }
    };
    // Only this suite: those with short tags, or without ECDHE, have to be asked for.
    config.with_cipher_suites(&[suite])
}

/// `node` took `suite` and the key.
///
/// # Panics
/// If not.
pub fn check(node: &Node, suite: CipherSuite) {
    let negotiated = node.connection().negotiated().expect("connected");
    assert_eq!(negotiated.cipher_suite, suite);
    assert_eq!(negotiated.psk_identity.as_deref(), Some(IDENTITY.as_bytes()));
}
