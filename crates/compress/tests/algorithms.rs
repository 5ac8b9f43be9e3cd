//! What each algorithm makes of certificates, of what other implementations made, and of everything else.

use std::sync::Arc;

use gramseal_compress::{all, brotli, zlib, zstd};
use gramseal_proto::config::{CertificateCompression, DecompressError};
use gramseal_testkit::alloc_counter;
use gramseal_testkit::pki::{TestKeyKind, TestPki};
use proptest::prelude::*;

/// As long as the body of a usual Certificate message.
fn chain() -> Vec<u8> {
    let identity = TestPki::of(TestKeyKind::Rsa2048).with_intermediate().server("server.example");
    [identity.end_entity()].into_iter().chain(identity.intermediates()).flat_map(|der| der.to_vec()).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().map(|digit| char::from(digit).to_digit(16).expect("hex")).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}

/// Decompresses to `len` bytes.
fn undo(algorithm: &dyn CertificateCompression, compressed: &[u8], len: usize) -> Result<Vec<u8>, DecompressError> {
    let mut message = vec![0; len];
    algorithm.decompress(compressed, &mut message).map(|()| message)
}

#[test] // RFC 8879 §4
fn chains_get_shorter_and_come_back() {
    let chain = chain();
    for algorithm in all() {
        let compressed = algorithm.compress(&chain).expect("it is not that odd");
        assert!(compressed.len() < chain.len() * 9 / 10, "{algorithm:?}: {} of {}", compressed.len(), chain.len());
        assert_eq!(undo(&*algorithm, &compressed, chain.len()), Ok(chain.clone()));
    }
}

#[test]
fn messages_of_every_length_come_back() {
    let text: Vec<u8> = (0..70_000_u32).flat_map(|number| number.wrapping_mul(number).to_be_bytes()).collect();
    for len in [0, 1, 2, 91, 255, 256, 4000, 16_384, 65_536, 131_072, 131_073, 280_000] {
        for algorithm in all() {
            let compressed = algorithm.compress(&text[..len]).expect("possible");
            assert_eq!(undo(&*algorithm, &compressed, len).as_deref(), Ok(&text[..len]), "{algorithm:?} {len}");
        }
    }
}

type Constructor = fn() -> Arc<dyn CertificateCompression>;

/// Made by zlib 1.2.13, by libbrotli 1.0.9 with qualities and windows of 11 and 22, 5 and 24, and by libzstd 1.5.4
/// from a file, from a pipe (a window of 8 MiB), and without checksum.
const REFERENCES: [(Constructor, &str); 6] = [
    (
        zlib,
        "78da75d0bb0980401006e156b6047f1fa76235b2ecc1250ab220766faac1c45f34e37165abcdf70cebecac96771cf96ce61f10414f\
         30108c04134121980916821503391ddb85f1c27a61beb05f38407840b840bf072fb41db4dd",
    ),
    (
        brotli,
        "1bfd01f8c5dc46a95e88eef9b0658d5a062232e49cdb0e0acd03957a011454f1464f7d0377a3df3afd27242226212523a7a0a41a2\
         96e84b189a999b9856514",
    ),
    (
        brotli,
        "1ffd0100047ab7f1a9be1077f38f2d6bd4321029260720070a41d2f6c05217d5c69d173c64ba5bf1d6893f1509724a94a950a5469\
         d4664fe4e434343434343c305",
    ),
    (
        zstd,
        "28b52ffd64fe00450200c40263657274696669636174652030206f66207477656e74793b203132333435363738393131323334353\
         637383914a810f8fadf01c0636b10de11fea00f34dd26f5139a7bc460cbc0d2dac4",
    ),
    (
        zstd,
        "28b52ffd0468450200c40263657274696669636174652030206f66207477656e74793b20313233343536373839313132333435363\
         7383914a810f8fadf01c0636b10de11fea00f34dd26f5139a7bc460cbc0d2dac4",
    ),
    (
        zstd,
        "28b52ffd60fe00fd0200b40263657274696669636174652030206f66207477656e74793b203132333435363738393131313131313\
         131311400077b88c12e57b00b23d845067639815d58c02e02b0cbfd6d09bfb10f800c8002c0032003a000f000c8002800bc3137c7",
    ),
];

fn reference() -> Vec<u8> {
    (0..20).map(|number| format!("certificate {number} of twenty; ")).collect::<String>().into_bytes()
}

#[test] // RFC 1950, RFC 7932, RFC 8878
fn what_other_implementations_made_is_understood() {
    for (algorithm, hex) in REFERENCES {
        assert_eq!(undo(&*algorithm(), &bytes(hex), 510), Ok(reference()), "{hex}");
    }
}

