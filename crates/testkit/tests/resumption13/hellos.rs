//! Hellos with pre-shared keys as a server meets them, good ones and others (RFC 9846 §4.3.9, §4.3.11).

use std::sync::Arc;

use gramseal_proto::config::{ClientConfig, ServerConfig};
use gramseal_proto::session::{ClientSessionStore, Session};
use gramseal_proto::wire::{AlertDescription, ClientHello, Codec, ExtensionType, ServerHello};
use gramseal_proto::{Error, PeerFault};
use gramseal_testkit::decode::{fragments, records};
use gramseal_testkit::null;
use gramseal_testkit::peer::{first_hello as hello, met, rebuilt};
use gramseal_testkit::sessions::{Resumption, Stores};
use gramseal_testkit::sim::Sim;
use pki_types::UnixTime;

use super::{KINDS, PLAIN, client, connect, server};

/// Both sides after a full handshake.
pub(crate) fn acquainted(stores: &Stores) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let (client, server) = (client(1, stores, PLAIN.client), server(2, stores, PLAIN.server));
    connect(&mut Sim::new(1).without_cookies(), &client, &server);
    assert_eq!(stores.client.len(), 2);
    (client, server)
}

/// What a server makes of a hello: whether it resumes a session, or why it fails.
fn answer(config: &Arc<ServerConfig>, body: &[u8]) -> Result<bool, Error> {
    let sent = met(config, body)?.take_sent();
    let answer = ServerHello::from_bytes(fragments(records(&sent[0])[0].body)[0].body).expect("a hello");
    Ok(answer.extensions.contains(ExtensionType::PRE_SHARED_KEY))
}

#[test] // RFC 9846 §4.3.11
fn a_binder_that_is_wrong_anywhere_ends_the_handshake() {
    for kind in KINDS {
        let stores = Stores::new(Some(kind));
        let (client, server) = acquainted(&stores);
        let body = hello(&client, null::SERVER_NAME);
        for from_end in 0..32 {
            let mut forged = body.clone();
            let at = forged.len() - 1 - from_end;
            forged[at] ^= 0x10;
            let error = Error::Peer(PeerFault::BinderMismatch);
            assert_eq!(error.alert(), Some(AlertDescription::DECRYPT_ERROR));
            assert_eq!(answer(&server, &forged), Err(error), "{kind:?}");
        }
        // What it covers may not change either.
        let renamed = rebuilt(&body, |list| list.insert(0, (ExtensionType(0xFFEE), vec![1])));
        assert_eq!(answer(&server, &renamed), Err(PeerFault::BinderMismatch.into()));
        assert_eq!(answer(&server, &body), Ok(true), "none of that used the session up");
    }
}

#[test] // RFC 9846 §4.3.11
fn pre_shared_key_is_the_last_extension() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = acquainted(&stores);
    let body = hello(&client, null::SERVER_NAME);
    let moved = rebuilt(&body, |list| list.rotate_right(1));
    assert_eq!(answer(&server, &moved), Err(PeerFault::PskNotLast.into()));
    // Also before a server that resumes nothing.
    let forgetful = super::server(3, &Stores::new(None), PLAIN.server);
    assert_eq!(answer(&forgetful, &moved), Err(PeerFault::PskNotLast.into()));
    assert_eq!(answer(&forgetful, &body), Ok(false));
}

