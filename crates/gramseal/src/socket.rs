//! The UDP socket: addresses in one form, batches in, single datagrams and batches out.
//!
//! Never looks into a datagram.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs, UdpSocket as StdUdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::stats::Counter;

/// Buffers given to the system at once. Where it merges datagrams (GRO), each takes up to 64.
const BUFFERS: usize = if quinn_udp::BATCH_SIZE < 8 { quinn_udp::BATCH_SIZE } else { 8 };

/// Bytes in a buffer: no merged datagrams and no single one are longer.
const BUFFER_LEN: usize = 65_536;

/// The most bytes that go out with one call, for IPv4, which has the larger header in that length.
pub(crate) const MAX_BATCH_LEN: usize = 65_507;

/// The most datagrams that go out with one call: what every kernel takes that cuts them at all.
const MAX_SEGMENTS: usize = 64;

/// A peer, and which of our addresses it talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    /// In canonical form: IPv4 also where the socket maps it into IPv6.
    pub(crate) peer: SocketAddr,
    /// Answers must leave from here; `None` to let the system choose.
    pub(crate) local: Option<IpAddr>,
}

impl Path {
    /// The way to `peer`: back on the one that a datagram from there `came` on, or from where this one leaves.
    pub(crate) fn towards(self, peer: SocketAddr, came: Option<Self>) -> Self {
        came.filter(|came| came.leads_to(peer)).unwrap_or(Self { peer, ..self })
    }

    /// Whether the peer of this path is that one; IPv6 addresses may differ in what names no peer.
    pub(crate) fn leads_to(&self, peer: SocketAddr) -> bool {
        (self.peer.ip(), self.peer.port()) == (peer.ip(), peer.port())
    }
}

/// Whether the system is to cut batches into datagrams, and to merge them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Offload {
    #[default]
    IfPossible,
    Never,
}

/// What it tells that datagrams go out one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The system does not cut, although it had said that it does.
    Cutting,
    Datagrams,
}

#[derive(Debug)]
pub(crate) struct Socket {
    /// Changes when the endpoint goes on with another one.
    io: RwLock<Arc<Io>>,
    offload: Offload,
    /// What the system is to answer instead of sending, for tests.
    #[cfg(test)]
    pub(crate) answers: std::sync::Mutex<std::collections::VecDeque<io::Error>>,
    /// How many batches the system has cut, for tests.
    #[cfg(test)]
    pub(crate) batches: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) blocked: Counter,
    pub(crate) send_errors: Counter,
    pub(crate) receive_errors: Counter,
}

/// What the system has of a socket.
#[derive(Debug)]
struct Io {
    udp: UdpSocket,
    state: UdpSocketState,
    is_ipv6: bool,
    /// How many datagrams the system cuts one buffer into; 1 if it does not.
    segments: AtomicUsize,
}

impl Io {
    fn new(socket: StdUdpSocket, offload: Offload) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        let segments = match offload {
            Offload::IfPossible => state.max_gso_segments().min(MAX_SEGMENTS),
            Offload::Never => 1,
        };
        Ok(Self { udp: UdpSocket::from_std(socket)?, state, is_ipv6, segments: AtomicUsize::new(segments) })
    }

    fn hand_over(&self, path: Path, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        let destination = self.destination(path.peer);
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: path.local };
        self.state.try_send(UdpSockRef::from(&self.udp), &transmit)
    }

    /// An IPv6 socket reaches IPv4 peers under their mapped addresses (RFC 4291 §2.5.5.2).
    fn destination(&self, peer: SocketAddr) -> SocketAddr {
        match peer {
            SocketAddr::V4(v4) if self.is_ipv6 => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
            _ => peer,
        }
    }
}

impl Socket {
    /// Takes over a bound socket. Must run inside a tokio runtime.
    pub(crate) fn new(socket: StdUdpSocket, offload: Offload) -> io::Result<Self> {
        Ok(Self {
            io: RwLock::new(Arc::new(Io::new(socket, offload)?)),
            offload,
            #[cfg(test)]
            answers: std::sync::Mutex::default(),
            #[cfg(test)]
            batches: Counter::default(),
            received: Counter::default(),
            sent: Counter::default(),
            blocked: Counter::default(),
            send_errors: Counter::default(),
            receive_errors: Counter::default(),
        })
    }

