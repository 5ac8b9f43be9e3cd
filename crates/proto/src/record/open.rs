//! The receive path: one record in the caller's buffer in, its content out, in the same place.
//!
//! No copy and no allocation. Whatever is wrong with a record, it is dropped and the rest of the
//! association does not notice (RFC 6347 §4.1.2.7). RFC 6347 §4.1, RFC 5246 §6.2.

use core::mem;

use gramseal_wire::{Codec, ContentType, DatagramKind, Epoch, PlaintextHeader, Reader, RecordNumber};

use super::MAX_CONTENT_LEN;
use super::layer::RecordLayer;
use super::protect12::Covered;
use crate::discard::Discard;

/// How much longer than its content the body of a protected record may be (RFC 5246 §6.2.3).
const MAX_EXPANSION: usize = 2048;

/// What was in a record that is as authentic as its epoch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened<'d> {
    pub(crate) number: RecordNumber,
    pub(crate) content_type: ContentType,
    /// A part of the record as it arrived.
    pub(crate) content: &'d mut [u8],
}

impl RecordLayer {
    /// Opens `record`, which is exactly one record, header included, in place.
    ///
    /// [`Discard::EarlyEpoch`] leaves the record as it was, so that it can be kept for later; after
    /// any other reason it may hold anything.
    pub(crate) fn open<'d>(&mut self, record: &'d mut [u8]) -> Result<Opened<'d>, Discard> {
        let header = peek(record).ok_or(Discard::Malformed)?;
        let body = record.get_mut(PlaintextHeader::LEN..).unwrap_or_default();
        check_form(&header, body.len())?;
        let PlaintextHeader { content_type, version, epoch, sequence_number, .. } = header;
        let agreed = self.version();
        let next = self.newest_read_epoch().next();
        let Some(reader) = self.read.find_mut(epoch) else {
            return Err(if next == Some(epoch) { Discard::EarlyEpoch } else { Discard::UnknownEpoch });
        };
        // No RFC says what to do with another version. In epoch 0 the major one is all that is asked
        // for, at any time: a ClientHello may come with DTLS 1.0 (RFC 6347 §4.2.1, RFC 9147 §5.3), and
        // a peer that refuses our version says so in its own. BoringSSL does the same; OpenSSL asks for
        // the whole version of all but alerts, and so misses a ClientHello that is repeated.
        if reader.is_protected() && agreed.is_some_and(|agreed| agreed != version) {
            return Err(Discard::UnknownVersion);
        }
        let number = RecordNumber::new(epoch, sequence_number);
        let content = reader.open(Covered { number, content_type, version }, body)?;
        Ok(Opened { number, content_type, content })
    }
}

/// Takes the next record off the front of `datagram`; `None` at its end.
///
/// What is no record spoils all that follows, since nothing says where the next one begins: the
/// rest of the datagram is then dropped with it (RFC 6347 §4.1.1).
pub(crate) fn split_record<'d>(datagram: &mut &'d mut [u8]) -> Result<Option<&'d mut [u8]>, Discard> {
    let rest = mem::take(datagram);
    let Some(first) = rest.first() else { return Ok(None) };
    if DatagramKind::of(*first) != DatagramKind::Dtls {
        return Err(Discard::Foreign);
    }
    let header = peek(rest).ok_or(Discard::Malformed)?;
    let len = PlaintextHeader::LEN + usize::from(header.length);
    let (record, rest) = rest.split_at_mut_checked(len).ok_or(Discard::Malformed)?;
    *datagram = rest;
    Ok(Some(record))
}

/// The epoch that a record claims; `None` if it is too short to claim any.
pub(crate) fn peek_epoch(record: &[u8]) -> Option<Epoch> {
    peek(record).map(|header| header.epoch)
}

fn peek(record: &[u8]) -> Option<PlaintextHeader> {
    PlaintextHeader::read(&mut Reader::new(record)).ok()
}

/// What can be said against a record from its header alone.
fn check_form(header: &PlaintextHeader, body_len: usize) -> Result<(), Discard> {
    if usize::from(header.length) != body_len {
        return Err(Discard::Malformed);
    }
    match header.content_type {
        ContentType::CHANGE_CIPHER_SPEC
        | ContentType::ALERT
        | ContentType::HANDSHAKE
        | ContentType::APPLICATION_DATA => {}
        _ => return Err(Discard::UnknownContentType),
    }
    if !header.version.is_dtls() {
        return Err(Discard::UnknownVersion);
    }
    if body_len > MAX_CONTENT_LEN + MAX_EXPANSION {
        return Err(Discard::Oversized);
    }
    Ok(())
}
