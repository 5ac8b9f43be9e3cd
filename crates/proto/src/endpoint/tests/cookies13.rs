//! The cookie of a HelloRetryRequest: what it proves, and what of 1.2 and 1.3 never mixes.

use gramseal_wire::extension::{
    Cookie, Extensions, ExtensionsBuf, KeyShareClientHello, KeyShareEntry, KeyShareHelloRetryRequest,
    SignatureAlgorithms, SupportedGroups, SupportedVersionsClientHello, SupportedVersionsServerHello,
};
use gramseal_wire::handshake::{ClientHello, ServerHello};
use gramseal_wire::{Alert, AlertDescription, CompressionMethod, ExtensionType, OwnedList, Sequence, SignatureScheme};

use super::super::{CookiePolicy, CookieSecrets};
use super::*;
use crate::handshake::{AdmittedBy, CookieExchange};

pub(super) const OLDER: ProtocolVersion = ProtocolVersion::DTLS1_2;
pub(super) const NEWER: ProtocolVersion = ProtocolVersion::DTLS1_3;

/// A ClientHello of 1.3 in the making.
#[derive(Debug, Clone)]
pub(super) struct Hello13 {
    pub(super) legacy_version: ProtocolVersion,
    pub(super) random: [u8; 32],
    pub(super) session_id: Vec<u8>,
    pub(super) legacy_cookie: Vec<u8>,
    pub(super) versions: Vec<ProtocolVersion>,
    pub(super) suites: Vec<CipherSuite>,
    pub(super) groups: Vec<NamedGroup>,
    /// Groups that a share is sent of.
    pub(super) shares: Vec<NamedGroup>,
    pub(super) cookie: Option<Vec<u8>>,
    /// Whether the cookie comes before all else.
    pub(super) cookie_first: bool,
    /// At the end of the extensions.
    pub(super) more: Vec<(ExtensionType, Vec<u8>)>,
    pub(super) message_seq: u16,
    pub(super) sequence_number: u64,
}

pub(super) fn hello13() -> Hello13 {
    Hello13 {
        legacy_version: OLDER,
        random: [7; 32],
        session_id: Vec::new(),
        legacy_cookie: Vec::new(),
        versions: vec![NEWER, OLDER],
        suites: vec![CipherSuite::TLS_AES_256_GCM_SHA384, CipherSuite::TLS_AES_128_GCM_SHA256],
        groups: vec![NamedGroup::SECP256R1, NamedGroup::X25519],
        shares: vec![NamedGroup::X25519],
        cookie: None,
        cookie_first: false,
        more: Vec::new(),
        message_seq: 0,
        sequence_number: 5,
    }
}

impl Hello13 {
    fn extensions(&self) -> ExtensionsBuf {
        let mut extensions = ExtensionsBuf::new();
        if let Some(cookie) = self.cookie.as_ref().filter(|_| self.cookie_first) {
            extensions.push(&Cookie { cookie });
        }
        let versions: OwnedList<ProtocolVersion> = self.versions.iter().copied().collect();
        extensions.push(&SupportedVersionsClientHello { versions: versions.as_list() });
        let groups: OwnedList<NamedGroup> = self.groups.iter().copied().collect();
        extensions.push(&SupportedGroups { groups: groups.as_list() });
        let schemes: OwnedList<SignatureScheme> = [SignatureScheme::ED25519].into_iter().collect();
        extensions.push(&SignatureAlgorithms { schemes: schemes.as_list() });
        let entries = self.shares.iter().map(|group| KeyShareEntry { group: *group, key_exchange: &[9; 32] });
        let shares = Sequence::<KeyShareEntry<'_>>::encode(entries).unwrap();
        extensions.push(&KeyShareClientHello { client_shares: Sequence::new(&shares).unwrap() });
        if let Some(cookie) = self.cookie.as_ref().filter(|_| !self.cookie_first) {
            extensions.push(&Cookie { cookie });
        }
        for (extension, content) in &self.more {
            extensions.push_raw(*extension, content);
        }
        extensions
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let suites: OwnedList<CipherSuite> = self.suites.iter().copied().collect();
        let compression: OwnedList<CompressionMethod> = [CompressionMethod::NULL].into_iter().collect();
        let extensions = self.extensions();
        let hello = ClientHello {
            legacy_version: self.legacy_version,
            random: Random(self.random),
            session_id: &self.session_id,
            cookie: &self.legacy_cookie,
            cipher_suites: suites.as_list(),
            compression_methods: compression.as_list(),
            extensions: extensions.as_extensions(),
        };
        hello.to_vec().unwrap()
    }

