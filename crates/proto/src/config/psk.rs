//! Pre-shared keys from elsewhere (RFC 4279, RFC 9846 §4.3.11, RFC 9258).

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::ConfigError;
use crate::crypto::{HashAlgorithm, SecretBytes};

/// The longest name that a pre_shared_key extension of 1.3 has room for, in bytes: beside the lengths of its two
/// lists, the lengths of an identity and a binder, the age, and the longest binder.
const MAX_NAME_13: usize = 65_535 - (2 + 2 + 2 + 1 + 4 + 48);

/// Bytes in the name of an imported key beside its own name and its context (RFC 9258 §5.1).
const IMPORT_LEN: usize = 2 + 2 + 2 + 2;

/// A key that both sides know already, with the name it goes by.
///
/// It should come from a random source and have 16 bytes or more: whoever can guess it can pose as either side,
/// and with plain PSK suites also read old traffic (RFC 9257 §4). Two nodes should share it and no third one
/// (RFC 9257 §4.1): each that has it can pose as every other.
///
/// It serves 1.2 and, if its identity has at least a byte, 1.3, in the way that other implementations know too:
/// the key as it is, with one hash function, SHA-256 unless [`with_hash`](Self::with_hash) says otherwise. No
/// relation is known between what the two versions make of one key (RFC 9846 §F.7), but nobody has proved that
/// there is none. Where both sides can do it, [`imported`](Self::imported) is the better choice.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk {
    identity: Vec<u8>,
    key: SecretBytes,
    hint: Option<Vec<u8>>,
    hash: HashAlgorithm,
    /// What it is imported with, if it is.
    import: Option<Vec<u8>>,
}

impl Psk {
    /// A key of 1 to 65,535 bytes for `identity`, which has at most 65,535 bytes of any value.
    ///
    /// # Errors
    /// [`ConfigError::BadPsk`] if a length is outside these bounds.
    pub fn new(identity: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let (identity, key) = (identity.into(), SecretBytes::from(key.into()));
        if key.is_empty() || key.len() > usize::from(u16::MAX) || identity.len() > usize::from(u16::MAX) {
            return Err(ConfigError::BadPsk);
        }
        Ok(Self { identity, key, hint: None, hash: HashAlgorithm::Sha256, import: None })
    }

    /// The hash function that the key goes with in 1.3 (RFC 9846 §4.3.11). Default SHA-256. Both sides have to
    /// say the same; a key that is not imported then needs a cipher suite with this hash.
    #[must_use]
    pub fn with_hash(mut self, hash: HashAlgorithm) -> Self {
        self.hash = hash;
        self
    }

    /// Imports the key (RFC 9258): what is used is derived from it, from its identity, `context`, the version and
    /// the hash of the cipher suite, so that it fits all suites, and nothing learned from one use helps against
    /// another. The peer has to import it too, with the same `context`; it may be empty. Between two nodes that are
    /// each client and server, it should name both and their roles, so that nobody can be made to talk with himself
    /// (RFC 9258 §A).
    ///
    /// An imported key is for 1.3 alone, and must not be used in any other way (RFC 9258 §4).
    ///
    /// # Errors
    /// [`ConfigError::BadPsk`] if the identity is empty, or too long together with `context`.
    pub fn imported(mut self, context: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        self.import = Some(context.into());
        if self.serves13() { Ok(self) } else { Err(ConfigError::BadPsk) }
    }

    /// One that a server has looked up.
    pub(crate) fn looked_up(
        identity: &[u8],
        key: Zeroizing<Vec<u8>>,
        hash: HashAlgorithm,
        import: Option<&[u8]>,
    ) -> Self {
        Self { identity: identity.to_vec(), key: key.into(), hint: None, hash, import: import.map(<[u8]>::to_vec) }
    }

    /// For a client with several keys: the hint of the servers of 1.2 that this one is for.
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

    pub(crate) fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    /// What it is imported with, if it is.
    pub(crate) fn import(&self) -> Option<&[u8]> {
        self.import.as_deref()
    }

    /// Whether it can be used in 1.2. RFC 9258 §5.1: not if it is imported.
    pub(crate) fn serves12(&self) -> bool {
        self.import.is_none()
    }

