//! Connection ids that a load balancer can route, and that say nothing to anybody else.
//!
//! The layout is that of draft-ietf-quic-load-balancers, whose appendix C has it for DTLS 1.3 too. Only its case of one
//! pass is here, in which one block of AES-128 has the server's id and a nonce: the passes for other lengths are a
//! cipher of their own, and this crate implements none.

use alloc::vec::Vec;
use core::fmt;

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use gramseal_proto::crypto::{CryptoError, SecureRandom};
use gramseal_proto::{Cid, CidGenerator};

/// Bytes of the encrypted part.
const BLOCK: usize = 16;
/// The most bytes of a server's id: eight bytes of the nonce are left, so that no two are the same.
const MAX_SERVER_ID: usize = 8;
/// The configuration that stands for none.
const RESERVED: u8 = 0b111;

/// Makes connection ids of 17 bytes with the id of a server in them, encrypted.
///
/// ```text
/// First Octet { configuration (3 bits), length of the rest = 16 (5 bits) }
/// AES-128-ECB { Server ID (8..64), Nonce (64..120) }
/// ```
///
/// All servers behind a load balancer have the key; so do the balancers, which decrypt the id in each datagram and send it
/// on to the server that it names, whatever address it comes from.
///
/// ```
/// use std::sync::Arc;
///
/// use gramseal_proto::config::ConnectionIds;
/// use gramseal_rustcrypto::RoutableCids;
///
/// let cids = RoutableCids::new(0, &[7; 16], &[0x12, 0x34]).expect("a short id");
/// let config = ConnectionIds::Both(Arc::new(cids));
/// ```
#[derive(Clone)]
pub struct RoutableCids {
    configuration: u8,
    server_id: Vec<u8>,
    cipher: Aes128,
}

/// No ids can be made of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoutableCidsError {
    /// A configuration is 0 to 6.
    BadConfiguration(u8),
    /// A server's id has 1 to 8 bytes.
    BadServerId,
}

impl fmt::Display for RoutableCidsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadConfiguration(configuration) => write!(f, "configuration {configuration} is outside 0 to 6"),
            Self::BadServerId => f.write_str("the id of a server has 1 to 8 bytes"),
        }
    }
}

impl core::error::Error for RoutableCidsError {}

impl RoutableCids {
    /// For the server with this id, of 1 to 8 bytes, and as many as those of all others. `configuration` is a number from
    /// 0 to 6 that tells the balancers which key it is, while it is replaced.
    ///
    /// # Errors
    /// See [`RoutableCidsError`].
    pub fn new(configuration: u8, key: &[u8; 16], server_id: &[u8]) -> Result<Self, RoutableCidsError> {
        if configuration >= RESERVED {
            return Err(RoutableCidsError::BadConfiguration(configuration));
        }
        if server_id.is_empty() || server_id.len() > MAX_SERVER_ID {
            return Err(RoutableCidsError::BadServerId);
        }
        Ok(Self { configuration, server_id: server_id.to_vec(), cipher: Aes128::new(key.into()) })
    }

    /// The id of the server that made `cid`, which datagram bytes may follow: what a balancer with the same configuration
    /// and key sends it on by. `None` if it is of another configuration, or too short.
    #[must_use]
    pub fn server_of(&self, cid: &[u8]) -> Option<Vec<u8>> {
        let (first, rest) = cid.split_first()?;
        if first >> 5 != self.configuration {
            return None;
        }
        let mut block = (*rest.first_chunk::<BLOCK>()?).into();
        self.cipher.decrypt_block(&mut block);
        block.get(..self.server_id.len()).map(<[u8]>::to_vec)
    }

    fn with_nonce(&self, mut block: [u8; BLOCK]) -> Option<Cid> {
        block.get_mut(..self.server_id.len())?.copy_from_slice(&self.server_id);
        let mut block = block.into();
        self.cipher.encrypt_block(&mut block);
        let mut cid = [0; 1 + BLOCK];
        let (first, rest) = cid.split_first_mut()?;
        *first = self.configuration << 5 | 0x10;
        rest.copy_from_slice(&block);
        Cid::new(&cid)
    }
}

