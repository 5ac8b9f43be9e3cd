//! The ClientHello at the front of a datagram, and what answers it.
//!
//! Owns the reading of a hello and the layout of the answers: HelloVerifyRequest, HelloRetryRequest,
//! alert. Never keeps anything. RFC 6347 §4.2.1, RFC 9147 §5.1.

use alloc::vec::Vec;

use gramseal_wire::extension::Cookie;
use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{
    Alert, AlertDescription, ClientHelloPrefix, Codec, ContentType, DecodeError, Epoch, ExtensionType, Fragment,
    HandshakeHeader, HandshakeMessage, HandshakeType, HelloVerifyRequest, MessageSeq, PlaintextHeader, ProtocolVersion,
    Reader, SequenceNumber, UnifiedHeader, Writer,
};

use super::cookie12::COOKIE_LEN;
use crate::FirstHello;
use crate::discard::Discard;

/// A client numbers its hellos 0, 1, … and needs a third only if its cookie expired under way, or
/// if somebody forges requests for cookies, a few with each timeout of a handshake.
const MAX_MESSAGE_SEQ: MessageSeq = MessageSeq(255);

/// Bytes of the shortest datagram that [`Hello::read`] accepts.
const MIN_HELLO_LEN: usize = PlaintextHeader::LEN + HandshakeHeader::LEN + 2 + 32 + 1 + 1;

const _: () = {
    // No amplification: what answers a hello is shorter than any hello. A HelloRetryRequest is weighed
    // when it is written.
    let verify_request = 2 + 1 + COOKIE_LEN;
    assert!(PlaintextHeader::LEN + HandshakeHeader::LEN + verify_request < MIN_HELLO_LEN);
};

/// The front of a ClientHello as it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hello<'a> {
    pub(super) first: FirstHello,
    pub(super) prefix: ClientHelloPrefix<'a>,
    /// Its body, if the fragment is all of it.
    pub(super) body: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    /// Reads the ClientHello that `datagram` begins with. Only the first fragment of the first
    /// record counts: a datagram with many hellos is still one hello.
    ///
    /// The error says why nothing here can begin an association.
    pub(super) fn read(datagram: &'a [u8]) -> Result<Self, Discard> {
        let Part { sequence_number, fragment } = Part::read(datagram)?;
        let prefix = read_prefix(&fragment)?;
        let first = FirstHello { message_seq: fragment.message_seq, sequence_number };
        Ok(Self { first, prefix, body: fragment.is_whole().then_some(fragment.body) })
    }
}

/// Whether `datagram` begins with what may be early data.
pub(super) fn is_early_data(datagram: &[u8]) -> bool {
    let bits = UnifiedHeader::epoch_bits_of(Epoch::EARLY_DATA);
    UnifiedHeader::read(&mut Reader::new(datagram), 0).is_ok_and(|header| header.epoch_bits == bits)
}

/// Whether `datagram` begins with a record that no key protects.
pub(super) fn is_unprotected(datagram: &[u8]) -> bool {
    let plaintext = datagram.first().is_some_and(|first| !UnifiedHeader::starts_with(*first));
    plaintext
        && PlaintextHeader::read(&mut Reader::new(datagram)).is_ok_and(|header| header.epoch == Epoch::UNPROTECTED)
}

/// A ClientHello or some part of one, as it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// Of the record.
    pub(super) sequence_number: SequenceNumber,
    pub(super) fragment: Fragment<'a>,
}

impl<'a> Part<'a> {
    /// Reads the fragment that `datagram` begins with, if it is of a ClientHello.
    pub(super) fn read(datagram: &'a [u8]) -> Result<Self, Discard> {
        if datagram.first() != Some(&ContentType::HANDSHAKE.0) {
            return Err(Discard::UnknownPeer);
        }
        let mut r = Reader::new(datagram);
        let header = PlaintextHeader::read(&mut r).map_err(|_| Discard::Malformed)?;
        if !header.version.is_dtls() {
            return Err(Discard::UnknownVersion);
        }
        if header.epoch != Epoch::UNPROTECTED {
            return Err(Discard::UnknownPeer);
        }
        let record = r.bytes(usize::from(header.length)).map_err(|_| Discard::Malformed)?;
        let fragment = Fragment::read(&mut Reader::new(record)).map_err(|_| Discard::Malformed)?;
        if fragment.msg_type != HandshakeType::CLIENT_HELLO {
            return Err(Discard::UnknownPeer);
        }
        Ok(Self { sequence_number: header.sequence_number, fragment })
    }

