//! Trust in certificates named beforehand, as peers do that know each other by other means.

use std::fmt;
use std::str::FromStr;

use gramseal_proto::CertificateFault;
use gramseal_proto::config::{PeerCredential, PeerVerified, PeerVerifier, Presented, Verdict};
use gramseal_proto::crypto::Deferrable;
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::key::public_key_of;

/// Bytes of a SHA-256 hash.
const LENGTH: usize = 32;
const PREFIX: &str = "sha256:";

/// The SHA-256 hash of a certificate, or of a raw public key, in DER form.
///
/// As text: `sha256:` and 64 hexadecimal digits. Parsing takes digits of either case, also with a
/// colon between every two of them as other programs print it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; LENGTH]);

impl Fingerprint {
    /// The fingerprint of `certificate`, which need not be a valid one.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }

    /// The fingerprint of `key`, a `SubjectPublicKeyInfo` (RFC 7250 §3). It differs from that of a
    /// certificate for the same key.
    #[must_use]
    pub fn of_public_key(key: &SubjectPublicKeyInfoDer<'_>) -> Self {
        Self(Sha256::digest(key.as_ref()).into())
    }

    /// A fingerprint known by other means.
    #[must_use]
    pub const fn new(hash: [u8; LENGTH]) -> Self {
        Self(hash)
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = match text.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &text[PREFIX.len()..],
            _ => return Err(ParseFingerprintError::UnknownAlgorithm),
        };
        let digits = without_colons(hex)?;
        if digits.len() != 2 * LENGTH {
            return Err(ParseFingerprintError::WrongLength { digits: digits.len() });
        }
        let mut hash = [0; LENGTH];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |value, digit| value << 4 | digit);
        }
        Ok(Self(hash))
    }
}

/// The values of the digits of `hex`. Colons are either between all bytes or nowhere.
fn without_colons(hex: &str) -> Result<Vec<u8>, ParseFingerprintError> {
    let separated = hex.contains(':');
    let mut digits = Vec::with_capacity(2 * LENGTH);
    for (position, character) in hex.chars().enumerate() {
        if separated && position % 3 == 2 {
            if character != ':' {
                return Err(ParseFingerprintError::BadCharacter { character });
            }
            continue;
        }
        let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digits.push(digit.ok_or(ParseFingerprintError::BadCharacter { character })?);
    }
    if separated && hex.ends_with(':') {
        return Err(ParseFingerprintError::BadCharacter { character: ':' });
    }
    Ok(digits)
}

/// A text is no [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseFingerprintError {
    /// It does not begin with `sha256:`.
    UnknownAlgorithm,
    /// Neither a hexadecimal digit nor a colon in its place.
    BadCharacter {
        /// The first such character.
        character: char,
    },
    /// Not 64 digits.
    WrongLength {
        /// How many there are.
        digits: usize,
    },
}

impl fmt::Display for ParseFingerprintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAlgorithm => f.write_str("a fingerprint begins with sha256:"),
            Self::BadCharacter { character } => write!(f, "{character:?} is out of place in a fingerprint"),
            Self::WrongLength { digits } => write!(f, "a fingerprint has 64 hexadecimal digits, not {digits}"),
        }
    }
}

impl std::error::Error for ParseFingerprintError {}

/// Accepts the peers whose certificate has one of the given fingerprints, in either role.
///
/// The fingerprint stands for the whole certificate, so its issuer, its names and its validity do
/// not matter, nor does the rest of the chain. Without any fingerprint nobody is accepted.
#[derive(Debug, Clone)]
pub struct FingerprintVerifier {
    allowed: Vec<Fingerprint>,
}

impl FingerprintVerifier {
    /// Accepts certificates with one of the `allowed` fingerprints.
    #[must_use]
    pub fn new(allowed: impl IntoIterator<Item = Fingerprint>) -> Self {
        Self { allowed: allowed.into_iter().collect() }
    }
}

impl FingerprintVerifier {
    fn check(&self, presented: &Presented<'_>) -> Verdict {
        let PeerCredential::Chain { end_entity, .. } = presented.credential else {
            return Err(CertificateFault::Unsupported);
        };
        // Not in constant time: certificates and their hashes are public, and a peer that learns
        // how far it got would still need a second preimage.
        if !self.allowed.contains(&Fingerprint::of(end_entity)) {
            return Err(CertificateFault::FingerprintMismatch);
        }
        public_key_of(end_entity).map(PeerVerified::assertion)
    }
}

impl PeerVerifier for FingerprintVerifier {
    fn verify(&self, presented: &Presented<'_>) -> Deferrable<Verdict> {
        self.check(presented).into()
    }

    fn session_context(&self) -> Option<Vec<u8>> {
        Some(Context::new("fingerprints").with_set(self.allowed.iter().map(Fingerprint::as_bytes)).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eFf";

    fn parse(text: &str) -> Result<Fingerprint, ParseFingerprintError> {
        text.parse()
    }

    #[test]
    fn text_survives_a_round_trip() {
        let fingerprint = parse(&format!("sha256:{DIGITS}")).unwrap();
        assert_eq!(fingerprint.as_bytes()[..3], [0, 1, 2]);
        assert_eq!(fingerprint.as_bytes()[31], 0xff);
        assert_eq!(fingerprint.to_string(), format!("sha256:{}", DIGITS.to_lowercase()));
        assert_eq!(parse(&fingerprint.to_string()), Ok(fingerprint));
    }

    #[test]
    fn colons_and_case_do_not_matter() {
        let pairs: Vec<String> =
            DIGITS.as_bytes().chunks(2).map(|pair| String::from_utf8(pair.to_vec()).unwrap()).collect();
        let separated = format!("SHA256:{}", pairs.join(":").to_uppercase());
        assert_eq!(parse(&separated), parse(&format!("sha256:{DIGITS}")));
        assert!(parse(&separated).is_ok());
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        use ParseFingerprintError::{BadCharacter, UnknownAlgorithm, WrongLength};
        assert_eq!(parse(""), Err(UnknownAlgorithm));
        assert_eq!(parse(DIGITS), Err(UnknownAlgorithm));
        assert_eq!(parse("sha1:00"), Err(UnknownAlgorithm));
        assert_eq!(parse("sha25€"), Err(UnknownAlgorithm));
        assert_eq!(parse("sha256:"), Err(WrongLength { digits: 0 }));
        assert_eq!(parse(&format!("sha256:{}", &DIGITS[2..])), Err(WrongLength { digits: 62 }));
        assert_eq!(parse(&format!("sha256:{DIGITS}00")), Err(WrongLength { digits: 66 }));
        assert_eq!(parse("sha256:0g"), Err(BadCharacter { character: 'g' }));
        assert_eq!(parse("sha256:€"), Err(BadCharacter { character: '€' }));
        assert_eq!(parse("sha256:00:1:2"), Err(BadCharacter { character: ':' }));
        assert_eq!(parse("sha256:00:0102"), Err(BadCharacter { character: '0' }));
        assert_eq!(parse("sha256:00:"), Err(BadCharacter { character: ':' }));
    }

    #[test]
    fn hash_is_sha256() {
        let certificate = CertificateDer::from(b"abc".as_slice());
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Fingerprint::of(&certificate).to_string(), expected);
    }
}
