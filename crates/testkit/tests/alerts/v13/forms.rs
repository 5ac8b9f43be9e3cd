//! What servers of 1.3 make of the forms of certificates that clients list, of their wish for a status, and of the
//! name that they ask for.

use std::sync::Arc;

use gramseal_proto::config::{ClientAuth, Identity, OcspSource, ServerConfig};
use gramseal_proto::crypto::SigningKey;
use gramseal_proto::wire::{
    AlertDescription as Alert, Certificate13, CertificateType, Codec, DecodeError, EncryptedExtensions,
    ExtensionType as Ext, HandshakeType as T,
};
use gramseal_proto::{Incompatible, LocalFault, PeerFault};
use gramseal_testkit::null::{self, NullKey, NullVerifier, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene13};

use super::{VERSIONS, assert_refused, send};
use crate::hello::{ClientFields, written};

const RAW: CertificateType = CertificateType::RAW_PUBLIC_KEY;
const X509: CertificateType = CertificateType::X509;
const STAPLE: &[u8] = b"a good response";

fn raw_identity() -> Identity {
    Identity::raw_public_key(Arc::new(NullKey::new(ToyKind::EcdsaP256, 1))).expect("toy keys tell their public half")
}

fn certificate(name: &str) -> Identity {
    null::identity(ToyKind::EcdsaP256, name, 0)
}

fn server(identities: impl IntoIterator<Item = Identity>, client_auth: ClientAuth) -> ServerConfig {
    let mut identities = identities.into_iter();
    let first = identities.next().expect("at least one");
    let config = null::server_config(3, first).with_versions(&VERSIONS).with_client_auth(client_auth);
    identities.fold(config, |config, identity| config.with_identity(identity)).build().expect("a server")
}

fn greeted(server: ServerConfig, extensions: &[(Ext, &[u8])]) -> Scene13 {
    let mut scene = Scene13::server13(server, 1);
    let mut fields = ClientFields::of(&scene.peer.body_of(T::CLIENT_HELLO));
    extensions.iter().for_each(|(extension, content)| fields.extensions.push(*extension, content));
    send(&mut scene, T::CLIENT_HELLO, &fields.body());
    scene
}

fn listed(server: ServerConfig, extension: Ext, forms: &[CertificateType]) -> Scene13 {
    let content = written(|w| w.vec8(|w| forms.iter().for_each(|form| w.u8(form.0))));
    greeted(server, &[(extension, &content)])
}

#[track_caller]
fn no_common_form(scene: Scene13) {
    assert_refused(scene, 0, Incompatible::NoCommonCertificateType, Alert::UNSUPPORTED_CERTIFICATE);
}

/// The body of the server's message of this type.
fn body(scene: &Scene13, msg_type: T) -> Option<Vec<u8>> {
    let message = scene.peer.received().iter().find(|message| message.msg_type == msg_type)?;
    Some(message.body.clone())
}

/// What the server shows, and the extensions to that.
fn shown(scene: &Scene13) -> (Vec<u8>, Vec<(Ext, Vec<u8>)>) {
    let body = body(scene, T::CERTIFICATE).expect("a certificate");
    let message = Certificate13::from_bytes(&body).expect("well formed");
    let entry = message.entries.first().expect("it shows something");
    let extensions = entry.extensions.iter().map(|(extension, content)| (extension, content.to_vec())).collect();
    (entry.certificate.to_vec(), extensions)
}

#[test] // RFC 7250 §4.2
fn clients_of_1_3_that_take_no_form_of_ours() {
    let list = |identity, forms: &[CertificateType]| {
        listed(server([identity], ClientAuth::None), Ext::SERVER_CERTIFICATE_TYPE, forms)
    };
    no_common_form(list(certificate(null::SERVER_NAME), &[RAW, CertificateType(9)]));
    no_common_form(list(raw_identity(), &[X509]));
    // RFC 7250 §4.1: who lists nothing means X.509.
    no_common_form(greeted(server([raw_identity()], ClientAuth::None), &[]));
    let nothing = list(raw_identity(), &[]);
    assert_refused(nothing, 0, DecodeError::EmptyVector, Alert::DECODE_ERROR);
}

