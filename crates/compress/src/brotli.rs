//! Brotli, as `brotli` makes it.

use brotli::enc::{BrotliEncoderParams, StandardAlloc};
use brotli::{Allocator, BrotliCompress, BrotliDecompressStream, BrotliResult, BrotliState};
use gramseal_proto::config::DecompressError;
use gramseal_proto::wire::CertificateCompressionAlgorithm;

use crate::cache::Algorithm;

/// 11 is the most effort, and takes several times as long for one percent.
const QUALITY: i32 = 9;

/// What the decompressor may need beside a message of `len` bytes and as many that its buffer is rounded up by: a map
/// of contexts and some slack.
const ROOM: usize = 32 << 10;

pub(crate) struct Brotli;

impl Algorithm for Brotli {
    const NAME: CertificateCompressionAlgorithm = CertificateCompressionAlgorithm::BROTLI;

    fn compress(message: &[u8]) -> Option<Vec<u8>> {
        // A window for the whole message, so that who decompresses it needs little memory.
        let bits = usize::BITS - message.len().leading_zeros();
        let lgwin = i32::try_from(bits).unwrap_or_default().clamp(10, 24);
        let params =
            BrotliEncoderParams { quality: QUALITY, lgwin, size_hint: message.len(), ..BrotliEncoderParams::default() };
        let mut compressed = Vec::new();
        BrotliCompress(&mut &*message, &mut compressed, &params).ok()?;
        Some(compressed)
    }

    fn decompress(compressed: &[u8], message: &mut [u8]) -> Result<(), DecompressError> {
        // Its buffer grows with what the blocks announce, at most to 16 MB: those that announce too much do not get it.
        // Windows above those of RFC 7932 are refused.
        let capped = Capped { most: message.len().saturating_mul(2).saturating_add(ROOM) };
        let mut state = BrotliState::new_strict(capped, StandardAlloc::default(), StandardAlloc::default());
        let (mut unread, mut read, mut room, mut written, mut total) = (compressed.len(), 0, message.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut unread,
            &mut read,
            compressed,
            &mut room,
            &mut written,
            message,
            &mut total,
            &mut state,
        );
        match result {
            BrotliResult::ResultSuccess if unread == 0 && room == 0 => Ok(()),
            _ => Err(DecompressError),
        }
    }
}

/// Memory for bytes, but not for too many at a time.
struct Capped {
    most: usize,
}

impl Allocator<u8> for Capped {
    type AllocatedMemory = <StandardAlloc as Allocator<u8>>::AllocatedMemory;

    fn alloc_cell(&mut self, len: usize) -> Self::AllocatedMemory {
        // Nothing is how it hears that there is no memory.
        if len > self.most { Self::AllocatedMemory::default() } else { StandardAlloc::default().alloc_cell(len) }
    }

    fn free_cell(&mut self, memory: Self::AllocatedMemory) {
        drop(memory);
    }
}
