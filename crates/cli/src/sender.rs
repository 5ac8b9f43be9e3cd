//! What `gramseal client` does with each line: sends it, and updates keys or changes its port when `--key-update` and
//! `--rebind-after` say so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;

use gramseal::proto::wire::ProtocolVersion;
use gramseal::{Connection, Endpoint, KeyUpdateRequest, SendError, UpdateKeysError};

use crate::args::ClientArgs;
use crate::failure::Failure;
use crate::output::{self, NOTICE};

/// The sending half of a client's connection.
pub(crate) struct LineSender<'c> {
    connection: &'c Connection,
    updates: Option<Updates>,
    rebind: Option<Rebind<'c>>,
    unsent: u32,
}

/// When to go on from another port.
struct Rebind<'c> {
    endpoint: &'c Endpoint,
    /// Lines to send before.
    left: NonZeroU32,
}

/// When to update keys.
struct Updates {
    every: NonZeroU32,
    /// Lines sent since the last update began.
    sent: u32,
}

impl<'c> LineSender<'c> {
    /// That updates keys and changes the port of `endpoint` when `args` say so.
    ///
    /// # Errors
    /// If what is asked for cannot be done with this server.
    pub(crate) fn new(endpoint: &'c Endpoint, connection: &'c Connection, args: &ClientArgs) -> Result<Self, Failure> {
        let negotiated = connection.negotiated();
        let is_new = negotiated.version == ProtocolVersion::DTLS1_3;
        if args.key_update.is_some() && !is_new {
            return Err(Failure::connection("the server speaks DTLS 1.2, in which --key-update cannot be done"));
        }
        let is_named = negotiated.cids.is_some_and(|cids| cids.peer > 0);
        if args.rebind_after.is_some() && !is_named {
            return Err(Failure::connection("the server asks for no connection id, so that --rebind-after loses it"));
        }
        Ok(Self {
            connection,
            updates: args.key_update.map(|every| Updates { every, sent: 0 }),
            rebind: args.rebind_after.map(|left| Rebind { endpoint, left }),
            unsent: 0,
        })
    }

    /// Sends a line, if it fits into a datagram.
    pub(crate) fn send(&mut self, line: &[u8]) -> Result<(), Failure> {
        match self.connection.send(line) {
            Ok(()) => {
                self.count()?;
                self.rebind()
            }
            // Receiving tells why the association has just ended.
            Err(SendError::Closed) => Ok(()),
            Err(error @ SendError::TooLarge { .. }) => {
                output::note(format_args!("{NOTICE}a line of {} bytes was not sent: {error}{NOTICE:#}", line.len()));
                self.unsent += 1;
                Ok(())
            }
            Err(error) => Err(Failure::connection(error)),
        }
    }

    fn count(&mut self) -> Result<(), Failure> {
        let Some(updates) = &mut self.updates else { return Ok(()) };
        updates.sent = updates.sent.saturating_add(1);
        if updates.sent < updates.every.get() {
            return Ok(());
        }
        match self.connection.update_keys(KeyUpdateRequest::Requested) {
            Ok(()) => updates.sent = 0,
            // Lines come faster than the peer answers: the next one tries again.
            Err(UpdateKeysError::OnItsWay | UpdateKeysError::TooManyMessages | UpdateKeysError::Closed) => {}
            Err(error) => return Err(Failure::connection(error)),
        }
        Ok(())
    }

    /// Goes on from another port if it is time to.
    fn rebind(&mut self) -> Result<(), Failure> {
        let Some(rebind) = &mut self.rebind else { return Ok(()) };
        if let Some(left) = NonZeroU32::new(rebind.left.get() - 1) {
            rebind.left = left;
            return Ok(());
        }
        let any = any_port(self.connection.peer_addr());
        UdpSocket::bind(any).and_then(|socket| rebind.endpoint.rebind(socket)).map_err(Failure::connection)?;
        if let Ok(local) = rebind.endpoint.local_addr() {
            output::note(format_args!("on port {} from now on", local.port()));
        }
        self.rebind = None;
        Ok(())
    }

    /// How the conversation ended.
    pub(crate) fn finish(self, reason: &'static str) -> Result<&'static str, Failure> {
        match self.unsent {
            0 => Ok(reason),
            unsent => Err(Failure::usage(format!("{unsent} lines were too long to be sent"))),
        }
    }
}

/// Any port of the family that reaches `peer`.
pub(crate) fn any_port(peer: SocketAddr) -> SocketAddr {
    let any = match peer.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(any, 0)
}
