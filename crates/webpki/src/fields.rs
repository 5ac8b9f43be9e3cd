//! The fields of a certificate that `rustls-webpki` does not give away (RFC 5280 §4.1).
//!
//! It takes apart no more than is asked for. Whatever else is odd about a certificate, say a serial
//! number that is too long, must neither hide an extension nor keep a chain from being used: whether
//! the certificate is a good one is `rustls-webpki`'s to say.

use der::asn1::AnyRef;
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::ext::Extensions;

/// The DER name of who issued `certificate`.
pub(crate) fn issuer(certificate: &[u8]) -> der::Result<Vec<u8>> {
    let content = content(certificate)?;
    // Version 1 is not written down.
    let version = content.first().is_some_and(|field| field.tag() == context(0));
    // Behind the serial number and the algorithm of the signature.
    let issuer = content.get(usize::from(version) + 2).ok_or_else(|| Tag::Sequence.value_error())?;
    issuer.tag().assert_eq(Tag::Sequence)?;
    issuer.to_der()
}

/// The extensions of `certificate`.
pub(crate) fn extensions(certificate: &[u8]) -> der::Result<Extensions> {
    match content(certificate)?.iter().find(|field| field.tag() == context(3)) {
        Some(field) => Extensions::from_der(field.value()),
        None => Ok(Extensions::new()),
    }
}

/// The fields of its `TBSCertificate`.
fn content(certificate: &[u8]) -> der::Result<Vec<AnyRef<'_>>> {
    let outer = AnyRef::from_der(certificate)?;
    outer.tag().assert_eq(Tag::Sequence)?;
    let content: AnyRef<'_> = SliceReader::new(outer.value())?.decode()?;
    content.tag().assert_eq(Tag::Sequence)?;
    let (mut reader, mut fields) = (SliceReader::new(content.value())?, Vec::new());
    while !reader.is_finished() {
        fields.push(reader.decode()?);
    }
    Ok(fields)
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}
