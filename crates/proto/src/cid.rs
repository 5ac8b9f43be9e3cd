//! Connection ids: the names that a side gives its associations, for the peer to put into its records.
//!
//! Owns the values and how new ones are made. Where records carry them is known to `record`, who agreed on which to
//! `handshake`. RFC 9146 §3, RFC 9147 §9.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use crate::crypto::{CryptoError, SecureRandom};

/// Ids of so many bytes lie in the value itself.
const INLINE: usize = 22;

/// A connection id of at most 255 bytes. The empty one stands for none (RFC 9146 §3).
#[derive(Clone)]
pub struct Cid(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Cid {
    /// The longest that there is, in bytes.
    pub const MAX_LEN: usize = 255;

    /// No connection id.
    pub const EMPTY: Self = Self(Repr::Inline { len: 0, bytes: [0; INLINE] });

    /// With these bytes; `None` if there are more than 255.
    #[must_use]
    pub fn new(cid: &[u8]) -> Option<Self> {
        let len = u8::try_from(cid.len()).ok()?;
        let mut bytes = [0; INLINE];
        Some(Self(match bytes.get_mut(..cid.len()) {
            Some(place) => {
                place.copy_from_slice(cid);
                Repr::Inline { len, bytes }
            }
            None => Repr::Heap(cid.into()),
        }))
    }

    /// Its bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Heap(bytes) => bytes,
        }
    }

    /// How long it is, in bytes.
    pub(crate) fn length(&self) -> u8 {
        u8::try_from(self.as_bytes().len()).unwrap_or(u8::MAX)
    }
}

impl Deref for Cid {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Cid {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Borrow<[u8]> for Cid {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Cid {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Cid {}

impl Hash for Cid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialOrd for Cid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for Cid {
    /// In hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

/// Makes connection ids for the associations of an endpoint.
///
/// A record does not say how long its connection id is (RFC 9146 §3). So no id may begin with another that is in use on
/// the same socket, nor be the same: ids of one length that have enough random bits never are.
///
/// ```
/// use gramseal_proto::crypto::{CryptoError, SecureRandom};
/// use gramseal_proto::{Cid, CidGenerator};
///
/// /// Eight random bytes behind the number of the process, for a load balancer.
/// #[derive(Debug)]
/// struct OfProcess(u8);
///
/// impl CidGenerator for OfProcess {
///     fn generate(&self, random: &dyn SecureRandom) -> Result<Cid, CryptoError> {
///         let mut cid = [self.0; 9];
///         random.fill(&mut cid[1..])?;
///         Cid::new(&cid).ok_or(CryptoError::new())
///     }
/// }
/// ```
pub trait CidGenerator: fmt::Debug + Send + Sync {
    /// A new id of 1 to 255 bytes. `random` is the provider's random source.
    ///
    /// # Errors
    /// Any failure; the association for which it was wanted fails.
    fn generate(&self, random: &dyn SecureRandom) -> Result<Cid, CryptoError>;
}

/// Connection ids of random bytes.
///
/// Nobody can tell what is behind them. Eight bytes, the default, are enough for a million associations: the chance that
/// any two of them share an id is one in forty millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomCids {
    len: u8,
}

impl RandomCids {
    /// Of `len` bytes; less than 4 are taken as 4.
    #[must_use]
    pub const fn new(len: u8) -> Self {
        Self { len: if len < 4 { 4 } else { len } }
    }
}

impl Default for RandomCids {
    fn default() -> Self {
        Self::new(8)
    }
}

impl CidGenerator for RandomCids {
    fn generate(&self, random: &dyn SecureRandom) -> Result<Cid, CryptoError> {
        let mut bytes = [0; INLINE];
        if let Some(short) = bytes.get_mut(..usize::from(self.len)) {
            random.fill(short)?;
            return Cid::new(short).ok_or(CryptoError);
        }
        let mut long = vec![0; usize::from(self.len)];
        random.fill(&mut long)?;
        Cid::new(&long).ok_or(CryptoError)
    }
}

/// What a side does about connection ids (RFC 9146, RFC 9147 §9).
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_enums, reason = "these are the choices of a side")]
pub enum ConnectionIds {
    /// They are not spoken of: for who minds that an id links all records of an association (RFC 9146 §8).
    Off,
    /// The peer's are put into the records to it, if it wants that, and none is wanted here.
    #[default]
    Peers,
    /// The same, and the peer is asked to put ids from this generator into its records, so that they find their
    /// association whatever address they come from.
    Both(Arc<dyn CidGenerator>),
}

impl ConnectionIds {
    /// [`Both`](Self::Both) with [`RandomCids`] of the usual length.
    #[must_use]
    pub fn random() -> Self {
        Self::Both(Arc::new(RandomCids::default()))
    }
}

/// How long the connection ids are that an association has agreed on, in bytes; 0 where a side wants none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CidLengths {
    /// Of those that this side chose, in records to it.
    pub own: u8,
    /// Of the peer's, in records to the peer.
    pub peer: u8,
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::ToString;
    use alloc::vec;

    use super::{Cid, CidGenerator, RandomCids};
    use crate::crypto::{CryptoError, SecureRandom};

    #[derive(Debug)]
    struct Sevens;

    impl SecureRandom for Sevens {
        fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
            out.fill(7);
            Ok(())
        }
    }

    #[test] // RFC 9146 §3
    fn ids_have_up_to_255_bytes() {
        for len in [0, 1, 21, 22, 23, 24, 254, 255] {
            let bytes = vec![9; len];
            assert_eq!(Cid::new(&bytes).expect("short enough").as_bytes(), bytes, "{len}");
        }
        assert_eq!(Cid::new(&[0; 256]), None);
        assert_eq!(size_of::<Cid>(), 24);
    }

    #[test]
    fn ids_are_found_by_their_bytes_wherever_those_lie() {
        let ids = [&[1, 2][..], &[1; 40], &[]].map(|bytes| Cid::new(bytes).expect("short enough"));
        let map: BTreeMap<Cid, usize> = ids.iter().cloned().zip(0..).collect();
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(map.get(id.as_bytes()), Some(&n));
        }
        assert_eq!(ids[0].to_string(), "0102");
    }

    #[test]
    fn random_ids_have_the_length_that_was_asked_for() {
        for (asked, len) in [(0, 4), (8, 8), (22, 22), (23, 23), (255, 255)] {
            assert_eq!(RandomCids::new(asked).generate(&Sevens).expect("works").as_bytes(), vec![7; len]);
        }
    }
}