    /// Goes on with another one. Must run inside a tokio runtime. Who waits for the one before has to be woken.
    pub(crate) fn replace(&self, socket: StdUdpSocket) -> io::Result<()> {
        let io = Arc::new(Io::new(socket, self.offload)?);
        *self.io.write().unwrap_or_else(PoisonError::into_inner) = io;
        Ok(())
    }

    fn io(&self) -> Arc<Io> {
        Arc::clone(&self.io.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io().udp.local_addr()
    }

    /// Waits for datagrams and counts what came.
    pub(crate) async fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        batch.filled = 0;
        let Batch { storage, metas, filled } = batch;
        let mut chunks = storage.chunks_exact_mut(BUFFER_LEN);
        let mut buffers: [IoSliceMut<'_>; BUFFERS] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let io = self.io();
        let received =
            io.udp.async_io(Interest::READABLE, || io.state.recv(UdpSockRef::from(&io.udp), &mut buffers, metas)).await;
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
        let io = self.io();
        let sent = io.udp.async_io(Interest::WRITABLE, || self.try_send(path, datagram)).await;
        self.count(&sent);
        sent
    }

    /// Like [`send`](Self::send), and counts nothing: for a caller that will try again.
    ///
    /// Asks the system, not tokio: tokio believes a fresh socket to be full until it has polled it.
    pub(crate) fn try_send(&self, path: Path, datagram: &[u8]) -> io::Result<()> {
        self.hand_over(path, datagram, None)
    }

    /// How many datagrams are worth being put into one batch.
    pub(crate) fn segments(&self) -> usize {
        self.io().segments.load(Ordering::Relaxed)
    }

    /// As if the system had refused a batch.
    #[cfg(test)]
    pub(crate) fn cut_nothing(&self) {
        self.io().segments.store(1, Ordering::Relaxed);
    }

    /// Sends the datagrams that lie next to each other in `batch`, each of `segment` bytes but the last, which may be
    /// shorter; says how many went out. What was sent is counted, and refusals are.
    ///
    /// # Errors
    /// As [`send`](Self::send), if it is the first that does not go out.
    pub(crate) fn send_batch(&self, path: Path, batch: &[u8], segment: usize) -> io::Result<usize> {
        let count = batch.len().div_ceil(segment.max(1));
        if count > 1 && self.segments() >= count {
            match self.hand_over(path, batch, Some(segment)) {
                Ok(()) => {
                    #[cfg(test)]
                    self.batches.add(1);
                    self.sent.add(count as u64);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(error) if cannot_cut(&error) => {
                    return self.send_one_by_one(path, batch, segment, Blame::Cutting);
                }
                Err(_) => {}
            }
        }
        self.send_one_by_one(path, batch, segment, Blame::Datagrams)
    }

    fn send_one_by_one(&self, path: Path, batch: &[u8], segment: usize, blame: Blame) -> io::Result<usize> {
        let mut sent = 0;
        for datagram in batch.chunks(segment.max(1)) {
            match self.try_send(path, datagram) {
                Ok(()) => sent += 1,
                Err(_) if sent > 0 => break,
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        self.send_errors.add(1);
                    }
                    return Err(error);
                }
            }
        }
        if blame == Blame::Cutting {
            self.io().segments.store(1, Ordering::Relaxed);
        }
        self.sent.add(sent as u64);
        Ok(sent)
    }

    /// Like [`send_batch`](Self::send_batch), as soon as the socket's buffer has room.
    pub(crate) async fn send_batch_wait(&self, path: Path, batch: &[u8], segment: usize) -> io::Result<usize> {
        let io = self.io();
        io.udp.async_io(Interest::WRITABLE, || self.send_batch(path, batch, segment)).await
    }

