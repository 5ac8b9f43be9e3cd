//! Certificates that peers compressed (RFC 8879).

use std::sync::{Arc, LazyLock};

use gramseal_proto::config::CertificateCompression;
use gramseal_testkit::alloc_counter::memory;

use crate::input::Input;

static ALGORITHMS: LazyLock<[Arc<dyn CertificateCompression>; 3]> =
    LazyLock::new(|| [gramseal_compress::brotli(), gramseal_compress::zlib(), gramseal_compress::zstd()]);

/// What the documentation of the crate promises at most, in bytes, for each algorithm, and some for the message.
const MOST: [u64; 3] = [6 << 20, 64 << 10, 9 << 20];

/// An algorithm, the length that the peer announces, and what it compressed; or, with the highest bit, a message that is
/// compressed and has to come back.
///
/// # Panics
/// If it takes more memory than is promised, or a message does not come back.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let first = input.byte();
    let index = usize::from(first & 0x7f) % ALGORITHMS.len();
    let algorithm = &ALGORITHMS[index];
    if first & 0x80 != 0 {
        let message = input.rest();
        let compressed = algorithm.compress(message).expect("messages can be compressed");
        let mut out = vec![0; message.len()];
        algorithm.decompress(&compressed, &mut out).expect("what was compressed can be decompressed");
        assert_eq!(out, message);
        return;
    }
    let mut message = vec![0; usize::from(input.word())];
    let compressed = input.rest();
    let used = memory(|| {
        // Either is fine.
        let _ = algorithm.decompress(compressed, &mut message);
    });
    assert!(used.most <= MOST[index], "{} bytes", used.most);
}
