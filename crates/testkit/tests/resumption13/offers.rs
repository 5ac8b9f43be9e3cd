//! What a client offers, and what it makes of the answers (RFC 9846 §4.2.4, §4.3.9, §4.3.11; RFC 9149).

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, ResumedKeyExchange};
use gramseal_proto::wire::{
    CipherSuite, ClientHello, Codec, CompressionMethod, ContentType, ExtensionType, ExtensionsBuf, HandshakeType,
    KeyShareEntry, KeyShareHelloRetryRequest, KeyShareServerHello, NamedGroup, PreSharedKeyClientHello,
    PreSharedKeyServerHello, ProtocolVersion, Random, ServerHello, SupportedVersionsServerHello,
    TicketRequestClientHello,
};
use gramseal_proto::{CloseReason, Error, PeerFault};
use gramseal_testkit::decode::{fragments, records};
use gramseal_testkit::null::{self, ToyKind};
use gramseal_testkit::peer::{Outcome, Scene, first_hello as hello};
use gramseal_testkit::sessions::{ChangeClient, Resumption, Stores};
use gramseal_testkit::sim::{Side, Sim};

use super::hellos::acquainted;
use super::{PLAIN, client, connect, is_resumed, negotiated, server};

const SHA256: CipherSuite = CipherSuite::TLS_AES_128_GCM_SHA256;
const SHA384: CipherSuite = CipherSuite::TLS_AES_256_GCM_SHA384;

/// What a server says, in a ServerHello or in a HelloRetryRequest.
#[derive(Debug, Clone, Copy)]
struct Answer {
    suite: CipherSuite,
    group: Option<NamedGroup>,
    selected: Option<u16>,
    other: Option<ExtensionType>,
}

const GOOD: Answer = Answer { suite: SHA256, group: Some(NamedGroup::X25519), selected: Some(0), other: None };

impl Answer {
    fn body(self, retry: bool) -> Vec<u8> {
        let mut extensions = ExtensionsBuf::new();
        extensions.push(&SupportedVersionsServerHello { selected_version: ProtocolVersion::DTLS1_3 });
        match self.group {
            Some(selected_group) if retry => extensions.push(&KeyShareHelloRetryRequest { selected_group }),
            Some(group) => {
                let provider = null::provider(9);
                let kx = provider.group(group).expect("a group").start(&*provider.random).expect("random bytes");
                let server_share = KeyShareEntry { group, key_exchange: kx.public_key() };
                extensions.push(&KeyShareServerHello { server_share });
            }
            None => {}
        }
        if let Some(selected_identity) = self.selected {
            extensions.push(&PreSharedKeyServerHello { selected_identity });
        }
        if let Some(other) = self.other {
            extensions.push_raw(other, &[]);
        }
        let hello = ServerHello {
            legacy_version: ProtocolVersion::DTLS1_2,
            random: if retry { Random::HELLO_RETRY_REQUEST } else { Random([5; 32]) },
            session_id: &[],
            cipher_suite: self.suite,
            compression_method: CompressionMethod::NULL,
            extensions: extensions.as_extensions(),
        };
        hello.to_vec().expect("short")
    }
}

fn deliver(scene: &mut Scene, body: &[u8]) {
    let message = scene.peer.message_of(HandshakeType::SERVER_HELLO, body);
    let record = scene.peer.record(ContentType::HANDSHAKE, &message);
    scene.deliver([record]);
}

/// What a client that offers a session makes of an answer.
fn outcome(config: &Arc<ClientConfig>, answer: Answer) -> Outcome {
    let mut scene = Scene::client(Arc::clone(config), 1);
    deliver(&mut scene, &answer.body(false));
    scene.outcome()
}

fn failed(fault: PeerFault) -> Outcome {
    Outcome::Closed(CloseReason::Failed(Error::Peer(fault)))
}

/// How many keys a hello offers.
fn offered(body: &[u8]) -> usize {
    let hello = ClientHello::from_bytes(body).expect("a hello");
    let offer = hello.extensions.find::<PreSharedKeyClientHello<'_>>().expect("well formed");
    if offer.is_some() {
        let last = hello.extensions.iter().last().map(|(extension, _)| extension);
        assert_eq!(last, Some(ExtensionType::PRE_SHARED_KEY));
        assert!(hello.extensions.contains(ExtensionType::PSK_KEY_EXCHANGE_MODES));
    }
    offer.map_or(0, |offer| offer.identities.iter().count())
}

