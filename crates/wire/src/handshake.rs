//! Handshake messages: the fragment header, and one file per message.
//!
//! Owns: message layouts. Never does: reassembly, ordering, or checking what was negotiated.
//! RFC 6347 §4.2.2, RFC 9147 §5.2.

mod certificate;
mod certificate_request;
mod certificate_verify;
mod client_hello;
mod client_key_exchange;
mod empty;
mod finished;
mod fragment;
mod hello_verify_request;
mod random;
mod server_hello;
mod server_key_exchange;

pub use certificate::{Certificate12, CertificateList};
pub use certificate_request::{CertificateRequest12, DistinguishedNames};
pub use certificate_verify::CertificateVerify;
pub use client_hello::{ClientHello, ClientHelloPrefix};
pub use client_key_exchange::{
    ClientKeyExchangeDh, ClientKeyExchangeEcdh, ClientKeyExchangeEcdhePsk, ClientKeyExchangePsk,
};
pub use empty::{HelloRequest, ServerHelloDone};
pub use finished::Finished;
pub use fragment::{Fragment, HandshakeHeader};
pub use hello_verify_request::HelloVerifyRequest;
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
