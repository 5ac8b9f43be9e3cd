//! That the libraries wipe their keys hangs on features of theirs, `zeroize` in most: without one of them this does not
//! compile.

use aes::{Aes128, Aes256};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20::variants::Ietf;
use chacha20::{ChaChaCore, R20};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::Hmac;
use hmac::digest::block_api::{Buffer, CoreProxy, EagerHash};
use p256::NistP256;
use p256::elliptic_curve::{SecretKey, ecdh};
use p384::NistP384;
use p521::NistP521;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::ZeroizeOnDrop;

fn wiped<T: ZeroizeOnDrop>() {
    assert!(core::mem::needs_drop::<T>());
}

#[test]
fn secrets_of_the_libraries_are_wiped_when_dropped() {
    // AES-CCM has nothing but the cipher.
    wiped::<Aes128>();
    wiped::<Aes256>();
    wiped::<Aes128Gcm>();
    wiped::<Aes256Gcm>();
    wiped::<ChaChaCore<R20, Ietf>>();
    wiped::<ChaCha20Poly1305>();

    wiped::<x25519_dalek::StaticSecret>();
    wiped::<x25519_dalek::SharedSecret>();
    wiped::<ecdh::EphemeralSecret<NistP256>>();
    wiped::<ecdh::EphemeralSecret<NistP384>>();
    wiped::<ecdh::EphemeralSecret<NistP521>>();
    wiped::<ecdh::SharedSecret<NistP256>>();
    wiped::<ml_kem::ml_kem_768::DecapsulationKey>();

    wiped::<SecretKey<NistP256>>();
    wiped::<SecretKey<NistP384>>();
    wiped::<SecretKey<NistP521>>();
    wiped::<ed25519_dalek::SigningKey>();
    wiped::<rsa::PrivateKey>();
}

/// HMAC is two states of its hash and a buffer.
#[test]
fn states_of_hashes_are_wiped_when_dropped() {
    fn hash<D: EagerHash<Core: ZeroizeOnDrop> + ZeroizeOnDrop>()
    where
        Buffer<<Hmac<D> as CoreProxy>::Core>: ZeroizeOnDrop,
    {
        wiped::<D>();
        wiped::<D::Core>();
        wiped::<Buffer<<Hmac<D> as CoreProxy>::Core>>();
    }
    hash::<Sha256>();
    hash::<Sha384>();
    hash::<Sha512>();
}
