//! Every suite, group and kind of key that both have, in both roles, against GnuTLS.

use gramseal_interop::{Node, Process, SERVER_NAME, Weather, client, for_each, gnutls, pki, server};
use gramseal_proto::endpoint::CookiePolicy;
use gramseal_proto::wire::{CipherSuite as Suite, NamedGroup as Group, SignatureScheme as Scheme};
use gramseal_testkit::pki::TestKeyKind as Kind;

/// What to agree on: ours, and GnuTLS's words for a priority string and for what was chosen.
#[derive(Debug, Clone)]
struct Case {
    kind: Kind,
    suite: Suite,
    exchange: &'static str,
    aead: &'static str,
    group: (Group, &'static str),
    scheme: Option<(Scheme, &'static str)>,
}

impl Case {
    fn new(kind: Kind, suite: Suite, aead: &'static str) -> Self {
        let exchange = if kind == Kind::Rsa2048 { "ECDHE-RSA" } else { "ECDHE-ECDSA" };
        Self { kind, suite, exchange, aead, group: (Group::X25519, "X25519"), scheme: None }
    }

    fn peer(&self, peer: gnutls::GnuTls, verifies: bool) -> gnutls::GnuTls {
        let Self { exchange, aead, group: (_, group), .. } = self;
        let mut priority = format!("NORMAL:-KX-ALL:+{exchange}:-CIPHER-ALL:+{aead}:-GROUP-ALL:+GROUP-{group}");
        // Certificates are checked by the groups, too: their curve follows.
        priority += match self.kind {
            Kind::EcdsaP384 => ":+GROUP-SECP384R1",
            Kind::EcdsaP521 => ":+GROUP-SECP521R1",
            _ => ":+GROUP-SECP256R1",
        };
        if let Some((_, name)) = self.scheme {
            // Who checks signatures checks the root's, too.
            let roots = if verifies { ":+SIGN-ECDSA-SHA256" } else { "" };
            priority += &format!(":-SIGN-ALL:+SIGN-{name}{roots}");
        }
        peer.priority(&priority)
    }

    fn check(&self, node: &Node, peer: &Process) {
        let negotiated = node.connection().negotiated().expect("connected");
        assert_eq!((negotiated.cipher_suite, negotiated.group), (self.suite, Some(self.group.0)));
        let suite = self.suite.to_string();
        let (exchange, aead) = suite.strip_prefix("TLS_").and_then(|name| name.split_once("_WITH_")).expect("a name");
        let name = format!("Cipher Suite: GNUTLS_{exchange}_{aead}");
        // GnuTLS leaves the hash out where the AEAD says it.
        assert!(peer.said(name.trim_end_matches("_SHA256")), "{}", peer.transcript());
        assert!(peer.said("Selected group ") && peer.said(self.group.1), "{}", peer.transcript());
    }
}

fn suites() -> Vec<Case> {
    use Kind::{EcdsaP256, Rsa2048};
    vec![
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "AES-128-GCM"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "AES-256-GCM"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "CHACHA20-POLY1305"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM, "AES-128-CCM"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM, "AES-256-CCM"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, "AES-128-CCM-8"),
        Case::new(EcdsaP256, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8, "AES-256-CCM-8"),
        Case::new(Rsa2048, Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "AES-128-GCM"),
        Case::new(Rsa2048, Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "AES-256-GCM"),
        Case::new(Rsa2048, Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "CHACHA20-POLY1305"),
    ]
}

fn groups() -> Vec<Case> {
    [
        (Kind::EcdsaP256, Group::SECP256R1, "SECP256R1", Scheme::ECDSA_SECP256R1_SHA256, "ECDSA-SHA256"),
        (Kind::EcdsaP384, Group::SECP384R1, "SECP384R1", Scheme::ECDSA_SECP384R1_SHA384, "ECDSA-SHA384"),
        (Kind::EcdsaP521, Group::SECP521R1, "SECP521R1", Scheme::ECDSA_SECP521R1_SHA512, "ECDSA-SHA512"),
        (Kind::Ed25519, Group::X25519, "X25519", Scheme::ED25519, "EdDSA-Ed25519"),
        (Kind::Rsa2048, Group::SECP256R1, "SECP256R1", Scheme::RSA_PSS_RSAE_SHA256, "RSA-PSS-RSAE-SHA256"),
        (Kind::Rsa2048, Group::X25519, "X25519", Scheme::RSA_PSS_RSAE_SHA512, "RSA-PSS-RSAE-SHA512"),
        (Kind::Rsa2048, Group::X25519, "X25519", Scheme::RSA_PKCS1_SHA256, "RSA-SHA256"),
    ]
    .into_iter()
    .map(|(kind, group, group_name, scheme, scheme_name)| {
        let suite = match kind {
            Kind::Rsa2048 => Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            _ => Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        };
        let case = Case::new(kind, suite, "AES-128-GCM");
        Case { group: (group, group_name), scheme: Some((scheme, scheme_name)), ..case }
    })
    .collect()
}

fn our_client(case: &Case) {
    let pki = pki(case.kind);
    let peer = case.peer(gnutls::serv().identity(&pki.server(SERVER_NAME)).args(["--disable-client-cert"]), false);
    let (peer, address) = peer.listening();
    // Only the suite of the case: those with short tags have to be asked for.
    let config = client(&pki).with_cipher_suites(&[case.suite]);
    let mut node = Node::client(config, SERVER_NAME, address, Weather::default());
    gnutls::check_server(&mut node, &peer);
    case.check(&node, &peer);
    if let Some((scheme, _)) = case.scheme {
        assert_eq!(node.connection().negotiated().expect("connected").peer_signature_scheme, Some(scheme));
    }
}

fn our_server(case: &Case) {
    let pki = pki(case.kind);
    let config = server(&pki).with_cipher_suites(&[case.suite]);
    let mut node = Node::server(config, CookiePolicy::Required, Weather::default());
    let peer = gnutls::cli(node.local_addr()).trust(&pki).args(["--verify-hostname", SERVER_NAME]);
    let mut peer = case.peer(peer, true).start();
    gnutls::check_client(&mut node, &mut peer);
    case.check(&node, &peer);
    assert!(peer.said("- Status: The certificate is trusted."), "{}", peer.transcript());
    assert!(peer.said("extended master secret, safe renegotiation"), "{}", peer.transcript());
    if let Some((_, name)) = case.scheme {
        assert!(peer.said(&format!("handshake data: using {name}\n")), "{}", peer.transcript());
    }
    assert_eq!(node.endpoint_stats().incoming, 1);
}

#[test]
fn every_suite_as_client() {
    for_each(&suites(), our_client);
}

#[test]
fn every_suite_as_server() {
    for_each(&suites(), our_server);
}

#[test]
fn every_group_and_signature_as_client() {
    for_each(&groups(), our_client);
}

#[test]
fn every_group_and_signature_as_server() {
    for_each(&groups(), our_server);
}
