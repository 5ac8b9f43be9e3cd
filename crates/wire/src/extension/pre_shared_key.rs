//! pre_shared_key.

use super::Extension;
use crate::codec::{Codec, DecodeError, Len8, OpaqueList, Reader, Sequence, Writer};
use crate::registry::ExtensionType;

/// A key the client could use, in the offer (RFC 9846 §4.3.11).
///
/// ```text
/// struct {
///     opaque identity<1..2^16-1>;
///     uint32 obfuscated_ticket_age;
/// } PskIdentity;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PskIdentity<'a> {
    /// Ticket, or name of an external key.
    pub identity: &'a [u8],
    /// Milliseconds, plus the ticket's `age_add`, modulo 2³².
    pub obfuscated_ticket_age: u32,
}

impl<'a> Codec<'a> for PskIdentity<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { identity: r.nonempty16()?, obfuscated_ticket_age: r.u32()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.identity));
        w.u32(self.obfuscated_ticket_age);
    }
}

/// Shortest binder in bytes.
const MIN_BINDER: usize = 32;

/// Keys on offer with a proof of each (RFC 9846 §4.3.11). Reading does not check that there are as many of one as of
/// the other: see [`is_complete`](Self::is_complete).
///
/// ```text
/// opaque PskBinderEntry<32..255>;
/// struct {
///     PskIdentity identities<7..2^16-1>;
///     PskBinderEntry binders<33..2^16-1>;
/// } OfferedPsks;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreSharedKeyClientHello<'a> {
    /// The client's favourite first.
    pub identities: Sequence<'a, PskIdentity<'a>>,
    /// One MAC for each identity, in the same order.
    pub binders: OpaqueList<'a, Len8>,
}

impl PreSharedKeyClientHello<'_> {
    /// Whether each identity has a binder, and each binder an identity.
    pub fn is_complete(&self) -> bool {
        self.identities.iter().count() == self.binders.iter().count()
    }

    /// Size in bytes of the binders with the length field of their list. The extension is the last of its
    /// ClientHello, and a binder covers the message up to this many bytes before its end (RFC 9846 §4.3.11.2).
    pub fn binders_len(&self) -> usize {
        self.binders.as_bytes().len().saturating_add(2)
    }
}

impl<'a> Codec<'a> for PreSharedKeyClientHello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let identities = Sequence::<PskIdentity<'a>>::new(r.nonempty16()?)?;
        let binders = OpaqueList::<Len8>::new(r.nonempty16()?)?;
        if binders.iter().any(|binder| binder.len() < MIN_BINDER) {
            return Err(DecodeError::BadVectorLength);
        }
        Ok(Self { identities, binders })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| w.bytes(self.identities.as_bytes()));
        w.vec16(|w| w.bytes(self.binders.as_bytes()));
    }
}

impl<'a> Extension<'a> for PreSharedKeyClientHello<'a> {
    const TYPE: ExtensionType = ExtensionType::PRE_SHARED_KEY;
}

/// The key the server chose (RFC 9846 §4.3.11).
///
/// ```text
/// uint16 selected_identity;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreSharedKeyServerHello {
    /// Place in the client's list, from 0.
    pub selected_identity: u16,
}

impl<'a> Codec<'a> for PreSharedKeyServerHello {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { selected_identity: r.u16()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u16(self.selected_identity);
    }
}

impl<'a> Extension<'a> for PreSharedKeyServerHello {
    const TYPE: ExtensionType = ExtensionType::PRE_SHARED_KEY;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn offer(identities: usize, binders: usize, binder_len: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.vec16(|w| (0..identities).for_each(|_| PskIdentity { identity: b"a", obfuscated_ticket_age: 5 }.write(w)));
        w.vec16(|w| (0..binders).for_each(|_| w.vec8(|w| (0..binder_len).for_each(|i| w.u8(i)))));
        w.finish().unwrap();
        out
    }

    #[test]
    fn formats() {
        let bytes = offer(2, 2, 32);
        assert_eq!(bytes[..9], [0, 14, 0, 1, b'a', 0, 0, 0, 5]);
        let read = PreSharedKeyClientHello::from_bytes(&bytes).unwrap();
        assert_eq!(read.identities.first().unwrap().identity, b"a");
        assert_eq!(read.binders_len(), 2 + 2 * 33);
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(PreSharedKeyServerHello { selected_identity: 1 }.to_vec().unwrap(), [0, 1]);
        assert_eq!(PreSharedKeyServerHello::from_bytes(&[0, 1]).unwrap().selected_identity, 1);
    }

    #[test] // RFC 9846 §4.3.11
    fn each_identity_has_one_binder() {
        let read = |bytes: &[u8]| PreSharedKeyClientHello::from_bytes(bytes).map(|offer| offer.is_complete());
        assert_eq!(read(&offer(2, 2, 32)), Ok(true));
        assert_eq!(read(&offer(2, 1, 32)), Ok(false));
        assert_eq!(read(&offer(1, 2, 32)), Ok(false));
        assert_eq!(read(&offer(1, 1, 31)), Err(DecodeError::BadVectorLength));
        assert_eq!(read(&offer(0, 1, 32)), Err(DecodeError::EmptyVector));
        assert_eq!(read(&offer(1, 0, 32)), Err(DecodeError::EmptyVector));
    }
}
