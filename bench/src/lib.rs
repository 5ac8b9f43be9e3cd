//! What gramseal costs beside the bare cryptography, measured side by side in one run.
//!
//! Every figure that counts is a ratio: [`paired`] lets the two sides take turns, so that what
//! disturbs the machine disturbs both. [`raw`] is the bare cryptography, called directly;
//! [`records`] and [`handshakes`] set it beside connections from [`pair`], without sockets; [`sockets`] has flows
//! over loopback. Nothing here is a test.

pub mod crowd;
pub mod handshakes;
pub mod pair;
pub mod paired;
pub mod raw;
pub mod records;
pub mod resumed13;
pub mod server_side;
pub mod sockets;
pub mod symmetric;