    /// Whether it can be used in 1.3: its name has to have a byte (RFC 9846 §4.3.11), and to leave room in its
    /// extension.
    pub(crate) fn serves13(&self) -> bool {
        let import = self.import.as_ref().map_or(0, |context| IMPORT_LEN + context.len());
        !self.identity.is_empty() && self.identity.len() + import <= MAX_NAME_13
    }

    /// Whether it can be used in 1.3 with cipher suites of this hash.
    pub(crate) fn fits13(&self, hash: HashAlgorithm) -> bool {
        self.serves13() && (self.import.is_some() || self.hash == hash)
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { identity, hint, hash, import, key: _ } = self;
        let mut shown = f.debug_struct("Psk");
        shown.field("identity", identity).field("hint", hint).field("hash", hash).field("import", import);
        shown.finish_non_exhaustive()
    }
}

/// The key of a client of 1.2 that was sent `hint` (empty for none): the one for that hint, or the first.
pub(crate) fn for_hint<'p>(psks: &'p [Psk], hint: &[u8]) -> Option<&'p Psk> {
    let mut usable = psks.iter().filter(|psk| psk.serves12());
    let first = usable.clone().next();
    usable.find(|psk| psk.hint.as_deref() == Some(hint)).or(first)
}

/// What `psks` has for `identity`, imported with `context` if that is one. An empty key is none: everybody has it.
pub(crate) fn look_up(psks: &dyn PskLookup, identity: &[u8], context: Option<&[u8]>) -> Option<Zeroizing<Vec<u8>>> {
    let key = match context {
        Some(context) => psks.imported_key(identity, context),
        None => psks.key(identity),
    };
    key.filter(|key| !key.is_empty())
}

/// Where a server finds the keys of its clients.
///
/// A list of [`Psk`]s is one; a database can be another. Identities are any bytes and are compared whole. Each
/// names one key, which goes with one hash function. A server of 1.3 may ask for up to eight of a hello, some of them
/// more than once, also before the client has proved its address: what takes long there holds up an endpoint.
///
/// Of several keys that a client of 1.3 names and that are known here, a session's goes first, then the one of least
/// [`rank`](Self::rank), then the client's favourite.
pub trait PskLookup: Send + Sync + fmt::Debug {
    /// The key for `identity`, as both versions use it. For an unknown one the handshake goes on and fails just
    /// as with a wrong key, so that nobody learns which identities exist. In 1.3 that holds where there is no
    /// certificate to go on with. An empty key counts as none.
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>>;

    /// The hash function that the key for `identity` goes with in 1.3. Default SHA-256. A list of [`Psk`]s gives
    /// unknown identities the hash of all its keys, if they have one in common.
    ///
    /// It is asked of unknown identities as well, and the cipher suite, which everybody is told, depends on the
    /// answer: where that differs from the answer for a key, everybody can find out that the key exists. So keys
    /// should go with one hash, or the hash should follow from the identity alone.
    fn hash(&self, identity: &[u8]) -> HashAlgorithm {
        let _ = identity;
        HashAlgorithm::Sha256
    }

    /// The key for `identity` that clients of 1.3 import with `context`, see [`Psk::imported`]. Default: none. A
    /// context that was not agreed on has no key.
    fn imported_key(&self, identity: &[u8], context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let _ = (identity, context);
        None
    }

    /// The place of the key for `identity`, imported with `context` if that is one, in an order of preference; the
    /// least goes first. Default: 0, so that the client's order decides. A list of [`Psk`]s goes by its own.
    fn rank(&self, identity: &[u8], context: Option<&[u8]>) -> usize {
        let _ = (identity, context);
        0
    }

    /// What to tell clients so that they can choose a key (RFC 4279 §5.2); empty for nothing.
    fn hint(&self) -> &[u8] {
        &[]
    }
}

impl PskLookup for Vec<Psk> {
    fn key(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut named = self.iter().filter(|psk| psk.identity == identity);
        named.find(|psk| psk.import.is_none()).map(|psk| Zeroizing::new(psk.key.to_vec()))
    }

    fn hash(&self, identity: &[u8]) -> HashAlgorithm {
        if let Some(psk) = self.iter().find(|psk| psk.identity == identity) {
            return psk.hash;
        }
        let mut hashes = self.iter().map(|psk| psk.hash);
        let first = hashes.next().filter(|first| hashes.all(|hash| hash == *first));
        first.unwrap_or(HashAlgorithm::Sha256)
    }

