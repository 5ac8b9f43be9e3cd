//! The fields of a certificate that `rustls-webpki` does not give away (RFC 5280 §4.1).
//!
//! It takes apart no more than is asked for. Whatever else is odd about a certificate, say a serial
//! number that is too long, must neither hide an extension nor keep a chain from being used: whether
//! the certificate is a good one is `rustls-webpki`'s to say.

use der::asn1::AnyRef;
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::ext::Extensions;

/// Who signed a certificate, and how.
pub(crate) struct Signed<'a> {
    /// Content of the `AlgorithmIdentifier` of the signature.
    pub(crate) algorithm: &'a [u8],
    /// DER name of who issued it.
    pub(crate) issuer: Vec<u8>,
    /// DER name of who has it.
    pub(crate) subject: Vec<u8>,
}

/// What `certificate` says of its signature.
pub(crate) fn signed(certificate: &[u8]) -> der::Result<Signed<'_>> {
    let content = content(certificate)?;
    // Version 1 is not written down.
    let version = content.first().is_some_and(|field| field.tag() == context(0));
    // The serial number comes first; between the names stands the validity.
    let sequence = |at: usize| {
        let field = content.get(usize::from(version) + at).ok_or_else(|| Tag::Sequence.value_error())?;
        field.tag().assert_eq(Tag::Sequence)?;
        Ok::<_, der::Error>(*field)
    };
    Ok(Signed { algorithm: sequence(1)?.value(), issuer: sequence(2)?.to_der()?, subject: sequence(4)?.to_der()? })
}

/// The extensions of `certificate`.
pub(crate) fn extensions(certificate: &[u8]) -> der::Result<Extensions> {
    match content(certificate)?.iter().find(|field| field.tag() == context(3)) {
        Some(field) => Extensions::from_der(field.value()),
        None => Ok(Extensions::new()),
    }
}

/// The content of its `TBSCertificate`: all that its issuer signed.
pub(crate) fn to_be_signed(certificate: &[u8]) -> der::Result<&[u8]> {
    let outer = AnyRef::from_der(certificate)?;
    outer.tag().assert_eq(Tag::Sequence)?;
    let content: AnyRef<'_> = SliceReader::new(outer.value())?.decode()?;
    content.tag().assert_eq(Tag::Sequence)?;
    Ok(content.value())
}

/// The fields of its `TBSCertificate`.
fn content(certificate: &[u8]) -> der::Result<Vec<AnyRef<'_>>> {
    let (mut reader, mut fields) = (SliceReader::new(to_be_signed(certificate)?)?, Vec::new());
    while !reader.is_finished() {
        fields.push(reader.decode()?);
    }
    Ok(fields)
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}
