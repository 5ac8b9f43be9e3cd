//! zlib, as `miniz_oxide` makes it.

use gramseal_proto::config::DecompressError;
use gramseal_proto::wire::CertificateCompressionAlgorithm;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::cache::Algorithm;

/// The most effort.
const LEVEL: u8 = 9;

pub(crate) struct Zlib;

impl Algorithm for Zlib {
    const NAME: CertificateCompressionAlgorithm = CertificateCompressionAlgorithm::ZLIB;

    fn compress(message: &[u8]) -> Option<Vec<u8>> {
        Some(compress_to_vec_zlib(message, LEVEL))
    }

    fn decompress(compressed: &[u8], message: &mut [u8]) -> Result<(), DecompressError> {
        // It reads the message's own buffer in place of a window, and writes nothing else.
        let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let mut state = Box::new(DecompressorOxide::new());
        let (status, read, written) = decompress(&mut state, compressed, message, 0, flags);
        let all = read == compressed.len() && written == message.len();
        if status == TINFLStatus::Done && all { Ok(()) } else { Err(DecompressError) }
    }
}
