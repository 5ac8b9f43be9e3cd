//! What we offer and accept about certificates: their forms (RFC 7250), the signatures in them (RFC 9846
//! §4.3.3), a stapled status (RFC 6066 §8) and what of them can be decompressed (RFC 8879 §3).

use alloc::vec::Vec;

use gramseal_wire::extension::{
    CertificateAuthorities, ClientCertificateTypeChoice, ClientCertificateTypeOffer, Extensions, ExtensionsBuf,
    ServerCertificateTypeChoice, ServerCertificateTypeOffer, SignatureAlgorithmsCert, StatusRequest, StatusRequestAck,
};
use gramseal_wire::{CertificateType, OwnedList, OwnedOpaqueList, ProtocolVersion};

use crate::config::ClientConfig;
use crate::error::{Error, PeerFault};
use crate::handshake::compression;

/// What a ServerHello, or EncryptedExtensions, say of the certificates to come.
#[derive(Debug, Clone, Copy)]
pub(in crate::handshake) struct AgreedCertificates {
    /// The form of the server's.
    pub(in crate::handshake) server: CertificateType,
    /// The form of ours, if the server asks for one.
    pub(in crate::handshake) client: CertificateType,
    /// Whether a status may follow the server's.
    pub(in crate::handshake) status: bool,
}

/// Adds what the server has to know.
pub(super) fn push(buf: &mut ExtensionsBuf, config: &ClientConfig) {
    let server = server_types(config);
    if worth_mentioning(server) {
        let types: OwnedList<CertificateType> = server.iter().copied().collect();
        buf.push(&ServerCertificateTypeOffer { types: types.as_list() });
    }
    let client = client_types(config);
    if worth_mentioning(&client) {
        let types: OwnedList<CertificateType> = client.into_iter().collect();
        buf.push(&ClientCertificateTypeOffer { types: types.as_list() });
    }
    let Some(verifier) = &config.verifier else { return };
    if verifier.wants_ocsp_response() {
        buf.push(&StatusRequest::ocsp());
    }
    // RFC 9846 §4.3.3
    if let Some(schemes) = &config.lists.certificate_schemes {
        buf.push(&SignatureAlgorithmsCert { schemes: schemes.as_list() });
    }
    if config.common.allows(ProtocolVersion::DTLS1_3) {
        compression::offer(&config.common, buf);
    }
}

/// Adds the names of those that the verifier trusts, if servers shall know them (RFC 9846 §4.3.4).
pub(super) fn push_authorities(buf: &mut ExtensionsBuf, config: &ClientConfig) -> Result<(), Error> {
    let verifier = config.verifier.as_ref().filter(|_| config.names_authorities);
    let names = OwnedOpaqueList::new(verifier.map(|verifier| verifier.authorities()).unwrap_or_default())?;
    // A list of none is left out.
    if !names.as_list().is_empty() {
        buf.push(&CertificateAuthorities { authorities: names.as_list() });
    }
    Ok(())
}

/// Checks the answers.
pub(super) fn check(answers: &Extensions<'_>, config: &ClientConfig) -> Result<AgreedCertificates, Error> {
    // RFC 7250 §4.2: one of those that were offered; X.509 where nothing is said.
    let one_of = |choice: Option<CertificateType>, ours: &[CertificateType]| match choice {
        None => Ok(CertificateType::X509),
        Some(choice) if ours.contains(&choice) => Ok(choice),
        Some(_) => Err(PeerFault::UnofferedCertificateType),
    };
    let server = answers.find::<ServerCertificateTypeChoice>()?.map(|choice| choice.0);
    let client = answers.find::<ClientCertificateTypeChoice>()?.map(|choice| choice.0);
    Ok(AgreedCertificates {
        server: one_of(server, server_types(config))?,
        client: one_of(client, &client_types(config))?,
        status: answers.find::<StatusRequestAck>()?.is_some(),
    })
}

/// The forms in which we accept a server's certificate.
fn server_types(config: &ClientConfig) -> &[CertificateType] {
    config.verifier.as_ref().map(|verifier| verifier.certificate_types()).unwrap_or_default()
}

/// The forms in which we have certificates to show, in our order.
fn client_types(config: &ClientConfig) -> Vec<CertificateType> {
    let mut types = Vec::new();
    for form in config.identities.iter().map(|identity| identity.certificate_type()) {
        if !types.contains(&form) {
            types.push(form);
        }
    }
    types
}

/// RFC 7250 §4.1: who has only the default form does not mention it.
fn worth_mentioning(types: &[CertificateType]) -> bool {
    !matches!(types, [] | [CertificateType::X509])
}