    pub(super) fn datagram(&self) -> Vec<u8> {
        let body = self.body();
        self.fragment(&body, 0, body.len())
    }

    pub(super) fn fragment(&self, body: &[u8], start: usize, end: usize) -> Vec<u8> {
        let message = HandshakeHeader {
            msg_type: HandshakeType::CLIENT_HELLO,
            length: u32::try_from(body.len()).unwrap(),
            message_seq: MessageSeq(self.message_seq),
            fragment_offset: u32::try_from(start).unwrap(),
            fragment_length: u32::try_from(end - start).unwrap(),
        };
        let record = PlaintextHeader {
            content_type: ContentType::HANDSHAKE,
            version: ProtocolVersion::DTLS1_0,
            epoch: Epoch(0),
            sequence_number: SequenceNumber(self.sequence_number),
            length: u16::try_from(HandshakeHeader::LEN + end - start).unwrap(),
        };
        [&record.to_bytes()[..], &message.to_bytes(), &body[start..end]].concat()
    }

    pub(super) fn with_cookie(&self, cookie: &[u8]) -> Self {
        Self {
            cookie: Some(cookie.to_vec()),
            message_seq: self.message_seq + 1,
            sequence_number: self.sequence_number + 1,
            ..self.clone()
        }
    }

    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }
}

/// What a HelloRetryRequest says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) suite: CipherSuite,
    pub(super) group: Option<NamedGroup>,
    pub(super) cookie: Vec<u8>,
}

pub(super) fn dual() -> Endpoint<u32> {
    Endpoint::new(config_for(&[NEWER, OLDER]))
}

/// The request in a reply, after checking everything around it.
pub(super) fn request_in(reply: &[u8], hello: &Hello13) -> Request {
    let mut r = Reader::new(reply);
    let record = PlaintextHeader::read(&mut r).unwrap();
    assert_eq!((record.content_type, record.version), (ContentType::HANDSHAKE, OLDER));
    assert_eq!((record.epoch, record.sequence_number.0), (Epoch(0), hello.sequence_number));
    assert_eq!(usize::from(record.length), r.remaining());
    let message = HandshakeHeader::read(&mut r).unwrap();
    // RFC 9147 §5.2: 0 for the first message of a side; ours has the hello's number.
    assert_eq!((message.msg_type, message.message_seq.0), (HandshakeType::SERVER_HELLO, hello.message_seq));
    assert_eq!((message.fragment_offset, message.fragment_length as usize), (0, r.remaining()));
    let request = ServerHello::from_bytes(r.rest()).unwrap();
    assert!(request.is_hello_retry_request());
    assert_eq!((request.legacy_version, request.session_id), (OLDER, &[][..]));
    assert_eq!(request.compression_method, CompressionMethod::NULL);
    let extensions: Extensions<'_> = request.extensions;
    let version = extensions.find::<SupportedVersionsServerHello>().unwrap().unwrap();
    assert_eq!(version.selected_version, NEWER);
    let group = extensions.find::<KeyShareHelloRetryRequest>().unwrap().map(|share| share.selected_group);
    assert_eq!(extensions.iter().count(), if group.is_some() { 3 } else { 2 });
    let cookie = extensions.find::<Cookie<'_>>().unwrap().unwrap().cookie.to_vec();
    Request { suite: request.cipher_suite, group, cookie }
}

pub(super) fn asked(endpoint: &mut Endpoint<u32>, now: Instant, hello: &Hello13) -> Request {
    let (outcome, reply) = route(endpoint, now, peer(1), &hello.datagram());
    assert_eq!(outcome, Outcome::Reply);
    request_in(&reply, hello)
}

/// Sends the hello and returns the one that the reply asks for.
pub(super) fn proved13(endpoint: &mut Endpoint<u32>, now: Instant, hello: &Hello13) -> Hello13 {
    let request = asked(endpoint, now, hello);
    hello.with_cookie(&request.cookie)
}

