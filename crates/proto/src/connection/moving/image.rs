//! What is sealed in an image: fields, each with its tag and its length, in the order of their tags.
//!
//! A field that is not there says that there is nothing of its kind; a tag that is not known is refused.

use gramseal_wire::{Reader, Writer};

use super::error::ImportError;

/// The kinds of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Role, and what the handshake agreed on.
    Negotiated = 1,
    /// The secrets that outlive the handshake.
    Keying = 2,
    /// Epochs, numbers, windows, counts and limits.
    Records = 3,
    /// What comes after a handshake of 1.3.
    Post = 4,
    /// What to forget if the association fails, and what tickets are made of.
    Remembered = 5,
    /// How large datagrams are.
    Path = 6,
    /// What the caller attached.
    Attached = 7,
    /// The connection ids of both sides.
    Cids = 8,
    /// What goes on about new ones.
    NewCids = 9,
}

const KINDS: usize = 9;

/// Writes a field.
pub(super) fn field(w: &mut Writer<'_>, field: Field, body: impl FnOnce(&mut Writer<'_>)) {
    w.u8(field as u8);
    w.vec24(body);
}

/// The fields of an image.
#[derive(Debug)]
pub(super) struct Fields<'a>([Option<&'a [u8]>; KINDS]);

impl<'a> Fields<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ImportError> {
        let (mut r, mut fields, mut last) = (Reader::new(bytes), [None; KINDS], 0);
        while !r.is_empty() {
            let tag = r.u8()?;
            if tag <= last {
                return Err(ImportError::Malformed);
            }
            last = tag;
            let slot = fields.get_mut(usize::from(tag) - 1).ok_or(ImportError::UnknownField(tag))?;
            *slot = Some(r.vec24()?);
        }
        Ok(Self(fields))
    }

    pub(super) fn find(&self, field: Field) -> Option<&'a [u8]> {
        self.0.get(field as usize - 1).copied().flatten()
    }

    /// Reads a field that has to be there.
    pub(super) fn need<T, E>(
        &self,
        field: Field,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, E>,
    ) -> Result<T, ImportError>
    where
        ImportError: From<E>,
    {
        let mut r = Reader::new(self.find(field).ok_or(ImportError::Malformed)?);
        let value = read(&mut r)?;
        r.finish()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use gramseal_wire::{DecodeError, Writer};

    use super::{Field, Fields, field};
    use crate::connection::ImportError;

    fn encode(fields: &[(Field, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut w = Writer::new(&mut bytes);
        for (kind, body) in fields {
            field(&mut w, *kind, |w| w.bytes(body));
        }
        w.finish().expect("short");
        bytes
    }

    #[test]
    fn fields_come_once_in_order_and_are_known() {
        let bytes = encode(&[(Field::Keying, b"ab"), (Field::Path, b"")]);
        let fields = Fields::read(&bytes).expect("in order");
        assert_eq!(fields.find(Field::Keying), Some(&b"ab"[..]));
        assert_eq!((fields.find(Field::Path), fields.find(Field::Records)), (Some(&b""[..]), None));
        assert_eq!(fields.need(Field::Keying, |r| r.u16()), Ok(0x6162));
        assert_eq!(fields.need(Field::Keying, |r| r.u8()), Err(ImportError::Malformed), "something is left over");
        assert_eq!(fields.need(Field::Records, |_| Ok::<_, DecodeError>(())), Err(ImportError::Malformed));

        for fields in [[Field::Path, Field::Keying], [Field::Path, Field::Path]] {
            let bytes = encode(&fields.map(|kind| (kind, &b"ab"[..])));
            assert_eq!(Fields::read(&bytes).err(), Some(ImportError::Malformed), "{fields:?}");
        }
        assert_eq!(Fields::read(&[200, 0, 0, 0]).err(), Some(ImportError::UnknownField(200)));
        assert_eq!(Fields::read(&[0, 0, 0, 0]).err(), Some(ImportError::Malformed));
        assert_eq!(Fields::read(&[1, 0, 0, 1]).err(), Some(ImportError::Malformed));
    }
}