impl CidGenerator for RoutableCids {
    fn generate(&self, random: &dyn SecureRandom) -> Result<Cid, CryptoError> {
        let mut block = [0; BLOCK];
        random.fill(&mut block)?;
        self.with_nonce(block).ok_or(CryptoError::new())
    }
}

impl fmt::Debug for RoutableCids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutableCids").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;
    use std::collections::HashSet;

    use gramseal_proto::CidGenerator;
    use gramseal_proto::crypto::{CryptoError, SecureRandom};

    use super::{RoutableCids, RoutableCidsError};

    const KEY: [u8; 16] = 0x8f95_f092_4576_5f80_2569_34e5_0c66_207f_u128.to_be_bytes();
    const SERVER: [u8; 8] = 0xed79_3a51_d49b_8f5f_u64.to_be_bytes();

    #[derive(Debug)]
    struct Fixed([u8; 16]);

    impl SecureRandom for Fixed {
        fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
            out.copy_from_slice(&self.0[..out.len()]);
            Ok(())
        }
    }

    #[test] // draft-ietf-quic-load-balancers, appendix B.2
    fn the_vector_of_the_draft_comes_out() {
        let cids = RoutableCids::new(2, &KEY, &SERVER).expect("short");
        let nonce = 0xee08_0dbf_48c0_d1e5_u128.to_be_bytes();
        let cid = cids.generate(&Fixed(nonce)).expect("works");
        assert_eq!(format!("{cid}"), "504dd2d05a7b0de9b2b9907afb5ecf8cc3");
        assert_eq!(cids.server_of(&cid), Some(SERVER.to_vec()));
    }

    #[test]
    fn balancers_find_the_server_and_others_nothing() {
        let random = |n: u8| Fixed([n; 16]);
        for len in 1..=8 {
            let server = vec![0xab; len];
            let cids = RoutableCids::new(0, &KEY, &server).expect("short");
            let mut seen = HashSet::new();
            for n in 0..50 {
                let cid = cids.generate(&random(n)).expect("works");
                assert!(seen.insert(cid.clone()), "each has a nonce of its own");
                let mut datagram = cid.to_vec();
                datagram.extend([1, 2, 3]);
                assert_eq!(cids.server_of(&datagram), Some(server.clone()));
                assert_ne!(
                    RoutableCids::new(0, &[1; 16], &server).expect("short").server_of(&cid),
                    Some(server.clone())
                );
            }
        }
        let cids = RoutableCids::new(0, &KEY, &SERVER).expect("short");
        assert_eq!(cids.server_of(&[0x10; 16]), None, "too short");
        assert_eq!(cids.server_of(&[0x30; 17]), None, "of another configuration");
        assert!(!format!("{cids:?}").contains("237"), "neither the key nor the server shows");
    }

    #[test]
    fn whatever_a_datagram_begins_with_is_an_id_or_none() {
        let cids = RoutableCids::new(2, &KEY, &SERVER[..3]).expect("short");
        for first in 0..=u8::MAX {
            for len in 0..40 {
                let mut datagram = vec![first.wrapping_mul(31); len];
                datagram.iter_mut().take(1).for_each(|byte| *byte = first);
                let found = cids.server_of(&datagram).map(|server| server.len());
                assert_eq!(found, (len >= 17 && first >> 5 == 2).then_some(3), "{first:#x}, {len} bytes");
            }
        }
    }

    #[test]
    fn what_fits_into_no_id_is_refused() {
        assert_eq!(RoutableCids::new(7, &KEY, &SERVER).map(drop), Err(RoutableCidsError::BadConfiguration(7)));
        for server in [&[][..], &[0; 9]] {
            assert_eq!(RoutableCids::new(0, &KEY, server).map(drop), Err(RoutableCidsError::BadServerId));
        }
    }
}
