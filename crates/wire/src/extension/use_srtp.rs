//! use_srtp.

use super::Extension;
use crate::codec::{Codec, DecodeError, List, Reader, Writer};
use crate::registry::{ExtensionType, SrtpProfile};

/// SRTP profiles offered, or the one chosen, with the master key identifier (RFC 5764 §4.1.1).
///
/// ```text
/// struct {
///     SRTPProtectionProfile SRTPProtectionProfiles<2..2^16-1>;
///     opaque srtp_mki<0..255>;
/// } UseSRTPData;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseSrtp<'a> {
    /// The sender's favourite first.
    pub profiles: List<'a, SrtpProfile>,
    /// Master key identifier; usually empty.
    pub mki: &'a [u8],
}

impl UseSrtp<'_> {
    /// The only profile, as a server's answer must have it (RFC 5764 §4.1.1).
    ///
    /// # Errors
    /// [`DecodeError::BadVectorLength`] if there is more than one.
    pub fn exactly_one(&self) -> Result<SrtpProfile, DecodeError> {
        let mut profiles = self.profiles.iter();
        match (profiles.next(), profiles.next()) {
            (Some(profile), None) => Ok(profile),
            _ => Err(DecodeError::BadVectorLength),
        }
    }
}

impl<'a> Codec<'a> for UseSrtp<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { profiles: List::read16(r)?, mki: r.vec8()? })
    }

    fn write(&self, w: &mut Writer<'_>) {
        self.profiles.write16(w);
        w.vec8(|w| w.bytes(self.mki));
    }
}

impl<'a> Extension<'a> for UseSrtp<'a> {
    const TYPE: ExtensionType = ExtensionType::USE_SRTP;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let bytes = [0, 4, 0, 7, 0, 1, 1, 0xaa];
        let read = UseSrtp::from_bytes(&bytes).unwrap();
        assert!(read.profiles.iter().eq([SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_HMAC_SHA1_80]));
        assert_eq!(read.mki, [0xaa]);
        assert_eq!(read.to_vec().unwrap(), bytes);
        assert_eq!(read.exactly_one(), Err(DecodeError::BadVectorLength));
        let answer = UseSrtp::from_bytes(&[0, 2, 0, 7, 0]).unwrap();
        assert_eq!(answer.exactly_one(), Ok(SrtpProfile::AEAD_AES_128_GCM));
        assert_eq!(UseSrtp::from_bytes(&[0, 0, 0]), Err(DecodeError::EmptyVector));
    }
}
