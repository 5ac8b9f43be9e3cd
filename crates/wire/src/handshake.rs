//! Handshake messages: the fragment header, and one file per message.
//!
//! Owns: message layouts. Never does: reassembly, ordering, or checking what was negotiated.
//! RFC 6347 §4.2.2, RFC 9147 §5.2.

mod certificate;
mod certificate_request;
mod certificate_status;
mod certificate_verify;
mod client_hello;
mod client_key_exchange;
mod compressed_certificate;
mod connection_id;
mod empty;
mod encrypted_extensions;
mod finished;
mod fragment;
mod hello_verify_request;
mod key_update;
mod new_session_ticket;
mod random;
mod server_hello;
mod server_key_exchange;

pub use certificate::{Certificate12, Certificate13, CertificateEntry, CertificateList, RawPublicKey12};
pub use certificate_request::{CertificateRequest12, CertificateRequest13, DistinguishedNames};
pub use certificate_status::CertificateStatus;
pub use certificate_verify::CertificateVerify;
pub use client_hello::{ClientHello, ClientHelloPrefix};
pub use client_key_exchange::{
    ClientKeyExchangeDh, ClientKeyExchangeEcdh, ClientKeyExchangeEcdhePsk, ClientKeyExchangePsk,
};
pub use compressed_certificate::CompressedCertificate;
pub use connection_id::{ConnectionIdUsage, NewConnectionId, RequestConnectionId};
pub use empty::{HelloRequest, ServerHelloDone};
pub use encrypted_extensions::EncryptedExtensions;
pub use finished::Finished;
pub use fragment::{Fragment, HandshakeHeader};
pub use hello_verify_request::HelloVerifyRequest;
pub use key_update::{KeyUpdate, KeyUpdateRequest};
pub use new_session_ticket::{NewSessionTicket12, NewSessionTicket13};
pub use random::{DOWNGRADE_TLS11, DOWNGRADE_TLS12, Random};
pub use server_hello::ServerHello;
pub use server_key_exchange::{
    DigitallySigned, ServerDhParams, ServerEcdhParams, ServerKeyExchangeDhe, ServerKeyExchangeEcdhe,
    ServerKeyExchangeEcdhePsk, ServerKeyExchangePsk,
};

use crate::codec::Codec;
use crate::registry::HandshakeType;

/// The body of a handshake message of one type.
pub trait HandshakeMessage<'a>: Codec<'a> {
    /// The type its header carries.
    const TYPE: HandshakeType;
}
