//! Tests of the endpoint, and what they share: a toy provider and a builder of hellos.

mod cids;
mod cookies;
mod cookies13;
mod flood;
mod limits;
mod moves;
mod parts;
mod restarts;
mod routing;
mod runs;
mod shapes;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use gramseal_wire::{
    AlertDescription, CipherSuite, ClientHelloPrefix, Codec, ContentType, Epoch, HandshakeHeader, HandshakeType,
    HelloVerifyRequest, MessageSeq, NamedGroup, PlaintextHeader, ProtocolVersion, Random, Reader, SequenceNumber,
};
use pki_types::PrivateKeyDer;

use super::{Endpoint, EndpointConfig, Incoming, Limits, Route};
use crate::config::ServerConfig;
use crate::crypto::test_hash::{SHA256, SHA384};
use crate::crypto::{CryptoError, CryptoProvider, KeyLoader, KeyRejected, SecureRandom, SigningKey};
use crate::{Discard, FirstHello, Instant};

/// A provider that has what cookies need and no more.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        aeads: Vec::new(),
        hashes: vec![&SHA256, &SHA384],
        groups: Vec::new(),
        finite_field: None,
        verifiers: Vec::new(),
        keys: &NoKeys,
        random: Arc::new(Counting(AtomicU64::new(1))),
    })
}

fn server() -> Endpoint<u32> {
    Endpoint::new(server_config())
}

fn server_config() -> EndpointConfig {
    config_for(&[ProtocolVersion::DTLS1_2])
}

/// For a server of these versions.
fn config_for(versions: &[ProtocolVersion]) -> EndpointConfig {
    let suites = [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384];
    let groups = [NamedGroup::X25519, NamedGroup::SECP256R1];
    let config = ServerConfig::of_choices(provider(), versions, &suites, &groups);
    EndpointConfig::server(Arc::new(config)).expect("the toy provider never fails")
}

fn seconds(seconds: u64) -> Instant {
    Instant::default() + Duration::from_secs(seconds)
}

fn peer(number: u32) -> SocketAddr {
    (Ipv4Addr::from(0x0a00_0000 | number), 5000).into()
}

/// A ClientHello in the making.
#[derive(Debug, Clone)]
struct HelloShape {
    record_version: ProtocolVersion,
    version: ProtocolVersion,
    random: [u8; 32],
    session_id: Vec<u8>,
    cookie: Vec<u8>,
    message_seq: u16,
    sequence_number: u64,
    epoch: u64,
    /// Bytes after the cookie field.
    rest: usize,
    /// Where the fragment starts and ends; beyond the end means there.
    fragment: (usize, usize),
}

fn hello(random: u8) -> HelloShape {
    HelloShape {
        record_version: ProtocolVersion::DTLS1_0,
        version: ProtocolVersion::DTLS1_2,
        random: [random; 32],
        session_id: Vec::new(),
        cookie: Vec::new(),
        message_seq: 0,
        sequence_number: 0,
        epoch: 0,
        rest: 100,
        fragment: (0, usize::MAX),
    }
}

impl HelloShape {
    fn with_cookie(mut self, cookie: &[u8]) -> Self {
        self.cookie = cookie.to_vec();
        self.message_seq = 1;
        self.sequence_number = 1;
        self
    }

    fn cut(mut self, start: usize, end: usize) -> Self {
        self.fragment = (start, end);
        self
    }

    fn body(&self) -> Vec<u8> {
        let prefix = ClientHelloPrefix {
            legacy_version: self.version,
            random: Random(self.random),
            session_id: &self.session_id,
            cookie: &self.cookie,
        };
        let mut body = prefix.to_vec().expect("fits");
        body.resize(body.len() + self.rest, 0);
        body
    }

    fn datagram(&self) -> Vec<u8> {
        let body = self.body();
        let end = self.fragment.1.min(body.len());
        let part = &body[self.fragment.0..end];
        let message = HandshakeHeader {
            msg_type: HandshakeType::CLIENT_HELLO,
            length: u32::try_from(body.len()).unwrap(),
            message_seq: MessageSeq(self.message_seq),
            fragment_offset: u32::try_from(self.fragment.0).unwrap(),
            fragment_length: u32::try_from(part.len()).unwrap(),
        };
        let record = PlaintextHeader {
            content_type: ContentType::HANDSHAKE,
            version: self.record_version,
            epoch: Epoch(self.epoch),
            sequence_number: SequenceNumber(self.sequence_number),
            length: u16::try_from(HandshakeHeader::LEN + part.len()).unwrap(),
        };
        [&record.to_bytes()[..], &message.to_bytes(), part].concat()
    }
}