    fn imported_key(&self, identity: &[u8], context: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut named = self.iter().filter(|psk| psk.identity == identity);
        named.find(|psk| psk.import.as_deref() == Some(context)).map(|psk| Zeroizing::new(psk.key.to_vec()))
    }

    fn rank(&self, identity: &[u8], context: Option<&[u8]>) -> usize {
        let is_it = |psk: &Psk| psk.identity == identity && psk.import.as_deref() == context;
        self.iter().position(is_it).unwrap_or(usize::MAX)
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

    #[derive(Debug)]
    struct Empty;

    impl PskLookup for Empty {
        fn key(&self, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
            Some(Zeroizing::default())
        }

        fn imported_key(&self, _: &[u8], _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
            Some(Zeroizing::default())
        }
    }

    #[test] // RFC 9846 §F.6
    fn an_empty_key_is_none() {
        assert_eq!([None, Some(&b"so"[..])].map(|context| look_up(&Empty, b"a", context)), [None, None]);
        assert!(look_up(&vec![psk("a")], b"a", None).is_some());
    }

    #[test] // RFC 4279 §5.2
    fn a_client_takes_the_key_for_the_hint_or_its_first() {
        let list = [psk("first"), psk("second").for_hint("there")];
        assert_eq!(for_hint(&list, b"there").map(Psk::identity), Some(&b"second"[..]));
        assert_eq!(for_hint(&list, b"elsewhere").map(Psk::identity), Some(&b"first"[..]));
        assert_eq!(for_hint(&[], b""), None);
    }

    #[test] // RFC 9258 §4
    fn an_imported_key_is_used_in_no_other_way() {
        let imported = psk("a").imported("there").expect("it fits");
        let list = vec![imported.clone(), psk("b")];
        assert!(list.key(b"a").is_none() && list.imported_key(b"b", b"").is_none());
        assert!(list.imported_key(b"a", b"there").is_some() && list.imported_key(b"a", b"").is_none());
        assert_eq!(for_hint(&list, b"").map(Psk::identity), Some(&b"b"[..]));
        assert_eq!(for_hint(&[imported], b""), None);
    }

    #[test] // RFC 9846 §4.3.11, RFC 9258 §5.1
    fn names_of_1_3_have_a_byte_and_leave_room() {
        assert!(psk("a").serves13() && !psk("").serves13());
        assert_eq!(psk("").imported(""), Err(ConfigError::BadPsk));
        let long = |len: usize| Psk::new(vec![7; len], [1; 16]).expect("good lengths");
        assert!(long(MAX_NAME_13).serves13() && !long(MAX_NAME_13 + 1).serves13());
        assert!(long(MAX_NAME_13 - IMPORT_LEN).imported("").is_ok());
        assert_eq!(long(MAX_NAME_13 - IMPORT_LEN).imported("x"), Err(ConfigError::BadPsk));
    }

    #[test] // RFC 9846 §4.3.11
    fn a_key_goes_with_one_hash_unless_it_is_imported() {
        let fits = |psk: &Psk| [HashAlgorithm::Sha256, HashAlgorithm::Sha384].map(|hash| psk.fits13(hash));
        assert_eq!(fits(&psk("a")), [true, false]);
        assert_eq!(fits(&psk("a").with_hash(HashAlgorithm::Sha384)), [false, true]);
        assert_eq!(fits(&psk("a").imported("").expect("it fits")), [true, true]);
    }

    #[test] // RFC 9846 §F.6
    fn an_unknown_identity_has_the_hash_of_all_keys() {
        let sha384 = |identity| psk(identity).with_hash(HashAlgorithm::Sha384);
        let hash = |list: Vec<Psk>| list.hash(b"unknown");
        assert_eq!(hash(vec![sha384("a"), sha384("b")]), HashAlgorithm::Sha384);
        assert_eq!(hash(vec![psk("a"), psk("b")]), HashAlgorithm::Sha256);
        assert_eq!(hash(vec![sha384("a"), psk("b")]), HashAlgorithm::Sha256);
        assert_eq!(hash(Vec::new()), HashAlgorithm::Sha256);
    }

    #[test]
    fn the_key_is_not_shown() {
        assert!(!format!("{:?}", psk("me")).contains("171"));
        assert_eq!(Psk::new("me", []), Err(ConfigError::BadPsk));
    }

    #[test]
    fn the_key_is_wiped_when_dropped() {
        crate::crypto::assert_wiped(|psk: &Psk| &psk.key);
    }
}
