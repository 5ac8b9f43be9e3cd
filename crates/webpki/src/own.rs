//! What our own certificates say about when to show them.

use gramseal_proto::CertificateFault;
use pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::fault::fault;
use crate::fields;

/// The host names of `certificate`: the DNS names among its subject alternative names, in their
/// order, a `*` for the leftmost label included. For
/// [`Identity::with_names`](gramseal_proto::config::Identity::with_names).
///
/// Addresses are left out: clients ask for none by name (RFC 6066 §3).
///
/// # Errors
/// As for [`public_key_of`](crate::public_key_of).
pub fn host_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, CertificateFault> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|error| fault(&error))?;
    Ok(parsed.valid_dns_names().map(str::to_owned).collect())
}

/// The DER names of those who issued the certificates of `chain`, each once, in its order. For
/// [`Identity::with_issuers`](gramseal_proto::config::Identity::with_issuers): a peer that trusts
/// one of them can follow the chain (RFC 5246 §7.4.4).
///
/// # Errors
/// [`CertificateFault::BadEncoding`] if one of them cannot be read.
pub fn issuers(chain: &[CertificateDer<'_>]) -> Result<Vec<Vec<u8>>, CertificateFault> {
    let mut issuers = Vec::new();
    for certificate in chain {
        let name = fields::signed(certificate).map_err(|_| CertificateFault::BadEncoding)?.issuer;
        if !issuers.contains(&name) {
            issuers.push(name);
        }
    }
    Ok(issuers)
}
