//! The client's states go through a handshake that another implementation made, of which every byte and every secret is
//! known, without network, clock or record layer.
//!
//! The key agreement gives the recorded secret, and the signature is taken for good if it covers what it should; all
//! else is real.

use alloc::boxed::Box;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use gramseal_wire::handshake::ServerHello;
use gramseal_wire::{CipherSuite, Codec, Epoch, MessageSeq, NamedGroup, ProtocolVersion, SignatureScheme};
use pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, ServerName, SignatureVerificationAlgorithm, alg_id,
};

use super::compose::OutgoingSeq;
use super::offer::Offer;
use super::{Action, Keying, State, client13};
use crate::config::{ClientConfig, PeerVerified, PeerVerifier, Presented, Verdict};
use crate::crypto::test_aead::Gcm;
use crate::crypto::test_hash::SHA256;
use crate::crypto::test_hex::unhex;
use crate::crypto::{
    ActiveKx, CryptoError, CryptoProvider, Deferrable, KeyLoader, KeyRejected, KxError, KxGroup, PublicKey,
    RecordKeys13, SchemeVerifier, SecureRandom, SharedSecret, SigningKey,
};
use crate::error::{Error, PeerFault};
use crate::keylog::KeyLog;
use crate::message::Message;

/// A value of the recording.
fn recorded(name: &str) -> Vec<u8> {
    let lines = include_str!("recorded13.txt").lines().filter_map(|line| line.split_once(' '));
    let (_, hex) = lines.into_iter().find(|(other, _)| *other == name).expect("in the recording");
    unhex(hex)
}

fn message(epoch: u64, name: &str) -> Message {
    Message::new(Epoch(epoch), recorded(name)).expect("a message")
}

/// x25519 with the recorded shares and what comes of them.
#[derive(Debug)]
struct Recorded;

impl KxGroup for Recorded {
    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn start(&self, _: &dyn SecureRandom) -> Result<Box<dyn ActiveKx>, CryptoError> {
        // The share is the 32 bytes behind the group and the length, at this place in the hello.
        let hello = recorded("client_hello");
        let at = hello.windows(4).position(|bytes| bytes == [0, 29, 0, 32]).expect("a share");
        Ok(Box::new(RecordedKx(hello[at + 4..at + 36].to_vec())))
    }
}

struct RecordedKx(Vec<u8>);

impl ActiveKx for RecordedKx {
    fn public_key(&self) -> &[u8] {
        &self.0
    }

    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, KxError> {
        let hello = recorded("server_hello");
        let theirs = hello.windows(peer.len()).any(|bytes| bytes == peer);
        let known = theirs && peer.len() == 32;
        if known { Ok(SharedSecret::new(recorded("shared_secret"))) } else { Err(KxError::InvalidShare) }
    }
}

/// Takes the recorded signature for good, if it is over the recorded handshake up to the certificate.
#[derive(Debug)]
struct Signature;