#[test] // RFC 9846 §4.3.11
fn offers_of_keys_that_cannot_be_read() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = acquainted(&stores);
    let body = hello(&client, null::SERVER_NAME);
    let changed = |change: &dyn Fn(&mut Vec<u8>, &mut Vec<u8>)| {
        rebuilt(&body, |list| {
            let (extension, content) = list.last_mut().expect("extensions");
            assert_eq!(*extension, ExtensionType::PRE_SHARED_KEY);
            // One identity and one binder of 32 bytes, each list with its length.
            let (identities, binders) = content.split_at(content.len() - 35);
            let (mut identities, mut binders) = (identities[2..].to_vec(), binders[2..].to_vec());
            change(&mut identities, &mut binders);
            let vector = |bytes: &[u8]| {
                let len = u16::try_from(bytes.len()).expect("short").to_be_bytes();
                [&len, bytes].concat()
            };
            *content = [vector(&identities), vector(&binders)].concat();
        })
    };
    assert_eq!(answer(&server, &changed(&|_, _| ())), Ok(true), "nothing is wrong before");
    let longer = changed(&|_, binders| {
        binders[0] += 1;
        binders.push(0);
    });
    assert_eq!(answer(&server, &longer), Err(PeerFault::BinderMismatch.into()));
    let shorter = changed(&|_, binders| {
        binders[0] -= 1;
        binders.truncate(32);
    });
    let one_too_many = changed(&|_, binders| binders.extend_from_within(..));
    let one_too_few = changed(&|identities, _| identities.extend_from_within(..));
    let no_binder = changed(&|_, binders| binders.clear());
    let no_identity = changed(&|identities, _| identities.clear());
    let cut = changed(&|identities, _| identities.truncate(5));
    let forgetful = super::server(3, &Stores::new(None), PLAIN.server);
    for body in [one_too_many, one_too_few] {
        for server in [&server, &forgetful] {
            assert_eq!(answer(server, &body), Err(PeerFault::BinderCountMismatch.into()));
        }
    }
    for body in [shorter, no_binder, no_identity, cut] {
        for server in [&server, &forgetful] {
            match answer(server, &body) {
                Err(error @ Error::Decode(_)) => assert_eq!(error.alert(), Some(AlertDescription::DECODE_ERROR)),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(answer(&server, &body), Ok(true), "none of that used the session up");
}

#[test] // RFC 9846 §4.3.9, §9.2
fn pre_shared_keys_come_with_their_modes() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = acquainted(&stores);
    let body = hello(&client, null::SERVER_NAME);
    let modes = ExtensionType::PSK_KEY_EXCHANGE_MODES;
    let without = |extension| rebuilt(&body, |list| list.retain(|(other, _)| *other != extension));
    assert_eq!(answer(&server, &without(modes)), Err(PeerFault::MissingExtension(modes).into()));
    // A mode that the server does not know, or does not allow, means a full handshake.
    for unusable in [0, 77] {
        let other = rebuilt(&body, |list| {
            list.iter_mut().filter(|(extension, _)| *extension == modes).for_each(|(_, content)| content[1] = unusable);
        });
        assert_eq!(answer(&server, &other), Ok(false));
    }
}

#[test] // RFC 9846 §9.2
fn what_a_full_handshake_needs_is_missed_only_there() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = acquainted(&stores);
    let body = hello(&client, null::SERVER_NAME);
    let forgetful = super::server(3, &Stores::new(None), PLAIN.server);
    let (groups, shares) = (ExtensionType::SUPPORTED_GROUPS, ExtensionType::KEY_SHARE);
    for missing in [ExtensionType::SIGNATURE_ALGORITHMS, groups, shares] {
        let without = rebuilt(&body, |list| list.retain(|(other, _)| *other != missing));
        assert_eq!(answer(&forgetful, &without), Err(PeerFault::MissingExtension(missing).into()));
    }
    // With a session it gets as far as the binder, which covers what is missing.
    let unsigned = rebuilt(&body, |list| list.retain(|(other, _)| *other != ExtensionType::SIGNATURE_ALGORITHMS));
    assert_eq!(answer(&server, &unsigned), Err(PeerFault::BinderMismatch.into()));
    for missing in [groups, shares] {
        let without = rebuilt(&body, |list| list.retain(|(other, _)| *other != missing));
        assert_eq!(answer(&server, &without), Err(PeerFault::MissingExtension(missing).into()));
    }
}

#[test] // RFC 9846 §C.4
fn a_hello_that_is_repeated_resumes_only_where_the_server_keeps_nothing() {
    for (kind, again) in [(Resumption::Id, false), (Resumption::Ticket, true)] {
        let stores = Stores::new(Some(kind));
        let (client, server) = acquainted(&stores);
        let body = hello(&client, null::SERVER_NAME);
        assert_eq!(answer(&server, &body), Ok(true));
        assert_eq!(answer(&server, &body), Ok(again), "{kind:?}");
    }
}

/// Gives a session with one server as one with another: both names are of one length.
#[derive(Debug)]
struct Renamed(Stores);

const OTHER_NAME: &str = "sarver.example";

impl ClientSessionStore for Renamed {
    fn now(&self) -> UnixTime {
        self.0.client.now()
    }

    fn take(&self, _: &str, context: &[u8; 32]) -> Option<Session> {
        let mut bytes = self.0.client.take(null::SERVER_NAME, context)?.to_bytes().to_vec();
        let name = null::SERVER_NAME.as_bytes();
        let at = bytes.windows(name.len()).position(|part| part == name).expect("it knows the name");
        bytes[at..at + name.len()].copy_from_slice(OTHER_NAME.as_bytes());
        Some(Session::from_bytes(&bytes).expect("it can still be read"))
    }

    fn put(&self, session: Session) {
        self.0.client.put(session);
    }
}

#[test] // RFC 9846 §4.7.1
fn a_session_of_1_3_is_resumed_under_its_own_name_alone() {
    let stores = Stores::new(Some(Resumption::Ticket));
    let (client, server) = acquainted(&stores);
    let offers = |config, name| {
        let body = hello(config, name);
        let hello = ClientHello::from_bytes(&body).expect("a hello");
        (hello.extensions.contains(ExtensionType::PRE_SHARED_KEY), body)
    };
    assert!(!offers(&client, OTHER_NAME).0, "the client does not offer it");
    assert_eq!(stores.client.len(), 2);
    let builder = null::client_config(5).with_session_context("test").with_versions(&super::VERSIONS);
    let careless = builder.with_session_store(Arc::new(Renamed(stores))).build().expect("a client").into();
    let (offered, body) = offers(&careless, OTHER_NAME);
    assert!(offered);
    assert_eq!(answer(&server, &body), Ok(false), "nor does the server take it");
}
