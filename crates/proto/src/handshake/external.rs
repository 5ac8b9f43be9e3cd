//! Pre-shared keys from elsewhere in 1.3, for either role: what hellos call them, what they become when they are
//! imported, and how a server finds one (RFC 9846 §4.3.11, RFC 9257, RFC 9258).
//!
//! Knows no tickets: those are in [`resume13`](super::resume13), which has what a hello says of either.

use alloc::vec::Vec;

use gramseal_wire::extension::ImportedIdentity;
use gramseal_wire::handshake::ClientHello;
use gramseal_wire::{Codec, ExtensionType, ProtocolVersion, TlsKdf};
use zeroize::Zeroizing;

use super::schedule13::{EarlySecret, Origin, import};
use crate::config::{ClientConfig, Psk, ServerConfig, look_up};
use crate::crypto::{CryptoProvider, Digest, Hash, HashAlgorithm};
use crate::error::{Error, LocalFault};

/// How many names of keys a client offers: with its tickets as many as our own servers look at.
const MAX_OFFERED: usize = 6;

/// A pre-shared key from elsewhere, ready for the cipher suites of one hash.
#[derive(Clone)]
pub(super) struct ExternalPsk {
    /// What it was made of.
    pub(super) psk: Psk,
    /// What hellos call it.
    pub(super) name: Vec<u8>,
    pub(super) hash: &'static dyn Hash,
    pub(super) secret: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for ExternalPsk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ExternalPsk").field("psk", &self.psk).field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl ExternalPsk {
    /// `psk` for suites with `hash`; `None` if it is not for those.
    fn new(psk: Psk, hash: HashAlgorithm, provider: &CryptoProvider) -> Result<Option<Self>, Error> {
        if !psk.fits13(hash) {
            return Ok(None);
        }
        let own = provider.hash(psk.hash()).ok_or(LocalFault::MissingAlgorithm)?;
        let hash = provider.hash(hash).ok_or(LocalFault::MissingAlgorithm)?;
        let (name, secret) = match psk.import() {
            None => (psk.identity().to_vec(), Zeroizing::new(psk.key().to_vec())),
            Some(context) => {
                let name = ImportedIdentity {
                    external_identity: psk.identity(),
                    context,
                    target_protocol: ProtocolVersion::DTLS1_3,
                    target_kdf: kdf(hash.algorithm()),
                };
                let name = name.to_vec()?;
                let secret = import(own, psk.key(), &name, hash.algorithm().output_len());
                (name, secret)
            }
        };
        Ok(Some(Self { psk, name, hash, secret }))
    }

    /// Its place in the server's order of preference.
    pub(super) fn rank(&self, config: &ServerConfig) -> usize {
        config.psks.as_ref().map_or(0, |psks| psks.rank(self.psk.identity(), self.psk.import()))
    }

    /// What binds it to a hello that hashes to `transcript` up to its binders.
    pub(super) fn binder(&self, transcript: &Digest) -> Digest {
        let origin = if self.psk.import().is_some() { Origin::Imported } else { Origin::External };
        EarlySecret::with_psk(self.hash, &self.secret).binder(origin, transcript)
    }
}

/// Whether a client may learn that there is no key of the name that it has for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownPsks {
    /// It goes on, and fails, as with a wrong key.
    Hidden,
    /// The handshake goes on with a certificate, or the client is told.
    Told,
}

impl UnknownPsks {
    /// RFC 9846 §F.6: where nothing but a key can do, an unknown one is as good as a wrong one.
    pub(super) fn of(hello: &ClientHello<'_>, config: &ServerConfig) -> Self {
        let certificates =
            !config.identities.is_empty() && hello.extensions.contains(ExtensionType::SIGNATURE_ALGORITHMS);
        if certificates || config.tells_unknown_psks { Self::Told } else { Self::Hidden }
    }
}

/// RFC 9258 §10
fn kdf(hash: HashAlgorithm) -> TlsKdf {
    match hash {
        HashAlgorithm::Sha256 => TlsKdf::HKDF_SHA256,
        HashAlgorithm::Sha384 => TlsKdf::HKDF_SHA384,
    }
}

