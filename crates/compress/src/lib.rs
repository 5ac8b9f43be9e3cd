//! Compresses certificates (RFC 8879) for `gramseal`: what
//! [`with_certificate_compression`](gramseal_proto::config::ServerConfigBuilder::with_certificate_compression) takes.
//!
//! | function | format | made by | feature |
//! | --- | --- | --- | --- |
//! | `brotli` | RFC 7932 | `brotli` | `brotli` |
//! | `zstd` | RFC 8878 | `ruzstd` | `zstd` |
//! | `zlib` | RFC 1950 | `miniz_oxide` | `zlib` |
//!
//! All are in Rust; nothing else has to be compiled. [`all`] has those whose features are on, which they are by
//! default, in the order of this table: that of how short a chain gets.
//!
//! **Compressing** happens once for each message: the last 64 results are kept, which is more than most servers have
//! certificates and stapled responses. Give one value to all configurations that show the same certificates.
//!
//! **Decompressing** never writes more than the peer announced, which in turn is at most
//! [`Transport::max_message_len`](gramseal_proto::config::Transport::max_message_len). What is needed beside it is
//! bounded as well: 11 kB for zlib, some 5 MB at most for brotli, 8 MiB of address space for zstd, given back at once. Bytes
//! behind the end of the compressed data are an error, as is a wrong checksum.

#[cfg(feature = "brotli")]
mod brotli;
#[cfg(any(feature = "brotli", feature = "zlib", feature = "zstd"))]
mod cache;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use std::sync::Arc;

use gramseal_proto::config::CertificateCompression;

/// Brotli (RFC 7932).
#[cfg(feature = "brotli")]
#[must_use]
pub fn brotli() -> Arc<dyn CertificateCompression> {
    Arc::new(cache::Cached::<brotli::Brotli>::default())
}

/// Zstandard (RFC 8878).
#[cfg(feature = "zstd")]
#[must_use]
pub fn zstd() -> Arc<dyn CertificateCompression> {
    Arc::new(cache::Cached::<zstd::Zstd>::default())
}

/// Zlib (RFC 1950).
#[cfg(feature = "zlib")]
#[must_use]
pub fn zlib() -> Arc<dyn CertificateCompression> {
    Arc::new(cache::Cached::<zlib::Zlib>::default())
}

/// Everything that there is, best first.
#[must_use]
pub fn all() -> Vec<Arc<dyn CertificateCompression>> {
    vec![
        #[cfg(feature = "brotli")]
        brotli(),
        #[cfg(feature = "zstd")]
        zstd(),
        #[cfg(feature = "zlib")]
        zlib(),
    ]
}