#[test] // RFC 8879 §4, §5
fn another_length_than_the_announced_one_is_an_error() {
    let made = all().into_iter().map(|algorithm| {
        let compressed = algorithm.compress(&reference()).expect("possible");
        (algorithm, compressed)
    });
    let references = REFERENCES.iter().map(|(algorithm, hex)| (algorithm(), bytes(hex)));
    for (algorithm, compressed) in made.chain(references) {
        for len in [0, 1, 509, 511, 512, 1024, 65_536] {
            assert_eq!(undo(&*algorithm, &compressed, len), Err(DecompressError), "{algorithm:?} {len}");
        }
    }
}

#[test]
fn every_cut_and_everything_behind_the_end_is_an_error() {
    for (algorithm, hex) in REFERENCES {
        let (algorithm, compressed) = (algorithm(), bytes(hex));
        for end in 0..compressed.len() {
            assert_eq!(undo(&*algorithm, &compressed[..end], 510), Err(DecompressError), "{algorithm:?} {end}");
        }
        for more in [&[0][..], &[0xFF], &compressed] {
            let longer = [&compressed, more].concat();
            assert_eq!(undo(&*algorithm, &longer, 510), Err(DecompressError), "{algorithm:?} {more:?}");
        }
    }
}

#[test]
fn checksums_are_checked() {
    for (algorithm, hex) in REFERENCES.iter().filter(|(algorithm, _)| algorithm().algorithm() != brotli().algorithm()) {
        let mut compressed = bytes(hex);
        // The one without has it in the flag of its first block's header.
        let has_checksum = compressed[..4] != [0x28, 0xB5, 0x2F, 0xFD] || compressed[4] & 4 != 0;
        *compressed.last_mut().expect("not empty") ^= 1;
        assert!(!has_checksum || undo(&*algorithm(), &compressed, 510).is_err(), "{hex}");
    }
}

/// The most memory that any of them may take for a small message. It is address space, most of it untouched.
const MOST: u64 = 10 << 20;

#[test] // RFC 8879 §5
fn what_gets_long_takes_no_more_memory() {
    let zeros = vec![0; 17 << 20];
    for algorithm in all() {
        let compressed = algorithm.compress(&zeros).expect("possible");
        let memory = alloc_counter::memory(|| {
            let result = undo(&*algorithm, &compressed, 1000);
            assert_eq!(result, Err(DecompressError), "{algorithm:?}");
        });
        assert!(memory.most < MOST && memory.kept == 0, "{algorithm:?}: {memory:?}");
    }
}

#[test] // RFC 8878 §3.1.1.1.2, RFC 7932 §9.1
fn windows_that_are_too_large_are_refused_before_there_is_memory_for_them() {
    // Zstandard: of 3.75 TB, of 128 MB, and as long as the content, which is said to have 2^62 bytes.
    let zstd_frames = [
        "28b52ffd00ff010000".to_owned(),
        "28b52ffd0088010000".to_owned(),
        "28b52ffde00000000000000040010000".to_owned(),
    ];
    // Brotli: 30 bits, the extension that RFC 7932 does not have; and 24 bits, of which a block takes all.
    let brotli_streams = ["111e0b00", "0fffffff7f"];
    let streams = zstd_frames.iter().map(|hex| (zstd(), bytes(hex)));
    for (algorithm, compressed) in streams.chain(brotli_streams.map(|hex| (brotli(), bytes(hex)))) {
        let memory = alloc_counter::memory(|| {
            assert_eq!(undo(&*algorithm, &compressed, 1000), Err(DecompressError), "{algorithm:?}");
        });
        assert!(memory.most < 1 << 20, "{algorithm:?} {compressed:?}: {memory:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_decompressed_or_refused(
        compressed in proptest::collection::vec(any::<u8>(), 0..300),
        kept in 0..20_usize,
        len in 0..70_000_usize,
    ) {
        // So that some get behind the header.
        for (algorithm, hex) in REFERENCES {
            let input = [&bytes(hex)[..kept], &compressed].concat();
            let _ = undo(&*algorithm(), &input, len);
        }
    }

    #[test]
    fn changed_bytes_are_decompressed_or_refused(
        which in 0..REFERENCES.len(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
        len in prop_oneof![Just(510_usize), 0..70_000_usize],
    ) {
        let (algorithm, hex) = REFERENCES[which];
        let mut compressed = bytes(hex);
        for (index, byte) in changes {
            let index = index.index(compressed.len());
            compressed[index] = byte;
        }
        let _ = undo(&*algorithm(), &compressed, len);
    }
}