#[test] // RFC 7250 §4.2
fn clients_of_1_3_that_have_no_form_that_we_take() {
    let verifier = || Arc::new(NullVerifier::default());
    let list = |client_auth| {
        listed(server([certificate(null::SERVER_NAME)], client_auth), Ext::CLIENT_CERTIFICATE_TYPE, &[RAW])
    };
    no_common_form(list(ClientAuth::Required(verifier())));
    // Who need not show anything is not asked for what it does not have.
    let mut optional = list(ClientAuth::Optional(verifier()));
    assert_eq!(body(&optional, T::CERTIFICATE_REQUEST), None);
    optional.say(&[T::FINISHED]);
    assert_eq!(optional.outcome(), Outcome::Connected);
}

#[test] // RFC 7250 §4.2: nothing is said of forms where no certificate is asked for, or none was listed
fn a_server_of_1_3_tells_forms_only_to_who_lists_them() {
    let told = |scene: &Scene13| {
        let body = body(scene, T::ENCRYPTED_EXTENSIONS).expect("it always comes");
        let message = EncryptedExtensions::from_bytes(&body).expect("well formed");
        let get = |extension| message.extensions.get(extension).map(<[u8]>::to_vec);
        [get(Ext::SERVER_CERTIFICATE_TYPE), get(Ext::CLIENT_CERTIFICATE_TYPE)]
    };
    let asking = || {
        let verifier = NullVerifier::default().with_forms(&[RAW, X509]);
        server([certificate(null::SERVER_NAME)], ClientAuth::Optional(Arc::new(verifier)))
    };
    let scene = listed(asking(), Ext::SERVER_CERTIFICATE_TYPE, &[RAW, X509]);
    assert_eq!(told(&scene), [Some(vec![X509.0]), None]);
    let scene = listed(asking(), Ext::CLIENT_CERTIFICATE_TYPE, &[X509, RAW]);
    assert_eq!(told(&scene), [None, Some(vec![RAW.0])]);
    let silent = server([certificate(null::SERVER_NAME)], ClientAuth::None);
    assert_eq!(told(&listed(silent, Ext::CLIENT_CERTIFICATE_TYPE, &[X509])), [None, None]);
}

#[test] // RFC 7250 §4.2
fn the_form_that_a_client_of_1_3_takes_chooses() {
    let both = || server([certificate(null::SERVER_NAME), raw_identity()], ClientAuth::None);
    let [chain, key] = [&[X509][..], &[RAW]].map(|forms| shown(&listed(both(), Ext::SERVER_CERTIFICATE_TYPE, forms)).0);
    let expected = null::certificate(null::SERVER_NAME, &NullKey::new(ToyKind::EcdsaP256, 1), 0);
    assert_eq!(chain, expected.to_vec());
    assert!(key != chain && !key.is_empty());
    assert_eq!(shown(&greeted(both(), &[])).0, chain);
}

#[test] // RFC 7250 §4.2, RFC 9846 §4.5.1
fn a_raw_public_key_of_a_client_is_taken_where_it_was_asked_for() {
    let verifier = Arc::new(NullVerifier::default().with_forms(&[RAW]));
    let required = || server([certificate(null::SERVER_NAME)], ClientAuth::Required(verifier.clone()));
    let own = NullKey::new(ToyKind::EcdsaP256, 1);
    let key = own.public_key().expect("known");
    let message = |keys: &[&[u8]]| {
        written(|w| {
            w.vec8(|_| ());
            w.vec24(|w| {
                for key in keys {
                    w.vec24(|w| w.bytes(key));
                    w.vec16(|_| ());
                }
            });
        })
    };
    let mut scene = listed(required(), Ext::CLIENT_CERTIFICATE_TYPE, &[RAW]);
    send(&mut scene, T::CERTIFICATE, &message(&[&key]));
    scene.say(&[T::CERTIFICATE_VERIFY, T::FINISHED]);
    assert_eq!(scene.outcome(), Outcome::Connected);
    let agreed = scene.connection().negotiated().expect("connected");
    assert_eq!(agreed.peer_raw_public_key.as_deref(), Some(&*key));
    // One key, and no chain.
    let mut scene = listed(required(), Ext::CLIENT_CERTIFICATE_TYPE, &[RAW]);
    send(&mut scene, T::CERTIFICATE, &message(&[&key, &key]));
    assert_refused(scene, 3, PeerFault::UnofferedCertificateType, Alert::ILLEGAL_PARAMETER);
}