#[test] // RFC 9846 §4.3.11
fn an_answer_that_does_not_fit_the_offer_is_refused() {
    for (answer, expected) in [
        (GOOD, Outcome::Waiting),
        (Answer { selected: Some(1), ..GOOD }, failed(PeerFault::UnofferedPsk)),
        (Answer { selected: Some(0xFFFF), ..GOOD }, failed(PeerFault::UnofferedPsk)),
        (Answer { suite: SHA384, ..GOOD }, failed(PeerFault::UnofferedPsk)),
        (Answer { suite: SHA384, selected: None, ..GOOD }, Outcome::Waiting),
        (Answer { group: None, ..GOOD }, failed(PeerFault::UnofferedPskMode)),
        (Answer { group: None, selected: None, ..GOOD }, failed(PeerFault::MissingExtension(ExtensionType::KEY_SHARE))),
        (Answer { other: Some(ExtensionType::PSK_KEY_EXCHANGE_MODES), ..GOOD }, failed(PeerFault::MisplacedExtension)),
    ] {
        let (client, _) = acquainted(&Stores::new(Some(Resumption::Ticket)));
        assert_eq!(outcome(&client, answer), expected, "{answer:?}");
    }
}

#[test] // RFC 9846 §4.3.11, §4.3.9
fn who_offers_no_key_takes_none_and_who_needs_no_exchange_does_without() {
    let stores = Stores::new(Some(Resumption::Ticket));
    assert_eq!(outcome(&client(1, &stores, PLAIN.client), GOOD), failed(PeerFault::UnofferedExtension));

    acquainted(&stores);
    let alone: ChangeClient = |builder| builder.with_resumed_key_exchange(ResumedKeyExchange::Optional);
    let config = client(3, &stores, alone);
    assert_eq!(outcome(&config, Answer { group: None, ..GOOD }), Outcome::Waiting);
    assert_eq!(outcome(&config, GOOD), Outcome::Waiting);
}

#[test] // RFC 9149 §3
fn ticket_request_has_its_place_in_encrypted_extensions_alone() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let asking: ChangeClient = |builder| builder.with_ticket_request(1, 1);
    let misplaced = Answer { other: Some(ExtensionType::TICKET_REQUEST), selected: None, ..GOOD };
    assert_eq!(outcome(&client(1, &stores, asking), misplaced), failed(PeerFault::MisplacedExtension));
    let mut scene = Scene::client(client(1, &stores, asking), 1);
    deliver(&mut scene, &Answer { group: Some(NamedGroup::SECP256R1), ..misplaced }.body(true));
    assert_eq!(scene.outcome(), failed(PeerFault::MisplacedExtension));

    let body = hello(&client(1, &stores, asking), null::SERVER_NAME);
    let hello = ClientHello::from_bytes(&body).expect("a hello");
    let asked = TicketRequestClientHello { new_session_count: 1, resumption_count: 1 };
    assert_eq!(hello.extensions.find(), Ok(Some(asked)));
}

/// A client with a ticket of each hash, and the server of each.
fn of_both_hashes(stores: &Stores) -> Arc<ClientConfig> {
    let client = client(1, stores, PLAIN.client);
    let servers = [
        server(2, stores, |builder| builder.with_cipher_suites(&[SHA384])),
        server(3, stores, |builder| builder.with_cipher_suites(&[SHA256])),
    ];
    let mut sim = Sim::new(1).without_cookies();
    // The second server cannot use what the first one gave, and the client does not hold it against the
    // tickets to come.
    for server in &servers {
        connect(&mut sim, &client, server);
        stores.clock.advance(std::time::Duration::from_secs(10));
    }
    client
}

#[test] // RFC 9846 §4.3.11
fn of_several_keys_the_server_takes_the_first_that_goes_with_its_suite() {
    let now = |suite| {
        let stores = Stores::new(Some(Resumption::Ticket));
        let client = of_both_hashes(&stores);
        let server = match suite {
            SHA256 => server(5, &stores, |builder| builder.with_cipher_suites(&[SHA256])),
            _ => server(5, &stores, |builder| builder.with_cipher_suites(&[SHA384])),
        };
        let mut sim = Sim::new(1).without_cookies();
        let pair = connect(&mut sim, &client, &server);
        (is_resumed(&sim, pair), negotiated(&sim, pair).map(|agreed| agreed.cipher_suite))
    };
    assert_eq!(now(SHA256), (true, [SHA256; 2]));
    assert_eq!(now(SHA384), (true, [SHA384; 2]));
}

