//! Record protection of DTLS 1.2: nonce and additional data around an AEAD.
//!
//! RFC 6347 §4.1.2.4, RFC 5246 §6.2.3.3, RFC 5288 §3, RFC 6655 §3, RFC 7905 §2. Knows no window, no
//! counter and no limit: the record number comes from outside, and whoever seals must never give
//! the same one twice.

use gramseal_wire::{ContentType, ProtocolVersion, RecordNumber, additional_data12};

use crate::crypto::{AeadAlgorithm, CryptoError, NONCE_LEN, RecordKeys12};
use crate::discard::Discard;

/// Bytes of the nonce that travel in a record of GCM and CCM.
const EXPLICIT_LEN: usize = 8;

/// What the header of a record says and protection covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered {
    pub(super) number: RecordNumber,
    pub(super) content_type: ContentType,
    pub(super) version: ProtocolVersion,
}

/// Seals or opens the records of one epoch in one direction.
pub(super) struct Protection12 {
    keys: RecordKeys12,
}

impl Protection12 {
    pub(super) fn new(keys: RecordKeys12) -> Self {
        Self { keys }
    }

    /// Bytes that the body of a record has beyond its content.
    pub(super) fn overhead(&self) -> usize {
        explicit_len(self.keys.algorithm) + self.keys.algorithm.tag_len()
    }

    /// Seals `content` into `body`, which must be exactly [`Self::overhead`] bytes longer.
    pub(super) fn seal(&self, covered: Covered, content: &[u8], body: &mut [u8]) -> Result<(), CryptoError> {
        // The explicit part is the record number and never random: a random one repeats sooner or
        // later, and a repeated GCM nonce gives the authentication key away.
        let explicit = number_bytes(covered.number);
        let aad = additional_data(covered, content.len()).ok_or(CryptoError)?;
        let sealed = match explicit_len(self.keys.algorithm) {
            0 => body,
            len => {
                let (front, sealed) = body.split_at_mut_checked(len).ok_or(CryptoError)?;
                front.copy_from_slice(&explicit);
                sealed
            }
        };
        self.keys.key.seal(self.nonce(explicit), &aad, content, &[], sealed)
    }

    /// Opens `body` in place and gives back the content in it.
    pub(super) fn open<'d>(&self, covered: Covered, body: &'d mut [u8]) -> Result<&'d mut [u8], Discard> {
        let content_len = body.len().checked_sub(self.overhead()).ok_or(Discard::Malformed)?;
        let aad = additional_data(covered, content_len).ok_or(Discard::Oversized)?;
        let (nonce, sealed) = match explicit_len(self.keys.algorithm) {
            0 => (self.nonce(number_bytes(covered.number)), body),
            // The sender may choose it as it likes (RFC 5288 §3).
            len => {
                let (front, sealed) = body.split_at_mut_checked(len).ok_or(Discard::Malformed)?;
                let explicit = <[u8; EXPLICIT_LEN]>::try_from(&*front).map_err(|_| Discard::Malformed)?;
                (self.nonce(explicit), sealed)
            }
        };
        let len = self.keys.key.open(nonce, &aad, sealed).map_err(|_| Discard::BadTag)?;
        sealed.get_mut(..len).ok_or(Discard::BadTag)
    }

    fn nonce(&self, explicit: [u8; EXPLICIT_LEN]) -> [u8; NONCE_LEN] {
        nonce(self.keys.algorithm, self.keys.iv, explicit)
    }
}

/// GCM and CCM put `explicit` behind 4 secret bytes; ChaCha20-Poly1305 mixes it into 12.
fn nonce(algorithm: AeadAlgorithm, iv: [u8; NONCE_LEN], explicit: [u8; EXPLICIT_LEN]) -> [u8; NONCE_LEN] {
    let mut nonce = iv;
    let mixed = explicit_len(algorithm) == 0;
    for (to, from) in nonce.iter_mut().skip(NONCE_LEN - EXPLICIT_LEN).zip(explicit) {
        *to = if mixed { *to ^ from } else { from };
    }
    nonce
}

/// How many bytes of the nonce a record carries.
const fn explicit_len(algorithm: AeadAlgorithm) -> usize {
    match algorithm {
        AeadAlgorithm::ChaCha20Poly1305 => 0,
        AeadAlgorithm::Aes128Gcm
        | AeadAlgorithm::Aes256Gcm
        | AeadAlgorithm::Aes128Ccm
        | AeadAlgorithm::Aes256Ccm
        | AeadAlgorithm::Aes128Ccm8
        | AeadAlgorithm::Aes256Ccm8 => EXPLICIT_LEN,
    }
}
