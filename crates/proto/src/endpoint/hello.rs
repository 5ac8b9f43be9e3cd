//! The ClientHello at the front of a datagram, and the HelloVerifyRequest that answers it.
//!
//! Owns the reading of just so much of a hello as a cookie needs, and the layout of the answer.
//! Never keeps or allocates anything. RFC 6347 §4.2.1.

use alloc::vec::Vec;

use gramseal_wire::{
    ClientHelloPrefix, Codec, ContentType, DecodeError, Epoch, Fragment, HandshakeHeader, HandshakeType,
    HelloVerifyRequest, MessageSeq, PlaintextHeader, ProtocolVersion, Reader, Writer,
};

use super::cookie::COOKIE_LEN;
use crate::FirstHello;
use crate::discard::Discard;

/// A client numbers its hellos 0, 1, … and needs a third only if its cookie expired under way, or
/// if somebody forges requests for cookies, a few with each timeout of a handshake.
const MAX_MESSAGE_SEQ: MessageSeq = MessageSeq(255);

/// Bytes of the shortest datagram that [`Hello::read`] accepts.
const MIN_HELLO_LEN: usize = PlaintextHeader::LEN + HandshakeHeader::LEN + 2 + 32 + 1 + 1;

/// Bytes of a HelloVerifyRequest, and of the record around it.
const VERIFY_BODY_LEN: u8 = 2 + 1 + 18;
const VERIFY_RECORD_LEN: u16 = 12 + VERIFY_BODY_LEN as u16;

const _: () = {
    assert!(VERIFY_BODY_LEN as usize == 2 + 1 + COOKIE_LEN);
    assert!(VERIFY_RECORD_LEN as usize == HandshakeHeader::LEN + VERIFY_BODY_LEN as usize);
    // No amplification: what answers a hello is shorter than any hello.
    assert!(PlaintextHeader::LEN + (VERIFY_RECORD_LEN as usize) < MIN_HELLO_LEN);
};

/// The front of a ClientHello as it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hello<'a> {
    pub(super) first: FirstHello,
    pub(super) prefix: ClientHelloPrefix<'a>,
}

impl<'a> Hello<'a> {
    /// Reads the ClientHello that `datagram` begins with. Only the first fragment of the first
    /// record counts: a datagram with many hellos is still one hello.
    ///
    /// The error says why nothing here can begin an association.
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
        let prefix = read_prefix(&fragment)?;
        let first = FirstHello { message_seq: fragment.message_seq, sequence_number: header.sequence_number };
        Ok(Self { first, prefix })
    }
}

fn read_prefix<'a>(fragment: &Fragment<'a>) -> Result<ClientHelloPrefix<'a>, Discard> {
    if fragment.msg_type != HandshakeType::CLIENT_HELLO {
        return Err(Discard::UnknownPeer);
    }
    if fragment.fragment_offset != 0 {
        return Err(Discard::HelloFragment);
    }
    if fragment.message_seq > MAX_MESSAGE_SEQ {
        return Err(Discard::FragmentTooFarAhead);
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
/// GnuTLS, BoringSSL, Mbed TLS and Botan take 1.0 and 1.2 alike. Both numbers are the hello's own,
/// so that none repeats without anything being kept (RFC 6347 §4.2.1 and §4.2.2).
pub(super) fn write_verify_request(hello: &Hello<'_>, cookie: &[u8; COOKIE_LEN], reply: &mut Vec<u8>) {
    let record = PlaintextHeader {
        content_type: ContentType::HANDSHAKE,
        version: ProtocolVersion::DTLS1_0,
        epoch: Epoch::UNPROTECTED,
        sequence_number: hello.first.sequence_number,
        length: VERIFY_RECORD_LEN,
    };
    let message = HandshakeHeader::whole(
        HandshakeType::HELLO_VERIFY_REQUEST,
        u32::from(VERIFY_BODY_LEN),
        hello.first.message_seq,
    );
    reply.clear();
    let mut w = Writer::new(reply);
    Codec::write(&record, &mut w);
    message.write(&mut w);
    HelloVerifyRequest { server_version: ProtocolVersion::DTLS1_0, cookie }.write(&mut w);
    w.finish().expect("every field fits");
}
