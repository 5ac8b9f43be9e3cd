//! Extensions: the block that carries them, and one file per extension.
//!
//! Owns: layouts, and the rule that a block has each type once. Never does: decide which extension may appear in
//! which message. Extensions this crate does not know stay available as bytes.
//! RFC 8446 §4.2, RFC 5246 §7.4.1.4.

mod alpn;
mod block;
mod ec_point_formats;
mod empty;
mod renegotiation_info;
mod server_name;
mod session_ticket;
mod signature_algorithms;
mod supported_groups;
mod supported_versions;

pub use alpn::Alpn;
pub use block::{Extensions, ExtensionsBuf, ExtensionsIter};
pub use ec_point_formats::EcPointFormats;
pub use empty::ExtendedMasterSecret;
pub use renegotiation_info::RenegotiationInfo;
pub use server_name::{ServerName, ServerNameAck};
pub use session_ticket::SessionTicket;
pub use signature_algorithms::SignatureAlgorithms;
pub use supported_groups::SupportedGroups;
pub use supported_versions::{SupportedVersionsClientHello, SupportedVersionsServerHello};

use crate::codec::Codec;
use crate::registry::ExtensionType;

/// The content of an extension of one type. Where the layout depends on the message, each has a type of its own.
pub trait Extension<'a>: Codec<'a> {
    /// The type in front of it.
    const TYPE: ExtensionType;
}