#[test] // RFC 9846 §4.2.4, §4.3.11
fn after_a_hello_retry_request_only_keys_of_its_hash_are_offered() {
    for suite in [SHA256, SHA384] {
        let stores = Stores::new(Some(Resumption::Ticket));
        let mut scene = Scene::client(of_both_hashes(&stores), 1);
        let body = |scene: &mut Scene| fragments(records(&scene.take_sent()[0])[0].body)[0].body.to_vec();
        let first = body(&mut scene);
        let request = Answer { suite, group: Some(NamedGroup::SECP256R1), selected: None, other: None };
        deliver(&mut scene, &request.body(true));
        let second = body(&mut scene);
        assert_eq!((offered(&first), offered(&second)), (2, 1));
        let binder = |body: &[u8]| body[body.len() - 32..].to_vec();
        assert_ne!(binder(&first), binder(&second));
        // RFC 9846 §4.3.11: and it is the one that counts.
        deliver(
            &mut scene,
            &Answer { suite, group: Some(NamedGroup::SECP256R1), selected: Some(1), other: None }.body(false),
        );
        assert_eq!(scene.outcome(), failed(PeerFault::UnofferedPsk));
    }
}

#[test] // RFC 9147 §5.3
fn a_client_of_both_versions_offers_a_session_of_each() {
    let both: ChangeClient = |builder| builder.with_versions(&[ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2]);
    for kind in super::KINDS {
        for (version, versions) in [
            (ProtocolVersion::DTLS1_3, &[ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2][..]),
            (ProtocolVersion::DTLS1_2, &[ProtocolVersion::DTLS1_2]),
        ] {
            let stores = Stores::new(Some(kind));
            let client = client(1, &stores, both);
            let servers = [(2, &super::VERSIONS[..]), (3, &[ProtocolVersion::DTLS1_2]), (4, versions)];
            let [newer, older, last] = servers.map(|(seed, versions)| {
                let identity = null::identity(ToyKind::EcdsaP256, null::SERVER_NAME, 0);
                let builder = stores.server(null::server_config(seed, identity)).with_session_context("test");
                Arc::new(builder.with_versions(versions).build().expect("a server"))
            });
            let mut sim = Sim::new(1).without_cookies();
            connect(&mut sim, &client, &newer);
            // One ticket of the two is used up by offering it to a server that does not know 1.3.
            assert!(!{
                let pair = connect(&mut sim, &client, &older);
                is_resumed(&sim, pair)
            });
            assert_eq!(stores.client.len(), 2);
            let pair = connect(&mut sim, &client, &last);
            assert!(is_resumed(&sim, pair), "{kind:?} {version:?}");
            assert_eq!(negotiated(&sim, pair).map(|agreed| agreed.version), [version; 2]);
            let sent = sim.sent_by(pair, Side::Client).next().expect("a hello").bytes.clone();
            let body = fragments(records(&sent)[0].body)[0].body.to_vec();
            let says = ClientHello::from_bytes(&body).expect("a hello");
            assert_eq!(offered(&body), 1);
            match kind {
                Resumption::Id => assert_eq!(says.session_id.len(), 32),
                _ => {
                    assert!(says.extensions.get(ExtensionType::SESSION_TICKET).is_some_and(|ticket| !ticket.is_empty()))
                }
            }
        }
    }
}

#[test] // RFC 9147 §5.3, RFC 5077 §3.4
fn hellos_of_1_3_have_no_session_id_but_that_of_a_session() {
    let both: ChangeClient = |builder| builder.with_versions(&[ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2]);
    let id_len = |client: &Arc<ClientConfig>| {
        let body = hello(client, null::SERVER_NAME);
        let hello = ClientHello::from_bytes(&body).expect("a hello");
        assert!(hello.extensions.contains(ExtensionType::SUPPORTED_VERSIONS));
        (hello.session_id.len(), offered(&body))
    };
    for kind in [Resumption::Id, Resumption::Ticket] {
        let stores = Stores::new(Some(kind));
        let client = client(1, &stores, both);
        assert_eq!(id_len(&client), (0, 0), "nobody is known");
        // An id that a server of 1.2 gave, or one of ours beside the ticket that it gave.
        let older = server(2, &stores, |builder| builder.with_versions(&[ProtocolVersion::DTLS1_2]));
        connect(&mut Sim::new(1).without_cookies(), &client, &older);
        assert_eq!(id_len(&client), (32, 0), "{kind:?}");
        // A hello takes the session along.
        assert_eq!(id_len(&client), (0, 0));
        let newer = server(3, &stores, PLAIN.server);
        connect(&mut Sim::new(1).without_cookies(), &client, &newer);
        assert_eq!(id_len(&client), (0, 1), "tickets of 1.3 have no id");
    }
}