pub(super) fn incoming13(endpoint: &mut Endpoint<u32>, now: Instant, hello: &Hello13) -> Incoming {
    match endpoint.route(now, peer(1), &hello.datagram(), &mut Vec::new()) {
        Route::Incoming(incoming) => incoming,
        other => panic!("not offered: {other:?}"),
    }
}

/// The alert that answers the hello, of which nothing is kept.
pub(super) fn refused(
    endpoint: &mut Endpoint<u32>,
    now: Instant,
    peer: SocketAddr,
    hello: &Hello13,
) -> AlertDescription {
    let before = endpoint.stats().hellos_refused;
    let (outcome, reply) = route(endpoint, now, peer, &hello.datagram());
    assert_eq!((outcome, endpoint.entries()), (Outcome::Reply, 0));
    assert_eq!(endpoint.stats().hellos_refused, before + 1);
    let mut r = Reader::new(&reply);
    let record = PlaintextHeader::read(&mut r).unwrap();
    assert_eq!((record.content_type, record.version), (ContentType::ALERT, OLDER));
    assert_eq!((record.epoch, record.sequence_number.0), (Epoch(0), hello.sequence_number));
    let alert = Alert::from_bytes(r.rest()).unwrap();
    assert_eq!(alert, Alert::new(alert.description));
    alert.description
}

/// The exchange that an incoming handshake ends.
fn exchange(incoming: &Incoming) -> Option<&CookieExchange> {
    match &incoming.admitted_by {
        AdmittedBy::Cookie(exchange) => Some(exchange),
        AdmittedBy::Open | AdmittedBy::EarlyData => None,
    }
}

#[test] // RFC 9147 §5.1, RFC 9846 §4.2.4
fn a_returned_cookie_begins_a_handshake_of_1_3() {
    let mut endpoint = dual();
    let first = hello13();
    let request = asked(&mut endpoint, seconds(0), &first);
    assert_eq!((request.suite, request.group), (CipherSuite::TLS_AES_128_GCM_SHA256, None));
    assert_eq!(endpoint.entries(), 0);

    let second = first.with_cookie(&request.cookie);
    let incoming = incoming13(&mut endpoint, seconds(60), &second);
    assert_eq!(incoming.first, FirstHello { message_seq: MessageSeq(1), sequence_number: SequenceNumber(6) });
    let exchange = exchange(&incoming).unwrap();
    assert_eq!((exchange.asked.suite.id, exchange.asked.group), (request.suite, None));
    let body = first.body();
    let header = [1, 0, 0, u8::try_from(body.len()).unwrap()];
    let mut hash = crate::crypto::Hash::start(&SHA256);
    hash.update(&header);
    hash.update(&body);
    assert_eq!(exchange.first_hello.as_ref(), hash.current().as_ref());
    let stats = endpoint.stats();
    assert_eq!((stats.cookies_sent, stats.cookies_accepted, stats.incoming), (1, 1, 1));
    assert_eq!((stats.cookies_refused.total(), stats.hellos_refused, endpoint.entries()), (0, 0, 1));
}

#[test] // RFC 9846 §4.2.4: there is no second request
fn the_request_for_a_cookie_asks_for_a_group_at_once() {
    let mut endpoint = dual();
    for shares in [vec![NamedGroup::SECP384R1], Vec::new()] {
        let first = hello13().with(|hello| {
            hello.groups.push(NamedGroup::SECP384R1);
            hello.shares = shares;
            hello.more = vec![(ExtensionType::PADDING, vec![0; 40])];
        });
        let request = asked(&mut endpoint, seconds(0), &first);
        assert_eq!(request.group, Some(NamedGroup::X25519), "our most preferred that it knows");
        let second = first.with_cookie(&request.cookie).with(|hello| hello.shares = vec![NamedGroup::X25519]);
        let incoming = incoming13(&mut endpoint, seconds(0), &second);
        assert_eq!(exchange(&incoming).unwrap().asked.group, Some(NamedGroup::X25519));
        endpoint.ignore(incoming);
    }
}

#[test] // RFC 9147 §5.1: the round trip is there anyway
fn the_request_for_a_cookie_asks_for_the_most_preferred_group_whatever_share_there_is() {
    let mut endpoint = dual();
    let first = hello13().with(|hello| {
        hello.shares = vec![NamedGroup::SECP256R1];
        hello.more = vec![(ExtensionType::PADDING, vec![0; 40])];
    });
    assert_eq!(asked(&mut endpoint, seconds(0), &first).group, Some(NamedGroup::X25519));
    let both = first.with(|hello| hello.shares.push(NamedGroup::X25519));
    assert_eq!(asked(&mut endpoint, seconds(0), &both).group, None);
    let unlisted = first.with(|hello| hello.groups.truncate(1));
    assert_eq!(asked(&mut endpoint, seconds(0), &unlisted).group, None);
}

