//! How Certificate messages are compressed (RFC 8879).

use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::CertificateCompressionAlgorithm;

/// An algorithm that makes Certificate messages of 1.3 shorter (RFC 8879 §4). The crate `gramseal-compress` has
/// zlib, brotli and zstd.
pub trait CertificateCompression: Send + Sync + fmt::Debug {
    /// What the peers call it.
    fn algorithm(&self) -> CertificateCompressionAlgorithm;

    /// Compresses `message`, the body of one of our Certificate messages; `None` if that cannot be done. What is
    /// not shorter is not sent.
    ///
    /// It is asked in each handshake, as a rule for the same bytes: an implementation should remember the last
    /// results, above all on a server, where otherwise everybody can have it work.
    fn compress(&self, message: &[u8]) -> Option<Vec<u8>>;

    /// Decompresses what the peer sent into `message`, which is as long as the peer says.
    ///
    /// `compressed` is from anybody who finished a key exchange: memory and time must stay within what a message
    /// of that length justifies, whatever it says.
    ///
    /// # Errors
    /// If `compressed`, all of it, is not exactly as many bytes.
    fn decompress(&self, compressed: &[u8], message: &mut [u8]) -> Result<(), DecompressError>;
}

/// Something is not what [`CertificateCompression::compress`] makes of a message of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nobody is told more")]
pub struct DecompressError;

impl fmt::Display for DecompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this cannot be decompressed to as many bytes")
    }
}

impl core::error::Error for DecompressError {}
