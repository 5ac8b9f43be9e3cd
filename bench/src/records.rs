//! Sealing and opening application data, beside the AEAD alone.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::aead;
use gramseal_proto::Connection;
use gramseal_proto::wire::{CipherSuite, NamedGroup, ProtocolVersion};

use crate::pair::{Configs, Key, NOW, Pair};
use crate::paired::{Comparison, Work, compare};
use crate::raw::{self, TAG_LEN};

/// The payloads measured, in bytes.
pub const SIZES: [usize; 4] = [64, 200, 1200, 16_384];

/// Room for records of 16,384 bytes.
const MTU: usize = 17_000;

/// Records sealed ahead, in bytes at most, before the clock runs for opening them: they should
/// still be in the cache nearest but one.
const AHEAD: usize = 96 * 1024;

/// A version, a cipher suite of it and the suite's AEAD.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Cipher {
    /// What tables call it.
    pub name: &'static str,
    /// The version, which has its own bars.
    pub version: ProtocolVersion,
    suite: CipherSuite,
    raw: &'static aead::Algorithm,
}

impl Cipher {
    const fn new(
        name: &'static str,
        version: ProtocolVersion,
        suite: CipherSuite,
        raw: &'static aead::Algorithm,
    ) -> Self {
        Self { name, version, suite, raw }
    }

    /// Bytes of additional data in a record: in 1.3 its header, with two bytes of number and the length.
    fn aad_len(&self) -> usize {
        if self.version == ProtocolVersion::DTLS1_3 { 5 } else { 13 }
    }
}

/// All that are measured.
pub static CIPHERS: [Cipher; 6] = [
    Cipher::new(
        "1.2 AES-128-GCM",
        ProtocolVersion::DTLS1_2,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        &aead::AES_128_GCM,
    ),
    Cipher::new(
        "1.2 AES-256-GCM",
        ProtocolVersion::DTLS1_2,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        &aead::AES_256_GCM,
    ),
    Cipher::new(
        "1.2 ChaCha20-Poly1305",
        ProtocolVersion::DTLS1_2,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        &aead::CHACHA20_POLY1305,
    ),
    Cipher::new("1.3 AES-128-GCM", ProtocolVersion::DTLS1_3, CipherSuite::TLS_AES_128_GCM_SHA256, &aead::AES_128_GCM),
    Cipher::new("1.3 AES-256-GCM", ProtocolVersion::DTLS1_3, CipherSuite::TLS_AES_256_GCM_SHA384, &aead::AES_256_GCM),
    Cipher::new(
        "1.3 ChaCha20-Poly1305",
        ProtocolVersion::DTLS1_3,
        CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
        &aead::CHACHA20_POLY1305,
    ),
];

/// Sealing `size` bytes.
#[must_use]
pub fn seal(cipher: &Cipher, size: usize) -> Comparison {
    let (mut client, payload, mut out) = sealing(cipher, size);
    let mut raw = raw::Aead::with_aad(cipher.raw, cipher.aad_len());
    let mut raw_out = vec![0; size + TAG_LEN];
    let raw_payload = payload.clone();
    let mut ours = || {
        let len = client.seal(black_box(&payload), &mut out).expect("connected");
        black_box(&out[..len]);
    };
    let mut raw = || {
        raw.seal(black_box(&raw_payload), &mut raw_out);
        black_box(&raw_out);
    };
    compare(&mut ours, &mut raw)
}

/// Opening `size` bytes in place.
#[must_use]
pub fn open(cipher: &Cipher, size: usize) -> Comparison {
    let mut ours = Ours::new(cipher, size);
    let mut raw = Raw::new(cipher, size);
    compare(&mut ours, &mut raw)
}

/// A profiler's work: seals `count` records.
pub fn profile_seal(cipher: &Cipher, size: usize, count: u32) {
    let (mut client, payload, mut out) = sealing(cipher, size);
    for _ in 0..count {
        client.seal(black_box(&payload), &mut out).expect("connected");
    }
}

/// A profiler's work: seals and opens `count` records.
pub fn profile_open(cipher: &Cipher, size: usize, count: u32) {
    Ours::new(cipher, size).run(count);
}

fn connected(cipher: &Cipher) -> Pair {
    let configs = Configs::new(Key::EcdsaP256, cipher.version, cipher.suite, NamedGroup::X25519);
    let mut datagram = Vec::new();
    let mut pair = Pair::connected(&configs, &mut datagram);
    pair.confirm(&mut datagram);
    pair.client.set_mtu(MTU);
    pair
}

fn sealing(cipher: &Cipher, size: usize) -> (Connection, Vec<u8>, Vec<u8>) {
    let client = connected(cipher).client;
    let out = vec![0; client.sealed_len(size)];
    (client, vec![7; size], out)
}

/// Buffers of the same length in one piece of memory.
struct Ahead {
    bytes: Vec<u8>,
    each: usize,
}

impl Ahead {
    fn new(each: usize) -> Self {
        let count = (AHEAD / each).clamp(4, 128);
        Self { bytes: vec![0; count * each], each }
    }

    /// Prepares and works through `count` buffers in portions; the time of the work alone.
    fn run(&mut self, count: u32, mut prepare: impl FnMut(&mut [u8]), mut work: impl FnMut(&mut [u8])) -> Duration {
        let mut left = count as usize;
        let mut total = Duration::ZERO;
        while left > 0 {
            let portion = left.min(self.bytes.len() / self.each);
            let (bytes, _) = self.bytes.split_at_mut(portion * self.each);
            bytes.chunks_exact_mut(self.each).for_each(&mut prepare);
            let start = Instant::now();
            for buffer in bytes.chunks_exact_mut(self.each) {
                work(buffer);
            }
            total += start.elapsed();
            left -= portion;
        }
        total
    }
}

struct Ours {
    pair: Pair,
    payload: Vec<u8>,
    ahead: Ahead,
}

impl Ours {
    fn new(cipher: &Cipher, size: usize) -> Self {
        let pair = connected(cipher);
        let ahead = Ahead::new(pair.client.sealed_len(size));
        Self { pair, payload: vec![7; size], ahead }
    }
}

impl Work for Ours {
    fn run(&mut self, count: u32) -> Duration {
        let Self { pair: Pair { client, server }, payload, ahead } = self;
        let seal = |out: &mut [u8]| {
            client.seal(payload, out).expect("connected");
        };
        let open = |record: &mut [u8]| {
            let mut received = server.handle_datagram(NOW, record);
            black_box(received.next().expect("it opens"));
        };
        ahead.run(count, seal, open)
    }
}

struct Raw {
    sealing: raw::Aead,
    opening: raw::Aead,
    payload: Vec<u8>,
    ahead: Ahead,
}

impl Raw {
    fn new(cipher: &Cipher, size: usize) -> Self {
        let [sealing, opening] = [(); 2].map(|()| raw::Aead::with_aad(cipher.raw, cipher.aad_len()));
        Self { sealing, opening, payload: vec![7; size], ahead: Ahead::new(size + TAG_LEN) }
    }
}

impl Work for Raw {
    fn run(&mut self, count: u32) -> Duration {
        let Self { sealing, opening, payload, ahead } = self;
        let seal = |out: &mut [u8]| sealing.seal(payload, out);
        let open = |record: &mut [u8]| {
            black_box(opening.open(record));
        };
        ahead.run(count, seal, open)
    }
}
