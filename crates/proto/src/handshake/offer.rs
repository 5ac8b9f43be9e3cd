//! Our ClientHello, and checking every answer against it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use gramseal_wire::extension::{
    Alpn, EcPointFormats, ExtendedMasterSecret, ExtensionsBuf, RenegotiationInfo, ServerName as ServerNameExtension,
    ServerNameAck, SignatureAlgorithms, SupportedGroups,
};
use gramseal_wire::handshake::{ClientHello, DOWNGRADE_TLS11, DOWNGRADE_TLS12, ServerHello};
use gramseal_wire::{
    CipherSuite, CompressionMethod, EcPointFormat, ExtensionType, NamedGroup, OwnedList, OwnedOpaqueList,
    ProtocolVersion, Random, SignatureScheme,
};
use pki_types::ServerName;

use crate::config::{ClientConfig, Common};
use crate::error::{Error, Incompatible, PeerFault};
use crate::suite::Suite12;

/// What we offered. Kept until the handshake no longer needs to check answers against it.
pub(super) struct Offer {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) random: Random,
    extensions: ExtensionsBuf,
}

/// What a 1.2 ServerHello agrees to.
pub(super) struct Agreed12 {
    pub(super) suite: &'static Suite12,
    pub(super) alpn: Option<Vec<u8>>,
}

impl Offer {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        let random = Random(config.common.provider.random_array()?);
        let extensions = extensions(&config.common, &name)?;
        Ok(Self { config, name, random, extensions })
    }

    /// The hello with `cookie`. RFC 6347 §4.2.1: all else stays the same from one to the next.
    pub(super) fn with_hello<R>(&self, cookie: &[u8], use_it: impl FnOnce(&ClientHello<'_>) -> R) -> R {
        let suites: OwnedList<CipherSuite> = self.config.common.suites.iter().copied().collect();
        let compression: OwnedList<CompressionMethod> = [CompressionMethod::NULL].into_iter().collect();
        use_it(&ClientHello {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: self.random,
            session_id: &[],
            cookie,
            cipher_suites: suites.as_list(),
            compression_methods: compression.as_list(),
            extensions: self.extensions.as_extensions(),
        })
    }

    /// Host name sent to the server, if the name is one (RFC 6066 §3: never an address).
    pub(super) fn host_name(&self) -> Option<String> {
        host_name(&self.name).map(String::from)
    }

    pub(super) fn offers_group(&self, group: NamedGroup) -> bool {
        self.config.common.groups.contains(&group)
    }

    pub(super) fn offers_scheme(&self, scheme: SignatureScheme) -> bool {
        self.config.common.verify_schemes().any(|ours| ours == scheme)
    }

    /// Checks a ServerHello that chose 1.2.
    pub(super) fn check12(&self, hello: &ServerHello<'_>) -> Result<Agreed12, Error> {
        let common = &self.config.common;
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
        Ok(Agreed12 { suite, alpn })
    }

    fn check_answers(&self, hello: &ServerHello<'_>) -> Result<(), Error> {
        // RFC 5246 §7.4.1.4: only what was asked for may be answered.
        let offered = self.extensions.as_extensions();
        if hello.extensions.iter().any(|(answer, _)| offered.get(answer).is_none()) {
            return Err(PeerFault::UnofferedExtension.into());
        }
        // RFC 5246 §7.4.1.4.1: this one informs the server and has no answer.
        if hello.extensions.get(ExtensionType::SIGNATURE_ALGORITHMS).is_some() {
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

    fn check_alpn(&self, answer: &Alpn<'_>) -> Result<Vec<u8>, Error> {
        // RFC 7301 §3.1: exactly one name, and one of ours.
        let name = answer.exactly_one()?;
        if !self.config.common.alpn.iter().any(|ours| ours == name) {
            return Err(PeerFault::UnofferedApplicationProtocol.into());
        }
        Ok(name.to_vec())
    }
}

/// Checks that a peer that lists point formats lists the only one there is (RFC 8422 §5.1.2).
pub(super) fn check_point_formats(formats: Option<EcPointFormats<'_>>) -> Result<(), Error> {
    match formats {
        Some(formats) if !formats.formats.contains(&EcPointFormat::UNCOMPRESSED) => {
            Err(PeerFault::UncompressedPointsMissing.into())
        }
        _ => Ok(()),
    }
}

/// Refuses a 1.2 answer from a server that says it could speak a newer version that we allow too
/// (RFC 8446 §4.1.3).
fn check_sentinel(random: &Random, ours: &[ProtocolVersion]) -> Result<(), Error> {
    let speaks13 = ours.contains(&ProtocolVersion::DTLS1_3);
    let downgraded = random.0.ends_with(&DOWNGRADE_TLS11) || (speaks13 && random.0.ends_with(&DOWNGRADE_TLS12));
    if downgraded { Err(PeerFault::Downgrade.into()) } else { Ok(()) }
}

fn host_name<'n>(name: &'n ServerName<'_>) -> Option<&'n str> {
    match name {
        ServerName::DnsName(name) => Some(name.as_ref()),
        _ => None,
    }
}

fn extensions(common: &Common, name: &ServerName<'_>) -> Result<ExtensionsBuf, Error> {
    let mut buf = ExtensionsBuf::new();
    if let Some(host) = host_name(name) {
        buf.push(&ServerNameExtension { host_name: host.as_bytes() });
    }
    buf.push(&ExtendedMasterSecret);
    buf.push(&RenegotiationInfo { renegotiated_connection: &[] });
    let groups: OwnedList<NamedGroup> = common.groups.iter().copied().collect();
    buf.push(&SupportedGroups { groups: groups.as_list() });
    let formats: OwnedList<EcPointFormat> = [EcPointFormat::UNCOMPRESSED].into_iter().collect();
    buf.push(&EcPointFormats { formats: formats.as_list() });
    let schemes: OwnedList<SignatureScheme> = common.verify_schemes().collect();
    buf.push(&SignatureAlgorithms { schemes: schemes.as_list() });
    if !common.alpn.is_empty() {
        push_alpn(&mut buf, common.alpn.iter().map(Vec::as_slice))?;
    }
    Ok(buf)
}

/// Adds the ALPN extension with `names` (RFC 7301 §3.1).
pub(super) fn push_alpn<'n>(buf: &mut ExtensionsBuf, names: impl Iterator<Item = &'n [u8]>) -> Result<(), Error> {
    let names = OwnedOpaqueList::new(names)?;
    buf.push(&Alpn { protocols: names.as_list() });
    Ok(())
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

    #[test] // RFC 8446 §4.1.3
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
