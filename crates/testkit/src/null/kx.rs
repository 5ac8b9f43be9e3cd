//! Stand-ins for key exchange: Diffie-Hellman modulo a prime of 61 bits, dressed up to the
//! lengths of the real groups, ML-KEM's included.

use gramseal_proto::crypto::{
    ActiveKx, CryptoError, FiniteFieldDh, FiniteFieldExchange, FiniteFieldParams, HybridGroup, KxError, KxGroup,
    ParamsRejected, SecureRandom, ShareLengths, SharedSecret,
};
use gramseal_wire::NamedGroup;

use super::mix::Mixer;

/// Small shares come first, unlike with other providers: whoever tests large ones names them.
pub(super) static GROUPS: &[&dyn KxGroup] = &[
    &X25519,
    &SECP256R1,
    &NullGroup::new(NamedGroup::SECP384R1, &[4], 97, 48),
    &NullGroup::new(NamedGroup::SECP521R1, &[4], 133, 66),
    &HybridGroup::new(
        NamedGroup::X25519MLKEM768,
        [&ML_KEM_768, &X25519],
        ShareLengths { start: ML_KEM_768.share_len, answer: ML_KEM_768.answer_len },
    ),
    &HybridGroup::new(
        NamedGroup::SECP256R1MLKEM768,
        [&SECP256R1, &ML_KEM_768],
        ShareLengths { start: SECP256R1.share_len, answer: SECP256R1.answer_len },
    ),
    &NullGroup::new(NamedGroup::FFDHE2048, &[], 256, 256),
    &NullGroup::new(NamedGroup::FFDHE3072, &[], 384, 384),
    &NullGroup::new(NamedGroup::FFDHE4096, &[], 512, 512),
];

const X25519: NullGroup = NullGroup::new(NamedGroup::X25519, &[], 32, 32);
const SECP256R1: NullGroup = NullGroup::new(NamedGroup::SECP256R1, &[4], 65, 32);
const ML_KEM_768: NullGroup = NullGroup { answer_len: 1088, ..NullGroup::new(NamedGroup::MLKEM768, &[], 1184, 32) };

/// The prime 2⁶¹ − 1: products fit into 128 bits and every group "order" question is a toy's.
const MODULUS: u64 = (1 << 61) - 1;
const GENERATOR: u64 = 37;

/// Takes a named group's place: shares and secrets of the right length, none of its strength.
#[derive(Debug)]
pub struct NullGroup {
    name: NamedGroup,
    prefix: &'static [u8],
    share_len: usize,
    /// Of the share that answers one.
    answer_len: usize,
    secret_len: usize,
}

impl NullGroup {
    const fn new(name: NamedGroup, prefix: &'static [u8], share_len: usize, secret_len: usize) -> Self {
        Self { name, prefix, share_len, answer_len: share_len, secret_len }
    }

    fn secret(&self, private: u64, peer: &[u8]) -> Result<SharedSecret, KxError> {
        let peer = decode(self.prefix, peer).ok_or(KxError::InvalidShare)?;
        Ok(SharedSecret::new(encode(&[], power(peer, private), self.secret_len)))
    }
}

impl KxGroup for NullGroup {
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn start(&self, random: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        let private = private_key(random)?;
        let share = encode(self.prefix, power(GENERATOR, private), self.share_len);
        Ok(Box::new(NullKx { private, share, group: Self { ..*self } }))
    }

    fn answer(&self, random: &dyn SecureRandom, peer: &[u8]) -> Result<(Vec<u8>, SharedSecret), KxError> {
        if peer.len() != self.share_len {
            return Err(KxError::InvalidShare);
        }
        let private = private_key(random)?;
        let share = encode(self.prefix, power(GENERATOR, private), self.answer_len);
        Ok((share, self.secret(private, peer)?))
    }
}

struct NullKx {
    private: u64,
    share: Vec<u8>,
    group: NullGroup,
}

impl ActiveKx for NullKx {
    fn public_key(&self) -> &[u8] {
        &self.share
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        if peer.len() != self.group.answer_len {
            return Err(KxError::InvalidShare);
        }
        self.group.secret(self.private, peer)
    }
}

/// Takes the place of finite-field Diffie-Hellman with the server's parameters, which only decide
/// lengths here; the checks of their size are the real ones.
#[derive(Debug)]
pub struct NullFiniteField;