/// The cookie in a reply, after checking the numbers and versions around it.
fn cookie_of(reply: &[u8], request: &HelloShape) -> Vec<u8> {
    let mut r = Reader::new(reply);
    let record = PlaintextHeader::read(&mut r).unwrap();
    assert_eq!((record.content_type, record.version), (ContentType::HANDSHAKE, ProtocolVersion::DTLS1_0));
    assert_eq!((record.epoch, record.sequence_number.0), (Epoch(0), request.sequence_number));
    assert_eq!(usize::from(record.length), r.remaining());
    let message = HandshakeHeader::read(&mut r).unwrap();
    assert_eq!((message.msg_type, message.message_seq.0), (HandshakeType::HELLO_VERIFY_REQUEST, request.message_seq));
    assert_eq!((message.fragment_offset, message.fragment_length as usize), (0, r.remaining()));
    let request = HelloVerifyRequest::from_bytes(r.rest()).unwrap();
    assert_eq!(request.server_version, ProtocolVersion::DTLS1_0);
    request.cookie.to_vec()
}

/// What the endpoint made of a datagram, without the values that tests seldom ask for.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Connection(u32),
    Either(u32, u32),
    Incoming,
    Reply,
    Kept,
    Discard(Discard),
}

fn route(endpoint: &mut Endpoint<u32>, now: Instant, peer: SocketAddr, datagram: &[u8]) -> (Outcome, Vec<u8>) {
    let mut reply = vec![0xee; 3];
    let outcome = match endpoint.route(now, peer, datagram, &mut reply) {
        Route::Connection(key) => Outcome::Connection(key),
        Route::Either { current, successor } => Outcome::Either(current, successor),
        Route::Incoming(_) => Outcome::Incoming,
        Route::Reply => Outcome::Reply,
        Route::Kept => Outcome::Kept,
        Route::Discard(reason) => Outcome::Discard(reason),
    };
    let may_reply = matches!(outcome, Outcome::Reply | Outcome::Connection(_) | Outcome::Either(..));
    assert!(if reply.is_empty() { outcome != Outcome::Reply } else { may_reply }, "the reply belongs to Route::Reply");
    (outcome, reply)
}

fn outcome(endpoint: &mut Endpoint<u32>, now: Instant, peer: SocketAddr, shape: &HelloShape) -> Outcome {
    route(endpoint, now, peer, &shape.datagram()).0
}

/// Sends the hello without a cookie and returns it with the one that came back.
fn proved(endpoint: &mut Endpoint<u32>, now: Instant, peer: SocketAddr, shape: &HelloShape) -> HelloShape {
    let (outcome, reply) = route(endpoint, now, peer, &shape.datagram());
    assert_eq!(outcome, Outcome::Reply);
    shape.clone().with_cookie(&cookie_of(&reply, shape))
}

/// The handshake that this hello must begin.
fn incoming(endpoint: &mut Endpoint<u32>, now: Instant, peer: SocketAddr, shape: &HelloShape) -> Incoming {
    match endpoint.route(now, peer, &shape.datagram(), &mut Vec::new()) {
        Route::Incoming(incoming) => {
            assert_eq!((incoming.peer(), &incoming.datagram), (peer, &shape.datagram()));
            let (seq, number) = (MessageSeq(shape.message_seq), SequenceNumber(shape.sequence_number));
            assert_eq!(incoming.first, FirstHello { message_seq: seq, sequence_number: number });
            incoming
        }
        other => panic!("not offered: {other:?}"),
    }
}

/// As [`incoming`], where the test goes on without it.
fn offered(endpoint: &mut Endpoint<u32>, now: Instant, peer: SocketAddr, shape: &HelloShape) {
    drop(incoming(endpoint, now, peer, shape));
}

/// One step of a well-mixing generator.
fn mix(state: u64) -> u64 {
    let a = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

#[derive(Debug)]
struct Counting(AtomicU64);

impl SecureRandom for Counting {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        for byte in out {
            let [.., low] = mix(self.0.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
            *byte = low;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct NoKeys;

impl KeyLoader for NoKeys {
    fn load(&self, _: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        Err(KeyRejected::Unsupported)
    }
}
