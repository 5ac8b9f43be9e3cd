//! use_srtp, the sizes of records, forms of certificates and stapled statuses, where 1.3 has them.

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::wire::{
    AlertDescription as Alert, CertificateType, Codec, DecodeError, EncryptedExtensions, ExtensionType as Ext,
    ExtensionsBuf, HandshakeType, SrtpProfile,
};
use gramseal_proto::{CertificateFault, Error, Incompatible, PeerFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene13};

use super::{VERSIONS, assert_refused, send};
use crate::hello::{ClientFields, written};

const RAW: CertificateType = CertificateType::RAW_PUBLIC_KEY;
const STAPLE: &[u8] = b"a good response";

/// Asks for everything that can be asked for, and takes certificates in either form.
fn client() -> ClientConfig {
    let verifier = NullVerifier::default().with_forms(&[CertificateType::X509, RAW]).with_staple(STAPLE);
    let builder = ClientConfig::builder(null::provider(2), Arc::new(verifier)).with_versions(&VERSIONS);
    let builder = builder.with_srtp(&[SrtpProfile::AEAD_AES_128_GCM]).with_srtp_mki([1, 2]);
    builder.with_record_size_limit(500).with_max_fragment_length(512).build().expect("a client configuration")
}

fn encrypted(list: &[(Ext, &[u8])]) -> Scene13 {
    let mut scene = Scene13::client13(client(), 1);
    scene.say(&[HandshakeType::SERVER_HELLO]);
    let mut extensions = ExtensionsBuf::new();
    list.iter().for_each(|(extension, content)| extensions.push_raw(*extension, content));
    let body = EncryptedExtensions { extensions: extensions.as_extensions() }.to_vec().expect("short");
    send(&mut scene, HandshakeType::ENCRYPTED_EXTENSIONS, &body);
    scene
}

#[track_caller]
fn refused(scene: Scene13, error: impl Into<Error>, alert: Alert) {
    assert_refused(scene, 2, error, alert);
}

#[test] // RFC 5764 §4.1.1, §4.1.3
fn profiles_that_do_not_answer_ours() {
    let answer = |content: &[u8]| encrypted(&[(Ext::USE_SRTP, content)]);
    for fits in [&[0, 2, 0, 7, 0][..], &[0, 2, 0, 7, 2, 1, 2]] {
        assert_eq!(answer(fits).outcome(), Outcome::Waiting);
    }
    refused(answer(&[0, 2, 0, 8, 0]), PeerFault::UnofferedSrtpProfile, Alert::ILLEGAL_PARAMETER);
    refused(answer(&[0, 2, 0, 7, 1, 9]), PeerFault::SrtpMkiMismatch, Alert::ILLEGAL_PARAMETER);
    refused(answer(&[0, 4, 0, 7, 0, 7, 0]), DecodeError::BadVectorLength, Alert::DECODE_ERROR);
}

#[test] // RFC 8449 §4, §5, RFC 6066 §4
fn sizes_of_records_that_no_server_may_answer() {
    let limit = |bytes: u16| encrypted(&[(Ext::RECORD_SIZE_LIMIT, &bytes.to_be_bytes())]);
    // In 1.3 the content type counts too.
    for bytes in [64, 16_384, 16_385] {
        assert_eq!(limit(bytes).outcome(), Outcome::Waiting, "{bytes}");
    }
    for bytes in [0, 63, 16_386, u16::MAX] {
        refused(limit(bytes), PeerFault::BadRecordSizeLimit, Alert::ILLEGAL_PARAMETER);
    }
    for code in [0, 2, 4, 5] {
        let scene = encrypted(&[(Ext::MAX_FRAGMENT_LENGTH, &[code])]);
        refused(scene, PeerFault::BadMaxFragmentLength, Alert::ILLEGAL_PARAMETER);
    }
    let both = encrypted(&[(Ext::RECORD_SIZE_LIMIT, &[1, 0]), (Ext::MAX_FRAGMENT_LENGTH, &[1])]);
    refused(both, PeerFault::TwoRecordLimits, Alert::ILLEGAL_PARAMETER);
}

