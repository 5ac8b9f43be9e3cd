//! Which of several credentials a peer gets to see.

use std::sync::Arc;

use gramseal_proto::config::Identity;
use gramseal_proto::crypto::{CryptoError, Deferrable, SecureRandom, SigningKey};
use gramseal_proto::pki_types::{SubjectPublicKeyInfoDer, alg_id};
use gramseal_proto::wire::{
    AlertDescription as Alert, Certificate12, CertificateType, ClientCertificateType, Codec, ExtensionType as Ext,
    HandshakeType, NamedGroup, RawPublicKey12, SignatureScheme,
};
use gramseal_proto::{Incompatible, Misfit};
use gramseal_testkit::null::{self, NullKey, ToyKind};
use gramseal_testkit::peer::Scene;

use crate::hello::{ClientFields, Fields, list16, written};
use crate::{assert_refused, send};

const ECDSA: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
const ED25519: SignatureScheme = SignatureScheme::ED25519;

fn identity(kind: ToyKind, name: &str) -> Identity {
    null::identity(kind, name, 0)
}

/// A server with `identities` and a client whose hello has these extensions beside the usual ones.
fn met(identities: impl IntoIterator<Item = Identity>, edit: impl FnOnce(&mut Fields)) -> Scene {
    let mut identities = identities.into_iter();
    let mut builder = null::server_config(3, identities.next().expect("at least one"));
    for identity in identities {
        builder = builder.with_identity(identity);
    }
    let mut scene = Scene::server(builder.build().expect("a server"), 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(HandshakeType::CLIENT_HELLO));
    edit(&mut fields.extensions);
    send(&mut scene, HandshakeType::CLIENT_HELLO, &fields.body());
    scene
}

/// What the server shows then: the certificate's name, or "raw".
fn shown(identities: impl IntoIterator<Item = Identity>, edit: impl FnOnce(&mut Fields)) -> String {
    name_in(&met(identities, edit).peer.received()[1].body)
}

/// The name in a toy certificate stands behind its key.
fn name_in(body: &[u8]) -> String {
    if RawPublicKey12::from_bytes(body).is_ok() && Certificate12::from_bytes(body).is_err() {
        return "raw".to_owned();
    }
    let certificates = Certificate12::from_bytes(body).expect("a chain");
    let text = String::from_utf8_lossy(certificates.iter().next().expect("a certificate")).into_owned();
    ["default", "a.example", "*.b.example", "second"]
        .into_iter()
        .find(|name| text.contains(name))
        .map_or(text, str::to_owned)
}

fn host(name: &str) -> Vec<u8> {
    written(|w| {
        w.vec16(|w| {
            w.u8(0);
            w.vec16(|w| w.bytes(name.as_bytes()));
        });
    })
}

#[test] // RFC 6066 §3
fn the_name_that_the_client_asks_for_chooses() {
    let all = || {
        [
            identity(ToyKind::EcdsaP256, "a.example").with_names(["a.example"]),
            identity(ToyKind::EcdsaP256, "*.b.example").with_names(["*.b.example", "b.example"]),
            identity(ToyKind::EcdsaP256, "default"),
        ]
    };
    for (asked, expected) in [
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("b.example", "*.b.example"),
        ("x.b.example", "*.b.example"),
        // A star is one label.
        ("x.y.b.example", "default"),
        ("c.example", "default"),
    ] {
        assert_eq!(shown(all(), |hello| hello.push(Ext::SERVER_NAME, &host(asked))), expected, "{asked}");
    }
    assert_eq!(shown(all(), |_| ()), "default");
    // Without one for any name, who asks for another sees the first.
    let [a, b, _] = all();
    assert_eq!(shown([a, b], |hello| hello.push(Ext::SERVER_NAME, &host("c.example"))), "a.example");
}

#[test] // RFC 5246 §7.4.2, §7.4.1.4.1
fn the_first_that_can_sign_as_the_client_wants_is_shown() {
    let all = || [identity(ToyKind::Ed25519, "default"), identity(ToyKind::EcdsaP256, "second")];
    let wants = |schemes: &[SignatureScheme]| {
        shown(all(), |hello| hello.replace(Ext::SIGNATURE_ALGORITHMS, &list16(schemes.iter().copied())))
    };
    assert_eq!(wants(&[ECDSA, ED25519]), "default");
    assert_eq!(wants(&[ECDSA]), "second");
    assert_eq!(wants(&[ED25519]), "default");
}