impl FiniteFieldDh for NullFiniteField {
    fn exchange(
        &self,
        params: FiniteFieldParams<'_>,
        peer: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<FiniteFieldExchange, ParamsRejected> {
        let bits = bit_length(params.p);
        if bits < 2048 {
            return Err(ParamsRejected::TooSmall);
        }
        if bits > 8192 {
            return Err(ParamsRejected::TooLarge);
        }
        let odd = params.p.last().is_some_and(|byte| byte % 2 == 1);
        if !odd || bit_length(params.g) < 2 || bit_length(params.g) >= bits {
            return Err(ParamsRejected::Unsafe);
        }
        let len = bits.div_ceil(8);
        let peer = decode(&[], peer).filter(|_| peer.len() == len).ok_or(ParamsRejected::BadPublicValue)?;
        let private = private_key(random).map_err(|_| ParamsRejected::BadPublicValue)?;
        Ok(FiniteFieldExchange {
            public: encode(&[], power(GENERATOR, private), len),
            secret: SharedSecret::new(encode(&[], power(peer, private), len)),
        })
    }

    fn params(&self, group: NamedGroup) -> Option<FiniteFieldParams<'static>> {
        static ONES: [u8; 512] = [0xFF; 512];
        let len = match group {
            NamedGroup::FFDHE2048 => 256,
            NamedGroup::FFDHE3072 => 384,
            NamedGroup::FFDHE4096 => 512,
            _ => return None,
        };
        let p = ONES.get(..len)?;
        Some(FiniteFieldParams { p, g: &[2] })
    }
}

fn private_key(random: &dyn SecureRandom) -> Result<u64, CryptoError> {
    let mut bytes = [0; 8];
    random.fill(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes) % (MODULUS - 3) + 2)
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let multiply = |a: u64, b: u64| {
        u64::try_from(u128::from(a) * u128::from(b) % u128::from(MODULUS)).expect("below a modulus of 61 bits")
    };
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = multiply(result, square);
        }
        square = multiply(square, square);
        exponent /= 2;
    }
    result
}

/// `prefix`, the number, then filler that follows from the number, up to `len` bytes.
fn encode(prefix: &[u8], number: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    let (head, filler) = out.split_at_mut(prefix.len() + 8);
    head[..prefix.len()].copy_from_slice(prefix);
    head[prefix.len()..].copy_from_slice(&number.to_be_bytes());
    let mut mixer = Mixer::new(0x3000);
    mixer.update(&number.to_be_bytes());
    mixer.fill(filler);
    out
}

/// The number in a share, if every byte of the share is as [`encode`] would have it.
fn decode(prefix: &[u8], share: &[u8]) -> Option<u64> {
    let number = share.strip_prefix(prefix)?.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))?;
    let valid = (2..MODULUS).contains(&number) && encode(prefix, number, share.len()) == share;
    valid.then_some(number)
}

fn bit_length(number: &[u8]) -> usize {
    let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::super::SeededRandom;
    use super::*;

    #[test]
    fn both_sides_of_every_group_agree() {
        let random = SeededRandom::new(1);
        for group in GROUPS {
            let ours = group.start(&random).unwrap();
            let (share, theirs) = group.answer(&random, ours.public_key()).unwrap();
            assert_eq!(ours.complete(&share).unwrap().as_ref(), theirs.as_ref());
            let mut damaged = share.clone();
            *damaged.last_mut().unwrap() ^= 1;
            assert!(group.answer(&random, &damaged).is_err());
            assert!(group.answer(&random, &share[1..]).is_err());
            assert!(group.answer(&random, &vec![0; share.len()]).is_err());
        }
    }

    #[test]
    fn the_finite_field_client_agrees_with_the_group_of_the_server() {
        let random = SeededRandom::new(2);
        for name in [NamedGroup::FFDHE2048, NamedGroup::FFDHE3072, NamedGroup::FFDHE4096] {
            let server = GROUPS.iter().find(|group| group.name() == name).unwrap().start(&random).unwrap();
            let params = NullFiniteField.params(name).unwrap();
            let client = NullFiniteField.exchange(params, server.public_key(), &random).unwrap();
            assert_eq!(client.public.len(), params.p.len());
            assert_eq!(server.complete(&client.public).unwrap().as_ref(), client.secret.as_ref());
        }
        assert!(NullFiniteField.params(NamedGroup::X25519).is_none());
    }

    #[test]
    fn bad_parameters_are_refused() {
        let exchange = |p: &[u8], g: &[u8]| {
            NullFiniteField.exchange(FiniteFieldParams { p, g }, &[0; 256], &SeededRandom::new(3)).unwrap_err()
        };
        assert_eq!(exchange(&[0x7F; 256], &[2]), ParamsRejected::TooSmall);
        assert_eq!(exchange(&[0xFF; 1025], &[2]), ParamsRejected::TooLarge);
        assert_eq!(exchange(&[0xFE; 256], &[2]), ParamsRejected::Unsafe);
        assert_eq!(exchange(&[0xFF; 256], &[1]), ParamsRejected::Unsafe);
        assert_eq!(exchange(&[0xFF; 256], &[2]), ParamsRejected::BadPublicValue);
    }
}