#[test] // RFC 8449 §4
fn sizes_of_records_that_no_client_may_ask_for() {
    let asked = |bytes: u16| {
        let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
        let config: ServerConfig =
            null::server_config(3, identity).with_versions(&VERSIONS).build().expect("a server configuration");
        let mut scene = Scene13::server13(config, 1);
        let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
        fields.extensions.push(Ext::RECORD_SIZE_LIMIT, &bytes.to_be_bytes());
        send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
        scene
    };
    for bytes in [0, 63] {
        assert_refused(asked(bytes), 0, PeerFault::BadRecordSizeLimit, Alert::ILLEGAL_PARAMETER);
    }
    // More than there is may make sense to the client.
    for bytes in [64, 16_385, u16::MAX] {
        assert_eq!(asked(bytes).outcome(), Outcome::Waiting, "{bytes}");
    }
}

#[test] // RFC 7250 §4.2, RFC 9846 §4.5.1
fn forms_that_do_not_fit() {
    let form = |form: CertificateType| encrypted(&[(Ext::SERVER_CERTIFICATE_TYPE, &[form.0])]);
    refused(form(CertificateType::OPEN_PGP), PeerFault::UnofferedCertificateType, Alert::ILLEGAL_PARAMETER);
    // It has nothing to show, in no form.
    let client = encrypted(&[(Ext::CLIENT_CERTIFICATE_TYPE, &[RAW.0])]);
    refused(client, PeerFault::UnofferedExtension, Alert::UNSUPPORTED_EXTENSION);

    let shows = |entries: &[&[u8]]| {
        let mut scene = form(RAW);
        let body = certificate(&entries.iter().map(|entry| (*entry, &[][..])).collect::<Vec<_>>());
        send(&mut scene, HandshakeType::CERTIFICATE, &body);
        scene
    };
    refused(shows(&[b"a key"]), CertificateFault::BadEncoding, Alert::BAD_CERTIFICATE);
    // One key, and no chain.
    refused(shows(&[b"a key", b"another"]), PeerFault::UnofferedCertificateType, Alert::ILLEGAL_PARAMETER);
    refused(shows(&[]), PeerFault::EmptyCertificate, Alert::DECODE_ERROR);
}

#[test] // RFC 7250 §4.1: who says nothing shows X.509
fn a_certificate_for_a_client_that_takes_raw_keys_alone() {
    let verifier = Arc::new(NullVerifier::default().with_forms(&[RAW]));
    let config = ClientConfig::builder(null::provider(2), verifier).with_versions(&VERSIONS).build();
    let mut scene = Scene13::client13(config.expect("a client configuration"), 1);
    scene.say(&[HandshakeType::SERVER_HELLO, HandshakeType::ENCRYPTED_EXTENSIONS]);
    let body = scene.peer.body_of(HandshakeType::CERTIFICATE);
    send(&mut scene, HandshakeType::CERTIFICATE, &body);
    refused(scene, Incompatible::NoCommonCertificateType, Alert::UNSUPPORTED_CERTIFICATE);
}

fn certificate(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    written(|w| {
        w.vec8(|_| ());
        w.vec24(|w| {
            for (certificate, extensions) in entries {
                w.vec24(|w| w.bytes(certificate));
                w.vec16(|w| w.bytes(extensions));
            }
        });
    })
}

#[test] // RFC 9846 §4.5.1.1, RFC 6066 §8
fn statuses_that_are_none() {
    let end = null::certificate(null::SERVER_NAME, &NullKey::new(ToyKind::EcdsaP256, 1), 0);
    let staples = |content: &[u8]| {
        let mut scene = encrypted(&[]);
        let extension = written(|w| {
            w.u16(Ext::STATUS_REQUEST.0);
            w.vec16(|w| w.bytes(content));
        });
        send(&mut scene, HandshakeType::CERTIFICATE, &certificate(&[(&end, &extension)]));
        scene
    };
    let good = [&[1, 0, 0, 15][..], STAPLE].concat();
    assert_eq!(staples(&good).outcome(), Outcome::Waiting);
    refused(staples(&[1, 0, 0, 1, 9]), CertificateFault::Refused, Alert::CERTIFICATE_UNKNOWN);
    refused(staples(&[2, 0, 0, 1, 9]), PeerFault::UnofferedCertificateType, Alert::ILLEGAL_PARAMETER);
    refused(staples(&[1, 0, 0, 0]), DecodeError::EmptyVector, Alert::DECODE_ERROR);
    refused(staples(&[1, 0, 0, 1, 9, 9]), DecodeError::TrailingBytes, Alert::DECODE_ERROR);
    // As in 1.2, where the server says in its hello that a message follows.
    let promised = encrypted(&[(Ext::STATUS_REQUEST, &[])]);
    refused(promised, PeerFault::MisplacedExtension, Alert::ILLEGAL_PARAMETER);
}
