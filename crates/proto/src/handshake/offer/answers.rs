//! Checking a ServerHello against what we offered.

use alloc::vec::Vec;

use gramseal_wire::extension::{
    Alpn, EcPointFormats, ExtendedMasterSecret, RenegotiationInfo, ServerNameAck, SessionTicket,
};
use gramseal_wire::handshake::{DOWNGRADE_TLS11, DOWNGRADE_TLS12, ServerHello};
use gramseal_wire::{CompressionMethod, DecodeError, EcPointFormat, ExtensionType, ProtocolVersion, Random};

use super::Offer;
use super::certificates::{self, AgreedCertificates};
use crate::error::{Error, Incompatible, PeerFault};
use crate::handshake::cids::{self, AgreedCids};
use crate::handshake::limits::{self, RecordLimits};
use crate::handshake::srtp::{self, Srtp};
use crate::suite::Suite12;

/// What a 1.2 ServerHello agrees to.
pub(in crate::handshake) struct Agreed12 {
    pub(in crate::handshake) suite: &'static Suite12,
    pub(in crate::handshake) alpn: Option<Vec<u8>>,
    pub(in crate::handshake) srtp: Option<Srtp>,
    pub(in crate::handshake) limits: RecordLimits,
    pub(in crate::handshake) cids: Option<AgreedCids>,
    pub(in crate::handshake) certificates: AgreedCertificates,
    /// Whether NewSessionTicket will come.
    pub(in crate::handshake) ticket: bool,
}

impl Offer {
    /// Checks a ServerHello that chose 1.2.
    pub(in crate::handshake) fn check12(&self, hello: &ServerHello<'_>) -> Result<Agreed12, Error> {
        let common = &self.config.common;
        if !common.allows(ProtocolVersion::DTLS1_2) {
            return Err(Incompatible::NoCommonVersion.into());
        }
        check_sentinel(&hello.random, &common.versions)?;
        let suite =
            common.suites12().find(|suite| suite.id == hello.cipher_suite).ok_or(PeerFault::UnofferedCipherSuite)?;
        if hello.compression_method != CompressionMethod::NULL {
            return Err(PeerFault::UnofferedCompression.into());
        }
        self.check_answers(hello)?;
        let alpn = match hello.extensions.find::<Alpn<'_>>()? {
            Some(answer) => Some(self.check_alpn(&answer)?),
            None => None,
        };
        let srtp = srtp::check(&hello.extensions, &self.config)?;
        let limits = limits::check(&hello.extensions, &self.config)?;
        let cids = cids::check(&hello.extensions, self.cid.clone())?;
        let certificates = certificates::check(&hello.extensions, &self.config)?;
        Ok(Agreed12 { suite, alpn, srtp, limits, cids, certificates, ticket: promises_ticket(hello)? })
    }

    fn check_answers(&self, hello: &ServerHello<'_>) -> Result<(), Error> {
        // RFC 5246 §7.4.1.4: only what was asked for may be answered.
        let offered = self.extensions.as_extensions();
        if hello.extensions.iter().any(|(answer, _)| offered.get(answer).is_none()) {
            return Err(PeerFault::UnofferedExtension.into());
        }
        // RFC 5246 §7.4.1.4.1: these inform the server and have no answer, or none in 1.2.
        let unanswered = [
            ExtensionType::SIGNATURE_ALGORITHMS,
            ExtensionType::SIGNATURE_ALGORITHMS_CERT,
            ExtensionType::KEY_SHARE,
            ExtensionType::CERTIFICATE_AUTHORITIES,
            ExtensionType::PSK_KEY_EXCHANGE_MODES,
            ExtensionType::TICKET_REQUEST,
            ExtensionType::PRE_SHARED_KEY,
        ];
        if unanswered.into_iter().any(|extension| hello.extensions.contains(extension)) {
            return Err(PeerFault::UnofferedExtension.into());
        }
        // RFC 6066 §3: the answer says that the name was used, not which.
        hello.extensions.find::<ServerNameAck>()?;
        // RFC 7627 §5.3: required, and it must be empty.
        if hello.extensions.find::<ExtendedMasterSecret>()?.is_none() {
            return Err(Incompatible::NoExtendedMasterSecret.into());
        }
        // RFC 5746 §3.4: in an initial handshake the value is empty.
        match hello.extensions.find::<RenegotiationInfo<'_>>()? {
            None => return Err(Incompatible::NoSecureRenegotiation.into()),
            Some(info) if !info.renegotiated_connection.is_empty() => {
                return Err(PeerFault::RenegotiationInfoMismatch.into());
            }
            Some(_) => {}
        }
        check_point_formats(hello.extensions.find::<EcPointFormats<'_>>()?)
    }

    pub(super) fn check_alpn(&self, answer: &Alpn<'_>) -> Result<Vec<u8>, Error> {
        // RFC 7301 §3.1: exactly one name, and one of ours.
        let name = answer.exactly_one()?;
        if !self.config.common.alpn.iter().any(|ours| ours == name) {
            return Err(PeerFault::UnofferedApplicationProtocol.into());
        }
        Ok(name.to_vec())
    }
}

/// RFC 5077 §3.2: the answer is a promise without content.
fn promises_ticket(hello: &ServerHello<'_>) -> Result<bool, Error> {
    match hello.extensions.find::<SessionTicket<'_>>()? {
        Some(promise) if !promise.ticket.is_empty() => Err(DecodeError::TrailingBytes.into()),
        promise => Ok(promise.is_some()),
    }
}

/// Checks that a peer that lists point formats lists the only one there is (RFC 8422 §5.1.2).
pub(in crate::handshake) fn check_point_formats(formats: Option<EcPointFormats<'_>>) -> Result<(), Error> {
    match formats {
        Some(formats) if !formats.formats.contains(&EcPointFormat::UNCOMPRESSED) => {
            Err(PeerFault::UncompressedPointsMissing.into())
        }
        _ => Ok(()),
    }
}

/// Refuses a 1.2 answer from a server that says it could speak a newer version that we allow too
/// (RFC 9846 §4.2.3).
fn check_sentinel(random: &Random, ours: &[ProtocolVersion]) -> Result<(), Error> {
    let speaks13 = ours.contains(&ProtocolVersion::DTLS1_3);
    let downgraded = random.0.ends_with(&DOWNGRADE_TLS11) || (speaks13 && random.0.ends_with(&DOWNGRADE_TLS12));
    if downgraded { Err(PeerFault::Downgrade.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_with(sentinel: [u8; 8]) -> Random {
        let mut random = [7; 32];
        for (to, from) in random.iter_mut().rev().zip(sentinel.iter().rev()) {
            *to = *from;
        }
        Random(random)
    }

    #[test] // RFC 9846 §4.2.3
    fn downgrade_sentinels_are_refused_by_who_speaks_more() {
        let both = [ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2];
        let only12 = [ProtocolVersion::DTLS1_2];
        let downgrade = Err(Error::Peer(PeerFault::Downgrade));
        assert_eq!(check_sentinel(&random_with(DOWNGRADE_TLS12), &both), downgrade);
        assert_eq!(check_sentinel(&random_with(DOWNGRADE_TLS12), &only12), Ok(()));
        assert_eq!(check_sentinel(&random_with(DOWNGRADE_TLS11), &both), downgrade);
        assert_eq!(check_sentinel(&random_with(DOWNGRADE_TLS11), &only12), downgrade);
        assert_eq!(check_sentinel(&random_with([7; 8]), &both), Ok(()));
    }
}
