//! What runs on the devices: a sensor and a gateway, with `core` and `alloc` and nothing of `std`.
//!
//! A device brings four things: an allocator, random bytes fit for keys, a clock that counts
//! microseconds, and something that moves datagrams. Here the clock is the variable `now` and the
//! datagrams move through a [`Radio`] in memory; the protocol cannot tell.
//!
//! Both share a key, and agree on fresh ones with elliptic curves (ECDHE_PSK), so that the shared
//! key alone does not open recorded traffic.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use gramseal_proto::config::{ClientConfig, Psk, ServerConfig, Transport};
use gramseal_proto::crypto::{CryptoError, CryptoProvider, KeyLoader, KeyRejected, SecureRandom, SigningKey};
use gramseal_proto::endpoint::{Endpoint, EndpointConfig, Limits, Route};
use gramseal_proto::pki_types::{PrivateKeyDer, ServerName};
use gramseal_proto::wire::CipherSuite;
use gramseal_proto::{CloseReason, Connection, Event, Instant};
use gramseal_rustcrypto::{AES_128_CCM, SECP256R1, SHA256};

pub(crate) type Failure = Box<dyn Error>;

/// Fills a buffer with bytes that nobody can guess; `false` if the hardware fails.
pub(crate) type RandomBytes = fn(&mut [u8]) -> bool;

const SUITE: CipherSuite = CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256;
const SENSOR: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4433);
const QUESTION: &[u8] = b"what is the threshold?";
const ANSWER: &[u8] = b"21.5";
/// How long a datagram is on its way.
const LATENCY: Duration = Duration::from_millis(20);

/// The board's source, as the protocol wants it.
#[derive(Debug)]
struct Hardware(RandomBytes);

impl SecureRandom for Hardware {
    fn fill(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        if (self.0)(out) { Ok(()) } else { Err(CryptoError::new()) }
    }
}

/// Devices without certificates have no private keys to load.
#[derive(Debug)]
struct NoKeys;

impl KeyLoader for NoKeys {
    fn load(&self, _key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        Err(KeyRejected::Unsupported)
    }
}

/// Only what the suite needs: the linker leaves out what no provider names. Everything there is:
/// `gramseal_rustcrypto::provider`.
fn provider(random: RandomBytes) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        aeads: vec![AES_128_CCM],
        hashes: vec![SHA256],
        groups: vec![SECP256R1],
        finite_field: None,
        verifiers: Vec::new(),
        keys: &NoKeys,
        random: Arc::new(Hardware(random)),
    })
}

/// From the flash of the device; another one for each sensor.
fn shared_key() -> Result<Psk, Failure> {
    Ok(Psk::new("sensor 7", [0x5a; 16])?)
}

/// What fits a small radio frame, and little memory for a peer that sends long messages.
fn transport() -> Transport {
    Transport { mtu: 512, max_message_len: 2048, ..Transport::default() }
}

/// The client.
struct Sensor {
    connection: Connection,
    answer: Option<Vec<u8>>,
}

impl Sensor {
    fn new(random: RandomBytes, now: Instant) -> Result<Self, Failure> {
        let config = ClientConfig::psk_builder(provider(random), shared_key()?);
        let config = config.with_cipher_suites(&[SUITE]).with_transport(transport()).build()?;
        let name = ServerName::try_from("gateway.test").map_err(|_| "not the name of a host")?;
        Ok(Self { connection: Connection::client(Arc::new(config), name, now)?, answer: None })
    }

    fn receive(&mut self, now: Instant, datagram: &mut [u8]) {
        for payload in self.connection.handle_datagram(now, datagram) {
            self.answer = Some(payload.to_vec());
        }
        if self.answer.is_some() {
            self.connection.close();
        }
    }

