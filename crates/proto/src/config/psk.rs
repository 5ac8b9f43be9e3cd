//! Pre-shared keys (RFC 4279).

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::ConfigError;

/// A key that both sides know already, with the name it goes by.
///
/// It should come from a random source: whoever can guess it can pose as either side, and with
/// plain PSK suites also read old traffic (RFC 9257 §4).
#[derive(Clone, PartialEq, Eq)]
pub struct Psk {
    identity: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    hint: Option<Vec<u8>>,
}

impl Psk {
    /// A key of 1 to 65,535 bytes for `identity`, which has at most 65,535 bytes of any value.
    ///
    /// # Errors
    /// [`ConfigError::BadPsk`] if a length is outside these bounds.
    pub fn new(identity: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let (identity, key) = (identity.into(), Zeroizing::new(key.into()));
        if key.is_empty() || key.len() > usize::from(u16::MAX) || identity.len() > usize::from(u16::MAX) {
            return Err(ConfigError::BadPsk);
        }
        Ok(Self { identity, key, hint: None })
    }

    /// For a client with several keys: the hint of the servers that this one is for.
    #[must_use]
    pub fn for_hint(mut self, hint: impl Into<Vec<u8>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn identity(&self) -> &[u8] {
        &self.identity
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Psk").field("identity", &self.identity).field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// The key of a client that was sent `hint` (empty for none): the one for that hint, or the first.
pub(crate) fn for_hint<'p>(psks: &'p [Psk], hint: &[u8]) -> Option<&'p Psk> {
    psks.iter().find(|psk| psk.hint.as_deref() == Some(hint)).or_else(|| psks.first())
}

/// Where a server finds the keys of its clients.
///
/// A list of [`Psk`]s is one; a database can be another. Identities are any bytes and are compared
/// whole.
pub trait PskLookup: Send + Sync + fmt::Debug {
    /// The key for `identity`. For an unknown one the handshake goes on and fails just as with a
    /// wrong key, so that nobody learns which identities exist.
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>>;

    /// What to tell clients so that they can choose a key (RFC 4279 §5.2); empty for nothing.
    fn hint(&self) -> &[u8] {
        &[]
    }
}

impl PskLookup for Vec<Psk> {
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.iter().find(|psk| psk.identity == identity).map(|psk| psk.key.clone())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn psk(identity: &str) -> Psk {
        Psk::new(identity, [0xAB; 16]).expect("good lengths")
    }

    #[test] // RFC 4279 §5.3: identities are compared whole
    fn identities_are_compared_whole() {
        let list = vec![psk("ab"), psk("a\0b"), psk("")];
        assert!(list.key(b"ab").is_some() && list.key(b"a\0b").is_some() && list.key(b"").is_some());
        assert!(list.key(b"a").is_none() && list.key(b"ab\0").is_none());
    }

    #[test] // RFC 4279 §5.2
    fn a_client_takes_the_key_for_the_hint_or_its_first() {
        let list = [psk("first"), psk("second").for_hint("there")];
        assert_eq!(for_hint(&list, b"there").map(Psk::identity), Some(&b"second"[..]));
        assert_eq!(for_hint(&list, b"elsewhere").map(Psk::identity), Some(&b"first"[..]));
        assert_eq!(for_hint(&[], b""), None);
    }

    #[test]
    fn the_key_is_not_shown() {
        assert!(!format!("{:?}", psk("me")).contains("171"));
        assert_eq!(Psk::new("me", []), Err(ConfigError::BadPsk));
    }
}
