//! How much the search for a path to a root may cost.
//!
//! `rustls-webpki` follows names before it checks a signature, so whoever writes certificates of their own decides how
//! many ways there are: with 15 authorities of one name it takes seconds to find that none leads to a root. Here the
//! ways are counted first, by the rules of that search, with each certificate taken apart once. It never says whether
//! a certificate is a good one.

use gramseal_proto::CertificateFault;
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::EndEntityCert;

use crate::fields;

/// How many paths are followed at most, those that are only the beginning of one included.
///
/// An authority with several keys or several issuers multiplies them. Two certificates each of six authorities, one
/// above the other, make 126; four authorities that all certify each other and themselves make 64.
const MAX_PATHS: usize = 128;
/// How many authorities between peer and root `rustls-webpki` follows.
const MAX_AUTHORITIES: usize = 6;

/// `intermediates` without copies.
///
/// # Errors
/// [`CertificateFault::TooManyPaths`] if it would take too long to try all ways from `end_entity` through them.
pub(crate) fn without_copies<'a>(
    end_entity: &EndEntityCert<'_>,
    intermediates: &'a [CertificateDer<'a>],
) -> Result<Vec<CertificateDer<'a>>, CertificateFault> {
    let (mut contents, mut certificates) = (Vec::new(), Vec::new());
    for certificate in intermediates {
        // An ECDSA signature has a second form that anybody can make, so only what is signed tells a copy. What cannot
        // be read is kept, for `rustls-webpki` to say so.
        let content = fields::to_be_signed(certificate).unwrap_or(certificate);
        if !contents.contains(&content) {
            contents.push(content);
            certificates.push(CertificateDer::from(certificate.as_ref()));
        }
    }
    // What cannot be read here cannot be there either, and no path goes through it.
    let parsed: Vec<_> =
        certificates.iter().filter_map(|certificate| EndEntityCert::try_from(certificate).ok()).collect();
    let links: Vec<_> = parsed.iter().map(Link::new).collect();
    let mut left = MAX_PATHS;
    match follow(&links, &mut vec![&Link::new(end_entity)], &mut left) {
        true => Ok(certificates),
        false => Err(CertificateFault::TooManyPaths),
    }
}

/// What ties a certificate to others.
struct Link<'a> {
    subject: &'a [u8],
    issuer: &'a [u8],
    key: SubjectPublicKeyInfoDer<'static>,
}

impl<'a> Link<'a> {
    fn new(certificate: &'a EndEntityCert<'_>) -> Self {
        let key = certificate.subject_public_key_info();
        Self { subject: certificate.subject(), issuer: certificate.issuer(), key }
    }

    /// Whether both are of one authority, whoever certified it.
    fn same_authority(&self, other: &Self) -> bool {
        self.subject == other.subject && self.key == other.key
    }
}

/// Follows all ways on from the end of `path`, which begins with the peer's certificate. False when more are found than
/// are `left`.
fn follow<'a>(links: &'a [Link<'a>], path: &mut Vec<&'a Link<'a>>, left: &mut usize) -> bool {
    if path.len() > MAX_AUTHORITIES {
        return true;
    }
    let Some(issuer) = path.last().map(|link| link.issuer) else { return true };
    for next in links.iter().filter(|link| link.subject == issuer) {
        // RFC 4158 §5.2: a path comes to each authority once.
        if path.iter().any(|link| link.same_authority(next)) {
            continue;
        }
        let Some(fewer) = left.checked_sub(1) else { return false };
        *left = fewer;
        path.push(next);
        if !follow(links, path, left) {
            return false;
        }
        path.pop();
    }
    true
}
