//! What a handshake left behind, as bytes and back: for associations that move to another process.
//!
//! Whoever reads has checked before that the provider has the algorithms of the suite. A running hash has no bytes, so
//! that what needs one does not move: clients are not authenticated after the handshake once it has.

use alloc::boxed::Box;

use gramseal_wire::{
    CertificateCompressionAlgorithm, CipherSuite, DecodeError, Epoch, MessageSeq, NamedGroup, ProtocolVersion, Random,
    Reader, SignatureScheme, SrtpProfile, Writer,
};
use subtle::ConstantTimeEq;

use super::auth13::Signer;
use super::compose::OutgoingSeq;
use super::resume13::TicketTerms;
use super::schedule12::{Randoms, Session12, psk_binding};
use super::schedule13::{Exporter, ResumptionSecret, Secret, Session13, TrafficSecret, TrafficSecrets};
use super::{Keying, Negotiated, PostHandshake, Srtp};
use crate::cid::CidLengths;
use crate::config::ClientConfig;
use crate::crypto::{AeadAlgorithm, CryptoProvider, Digest, Hash, RecordKeys12, RecordKeys13, SecretArray};
use crate::encoding::{flag, optional, read_flag, read_optional};
use crate::error::{Error, LocalFault};
use crate::session::PSK_BINDING_LEN;
use crate::suite::{Suite12, Suite13};

impl Negotiated {
    pub(crate) fn write_image(&self, w: &mut Writer<'_>) {
        // Each by its name, so that nothing new is forgotten.
        let Self {
            version,
            cipher_suite,
            group,
            alpn,
            srtp,
            cids,
            return_routability_check,
            server_name,
            peer_certificates,
            peer_raw_public_key,
            peer_ocsp_response,
            psk_identity,
            peer_certificate_compression,
            own_certificate_compression,
            peer_signature_scheme,
            resumed,
            early_data,
        } = self;
        w.u16(version.0);
        w.u16(cipher_suite.0);
        w.u16(group.map_or(0, |group| group.0));
        w.u16(peer_signature_scheme.map_or(0, |scheme| scheme.0));
        w.u16(peer_certificate_compression.map_or(0, |algorithm| algorithm.0));
        w.u16(own_certificate_compression.map_or(0, |algorithm| algorithm.0));
        flag(w, *resumed);
        flag(w, *early_data);
        flag(w, cids.is_some());
        if let Some(CidLengths { own, peer }) = cids {
            w.u8(*own);
            w.u8(*peer);
        }
        flag(w, *return_routability_check);
        optional(w, alpn.as_deref());
        flag(w, srtp.is_some());
        if let Some(Srtp { profile, mki }) = srtp {
            w.u16(profile.0);
            w.vec8(|w| w.bytes(mki));
        }
        optional(w, server_name.as_deref().map(str::as_bytes));
        optional(w, psk_identity.as_deref());
        optional(w, peer_raw_public_key.as_ref().map(AsRef::as_ref));
        w.vec24(|w| {
            for certificate in peer_certificates {
                w.vec24(|w| w.bytes(certificate));
            }
        });
        w.vec24(|w| w.bytes(peer_ocsp_response));
    }

    pub(crate) fn read_image(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut read = Self::new(ProtocolVersion(r.u16()?), CipherSuite(r.u16()?));
        read.group = Some(NamedGroup(r.u16()?)).filter(|group| group.0 != 0);
        read.peer_signature_scheme = Some(SignatureScheme(r.u16()?)).filter(|scheme| scheme.0 != 0);
        let mut compression =
            || Ok::<_, DecodeError>(Some(CertificateCompressionAlgorithm(r.u16()?)).filter(|name| name.0 != 0));
        read.peer_certificate_compression = compression()?;
        read.own_certificate_compression = compression()?;
        read.resumed = read_flag(r)?;
        read.early_data = read_flag(r)?;
        if read_flag(r)? {
            read.cids = Some(CidLengths { own: r.u8()?, peer: r.u8()? });
        }
        read.return_routability_check = read_flag(r)?;
        read.alpn = read_optional(r)?.map(<[u8]>::to_vec);
        if read_flag(r)? {
            read.srtp = Some(Srtp { profile: SrtpProfile(r.u16()?), mki: r.vec8()?.to_vec() });
        }
        read.server_name = match read_optional(r)? {
            Some(name) => Some(core::str::from_utf8(name).map_err(|_| DecodeError::IllegalValue)?.into()),
            None => None,
        };
        read.psk_identity = read_optional(r)?.map(<[u8]>::to_vec);
        read.peer_raw_public_key = read_optional(r)?.map(|key| key.to_vec().into());
        let mut certificates = Reader::new(r.vec24()?);
        while !certificates.is_empty() {
            read.peer_certificates.push(certificates.vec24()?.to_vec().into());
        }
        read.peer_ocsp_response = r.vec24()?.to_vec();
        Ok(read)
    }

