//! The UDP socket: addresses in one form, batches in, single datagrams out.
//!
//! Never looks into a datagram. (Segmented sends belong here when they come.)

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs, UdpSocket as StdUdpSocket};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::stats::Counter;

/// Buffers given to the system at once. Where it merges datagrams (GRO), each takes up to 64.
const BUFFERS: usize = if quinn_udp::BATCH_SIZE < 8 { quinn_udp::BATCH_SIZE } else { 8 };

/// Bytes in a buffer: no merged datagrams and no single one are longer.
const BUFFER_LEN: usize = 65_536;

/// A peer, and which of our addresses it talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    /// In canonical form: IPv4 also where the socket maps it into IPv6.
    pub(crate) peer: SocketAddr,
    /// Answers must leave from here; `None` to let the system choose.
    pub(crate) local: Option<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    is_ipv6: bool,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) blocked: Counter,
    pub(crate) send_errors: Counter,
    pub(crate) receive_errors: Counter,
}

impl Socket {
    /// Takes over a bound socket. Must run inside a tokio runtime.
    pub(crate) fn new(socket: StdUdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        Ok(Self {
            io: UdpSocket::from_std(socket)?,
            state,
            is_ipv6,
            received: Counter::default(),
            sent: Counter::default(),
            blocked: Counter::default(),
            send_errors: Counter::default(),
            receive_errors: Counter::default(),
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Waits for datagrams and counts what came.
    pub(crate) async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        batch.filled = 0;
        let Batch { storage, metas, filled } = batch;
        let mut chunks = storage.chunks_exact_mut(BUFFER_LEN);
        let mut buffers: [IoSliceMut<'_>; BUFFERS] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let received = self
            .io
            .async_io(Interest::READABLE, || self.state.recv(UdpSockRef::from(&self.io), &mut buffers, metas))
            .await;
        match received {
            Ok(count) => *filled = count.min(BUFFERS),
            Err(error) => {
                self.receive_errors.add(1);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Sends one datagram at once or not at all.
    ///
    /// # Errors
    /// `WouldBlock` if the socket's buffer is full; other kinds if the system refuses it. Counted.
    pub(crate) fn send(&self, path: Path, datagram: &[u8]) -> io::Result<()> {
        let sent = self.try_send(path, datagram);
        self.count(&sent);
        sent
    }

    /// Sends one datagram as soon as the socket's buffer has room.
    pub(crate) async fn send_wait(&self, path: Path, datagram: &[u8]) -> io::Result<()> {
        let sent = self.io.async_io(Interest::WRITABLE, || self.try_send(path, datagram)).await;
        self.count(&sent);
        sent
    }

    /// Like [`send`](Self::send), and counts nothing: for a caller that will try again.
    ///
    /// Asks the system, not tokio: tokio believes a fresh socket to be full until it has polled it.
    pub(crate) fn try_send(&self, path: Path, datagram: &[u8]) -> io::Result<()> {
        let transmit = Transmit {
            destination: self.destination(path.peer),
            ecn: None,
            contents: datagram,
            segment_size: None,
            src_ip: path.local,
        };
        self.state.try_send(UdpSockRef::from(&self.io), &transmit)
    }

    /// An IPv6 socket reaches IPv4 peers under their mapped addresses (RFC 4291 §2.5.5.2).
    fn destination(&self, peer: SocketAddr) -> SocketAddr {
        match peer {
            SocketAddr::V4(v4) if self.is_ipv6 => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
            _ => peer,
        }
    }

    pub(crate) fn count(&self, sent: &io::Result<()>) {
        let counter = match sent {
            Ok(()) => &self.sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => &self.blocked,
            Err(_) => &self.send_errors,
        };
        counter.add(1);
    }
}

/// Room for what one look at the socket brings.
pub(crate) struct Batch {
    storage: Vec<u8>,
    metas: [RecvMeta; BUFFERS],
    filled: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        // Zeroed pages cost no memory until the system writes to them.
        Self { storage: vec![0; BUFFERS * BUFFER_LEN], metas: [RecvMeta::default(); BUFFERS], filled: 0 }
    }

    /// Every datagram received, with where it came from.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (Path, &mut [u8])> {
        let buffers = self.storage.chunks_exact_mut(BUFFER_LEN);
        self.metas.iter().zip(buffers).take(self.filled).flat_map(|(meta, buffer)| {
            let path = Path { peer: canonical(meta.addr), local: meta.dst_ip.filter(|ip| !ip.is_multicast()) };
            let len = meta.len.min(buffer.len());
            // A datagram without content has a stride of 0 and yields nothing.
            buffer[..len].chunks_mut(meta.stride.max(1)).map(move |datagram| (path, datagram))
        })
    }
}

/// The one form in which an address is compared and shown.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_canonical() {
            IpAddr::V4(v4) => (v4, v6.port()).into(),
            IpAddr::V6(_) => address,
        },
    }
}

/// Binds to the first of `addresses` that works. An IPv6 wildcard takes IPv4 as well.
pub(crate) fn bind(addresses: impl ToSocketAddrs) -> io::Result<StdUdpSocket> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "no address to bind to");
    for address in addresses.to_socket_addrs()? {
        match bind_one(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_one(address: SocketAddr) -> io::Result<StdUdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Systems differ in what they do unasked; those that cannot do it stay with IPv6.
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_the_ipv4_addresses_they_stand_for() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:4433".parse().unwrap();
        assert_eq!(canonical(mapped), "192.0.2.1:4433".parse().unwrap());
        let real: SocketAddr = "[2001:db8::1]:4433".parse().unwrap();
        assert_eq!(canonical(real), real);
    }

    #[test]
    fn merged_datagrams_are_told_apart() {
        let mut batch = Batch::new();
        batch.storage[..7].copy_from_slice(b"aaabbbc");
        batch.storage[BUFFER_LEN..BUFFER_LEN + 2].copy_from_slice(b"zz");
        (batch.metas[0].len, batch.metas[0].stride) = (7, 3);
        (batch.metas[1].len, batch.metas[1].stride) = (2, 2);
        (batch.metas[2].len, batch.metas[2].stride) = (0, 0);
        batch.filled = 3;
        let datagrams: Vec<Vec<u8>> = batch.datagrams().map(|(_, datagram)| datagram.to_vec()).collect();
        assert_eq!(datagrams, [b"aaa".to_vec(), b"bbb".to_vec(), b"c".to_vec(), b"zz".to_vec()]);
    }
}
