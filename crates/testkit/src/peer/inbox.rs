//! What the side under test sent, put together again.

use std::collections::BTreeMap;

use gramseal_wire::{Fragment, HandshakeHeader, HandshakeType, MessageSeq, RecordHeader};

/// A handshake message of the side under test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Its type.
    pub msg_type: HandshakeType,
    /// Its number.
    pub message_seq: MessageSeq,
    /// The epoch its first fragment came in.
    pub epoch: u64,
    /// Its body.
    pub body: Vec<u8>,
}

impl Received {
    /// With the header of an unfragmented message, as transcripts want it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        whole(self.msg_type, self.message_seq, &self.body)
    }
}

/// A message in one piece with its header.
pub(super) fn whole(msg_type: HandshakeType, message_seq: MessageSeq, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a message's length");
    [&HandshakeHeader::whole(msg_type, length, message_seq).to_bytes()[..], body].concat()
}

/// Cuts `message` (header and body) into fragments of at most `len` bytes of body; one without a body stays whole.
pub(super) fn fragment(message: &[u8], len: usize) -> Vec<Vec<u8>> {
    let (header, body) = message.split_at(HandshakeHeader::LEN);
    if body.is_empty() {
        return vec![message.to_vec()];
    }
    let cut = |(index, part): (usize, &[u8])| {
        let number = |value: usize| u32::try_from(value).expect("24 bits").to_be_bytes();
        let (offset, length) = (number(index * len), number(part.len()));
        [&header[..6], &offset[1..], &length[1..], part].concat()
    };
    body.chunks(len.max(1)).enumerate().map(cut).collect()
}

/// Collects fragments and gives out messages once each, in order.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    partial: BTreeMap<u16, Partial>,
    next: u16,
}

#[derive(Debug)]
struct Partial {
    message: Received,
    missing: Vec<bool>,
}

impl Inbox {
    pub(super) fn insert(&mut self, epoch: u64, fragment: &Fragment<'_>) {
        if fragment.message_seq.0 < self.next {
            return;
        }
        let len = fragment.length as usize;
        let partial = self.partial.entry(fragment.message_seq.0).or_insert_with(|| Partial {
            message: Received {
                msg_type: fragment.msg_type,
                message_seq: fragment.message_seq,
                epoch,
                body: vec![0; len],
            },
            missing: vec![true; len],
        });
        assert_eq!(partial.message.body.len(), len, "all fragments of a message claim one length");
        assert_eq!(partial.message.msg_type, fragment.msg_type, "all fragments of a message have one type");
        let range = fragment.fragment_offset as usize..fragment.fragment_offset as usize + fragment.body.len();
        partial.message.body[range.clone()].copy_from_slice(fragment.body);
        partial.missing[range].fill(false);
    }

    pub(super) fn next(&mut self) -> Option<Received> {
        let first = self.partial.first_entry()?;
        let complete = *first.key() == self.next && !first.get().missing.contains(&true);
        if !complete {
            return None;
        }
        self.next += 1;
        Some(first.remove().message)
    }
}

/// The records of a datagram of the side under test, each with its header; connection ids have `cid_len` bytes.
///
/// # Panics
/// If there is anything else.
pub(super) fn whole_records(datagram: &[u8], cid_len: usize) -> Vec<(RecordHeader, &[u8])> {
    let mut rest = datagram;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let header = RecordHeader::read(rest, cid_len).expect("a record of the side under test");
        let len = header.header_len() + header.body_len(rest.len()).expect("a whole record");
        let (record, following) = rest.split_at(len);
        found.push((header, record));
        rest = following;
    }
    found
}
