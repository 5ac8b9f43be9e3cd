//! The keys for media that SRTP protects (RFC 5764 §4.2).

use alloc::vec::Vec;
use core::fmt;

use gramseal_wire::SrtpProfile;
use zeroize::Zeroizing;

use super::{Connection, ExportError, Role};
use crate::config::SrtpLengths;

/// The exporter's label for them; the prefix is older than the registry of labels.
const LABEL: &[u8] = b"EXTRACTOR-dtls_srtp";

/// What SRTP needs to protect media both ways; wiped when dropped.
#[derive(Debug)]
pub struct SrtpKeys {
    profile: SrtpProfile,
    local: SrtpMasterKey,
    peer: SrtpMasterKey,
}

impl SrtpKeys {
    /// The profile that the keys are for.
    #[must_use]
    pub fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// For the packets that this side sends, and for nothing else.
    #[must_use]
    pub fn local(&self) -> &SrtpMasterKey {
        &self.local
    }

    /// For the packets that the peer sends, and for nothing else.
    #[must_use]
    pub fn peer(&self) -> &SrtpMasterKey {
        &self.peer
    }
}

/// Master key and master salt of one direction, from which SRTP derives its keys (RFC 3711 §4.3).
/// Shows neither in `Debug`; wiped when dropped.
pub struct SrtpMasterKey {
    key: Zeroizing<Vec<u8>>,
    salt: Zeroizing<Vec<u8>>,
}

impl SrtpMasterKey {
    /// The master key: 16 bytes, or 32 for AEAD_AES_256_GCM.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The master salt: 14 bytes, or 12 for the AEAD profiles.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }
}

impl fmt::Debug for SrtpMasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpMasterKey").finish_non_exhaustive()
    }
}

impl Connection {
    /// The SRTP keys of this association, for the profile in
    /// [`Negotiated::srtp`](crate::Negotiated::srtp).
    ///
    /// # Errors
    /// [`ExportError::NotConnected`], [`ExportError::Failed`], or [`ExportError::NoSrtp`] if no profile was agreed on.
    pub fn srtp_keys(&self) -> Result<SrtpKeys, ExportError> {
        let keying = self.keying()?;
        let negotiated = self.negotiated().ok_or(ExportError::NotConnected)?;
        let profile = negotiated.srtp.as_ref().ok_or(ExportError::NoSrtp)?.profile;
        let lengths = SrtpLengths::of(profile).ok_or(ExportError::NoSrtp)?;
        let mut material = Zeroizing::new([0; 2 * (32 + 14)]);
        let (used, _) = material.split_at_mut(2 * (lengths.master_key + lengths.master_salt));
        // RFC 5764 §4.2 with erratum 4788: no context, which is not the same as an empty one.
        keying.export(LABEL, None, used);
        let [client, server] = split(used, lengths);
        let (local, peer) = match self.role {
            Role::Client(_) => (client, server),
            Role::Server(_) => (server, client),
        };
        Ok(SrtpKeys { profile, local, peer })
    }
}

/// RFC 5764 §4.2: first both keys, then both salts, the client's before the server's.
fn split(material: &[u8], lengths: SrtpLengths) -> [SrtpMasterKey; 2] {
    let (keys, salts) = material.split_at(2 * lengths.master_key);
    let (client_key, server_key) = keys.split_at(lengths.master_key);
    let (client_salt, server_salt) = salts.split_at(lengths.master_salt);
    [(client_key, client_salt), (server_key, server_salt)]
        .map(|(key, salt)| SrtpMasterKey { key: Zeroizing::new(key.to_vec()), salt: Zeroizing::new(salt.to_vec()) })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test] // RFC 5764 §4.2
    fn keys_come_before_salts_and_the_clients_first() {
        let material: Vec<u8> = (0..60).collect();
        let [client, server] = split(&material, SrtpLengths { master_key: 16, master_salt: 14 });
        assert_eq!((client.key(), client.salt()), (&material[..16], &material[32..46]));
        assert_eq!((server.key(), server.salt()), (&material[16..32], &material[46..]));
    }

    #[test]
    fn keys_and_salts_are_not_shown() {
        let [client, server] = split(&[0xAB; 56], SrtpLengths { master_key: 16, master_salt: 12 });
        let keys = SrtpKeys { profile: SrtpProfile::AEAD_AES_128_GCM, local: client, peer: server };
        let shown = format!("{keys:?}").to_lowercase();
        assert!(shown.contains("aead_aes_128_gcm") && !shown.contains("171") && !shown.contains("abab"), "{shown}");
    }

    #[test]
    fn keys_and_salts_are_wiped_when_dropped() {
        crate::crypto::assert_wiped(|key: &SrtpMasterKey| &key.key);
        crate::crypto::assert_wiped(|key: &SrtpMasterKey| &key.salt);
    }
}