    /// To be called after everything else: sends what the protocol and the application have to say.
    fn drain(&mut self, now: Instant, to_gateway: &mut VecDeque<Vec<u8>>) -> Result<(), Failure> {
        transmit(&mut self.connection, now, to_gateway);
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected => to_gateway.push_back(sealed(&mut self.connection, QUESTION)?),
                Event::Closed(CloseReason::Failed(error)) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The server. Its [`Endpoint`] keeps nothing for a client that has not shown, with a cookie, that
/// it receives what is sent to its address.
struct Gateway {
    endpoint: Endpoint<u32>,
    config: Arc<ServerConfig>,
    connection: Option<Connection>,
    question: Option<Vec<u8>>,
    closed: bool,
}

impl Gateway {
    fn new(random: RandomBytes) -> Result<Self, Failure> {
        let config = ServerConfig::psk_builder(provider(random), Arc::new(vec![shared_key()?]));
        let config = Arc::new(config.with_cipher_suites(&[SUITE]).with_transport(transport()).build()?);
        let limits = Limits { incoming: 4, half_open: 4, connections: 16, ..Limits::default() };
        let endpoint = Endpoint::new(EndpointConfig::server(Arc::clone(&config))?.with_limits(limits));
        Ok(Self { endpoint, config, connection: None, question: None, closed: false })
    }

    fn receive(&mut self, now: Instant, datagram: &mut [u8], to_sensor: &mut VecDeque<Vec<u8>>) -> Result<(), Failure> {
        let mut reply = Vec::new();
        match self.endpoint.route(now, SENSOR, datagram, &mut reply) {
            Route::Incoming(incoming) => {
                // With several sensors: a map of connections, by the keys that `insert` is told.
                self.connection = Some(incoming.accept(Arc::clone(&self.config), now));
                self.endpoint.insert(SENSOR, 1);
            }
            Route::Connection(_) => {
                let Some(connection) = &mut self.connection else { return Ok(()) };
                let mut asked = false;
                for payload in connection.handle_datagram(now, datagram) {
                    self.question = Some(payload.to_vec());
                    asked = true;
                }
                if asked {
                    to_sensor.push_back(sealed(connection, ANSWER)?);
                }
                if !reply.is_empty() {
                    to_sensor.push_back(reply);
                }
            }
            Route::Reply => to_sensor.push_back(reply),
            // Dropped, and counted in the endpoint's statistics.
            _ => {}
        }
        Ok(())
    }

    fn drain(&mut self, now: Instant, to_sensor: &mut VecDeque<Vec<u8>>) -> Result<(), Failure> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        transmit(connection, now, to_sensor);
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected => {
                    // With several sensors: a connection that gives way to this one.
                    self.endpoint.establish(SENSOR, 1);
                }
                Event::Closed(CloseReason::Failed(error)) => return Err(error.into()),
                Event::Closed(_) => {
                    self.endpoint.remove(SENSOR, 1);
                    self.closed = true;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn transmit(connection: &mut Connection, now: Instant, out: &mut VecDeque<Vec<u8>>) {
    let mut datagram = Vec::new();
    while connection.poll_transmit(now, &mut datagram) {
        out.push_back(datagram.clone());
    }
}

/// A record with `payload`, alone in its datagram.
fn sealed(connection: &mut Connection, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut datagram = vec![0; connection.sealed_len(payload.len())];
    let len = connection.seal(payload, &mut datagram)?;
    datagram.truncate(len);
    Ok(datagram)
}

/// What is in the air, in either direction.
#[derive(Default)]
struct Radio {
    to_gateway: VecDeque<Vec<u8>>,
    to_sensor: VecDeque<Vec<u8>>,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) suite: CipherSuite,
    pub(crate) question: Vec<u8>,
    pub(crate) answer: Vec<u8>,
    /// Flights that the sensor sent again.
    pub(crate) retransmissions: u32,
    pub(crate) elapsed: Duration,
}

/// A handshake, a question, an answer and the end; the first datagram is lost, so that a timer has
/// something to do.
pub(crate) fn converse(random: RandomBytes) -> Result<Report, Failure> {
    let start = Instant::default();
    let mut now = start;
    let mut radio = Radio::default();
    let (mut sensor, mut gateway) = (Sensor::new(random, now)?, Gateway::new(random)?);
    sensor.drain(now, &mut radio.to_gateway)?;
    radio.to_gateway.clear();
    while !gateway.closed {
        if radio.to_gateway.is_empty() && radio.to_sensor.is_empty() {
            // Nothing comes: a device sleeps until its next timer. There is one as long as a
            // handshake waits; without any, nothing would ever happen again.
            let timers = [Some(&sensor.connection), gateway.connection.as_ref()];
            let next = timers.into_iter().flatten().filter_map(Connection::poll_timeout).map(|(when, _)| when).min();
            now = next.ok_or("both sides wait for ever")?;
            sensor.connection.handle_timeout(now);
            if let Some(connection) = &mut gateway.connection {
                connection.handle_timeout(now);
            }
        } else {
            now = now + LATENCY;
            let arrived = core::mem::take(&mut radio);
            for mut datagram in arrived.to_gateway {
                gateway.receive(now, &mut datagram, &mut radio.to_sensor)?;
            }
            for mut datagram in arrived.to_sensor {
                sensor.receive(now, &mut datagram);
            }
        }
        sensor.drain(now, &mut radio.to_gateway)?;
        gateway.drain(now, &mut radio.to_sensor)?;
    }
    Ok(Report {
        suite: sensor.connection.negotiated().ok_or("never connected")?.cipher_suite,
        question: gateway.question.unwrap_or_default(),
        answer: sensor.answer.unwrap_or_default(),
        retransmissions: sensor.connection.stats().retransmissions,
        elapsed: now - start,
    })
}