#[test]
fn the_cookie_has_a_hash_of_the_chosen_suite() {
    let mut endpoint = dual();
    let suites = [(CipherSuite::TLS_AES_128_GCM_SHA256, 32), (CipherSuite::TLS_AES_256_GCM_SHA384, 48)];
    for (suite, hash_len) in suites {
        let first = hello13().with(|hello| {
            hello.suites = vec![suite];
            hello.more = vec![(ExtensionType::PADDING, vec![0; 18])];
        });
        let request = asked(&mut endpoint, seconds(0), &first);
        assert_eq!((request.suite, request.cookie.len()), (suite, 18 + 4 + 8 + hash_len));
        let incoming = incoming13(&mut endpoint, seconds(0), &first.with_cookie(&request.cookie));
        assert_eq!(exchange(&incoming).unwrap().first_hello.as_ref().len(), hash_len);
        endpoint.ignore(incoming);
    }
}

#[test] // RFC 9147 §5.1
fn an_invalid_cookie_is_an_illegal_parameter() {
    let mut endpoint = dual();
    let second = proved13(&mut endpoint, seconds(0), &hello13());
    let cookie = second.cookie.clone().unwrap();
    for (index, bit) in (0..cookie.len()).flat_map(|index| (0..8).map(move |bit| (index, 1 << bit))) {
        let damaged = second.with(|hello| hello.cookie.as_mut().unwrap()[index] ^= bit);
        let alert = refused(&mut endpoint, seconds(0), peer(1), &damaged);
        assert_eq!(alert, AlertDescription::ILLEGAL_PARAMETER, "{index} {bit}");
    }
    for len in (1..cookie.len()).chain([cookie.len() + 1]) {
        let other = second.with(|hello| hello.cookie.as_mut().unwrap().resize(len, 0));
        let alert = refused(&mut endpoint, seconds(0), peer(1), &other);
        assert_eq!(alert, AlertDescription::ILLEGAL_PARAMETER, "{len} bytes");
    }
    assert_eq!(refused(&mut endpoint, seconds(0), peer(2), &second), AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(refused(&mut endpoint, seconds(80), peer(1), &second), AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!((endpoint.stats().cookies_refused.expired > 0, endpoint.stats().cookies_accepted), (true, 0));
    drop(incoming13(&mut endpoint, seconds(0), &second));
}

#[test] // RFC 9846 §4.2.2
fn a_changed_second_client_hello_is_an_illegal_parameter() {
    let mut endpoint = dual();
    let second = proved13(&mut endpoint, seconds(0), &hello13());
    let changes: [fn(&mut Hello13); 8] = [
        |hello| hello.random[31] ^= 1,
        |hello| hello.session_id.push(1),
        |hello| hello.suites.reverse(),
        |hello| hello.groups.reverse(),
        |hello| hello.versions.truncate(1),
        |hello| hello.shares.push(NamedGroup::SECP256R1),
        |hello| hello.more.push((ExtensionType(0xfe00), Vec::new())),
        |hello| hello.more.push((ExtensionType::SERVER_NAME, Vec::new())),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let alert = refused(&mut endpoint, seconds(0), peer(1), &second.with(change));
        assert_eq!(alert, AlertDescription::ILLEGAL_PARAMETER, "{index}");
    }
    assert_eq!(usize::try_from(endpoint.stats().cookies_refused.mismatch), Ok(changes.len()));
    drop(incoming13(&mut endpoint, seconds(0), &second));
}

#[test] // RFC 9846 §4.2.2
fn a_second_client_hello_may_change_what_it_has_to() {
    let first = hello13().with(|hello| {
        hello.more = vec![
            (ExtensionType::EARLY_DATA, Vec::new()),
            (ExtensionType::PADDING, vec![0; 8]),
            (ExtensionType::PSK_KEY_EXCHANGE_MODES, vec![1, 1]),
            (ExtensionType::PRE_SHARED_KEY, pre_shared_key(1)),
        ];
    });
    let mut endpoint = dual();
    let second = proved13(&mut endpoint, seconds(0), &first);
    let modes = (ExtensionType::PSK_KEY_EXCHANGE_MODES, vec![1, 1]);
    for more in [
        vec![modes.clone(), (ExtensionType::PRE_SHARED_KEY, pre_shared_key(2))],
        vec![(ExtensionType::PADDING, vec![0; 2]), modes],
    ] {
        let incoming = incoming13(&mut endpoint, seconds(0), &second.with(|hello| hello.more = more));
        endpoint.ignore(incoming);
    }
}

/// One identity of four bytes, its age and its binder.
fn pre_shared_key(fill: u8) -> Vec<u8> {
    [&[0, 10, 0, 4][..], &[9; 4], &[fill; 4], &[0, 33, 32], &[fill; 32]].concat()
}

#[test]
fn a_cookie_of_one_version_is_none_of_the_other() {
    let mut endpoint = dual();
    let first = hello13();
    let cookie13 = asked(&mut endpoint, seconds(0), &first).cookie;
    let same = HelloShape { random: first.random, ..hello(7) };
    let cookie12 = proved(&mut endpoint, seconds(0), peer(1), &same).cookie;

    let alert = refused(&mut endpoint, seconds(0), peer(1), &first.with_cookie(&cookie12));
    assert_eq!(alert, AlertDescription::ILLEGAL_PARAMETER);
    for cookie in [&cookie13[..], &cookie13[..18]] {
        assert_eq!(outcome(&mut endpoint, seconds(0), peer(1), &same.clone().with_cookie(cookie)), Outcome::Reply);
    }
    assert_eq!((endpoint.stats().cookies_accepted, endpoint.entries()), (0, 0));
}

#[test]
fn each_hello_is_asked_for_the_cookie_of_its_version() {
    // Whoever offers 1.3 to a server without it, or 1.2 alone, or sends what cannot be read.
    let mut older = server();
    let reply = route(&mut older, seconds(0), peer(1), &hello13().datagram()).1;
    assert_eq!(reply[13], HandshakeType::HELLO_VERIFY_REQUEST.0);
    let mut both = dual();
    let unreadable = hello(7).datagram();
    let old = hello13().with(|hello| hello.versions = vec![OLDER]).datagram();
    for datagram in [unreadable, old] {
        let reply = route(&mut both, seconds(0), peer(1), &datagram).1;
        assert_eq!(reply[13], HandshakeType::HELLO_VERIFY_REQUEST.0);
    }
    asked(&mut both, seconds(0), &hello13().with(|hello| hello.versions = vec![OLDER, NEWER]));
}

#[test] // RFC 9147 §5.3
fn a_hello_of_1_3_with_a_cookie_of_1_2_is_an_illegal_parameter() {
    let mut endpoint = dual();
    let first = hello13();
    let same = HelloShape { random: first.random, ..hello(7) };
    let cookie = proved(&mut endpoint, seconds(0), peer(1), &same).cookie;
    for legacy_cookie in [cookie, vec![1]] {
        let mixed = first.with(|hello| hello.legacy_cookie = legacy_cookie);
        assert_eq!(refused(&mut endpoint, seconds(0), peer(1), &mixed), AlertDescription::ILLEGAL_PARAMETER);
    }
}

#[test] // RFC 9846 §4.2.2
fn a_hello_of_1_3_has_the_legacy_version_of_1_2() {
    for legacy_version in [ProtocolVersion::DTLS1_0, NEWER] {
        let odd = hello13().with(|hello| hello.legacy_version = legacy_version);
        assert_eq!(refused(&mut dual(), seconds(0), peer(1), &odd), AlertDescription::PROTOCOL_VERSION);
    }
}

#[test]
fn what_no_cookie_would_help_gets_an_alert() {
    let mut endpoint = dual();
    let no_suite = hello13().with(|hello| hello.suites = vec![CipherSuite::TLS_AES_128_CCM_SHA256]);
    let no_group = hello13().with(|hello| {
        hello.groups = vec![NamedGroup::SECP384R1];
        hello.shares = hello.groups.clone();
    });
    for hello in [no_suite, no_group] {
        assert_eq!(refused(&mut endpoint, seconds(0), peer(1), &hello), AlertDescription::HANDSHAKE_FAILURE);
    }
    let mut newer = Endpoint::new(config_for(&[NEWER]));
    let old = hello13().with(|hello| hello.versions = vec![OLDER]);
    assert_eq!(refused(&mut newer, seconds(0), peer(1), &old), AlertDescription::PROTOCOL_VERSION);
}

#[test] // RFC 9147 §5.1
fn a_request_is_never_longer_than_its_hello() {
    let mut endpoint = dual();
    let short = hello13().with(|hello| {
        hello.shares = Vec::new();
        hello.suites.truncate(1);
        hello.versions.truncate(1);
    });
    let too_short = route(&mut endpoint, seconds(0), peer(1), &short.datagram());
    assert_eq!(too_short, (Outcome::Discard(Discard::HelloTooShort), Vec::new()));
    assert_eq!(endpoint.stats().cookies_sent, 0);
    for padding in 0..100 {
        let hello = short.with(|hello| hello.more = vec![(ExtensionType::PADDING, vec![0; padding])]);
        let (_, reply) = route(&mut endpoint, seconds(0), peer(1), &hello.datagram());
        assert!(reply.len() <= hello.datagram().len());
    }
    assert!(endpoint.stats().cookies_sent > 0);
}

#[test]
fn with_cookies_off_a_cookie_still_has_to_be_good() {
    let off = || config_for(&[NEWER, OLDER]).with_cookie_policy(CookiePolicy::Off);
    let mut endpoint = Endpoint::new(off());
    assert!(exchange(&incoming13(&mut endpoint, seconds(0), &hello13())).is_none());
    let mut endpoint = Endpoint::new(off());
    let strange = hello13().with_cookie(&[7; 62]);
    assert_eq!(refused(&mut endpoint, seconds(0), peer(1), &strange), AlertDescription::ILLEGAL_PARAMETER);
}

#[test] // RFC 9147 §5.11
fn with_cookies_off_a_forged_hello_of_1_3_cannot_replace_a_connection() {
    let mut endpoint = Endpoint::new(config_for(&[NEWER, OLDER]).with_cookie_policy(CookiePolicy::Off));
    drop(incoming13(&mut endpoint, seconds(0), &hello13()));
    endpoint.insert(peer(1), 1);
    endpoint.establish(peer(1), 1);
    let restarted = hello13().with(|hello| hello.random = [8; 32]);
    let second = proved13(&mut endpoint, seconds(0), &restarted);
    assert!(exchange(&incoming13(&mut endpoint, seconds(0), &second)).is_some());
    assert_eq!(endpoint.insert(peer(1), 2).replaced, None);
    assert_eq!(endpoint.establish(peer(1), 2), Some(1));
}

#[test]
fn a_fleet_and_a_rotated_secret_accept_cookies_of_1_3() {
    let secrets = |byte| CookieSecrets::from_bytes(&provider(), &[byte; 32], None).unwrap();
    let config = || config_for(&[NEWER]).with_cookie_secrets(secrets(1));
    let (mut one, mut two) = (Endpoint::new(config()), Endpoint::new(config()));
    let second = proved13(&mut one, seconds(0), &hello13());
    two.cookie_secrets().unwrap().rotate(&[2; 32]);
    drop(incoming13(&mut two, seconds(0), &second));
    one.cookie_secrets().unwrap().rotate(&[2; 32]);
    one.cookie_secrets().unwrap().rotate(&[3; 32]);
    assert_eq!(refused(&mut one, seconds(0), peer(1), &second), AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(one.stats().cookies_refused.unknown_secret, 1);
}

#[test]
fn strangers_of_1_3_leave_nothing_behind() {
    let mut endpoint = dual();
    let kinds = [hello13(), hello13().with_cookie(&[7; 62]), hello13().with(|hello| hello.shares = Vec::new())];
    let kinds = kinds.map(|hello| hello.datagram());
    let mut reply = Vec::new();
    for number in 0..3000 {
        let datagram = &kinds[number as usize % kinds.len()];
        let route = endpoint.route(Instant::from_micros(number.into()), peer(number), datagram, &mut reply);
        assert!(matches!(route, Route::Reply | Route::Discard(Discard::HelloTooShort)), "{route:?}");
        assert!(reply.len() <= datagram.len());
    }
    assert_eq!((endpoint.entries(), endpoint.stats().incoming), (0, 0));
}
