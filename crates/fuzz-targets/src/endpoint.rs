//! Datagrams from several addresses into an endpoint with connections.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gramseal_proto::config::ServerConfig;
use gramseal_proto::endpoint::{CookiePolicy, Endpoint, EndpointConfig, Route};
use gramseal_proto::wire::{ClientHello, Codec, ContentType, Cookie, HandshakeType, HelloVerifyRequest, ServerHello};
use gramseal_proto::{Event, Instant};
use gramseal_testkit::decode::{fragments, records};
use gramseal_wire::{ExtensionsBuf, Fragment, PlaintextHeader};

use crate::configs::{self, Choice, Sessions};
use crate::host::{Host, START, time};
use crate::input::Input;

/// Settings and a policy; then who sends what, and time.
///
/// # Panics
/// If an endpoint or a connection does what it must not: keeps something before a cookie is good, or answers with more
/// than came.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = Choice::of(input.byte());
    let policy = match input.byte() % 4 {
        0 => CookiePolicy::Off,
        1 if choice.has_early_data() => CookiePolicy::ExceptEarlyData,
        _ => CookiePolicy::Required,
    };
    let mut site = Site::new(configs::server(choice, &Sessions::new()), policy);
    while !input.is_empty() {
        let what = input.byte();
        let from = usize::from(what & 3);
        match what >> 4 {
            0..=8 => site.receive(from, input.string().to_vec()),
            9..=11 => {
                let datagram = site.with_cookie(from, input.string());
                site.receive(from, datagram);
            }
            12 => site.act(from, input.byte()),
            _ => site.wait(input.byte()),
        }
        site.check();
    }
}

struct Site {
    endpoint: Endpoint<u32>,
    config: Arc<ServerConfig>,
    policy: CookiePolicy,
    hosts: BTreeMap<u32, (SocketAddr, Host)>,
    /// The last reply to each address.
    replies: [Vec<u8>; 4],
    now: Instant,
    next_key: u32,
}

impl Site {
    fn new(config: Arc<ServerConfig>, policy: CookiePolicy) -> Self {
        let endpoint = EndpointConfig::server(Arc::clone(&config)).expect("the null provider has all it takes");
        let endpoint = Endpoint::new(endpoint.with_cookie_policy(policy));
        Self { endpoint, config, policy, hosts: BTreeMap::new(), replies: Default::default(), now: START, next_key: 0 }
    }

    fn receive(&mut self, from: usize, datagram: Vec<u8>) {
        let (peer, len) = (address(from), datagram.len());
        let mut reply = Vec::new();
        match self.endpoint.route(self.now, peer, &datagram, &mut reply) {
            Route::Connection(key) => self.hand_over(key, peer, datagram),
            Route::Either { current, successor } => {
                self.hand_over(current, peer, datagram.clone());
                self.hand_over(successor, peer, datagram);
                return;
            }
            Route::Incoming(incoming) => {
                self.next_key += 1;
                let connection = incoming.accept(Arc::clone(&self.config), self.now);
                let handover = self.endpoint.insert(peer, self.next_key);
                if let Some(replaced) = handover.replaced {
                    assert!(self.hosts.remove(&replaced).is_some(), "nobody is replaced");
                }
                self.hosts.insert(self.next_key, (peer, Host::new(connection, self.now)));
                for early in handover.early_data {
                    self.hand_over(self.next_key, peer, early);
                }
                self.follow_up(self.next_key);
                return;
            }
            Route::Reply => assert!(!reply.is_empty(), "a reply that is none"),
            Route::Kept | Route::Discard(_) => assert!(reply.is_empty(), "nobody is to be answered"),
        }
        assert!(reply.len() <= len, "the answer is longer than the question");
        if !reply.is_empty() {
            self.replies[from] = reply;
        }
    }

    fn hand_over(&mut self, key: u32, peer: SocketAddr, datagram: Vec<u8>) {
        let now = self.now;
        if let Some((_, host)) = self.hosts.get_mut(&key) {
            host.deliver(now, Some(peer), datagram);
        }
        self.follow_up(key);
    }

