//! Who we are: a certificate chain or a bare public key, and the private key to it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::{CertificateType, SignatureScheme};
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer};

use super::ConfigError;
use crate::crypto::{KeyKind, SigningKey};
use crate::error::LocalFault;

/// A credential of ours: what peers see, with the private key to it.
///
/// Several can be given to one configuration. Which one a peer sees follows from the name it asks
/// for, the signatures and the form it understands, and the authorities it trusts.
#[derive(Debug, Clone)]
pub struct Identity {
    shown: Shown,
    key: Arc<dyn SigningKey>,
    names: Vec<String>,
    issuers: Vec<Vec<u8>>,
    certificate_schemes: Vec<SignatureScheme>,
    ocsp: Option<Arc<dyn OcspSource>>,
}

#[derive(Debug, Clone)]
enum Shown {
    /// Our own certificate first.
    Chain(Vec<CertificateDer<'static>>),
    RawPublicKey(SubjectPublicKeyInfoDer<'static>),
}

/// Where a server finds the OCSP response to staple (RFC 6066 §8). Responses expire: whoever serves
/// for long fetches a new one in time. A `Vec<u8>` is a response that never changes.
pub trait OcspSource: Send + Sync + fmt::Debug {
    /// The DER `OCSPResponse` of now; `None` to staple nothing.
    fn response(&self) -> Option<Vec<u8>>;

    /// Whether a client that asks is refused while there is none, as its certificate is worth nothing then
    /// (RFC 7633): with [`LocalFault::NoOcspResponse`], which shows up on this side. Default: the client decides.
    fn is_required(&self) -> bool {
        false
    }
}

impl OcspSource for Vec<u8> {
    fn response(&self) -> Option<Vec<u8>> {
        (!self.is_empty()).then(|| self.clone())
    }
}

impl Identity {
    /// Pairs a chain, our own certificate first, with its key.
    ///
    /// # Errors
    /// If the chain is empty.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: Arc<dyn SigningKey>) -> Result<Self, ConfigError> {
        if chain.is_empty() {
            return Err(ConfigError::EmptyCertificateChain);
        }
        Ok(Self::of(Shown::Chain(chain), key))
    }

    /// Our public key without a certificate (RFC 7250), for peers that know it.
    ///
    /// # Errors
    /// If the key does not tell its public half.
    pub fn raw_public_key(key: Arc<dyn SigningKey>) -> Result<Self, ConfigError> {
        let public_key = key.public_key().ok_or(ConfigError::NoPublicKey)?.as_ref().to_vec();
        Ok(Self::of(Shown::RawPublicKey(public_key.into()), key))
    }

    fn of(shown: Shown, key: Arc<dyn SigningKey>) -> Self {
        Self { shown, key, names: Vec::new(), issuers: Vec::new(), certificate_schemes: Vec::new(), ocsp: None }
    }

    /// The host names that it is for; `*` may stand for the whole leftmost label. Without any it
    /// serves where no other one has the name. `gramseal` fills them in from the certificate.
    #[must_use]
    pub fn with_names<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The DER names of the issuers of its certificates. Where a peer lists the authorities that it
    /// trusts, one of these must be among them. Without any it is shown to everybody. `gramseal` fills
    /// them in from the chain.
    #[must_use]
    pub fn with_issuers(mut self, issuers: Vec<Vec<u8>>) -> Self {
        self.issuers = issuers;
        self
    }

    /// The schemes of the signatures on its certificates, those on self-signed ones left out: nobody checks
    /// them. A peer that can check all of them sees this identity rather than one of which it cannot
    /// (RFC 9846 §4.5.1.2, RFC 5246 §7.4.2). Without any it is taken for one that everybody can check.
    /// `gramseal` fills them in from the chain.
    #[must_use]
    pub fn with_certificate_schemes(mut self, schemes: Vec<SignatureScheme>) -> Self {
        self.certificate_schemes = schemes;
        self
    }

    /// Staples what `source` has to the certificate, for clients that ask (RFC 6066 §8).
    #[must_use]
    pub fn with_ocsp_source(mut self, source: Arc<dyn OcspSource>) -> Self {
        self.ocsp = Some(source);
        self
    }

    /// The chain to send; empty for a raw public key.
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        match &self.shown {
            Shown::Chain(chain) => chain,
            Shown::RawPublicKey(_) => &[],
        }
    }

    /// The raw public key to send, if it is one.
    pub(crate) fn public_key(&self) -> Option<&SubjectPublicKeyInfoDer<'static>> {
        match &self.shown {
            Shown::Chain(_) => None,
            Shown::RawPublicKey(key) => Some(key),
        }
    }

    /// Our own certificate or raw public key: what tells it from other credentials.
    pub(crate) fn shown(&self) -> &[u8] {
        match &self.shown {
            Shown::Chain(chain) => chain.first().map(AsRef::as_ref).unwrap_or_default(),
            Shown::RawPublicKey(key) => key.as_ref(),
        }
    }

    pub(crate) fn key(&self) -> &dyn SigningKey {
        &*self.key
    }

    /// The form in which it is shown.
    pub(crate) fn certificate_type(&self) -> CertificateType {
        match &self.shown {
            Shown::Chain(_) => CertificateType::X509,
            Shown::RawPublicKey(_) => CertificateType::RAW_PUBLIC_KEY,
        }
    }

    /// What to staple to the certificate.
    pub(crate) fn ocsp_response(&self) -> Result<Option<Vec<u8>>, LocalFault> {
        let source = self.ocsp.as_ref().filter(|_| matches!(self.shown, Shown::Chain(_)));
        let Some(source) = source else { return Ok(None) };
        match source.response() {
            None if source.is_required() => Err(LocalFault::NoOcspResponse),
            response => Ok(response),
        }
    }

    /// Whether the key can authenticate suites of `kind`.
    pub(crate) fn is_of(&self, kind: KeyKind) -> bool {
        self.key.schemes().iter().any(|scheme| KeyKind::of(*scheme) == Some(kind))
    }

    /// Whether it is for this host name (RFC 9525 §6.3: case does not matter, a `*` is one label).
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            None => host.eq_ignore_ascii_case(name),
        })
    }

    /// Whether it names no host, and so serves for any.
    pub(crate) fn is_for_any(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a peer that trusts the authorities for which `trusted` holds may trust this one.
    pub(crate) fn may_be_trusted(&self, trusted: impl Fn(&[u8]) -> bool) -> bool {
        self.issuers.is_empty() || self.issuers.iter().any(|issuer| trusted(issuer))
    }

    /// Whether a peer that checks certificates with the schemes for which `checked` holds can check all
    /// of this one.
    pub(crate) fn can_be_checked(&self, checked: impl Fn(SignatureScheme) -> bool) -> bool {
        self.certificate_schemes.iter().all(|scheme| checked(*scheme))
    }

    /// The key's most preferred scheme that the peer offers.
    pub(crate) fn choose_scheme(
        &self,
        offered: impl Fn(SignatureScheme) -> bool,
        kind: Option<KeyKind>,
    ) -> Option<SignatureScheme> {
        let fits = |scheme: SignatureScheme| kind.is_none() || KeyKind::of(scheme) == kind;
        self.key.schemes().iter().copied().find(|scheme| fits(*scheme) && offered(*scheme))
    }
}
