//! HelloRetryRequest: what it asks for, how it is written, and what of the hello that it answers has to be
//! known afterwards (RFC 9846 §4.2.4, RFC 9147 §5.1).
//!
//! One that has a cookie is sent by the endpoint, which keeps nothing: everything here can be computed
//! again from the hello that brings the cookie back. Never decides whom to believe.

use alloc::vec::Vec;

use gramseal_wire::extension::{Cookie, ExtensionsBuf, KeyShareHelloRetryRequest, SupportedVersionsServerHello};
use gramseal_wire::handshake::{ClientHello, ServerHello};
use gramseal_wire::{Codec, CompressionMethod, Epoch, ExtensionType, MessageSeq, NamedGroup, ProtocolVersion, Random};

use crate::config::ServerConfig;
use crate::crypto::{Digest, Hash};
use crate::error::{Error, LocalFault, PeerFault};
use crate::handshake::compose::OutgoingSeq;
use crate::handshake::offered_groups::has_only_share;
use crate::handshake::select;
use crate::handshake::transcript::Transcript13;
use crate::message::Message;
use crate::suite::Suite13;

/// What a HelloRetryRequest says that depends on the hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) suite: &'static Suite13,
    /// The group to send a share of; `None` if the hello has a share that will do.
    pub(crate) group: Option<NamedGroup>,
}

