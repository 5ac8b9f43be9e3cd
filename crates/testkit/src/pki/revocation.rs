//! What test authorities say about the certificates that they have issued.

use pki_types::{CertificateDer, CertificateRevocationListDer};
use rcgen::{
    CertificateRevocationList, CertificateRevocationListParams, KeyIdMethod, KeyUsagePurpose, RevokedCertParams,
    SerialNumber,
};
use x509_cert::Certificate as Parsed;
use x509_cert::der::Decode;

use super::{TestPki, Validity};

/// Which authority signs a revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name no others")]
pub enum CrlSigner {
    /// The root.
    Root,
    /// The one that signs the peers' certificates.
    Nearest,
}

/// What to put into a revocation list; see [`TestPki::crl`].
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests set the fields that matter to them")]
pub struct Crl<'a> {
    /// Who signs it.
    pub signer: CrlSigner,
    /// The certificates that are revoked.
    pub revoked: &'a [&'a CertificateDer<'a>],
    /// The time from `thisUpdate` to `nextUpdate`.
    pub validity: Validity,
}

impl<'a> Crl<'a> {
    /// A list of the peers' own authority, valid now.
    #[must_use]
    pub fn new(revoked: &'a [&'a CertificateDer<'a>]) -> Self {
        Self { signer: CrlSigner::Nearest, revoked, validity: Validity::Current }
    }
}

impl TestPki {
    /// A revocation list as `crl` says.
    ///
    /// # Panics
    /// If one of the revoked certificates is none.
    #[must_use]
    pub fn crl(&self, crl: &Crl<'_>) -> CertificateRevocationListDer<'static> {
        self.make_crl(crl).into()
    }

    /// The same as PEM.
    ///
    /// # Panics
    /// If one of the revoked certificates is none.
    #[must_use]
    pub fn crl_pem(&self, crl: &Crl<'_>) -> String {
        self.make_crl(crl).pem().expect("a list has a form in PEM")
    }

    fn make_crl(&self, crl: &Crl<'_>) -> CertificateRevocationList {
        let issuer = match crl.signer {
            CrlSigner::Root => &self.root.issuer,
            CrlSigner::Nearest => self.signer(),
        };
        let [from, until] = crl.validity.dates().map(|(year, month, day)| rcgen::date_time_ymd(year, month, day));
        let revoked = crl.revoked.iter().map(|certificate| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial(certificate)),
            revocation_time: from,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: from,
            next_update: until,
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(issuer).expect("the list is well formed")
    }

    /// From now on, one more intermediate authority signs, whose certificate does not allow it to
    /// sign the revocation lists that it signs all the same (RFC 5280 §4.2.1.3).
    #[must_use]
    pub fn with_intermediate_without_crls(self) -> Self {
        let mut params = super::authority_params("Gramseal Test Intermediate without lists", self.padding);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        self.with_signer(params)
    }
}

/// The serial number of `certificate` in big-endian order.
fn serial(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let parsed = Parsed::from_der(certificate).expect("the certificate can be read");
    parsed.tbs_certificate().serial_number().as_bytes().to_vec()
}
