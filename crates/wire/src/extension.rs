//! Extensions: the block that carries them, and one file per extension.
//!
//! Owns: layouts, and the rule that a block has each type once. Never does: decide which extension may appear in
//! which message. Extensions this crate does not know stay available as bytes.
//! RFC 9846 §4.3, RFC 5246 §7.4.1.4.

mod alpn;
mod block;
mod certificate_authorities;
mod certificate_type;
mod compress_certificate;
mod connection_id;
mod cookie;
mod early_data;
mod ec_point_formats;
mod empty;
mod imported_identity;
mod key_share;
mod max_fragment_length;
mod padding;
mod pre_shared_key;
mod psk_key_exchange_modes;
mod record_size_limit;
mod renegotiation_info;
mod server_name;
mod session_ticket;
mod signature_algorithms;
mod signature_algorithms_cert;
mod status_request;
mod supported_groups;
mod supported_versions;
mod ticket_request;
mod use_srtp;

pub use alpn::Alpn;
pub use block::{BadExtension, Extensions, ExtensionsBuf, ExtensionsIter};
pub use certificate_authorities::CertificateAuthorities;
pub use certificate_type::{
    ClientCertificateTypeChoice, ClientCertificateTypeOffer, ServerCertificateTypeChoice, ServerCertificateTypeOffer,
};
pub use compress_certificate::CompressCertificate;
pub use connection_id::ConnectionId;
pub use cookie::Cookie;
pub use early_data::{EarlyData, EarlyDataNewSessionTicket};
pub use ec_point_formats::EcPointFormats;
pub use empty::{EncryptThenMac, ExtendedMasterSecret, PostHandshakeAuth, Rrc};
pub use imported_identity::ImportedIdentity;
pub use key_share::{KeyShareClientHello, KeyShareEntry, KeyShareHelloRetryRequest, KeyShareServerHello};
pub use max_fragment_length::MaxFragmentLength;
pub use padding::Padding;
pub use pre_shared_key::{PreSharedKeyClientHello, PreSharedKeyServerHello, PskIdentity};
pub use psk_key_exchange_modes::PskKeyExchangeModes;
pub use record_size_limit::RecordSizeLimit;
pub use renegotiation_info::RenegotiationInfo;
pub use server_name::{ServerName, ServerNameAck};
pub use session_ticket::SessionTicket;
pub use signature_algorithms::SignatureAlgorithms;
pub use signature_algorithms_cert::SignatureAlgorithmsCert;
pub use status_request::{StatusRequest, StatusRequestAck};
pub use supported_groups::SupportedGroups;
pub use supported_versions::{SupportedVersionsClientHello, SupportedVersionsServerHello};
pub use ticket_request::{TicketRequestClientHello, TicketRequestEncryptedExtensions};
pub use use_srtp::UseSrtp;

use crate::codec::Codec;
use crate::registry::ExtensionType;

/// The content of an extension of one type. Where the layout depends on the message, each has a type of its own.
pub trait Extension<'a>: Codec<'a> {
    /// The type in front of it.
    const TYPE: ExtensionType;
}