#[test] // RFC 5246 §7.4.2: the key goes with the suite, and the suite is what both have
fn a_key_that_goes_with_the_suite_is_found() {
    let all = [identity(ToyKind::Rsa, "default"), identity(ToyKind::EcdsaP256, "second")];
    // The scripted client offers one suite, for ECDSA.
    assert_eq!(shown(all, |_| ()), "second");
}

#[test] // RFC 9846 §4.3.4: also clients of 1.2 may send it
fn authorities_that_the_client_trusts_choose() {
    let all = || {
        [
            identity(ToyKind::EcdsaP256, "default").with_issuers(vec![vec![0x30, 1, 1]]),
            identity(ToyKind::EcdsaP256, "second").with_issuers(vec![vec![0x30, 1, 2], vec![0x30, 1, 3]]),
        ]
    };
    let trusts = |authority: &[u8]| {
        let list = written(|w| w.vec16(|w| w.vec16(|w| w.bytes(authority))));
        shown(all(), |hello| hello.push(Ext::CERTIFICATE_AUTHORITIES, &list))
    };
    assert_eq!(trusts(&[0x30, 1, 1]), "default");
    assert_eq!(trusts(&[0x30, 1, 3]), "second");
    // Nothing fits: the client will see for itself.
    assert_eq!(trusts(&[0x30, 1, 9]), "default");
}

#[test] // RFC 5246 §7.4.2, RFC 9846 §4.3.3: also clients of 1.2 may send the second list
fn signatures_that_the_client_can_check_choose() {
    let all = || {
        [
            identity(ToyKind::EcdsaP256, "default").with_certificate_schemes(vec![SignatureScheme::RSA_PKCS1_SHA256]),
            identity(ToyKind::EcdsaP256, "second").with_certificate_schemes(vec![ECDSA]),
        ]
    };
    let checks = |schemes: &[SignatureScheme]| {
        let list = list16(schemes.iter().copied());
        shown(all(), |hello| hello.push(Ext::SIGNATURE_ALGORITHMS_CERT, &list))
    };
    // The scripted client understands ECDSA alone.
    assert_eq!(shown(all(), |_| ()), "second");
    assert_eq!(checks(&[SignatureScheme::RSA_PKCS1_SHA256]), "default");
    // Nothing fits: the client will see for itself.
    assert_eq!(checks(&[ED25519]), "default");
}

#[test] // RFC 7250 §4.2
fn the_form_that_the_client_takes_chooses() {
    let key = Arc::new(NullKey::new(ToyKind::EcdsaP256, 1));
    let all = || {
        let raw = Identity::raw_public_key(key.clone()).expect("toy keys tell their public half");
        [raw, identity(ToyKind::EcdsaP256, "second")]
    };
    let takes = |forms: &[CertificateType]| {
        let list = written(|w| w.vec8(|w| forms.iter().for_each(|form| w.u8(form.0))));
        shown(all(), |hello| hello.push(Ext::SERVER_CERTIFICATE_TYPE, &list))
    };
    assert_eq!(takes(&[CertificateType::X509]), "second");
    assert_eq!(takes(&[CertificateType::X509, CertificateType::RAW_PUBLIC_KEY]), "raw");
    assert_eq!(shown(all(), |_| ()), "second");
}

