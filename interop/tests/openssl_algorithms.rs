//! Every suite, group and kind of key, in both roles, against OpenSSL.

use gramseal_interop::{Folder, Node, SERVER_NAME, Weather, client, for_each, openssl, pki, server};
use gramseal_proto::config::LegacySuites;
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{CipherSuite as Suite, NamedGroup as Group, SignatureScheme as Scheme};
use gramseal_proto::{CloseReason, Error, Incompatible};
use gramseal_testkit::pki::TestKeyKind as Kind;

/// What to agree on, in our words and in OpenSSL's.
#[derive(Debug, Clone)]
struct Case {
    kind: Kind,
    suite: (Suite, &'static str),
    group: (Group, &'static str),
    /// The signature of the server: ours, and OpenSSL's name in `-sigalgs`.
    scheme: Option<(Scheme, &'static str)>,
}

impl Case {
    fn new(kind: Kind, suite: Suite, name: &'static str) -> Self {
        Self { kind, suite: (suite, name), group: (Group::X25519, "X25519"), scheme: None }
    }
}

fn ecdhe_suites() -> Vec<Case> {
    use Kind::{EcdsaP256, Rsa2048};
    vec![
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM, "ECDHE-ECDSA-AES128-CCM"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM, "ECDHE-ECDSA-AES256-CCM"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, "ECDHE-ECDSA-AES128-CCM8"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8, "ECDHE-ECDSA-AES256-CCM8"),
        Case::new(Rsa2048, Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
        Case::new(Rsa2048, Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
        Case::new(Rsa2048, Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
    ]
}

/// The legacy suites: ours, OpenSSL's name, the group of RFC 7919, OpenSSL's name for that.
const DHE: [(Suite, &str, Group, &str); 3] = [
    (Suite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, "DHE-RSA-AES128-GCM-SHA256", Group::FFDHE2048, "ffdhe2048"),
    (Suite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, "DHE-RSA-AES256-GCM-SHA384", Group::FFDHE3072, "ffdhe3072"),
    (Suite::TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "DHE-RSA-CHACHA20-POLY1305", Group::FFDHE4096, "ffdhe4096"),
];

fn groups() -> Vec<Case> {
    let suite = |kind| match kind {
        Kind::Rsa2048 => (Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
        _ => (Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    };
    [
        (Kind::EcdsaP256, Group::X25519, "X25519", Scheme::ECDSA_SECP256R1_SHA256, "ECDSA+SHA256"),
        (Kind::EcdsaP256, Group::SECP256R1, "P-256", Scheme::ECDSA_SECP256R1_SHA256, "ECDSA+SHA256"),
        (Kind::EcdsaP384, Group::SECP384R1, "P-384", Scheme::ECDSA_SECP384R1_SHA384, "ECDSA+SHA384"),
        (Kind::EcdsaP521, Group::SECP521R1, "P-521", Scheme::ECDSA_SECP521R1_SHA512, "ECDSA+SHA512"),
        (Kind::Ed25519, Group::X25519, "X25519", Scheme::ED25519, "ed25519"),
        (Kind::Rsa2048, Group::SECP256R1, "P-256", Scheme::RSA_PSS_RSAE_SHA256, "RSA-PSS+SHA256"),
        (Kind::Rsa2048, Group::X25519, "X25519", Scheme::RSA_PSS_RSAE_SHA384, "RSA-PSS+SHA384"),
        (Kind::Rsa2048, Group::X25519, "X25519", Scheme::RSA_PSS_RSAE_SHA512, "RSA-PSS+SHA512"),
        (Kind::Rsa2048, Group::X25519, "X25519", Scheme::RSA_PKCS1_SHA256, "RSA+SHA256"),
        (Kind::Rsa2048, Group::X25519, "X25519", Scheme::RSA_PKCS1_SHA384, "RSA+SHA384"),
        (Kind::Rsa2048, Group::X25519, "X25519", Scheme::RSA_PKCS1_SHA512, "RSA+SHA512"),
    ]
    .into_iter()
    .map(|(kind, group, group_name, scheme, scheme_name)| Case {
        kind,
        suite: suite(kind),
        group: (group, group_name),
        scheme: Some((scheme, scheme_name)),
    })
    .collect()
}

/// The groups to offer, for us and for OpenSSL. OpenSSL takes them for the curves of certificates,
/// too (RFC 8422 §5.1.1 gives the list no narrower meaning), so the certificate's joins them.
fn group_list(case: &Case) -> (Vec<Group>, String) {
    let curve = match case.kind {
        Kind::EcdsaP256 => Some((Group::SECP256R1, "P-256")),
        Kind::EcdsaP384 => Some((Group::SECP384R1, "P-384")),
        Kind::EcdsaP521 => Some((Group::SECP521R1, "P-521")),
        Kind::Ed25519 | Kind::Rsa2048 => None,
    };
    let list = std::iter::once(case.group).chain(curve.filter(|curve| *curve != case.group));
    let (groups, names): (Vec<_>, Vec<_>) = list.unzip();
    (groups, names.join(":"))
}

/// What OpenSSL's client lists: the signature to agree on, and that of the root.
fn scheme_list(name: &str) -> String {
    const ROOT: &str = "ECDSA+SHA256";
    if name == ROOT { name.to_owned() } else { format!("{name}:{ROOT}") }
}

fn check_negotiated(node: &Node, case: &Case) {
    let negotiated = node.connection().negotiated().expect("connected");
    assert_eq!((negotiated.cipher_suite, negotiated.group), (case.suite.0, Some(case.group.0)));
}

fn our_client(case: &Case) {
    let pki = pki(case.kind);
    let mut peer = openssl::s_server().identity(&pki.server(SERVER_NAME)).cipher(case.suite.1);
    let (groups, names) = group_list(case);
    // OpenSSL does as the client prefers, so the first of ours is it.
    peer = peer.args(["-groups", &names]);
    if let Some((_, name)) = case.scheme {
        peer = peer.args(["-sigalgs", name]);
    }
    let (mut peer, address) = peer.listening();
    // Only the suite of the case: those with short tags have to be asked for.
    let config = client(&pki).with_groups(&groups).with_cipher_suites(&[case.suite.0]);
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    openssl::check(&mut node, &mut peer);
    check_negotiated(&node, case);
    assert!(peer.said(&format!("CIPHER is {}\n", case.suite.1)), "{}", peer.transcript());
    if let Some((scheme, _)) = case.scheme {
        assert_eq!(node.connection().negotiated().expect("connected").peer_signature_scheme, Some(scheme));
    }
}

fn our_server(case: &Case) {
    let pki = pki(case.kind);
    let mut node =
        Node::server(server(&pki).with_cipher_suites(&[case.suite.0]), CookiePolicy::Required, Weather::default());
    let mut peer = openssl::s_client(node.local_addr()).trust(&pki).cipher(case.suite.1);
    peer = peer.args(["-groups", &group_list(case).1, "-verify_hostname", SERVER_NAME]);
    if let Some((_, name)) = case.scheme {
        peer = peer.args(["-sigalgs", &scheme_list(name)]);
    }
    let mut peer = peer.start();
    openssl::check(&mut node, &mut peer);
    check_negotiated(&node, case);
    assert!(peer.said(&format!("Cipher is {}\n", case.suite.1)), "{}", peer.transcript());
    let temporary = peer.value("Server Temp Key: ").expect("printed with forward secrecy");
    let curve = match case.group.1 {
        "P-256" => "prime256v1",
        "P-384" => "secp384r1",
        "P-521" => "secp521r1",
        other => other,
    };
    assert!(temporary.contains(curve), "{temporary}");
    assert!(peer.said("Extended master secret: yes") && peer.said("Secure Renegotiation IS supported"));
    assert!(peer.said("Verify return code: 0 (ok)"), "{}", peer.transcript());
    assert_eq!(node.endpoint_stats().incoming, 1);
    if let Some((_, name)) = case.scheme {
        let digest = peer.value("Peer signing digest: ").unwrap_or_default();
        let kind = peer.value("Peer signature type: ").unwrap_or_default();
        let said = format!("{kind}+{digest}");
        assert!(said == name || kind.eq_ignore_ascii_case(name), "{said} for {name}");
    }
}

#[test]
fn every_suite_as_client() {
    for_each(&ecdhe_suites(), our_client);
}

#[test]
fn every_suite_as_server() {
    for_each(&ecdhe_suites(), our_server);
}

#[test]
fn every_group_and_signature_as_client() {
    // OpenSSL's server takes Ed25519 in TLS 1.2 but not in DTLS 1.2, where it finds no suite.
    let cases: Vec<_> = groups().into_iter().filter(|case| case.kind != Kind::Ed25519).collect();
    for_each(&cases, our_client);
}

#[test]
fn every_group_and_signature_as_server() {
    for_each(&groups(), our_server);
}

fn parameters(group: &str) -> String {
    openssl::run(&["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", &format!("group:{group}")])
}

#[test]
fn legacy_suites_as_client() {
    for_each(&DHE, |(suite, name, group, group_name)| {
        let pki = pki(Kind::Rsa2048);
        let peer = openssl::s_server().identity(&pki.server(SERVER_NAME)).cipher(&format!("{name}@SECLEVEL=2"));
        let (mut peer, address) = peer.file("-dhparam", "dh.pem", &parameters(group_name)).listening();
        let config = client(&pki).with_legacy_suites(LegacySuites::Allowed);
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        openssl::check(&mut node, &mut peer);
        let negotiated = node.connection().negotiated().expect("connected");
        assert_eq!((negotiated.cipher_suite, negotiated.group), (*suite, Some(*group)));
        assert!(peer.said(&format!("CIPHER is {name}\n")));
    });
}

#[test]
fn legacy_suites_as_server() {
    for_each(&DHE, |(suite, name, group, _)| {
        let pki = pki(Kind::Rsa2048);
        let config = server(&pki).with_legacy_suites(LegacySuites::Allowed).with_groups(&[*group]);
        let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
        let mut peer = openssl::s_client(node.local_addr()).trust(&pki).cipher(name).start();
        openssl::check(&mut node, &mut peer);
        let negotiated = node.connection().negotiated().expect("connected");
        assert_eq!((negotiated.cipher_suite, negotiated.group), (*suite, Some(*group)));
        assert!(peer.value("Server Temp Key: ").is_some_and(|key| key.starts_with("DH, ")), "{}", peer.transcript());
    });
}

#[test]
fn groups_of_the_servers_own_making() {
    // RFC 3526; the last is what OpenSSL takes when nobody names any.
    for_each(&[Some("modp_2048"), Some("modp_3072"), None], |group| {
        let pki = pki(Kind::Rsa2048);
        let mut peer = openssl::s_server().identity(&pki.server(SERVER_NAME)).cipher("DHE-RSA-AES128-GCM-SHA256");
        if let Some(group) = group {
            peer = peer.file("-dhparam", "dh.pem", &parameters(group));
        }
        let (mut peer, address) = peer.listening();
        let config = client(&pki).with_legacy_suites(LegacySuites::Allowed);
        let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
        openssl::check(&mut node, &mut peer);
        assert_eq!(node.connection().negotiated().expect("connected").group, None);
    });
}

/// A prime of 1024 bits, and a safe one (RFC 2409 §6.2).
const PRIME_1024: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74\
    020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245\
    E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6\
    49286651ECE65381FFFFFFFFFFFFFFFF";

fn parameters_of(prime: &str) -> String {
    let folder = Folder::new();
    let der = folder.path("dh.der");
    let der = der.to_str().expect("the name of the folder is text");
    let (p, g) = (format!("p=INTEGER:0x{prime}"), "g=INTEGER:2");
    let definition = folder.path("dh.conf");
    std::fs::write(&definition, format!("asn1=SEQUENCE:dh\n[dh]\n{p}\n{g}\n")).expect("the folder is writable");
    let definition = definition.to_str().expect("the name of the folder is text");
    let _parsed = openssl::run(&["asn1parse", "-genconf", definition, "-noout", "-out", der]);
    openssl::run(&["dhparam", "-inform", "DER", "-in", der])
}

/// Offers `parameters` as OpenSSL's server and gives how our client ends.
fn refused(parameters: &str, alert: u8) -> CloseReason {
    let pki = pki(Kind::Rsa2048);
    let peer = openssl::s_server().identity(&pki.server(SERVER_NAME));
    let peer = peer.cipher("DHE-RSA-AES128-GCM-SHA256@SECLEVEL=0");
    let (peer, address) = peer.file("-dhparam", "dh.pem", parameters).listening();
    let config = client(&pki).with_legacy_suites(LegacySuites::Allowed);
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    let reason = node.run_to_end(&peer);
    peer.wait_for(&format!("SSL alert number {alert}"));
    reason
}

#[test]
fn unsafe_groups_are_refused() {
    let prime_not_safe = openssl::run(&["prime", "-generate", "-bits", "2048", "-hex"]);
    let groups = [parameters_of(PRIME_1024), parameters("modp_1536"), parameters_of(prime_not_safe.trim())];
    for_each(&groups, |group| {
        let reason = refused(group, 71);
        assert_eq!(reason, CloseReason::Failed(Error::Incompatible(Incompatible::UnsafeFiniteFieldGroup)));
    });
}
