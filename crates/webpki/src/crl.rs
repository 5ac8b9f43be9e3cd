//! Certificate revocation lists (RFC 5280 §5): reading them, and how strictly they count.
//!
//! The algorithm of RFC 5280 §6.3 is `rustls-webpki`'s. Nothing here fetches a list.

use std::fmt;
use std::sync::Arc;

use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader};
use gramseal_proto::{CertificateFault, CrlFault};
use pki_types::CertificateRevocationListDer;
use sha2::{Digest, Sha256};
use webpki::{
    CertRevocationList, Error, ExpirationPolicy, OwnedCertRevocationList, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_cert::time::Time;

/// How strictly revocation lists count; see
/// [`ChainVerifierBuilder::with_crls`](crate::ChainVerifierBuilder::with_crls).
///
/// The default is strict in everything: whoever gives lists wants revoked peers refused, and a
/// list that is missing or out of date would let them in unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CrlPolicy {
    /// Which certificates of a chain are looked up.
    pub depth: CrlDepth,
    /// What becomes of a certificate that no list covers.
    pub uncovered: Uncovered,
    /// What becomes of a certificate whose list is past its validity.
    pub outdated: Outdated,
}

/// Which certificates of a chain are looked up in revocation lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between these two")]
pub enum CrlDepth {
    /// All but the root, so a list of each authority on the way is needed.
    #[default]
    Chain,
    /// The peer's own.
    EndEntity,
}

/// What becomes of a certificate that no revocation list covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Uncovered {
    /// It is refused with [`CrlFault::Missing`].
    #[default]
    Refuse,
    /// It counts as not revoked.
    Accept,
}

/// What becomes of a certificate whose revocation list is past its `nextUpdate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Outdated {
    /// It is refused with [`CrlFault::Outdated`].
    #[default]
    Refuse,
    /// The list counts as if it were up to date.
    Accept,
}

/// Revocation lists, ready to be asked.
#[derive(Default, Clone)]
pub(crate) struct Crls {
    /// Those issued last come first: `rustls-webpki` asks the first that covers a certificate.
    lists: Vec<List>,
    pub(crate) policy: CrlPolicy,
}

#[derive(Clone)]
struct List {
    /// `thisUpdate` in seconds since 1970; none if it is encoded in a way that only `rustls-webpki`
    /// reads.
    issued: Option<u64>,
    hash: [u8; 32],
    content: Arc<CertRevocationList<'static>>,
}

impl Crls {
    /// Adds `crls`, of which there must be one at least.
    pub(crate) fn add<'a>(
        &mut self,
        crls: impl IntoIterator<Item = CertificateRevocationListDer<'a>>,
    ) -> Result<(), CrlError> {
        let before = self.lists.len();
        for (index, crl) in crls.into_iter().enumerate() {
            let content = OwnedCertRevocationList::from_der(&crl).map_err(|error| CrlError::new(index, &error))?;
            let (issued, hash) = (issued(&crl).ok(), Sha256::digest(&crl).into());
            self.lists.push(List { issued, hash, content: Arc::new(content.into()) });
        }
        if self.lists.len() == before {
            return Err(CrlError::None);
        }
        // Stable, so that among equals the caller's order decides.
        self.lists.sort_by_key(|list| core::cmp::Reverse(list.issued));
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    /// Hashes of the lists.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.lists.iter().map(|list| &list.hash)
    }

    /// The lists as [`options`](Self::options) wants them.
    pub(crate) fn as_refs(&self) -> Vec<&CertRevocationList<'static>> {
        self.lists.iter().map(|list| &*list.content).collect()
    }

    /// What to ask of `rustls-webpki`: nothing if there are no lists.
    pub(crate) fn options<'a>(
        &self,
        lists: &'a [&'a CertRevocationList<'a>],
        depth: CrlDepth,
    ) -> Option<RevocationOptions<'a>> {
        let builder = RevocationOptionsBuilder::new(lists).ok()?;
        let depth = match depth {
            CrlDepth::Chain => RevocationCheckDepth::Chain,
            CrlDepth::EndEntity => RevocationCheckDepth::EndEntity,
        };
        let uncovered = match self.policy.uncovered {
            Uncovered::Refuse => UnknownStatusPolicy::Deny,
            Uncovered::Accept => UnknownStatusPolicy::Allow,
        };
        let outdated = match self.policy.outdated {
            Outdated::Refuse => ExpirationPolicy::Enforce,
            Outdated::Accept => ExpirationPolicy::Ignore,
        };
        let builder = builder.with_depth(depth).with_status_policy(uncovered).with_expiration_policy(outdated);
        Some(builder.build())
    }
}

/// When `crl` was issued (RFC 5280 §5.1).
fn issued(crl: &[u8]) -> der::Result<u64> {
    // TBSCertList: version, signature, issuer, thisUpdate, …
    let list = AnyRef::from_der(crl)?;
    let tbs: AnyRef<'_> = SliceReader::new(list.value())?.decode()?;
    let mut fields = SliceReader::new(tbs.value())?;
    for _ in ["version", "signature", "issuer"] {
        fields.decode::<AnyRef<'_>>()?;
    }
    Ok(fields.decode::<Time>()?.to_unix_duration().as_secs())
}

/// The fault for what `rustls-webpki` says of a list that was asked; `None` if `error` is not
/// about a list.
pub(crate) fn fault(error: &Error) -> Option<CertificateFault> {
    let fault = match error {
        Error::UnknownRevocationStatus => CrlFault::Missing,
        Error::CrlExpired { .. } => CrlFault::Outdated,
        Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => CrlFault::Untrusted,
        _ => return None,
    };
    Some(CertificateFault::Crl(fault))
}

/// Bytes that are no usable revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrlError {
    /// A list cannot be read.
    Unreadable {
        /// Its place among those given, from 0.
        index: usize,
    },
    /// A list is of a kind that is not supported: version 1, a delta list, an indirect list (RFC
    /// 5280 §5.2.4, §5.2.5), or one with an unknown critical extension.
    Unsupported {
        /// Its place among those given, from 0.
        index: usize,
    },
    /// There are none, although revocation is to be checked.
    None,
}

impl CrlError {
    fn new(index: usize, error: &Error) -> Self {
        match error {
            Error::UnsupportedCrlIssuingDistributionPoint
            | Error::UnsupportedCrlVersion
            | Error::UnsupportedCriticalExtension
            | Error::UnsupportedDeltaCrl
            | Error::UnsupportedIndirectCrl
            | Error::UnsupportedRevocationReason
            | Error::UnsupportedRevocationReasonsPartitioning => Self::Unsupported { index },
            _ => Self::Unreadable { index },
        }
    }
}

impl fmt::Display for CrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { index } => write!(f, "revocation list {} cannot be read", index + 1),
            Self::Unsupported { index } => write!(f, "revocation list {} is of an unsupported kind", index + 1),
            Self::None => f.write_str("no revocation lists to check certificates against"),
        }
    }
}

impl std::error::Error for CrlError {}
