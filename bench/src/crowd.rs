//! An endpoint with very many idle connections of 1.3, each with one ticket issued.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gramseal_proto::config::{ClientConfig, ConnectionIds, ServerConfig};
use gramseal_proto::endpoint::{Endpoint, EndpointConfig, Limits, Route};
use gramseal_proto::{Connection, Event, Instant, Timer};

use crate::pair::{Configs, NOW};

/// A server's endpoint and its connections.
#[derive(Debug)]
pub struct Crowd {
    endpoint: Endpoint<u32>,
    connections: HashMap<u32, Box<Connection>>,
}

/// How far apart in time all timers of a handshake are done.
const LATER: Duration = Duration::from_secs(300);

impl Crowd {
    /// Lets `count` clients connect, one after the other, each when the one before is forgotten and its connection at
    /// rest. With ids, each record to the server has one of 8 bytes.
    ///
    /// # Panics
    /// If a handshake fails.
    #[must_use]
    pub fn of(count: u32, ids: bool) -> Self {
        let ids = if ids { ConnectionIds::random() } else { ConnectionIds::Off };
        let (client, server) = Configs::with_tickets(ids);
        let limits = Limits { handshake_rate: None, ..Limits::default() };
        let config = EndpointConfig::server(Arc::clone(&server)).expect("random bytes").with_limits(limits);
        let mut crowd = Self { endpoint: Endpoint::new(config), connections: HashMap::new() };
        (0..count).for_each(|number| crowd.add(number, &client, &server));
        assert_eq!((crowd.endpoint.entries(), crowd.endpoint.half_open()), (count as usize, 0));
        crowd
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn add(&mut self, number: u32, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) {
        let from = SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 | number), 5000));
        let mut client = Configs::client_of(client);
        let (mut datagram, mut reply) = (Vec::new(), Vec::new());
        loop {
            let mut sent = false;
            while client.poll_transmit(NOW, &mut datagram) {
                sent = true;
                match self.endpoint.route(NOW, from, &datagram, &mut reply) {
                    Route::Connection(key) => {
                        let connection = self.connections.get_mut(&key).expect("kept here");
                        drop(connection.handle_datagram_from(NOW, from, &mut datagram));
                    }
                    Route::Incoming(incoming) => {
                        let connection = Box::new(incoming.accept(Arc::clone(server), NOW));
                        assert_eq!(self.endpoint.insert(from, number).replaced, None);
                        self.connections.insert(number, connection);
                    }
                    Route::Reply => drop(client.handle_datagram(NOW, &mut reply)),
                    other => panic!("{other:?}"),
                }
            }
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            while connection.poll_transmit(NOW, &mut datagram) {
                sent = true;
                drop(client.handle_datagram(NOW, &mut datagram));
            }
            while let Some(event) = connection.poll_event() {
                match event {
                    Event::Connected => assert_eq!(self.endpoint.establish(from, number), None),
                    Event::CidIssued(cid) => self.endpoint.add_cid(from, number, cid).expect("nobody else has it"),
                    Event::CidRetired(cid) => self.endpoint.remove_cid(from, number, &cid),
                    _ => {}
                }
            }
            if !sent {
                assert!(connection.is_connected() && client.is_connected(), "the handshake is done");
                pass(connection, NOW + LATER);
                assert!(connection.rest(), "there are keys to free");
                return;
            }
        }
    }
}

/// Lets time pass for a connection, as far as it has something to do.
fn pass(connection: &mut Connection, until: Instant) {
    while let Some((when, timer)) = connection.poll_timeout() {
        if timer == Timer::Idle || when > until {
            return;
        }
        connection.handle_timeout(when);
    }
}
