//! Who we are: a certificate chain or a bare public key, and the private key to it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::{CertificateType, NamedGroup, SignatureScheme};
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer, alg_id};

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
    /// Of an ECDSA key, as far as it tells.
    curve: Option<NamedGroup>,
    names: Vec<String>,
    issuers: Vec<Vec<u8>>,
    /// Whether it is only for peers that name one of the issuers.
    issuer_required: bool,
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
        let curve = key.public_key().and_then(|key| curve_of(&key));
        Self {
            shown,
            key,
            curve,
            names: Vec::new(),
            issuers: Vec::new(),
            issuer_required: false,
            certificate_schemes: Vec::new(),
            ocsp: None,
        }
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

    /// Shows it only to peers that list authorities, one of its [issuers](Self::with_issuers) among them: for a
    /// certificate of a private authority beside one for everybody. Without issuers nobody sees it. Default: a peer
    /// that lists none may see it, and so may a client of which it is not known what else it would trust.
    #[must_use]
    pub fn with_issuer_required(mut self) -> Self {
        self.issuer_required = true;
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

    /// Whether it must not be shown to a peer that named the authorities for which `named` holds.
    pub(crate) fn is_withheld(&self, named: impl Fn(&[u8]) -> bool) -> bool {
        self.issuer_required && !self.issuers.iter().any(|issuer| named(issuer))
    }

    /// The curve of its key, if it is an ECDSA key and tells.
    pub(crate) fn curve(&self) -> Option<NamedGroup> {
        self.curve
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

/// The curve that the ECDSA key in this `SubjectPublicKeyInfo` is on; `None` for others.
fn curve_of(key: &[u8]) -> Option<NamedGroup> {
    let algorithm = sequence(sequence(key)?)?;
    let curves = [
        (alg_id::ECDSA_P256, NamedGroup::SECP256R1),
        (alg_id::ECDSA_P384, NamedGroup::SECP384R1),
        (alg_id::ECDSA_P521, NamedGroup::SECP521R1),
    ];
    curves.into_iter().find(|(id, _)| id.as_ref() == algorithm).map(|(_, curve)| curve)
}

/// The content of the SEQUENCE of at most 255 bytes that `der` begins with.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    match der {
        [0x30, len @ 0..=0x7F, rest @ ..] | [0x30, 0x81, len, rest @ ..] => rest.get(..usize::from(*len)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_keys_tell_their_curve() {
        let key = |algorithm: &[u8], len: usize| {
            let length = |len: usize| u8::try_from(len).expect("short");
            let algorithm = [&[0x30, length(algorithm.len())], algorithm].concat();
            let content = [algorithm, alloc::vec![7; len]].concat();
            match content.len() {
                short @ 0..=0x7F => [alloc::vec![0x30, length(short)], content].concat(),
                long => [alloc::vec![0x30, 0x81, length(long)], content].concat(),
            }
        };
        assert_eq!(curve_of(&key(alg_id::ECDSA_P256.as_ref(), 68)), Some(NamedGroup::SECP256R1));
        assert_eq!(curve_of(&key(alg_id::ECDSA_P384.as_ref(), 100)), Some(NamedGroup::SECP384R1));
        assert_eq!(curve_of(&key(alg_id::ECDSA_P521.as_ref(), 136)), Some(NamedGroup::SECP521R1));
        assert_eq!(curve_of(&key(alg_id::ED25519.as_ref(), 35)), None);
        assert_eq!(curve_of(&key(alg_id::ECDSA_P256.as_ref(), 68)[..20]), None);
        assert_eq!(curve_of(b"a toy key"), None);
    }
}