    /// Tells the endpoint what a connection has said.
    fn follow_up(&mut self, key: u32) {
        let Some((peer, host)) = self.hosts.get_mut(&key) else { return };
        let peer = *peer;
        host.outgoing.clear();
        host.elsewhere.clear();
        for event in std::mem::take(&mut host.events) {
            let gone = match event {
                Event::Connected => self.endpoint.establish(peer, key),
                Event::CidIssued(cid) => {
                    self.endpoint.add_cid(peer, key, cid).expect("random ids differ");
                    None
                }
                Event::CidRetired(cid) => {
                    self.endpoint.remove_cid(peer, key, &cid);
                    None
                }
                Event::Closed(_) => {
                    self.endpoint.remove(peer, key);
                    Some(key)
                }
                _ => None,
            };
            gone.map(|key| self.hosts.remove(&key));
        }
    }

    fn act(&mut self, which: usize, what: u8) {
        let Some(key) = self.hosts.keys().nth(which).copied() else { return };
        let now = self.now;
        if let Some((_, host)) = self.hosts.get_mut(&key) {
            match what % 3 {
                0 => host.connection.close(),
                1 => drop(host.seal(b"hello")),
                _ => drop(host.connection.issue_cids(1, gramseal_wire::ConnectionIdUsage::Spare)),
            }
            host.drain(now);
        }
        self.follow_up(key);
    }

    fn wait(&mut self, byte: u8) {
        let end = self.now + time(byte);
        let keys: Vec<u32> = self.hosts.keys().copied().collect();
        for key in keys {
            if let Some((_, host)) = self.hosts.get_mut(&key) {
                host.advance(self.now, end);
            }
            self.follow_up(key);
        }
        self.now = end;
    }

    /// The hello with the cookie that its sender was last given.
    fn with_cookie(&self, from: usize, datagram: &[u8]) -> Vec<u8> {
        cookie(&self.replies[from])
            .and_then(|cookie| hello_with(datagram, &cookie))
            .unwrap_or_else(|| datagram.to_vec())
    }

    fn check(&self) {
        if self.next_key == 0 && self.policy == CookiePolicy::Required {
            assert_eq!(self.endpoint.entries(), 0, "something is kept before any cookie was good");
        }
    }
}

fn address(index: usize) -> SocketAddr {
    let index = u8::try_from(index).expect("few");
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, index / 2), 1000 + u16::from(index)))
}

/// The cookie in a HelloVerifyRequest or HelloRetryRequest.
fn cookie(reply: &[u8]) -> Option<Vec<u8>> {
    let records = records(reply);
    let body = fragments(records.first()?.body).first()?.body;
    match fragments(records.first()?.body).first()?.msg_type {
        HandshakeType::HELLO_VERIFY_REQUEST => HelloVerifyRequest::from_bytes(body).ok().map(|hvr| hvr.cookie.to_vec()),
        HandshakeType::SERVER_HELLO => {
            let hello = ServerHello::from_bytes(body).ok()?;
            let cookie = hello.extensions.find::<Cookie<'_>>().ok().flatten()?;
            Some([&[0xff][..], cookie.cookie].concat())
        }
        _ => None,
    }
}

/// The first message of `datagram`, a whole ClientHello, as the second one: with `cookie`, which says in which version
/// it is by what it begins with.
fn hello_with(datagram: &[u8], cookie: &[u8]) -> Option<Vec<u8>> {
    let records = records(datagram);
    let record = records.first().filter(|record| record.header.content_type == ContentType::HANDSHAKE)?;
    let fragments = fragments(record.body);
    let fragment = fragments.first().filter(|fragment| fragment.body.len() == fragment.length as usize)?;
    let hello = ClientHello::from_bytes(fragment.body).ok()?;
    let mut extensions = ExtensionsBuf::new();
    let body = match cookie.split_first() {
        Some((0xff, cookie)) => {
            extensions.push(&Cookie { cookie });
            hello.extensions.iter().for_each(|(extension, content)| extensions.push_raw(extension, content));
            ClientHello { extensions: extensions.as_extensions(), ..hello }.to_vec().ok()?
        }
        _ => ClientHello { cookie, ..hello }.to_vec().ok()?,
    };
    let length = u32::try_from(body.len()).ok()?;
    let message = Fragment { length, body: &body, ..*fragment }.to_vec().ok()?;
    let header = PlaintextHeader { length: u16::try_from(message.len()).ok()?, ..record.header };
    Some([&header.to_bytes()[..], &message].concat())
}