    /// Bytes that [`Self::write_image`] writes, or a few less than these.
    pub(crate) fn image_len(&self) -> usize {
        let certificates: usize = self.peer_certificates.iter().map(|certificate| 3 + certificate.len()).sum();
        let named =
            [self.alpn.as_deref(), self.psk_identity.as_deref(), self.server_name.as_deref().map(str::as_bytes)];
        let named: usize = named.into_iter().flatten().map(<[u8]>::len).sum();
        512 + certificates
            + named
            + self.peer_ocsp_response.len()
            + self.peer_raw_public_key.as_ref().map_or(0, |key| key.len())
    }

    /// The algorithms of the cipher suite, as `provider` has them; `None` if it does not, or if there is no such suite.
    pub(crate) fn algorithms(&self, provider: &CryptoProvider) -> Option<(AeadAlgorithm, &'static dyn Hash)> {
        let (aead, hash) = match self.version {
            ProtocolVersion::DTLS1_3 => Suite13::find(self.cipher_suite).map(|suite| (suite.aead, suite.hash))?,
            ProtocolVersion::DTLS1_2 => Suite12::find(self.cipher_suite).map(|suite| (suite.aead, suite.hash))?,
            _ => return None,
        };
        provider.aead(aead)?;
        Some((aead, provider.hash(hash)?))
    }
}

impl Keying {
    pub(crate) fn write_image(&self, w: &mut Writer<'_>) {
        match self {
            Self::V12(session) => {
                let Session12 { hash: _, master_secret, randoms } = &**session;
                w.bytes(master_secret);
                w.bytes(&randoms.client.0);
                w.bytes(&randoms.server.0);
            }
            Self::V13(Session13 { exporter, resumption }) => {
                w.vec8(|w| w.bytes(exporter.0.bytes()));
                optional(w, resumption.as_ref().map(|secret| secret.0.bytes()));
            }
        }
    }

    pub(crate) fn read_image12(r: &mut Reader<'_>, hash: &'static dyn Hash) -> Result<Self, DecodeError> {
        let mut master_secret = Box::new(SecretArray::new([0; 48]));
        master_secret.copy_from_slice(r.bytes(48)?);
        let randoms = Randoms { client: Random(r.array()?), server: Random(r.array()?) };
        Ok(Self::V12(Box::new(Session12 { hash, master_secret, randoms })))
    }

    pub(crate) fn read_image13(r: &mut Reader<'_>, hash: &'static dyn Hash) -> Result<Self, DecodeError> {
        let exporter = Exporter(read_secret(r.vec8()?, hash)?);
        let resumption = match read_optional(r)? {
            Some(bytes) => Some(ResumptionSecret(read_secret(bytes, hash)?)),
            None => None,
        };
        Ok(Self::V13(Session13 { exporter, resumption }))
    }

    /// The keys of 1.2 once more: those that `side` reads with, and those that it writes with.
    pub(crate) fn record_keys12(
        &self,
        suite: CipherSuite,
        side: Signer,
        provider: &CryptoProvider,
    ) -> Result<[RecordKeys12; 2], Error> {
        let (Self::V12(session), Some(suite)) = (self, Suite12::find(suite)) else {
            return Err(LocalFault::MissingAlgorithm.into());
        };
        let block = session.key_block(suite, provider)?;
        Ok(match side {
            Signer::Client => [block.server_write, block.client_write],
            Signer::Server => [block.client_write, block.server_write],
        })
    }
}

impl PostHandshake {
    /// Whether all of it can be written. Not if the client may be asked who it is and would have to answer, nor in the
    /// middle of that: it goes on from a running hash.
    pub(crate) fn has_image(&self) -> bool {
        match self.side {
            Signer::Client => self.later.is_none(),
            Signer::Server => !self.awaits_answer(),
        }
    }

    /// Whether records of `epoch` can be read with what is written.
    pub(crate) fn reads(&self, epoch: Epoch, newest: Epoch) -> bool {
        epoch == newest || self.previous.iter().any(|(previous, _)| *previous == epoch)
    }