/// The keys that a client offers, its favourite first, those that are imported once for each hash of its suites
/// (RFC 9258 §5.1).
pub(super) fn offered(config: &ClientConfig) -> Result<Vec<ExternalPsk>, Error> {
    let mut hashes: Vec<HashAlgorithm> = config.common.suites13().map(|suite| suite.hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let mut offered = Vec::new();
    for psk in &config.psks {
        for hash in &hashes {
            offered.extend(ExternalPsk::new(psk.clone(), *hash, &config.common.provider)?);
        }
    }
    offered.truncate(MAX_OFFERED);
    Ok(offered)
}

/// What `name` says, if it may be the name of a key that is imported for DTLS 1.3.
fn imported(name: &[u8]) -> Option<ImportedIdentity<'_>> {
    let identity = ImportedIdentity::from_bytes(name).ok()?;
    (identity.target_protocol == ProtocolVersion::DTLS1_3).then_some(identity)
}

/// The hashes of the suites with which keys that a hello calls `names` can be used.
///
/// The suite is told to everybody, before the cookie, and must not say which identities exist. So a name that is made
/// for importing counts with the hash in it, and where `unknown` ones are hidden every other name counts too, with the
/// hash that its key would have. Only where those are several, as with keys that go with different hashes, it takes a
/// key to count: an unknown one must not keep a client from connecting with another.
pub(super) fn hashes<'n>(
    names: impl Iterator<Item = &'n [u8]>,
    unknown: UnknownPsks,
    config: &ServerConfig,
) -> Vec<HashAlgorithm> {
    let Some(psks) = config.psks.as_ref() else { return Vec::new() };
    let (mut hashes, mut plain) = (Vec::new(), Vec::new());
    for name in names {
        match imported(name) {
            Some(named) => {
                let all = [HashAlgorithm::Sha256, HashAlgorithm::Sha384];
                hashes.extend(all.into_iter().find(|hash| kdf(*hash) == named.target_kdf));
            }
            None => plain.push((name, psks.hash(name))),
        }
    }
    let alike = plain.iter().all(|(_, hash)| plain.first().is_none_or(|(_, first)| first == hash));
    let all_count = alike && unknown == UnknownPsks::Hidden;
    let counting = plain.into_iter().filter(|(name, _)| all_count || look_up(&**psks, name, None).is_some());
    hashes.extend(counting.map(|(_, hash)| hash));
    hashes
}

/// The key that a hello calls `name`, if a server knows it and it goes with `hash`.
pub(super) fn find(name: &[u8], hash: HashAlgorithm, config: &ServerConfig) -> Result<Option<ExternalPsk>, Error> {
    let for_import = imported(name).filter(|named| named.target_kdf == kdf(hash));
    let psk = for_import.and_then(|named| current(named.external_identity, Some(named.context), config));
    let Some(psk) = psk.or_else(|| current(name, None, config)) else { return Ok(None) };
    ExternalPsk::new(psk, hash, &config.common.provider)
}

/// A key that nobody has, for a client that calls its own `name`: what follows is as with a wrong key, so that nobody
/// learns which identities exist (RFC 9846 §F.6).
pub(super) fn decoy(name: &[u8], hash: HashAlgorithm, config: &ServerConfig) -> Result<Option<ExternalPsk>, Error> {
    let provider = &config.common.provider;
    let key = Zeroizing::new(provider.random_secret::<32>()?.to_vec());
    let for_import = imported(name).filter(|named| named.target_kdf == kdf(hash));
    let psk = match for_import {
        Some(named) => Psk::looked_up(named.external_identity, key, HashAlgorithm::Sha256, Some(named.context)),
        None => Psk::looked_up(name, key, hash, None),
    };
    ExternalPsk::new(psk, hash, provider)
}

/// The key that `identity` names now, where it was imported with `context` if that is one.
pub(super) fn current(identity: &[u8], context: Option<&[u8]>, config: &ServerConfig) -> Option<Psk> {
    let psks = config.psks.as_ref()?;
    let key = look_up(&**psks, identity, context)?;
    Some(Psk::looked_up(identity, key, psks.hash(identity), context))
}