#[test]
fn a_credential_for_certain_issuers_is_shown_to_clients_that_name_one() {
    let private = || identity(ToyKind::EcdsaP256, "second").with_issuers(vec![vec![0x30, 1, 2]]).with_issuer_required();
    let public = || identity(ToyKind::EcdsaP256, "default").with_issuers(vec![vec![0x30, 1, 1]]);
    let trusting = |hello: &mut Fields, authority: &[u8]| {
        hello.push(Ext::CERTIFICATE_AUTHORITIES, &written(|w| w.vec16(|w| w.vec16(|w| w.bytes(authority)))));
    };
    let shows = |authority: &[u8]| shown([private(), public()], |hello| trusting(hello, authority));
    assert_eq!(shows(&[0x30, 1, 2]), "second");
    assert_eq!(shows(&[0x30, 1, 1]), "default");
    assert_eq!(shows(&[0x30, 1, 9]), "default");
    assert_eq!(shown([private(), public()], |_| ()), "default");
    assert_refused(&met([private()], |_| ()), Incompatible::NoCommonAuthority, Alert::HANDSHAKE_FAILURE);
    let other = met([private()], |hello| trusting(hello, &[0x30, 1, 1]));
    assert_refused(&other, Incompatible::NoCommonAuthority, Alert::HANDSHAKE_FAILURE);
    // Nobody can name an issuer that is not known.
    let unknown = identity(ToyKind::EcdsaP256, "second").with_issuer_required();
    let refused = met([unknown], |hello| trusting(hello, &[0x30, 1, 2]));
    assert_refused(&refused, Incompatible::NoCommonAuthority, Alert::HANDSHAKE_FAILURE);
}

/// A toy key that says that it is on P-256.
#[derive(Debug)]
struct OnP256(NullKey);

impl SigningKey for OnP256 {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &dyn SecureRandom,
    ) -> Deferrable<Result<Vec<u8>, CryptoError>> {
        self.0.sign(scheme, message, random)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let algorithm = alg_id::ECDSA_P256;
        let key = written(|w| {
            w.u8(0x30);
            w.vec8(|w| {
                w.u8(0x30);
                w.vec8(|w| w.bytes(algorithm.as_ref()));
                w.bytes(&[0x03, 2, 0, 4]);
            });
        });
        Some(key.into())
    }
}

#[test] // RFC 8422 §5.3
fn a_key_on_a_curve_that_the_client_lists_goes_first() {
    let on_p256 = || {
        let key = NullKey::new(ToyKind::EcdsaP256, 1);
        let chain = vec![null::certificate("default", &key, 0)];
        Identity::new(chain, Arc::new(OnP256(key))).expect("a chain")
    };
    let lists = |groups: &'static [NamedGroup]| {
        move |hello: &mut Fields| hello.replace(Ext::SUPPORTED_GROUPS, &list16(groups.iter().copied()))
    };
    let x25519 = lists(&[NamedGroup::X25519]);
    assert_eq!(shown([on_p256()], lists(&[NamedGroup::X25519, NamedGroup::SECP256R1])), "default");
    // It does not tell its curve.
    assert_eq!(shown([on_p256(), identity(ToyKind::EcdsaP256, "second")], x25519), "second");
    // There is nothing else: the client will see for itself.
    assert_eq!(shown([on_p256()], x25519), "default");
}

/// A client with `identities`, of which one is `required` to fit or not, and a server that trusts `authorities`.
fn asked(
    identities: impl IntoIterator<Item = Identity>,
    required: bool,
    key_type: ClientCertificateType,
    authorities: &[&[u8]],
) -> Scene {
    let mut builder = null::client_config(2);
    for identity in identities {
        builder = builder.with_identity(identity);
    }
    if required {
        builder = builder.with_identity_required();
    }
    let mut scene = Scene::client(builder.build().expect("a client"), 1);
    let flight = scene.first_flight(false);
    scene.play(&flight[..3]);
    let request = written(|w| {
        w.vec8(|w| w.u8(key_type.0));
        w.bytes(&list16([ECDSA, ED25519]));
        w.vec16(|w| authorities.iter().for_each(|name| w.vec16(|w| w.bytes(name))));
    });
    send(&mut scene, HandshakeType::CERTIFICATE_REQUEST, &request);
    scene.play(&flight[3..]);
    scene
}

/// What a client with `identities` shows to a server that trusts `authorities`; `None` for nothing.
fn shown_to_server(identities: impl IntoIterator<Item = Identity>, authorities: &[&[u8]]) -> Option<String> {
    let scene = asked(identities, false, ClientCertificateType::ECDSA_SIGN, authorities);
    let body = &scene.peer.received()[1].body;
    (body != &[0, 0, 0]).then(|| name_in(body))
}

