//! Zstandard, as `ruzstd` makes it.

use std::io::Read;

use gramseal_proto::config::DecompressError;
use gramseal_proto::wire::CertificateCompressionAlgorithm;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::cache::Algorithm;

/// The largest window that a frame may ask for. Frames of unknown length ask for as much as the level has, whatever
/// is in them (RFC 8878 §3.1.1.1.2: every decoder should have 8 MB).
const WINDOW: u64 = 8 << 20;

pub(crate) struct Zstd;

impl Algorithm for Zstd {
    const NAME: CertificateCompressionAlgorithm = CertificateCompressionAlgorithm::ZSTD;

    fn compress(message: &[u8]) -> Option<Vec<u8>> {
        // The others are not there yet.
        Some(compress_to_vec(message, CompressionLevel::Fastest))
    }

    fn decompress(compressed: &[u8], message: &mut [u8]) -> Result<(), DecompressError> {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        let mut source = compressed;
        decoder.init(&mut source).map_err(|_| DecompressError)?;
        // It stops with the block that makes it too much; a block is at most 128 KiB.
        let enough = BlockDecodingStrategy::UptoBytes(message.len().saturating_add(1));
        let finished = decoder.decode_blocks(&mut source, enough).map_err(|_| DecompressError)?;
        if !finished || !source.is_empty() || decoder.can_collect() != message.len() {
            return Err(DecompressError);
        }
        decoder.read_exact(message).map_err(|_| DecompressError)?;
        match decoder.get_checksum_from_data() {
            Some(checksum) if decoder.get_calculated_checksum() != Some(checksum) => Err(DecompressError),
            Some(_) | None => Ok(()),
        }
    }
}