    pub(crate) fn write_image(&self, w: &mut Writer<'_>) {
        // 65,536 when the numbers are used up.
        w.u32(self.seq.next().map_or(1 << 16, |next| next.0.into()));
        w.bytes(&self.client_random.0);
        for secret in [&self.secrets.client, &self.secrets.server] {
            w.vec8(|w| w.bytes(secret.0.bytes()));
        }
        w.vec16(|w| {
            for (epoch, secret) in &self.previous {
                w.u64(epoch.0);
                w.vec8(|w| w.bytes(secret.0.bytes()));
            }
        });
    }

    pub(crate) fn read_image(
        r: &mut Reader<'_>,
        side: Signer,
        algorithm: AeadAlgorithm,
        hash: &'static dyn Hash,
    ) -> Result<Self, DecodeError> {
        let seq = OutgoingSeq::going_on(u16::try_from(r.u32()?).ok().map(MessageSeq));
        let client_random = Random(r.array()?);
        let mut secret = || read_secret(r.vec8()?, hash).map(TrafficSecret);
        let secrets = TrafficSecrets { client: secret()?, server: secret()? };
        let mut read = Self::new(side, seq, secrets, algorithm, client_random);
        let mut previous = Reader::new(r.vec16()?);
        while !previous.is_empty() {
            let epoch = Epoch(previous.u64()?);
            read.previous.push((epoch, TrafficSecret(read_secret(previous.vec8()?, hash)?)));
        }
        Ok(read)
    }

    /// The keys once more that records of `epoch` are read with; `newest` is that of the latest secrets.
    pub(crate) fn read_keys(
        &self,
        epoch: Epoch,
        newest: Epoch,
        provider: &CryptoProvider,
    ) -> Result<RecordKeys13, Error> {
        if epoch == newest {
            let [read, _] = self.current_keys(provider)?;
            return Ok(read);
        }
        let previous = self.previous.iter().find(|(previous, _)| *previous == epoch);
        let (_, secret) = previous.ok_or(LocalFault::MissingAlgorithm)?;
        secret.record_keys(self.algorithm, provider)
    }
}

impl TicketTerms {
    /// Of the pre-shared key only its name is written, and what it can be known by again.
    pub(crate) fn write_image(&self, w: &mut Writer<'_>, keying: &Keying) {
        w.vec16(|w| w.bytes(self.server_name.as_bytes()));
        w.u64(self.established);
        w.u64(self.expires);
        flag(w, self.psk.is_some());
        if let (Some(psk), Keying::V13(session)) = (&self.psk, keying) {
            w.vec16(|w| w.bytes(psk.identity()));
            optional(w, psk.import());
            w.bytes(&binding(session, psk.key()));
        }
    }

    /// Bytes that [`Self::write_image`] writes, or a few less than these.
    pub(crate) fn image_len(&self) -> usize {
        let psk = self.psk.as_ref().map_or(0, |psk| psk.identity().len() + psk.import().map_or(0, <[u8]>::len));
        64 + self.server_name.len() + psk
    }

    /// `None` if the configuration has the key no more: then tickets are not worth keeping.
    pub(crate) fn read_image(
        r: &mut Reader<'_>,
        keying: &Keying,
        config: &ClientConfig,
    ) -> Result<Option<Self>, DecodeError> {
        let server_name = core::str::from_utf8(r.vec16()?).map_err(|_| DecodeError::IllegalValue)?.into();
        let mut read = Self { server_name, established: r.u64()?, expires: r.u64()?, psk: None };
        if !read_flag(r)? {
            return Ok(Some(read));
        }
        let (identity, import) = (r.vec16()?, read_optional(r)?);
        let bound: [u8; PSK_BINDING_LEN] = r.array()?;
        let Keying::V13(session) = keying else { return Err(DecodeError::IllegalValue) };
        let named = config.psks.iter().filter(|psk| psk.identity() == identity && psk.import() == import);
        read.psk = named.into_iter().find(|psk| bool::from(binding(session, psk.key()).ct_eq(&bound))).cloned();
        Ok(read.psk.is_some().then_some(read))
    }
}

/// Tells whether a key is the one that an association with these secrets began with.
fn binding(session: &Session13, psk: &[u8]) -> [u8; PSK_BINDING_LEN] {
    let secret = &session.exporter.0;
    psk_binding(secret.hash, secret.bytes(), psk)
}

fn read_secret(bytes: &[u8], hash: &'static dyn Hash) -> Result<Secret, DecodeError> {
    if bytes.len() != hash.algorithm().output_len() {
        return Err(DecodeError::BadVectorLength);
    }
    Ok(Secret { hash, bytes: Box::new(Digest::new(bytes)) })
}