impl SignatureVerificationAlgorithm for Signature {
    fn verify_signature(&self, _: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let verify = recorded("certificate_verify");
        // The hash of the four messages before it is in no list: the server's Finished depends on it.
        let (content, digest) = message.split_at_checked(message.len() - 32).ok_or(InvalidSignature)?;
        let named = content.ends_with(b"TLS 1.3, server CertificateVerify\0") && content.starts_with(&[32; 64]);
        let mut context = crate::crypto::Hash::start(&SHA256);
        for name in ["client_hello", "server_hello", "encrypted_extensions", "certificate"] {
            let message = recorded(name);
            context.update(&message[..4]);
            context.update(&message[12..]);
        }
        let right = named && content.len() == 64 + 34 && context.current().ct_eq(digest) && verify.ends_with(signature);
        if right { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PSS_SHA256
    }
}

#[derive(Debug)]
struct Believes;

impl PeerVerifier for Believes {
    fn verify(&self, _: &Presented<'_>) -> Deferrable<Verdict> {
        Ok(PeerVerified::assertion(PublicKey::new(alg_id::RSA_ENCRYPTION.as_ref().to_vec(), vec![]))).into()
    }
}

#[derive(Debug)]
struct NoKeys;

impl KeyLoader for NoKeys {
    fn load(&self, _: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        Err(KeyRejected::Unsupported)
    }
}

/// The client's random, which is all that is random here.
#[derive(Debug)]
struct Counting;

impl SecureRandom for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        out.iter_mut().zip(0xE0..=0xFF).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

/// What it would say, the actions say already.
#[derive(Debug)]
struct Logs;

impl KeyLog for Logs {
    fn log(&self, _: &str, _: &[u8; 32], _: &[u8]) {}
}

fn config() -> ClientConfig {
    let provider = CryptoProvider {
        aeads: vec![&Gcm],
        hashes: vec![&SHA256],
        groups: vec![&Recorded],
        finite_field: None,
        verifiers: vec![SchemeVerifier { scheme: SignatureScheme::RSA_PSS_RSAE_SHA256, algorithms: &[&Signature] }],
        keys: &NoKeys,
        random: Arc::new(Counting),
    };
    let builder = ClientConfig::builder(Arc::new(provider), Arc::new(Believes));
    let builder = builder.with_versions(&[ProtocolVersion::DTLS1_3]).with_key_log(Arc::new(Logs));
    builder.with_cipher_suites(&[CipherSuite::TLS_AES_128_GCM_SHA256]).build().expect("a configuration")
}

/// A client that has taken the ServerHello, and what it wants done.
fn greeted() -> (State, Vec<Action>) {
    let name = ServerName::try_from("example.ulfheim.net").expect("a name");
    let offer = Offer::new(Arc::new(config()), name).expect("an offer");
    let hello = message(0, "server_hello");
    let parsed = ServerHello::from_bytes(hello.body()).expect("a hello");
    let seq = OutgoingSeq::new(MessageSeq(1));
    let mut out = Vec::new();
    let state = client13::start(offer, seq, &recorded("client_hello"), None, &parsed, &hello, &mut out);
    (state.expect("it fits"), out)
}

/// The keys seal the recorded record of this name as it was.
fn check_keys(keys: &RecordKeys13, name: &str) {
    let of = |part: &str| recorded(&[name, "_", part].concat());
    assert_eq!(keys.iv.to_vec(), recorded(&["keys_", name, "_iv"].concat()));
    let record = of("record");
    let (_, sealed) = record.split_at(of("aad").len());
    assert_eq!(keys.mask.mask(sealed.first_chunk().expect("a sample")).expect("a mask").to_vec(), of("mask"));
    let (inner, nonce) = (of("inner"), of("nonce").try_into().expect("12 bytes"));
    let (content_type, content) = inner.split_last().expect("a content type");
    let mut out = vec![0; sealed.len()];
    keys.key.seal(nonce, &of("aad"), content, &[*content_type], &mut out).expect("lengths fit");
    assert_eq!(out, sealed, "{name}");
}

/// A short name for each action; keys and secrets are compared with the recording.
fn check(actions: Vec<Action>) -> Vec<&'static str> {
    let logged = |label: &str| match label {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET" => "client_handshake_traffic_secret",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET" => "server_handshake_traffic_secret",
        "CLIENT_TRAFFIC_SECRET_0" => "client_ap",
        "SERVER_TRAFFIC_SECRET_0" => "server_ap",
        _ => "exporter_master_secret",
    };
    let one = |action| match action {
        Action::Version(ProtocolVersion::DTLS1_3) => "version",
        Action::LogSecret(secret) => {
            let name = logged(&secret.label);
            assert_eq!(secret.secret.to_vec(), recorded(name), "{name}");
            assert!(secret.client_random.into_iter().eq(0xE0..=0xFF));
            name
        }
        Action::InstallRead13(Epoch(2), keys) => {
            check_keys(&keys, "server_hs");
            "read 2"
        }
        Action::InstallWrite13(Epoch(2), keys) => {
            check_keys(&keys, "client_hs");
            "write 2"
        }
        Action::InstallRead13(Epoch(3), keys) => {
            check_keys(&keys, "server_ap");
            "read 3"
        }
        Action::InstallWrite13(Epoch(3), keys) => {
            check_keys(&keys, "client_ap");
            "write 3"
        }
        Action::Send(message) => {
            assert_eq!((message.epoch, message.bytes()), (Epoch(2), &recorded("client_finished")[..]));
            "send"
        }
        Action::LimitRecords(_) => "limit",
        Action::AgreeOnCids(None) => "no connection ids",
        Action::EndAcknowledgedFlight => "end",
        Action::Complete(established) => {
            assert!(matches!(established.keying, Keying::V13(_)));
            assert_eq!(established.negotiated.peer_signature_scheme, Some(SignatureScheme::RSA_PSS_RSAE_SHA256));
            "complete"
        }
        _ => "something else",
    };
    actions.into_iter().map(one).collect()
}