#[test] // RFC 5246 §7.4.4, §7.4.6
fn a_client_shows_what_the_server_may_trust() {
    let all = || {
        [
            identity(ToyKind::Rsa, "a.example"),
            identity(ToyKind::EcdsaP256, "default").with_issuers(vec![vec![0x30, 1, 1]]),
            identity(ToyKind::Ed25519, "second").with_issuers(vec![vec![0x30, 1, 2]]),
        ]
    };
    assert_eq!(shown_to_server(all(), &[]).as_deref(), Some("default"));
    assert_eq!(shown_to_server(all(), &[&[0x30, 1, 2], &[0x30, 1, 7]]).as_deref(), Some("second"));
    assert_eq!(shown_to_server(all(), &[&[0x30, 1, 7]]), None);
    // Nobody knows who issued this one.
    let [.., last] = all();
    let unknown = identity(ToyKind::EcdsaP256, "*.b.example");
    assert_eq!(shown_to_server([last, unknown], &[&[0x30, 1, 7]]).as_deref(), Some("*.b.example"));
}

#[test] // RFC 5246 §7.4.4
fn a_client_shows_signatures_that_the_server_can_check() {
    let of = |name, scheme| identity(ToyKind::EcdsaP256, name).with_certificate_schemes(vec![scheme]);
    let rsa = SignatureScheme::RSA_PKCS1_SHA256;
    assert_eq!(shown_to_server([of("default", rsa), of("second", ED25519)], &[]).as_deref(), Some("second"));
    assert_eq!(shown_to_server([of("default", rsa)], &[]).as_deref(), Some("default"), "it is all that we have");
}

#[test]
fn a_credential_for_certain_issuers_is_shown_to_servers_that_name_one() {
    let private = || identity(ToyKind::Ed25519, "second").with_issuers(vec![vec![0x30, 1, 2]]).with_issuer_required();
    let all = || [private(), identity(ToyKind::EcdsaP256, "default")];
    assert_eq!(shown_to_server(all(), &[&[0x30, 1, 1], &[0x30, 1, 2]]).as_deref(), Some("second"));
    assert_eq!(shown_to_server(all(), &[&[0x30, 1, 1]]).as_deref(), Some("default"));
    assert_eq!(shown_to_server(all(), &[]).as_deref(), Some("default"));
    assert_eq!(shown_to_server([private()], &[]), None);
}

#[test]
fn a_client_that_has_to_show_something_says_why_nothing_fits() {
    let (ecdsa, authority) = (ClientCertificateType::ECDSA_SIGN, [0x30, 1, 7]);
    let refused = |identities: Vec<Identity>, key_type, misfit| {
        let scene = asked(identities, true, key_type, &[&authority]);
        assert_refused(&scene, Incompatible::NoFittingIdentity(misfit), Alert::HANDSHAKE_FAILURE);
    };
    let raw = || Identity::raw_public_key(Arc::new(NullKey::new(ToyKind::EcdsaP256, 1))).expect("a public key");
    let rsa = || identity(ToyKind::Rsa, "default");
    let untrusted = || identity(ToyKind::EcdsaP256, "default").with_issuers(vec![vec![0x30, 1, 1]]);
    refused(vec![raw()], ecdsa, Misfit::Form);
    refused(vec![rsa()], ecdsa, Misfit::KeyType);
    refused(vec![rsa()], ClientCertificateType::RSA_SIGN, Misfit::SignatureScheme);
    refused(vec![untrusted()], ecdsa, Misfit::Authority);
    // That of the one that comes nearest.
    refused(vec![rsa(), untrusted(), raw()], ecdsa, Misfit::Authority);
    // Who has nothing at all, or something that fits, need not fear.
    let fitting = asked([rsa(), identity(ToyKind::Ed25519, "second")], true, ecdsa, &[&authority]);
    assert_eq!(name_in(&fitting.peer.received()[1].body), "second");
    assert_eq!(asked([], true, ecdsa, &[]).peer.received()[1].body, [0, 0, 0]);
}
