//! A handshake that waits for the application.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use gramseal_wire::Random;

use crate::config::ServerConfig;
use crate::handshake::AdmittedBy;
use crate::{Connection, FirstHello, Instant};

/// A client whose ClientHello passed what the endpoint asks of it.
///
/// With cookies, the client has proved that it receives what is sent to its address, and nothing
/// else; with early data in place of one, not even that. Dropping this without telling
/// [`Endpoint::ignore`](super::Endpoint::ignore) keeps the address waiting until it expires.
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct Incoming {
    pub(super) peer: SocketAddr,
    pub(super) random: Random,
    pub(super) first: FirstHello,
    pub(super) admitted_by: AdmittedBy,
    pub(super) datagram: Vec<u8>,
}

impl Incoming {
    /// Where it comes from.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Begins the server's side of the handshake; the connection has handled the ClientHello.
    ///
    /// `config` need not be the endpoint's. But in 1.3 the cookie exchange has settled the version, the
    /// suite and, where it asked for one, the group: if `config` does not allow them, the handshake
    /// fails.
    ///
    /// Tell its key to [`Endpoint::insert`](super::Endpoint::insert), give it the early data that this returns, then
    /// drain it as after any datagram.
    #[must_use]
    pub fn accept(mut self, config: Arc<ServerConfig>, now: Instant) -> Connection {
        let mut connection = Connection::server_after(self.admitted_by, config, self.first, now);
        connection.set_peer(self.peer);
        // Dropping the iterator processes the datagram; what early data is in it waits in the connection.
        drop(connection.handle_datagram(now, &mut self.datagram));
        connection
    }
}
