//! UDP sockets of tunnels.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket as StdUdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::failure::Failure;

/// What `--listen` says, as an address.
pub(super) fn listen_address(listen: &str) -> Result<SocketAddr, Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::usage(format!("--listen {listen}: {error}"));
    let mut addresses = listen.to_socket_addrs().map_err(|error| unusable(&error))?;
    addresses.next().ok_or_else(|| unusable(&"no address"))
}

/// A socket at `address` with buffers of `buffer` bytes, if the system allows them. An IPv6 wildcard takes IPv4 as
/// well.
pub(super) fn bind(address: SocketAddr, buffer: Option<usize>) -> Result<StdUdpSocket, Failure> {
    let bind = || -> std::io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            // Systems that cannot do it stay with IPv6.
            let _ = socket.set_only_v6(false);
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    let socket = bind().map_err(|error| Failure::connection(format!("--listen {address}: {error}")))?;
    if let Some(bytes) = buffer {
        set_buffers(&socket, address, bytes);
    }
    Ok(socket.into())
}

fn set_buffers(socket: &Socket, address: SocketAddr, bytes: usize) {
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

/// A socket that talks to `target` alone, from `port` if that is free.
pub(super) async fn connected(target: SocketAddr, port: Option<u16>) -> std::io::Result<UdpSocket> {
    let any = match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = match port {
        Some(port) => match UdpSocket::bind((any, port)).await {
            Ok(socket) => socket,
            Err(error) => {
                tracing::info!(port, %error, "the target sees another port from now on");
                UdpSocket::bind((any, 0)).await?
            }
        },
        None => UdpSocket::bind((any, 0)).await?,
    };
    socket.connect(target).await?;
    Ok(socket)
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
