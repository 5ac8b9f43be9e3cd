//! Checking the answers of a 1.3 server against what we offered.

use alloc::vec::Vec;

use gramseal_wire::extension::{
    Alpn, Cookie, EarlyData, Extensions, ExtensionsBuf, KeyShareEntry, KeyShareHelloRetryRequest, KeyShareServerHello,
    ServerNameAck, TicketRequestEncryptedExtensions,
};
use gramseal_wire::handshake::{EncryptedExtensions, ServerHello};
use gramseal_wire::{CompressionMethod, ExtensionType, NamedGroup, ProtocolVersion, PskKeyExchangeMode};

use super::certificates::{self, AgreedCertificates};
use super::{Offer, push_shares};
use crate::config::is_finite_field;
use crate::crypto::SharedSecret;
use crate::error::{Error, Incompatible, PeerFault};
use crate::handshake::cids::{self, AgreedCids};
use crate::handshake::early::Offered;
use crate::handshake::limits::{self, RecordLimits};
use crate::handshake::resume13::OfferedPsk;
use crate::handshake::srtp::{self, Srtp};
use crate::suite::Suite13;

/// What a 1.3 ServerHello agrees to.
pub(in crate::handshake) struct Agreed13 {
    pub(in crate::handshake) suite: &'static Suite13,
    /// `None` where a pre-shared key does without a key exchange.
    pub(in crate::handshake) shared: Option<(NamedGroup, SharedSecret)>,
    /// The pre-shared key that the server chose.
    pub(in crate::handshake) psk: Option<OfferedPsk>,
    pub(in crate::handshake) early_data: Offered,
    pub(in crate::handshake) cids: Option<AgreedCids>,
}

/// What EncryptedExtensions agree to.
pub(in crate::handshake) struct AgreedEncrypted {
    pub(in crate::handshake) alpn: Option<Vec<u8>>,
    pub(in crate::handshake) srtp: Option<Srtp>,
    pub(in crate::handshake) limits: RecordLimits,
    pub(in crate::handshake) certificates: AgreedCertificates,
    /// Whether our early data is taken, or would be.
    pub(in crate::handshake) early_data: bool,
}

/// Extensions that may come with EncryptedExtensions (RFC 9846 §4.3).
const ENCRYPTED: [ExtensionType; 10] = [
    ExtensionType::SERVER_NAME,
    ExtensionType::MAX_FRAGMENT_LENGTH,
    ExtensionType::SUPPORTED_GROUPS,
    ExtensionType::USE_SRTP,
    ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
    ExtensionType::CLIENT_CERTIFICATE_TYPE,
    ExtensionType::SERVER_CERTIFICATE_TYPE,
    ExtensionType::RECORD_SIZE_LIMIT,
    ExtensionType::EARLY_DATA,
    ExtensionType::TICKET_REQUEST,
];

/// The same of a ServerHello.
const HELLO: [ExtensionType; 5] = [
    ExtensionType::SUPPORTED_VERSIONS,
    ExtensionType::KEY_SHARE,
    ExtensionType::PRE_SHARED_KEY,
    ExtensionType::CONNECTION_ID,
    ExtensionType::RRC,
];

impl Offer {
    /// Checks a ServerHello that chose 1.3, and completes the key agreement.
    pub(in crate::handshake) fn check13(&mut self, hello: &ServerHello<'_>) -> Result<Agreed13, Error> {
        let suite = self.check_choice13(hello)?;
        self.only(&hello.extensions, &HELLO)?;
        let chosen = self.chosen_psk(hello, suite)?;
        let early_data = self.early_data_after(chosen.as_ref(), suite);
        let psk = chosen.map(|(psk, _)| psk);
        // Who can check no certificate has not asked for any (RFC 9846 §4.3.3).
        if psk.is_none() && self.config.verifier.is_none() {
            return Err(PeerFault::MissingExtension(ExtensionType::PRE_SHARED_KEY).into());
        }
        let modes = self.config.common.resumed_key_exchange.modes();
        let answer = hello.extensions.find::<KeyShareServerHello<'_>>()?;
        let shared = match (answer, &psk) {
            (Some(answer), _) => Some(self.complete(&answer.server_share)?),
            // RFC 9846 §4.3.11: the server may do without a share only if we said so.
            (None, Some(_)) if modes.contains(&PskKeyExchangeMode::PSK_KE) => None,
            (None, Some(_)) => return Err(PeerFault::UnofferedPskMode.into()),
            (None, None) => return Err(PeerFault::MissingExtension(ExtensionType::KEY_SHARE).into()),
        };
        let cids = cids::check(&hello.extensions, self.cid.take())?;
        Ok(Agreed13 { suite, shared, psk, early_data, cids })
    }

    /// Completes the key agreement with the server's share.
    fn complete(&mut self, share: &KeyShareEntry<'_>) -> Result<(NamedGroup, SharedSecret), Error> {
        // RFC 9846 §4.3.8: of a group that we sent a share of.
        let mut shares = core::mem::take(&mut self.shares).into_iter();
        let (group, kx) = shares.find(|(group, _)| *group == share.group).ok_or(PeerFault::UnofferedGroup)?;
        Ok((group, kx.complete(share.key_exchange)?))
    }