/// Has no response.
#[derive(Debug)]
struct Nothing {
    required: bool,
}

impl OcspSource for Nothing {
    fn response(&self) -> Option<Vec<u8>> {
        None
    }

    fn is_required(&self) -> bool {
        self.required
    }
}

#[test] // RFC 9846 §4.5.1.1, RFC 6066 §8
fn only_a_client_of_1_3_that_asks_for_a_status_gets_one() {
    let stapling = || {
        let identity = certificate(null::SERVER_NAME).with_ocsp_source(Arc::new(STAPLE.to_vec()));
        server([identity], ClientAuth::None)
    };
    let status = [&[1, 0, 0, 15][..], STAPLE].concat();
    let asked = shown(&greeted(stapling(), &[(Ext::STATUS_REQUEST, &[1, 0, 0, 0, 0])])).1;
    assert_eq!(asked, [(Ext::STATUS_REQUEST, status)]);
    for content in [None, Some(&[2, 0, 0, 0, 0][..])] {
        let extensions: Vec<_> = content.map(|content| (Ext::STATUS_REQUEST, content)).into_iter().collect();
        assert_eq!(shown(&greeted(stapling(), &extensions)).1, []);
    }
    // Nor does who has nothing, unless nothing is not enough.
    for (required, refused) in [(false, false), (true, true)] {
        let identity = certificate(null::SERVER_NAME).with_ocsp_source(Arc::new(Nothing { required }));
        let scene = greeted(server([identity], ClientAuth::None), &[(Ext::STATUS_REQUEST, &[1, 0, 0, 0, 0])]);
        if refused {
            assert_refused(scene, 0, LocalFault::NoOcspResponse, Alert::INTERNAL_ERROR);
        } else {
            assert_eq!(shown(&scene).1, []);
        }
        let identity = certificate(null::SERVER_NAME).with_ocsp_source(Arc::new(Nothing { required }));
        assert_eq!(shown(&greeted(server([identity], ClientAuth::None), &[])).1, [], "who does not ask does without");
    }
    let nothing = server([certificate(null::SERVER_NAME)], ClientAuth::None);
    assert_eq!(shown(&greeted(nothing, &[(Ext::STATUS_REQUEST, &[1, 0, 0, 0, 0])])).1, []);
}

#[test] // RFC 6066 §3, RFC 9846 §4.5.1.2
fn the_name_that_a_client_of_1_3_asks_for_chooses() {
    let all = || {
        let named = |name: &str| certificate(name).with_names([name]);
        server([named("a.example"), named("*.b.example"), certificate("default")], ClientAuth::None)
    };
    let key = NullKey::new(ToyKind::EcdsaP256, 1);
    for (asked, expected) in [
        ("A.Example", "a.example"),
        ("x.b.example", "*.b.example"),
        ("x.y.b.example", "default"),
        ("c.test", "default"),
    ] {
        let name = written(|w| {
            w.vec16(|w| {
                w.u8(0);
                w.vec16(|w| w.bytes(asked.as_bytes()));
            });
        });
        let scene = greeted(all(), &[(Ext::SERVER_NAME, &name)]);
        assert_eq!(shown(&scene).0, null::certificate(expected, &key, 0).to_vec(), "{asked}");
    }
    assert_eq!(shown(&greeted(all(), &[])).0, null::certificate("default", &key, 0).to_vec());
}
