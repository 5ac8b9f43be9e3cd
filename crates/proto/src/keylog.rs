//! Key logs for debugging with Wireshark (RFC 9850).

use core::fmt;

/// Receives the secrets of connections. Whoever reads them can read the traffic.
pub trait KeyLog: Send + Sync + fmt::Debug {
    /// One line of a key log: `label`, the client's random of 32 bytes, and the secret.
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);
}