    /// What every ServerHello of 1.3 has, a HelloRetryRequest too.
    fn check_choice13(&self, hello: &ServerHello<'_>) -> Result<&'static Suite13, Error> {
        let common = &self.config.common;
        if !common.allows(ProtocolVersion::DTLS1_3) {
            return Err(Incompatible::NoCommonVersion.into());
        }
        // RFC 9147 §5.3: ours, if there is one, is for servers of 1.2.
        if !hello.session_id.is_empty() {
            return Err(PeerFault::SessionIdEchoed.into());
        }
        if hello.compression_method != CompressionMethod::NULL {
            return Err(PeerFault::UnofferedCompression.into());
        }
        let mut suites = common.suites13();
        Ok(suites.find(|suite| suite.id == hello.cipher_suite).ok_or(PeerFault::UnofferedCipherSuite)?)
    }

    /// Does what a HelloRetryRequest asks for: the offer has its cookie, and a share of its group in
    /// place of the one before (RFC 9846 §4.2.2, §4.2.4). What is left of its pre-shared keys is for
    /// [`push_psks`](Self::push_psks) to add.
    pub(in crate::handshake) fn retry13(&mut self, request: &ServerHello<'_>) -> Result<&'static Suite13, Error> {
        let suite = self.check_choice13(request)?;
        let answers = &request.extensions;
        self.only(answers, &[ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE, ExtensionType::COOKIE])?;
        let group = answers.find::<KeyShareHelloRetryRequest>()?.map(|share| share.selected_group);
        let cookie = answers.find::<Cookie<'_>>()?;
        if group.is_none() && cookie.is_none() {
            return Err(PeerFault::RetryWithoutChange.into());
        }
        let old = self.extensions.as_extensions();
        let mut extensions = ExtensionsBuf::new();
        // First of all, so that a hello in several pieces has it in the first: there servers look for it, some
        // of which keep no piece before they have seen it.
        if let Some(cookie) = cookie {
            extensions.push(&cookie);
        }
        for (extension, content) in old.iter() {
            match group {
                Some(group) if extension == ExtensionType::KEY_SHARE => {
                    // RFC 9846 §4.3.8: one that we offer, and have not sent a share of.
                    let sent = self.shares.iter().any(|(sent, _)| *sent == group);
                    if sent || !self.offers_group(group) || is_finite_field(group) {
                        return Err(PeerFault::UnofferedGroup.into());
                    }
                    self.shares = push_shares(&self.config, [group].into_iter(), &mut extensions)?;
                }
                // It is made anew, and comes last.
                _ if extension == ExtensionType::PRE_SHARED_KEY => {}
                // RFC 9846 §4.3.10: that is over.
                _ if extension == ExtensionType::EARLY_DATA => {}
                // The hello is longer by a cookie or a share, and may lose it (RFC 9846 §4.2.2).
                _ if extension == ExtensionType::PADDING => {}
                _ => extensions.push_raw(extension, content),
            }
        }
        self.extensions = extensions;
        self.keep_psks_of(suite.hash);
        Ok(suite)
    }

    /// Checks EncryptedExtensions.
    pub(in crate::handshake) fn check_encrypted(
        &self,
        message: &EncryptedExtensions<'_>,
    ) -> Result<AgreedEncrypted, Error> {
        let extensions = &message.extensions;
        self.only(extensions, &ENCRYPTED)?;
        extensions.find::<ServerNameAck>()?;
        // How many tickets it expects to send binds it to nothing (RFC 9149 §3).
        extensions.find::<TicketRequestEncryptedExtensions>()?;
        let alpn = match extensions.find::<Alpn<'_>>()? {
            Some(answer) => Some(self.check_alpn(&answer)?),
            None => None,
        };
        Ok(AgreedEncrypted {
            alpn,
            srtp: srtp::check(extensions, &self.config)?,
            limits: limits::check13(extensions, &self.config)?,
            certificates: certificates::check(extensions, &self.config)?,
            early_data: extensions.find::<EarlyData>()?.is_some(),
        })
    }

    /// RFC 9846 §4.3: only answers to what was asked, and each in its message.
    fn only(&self, answers: &Extensions<'_>, allowed: &[ExtensionType]) -> Result<(), Error> {
        let offered = self.extensions.as_extensions();
        for (answer, _) in answers.iter() {
            // The cookie is the one extension that nobody has to ask for, where it may come at all.
            let unasked = answer == ExtensionType::COOKIE && allowed.contains(&answer);
            if offered.get(answer).is_none() && !unasked {
                return Err(PeerFault::UnofferedExtension.into());
            }
            if !allowed.contains(&answer) {
                return Err(PeerFault::MisplacedExtension.into());
            }
        }
        Ok(())
    }
}
