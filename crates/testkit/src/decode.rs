//! Looking into datagrams without keys: which records, which messages, which fragments.

use std::fmt;

use gramseal_wire::{Alert, Codec, ContentType, Epoch, Fragment, HandshakeType, PlaintextHeader, Reader};

/// A record as it lies in a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record is a header and a body")]
pub struct Record<'a> {
    /// Its header.
    pub header: PlaintextHeader,
    /// What follows the header; sealed in every epoch but 0.
    pub body: &'a [u8],
}

/// The records of a datagram, up to the first byte that belongs to none.
#[must_use]
pub fn records(datagram: &[u8]) -> Vec<Record<'_>> {
    let mut r = Reader::new(datagram);
    let mut records = Vec::new();
    while let Ok(header) = PlaintextHeader::read(&mut r) {
        // The content types of records with this header; the unified header of 1.3 starts higher, and a connection id
        // hides where the rest is.
        let known = (20..=27).contains(&header.content_type.0) && header.content_type != ContentType::TLS12_CID;
        let Ok(body) = r.bytes(usize::from(header.length)) else { break };
        if !known {
            break;
        }
        records.push(Record { header, body });
    }
    records
}

/// The fragments in the body of an unprotected (or opened) handshake record.
#[must_use]
pub fn fragments(body: &[u8]) -> Vec<Fragment<'_>> {
    let mut r = Reader::new(body);
    std::iter::from_fn(|| Fragment::read(&mut r).ok()).collect()
}

/// What can be seen of one thing in a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Item {
    /// A fragment of a handshake message in epoch 0.
    Handshake {
        /// Its type.
        msg_type: HandshakeType,
        /// Its number.
        message_seq: u16,
        /// Where it begins, in bytes.
        offset: u32,
        /// How long it is, in bytes.
        len: u32,
    },
    /// ChangeCipherSpec in epoch 0.
    ChangeCipherSpec,
    /// An alert in epoch 0: the code of its description.
    Alert(u8),
    /// A sealed record: its epoch, its content type and the length of its body in bytes.
    Sealed(u64, ContentType, u16),
    /// A record of epoch 0 with anything else.
    Other(ContentType),
}

/// Everything that can be seen in `datagram`, in order.
#[must_use]
pub fn items(datagram: &[u8]) -> Vec<Item> {
    records(datagram).iter().flat_map(items_of).collect()
}

fn items_of(record: &Record<'_>) -> Vec<Item> {
    let header = &record.header;
    if header.epoch != Epoch::UNPROTECTED {
        return vec![Item::Sealed(header.epoch.0, header.content_type, header.length)];
    }
    match header.content_type {
        ContentType::HANDSHAKE => fragments(record.body).iter().map(Item::of).collect(),
        ContentType::CHANGE_CIPHER_SPEC => vec![Item::ChangeCipherSpec],
        ContentType::ALERT => Alert::from_bytes(record.body)
            .map_or_else(|_| vec![Item::Other(ContentType::ALERT)], |alert| vec![Item::Alert(alert.description.0)]),
        other => vec![Item::Other(other)],
    }
}

impl Item {
    fn of(fragment: &Fragment<'_>) -> Self {
        Self::Handshake {
            msg_type: fragment.msg_type,
            message_seq: fragment.message_seq.0,
            offset: fragment.fragment_offset,
            len: fragment.header().fragment_length,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake { msg_type, message_seq, offset, len } => {
                write!(f, "{msg_type}#{message_seq}[{offset}+{len}]")
            }
            Self::ChangeCipherSpec => f.write_str("ChangeCipherSpec"),
            Self::Alert(description) => write!(f, "alert {description}"),
            Self::Sealed(epoch, content_type, len) => write!(f, "sealed {content_type} ({len} bytes, epoch {epoch})"),
            Self::Other(content_type) => write!(f, "{content_type}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, items};
    use gramseal_wire::{ContentType, HandshakeType};

    #[test]
    fn a_datagram_shows_what_can_be_seen_without_keys() {
        let mut datagram = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 3, 0, 14];
        datagram.extend([11, 0, 0, 9, 0, 2, 0, 0, 4, 0, 0, 2, 0xAA, 0xBB]);
        datagram.extend([20, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 1]);
        datagram.extend([22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 7, 8, 9]);
        let certificate = Item::Handshake { msg_type: HandshakeType::CERTIFICATE, message_seq: 2, offset: 4, len: 2 };
        let sealed = Item::Sealed(1, ContentType::HANDSHAKE, 3);
        assert_eq!(items(&datagram), [certificate, Item::ChangeCipherSpec, sealed]);
        datagram.extend([0x2F; 40]);
        assert_eq!(items(&datagram).len(), 3, "a unified header ends it");
    }
}
