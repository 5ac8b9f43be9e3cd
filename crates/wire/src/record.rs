//! Records: telling datagrams apart, and the layouts of record headers.
//!
//! Owns: offsets and header bytes. Never does: move or copy a payload, or trust a header.
//! RFC 6347 §4.1, RFC 9147 §4, RFC 9146 §4 and §5, RFC 9443 §2.

mod demux;
mod plaintext;

pub use demux::DatagramKind;
pub use plaintext::{PlaintextHeader, additional_data12};