#[test] // RFC 9846 §4.5, §7; RFC 9147 §5.9, §4.2.3
fn the_recorded_handshake_has_the_recorded_secrets_keys_and_finished() {
    let (mut state, actions) = greeted();
    let secrets = ["client_handshake_traffic_secret", "server_handshake_traffic_secret"];
    assert_eq!(check(actions), [&["version", "no connection ids"][..], &secrets, &["read 2", "write 2"]].concat());
    for (name, expected) in
        [("encrypted_extensions", &["limit"][..]), ("certificate", &[]), ("certificate_verify", &[])]
    {
        let mut out = Vec::new();
        state = state.handle(&message(2, name), &mut out).expect("it fits");
        assert_eq!(check(out), expected, "{name}");
        assert!(matches!(state, State::Client13(_)) && !state.is_waiting());
        assert_eq!(state.awaited_epoch(), Epoch(2));
    }
    let mut out = Vec::new();
    let state = state.handle(&message(2, "server_finished"), &mut out).expect("it fits");
    assert!(matches!(state, State::Connected));
    let secrets = ["client_ap", "server_ap", "exporter_master_secret"];
    assert_eq!(check(out), [&secrets[..], &["read 3", "send", "write 3", "end", "complete"]].concat());
}

#[test] // RFC 9846 §4.5.2, §4.5.3
fn any_other_byte_before_the_finished_shows_in_it() {
    let names = ["encrypted_extensions", "certificate", "certificate_verify", "server_finished"];
    for changed in ["certificate", "certificate_verify", "server_finished"] {
        let (mut state, mut out) = greeted();
        let mut error = None;
        for name in names {
            let mut bytes = recorded(name);
            if name == changed {
                *bytes.last_mut().expect("a body") ^= 1;
                // The extensions of the last certificate: still none.
                if name == "certificate" {
                    *bytes.last_mut().expect("a body") ^= 1;
                    bytes[100] ^= 1;
                }
            }
            let message = Message::new(Epoch(2), bytes).expect("a message");
            match state.handle(&message, &mut out) {
                Ok(next) => state = next,
                Err(fault) => {
                    error = Some(fault);
                    break;
                }
            }
        }
        let expected = if changed == "server_finished" { PeerFault::FinishedMismatch } else { PeerFault::BadSignature };
        assert_eq!(error, Some(Error::Peer(expected)), "{changed}");
    }
}

#[test] // RFC 9846 §4
fn each_state_takes_its_message_alone() {
    let names = ["encrypted_extensions", "certificate", "certificate_verify", "server_finished"];
    for (at, due) in names.into_iter().enumerate() {
        for other in names.into_iter().filter(|name| *name != due) {
            let (mut state, mut out) = greeted();
            for name in &names[..at] {
                state = state.handle(&message(2, name), &mut out).expect("it fits");
            }
            let message = message(2, other);
            let error = state.handle(&message, &mut out).err();
            assert_eq!(error, Some(PeerFault::UnexpectedMessage(message.msg_type()).into()), "{other}");
        }
        // The right one in another epoch.
        let (mut state, mut out) = greeted();
        for name in &names[..at] {
            state = state.handle(&message(2, name), &mut out).expect("it fits");
        }
        let early = message(0, due);
        let error = state.handle(&early, &mut out).err();
        assert_eq!(error, Some(PeerFault::WrongEpoch(early.msg_type()).into()), "{due}");
    }
}