    /// The cookie of 1.3 in what is here of the extensions, if this is the beginning of a hello.
    pub(super) fn cookie(&self) -> Option<&'a [u8]> {
        if self.fragment.fragment_offset != 0 {
            return None;
        }
        let mut r = Reader::new(self.fragment.body);
        ClientHelloPrefix::read(&mut r).ok()?;
        let (_suites, _compression, _length) = (r.vec16().ok()?, r.vec8().ok()?, r.u16().ok()?);
        loop {
            let (extension, content) = (ExtensionType(r.u16().ok()?), r.vec16().ok()?);
            if extension == ExtensionType::COOKIE {
                return Cookie::from_bytes(content).ok().map(|cookie| cookie.cookie);
            }
        }
    }
}

fn read_prefix<'a>(fragment: &Fragment<'a>) -> Result<ClientHelloPrefix<'a>, Discard> {
    if fragment.message_seq > MAX_MESSAGE_SEQ {
        return Err(Discard::FragmentTooFarAhead);
    }
    if fragment.fragment_offset != 0 {
        return Err(Discard::HelloFragment);
    }
    let prefix = ClientHelloPrefix::read(&mut Reader::new(fragment.body)).map_err(|fault| match fault {
        DecodeError::Truncated if !fragment.is_whole() => Discard::HelloFragment,
        _ => Discard::Malformed,
    })?;
    if !prefix.legacy_version.is_dtls() {
        return Err(Discard::UnknownVersion);
    }
    Ok(prefix)
}

/// Writes the datagram that asks the sender of `hello` to come back with `cookie`.
///
/// Both versions in it are DTLS 1.0, which here names the format only (RFC 6347 §4.2.1): a client
/// of 1.0 must understand it before it can hear that 1.0 is refused, and the clients of OpenSSL,
/// GnuTLS, BoringSSL, Mbed TLS and Botan take 1.0 and 1.2 alike.
pub(super) fn write_verify_request(hello: &Hello<'_>, cookie: &[u8; COOKIE_LEN], reply: &mut Vec<u8>) {
    let request = HelloVerifyRequest { server_version: ProtocolVersion::DTLS1_0, cookie };
    write_message(hello, ProtocolVersion::DTLS1_0, &request, reply);
}

/// Writes the datagram with a HelloRetryRequest for the sender of `hello`.
pub(super) fn write_retry_request(hello: &Hello<'_>, request: &ServerHello<'_>, reply: &mut Vec<u8>) {
    write_message(hello, ProtocolVersion::DTLS1_2, request, reply);
}

/// Writes the datagram that tells the sender of the hello why nothing comes of it.
pub(super) fn write_alert(first: FirstHello, description: AlertDescription, reply: &mut Vec<u8>) {
    let alert = Alert::new(description);
    write_record(first, ContentType::ALERT, ProtocolVersion::DTLS1_2, reply, |reply| {
        let mut w = Writer::new(reply);
        alert.write(&mut w);
        w.finish().expect("two bytes");
    });
}

/// The message has the hello's number, which leaves the next one to our flight (RFC 6347 §4.2.2,
/// RFC 9147 §5.2).
fn write_message<'m, M: HandshakeMessage<'m>>(
    hello: &Hello<'_>,
    version: ProtocolVersion,
    message: &M,
    reply: &mut Vec<u8>,
) {
    write_record(hello.first, ContentType::HANDSHAKE, version, reply, |reply| {
        let start = reply.len();
        reply.extend_from_slice(&[0; HandshakeHeader::LEN]);
        let mut w = Writer::new(reply);
        message.write(&mut w);
        w.finish().expect("every field fits");
        let length = length_from(reply, start + HandshakeHeader::LEN);
        let header = HandshakeHeader::whole(M::TYPE, length, hello.first.message_seq);
        patch(reply, start, &header.to_bytes());
    });
}

/// The record has the hello's number, so that none repeats without anything being kept (RFC 6347
/// §4.2.1).
fn write_record(
    first: FirstHello,
    content_type: ContentType,
    version: ProtocolVersion,
    reply: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>),
) {
    reply.clear();
    reply.extend_from_slice(&[0; PlaintextHeader::LEN]);
    content(reply);
    let record = PlaintextHeader {
        content_type,
        version,
        epoch: Epoch::UNPROTECTED,
        sequence_number: first.sequence_number,
        length: u16::try_from(length_from(reply, PlaintextHeader::LEN)).unwrap_or(u16::MAX),
    };
    patch(reply, 0, &record.to_bytes());
}

/// How many bytes there are from `start` on.
fn length_from(reply: &[u8], start: usize) -> u32 {
    u32::try_from(reply.len().saturating_sub(start)).unwrap_or(u32::MAX)
}

/// Fills in a header whose length was not known when its place was reserved.
fn patch(reply: &mut [u8], start: usize, header: &[u8]) {
    for (to, from) in reply.iter_mut().skip(start).zip(header) {
        *to = *from;
    }
}