    fn hand_over(&self, path: Path, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        #[cfg(test)]
        if let Some(answer) = self.answers.lock().expect("not poisoned").pop_front() {
            return Err(answer);
        }
        self.io().hand_over(path, contents, segment_size)
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

    /// What was received, with where it came from: datagrams of one length next to each other, of which the last may be
    /// shorter, and that length.
    pub(crate) fn runs(&mut self) -> impl Iterator<Item = (Path, &mut [u8], usize)> {
        let buffers = self.storage.chunks_exact_mut(BUFFER_LEN);
        self.metas.iter().zip(buffers).take(self.filled).filter_map(|(meta, buffer)| {
            let path = Path { peer: canonical(meta.addr), local: meta.dst_ip.filter(|ip| !ip.is_multicast()) };
            let len = meta.len.min(buffer.len());
            // A datagram without content has a stride of 0 and is nobody's.
            (len > 0).then(|| (path, &mut buffer[..len], meta.stride.max(1)))
        })
    }
}

/// Whether this is how a system says that a network interface does not cut batches (EIO, EINVAL). Linux says the same if
/// datagrams are too large for the interface.
fn cannot_cut(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.kind() == io::ErrorKind::InvalidInput || error.raw_os_error() == Some(EIO)
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

/// Binds a socket to the first of `addresses` that works, as [`EndpointBuilder::bind`](crate::EndpointBuilder::bind) does:
/// an IPv6 wildcard (`[::]`) takes IPv4 as well, whatever the system's own choice is. For
/// [`on_socket`](crate::EndpointBuilder::on_socket) or [`Endpoint::rebind`](crate::Endpoint::rebind), with options of the
/// caller's set in between. Calls on it do not block.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let socket = gramseal::bind_socket("127.0.0.1:0")?;
/// // … buffers, a traffic class, an interface …
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let endpoint = gramseal::Endpoint::builder().on_socket(socket)?;
/// # drop(endpoint); Ok(()) })
/// # }
/// ```
///
/// # Errors
/// If no address can be bound.
pub fn bind_socket(addresses: impl ToSocketAddrs) -> io::Result<StdUdpSocket> {
    let socket = bind_first(addresses, open_bound)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Binds `count` sockets to the first of `addresses` that works. An IPv6 wildcard takes IPv4 as well.
pub(crate) fn bind(addresses: impl ToSocketAddrs, count: usize) -> io::Result<Vec<StdUdpSocket>> {
    bind_first(addresses, |address| bind_all(address, count))
}

fn bind_first<T>(addresses: impl ToSocketAddrs, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "no address to bind to");
    for address in addresses.to_socket_addrs()? {
        match bind(address) {
            Ok(bound) => return Ok(bound),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_all(address: SocketAddr, count: usize) -> io::Result<Vec<StdUdpSocket>> {
    // Alone at first: who has the address already, shared or not, is not to be robbed of its datagrams.
    let first = open_bound(address)?;
    let mut sockets = Vec::with_capacity(count);
    if count > 1 {
        share(&first)?;
        let address = first.local_addr()?;
        for _ in 1..count {
            let socket = open(address.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?)?;
            share(&socket)?;
            socket.bind(&address)?;
            sockets.push(socket.into());
        }
    }
    sockets.insert(0, first.into());
    Ok(sockets)
}

fn open_bound(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = open(address)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn open(address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Systems differ in what they do unasked; those that cannot do it stay with IPv6.
        let _ = socket.set_only_v6(false);
    }
    Ok(socket)
}

/// Lets several sockets have one address, among which the system spreads peers.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn share(socket: &socket2::Socket) -> io::Result<()> {
    rustix::net::sockopt::set_socket_reuseport(socket, true)?;
    Ok(())
}

/// The same where systems give all datagrams to one of the sockets.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn share(_: &socket2::Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not spread datagrams among several sockets"))
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
    fn answers_leave_from_where_the_datagram_came_to() {
        let path = |peer: &str, local: &str| Path { peer: peer.parse().unwrap(), local: Some(local.parse().unwrap()) };
        let (now, came) = (path("192.0.2.1:1", "198.51.100.1"), path("192.0.2.2:2", "198.51.100.2"));
        assert_eq!(now.towards(came.peer, Some(came)), came);
        let third = "192.0.2.3:3".parse().unwrap();
        for came in [Some(came), None] {
            assert_eq!(now.towards(third, came), Path { peer: third, local: now.local });
        }
    }

    #[test]
    fn runs_have_their_stride_and_what_is_empty_is_left_out() {
        let mut batch = Batch::new();
        batch.storage[..7].copy_from_slice(b"aaabbbc");
        batch.storage[BUFFER_LEN..BUFFER_LEN + 2].copy_from_slice(b"zz");
        (batch.metas[0].len, batch.metas[0].stride) = (7, 3);
        (batch.metas[1].len, batch.metas[1].stride) = (2, 2);
        (batch.metas[2].len, batch.metas[2].stride) = (0, 0);
        batch.filled = 3;
        let runs: Vec<(Vec<u8>, usize)> = batch.runs().map(|(_, run, stride)| (run.to_vec(), stride)).collect();
        assert_eq!(runs, [(b"aaabbbc".to_vec(), 3), (b"zz".to_vec(), 2)]);
    }
}
