//! UDP sockets of tunnels.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket};

use socket2::SockRef;
use tokio::net::UdpSocket;

use crate::failure::Failure;

/// More datagrams than the queue of a socket with a buffer of any usual size holds.
const QUEUE: usize = 65_536;

/// A socket at `address` with buffers of `buffer` bytes, if the system allows them.
pub(super) fn bind(address: SocketAddr, buffer: Option<usize>) -> Result<StdUdpSocket, Failure> {
    let socket = gramseal::bind_socket(address);
    let socket = socket.map_err(|error| Failure::connection(format!("--listen {address}: {error}")))?;
    if let Some(bytes) = buffer {
        set_buffers(SockRef::from(&socket), address, bytes);
    }
    Ok(socket)
}

fn set_buffers(socket: SockRef<'_>, address: SocketAddr, bytes: usize) {
    // What is granted is read back, which also shows that the system refused.
    let _ = socket.set_recv_buffer_size(bytes);
    let _ = socket.set_send_buffer_size(bytes);
    let granted = [socket.recv_buffer_size(), socket.send_buffer_size()];
    for (granted, setting) in granted.into_iter().zip(["net.core.rmem_max", "net.core.wmem_max"]) {
        // Linux doubles what it is asked for, for itself, and says so (socket(7)).
        let granted = granted.unwrap_or_default() / if cfg!(target_os = "linux") { 2 } else { 1 };
        if granted < bytes {
            tracing::warn!(%address, wanted = bytes, granted, "smaller socket buffer than wanted: raise {setting}");
        }
    }
}

/// The socket of a tunnel that runs stays as it is: `wanted` becomes what it `has`, and who wants another size is told.
pub(super) fn keep_buffer(tunnel: &str, has: Option<usize>, wanted: &mut Option<usize>) {
    if *wanted != has {
        tracing::warn!(tunnel, "socket-buffer changes with a restart only");
        *wanted = has;
    }
}

/// A socket that talks to `target` alone, from `port` if that is free.
///
/// It is bound where the target is reached from (loopback, for a target on loopback) and nowhere else, and what came from
/// others before it was connected is thrown away: it would be taken for the target's answer.
pub(super) fn connected(target: SocketAddr, port: Option<u16>) -> io::Result<UdpSocket> {
    let source = source_towards(target)?;
    let socket = match port {
        Some(port) => StdUdpSocket::bind((source, port)).or_else(|error| {
            tracing::info!(port, %error, "the target sees another port from now on");
            StdUdpSocket::bind((source, 0))
        })?,
        None => StdUdpSocket::bind((source, 0))?,
    };
    connect_alone(&socket, target)?;
    UdpSocket::from_std(socket)
}

/// The address of this machine that datagrams to `target` leave from.
fn source_towards(target: SocketAddr) -> io::Result<IpAddr> {
    let any = match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    // Connecting sends nothing; the system looks for the way.
    let scout = StdUdpSocket::bind((any, 0))?;
    scout.connect(target)?;
    let source = scout.local_addr()?.ip();
    // Addresses of one link cannot be bound without its name, which is not told here.
    let of_link = matches!(source, IpAddr::V6(source) if source.is_unicast_link_local());
    Ok(if of_link { any } else { source })
}

/// Connects `socket` and empties it: what was in its queue before, anybody can have sent.
fn connect_alone(socket: &StdUdpSocket, target: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.connect(target)?;
    for _ in 0..QUEUE {
        match socket.recv(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // A datagram, or what came back of one.
            Ok(_) | Err(_) => {}
        }
    }
    Err(io::Error::other("the target sends without an end, unasked"))
}

/// Whether two listening addresses cannot both be bound.
pub(super) fn conflict(one: SocketAddr, other: SocketAddr) -> bool {
    if one.port() != other.port() || one.port() == 0 {
        return false;
    }
    let (one, other) = (one.ip().to_canonical(), other.ip().to_canonical());
    let any = |ip: IpAddr| ip.is_unspecified();
    // The wildcard of IPv6 takes IPv4 as well; that of IPv4 nothing of IPv6.
    let covers = |wide: IpAddr, narrow: IpAddr| any(wide) && (wide.is_ipv6() || narrow.is_ipv4());
    one == other || covers(one, other) || covers(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_sent_before_is_not_the_targets() {
        let bind = || StdUdpSocket::bind("127.0.0.1:0").expect("a port");
        let (socket, target, stranger) = (bind(), bind(), bind());
        let address = socket.local_addr().expect("an address");
        stranger.send_to(b"forged", address).expect("it is sent");
        // Returns once it is in the queue.
        socket.peek(&mut [0; 16]).expect("it arrives");
        connect_alone(&socket, target.local_addr().expect("an address")).expect("it can be connected");
        target.send_to(b"answer", address).expect("it is sent");
        socket.set_nonblocking(false).expect("it may wait");
        let mut buffer = [0; 16];
        let len = socket.recv(&mut buffer).expect("an answer");
        assert_eq!(&buffer[..len], b"answer");
    }

    #[tokio::test]
    async fn targets_on_loopback_are_reached_from_there_alone() {
        let target = StdUdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let socket = connected(target, None).expect("a socket");
        assert!(socket.local_addr().expect("an address").ip().is_loopback());
        let port = socket.local_addr().expect("an address").port();
        let other = connected(target, Some(port)).expect("another port");
        assert_ne!(other.local_addr().expect("an address").port(), port);
    }

    #[test]
    fn wildcards_cover_other_addresses() {
        let conflict = |one: &str, other: &str| conflict(one.parse().unwrap(), other.parse().unwrap());
        assert!(conflict("127.0.0.1:1", "127.0.0.1:1"));
        assert!(conflict("0.0.0.0:1", "127.0.0.1:1"));
        assert!(conflict("127.0.0.1:1", "[::]:1"));
        assert!(conflict("[::]:1", "[::1]:1"));
        assert!(!conflict("0.0.0.0:1", "[::1]:1"));
        assert!(!conflict("127.0.0.1:1", "127.0.0.2:1"));
        assert!(!conflict("127.0.0.1:1", "127.0.0.1:2"));
        assert!(!conflict("127.0.0.1:0", "127.0.0.1:0"));
    }
}