impl Asked {
    /// What to ask of a client whose address is not proved: there is no second request, so whatever is
    /// missing has to be asked for with the cookie.
    pub(crate) fn with_cookie(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Self, Error> {
        select::ask13(hello, config)
    }

    /// The request, with `cookie` if there is one. The same bytes each time: the transcript has them.
    pub(crate) fn request<R>(self, cookie: Option<&[u8]>, use_it: impl FnOnce(&ServerHello<'_>) -> R) -> R {
        let mut extensions = ExtensionsBuf::new();
        extensions.push(&SupportedVersionsServerHello { selected_version: ProtocolVersion::DTLS1_3 });
        if let Some(selected_group) = self.group {
            extensions.push(&KeyShareHelloRetryRequest { selected_group });
        }
        if let Some(cookie) = cookie {
            extensions.push(&Cookie { cookie });
        }
        use_it(&ServerHello {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: Random::HELLO_RETRY_REQUEST,
            session_id: &[],
            cipher_suite: self.suite.id,
            compression_method: CompressionMethod::NULL,
            extensions: extensions.as_extensions(),
        })
    }
}

/// Whether we answer `hello` with 1.3; the error says why with no version.
pub(crate) fn chooses13(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<bool, Error> {
    Ok(select::version(hello, &config.common.versions)? == ProtocolVersion::DTLS1_3)
}

/// What a cookie that came back says of the exchange that it ends.
#[derive(Debug)]
pub(crate) struct CookieExchange {
    pub(crate) asked: Asked,
    /// The hash of the first hello, with the hash function of the suite.
    pub(crate) first_hello: Digest,
}

/// A HelloRetryRequest that the hello at hand answers.
pub(super) struct Retried {
    pub(super) asked: Asked,
    /// Whether a key from elsewhere was going to be used.
    pub(super) with_psk: bool,
    first: First,
}

/// What is known of the hello that the request answered.
enum First {
    /// Its body, and the transcript up to the request.
    Kept { body: Vec<u8>, transcript: Transcript13 },
    /// Its hash. Whoever checked the cookie made sure that nothing changed.
    Hashed(Digest),
}

impl Retried {
    /// After `request`, which answered `hello`.
    pub(super) fn by(
        asked: Asked,
        with_psk: bool,
        hello: &Message,
        request: &Message,
        config: &ServerConfig,
    ) -> Result<Self, Error> {
        let transcript = Transcript13::after_retry(hash(asked, config)?, hello.bytes(), request);
        Ok(Self { asked, with_psk, first: First::Kept { body: hello.body().to_vec(), transcript } })
    }

    pub(super) fn by_cookie(CookieExchange { asked, first_hello }: CookieExchange) -> Self {
        // What the first hello offered is forgotten.
        Self { asked, with_psk: false, first: First::Hashed(first_hello) }
    }

    /// The transcript up to the request, if `second` is the hello that it asked for.
    pub(super) fn transcript(self, second: &ClientHello<'_>, config: &ServerConfig) -> Result<Transcript13, Error> {
        // RFC 9846 §4.3.10
        if second.extensions.contains(ExtensionType::EARLY_DATA) {
            return Err(changed());
        }
        // RFC 9846 §4.2.2: one share of the group that was asked for, and no other.
        if let Some(group) = self.asked.group {
            if !has_only_share(second, group)? {
                return Err(changed());
            }
        }
        let cookie = second.extensions.find::<Cookie<'_>>()?.map(|extension| extension.cookie);
        match (self.first, cookie) {
            (First::Kept { body, transcript }, None) => {
                let first = ClientHello::from_bytes(&body)?;
                if is_same_hello(&first, second, self.asked) { Ok(transcript) } else { Err(changed()) }
            }
            (First::Hashed(first), Some(cookie)) => {
                let mut seq = OutgoingSeq::new(MessageSeq(0));
                let request = self.asked.request(Some(cookie), |request| seq.message(Epoch::UNPROTECTED, request))?;
                Ok(Transcript13::after_hashed(hash(self.asked, config)?, &first, &request))
            }
            // RFC 9846 §4.3.2: the cookie of the request, and none without one.
            (First::Kept { .. }, Some(_)) | (First::Hashed(_), None) => Err(changed()),
        }
    }
}

fn changed() -> Error {
    PeerFault::ChangedAfterRetry.into()
}

fn hash(asked: Asked, config: &ServerConfig) -> Result<&'static dyn Hash, Error> {
    Ok(config.common.provider.hash(asked.suite.hash).ok_or(LocalFault::MissingAlgorithm)?)
}

/// The extensions that have to be the same in the hello after the request (RFC 9846 §4.2.2), sorted: their
/// order has no meaning, and wolfSSL's clients change it.
fn kept<'h>(hello: &ClientHello<'h>, asked: Asked) -> Vec<(ExtensionType, &'h [u8])> {
    let changing =
        [ExtensionType::COOKIE, ExtensionType::EARLY_DATA, ExtensionType::PRE_SHARED_KEY, ExtensionType::PADDING];
    let shares_change = asked.group.is_some();
    let is_kept = |extension: ExtensionType| {
        let changes = extension == ExtensionType::KEY_SHARE && shares_change;
        !changes && !changing.contains(&extension)
    };
    let mut kept: Vec<_> = hello.extensions.iter().filter(|(extension, _)| is_kept(*extension)).collect();
    kept.sort_unstable();
    kept
}

/// Whether a client that was asked for another hello changed nothing but what it may (RFC 9846 §4.2.2).
fn is_same_hello(first: &ClientHello<'_>, second: &ClientHello<'_>, asked: Asked) -> bool {
    let rest = ClientHello { extensions: first.extensions, ..*second };
    rest == *first && kept(first, asked) == kept(second, asked)
}

/// The hash of what [`is_same_hello`] compares: the same for two hellos of which the second may follow
/// the request.
pub(crate) fn hash_of_kept(hash: &dyn Hash, hello: &ClientHello<'_>, asked: Asked) -> Digest {
    let mut context = hash.start();
    let mut field = |bytes: &[u8]| {
        // With its length, so that nothing can move from one field to the next.
        context.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        context.update(bytes);
    };
    field(&hello.legacy_version.0.to_be_bytes());
    field(&hello.random.0);
    field(hello.session_id);
    field(hello.cookie);
    field(hello.cipher_suites.as_bytes());
    field(hello.compression_methods.as_bytes());
    for (extension, content) in kept(hello, asked) {
        field(&extension.0.to_be_bytes());
        field(content);
    }
    context.current()
}

/// The hash that stands for a first hello in the transcript, from its body (RFC 9846 §4.1).
pub(crate) fn hash_of_hello(asked: Asked, config: &ServerConfig, body: &[u8]) -> Result<Digest, Error> {
    Ok(Transcript13::hash_of_hello(hash(asked, config)?, body))
}
